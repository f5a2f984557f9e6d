"""histpred convert on what predict and embed have really written, read back without histpred."""

from __future__ import annotations

import gzip
import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import histpred as package
from histpred.core.errors import InputError
from histpred.core.extras import how_to_install
from support import random_genome, write_bed, write_fasta
from support.command_line import COLUMNS, environment, histpred, read_scores, said_well, tree

REASON = "needs the extra anndata: HISTPRED_EXTRAS=anndata bin/test"
arrow = pytest.importorskip("pyarrow", reason=REASON)
anndata = pytest.importorskip("anndata", reason=REASON)
h5py = pytest.importorskip("h5py", reason=REASON)
parquet = pytest.importorskip("pyarrow.parquet", reason=REASON)

SUFFIXES = [".h5ad", ".parquet"]
SHARES = ["n_fraction", "known_fraction"]
CLASSES = {
    "H3K4me3": ("active promoter", "#dd2d35"),
    "H3K27ac": ("enhancer", "#ad6b00"),
    "H3K36me3": ("transcribed", "#369326"),
    "H3K27me3": ("repressed polycomb", "#727d87"),
}
NAMES = ["same", "same", "β", "a b", "NA", "x|y", "007", "same"]


def run(*arguments: str | Path) -> None:
    done = histpred(*arguments)
    assert (done.code, done.out) == (0, ""), done.err


def prediction(folder: Path, annotation: Path, genome: Path) -> tuple[Path, Path]:
    """A folder of predict, and the vectors of the same windows."""
    run("predict", annotation, genome, "-o", folder / "scores")
    bundle = ("--bundle", "human-promoter")
    store = ("--store", folder / "store")
    run("embed", annotation, genome, *bundle, *store, "-o", folder / "vectors.parquet")
    return folder / "scores", folder / "vectors.parquet"


@pytest.fixture(scope="module")
def genes(demo_data, tmp_path_factory) -> tuple[Path, Path]:
    genome = demo_data / "genome.fa.gz"
    return prediction(tmp_path_factory.mktemp("genes"), demo_data / "genes.gtf.gz", genome)


@pytest.fixture(scope="module")
def odd(tmp_path_factory) -> tuple[Path, Path]:
    """Rows with names that repeat or that other tools stumble over, and a row that is mostly N."""
    folder = tmp_path_factory.mktemp("odd")
    genome = random_genome(random.Random(3), {"chr1": 80_000})
    genome["chr2"] = "N" * 40_000
    write_fasta(folder / "genome.fa", genome)
    rows = [("chr1", 100 * i, 100 * i + 50, name, 0, "+") for i, name in enumerate(NAMES)]
    rows += [("chr1", 700, 750, "same", 0, "+"), ("chr2", 20_000, 20_100, "n", 0, "+")]
    return prediction(folder, write_bed(folder / "rows.bed", rows), folder / "genome.fa")


def read_vectors(path: Path) -> list[list[float]]:
    return parquet.read_table(path)["vector"].to_pylist()


@pytest.mark.parametrize("which", ["genes", "odd"])
def test_anndata_has_what_the_tables_have(which, request, tmp_path):
    folder, vectors = request.getfixturevalue(which)
    out = tmp_path / "a.h5ad"
    run("convert", folder, "--embeddings", vectors, "-o", out)
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5ad"]
    found, scores = anndata.read_h5ad(out), read_scores(folder / "scores.tsv.gz")
    assert found.X.dtype == np.float32
    expected = [[float(row[mark]) for mark in scores.marks] for row in scores.rows]
    assert np.array_equal(found.X, np.array(expected, np.float32))

    assert list(found.obs.columns) == list(COLUMNS)
    for column in COLUMNS:
        values = found.obs[column].tolist()
        types = {"start": int, "end": int} | dict.fromkeys(SHARES, float)
        number = types.get(column, str)
        assert values == [number(row[column]) for row in scores.rows]
    categories = {name for name in COLUMNS if found.obs[name].dtype.name == "category"}
    assert categories == {"chrom", "strand", "biotype"}
    assert found.obs_names.is_unique

    assert list(found.var_names) == scores.marks
    promises = ["threshold", "precision", "recall", "unpredicted"]
    assert list(found.var.columns) == ["mark_class", "colour", *promises]
    for mark in set(CLASSES) & set(scores.marks):
        assert tuple(found.var.loc[mark])[:2] == CLASSES[mark]
    identity = json.loads((folder / "run.json").read_text())["identity"]
    assert found.uns["histpred"]["FASTA sha256"] == identity["FASTA sha256"]
    assert json.loads(found.uns["histpred"]["window"]) == identity["window"]
    assert set(found.uns["histpred"]) == set(identity)

    embedding = found.obsm["embedding"]
    assert embedding.dtype == np.float32
    assert embedding.tolist() == read_vectors(vectors)
    calls = gzip.decompress((folder / "calls.bed.gz").read_bytes()).decode().splitlines()
    names = [line.split("\t")[3].rpartition("|")[2] for line in calls]
    assert list(found.layers) == ["called"]
    assert [scores.marks[column] for column in found.layers["called"].nonzero()[1]] == names
    assert found.layers["called"].dtype == bool


