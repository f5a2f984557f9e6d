"""`histpred.predict` and `histpred.windows`: paths or DataFrames in, DataFrames out."""

from __future__ import annotations

import gzip
import inspect
import json
import logging
import os
import random
import tempfile
from pathlib import Path

import pandas
import pytest

import histpred
from histpred import verbs
from histpred.api import PredictOptions
from histpred.bundle.folder import load_bundle
from histpred.core.cores import usable_cores
from histpred.core.errors import HistpredError, InputError, OutputError, UsageError
from histpred.scoring.frames import labels_table
from support import random_bed_rows, random_genome, random_transcripts, write_fasta, write_gtf
from support.command_line import COLUMNS, FILES, ROOT, read_scores
from support.command_line import histpred as command_line

MARKS = list(load_bundle().manifest.mark_names)
BED = ["chrom", "start", "end", "name", "score", "strand"]


@pytest.fixture
def inputs(tmp_path, monkeypatch) -> Path:
    """rows.bed and genes.gtf on genome.fa; temporary files would go to `scratch`."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    logging.getLogger("histpred").handlers[:] = [logging.NullHandler()]
    rng = random.Random(6)
    genome = random_genome(rng, {"chr1": 20_000, "chr2": 5_000})
    write_fasta(tmp_path / "genome.fa", genome)
    write_gtf(tmp_path / "genes.gtf", random_transcripts(rng, genome, 20))
    frame(random_bed_rows(rng, genome, 50)).to_csv(
        tmp_path / "rows.bed", sep="\t", header=False, index=False
    )
    return tmp_path


def frame(rows: list[tuple]) -> pandas.DataFrame:
    return pandas.DataFrame(rows, columns=BED[: len(rows[0])])


@pytest.fixture
def rows(inputs) -> pandas.DataFrame:
    return pandas.read_csv(inputs / "rows.bed", sep="\t", names=BED)


def test_predict_gives_what_the_command_line_writes(inputs):
    table = histpred.predict(inputs / "rows.bed", inputs / "genome.fa")
    assert list(table.columns) == [*COLUMNS, *MARKS]
    arguments = (inputs / "rows.bed", inputs / "genome.fa", "-o", inputs / "out", "-q")
    assert command_line("predict", *arguments).code == 0
    written = read_scores(inputs / "out" / "scores.tsv.gz").rows
    assert table["name"].tolist() == [row["name"] for row in written]
    for mark in MARKS:
        assert table[mark].tolist() == [float(row[mark]) for row in written]
        assert table[mark].between(0, 1).all()


def test_nothing_is_kept_unless_a_folder_is_named(inputs):
    before = sorted(inputs.rglob("*"))
    histpred.predict(inputs / "rows.bed", inputs / "genome.fa")
    histpred.windows(inputs / "rows.bed", inputs / "genome.fa")
    assert sorted(inputs.rglob("*")) == before
    kept = histpred.predict(inputs / "rows.bed", inputs / "genome.fa", inputs / "out")
    assert {path.name for path in (inputs / "out").iterdir()} == FILES
    again = histpred.predict(inputs / "rows.bed", inputs / "genome.fa", inputs / "out")
    pandas.testing.assert_frame_equal(kept, again)


def test_sequences_are_scored_as_the_command_line_does(inputs):
    sequences = {"one": "ACGTTGCA" * 900, "two": "GGCCUUAA" * 700}
    found = histpred.predict(sequences)
    fasta = inputs / "sequences.fa"
    fasta.write_text("".join(f">{name}\n{one}\n" for name, one in sequences.items()))
    pandas.testing.assert_frame_equal(histpred.predict(fasta), found)
    done = command_line("predict", fasta, "--sequences", "-o", inputs / "scored")
    assert done.code == 0, done.err
    rows = read_scores(inputs / "scored" / "scores.tsv.gz").rows
    assert found["name"].tolist() == [row["name"] for row in rows] == ["one", "two"]
    assert found["H3K4me3"].tolist() == [float(row["H3K4me3"]) for row in rows]
    assert not list((inputs / "scratch").iterdir())


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({}, "no sequences were given"),
        ({"a b": "ACGT"}, "a sequence is called 'a b'"),
        ({"": "ACGT"}, "a sequence is called ''"),
        ({"a": ""}, "a is no sequence"),
        ({"a": "AC GT"}, "a is no sequence"),
        ({"a": "ACGJ"}, "<sequences>: contig 'a' holds 'J'"),
        (["chr1:5,001-6,000"], "no genome was given"),
        ("chr1:5,001-6,000", "no genome was given"),
        (3, "no genome was given"),
    ],
)
def test_what_are_no_sequences_is_refused(given, what):
    with pytest.raises(HistpredError, match=what):
        histpred.predict(given)


def test_a_list_of_regions_is_scored_as_the_command_line_does(inputs):
    regions = ["chr1:5,001-6,000", "chr2:100-200:-"]
    table = histpred.predict(regions, inputs / "genome.fa", inputs / "listed")
    assert table["start"].tolist() == [5000, 99]
    assert table["strand"].tolist() == [".", "-"]
    done = command_line("predict", *regions, inputs / "genome.fa", "-o", inputs / "listed")
    assert "nothing to do" in done.err
    one = histpred.windows("chr1:5,001-6,000", inputs / "genome.fa")
    assert one["name"].tolist() == ["chr1:5001-6000"]
    tiles = histpred.predict(["chr2"], inputs / "genome.fa", tile=1000)
    whole = histpred.predict("chr2", inputs / "genome.fa", tile=1000)
    assert tiles["start"].tolist() == whole["start"].tolist() == [*range(0, 5000, 1000)]
    with pytest.raises(UsageError, match="chr2 is a whole contig"):
        histpred.predict(["chr2"], inputs / "genome.fa")
    for other in ("LINC1", "rows.bed"):
        with pytest.raises(UsageError, match=f"not a region: '{other}'(?s:.*)genes="):
            histpred.predict([other], inputs / "genome.fa")


def test_genes_are_chosen_by_name(inputs, rows):
    name = rows["name"].iloc[0]
    for genes in (name, [name, "nothing"]):
        table = histpred.windows(inputs / "rows.bed", inputs / "genome.fa", genes=genes)
        assert set(table["name"]) == {name}
        scores = histpred.predict(inputs / "rows.bed", inputs / "genome.fa", genes=genes)
        assert scores["start"].tolist() == table["start"].tolist()


def test_threads_are_limited_for_the_call_and_scores_do_not_change(inputs, monkeypatch):
    seen = []

    def stage(*arguments):
        seen.append(usable_cores())
        return predict(*arguments)

    predict = verbs.predict
    monkeypatch.setattr(verbs, "predict", stage)
    rows, fasta, before = inputs / "rows.bed", inputs / "genome.fa", usable_cores()
    limited = histpred.predict(rows, fasta, threads=1)
    pandas.testing.assert_frame_equal(limited, histpred.predict(rows, fasta, threads=7))
    assert seen == [1, 7]
    assert usable_cores() == before
    for verb in (histpred.predict, histpred.embed, histpred.evaluate, histpred.train):
        assert inspect.signature(verb).parameters["threads"].default is None
    with pytest.raises(UsageError, match="threads=0"):
        histpred.predict(rows, fasta, threads=0)


def test_embeddings_of_regions_and_of_genes_are_those_of_their_rows(inputs, rows):
    pytest.importorskip("pyarrow", reason="a store needs pyarrow")
    fasta, encoder = inputs / "genome.fa", {"encoder": "kmer"}
    regions = ["chr1:5,001-6,000", "chr2:100-200:-"]
    table, vectors = histpred.embed(regions, fasta, **encoder)
    as_rows = frame([("chr1", 5000, 6000, "a", 0, "+"), ("chr2", 99, 200, "b", 0, "-")])
    expected = histpred.embed(as_rows, fasta, window="interval", **encoder)
    assert table["name"].tolist() == ["chr1:5001-6000", "chr2:100-200"]
    assert (vectors == expected[1]).all()
    name = rows["name"].iloc[0]
    table, _ = histpred.embed(inputs / "rows.bed", fasta, genes=[name], **encoder)
    assert set(table["name"]) == {name}
    bundled, _ = histpred.embed(regions, fasta, bundle="human-promoter", threads=1)
    expected = histpred.windows(regions, fasta)
    pandas.testing.assert_frame_equal(bundled, expected)


def test_explain_gives_what_the_command_line_writes(inputs):
    options = ("--genes", "G1,G2", "--bases", "chr1:5000-5003", "--marks", "H3K4me3,H3K9me3")
    arguments = (inputs / "genes.gtf", inputs / "genome.fa")
    assert command_line("explain", *arguments, *options, "-o", inputs / "explained").code == 0
    marks = ["H3K4me3", "H3K9me3"]
    found, effects = histpred.explain(
        *arguments, genes=["G1", "G2"], bases="chr1:5,000-5,003", marks=marks
    )
    for table, name in ((found, "contributions.tsv.gz"), (effects, "bases.tsv.gz")):
        written = pandas.read_csv(inputs / "explained" / name, sep="\t", skiprows=1)
        written = written.rename(columns={"#chrom": "chrom"})
        pandas.testing.assert_frame_equal(table, written, check_dtype=False)
        assert len(table)
    assert found.attrs["scales"] == dict.fromkeys(marks, "calibrated")
    assert {window["name"] for window in found.attrs["windows"]} == {"G1", "G2"}
    alone = histpred.explain(*arguments, genes=["G1", "G2"], marks=marks)
    pandas.testing.assert_frame_equal(alone, found)


def test_windows_are_those_of_predict(inputs):
    for annotation, options in (
        ("rows.bed", {"window": "interval"}),
        ("rows.bed", {}),
        ("genes.gtf", {"biotypes": ["lncRNA"], "by": "transcript"}),
        ("genes.gtf", {"window": "spliced"}),
    ):
        arguments = (inputs / annotation, inputs / "genome.fa")
        windows = histpred.windows(*arguments, **options)
        scores = histpred.predict(*arguments, **options)
        assert list(windows.columns) == list(COLUMNS)
        pandas.testing.assert_frame_equal(windows, scores[list(COLUMNS)])


def test_a_data_frame_is_as_good_as_a_file(inputs, rows):
    from_file = histpred.predict(inputs / "rows.bed", inputs / "genome.fa")
    pandas.testing.assert_frame_equal(histpred.predict(rows, inputs / "genome.fa"), from_file)
    windows = histpred.windows(inputs / "rows.bed", inputs / "genome.fa")
    pandas.testing.assert_frame_equal(histpred.windows(rows, inputs / "genome.fa"), windows)


def test_three_columns_are_enough_for_intervals(inputs, rows):
    table = histpred.windows(rows[BED[:3]], inputs / "genome.fa", window="interval")
    assert len(table) == len(rows)
    assert set(table["strand"]) == {"."}


NAMES = ["NA", "nan", "1e5", "007", "None", "a b", "β", 'a"b', '"a"', "a,b"]


def test_names_come_back_as_they_were(inputs):
    given = frame([("chr1", 10 * i, 500 + 10 * i, name, 0, "+") for i, name in enumerate(NAMES)])
    table = histpred.windows(given, inputs / "genome.fa", window="body")
    assert table["name"].tolist() == NAMES


def test_a_second_frame_has_the_calls_of_the_file(inputs, rows):
    rows.loc[3, "name"] = "a name ü"
    scores, calls = histpred.predict(rows, inputs / "genome.fa", inputs / "out", calls=True)
    pandas.testing.assert_frame_equal(scores, histpred.predict(rows, inputs / "genome.fa"))
    written = gzip.decompress((inputs / "out" / "calls.bed.gz").read_bytes()).decode().splitlines()
    fields = [line.split("\t") for line in written]
    found = calls.assign(name=calls["name"].str.replace("[ ü]", "_", regex=True))
    assert (found["name"] + "|" + found["mark"]).tolist() == [each[3] for each in fields]
    assert found["start"].tolist() == [int(each[1]) for each in fields]
    scored = [int(each[4]) / 1000 for each in fields]
    assert found["probability"].tolist() == pytest.approx(scored, abs=6e-4)
    assert len(calls) > 10
    assert list(calls.columns) == [*COLUMNS[:7], "mark", "probability"]


def test_attributes_say_what_the_scores_are_and_survive_parquet(inputs, rows):
    arrow = pytest.importorskip("pyarrow", reason="needs pyarrow")
    assert arrow
    scores, calls = histpred.predict(rows, inputs / "genome.fa", calls=True)
    manifest = load_bundle().manifest
    known = scores.attrs
    assert known["bundle"].startswith(f"{manifest.name} {manifest.version} ")
    called = {mark.name: mark.threshold for mark in manifest.marks if mark.threshold < 1}
    assert {name: at for name, at in known["thresholds"].items() if at is not None} == called
    assert known["promises"].keys() == known["thresholds"].keys()
    assert all(each.keys() == {"precision", "recall"} for each in known["promises"].values())
    assert known["unpredicted"] == {}
    assert any("less than half" in warning for warning in known["warnings"])
    assert known["first_words"]
    assert calls.attrs == known
    scores.to_parquet(inputs / "scores.parquet")
    assert pandas.read_parquet(inputs / "scores.parquet").attrs == known
    assert json.loads(json.dumps(known)) == known


def test_a_mark_that_is_not_predicted_has_no_calls_and_a_reason(tmp_path):
    pytest.importorskip("torch", reason="needs torch")
    from support.random_bundle import REASON, stated_prediction

    made = stated_prediction(tmp_path)
    arguments = (tmp_path / "rows.bed", made.fasta)
    scores, calls = histpred.predict(*arguments, bundle=made.bundle, calls=True)
    assert scores["H3K27me3"].isna().all()
    assert scores.attrs["unpredicted"] == {"H3K27me3": REASON}
    assert scores.attrs["thresholds"] == {"H3K27ac": 0.5, "H3K4me3": None}
    assert scores.attrs["promises"]["H3K27ac"] == {"precision": 0.8, "recall": 0.6}
    assert scores.attrs["first_words"][-1] == "It was trained on nothing."
    assert set(calls["mark"]) <= {"H3K27ac"}


def test_the_options_of_the_overloads_are_those_of_predict():
    options = set(inspect.signature(histpred.predict).parameters)
    assert options == {"annotation", "fasta", "out", "calls", *PredictOptions.__annotations__}


@pytest.mark.slow
def test_type_checkers_know_what_predict_returns(tmp_path, monkeypatch):
    """With the settings and the cache of the checkout, as its own check of types has them."""
    mypy = pytest.importorskip("mypy.api", reason="needs mypy")
    monkeypatch.chdir(ROOT)
    (tmp_path / "use.py").write_text(
        "import histpred\n"
        "reveal_type(histpred.predict('a', 'b'))\n"
        "reveal_type(histpred.predict('a', 'b', calls=True, tile=200))\n"
        "histpred.predict('a', 'b', tiles=200)\n"
    )
    said, _, _ = mypy.run([str(tmp_path / "use.py")])
    first, second, third, *_ = [
        line for line in said.splitlines() if "note:" in line or "error" in line
    ]
    assert "tuple[" not in first
    assert "tuple[" in second
    assert "tiles" in third or "No overload" in third


def test_columns_have_their_types(inputs, rows):
    table = histpred.predict(rows, inputs / "genome.fa")
    assert table["start"].dtype == table["end"].dtype == "int64"
    assert all(
        table[column].dtype == "float64" for column in ["n_fraction", "known_fraction", *MARKS]
    )
    assert all(isinstance(value, str) for value in table["name"])


def test_a_frame_without_rows(inputs, rows):
    table = histpred.predict(rows[:0], inputs / "genome.fa")
    assert list(table.columns) == [*COLUMNS, *MARKS]
    assert len(table) == 0
    assert table[MARKS[0]].dtype == "float64"


FAULTS = {
    "float start": lambda rows: rows.assign(start=rows["start"] + 0.5),
    "missing strand": lambda rows: rows.assign(strand=None),
    "start after end": lambda rows: rows.assign(start=rows["end"] + 1),
    "no strand": lambda rows: rows.assign(strand="."),
    "unknown contigs": lambda rows: rows.assign(chrom="chrZ"),
    "columns in another order": lambda rows: rows[["name", "chrom", "start", "end"]],
    "two columns": lambda rows: rows[["chrom", "start"]],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_frame_is_refused(fault, inputs, rows):
    before = sorted(inputs.rglob("*"))
    with pytest.raises(InputError) as caught:
        histpred.predict(FAULTS[fault](rows), inputs / "genome.fa")
    assert caught.value.hint
    assert sorted(inputs.rglob("*")) == before


def test_what_is_wrong_with_a_frame_is_not_looked_for_in_a_file_that_is_gone(inputs, rows):
    with pytest.raises(InputError) as caught:
        histpred.windows(FAULTS["start after end"](rows), inputs / "genome.fa")
    assert "scratch" not in str(caught.value)


def test_errors_are_histpreds_own(inputs):
    rows, fasta = inputs / "rows.bed", inputs / "genome.fa"
    for error, call in (
        (InputError, lambda: histpred.predict(inputs / "no.bed", fasta)),
        (InputError, lambda: histpred.windows(rows, inputs / "no.fa")),
        (UsageError, lambda: histpred.predict(rows, fasta, biotypes=["miRNA"])),
        (UsageError, lambda: histpred.predict(rows, fasta, device="tpu")),
        (HistpredError, lambda: histpred.predict(rows, fasta, bundle=inputs / "none")),
        (OutputError, lambda: histpred.predict(rows, fasta, rows)),
    ):
        with pytest.raises(error):
            call()


@pytest.mark.parametrize("option", [{"window": "gene"}, {"by": "exon"}, {"biotypes": "miRN"}])
def test_an_option_that_the_command_line_would_refuse_is_refused(option, inputs):
    with pytest.raises(UsageError):
        histpred.windows(inputs / "genes.gtf", inputs / "genome.fa", **option)


def test_overwrite(inputs, rows):
    histpred.predict(rows, inputs / "genome.fa", inputs / "out")
    with pytest.raises(OutputError, match="annotation sha256"):
        histpred.predict(rows[:5], inputs / "genome.fa", inputs / "out")
    table = histpred.predict(rows[:5], inputs / "genome.fa", inputs / "out", overwrite=True)
    assert len(table) == 5


def test_paths_may_be_text(inputs):
    table = histpred.windows(os.fspath(inputs / "rows.bed"), os.fspath(inputs / "genome.fa"))
    assert len(table) > 50


def test_the_package_offers_what_it_says():
    verbs = {"embed", "evaluate", "experiment", "explain", "predict"}
    verbs |= {"to_anndata", "train", "variants", "windows"}
    assert set(histpred.__all__) == verbs | {"__version__"}
    assert dir(histpred) == sorted(histpred.__all__)
    assert all(callable(getattr(histpred, verb)) for verb in verbs)
    with pytest.raises(AttributeError, match="no attribute 'train_everything'"):
        _ = histpred.train_everything


@pytest.mark.parametrize("name", ["a\tb", "a\nb", "a\rb"])
def test_a_name_that_breaks_the_row_of_a_dataframe_is_refused(inputs, rows, name):
    rows.loc[3, "name"] = name
    with pytest.raises(InputError, match="<DataFrame>: row 3, column 'name' holds 'a") as caught:
        histpred.windows(rows, inputs / "genome.fa", window="body")
    assert "replace tabs" in caught.value.hint


@pytest.mark.parametrize("contig", ["#1", "track", "browser", "chr1\t"])
def test_a_row_of_a_dataframe_is_never_lost_as_a_comment(inputs, rows, contig):
    rows.loc[0, "chrom"] = contig
    with pytest.raises(InputError, match="<DataFrame>: row 0, column 'chrom' holds "):
        histpred.windows(rows, inputs / "genome.fa", window="body")


@pytest.mark.parametrize("name", ['a"b', "a'b", "a\\b", "#1", "track", "=1+1"])
def test_other_names_of_a_dataframe_are_kept(inputs, rows, name):
    rows = rows.astype({"chrom": "category"})
    rows.loc[3, "name"] = name
    table = histpred.windows(rows, inputs / "genome.fa", window="body")
    assert (table["name"] == name).sum() == 1
    assert len(table) == len(rows)


@pytest.mark.parametrize("given", [[3], None, 3, b"rows.bed", {"chrom": ["chr1"]}])
def test_what_is_no_path_and_no_dataframe_is_refused(inputs, given):
    kind = type(given).__name__
    with pytest.raises(UsageError, match=f"annotation is a {kind}"):
        histpred.windows(given, inputs / "genome.fa")
    with pytest.raises(UsageError, match=f"fasta is a {kind}"):
        histpred.windows(inputs / "rows.bed", given)
    with pytest.raises(UsageError, match=f"labels is a {kind}"):
        histpred.train(inputs / "rows.bed", inputs / "genome.fa", given, inputs / "out")


def test_labels_of_a_dataframe_are_written_as_they_are(tmp_path):
    labels = pandas.DataFrame({"gene": ['a"b', "c"], "H3K4me3": [1.0, None]})
    with labels_table(labels) as path:
        assert path.read_text() == 'gene\tH3K4me3\na"b\t1.0\nc\t\n'
    for broken in (labels.replace("c", "c\td"), labels.rename(columns={"H3K4me3": "a\nb"})):
        with pytest.raises(InputError, match="<DataFrame>: "), labels_table(broken):
            pass
