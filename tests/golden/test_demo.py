"""The demo's prediction, number by number.

It changes with the shipped bundle and with nothing else. After a change that is meant, make the
golden files anew and look at the difference, which this shows:

    HISTPRED_REGENERATE=1 bin/test -n 0 tests/golden
"""

from __future__ import annotations

import difflib
import gzip
import os
from itertools import islice
from pathlib import Path

import pytest

from histpred.bundle import folder
from support.command_line import histpred

HERE = Path(__file__).parent
REGENERATE = os.environ.get("HISTPRED_REGENERATE") == "1"
ROWS = 20
TOLERANCES = {"scores.tsv": 1e-4, "calls.bed": 1}  # a call's score is a whole number up to 1000
REMEDY = "if that is meant: HISTPRED_REGENERATE=1 bin/test -n 0 tests/golden"


@pytest.fixture(scope="module")
def out(demo_data, tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("demo") / "out"
    done = histpred("predict", demo_data / "genes.gtf.gz", demo_data / "genome.fa.gz", "-o", made)
    assert done.code == 0, done.err
    return made


def number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


@pytest.mark.parametrize("name", TOLERANCES)
def test_the_first_rows(name, out, capsys):
    with gzip.open(out / f"{name}.gz", "rt", encoding="utf-8") as lines:
        found = list(islice(lines, ROWS))
    golden = HERE / f"demo.{name}"
    if REGENERATE:
        before = golden.read_text().splitlines(True) if golden.exists() else []
        golden.write_text("".join(found))
        with capsys.disabled():
            print("\n" + "".join(difflib.unified_diff(before, found, "before", "now", n=0)))

    expected = golden.read_text().splitlines(True)
    assert len(found) == len(expected), REMEDY
    for line, (left, right) in enumerate(zip(found, expected, strict=True), 1):
        for column, (ours, theirs) in enumerate(
            zip(left.split("\t"), right.split("\t"), strict=True), 1
        ):
            where = f"{golden.name}:{line}, column {column}: {REMEDY}"
            if column < 4 or number(theirs) is None:
                assert ours == theirs, where
            else:
                assert float(ours) == pytest.approx(float(theirs), abs=TOLERANCES[name]), where


def test_the_demo_says_what_calls_of_its_bundle_promise(tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="needs torch")
    from support.random_bundle import stated_bundle

    monkeypatch.setattr(folder, "SHIPPED", tmp_path)
    stated_bundle(tmp_path / "human-promoter")
    done = histpred("demo", "-o", tmp_path / "out")
    assert done.code == 0, done.err
    assert (
        "\nWhat a call of each mark promises:\n"
        "  H3K27ac: called from 0.5, expected precision 0.80, recall 0.60\n"
        "  H3K27me3: NA, not predicted: too few genes carry it\n"
        "  H3K4me3: never called: no threshold reaches a precision of 0.8\n"
    ) in done.out
    assert "It was trained on nothing.\n" in done.err