@pytest.mark.parametrize("which", ["genes", "odd"])
def test_parquet_has_what_the_tables_have(which, request, tmp_path):
    folder, vectors = request.getfixturevalue(which)
    out = tmp_path / "a.parquet"
    run("convert", folder, "--embeddings", vectors, "-o", out)
    found, scores = parquet.read_table(out), read_scores(folder / "scores.tsv.gz")
    assert found.column_names == [*COLUMNS, *scores.marks, "vector"]
    numbers = {"start": int, "end": int} | dict.fromkeys([*SHARES, *scores.marks], float)
    for column in found.column_names[:-1]:
        number = numbers.get(column, str)
        assert found[column].to_pylist() == [number(row[column]) for row in scores.rows]
    assert found.schema.field("vector").equals(parquet.read_schema(vectors).field("vector"))
    assert found["vector"].to_pylist() == read_vectors(vectors)
    identity = json.loads((folder / "run.json").read_text())["identity"]
    assert json.loads(found.schema.metadata[b"histpred"]) == identity


def test_without_embeddings(genes, tmp_path):
    for suffix in SUFFIXES:
        run("convert", genes[0], "-o", tmp_path / f"a{suffix}")
    assert not anndata.read_h5ad(tmp_path / "a.h5ad").obsm
    scores = read_scores(genes[0] / "scores.tsv.gz")
    assert parquet.read_schema(tmp_path / "a.parquet").names == [*COLUMNS, *scores.marks]


def test_the_index_is_the_names_where_they_are_alone(genes, odd, tmp_path):
    run("convert", genes[0], "-o", tmp_path / "genes.h5ad")
    found = anndata.read_h5ad(tmp_path / "genes.h5ad")
    assert found.obs_names.tolist() == found.obs["name"].tolist()

    run("convert", odd[0], "-o", tmp_path / "odd.h5ad")
    found = anndata.read_h5ad(tmp_path / "odd.h5ad")
    places = zip(*(found.obs[name] for name in COLUMNS[:5]), strict=True)
    expected = [
        f"same::{chrom}:{start}-{end}({strand})" if name == "same" else name
        for chrom, start, end, name, strand in places
    ]
    assert len(expected) == len(NAMES) + 1
    expected[-1] += "-2"
    assert found.obs_names.tolist() == expected


def test_tiles_with_the_vectors_of_their_table(demo_data, tmp_path):
    genome = demo_data / "genome.fa.gz"
    rows = write_bed(tmp_path / "part.bed", [("chr22", 20_200_000, 20_202_000, "part")])
    tiles, scores, vectors = (tmp_path / name for name in ("t.tsv", "scores", "v.parquet"))
    run("predict", rows, genome, "--tile", "200", "-o", scores)
    run("windows", rows, genome, "--tile", "200", "-o", tiles)
    store = ("--store", tmp_path / "store")
    run("embed", tiles, genome, "--bundle", "human-promoter", *store, "-o", vectors)
    run("convert", scores, "--embeddings", vectors, "-o", tmp_path / "a.h5ad")
    found = anndata.read_h5ad(tmp_path / "a.h5ad")
    assert found.shape == (10, 31)
    assert found.obs_names[1] == "part::chr22:20200200-20200400(.)"
    assert found.obsm["embedding"].tolist() == read_vectors(vectors)


