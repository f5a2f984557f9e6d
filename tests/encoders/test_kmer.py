from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histpred.encoders import kmer
from histpred.encoders.kmer import (
    SLICE,
    KmerEncoder,
    canonical_columns,
    count_kmers,
    from_settings,
    number_of,
)

SEQUENCES = st.text("ACGTN", max_size=60).map(str.encode)
COMPLEMENT = bytes.maketrans(b"ACGTN", b"TGCAN")


def reverse_complement(sequence: bytes) -> bytes:
    return sequence.translate(COMPLEMENT)[::-1]


def brute_force(sequence: bytes, k: int) -> list[float]:
    """Canonical frequencies in alphabetical order, one k-mer at a time."""
    seen = Counter()
    for i in range(len(sequence) - k + 1):
        kmer = sequence[i : i + k]
        if b"N" not in kmer:
            seen[min(kmer, reverse_complement(kmer))] += 1
    kmers = ["".join(letters).encode() for letters in product("ACGT", repeat=k)]
    canonical = [kmer for kmer in kmers if kmer <= reverse_complement(kmer)]
    return [seen[kmer] / max(sum(seen.values()), 1) for kmer in canonical]


@given(st.lists(SEQUENCES, min_size=1, max_size=6))
def test_equals_counting_one_kmer_at_a_time(sequences):
    spectra = KmerEncoder([1, 2, 3, 4]).spectra(sequences)
    expected = [[value for k in (1, 2, 3, 4) for value in brute_force(s, k)] for s in sequences]
    np.testing.assert_allclose(spectra, expected, rtol=1e-6)


@given(SEQUENCES)
def test_a_sequence_and_its_reverse_complement_have_one_spectrum(sequence):
    encoder = KmerEncoder([1, 2, 3, 4, 5], {7: [1, 2, 3], 20: [2]})
    forward, reverse = encoder.spectra([sequence, reverse_complement(sequence)])
    np.testing.assert_array_equal(forward, reverse)


@given(st.lists(SEQUENCES, min_size=1, max_size=6))
def test_the_rest_of_the_batch_changes_nothing(sequences):
    encoder = KmerEncoder([2, 3], {10: [1, 3]})
    together = encoder.spectra(sequences)
    alone = np.vstack([encoder.spectra([sequence]) for sequence in sequences])
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_kmers_are_numbered_in_alphabetical_order_and_share_a_column_with_the_other_strand(k):
    kmers = ["".join(letters).encode() for letters in product("ACGT", repeat=k)]
    assert [number_of(kmer) for kmer in kmers] == [*range(4**k)]
    canonical = [kmer for kmer in kmers if kmer <= reverse_complement(kmer)]
    smaller = [min(kmer, reverse_complement(kmer)) for kmer in kmers]
    assert canonical_columns(k).tolist() == [canonical.index(kmer) for kmer in smaller]


def test_no_kmer_spans_two_sequences():
    ((_, counts),) = count_kmers([b"AAC", b"GTT"], [2])
    assert counts.sum(axis=1).tolist() == [2, 2]


def test_a_batch_longer_than_one_slice_is_whole():
    sequences = [b"ACGGT" * 20_000] * (3 * SLICE // 100_000)
    spectra = KmerEncoder([3]).spectra(sequences)
    assert (spectra == spectra[0]).all()
    np.testing.assert_allclose(spectra.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("block", [1, 2, 7, 40])
def test_blocks_of_any_size_count_the_same(block, monkeypatch):
    rng = np.random.default_rng(5)
    sequences = ["".join(rng.choice(list("ACGTN"), n)).encode() for n in (30, 0, 3, 55, 1, 12)]
    whole = count_kmers(sequences, [1, 3, 5])
    monkeypatch.setattr(kmer, "SLICE", block)
    for (_, expected), (_, found) in zip(whole, count_kmers(sequences, [1, 3, 5]), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("sequence", [b"", b"A", b"NNNNNNNN", b"ANCNGNTN"])
def test_too_short_or_too_full_of_n_is_zeros(sequence):
    assert not KmerEncoder([2, 3]).spectra([sequence]).any()


def test_n_at_the_ends_changes_nothing():
    plain, padded = KmerEncoder([1, 2, 3]).spectra([b"ACGTTGCA", b"NNNACGTTGCANN"])
    np.testing.assert_array_equal(plain, padded)


def test_an_empty_batch_has_no_rows():
    assert KmerEncoder([1, 2]).spectra([]).shape == (0, 12)


def test_a_centre_is_the_spectrum_of_the_central_stretch():
    encoder = KmerEncoder([2], {4: [2]})
    np.testing.assert_array_equal(
        encoder.spectra([b"TTTACGATTT"])[0],
        np.concatenate([KmerEncoder([2]).spectra([s])[0] for s in (b"ACGA", b"TTTACGATTT")]),
    )


def test_dimensions_are_those_of_the_docstring():
    sizes = [KmerEncoder([k]).dimension for k in (1, 2, 3, 4, 5)]
    assert sizes == [2, 10, 32, 136, 512]
    encoder = KmerEncoder([4, 1], {100: [2]})
    assert encoder.spectra([b"ACGT"]).shape == (1, encoder.dimension) == (1, 148)
    assert encoder.spectra([b"ACGT"]).dtype == np.float32


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"k": []},
        {"k": [0]},
        {"k": [9]},
        {"k": [2, 2]},
        {"k": "4"},
        {"k": [True]},
        {"k": [2], "centres": [400]},
        {"k": [2], "centres": {"0": [1]}},
        {"k": [2], "centres": {"-4": [1]}},
        {"k": [2], "centres": {"400": []}},
        {"k": [2], "centres": {"400": 2}},
        {"k": [2], "stride": 3},
    ],
)
def test_wrong_settings_are_refused(settings, tmp_path):
    with pytest.raises(ValueError, match=r"settings|k must|centres must"):
        from_settings(settings, tmp_path, "cpu", "fp32")


def test_settings_come_as_json_gives_them(tmp_path):
    encoder = from_settings({"k": [1, 2], "centres": {"400": [3]}}, tmp_path, "cpu", "fp32")
    assert encoder.stretches == [(400, [3]), (0, [1, 2])]
    assert encoder.dimension == 32 + 2 + 10
