from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histpred.core.sequence import clean, count_n, n_fraction, reverse_complement

IUPAC = [bytes([code]) for code in b"NRYSWKMBDHV"]
DNA = st.text("ACGTN").map(str.encode)


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        (b"", b""),
        (b"acgtn", b"ACGTN"),
        (b"ACGTN", b"ACGTN"),
        (b"RYSWKMBDHV", b"NNNNNNNNNN"),
        (b"ryswkmbdhv", b"NNNNNNNNNN"),
        (b"AuX*-. ", b"A??????"),
    ],
)
def test_clean(raw, cleaned):
    assert clean(raw) == cleaned


def test_every_letter_is_a_base_an_unknown_base_or_foreign():
    letters = bytes(range(256))
    cleaned = dict(zip(letters, clean(letters), strict=True))
    for letter, found in cleaned.items():
        upper = bytes([letter]).upper()
        expected = upper if upper in (b"A", b"C", b"G", b"T") else b"?"
        assert bytes([found]) == (b"N" if upper in IUPAC else expected)


@given(DNA)
def test_the_reverse_complement_of_the_reverse_complement_is_the_sequence(sequence):
    other = reverse_complement(sequence)
    assert reverse_complement(other) == sequence
    pairs = dict(zip(b"ACGTN", b"TGCAN", strict=True))
    assert list(other) == [pairs[base] for base in reversed(sequence)]


@pytest.mark.parametrize(
    ("sequence", "share"), [(b"ACGT", 0), (b"ACNN", 0.5), (b"NNN", 1), (b"", 1)]
)
def test_n_fraction(sequence, share):
    assert n_fraction(sequence) == share


@given(DNA)
def test_n_are_counted(sequence):
    assert count_n(sequence) == sum(base == ord("N") for base in sequence)
