from __future__ import annotations

import numpy as np
import pytest

REASON = "needs torch and onnx: HISTPRED_EXTRAS=train bin/test"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("onnx", reason=REASON)

from histpred.core.sequence import reverse_complement  # noqa: E402
from histpred.encoders.kmer import count_kmers  # noqa: E402
from histpred.encoders.onnx import codes_of  # noqa: E402
from histpred.training.counting import (  # noqa: E402
    OPEN,
    BinCounts,
    CodonCounts,
    digits_of,
    fold_of,
    histogram,
    numbers_of,
)
from support.kmers import (  # noqa: E402
    all_words,
    open_codons,
    random_sequences,
    with_open_frames,
    words,
)

REACH = 50


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_numpy_and_torch_count_the_same_k_mers_in_the_same_order(k):
    sequences = [*random_sequences(5, 80), b"N" * 80, b"ACGT" * 20]
    codes = codes_of(sequences, 80)
    expected = [[words(sequence, k).count(word) for word in all_words(k)] for sequence in sequences]
    ((_, by_numpy),) = count_kmers(sequences, [k])
    by_torch = histogram(numbers_of(digits_of(torch.from_numpy(codes.copy()), 40), k), 4**k)
    assert by_numpy.tolist() == by_torch.tolist() == expected


def test_counts_are_the_4_mers_that_lie_within_a_bin_and_hold_no_n():
    sequences = random_sequences(4, 2 * REACH)
    counts = BinCounts(20, REACH)(torch.from_numpy(codes_of(sequences, 2 * REACH).copy()))
    names = all_words(4)
    for sequence, of_bins in zip(sequences, counts, strict=True):
        for number, found in enumerate(of_bins):
            inside = words(sequence[20 * number : 20 * number + 20], 4)
            assert found.tolist() == [inside.count(name) for name in names]


@pytest.mark.parametrize("reach", [600, 640])
def test_codons_count_where_no_stop_is_near(reach):
    sequences = with_open_frames(2 * reach, [OPEN - 1, OPEN, OPEN + 40])
    counts = CodonCounts(20, reach)(torch.from_numpy(codes_of(sequences, 2 * reach).copy()))
    assert counts.sum() > 4 * OPEN
    for sequence, found in zip(sequences, counts, strict=True):
        np.testing.assert_array_equal(found, open_codons(sequence, 20, OPEN))


@pytest.mark.parametrize("length", [60, 99, 100, 101, 150])
def test_the_middle_of_the_codes_is_the_point_and_what_is_not_there_is_n(length):
    (sequence,) = random_sequences(3, length)[2:]
    whole = b"N" * 200 + sequence + b"N" * 200
    middle = 200 + length // 2
    read = whole[middle - REACH : middle + REACH]
    count = BinCounts(20, REACH)
    given, expected = (
        count(torch.from_numpy(codes_of([bases], len(bases)).copy())) for bases in (sequence, read)
    )
    assert torch.equal(given, expected)


@pytest.mark.parametrize("both_strands", [True, False])
def test_the_fold_gives_shares_of_all_k_mers_of_the_4_mers(both_strands):
    (sequence,) = random_sequences(3, 80)[2:]
    counts = BinCounts(80, 40)(torch.from_numpy(codes_of([sequence], 80).copy()))[0, 0]
    found = counts / counts.sum() @ fold_of(both_strands)

    expected = []
    for k in (1, 2, 3, 4):
        seen = [word for four in words(sequence, 4) for word in words(four, k)]
        if both_strands:
            seen = [min(word, reverse_complement(word)) for word in seen]
            every = {min(w, reverse_complement(w)) for w in all_words(k)}
        else:
            every = set(all_words(k))
        expected += [seen.count(word) / len(seen) for word in sorted(every)]
    np.testing.assert_allclose(found, expected, atol=1e-6)
