from __future__ import annotations

import numpy as np
import pytest

REASON = "needs torch and onnx: pip install 'histpred[train]'"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("onnx", reason=REASON)

from histpred.core.sequence import reverse_complement  # noqa: E402
from histpred.encoders.onnx import OnnxEncoder, codes_of  # noqa: E402
from histpred.training.export import encoder_to_onnx  # noqa: E402
from histpred.training.spectra import (  # noqa: E402
    OPEN,
    UNITS,
    Beside,
    BinCounts,
    CodonCounts,
    SpectraNetwork,
    StretchMeans,
    averaged,
    fold_of,
    nested,
    side_by_side,
)

STRETCHES = [(-10, 10), (-30, 30), (-50, 10)]  # bp; bins of 20, so that 100 bp are read
REACH = 50


def random_sequences(count: int, length: int, seed: int = 0) -> list[bytes]:
    """With runs of N, one of them over a whole bin and more."""
    rng = np.random.default_rng(seed)
    bases = rng.choice(np.frombuffer(b"ACGT", np.uint8), (count, length))
    bases[0, : length // 3] = ord("N")
    bases[1, length // 2 : length // 2 + 3] = ord("N")
    return [row.tobytes() for row in bases]


def network_of(sequences: list[bytes], both_strands: bool = True, seed: int = 0) -> SpectraNetwork:
    """A network whose norms have seen something, in eval mode."""
    torch.manual_seed(seed)
    network = SpectraNetwork(3, 20, STRETCHES, both_strands)
    codes = torch.from_numpy(codes_of(sequences, len(sequences[0])).copy())
    network.standardise_like(network.counts_of(codes))
    for _ in range(3):
        network(codes)
    return network.eval()


def embed(network: SpectraNetwork, sequences: list[bytes]) -> np.ndarray:
    codes = torch.from_numpy(codes_of(sequences, len(sequences[0])).copy())
    with torch.inference_mode():
        return network.encoder(codes).numpy()


def words(sequence: bytes, k: int) -> list[bytes]:
    return [sequence[i : i + k] for i in range(len(sequence) - k + 1)]


def test_counts_are_the_4_mers_that_lie_within_a_bin_and_hold_no_n():
    sequences = random_sequences(4, 2 * REACH)
    counts = BinCounts(20, REACH)(torch.from_numpy(codes_of(sequences, 2 * REACH).copy()))
    names = [
        bytes(word)
        for word in np.array(np.meshgrid(*[list(b"ACGT")] * 4, indexing="ij"), np.uint8)
        .reshape(4, -1)
        .T
    ]
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
                        kind = 64 * strand + _number(sequence[inside : inside + 3])
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
            every = {min(w, reverse_complement(w)) for w in _all_words(k)}
        else:
            every = set(_all_words(k))
        expected += [seen.count(word) / len(seen) for word in sorted(every)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def _all_words(k: int) -> list[bytes]:
    shorter = [b""] if k == 1 else _all_words(k - 1)
    return [word + bytes([base]) for word in shorter for base in b"ACGT"]


def test_a_stretch_is_the_mean_of_its_bins_weighted_by_what_is_known_of_each():
    sequences = random_sequences(5, 2 * REACH)
    means = network_of(sequences).encoder[1]
    found = means(BinCounts(20, REACH)(torch.from_numpy(codes_of(sequences, 2 * REACH).copy())))
    fold = fold_of(True).double()
    weight, bias = means.linear.weight.double(), means.linear.bias.double()
    for sequence, row in zip(sequences, found, strict=True):
        for number, (start, end) in enumerate(STRETCHES):
            total, known = torch.zeros(UNITS, dtype=torch.float64), 0.0
            for left in range(REACH + start, REACH + end, 20):
                inside = [w for w in words(sequence[left : left + 20], 4) if b"N" not in w]
                if not inside:
                    continue
                index = [_number(word) for word in inside]
                shares = fold[index].mean(0)
                unit = weight @ ((shares - means.mean) / means.scale) + bias
                unit[: UNITS // 2] = unit[: UNITS // 2].clamp(min=0)
                total += unit * len(inside)
                known += len(inside)
            expected = total / known if known else total
            np.testing.assert_allclose(
                row[UNITS * number : UNITS * (number + 1)].detach(), expected.detach(), atol=1e-4
            )


def _number(word: bytes) -> int:
    return sum(4 ** (len(word) - 1 - i) * b"ACGT".index(base) for i, base in enumerate(word))


def test_without_strands_both_give_the_same_and_with_them_they_do_not():
    sequences = random_sequences(5, 2 * REACH)
    other = [reverse_complement(sequence) for sequence in sequences]
    symmetric = [(-10, 10), (-30, 30), (-50, 50)]
    for both_strands in (True, False):
        torch.manual_seed(0)
        network = SpectraNetwork(3, 20, symmetric, both_strands).eval()
        same = np.allclose(embed(network, sequences), embed(network, other), atol=1e-5)
        assert same == both_strands


def test_more_n_around_it_changes_nothing_of_what_is_known():
    (sequence,) = random_sequences(3, 40)[2:]
    means = StretchMeans(20, nested(40, 120), both_strands=True).eval()
    count = BinCounts(20, 60)
    near, far = means(count(torch.from_numpy(codes_of([sequence], 40).copy())))[0].split(UNITS)
    assert near.abs().max() > 0.01
    np.testing.assert_allclose(near.detach(), far.detach(), atol=1e-6)


def test_a_stretch_that_cuts_a_bin_is_refused():
    with pytest.raises(ValueError, match="-10 to 25 bp is no stretch of whole bins"):
        StretchMeans(20, [(-50, 50), (-10, 25)], both_strands=True)


def test_the_graph_gives_the_networks_numbers_for_any_length(tmp_path):
    sequences = random_sequences(6, 2 * REACH)
    networks = [network_of(sequences, seed=seed) for seed in range(3)]
    beside = torch.nn.Sequential(
        networks[0].encoder[0], Beside([network.encoder[1:] for network in networks])
    ).eval()
    content = encoder_to_onnx(beside, codes_of(sequences, 2 * REACH))
    assert content == encoder_to_onnx(beside, codes_of(sequences, 2 * REACH))
    path = tmp_path / "encoder.onnx"
    path.write_bytes(content)
    opened = OnnxEncoder(path, "cpu")
    assert (opened.longest, opened.dimension) == (None, 3 * 64)
    mixed = [*sequences, sequences[2][30:-30], sequences[3] + b"ACGT" * 40, b"N" * 10]
    found = opened.embed(mixed).vectors
    for sequence, vector in zip(mixed, found, strict=True):
        expected = np.concatenate([embed(network, [sequence])[0] for network in networks])
        np.testing.assert_allclose(vector, expected, atol=1e-4)


def test_the_graph_with_reading_frames_gives_the_networks_numbers(tmp_path):
    sequences = random_sequences(6, 1200)
    sequences[3] = b"GCA" * 400
    torch.manual_seed(0)
    networks = [SpectraNetwork(3, 20, [(-600, 0), (0, 600)], False, frames=True) for _ in range(2)]
    codes = torch.from_numpy(codes_of(sequences, 1200).copy())
    for network in networks:
        network.standardise_like(network.counts_of(codes))
        for _ in range(3):
            network(codes)
        network.eval()
    both = averaged(networks)
    with torch.inference_mode():
        mean = torch.stack([network(codes) for network in networks]).mean(0)
        np.testing.assert_allclose(both(codes), mean, atol=1e-5)
        np.testing.assert_allclose(both.after_counts()(both.counts_of(codes)), mean, atol=1e-5)
        expected = both.encoder(codes).numpy()
    path = tmp_path / "encoder.onnx"
    path.write_bytes(encoder_to_onnx(both.encoder, codes.numpy()))
    found = OnnxEncoder(path, "cpu").embed(sequences).vectors
    assert np.ptp(expected, axis=0).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_networks_of_unlike_reach_side_by_side(tmp_path):
    """Each gives what it gives alone, of the same middle."""
    sequences = random_sequences(8, 2 * REACH)
    codes = torch.from_numpy(codes_of(sequences, 2 * REACH).copy())
    wide = network_of(sequences)
    narrow = SpectraNetwork(5, 20, nested(20), both_strands=True).eval()
    narrow.standardise_like(narrow.counts_of(codes))
    encoder = side_by_side([wide, narrow])
    with torch.inference_mode():
        expected = torch.cat([wide.encoder(codes), narrow.encoder(codes)], dim=1).numpy()
    assert np.ptp(expected[:, 64:], axis=0).max() > 0.01
    path = tmp_path / "encoder.onnx"
    path.write_bytes(encoder_to_onnx(encoder, codes.numpy()))
    found = OnnxEncoder(path, "cpu").embed(sequences).vectors
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_network_learns_what_lies_on_one_side_of_the_point():
    """With strands and one-sided stretches, C and G tell upstream from downstream."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 400)
    rich, poor = [0.1, 0.4, 0.4, 0.1], [0.4, 0.1, 0.1, 0.4]
    sides = [(rich, poor) if label else (poor, rich) for label in labels]
    codes = np.array(
        [np.concatenate([rng.choice(4, REACH, p=p) for p in side]) for side in sides], np.uint8
    )
    torch.manual_seed(0)
    network = SpectraNetwork(1, 10, [(-50, 0), (0, 50)], both_strands=False)
    inputs, targets = torch.from_numpy(codes), torch.from_numpy(labels).float()[:, None]
    network.standardise_like(network.counts_of(inputs))
    optimiser = torch.optim.AdamW(network.parameters(), 1e-2)
    for _ in range(30):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            network(inputs[:300]), targets[:300]
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.inference_mode():
        logits = network.eval()(inputs[300:])
    assert ((logits > 0) == (targets[300:] > 0.5)).float().mean() > 0.95
