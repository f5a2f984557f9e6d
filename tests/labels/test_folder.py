from __future__ import annotations

import csv
import hashlib
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas
import pytest

pytest.importorskip("matplotlib", reason="needs the extra labels")
pytest.importorskip("sklearn", reason="needs the extra labels")

from histpred import __version__
from histpred.core.errors import InputError, OutputError, TemporaryError, UsageError
from histpred.core.output import WORK, output_folder
from histpred.labels.folder import OUTPUTS, make_folder
from histpred.labels.matrix import LabelMatrix, read_labels
from histpred.reports.label_figures import draw_labels
from support.annotations import write
from support.command_line import tree

NAN = np.nan
MARKS = ("H2AFZ", "H3K122ac", "H3K9me3")
VALUES = [[1, 0, NAN], [1, NAN, NAN], [1, 0, NAN], [1, 1, NAN]]


def made(biotypes: str = "abba") -> LabelMatrix:
    """Four genes: all positive for H2AFZ, all unlabelled for H3K9me3."""
    genes = pandas.DataFrame(
        {
            "id": [f"gene{i}" for i in range(4)],
            "name": "x",
            "biotype": list(biotypes),
            "chrom": "chr1",
            "start": range(4),
            "end": range(10, 14),
            "strand": "+",
        }
    )
    unjoined = pandas.DataFrame({"rna": ["R1", "."], "reason": ["absent", "no mark"]})
    values = np.array(VALUES, np.float32)
    categories = pandas.DataFrame(
        {
            "category": ["lncRNA", "miRNA"],
            "entries": [6, 2],
            "share": [0.75, 0.25],
            "joined": [5, 0],
        }
    )
    return LabelMatrix(genes, MARKS, values, unjoined, {"genes": 4, "marks": 3}, categories)


@pytest.fixture
def made_at(tmp_path, monkeypatch) -> Callable[..., dict[str, int]]:
    """Runs make_folder on an input in the current folder, into 'out'."""
    monkeypatch.chdir(tmp_path)
    write(Path("table"), "one")

    def make(options=None, make=lambda work: made(), overwrite=False, inputs=("table",)):
        return make_folder(
            Path("out"), inputs, options or {"least": 0.5}, make, draw_labels, overwrite
        )

    return make


DIGEST = "[0-9a-f]{64}"


def table(name: str) -> list[list[str]]:
    return list(csv.reader((Path("out") / name).read_text().splitlines(), delimiter="\t"))


def test_the_files_of_a_folder(made_at):
    assert made_at() == {"genes": 4, "marks": 3}
    assert {path.name for path in Path("out").iterdir()} == set(OUTPUTS)
    assert table("categories.tsv") == [
        ["category", "entries", "share", "joined"],
        ["lncRNA", "6", "0.7500", "5"],
        ["miRNA", "2", "0.2500", "0"],
    ]
    labels = read_labels(Path("out"))
    assert (labels.ids, labels.marks) == (("gene0", "gene1", "gene2", "gene3"), MARKS)
    assert np.array_equal(labels.values, np.array(VALUES, np.float32), equal_nan=True)
    assert table("marks.tsv") == [
        ["mark", "class", "positives", "negatives", "unlabelled"],
        ["H2AFZ", "variant", "4", "0", "0"],
        ["H3K122ac", "acetylation", "1", "2", "1"],
        ["H3K9me3", "heterochromatin", "0", "0", "4"],
    ]
    assert table("biotypes.tsv") == [
        ["biotype", "genes", "share"],
        ["a", "2", "0.5000"],
        ["b", "2", "0.5000"],
    ]
    assert table("unjoined.tsv") == [["rna", "reason"], ["R1", "absent"], [".", "no mark"]]


def test_the_record(made_at):
    made_at({"least": 0.5, "species": ("a", "b"), "none": None})
    record = json.loads(Path("out/labels.json").read_text())
    assert record["histpred"] == __version__
    assert record["options"] == {"least": 0.5, "species": ["a", "b"], "none": None}
    assert record["inputs"] == {"table": hashlib.sha256(b"one").hexdigest()}
    assert record["counts"] == {"genes": 4, "marks": 3}
    assert record["outputs"] == {
        name: hashlib.sha256((Path("out") / name).read_bytes()).hexdigest()
        for name in OUTPUTS
        if name != "labels.json"
    }


def test_the_commonest_biotype_comes_first(made_at):
    made_at(make=lambda work: made("abbb"))
    assert table("biotypes.tsv")[1:] == [["b", "3", "0.7500"], ["a", "1", "0.2500"]]