def test_a_plain_reader_of_hdf5_finds_compressed_numbers(genes, tmp_path):
    run("convert", genes[0], "-o", tmp_path / "a.h5ad")
    with h5py.File(tmp_path / "a.h5ad") as file:
        assert file.attrs["encoding-type"] == "anndata"
        assert (file["X"].dtype, file["X"].compression) == (np.float32, "gzip")
        assert file["obs"].attrs["column-order"].tolist() == list(COLUMNS)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_prediction_gives_the_same_bytes(suffix, odd, tmp_path):
    for name in "ab":
        arguments = ["convert", str(odd[0]), "--embeddings", str(odd[1]), "-o", f"{name}{suffix}"]
        subprocess.run(
            [sys.executable, "-m", "histpred", *arguments],
            env=environment({"PYTHONHASHSEED": str(ord(name))}),
            cwd=tmp_path,
            check=True,
        )
    one, two = (tmp_path / f"{name}{suffix}" for name in "ab")
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_annotation_without_rows(suffix, demo_data, tmp_path):
    (tmp_path / "none.bed").write_text("")
    folder, vectors = prediction(tmp_path, tmp_path / "none.bed", demo_data / "genome.fa.gz")
    run("convert", folder, "--embeddings", vectors, "-o", tmp_path / f"a{suffix}")
    if suffix == ".h5ad":
        found = anndata.read_h5ad(tmp_path / "a.h5ad")
        assert (found.shape, found.obsm["embedding"].shape) == ((0, 8), (0, 2240))
    else:
        assert parquet.read_table(tmp_path / "a.parquet").shape == (0, len(COLUMNS) + 8 + 1)


def test_the_function_gives_what_the_file_has(odd, tmp_path):
    run("convert", odd[0], "--embeddings", odd[1], "-o", tmp_path / "a.h5ad")
    given, read = package.to_anndata(*odd), anndata.read_h5ad(tmp_path / "a.h5ad")
    assert np.array_equal(given.X, read.X)
    assert np.array_equal(given.obsm["embedding"], read.obsm["embedding"])
    assert given.obs.to_dict() == read.obs.to_dict()
    assert str(given.var.to_dict()) == str(read.var.to_dict())  # as text, NaN is itself
    assert given.uns == read.uns
    assert not package.to_anndata(str(odd[0])).obsm
    with pytest.raises(InputError, match="no finished output of histpred predict"):
        package.to_anndata(tmp_path)


# What is refused.


@pytest.mark.parametrize("name", ["a.csv", "a", "a.h5ad.gz", ".parquet"])
def test_a_file_of_another_name(name, genes, tmp_path):
    done = histpred("convert", genes[0], "-o", tmp_path / name)
    assert done.code == 2
    assert said_well(done.err)
    assert "name it FILE.h5ad or FILE.parquet" in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_existing_file_is_replaced_only_if_asked_for(suffix, genes, tmp_path):
    out = tmp_path / f"a{suffix}"
    out.write_text("mine")
    done = histpred("convert", genes[0], "-o", out)
    assert done.code == 1
    assert f"{out} exists" in done.err
    assert out.read_text() == "mine"
    run("convert", genes[0], "-o", out, "--overwrite")
    assert out.stat().st_size > 1000
    before = tree(tmp_path)
    done = histpred("convert", genes[0], "-o", out)
    assert done.code == 0
    assert f"{out} holds this output already: nothing to do" in done.err
    assert tree(tmp_path) == before
    assert list(tmp_path.iterdir()) == [out]


def test_the_embeddings_are_never_replaced(genes, tmp_path):
    vectors = tmp_path / "vectors.parquet"
    vectors.write_bytes(genes[1].read_bytes())
    before = tree(tmp_path)
    done = histpred("convert", genes[0], "--embeddings", vectors, "-o", vectors, "--overwrite")
    assert done.code == 1
    assert f"{vectors} is an input too" in done.err
    assert tree(tmp_path) == before


