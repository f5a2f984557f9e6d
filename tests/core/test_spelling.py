"""What an unknown name may mean."""

from __future__ import annotations

import pytest

from histpred.core.spelling import did_you_mean, nearest
from support.command_line import histpred

MARKS = ["H2AFZ", "H3K27ac", "H3K27me3", "H3K4me1", "H3K4me3", "H3K9me3"]


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("human-promotor", ["human-promoter", "yeast"], ["human-promoter"]),
        ("H3K4me", MARKS, ["H3K4me1", "H3K4me3"]),
        ("h3k27AC", MARKS, ["H3K27ac"]),
        ("chromosme", ["random", "chromosome", "block", "locus"], ["chromosome"]),
        ("mouse", ["human-promoter", "yeast"], []),
        ("", MARKS, []),
        ("x", [], []),
    ],
)
def test_the_nearest_names(name: str, known: list[str], expected: list[str]) -> None:
    assert nearest(name, known) == expected


def test_at_most_three_are_offered() -> None:
    names = [f"sample{number}" for number in range(9)]
    assert len(nearest("sample", names)) == 3
    assert did_you_mean(["sample", "sample7x"], names).count(" or ") == 2


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["predcit"], "did you mean predict?"),
        (["bundle", "shwo"], "did you mean show?"),
        (["bundle", "show", "human-promotor"], "did you mean human-promoter?"),
        (["encoders", "get", "dnabrt2"], "did you mean dnabert2"),
        (["help", "predit"], "did you mean predict?"),
    ],
    ids=" ".join,
)
def test_the_command_line_offers_them(arguments: list[str], meant: str) -> None:
    done = histpred(*arguments)
    assert done.code in (1, 2)
    assert meant in done.err


@pytest.mark.parametrize(
    ("option", "value", "meant"),
    [
        ("--bundle", "yaest", "did you mean yeast?"),
        ("--marks", "H3K4me", "did you mean H3K4me1 or H3K4me3?"),
        ("--biotype", "lncRNAs", "did you mean lncRNA or ncRNA?"),
    ],
)
def test_predict_offers_them(option, value, meant, demo_data, tmp_path) -> None:
    files = demo_data / "genes.gtf.gz", demo_data / "genome.fa.gz"
    done = histpred("predict", *files, option, value, "-o", tmp_path / "out")
    assert done.code in (1, 2)
    assert meant in done.err


def test_a_biotype_that_one_of_several_rows_lacks_is_compared_too(demo_data, tmp_path) -> None:
    files = demo_data / "genes.gtf.gz", demo_data / "genome.fa.gz"
    chosen = ("--biotype", "lncRNA,protein_codin")
    done = histpred("windows", *files, *chosen, "-o", tmp_path / "windows.bed")
    assert "no row has the biotype protein_codin: did you mean protein_coding?" in done.err


def test_a_file_in_place_of_a_verb_is_one_to_predict(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "genes.bed").write_text("")
    done = histpred("genes.bed", "genome.fa", "-o", "out")
    assert done.code == 2
    assert "it is a file: histpred predict genes.bed genome.fa -o out" in done.err
