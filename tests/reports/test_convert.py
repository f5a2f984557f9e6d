"""Conversion of tables made up here: many blocks of rows, names that collide, damage."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from pathlib import Path

import numpy as np
import pytest

REASON = "needs the extra anndata: HISTPRED_EXTRAS=anndata bin/test"
arrow = pytest.importorskip("pyarrow", reason=REASON)
parquet = pytest.importorskip("pyarrow.parquet", reason=REASON)
anndata = pytest.importorskip("anndata", reason=REASON)

from histpred.core.errors import InputError  # noqa: E402
from histpred.reports import convert, vectors  # noqa: E402
from histpred.scoring import tables  # noqa: E402
from support.records import run_json  # noqa: E402

HEAD = "#chrom\tstart\tend\tname\tstrand\tgene_id\tbiotype\tn_fraction\tknown_fraction"
MARKS = ["H3K4me3", "mine"]
SUFFIXES = [".h5ad", ".parquet"]


def finished(folder: Path, rows: list[str], scored: int | None = None, calls: str = "") -> Path:
    """A folder as predict leaves it; `scored`: rows that run.json says there are."""
    folder.mkdir()
    text = "".join(f"{row}\n" for row in ["\t".join([HEAD, *MARKS]), *rows])
    (folder / "scores.tsv.gz").write_bytes(gzip.compress(text.encode()))
    (folder / "calls.bed.gz").write_bytes(gzip.compress(calls.encode()))
    names = ("scores.tsv.gz", "calls.bed.gz")
    run_json(folder, names, len(rows) if scored is None else scored)
    return folder


def random_rows(count: int) -> list[str]:
    rng = random.Random(4)
    return [
        f"chr{i // 40}\t{i}\t{i + 9}\tg{i}\t{rng.choice('+-.')}\tG{i}\tlncRNA\t0.5\t1\t"
        f"{rng.random():.6g}\t{rng.random():.6g}"
        for i in range(count)
    ]


def embedded(path: Path, rows: list[str], group: int, dimension: int = 3) -> np.ndarray:
    """Vectors of the rows, in row groups of this size."""
    vectors = np.random.default_rng(5).random((len(rows), dimension), np.float32)
    fields = [row.split("\t") for row in rows]
    columns = {"chrom": 0, "name": 3, "strand": 4, "start": 1, "end": 2}
    table = {name: [row[at] for row in fields] for name, at in columns.items()}
    table |= {name: arrow.array(map(int, table[name]), arrow.int64()) for name in ("start", "end")}
    table["vector"] = arrow.FixedSizeListArray.from_arrays(vectors.reshape(-1), dimension)
    parquet.write_table(arrow.table(table), path, row_group_size=group)
    return vectors


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("group", [1, 3, 7, 20, 100])
def test_vectors_keep_to_their_windows_wherever_blocks_end(group, suffix, tmp_path, monkeypatch):
    for module in (tables, vectors):
        monkeypatch.setattr(module, "AT_ONCE", 7)
    rows = random_rows(100)
    scores = finished(tmp_path / "scores", rows)
    made = embedded(tmp_path / "vectors.parquet", rows, group)
    told = []
    out = tmp_path / f"a{suffix}"
    embeddings = tmp_path / "vectors.parquet"
    result = convert.convert(scores, out, embeddings, progress=lambda *counts: told.append(counts))
    assert result == (100, 2, 3)
    assert told == [*((done, 100) for done in range(7, 100, 7)), (100, 100)]
    expected = np.array([row.split("\t")[9:] for row in rows]).astype(float)
    if suffix == ".h5ad":
        found = anndata.read_h5ad(out)
        assert found.obs_names.tolist() == [f"g{i}" for i in range(100)]
        assert np.array_equal(found.X, expected.astype(np.float32))
        assert np.array_equal(found.obsm["embedding"], made)
    else:
        found = parquet.read_table(out)
        assert found["name"].to_pylist() == [f"g{i}" for i in range(100)]
        assert np.array_equal(np.array([found[mark] for mark in MARKS]).T, expected)
        assert found["vector"].to_pylist() == made.tolist()
        assert parquet.ParquetFile(out).num_row_groups == 15


def test_no_name_is_given_twice(tmp_path):
    names = ["a", "a", "a::chr1:0-9(+)", "a::chr1:0-9(+)-2", "b", "b", "", "", "a"]
    starts = [0, 0, 1, 1, 2, 3, 4, 5, 0]
    rows = [
        f"chr1\t{start}\t{start + 9}\t{name}\t+\t.\t.\t0\t1\t0\t1"
        for start, name in zip(starts, names, strict=True)
    ]
    found = convert.to_anndata(finished(tmp_path / "scores", rows))
    assert found.obs_names.tolist() == [
        *("a::chr1:0-9(+)-3", "a::chr1:0-9(+)-4", "a::chr1:0-9(+)", "a::chr1:0-9(+)-2"),
        *("b::chr1:2-11(+)", "b::chr1:3-12(+)", "::chr1:4-13(+)", "::chr1:5-14(+)"),
        "a::chr1:0-9(+)-5",
    ]
    assert found.obs["name"].tolist() == names


def test_a_mark_of_no_vocabulary(tmp_path):
    found = convert.to_anndata(finished(tmp_path / "scores", random_rows(1)))
    assert tuple(found.var.loc["mine", ["mark_class", "colour"]]) == ("other", "#564c00")


ROW = "chr1\t5\t9\tg\t+\tG\tb\t0\t1"
WRONG = {
    "NaN": (f"{ROW}\tnan\t0.5", "a probability is not from 0 to 1"),
    "above 1": (f"{ROW}\t0.5\t1.5", "a probability is not from 0 to 1"),
    "below 0": (f"{ROW}\t0.5\t-0.1", "a probability is not from 0 to 1"),
    "empty": (f"{ROW}\t\t0.5", "could not convert string to float"),
    "too few": (f"{ROW}\t0.5", "10 columns where the header has 11"),
    "too many": (f"{ROW}\t0.5\t0.5\t0.5", "12 columns where the header has 11"),
    "no start": (f"{ROW}\t0.5\t0.5".replace("5", "x", 1), "invalid literal for int()"),
    "no share": ("chr1\t5\t9\tg\t+\tG\tb\t.\t1\t0\t0", "could not convert string to float"),
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_row_is_an_error_with_its_line(what, suffix, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "AT_ONCE", 3)
    row, said = WRONG[what]
    scores = finished(tmp_path / "scores", [*random_rows(4), row, *random_rows(1)])
    with pytest.raises(InputError) as caught:
        convert.convert(scores, tmp_path / f"a{suffix}")
    assert f"scores.tsv.gz:6: {said}" in str(caught.value)
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == [scores]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("scored", [0, 3, 5])
def test_another_number_of_rows_than_recorded(scored, suffix, tmp_path):
    scores = finished(tmp_path / "scores", random_rows(4), scored)
    with pytest.raises(InputError, match=f"does not have the {scored} rows of run.json"):
        convert.convert(scores, tmp_path / f"a{suffix}")
    assert list(tmp_path.iterdir()) == [scores]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("#chrom\tstart\tend", "is not a table of scores"),
        (f"{HEAD}\tH3K4me3\tvector\tvector", "two columns vector"),
        (f"{HEAD}\tH3K4me3\tname", "two columns name"),
    ],
)
def test_a_table_of_something_else(columns, words, tmp_path):
    scores = finished(tmp_path / "scores", [])
    content = gzip.compress(f"{columns}\n".encode())
    record = (scores / "run.json").read_text()
    digest = json.loads(record)["outputs"]["scores.tsv.gz"]["sha256"]
    (scores / "scores.tsv.gz").write_bytes(content)
    (scores / "run.json").write_text(record.replace(digest, hashlib.sha256(content).hexdigest()))
    with pytest.raises(InputError, match=f"scores.tsv.gz:1: {words}"):
        convert.to_anndata(scores)


def test_a_mark_that_is_not_predicted_is_absent_and_says_why(tmp_path):
    pytest.importorskip("torch", reason="needs torch")
    from support.random_bundle import MARKS, REASON, stated_prediction

    scores = stated_prediction(tmp_path).folder
    data = convert.to_anndata(scores)
    assert list(data.var_names) == list(MARKS)
    assert np.isnan(data.X).all(axis=0).tolist() == [False, True, False]
    assert list(data.var["unpredicted"]) == ["", REASON, ""]
    np.testing.assert_array_equal(data.var["threshold"], [0.5, np.nan, np.nan])
    np.testing.assert_array_equal(data.var["precision"], [0.8, np.nan, np.nan])
    np.testing.assert_array_equal(data.var["recall"], [0.6, np.nan, np.nan])
    for suffix in SUFFIXES:
        convert.convert(scores, tmp_path / f"x{suffix}")
    read = anndata.read_h5ad(tmp_path / "x.h5ad")
    assert list(read.var["unpredicted"]) == ["", REASON, ""]
    table = parquet.read_table(tmp_path / "x.parquet")
    assert [table[name].null_count for name in MARKS] == [0, len(table), 0]
    stated = json.loads(table.schema.metadata[b"marks"])
    assert [mark["unpredicted"] for mark in stated] == ["", REASON, ""]


CALL = "chr0\t{at}\t{end}\t{name}|{mark}\t9\t+\t{at}\t{end}\t1,2,3\n"


def test_calls_are_a_layer(tmp_path):
    rows = [f"chr0\t{i}\t{i + 9}\tg{i}\t+\tG{i}\tlncRNA\t0.5\t1\t0.5\t0.5" for i in range(9)]
    wanted = [(2, "H3K4me3"), (2, "mine"), (8, "mine")]
    calls = "".join(CALL.format(at=i, end=i + 9, name=f"g{i}", mark=mark) for i, mark in wanted)
    data = convert.to_anndata(finished(tmp_path / "scores", rows, calls=calls))
    found = [
        (row, MARKS[column]) for row, column in zip(*data.layers["called"].nonzero(), strict=True)
    ]
    assert found == wanted
    assert data.layers["called"].dtype == bool


def test_a_call_of_no_row_is_an_error(tmp_path):
    calls = CALL.format(at=0, end=8, name="g0", mark="mine")
    folder = finished(tmp_path / "scores", random_rows(3), calls=calls)
    with pytest.raises(InputError, match=r"calls.bed.gz:1: a call of no row"):
        convert.to_anndata(folder)