def test_no_prediction_is_refused(genes, demo_data, tmp_path):
    for folder in (tmp_path, demo_data, genes[1], tmp_path / "missing"):
        done = histpred("convert", folder, "-o", tmp_path / "a.parquet")
        assert done.code == 1
        assert said_well(done.err)
        assert (
            f"{folder}: no finished output of histpred predict: run.json cannot be read" in done.err
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_embeddings_of_other_windows_are_refused(suffix, genes, odd, tmp_path):
    done = histpred("convert", genes[0], "--embeddings", odd[1], "-o", tmp_path / f"a{suffix}")
    assert done.code == 1
    assert said_well(done.err)
    assert f"{odd[1]}: row 1 of 9 is " in done.err
    assert "; in the scores, row 1 of 28 is " in done.err
    assert not list(tmp_path.iterdir())


def altered(path: Path, target: Path, change) -> Path:
    parquet.write_table(change(parquet.read_table(path)), target)
    return target


def renamed(table):
    names = table["name"].to_pylist()
    names[17] = "other"
    return table.set_column(table.column_names.index("name"), "name", [names])


OTHERS = {
    "one missing at the end": (lambda table: table.slice(0, 27), "row 28 of 27 is missing"),
    "one missing": (lambda table: table.slice(1), "row 1 of 27 is "),
    "none": (lambda table: table.slice(0, 0), "row 1 of 0 is missing"),
    "one name": (renamed, "row 18 of 28 is other at chr22:"),
    "no vectors": (lambda table: table.drop_columns(["vector"]), "is not a table of windows and"),
    "other columns": (lambda table: table.select(["vector"]), "is not a table of windows and"),
    "vectors twice": (
        lambda table: table.append_column("vector", table["vector"]),
        "is not a table of windows and",
    ),
    "names twice": (
        lambda table: table.append_column("name", table["name"]),
        "is not a table of windows and",
    ),
    "lists": (
        lambda table: table.set_column(9, "vector", [table["vector"].to_pylist()]),
        "is not a table of windows and",
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_altered_embeddings_are_refused(what, genes, tmp_path):
    change, said = OTHERS[what]
    vectors = altered(genes[1], tmp_path / "other.parquet", change)
    done = histpred("convert", genes[0], "--embeddings", vectors, "-o", tmp_path / "a.parquet")
    assert done.code == 1
    assert said_well(done.err)
    assert f"{vectors}: {said}" in done.err
    assert list(tmp_path.iterdir()) == [vectors]


def test_one_row_too_many_is_refused(genes, tmp_path):
    vectors = altered(
        genes[1], tmp_path / "more.parquet", lambda table: arrow.concat_tables([table, table])
    )
    done = histpred("convert", genes[0], "--embeddings", vectors, "-o", tmp_path / "a.h5ad")
    assert done.code == 1
    assert f"{vectors}: row 29 of 56 is " in done.err
    assert "; in the scores, row 29 of 28 is missing" in done.err
    assert list(tmp_path.iterdir()) == [vectors]


@pytest.mark.parametrize("content", [None, b"", b"PAR1 and no more"], ids=["no", "empty", "broken"])
def test_embeddings_that_cannot_be_read(content, genes, tmp_path):
    vectors = tmp_path / "vectors.parquet"
    if content is not None:
        vectors.write_bytes(content)
    before = tree(tmp_path)
    done = histpred("convert", genes[0], "--embeddings", vectors, "-o", tmp_path / "a.h5ad")
    assert done.code == 1
    assert said_well(done.err)
    assert f"{vectors}: cannot be read: " in done.err
    assert tree(tmp_path) == before


def test_embeddings_with_a_damaged_page(genes, tmp_path):
    content = bytearray(genes[1].read_bytes())
    content[2_000:40_000] = bytes(38_000)
    (tmp_path / "vectors.parquet").write_bytes(content)
    before = tree(tmp_path)
    arguments = ("--embeddings", tmp_path / "vectors.parquet", "-o", tmp_path / "a.h5ad")
    done = histpred("convert", genes[0], *arguments)
    assert done.code == 1
    assert said_well(done.err)
    assert "vectors.parquet: cannot be read: " in done.err
    assert tree(tmp_path) == before


def test_what_is_not_installed_is_said_before_any_work(genes, tmp_path, monkeypatch):
    from importlib import util

    find = util.find_spec
    lacking = {"anndata"}
    monkeypatch.setattr(util, "find_spec", lambda name: None if name in lacking else find(name))
    done = histpred("convert", tmp_path, "-o", tmp_path / "a.h5ad")
    assert done.code == 2
    assert "this needs anndata, which is not installed" in done.err
    assert how_to_install("anndata") in done.err
    run("convert", genes[0], "-o", tmp_path / "a.parquet")

    lacking.add("pyarrow")
    done = histpred("convert", genes[0], "-o", tmp_path / "b.parquet")
    assert "this needs pyarrow, which" in done.err
    lacking.discard("anndata")
    run("convert", genes[0], "-o", tmp_path / "a.h5ad")
    done = histpred("convert", genes[0], "--embeddings", genes[1], "-o", tmp_path / "b.h5ad")
    assert "this needs pyarrow, which" in done.err


KILLED = """
import os, signal, sys
from histpred.cli import main
from histpred.commands.progress import Progress
Progress.__call__ = lambda *counts: os.kill(os.getpid(), int(sys.argv[1]))
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_killed_and_run_again(number, suffix, genes, tmp_path):
    out = tmp_path / f"a{suffix}"
    arguments = [str(int(number)), "convert", str(genes[0]), "-o", str(out)]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments],
        env=environment(),
        stderr=subprocess.DEVNULL,
        check=False,
    )
    assert killed.returncode == (130 if number == signal.SIGTERM else -number)
    assert not out.exists()
    assert number == signal.SIGKILL or not list(tmp_path.iterdir())
    run("convert", genes[0], "-o", out)
    assert list(tmp_path.iterdir()) == [out]
