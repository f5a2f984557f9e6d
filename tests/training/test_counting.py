from __future__ import annotations

import numpy as np
import pytest

REASON = "needs torch and onnx: pip install 'histpred[train]'"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("onnx", reason=REASON)

import onnxruntime  # noqa: E402
from onnx import TensorProto  # noqa: E402

from histpred.core.sequence import reverse_complement  # noqa: E402
from histpred.encoders.kmer import count_kmers  # noqa: E402
from histpred.encoders.onnx import codes_of  # noqa: E402
from histpred.training import onnx_spectra  # noqa: E402
from histpred.training.counting import (  # noqa: E402
    OPEN,
    BinCounts,
    CodonCounts,
    digits_of,
    fold_of,
    histogram,
    numbers_of,
)
from histpred.training.onnx_graph import Scope, make_model  # noqa: E402
from support.kmers import all_words, random_sequences, words  # noqa: E402

REACH = 50


def graph_counts(codes: np.ndarray, k: int) -> np.ndarray:
    """K-mers counted by the nodes that are written into encoder.onnx."""
    length = codes.shape[1]
    scope = Scope([], {}, "counts")
    digits = onnx_spectra._digits(length // 2, "codes", scope)
    number = onnx_spectra._numbers(digits, length, k, scope)
    counts = onnx_spectra._histogram(number, 4**k, scope)
    model = make_model(scope, ("codes", TensorProto.UINT8, length), (counts, 4**k), "counts")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run([counts], {"codes": codes})[0]


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_numpy_torch_and_the_graph_count_the_same_k_mers_in_the_same_order(k):
    sequences = [*random_sequences(5, 80), b"N" * 80, b"ACGT" * 20]
    codes = codes_of(sequences, 80)
    expected = [[words(sequence, k).count(word) for word in all_words(k)] for sequence in sequences]
    ((_, by_numpy),) = count_kmers(sequences, [k])
    by_torch = histogram(numbers_of(digits_of(torch.from_numpy(codes.copy()), 40), k), 4**k)
    assert by_numpy.tolist() == by_torch.tolist() == graph_counts(codes, k).tolist() == expected


def test_counts_are_the_4_mers_that_lie_within_a_bin_and_hold_no_n():
    sequences = random_sequences(4, 2 * REACH)
    counts = BinCounts(20, REACH)(torch.from_numpy(codes_of(sequences, 2 * REACH).copy()))
    names = all_words(4)
    for sequence, of_bins in zip(sequences, counts, strict=True):
        for number, found in enumerate(of_bins):
            inside = words(sequence[20 * number : 20 * number + 20], 4)
            assert found.tolist() == [inside.count(name) for name in names]


def coding_sequence(rng: np.random.Generator, codons: int) -> str:
    """Codons without a stop."""
    stops = ("TAA", "TAG", "TGA")
    every = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT"]
    return "".join(rng.choice([codon for codon in every if codon not in stops], codons))


@pytest.mark.parametrize("reach", [600, 640])
def test_codons_count_where_no_stop_is_near(reach):
    """Against runs of codons between stops, found one by one."""
    rng = np.random.default_rng(1)
    sequences = []
    for codons in (OPEN - 1, OPEN, OPEN + 40):
        middle = "TAA" + coding_sequence(rng, codons) + "TAGNTGA"
        around = "".join(rng.choice(list("AATTTGC"), 2 * reach))
        start = int(rng.integers(50, 2 * reach - len(middle) - 50))
        sequence = (around[:start] + middle + around[start:])[: 2 * reach].encode()
        sequences += [sequence, reverse_complement(sequence)]
    counts = CodonCounts(20, reach)(torch.from_numpy(codes_of(sequences, 2 * reach).copy()))
    total = 0
    for sequence, found in zip(sequences, counts, strict=True):
        expected = np.zeros(found.shape)
        for strand, stops in enumerate([(b"TAA", b"TAG", b"TGA"), (b"TTA", b"CTA", b"TCA")]):
            for frame in range(3):
                run: list[int] = []
                for place in [*range(frame, len(sequence) - 2, 3), None]:
                    codon = sequence[place : place + 3] if place is not None else b"N"
                    if codon not in stops and b"N" not in codon:
                        run.append(place)
                        continue
                    for inside in run if len(run) >= OPEN else []:
                        kind = 64 * strand + all_words(3).index(sequence[inside : inside + 3])
                        expected[inside // 20, kind] += 1
                    run = []
        total += expected.sum()
        np.testing.assert_array_equal(found, expected)
    assert total > 4 * OPEN


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