def test_no_biotype_known(made_at):
    made_at(make=lambda work: made("...."))
    assert table("biotypes.tsv")[1:] == [[".", "4", "1.0000"]]
    missing = set(OUTPUTS) - {path.name for path in Path("out").iterdir()}
    assert missing == {"biotypes.png", "biotypes.svg"}
    made_at(overwrite=False, options={"least": 0.5})  # nothing is missing from it


def test_a_source_without_categories(made_at):
    made_at(make=lambda work: made()._replace(categories=None))
    missing = set(OUTPUTS) - {path.name for path in Path("out").iterdir()}
    assert missing == {"categories.tsv", "categories.png", "categories.svg"}


def never(work: Path) -> LabelMatrix:
    pytest.fail("made again")


def test_nothing_to_do(made_at, caplog):
    options = {"least": 0.5, "species": ("a", "b")}
    made_at(options)
    before = tree(Path("out"))
    (Path("out") / WORK).mkdir()  # of a run that was killed at its very end
    with caplog.at_level(logging.INFO):
        assert made_at(options, never) == {"genes": 4, "marks": 3}
    assert "nothing to do" in caplog.text
    assert tree(Path("out")) == before


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"least": 0.6, "other": 1}, "options least (0.5 -> 0.6)"),
        (
            {"least": 0.5, "other": 2, "new": 1},
            "options other (1 -> 2); options new (None -> 1)",
        ),
        ({"least": 1, "other": 2}, "options least (0.5 -> 1); options other (1 -> 2)"),
    ],
)
def test_what_differs_is_named(options, named, made_at):
    made_at({"least": 0.5, "other": 1})
    with pytest.raises(OutputError, match=f"what differs: {re.escape(named)}\n"):
        made_at(options, never)


def test_changed_and_further_inputs(made_at):
    made_at()
    write(Path("further"), "two")
    with pytest.raises(OutputError, match=rf"inputs further \(None -> {DIGEST}\)\n"):
        made_at(make=never, inputs=("table", "further"))
    write(Path("table"), "two")
    with pytest.raises(OutputError, match=rf"inputs table \({DIGEST} -> {DIGEST}"):
        made_at(make=never)


def test_damage_is_noticed(made_at):
    made_at()
    write(Path("out/marks.tsv"), "")
    Path("out/biotypes.svg").unlink()
    with pytest.raises(OutputError, match=r"altered since: marks\.tsv, biotypes\.svg\n"):
        made_at(make=never)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"counts": 1}', '"counts"', "\0"])
def test_a_record_of_something_else(content, made_at):
    write(Path("out.json"), content)
    Path("out").mkdir()
    Path("out.json").rename("out/labels.json")
    with pytest.raises(OutputError, match="not an output of histpred"):
        made_at(make=never, overwrite=True)
    assert Path("out/labels.json").read_text() == content


def fail(work: Path) -> LabelMatrix:
    write(work / "labels.tsv.gz", "half")
    raise InputError("table", "is wrong", "mend it")


def test_a_failure_leaves_nothing(made_at):
    with pytest.raises(InputError, match="is wrong"):
        made_at(make=fail)
    assert not Path("out").exists()


def test_a_failure_leaves_what_was_there(made_at):
    made_at()
    before = tree(Path("out"))
    with pytest.raises(InputError, match="is wrong"):
        made_at(make=fail, overwrite=True)
    assert tree(Path("out")) == before


def test_a_full_disk_is_temporary(made_at):
    def full(work: Path) -> LabelMatrix:
        raise OSError(28, "No space left on device")

    with pytest.raises(TemporaryError, match="the disk is full"):
        made_at(make=full)
    assert not Path("out").exists()


def test_what_the_source_leaves_in_its_private_folder_stays_private(made_at):
    def untidy(work: Path) -> LabelMatrix:
        write(work / "regions.bed", "chr1")
        return made()

    made_at(make=untidy)
    assert {path.name for path in Path("out").iterdir()} == set(OUTPUTS)


def test_a_folder_in_use(made_at):
    with (
        output_folder(Path("out"), OUTPUTS, lambda path: False),
        pytest.raises(OutputError, match="is being written by another histpred"),
    ):
        made_at(make=never)


def test_an_input_that_would_be_replaced(made_at):
    made_at()
    with pytest.raises(OutputError, match=r"marks\.tsv is an input too"):
        made_at(make=never, inputs=("out/marks.tsv",), overwrite=True)


def test_inputs_that_can_be_read_once_only(made_at):
    with pytest.raises(UsageError, match=r"standard input can be read only once"):
        made_at(make=never, inputs=("table", "-"))
    assert not Path("out").exists()


def test_an_input_that_is_not_there(made_at):
    with pytest.raises(InputError, match="absent: cannot be read: No such file"):
        made_at(make=never, inputs=("table", "absent"))
    assert not Path("out").exists()
