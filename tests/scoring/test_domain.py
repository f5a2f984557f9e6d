"""Warnings of windows that lack what lies around them."""

from __future__ import annotations

import pytest

from histpred.genome.regions import Window
from histpred.genome.request import SEQUENCES
from histpred.genome.windows import row_of
from histpred.scoring.domain import EMBEDDED, Surroundings

WHOLE, HALF, BARE = b"ACGT" * 5, b"ACGT" * 5 + b"N" * 20, b"A" + b"N" * 39


def warnings(source: str, *sequences: bytes) -> list[str]:
    around = Surroundings(source)
    for number, sequence in enumerate(sequences):
        window = Window("chr1", 0, len(sequence), "+", f"w{number}", ".", ".", 1)
        around.add([row_of(window, sequence, 0.0)])
    return around.warnings()


@pytest.mark.parametrize(
    ("source", "sequences", "words"),
    [
        ("BED", (BARE, WHOLE), "1 window has less than half of the bases that are read for it: w0"),
        ("BED", (BARE, BARE), "2 windows have less than half of the bases that are read for them"),
        (SEQUENCES, (HALF, BARE), "1 sequence has less than half of the bases"),
    ],
)
def test_a_warning_counts_and_names_the_windows(source, sequences, words):
    (warning,) = warnings(source, *sequences)
    assert warning.startswith(words)
    assert ("lie outside the sequence" in warning) is (source == SEQUENCES)


def test_half_of_the_bases_is_enough():
    assert warnings("BED", WHOLE, HALF) == []


def test_a_run_without_scores_and_calls_says_neither():
    """embed warned of scores and of calls."""
    around = Surroundings("BED")
    window = Window("chr1", 0, len(BARE), "+", "w", ".", ".", 1)
    around.add([row_of(window, BARE, 0.0)])
    (warning,) = around.warnings(EMBEDDED)
    assert "these vectors tell little of the genome there; the column known_fraction" in warning
    assert "score" not in warning
    assert "call" not in warning
