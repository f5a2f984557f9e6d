from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

REASON = "needs torch and onnx: HISTPRED_EXTRAS=train bin/test"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("onnx", reason=REASON)

from histpred.core.sequence import reverse_complement  # noqa: E402
from histpred.encoders import build  # noqa: E402
from histpred.encoders.onnx import codes_of  # noqa: E402
from histpred.training import spectra  # noqa: E402
from histpred.training.counting import BinCounts, fold_of  # noqa: E402
from histpred.training.export import spectra_to_onnx  # noqa: E402
from histpred.training.spectra import (  # noqa: E402
    UNITS,
    Beside,
    SpectraNetwork,
    StretchMeans,
    averaged,
    mean_logits,
    nested,
    side_by_side,
)
from support.kmers import all_words, random_sequences, words  # noqa: E402

STRETCHES = [(-10, 10), (-30, 30), (-50, 10)]  # bp; bins of 20, so that 100 bp are read
REACH = 50


def network_of(sequences: list[bytes], both_strands: bool = True, seed: int = 0) -> SpectraNetwork:
    """A network whose norms have seen something, in eval mode."""
    torch.manual_seed(seed)
    network = SpectraNetwork(3, 20, STRETCHES, both_strands)
    codes = torch.from_numpy(codes_of(sequences, len(sequences[0])).copy())
    network.standardise_like(network.counts_of(codes))
    for _ in range(3):
        network(codes)
    return network.eval()


def opened_in(folder, exported):
    """The encoder that a bundle in this folder has."""
    spec, graphs = exported
    for name, content in graphs.items():
        (folder / name).write_bytes(content)
    return build(spec, folder)


def embed(network: SpectraNetwork, sequences: list[bytes]) -> np.ndarray:
    codes = torch.from_numpy(codes_of(sequences, len(sequences[0])).copy())
    with torch.inference_mode():
        return network.encoder(codes).numpy()


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
                index = [all_words(4).index(word) for word in inside]
                shares = fold[index].mean(0)
                unit = weight @ ((shares - means.mean) / means.scale) + bias
                unit[: UNITS // 2] = unit[: UNITS // 2].clamp(min=0)
                total += unit * len(inside)
                known += len(inside)
            expected = total / known if known else total
            np.testing.assert_allclose(
                row[UNITS * number : UNITS * (number + 1)].detach(), expected.detach(), atol=1e-4
            )


def test_mean_and_scale_are_those_of_all_bins_at_least_half_known(monkeypatch):
    """Also where the bins are read in blocks."""
    monkeypatch.setattr(spectra, "BINS_AT_ONCE", 7)
    sequences = random_sequences(40, 2 * REACH)
    network = SpectraNetwork(1, 20, STRETCHES, both_strands=False)
    counts = network.counts_of(torch.from_numpy(codes_of(sequences, 2 * REACH).copy()))
    network.standardise_like(counts)
    bins = counts.flatten(0, 1).numpy().astype(float)
    bins = bins[bins.sum(1) >= 17 / 2]
    assert 0 < len(bins) < counts.shape[0] * counts.shape[1]
    shares = bins / bins.sum(1, keepdims=True) @ fold_of(False).double().numpy()
    np.testing.assert_allclose(network.stretches.mean, shares.mean(0), rtol=1e-5)
    np.testing.assert_allclose(network.stretches.scale, shares.std(0, ddof=1) + 1e-5, rtol=1e-5)


MEMORY = """
import resource, torch
from histpred.training.spectra import spectra
network = spectra(1)
counts = torch.randint(0, 3, (300, 100, 384), dtype=torch.uint8)
network.standardise_like(counts[:20])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
network.standardise_like(counts)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_the_memory_of_the_scale_does_not_grow_with_the_rows():
    """All counts as float32 numbers would be 46 MB, and their shares, 56 MB, several times."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True, timeout=300
    )
    assert int(done.stdout) < 100


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
    with pytest.raises(ValueError, match="-10 to 25 bp does not consist of whole bins"):
        StretchMeans(20, [(-50, 50), (-10, 25)], both_strands=True)


def test_the_graph_gives_the_networks_numbers_for_any_length(tmp_path):
    sequences = random_sequences(6, 2 * REACH)
    networks = [network_of(sequences, seed=seed) for seed in range(3)]
    beside = torch.nn.Sequential(
        networks[0].encoder[0], Beside([network.encoder[1:] for network in networks])
    ).eval()
    exported = spectra_to_onnx(beside, codes_of(sequences, 2 * REACH))
    assert exported == spectra_to_onnx(beside, codes_of(sequences, 2 * REACH))
    opened = opened_in(tmp_path, exported)
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
    opened = opened_in(tmp_path, spectra_to_onnx(both.encoder, codes.numpy()))
    found = opened.embed(sequences).vectors
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
    opened = opened_in(tmp_path, spectra_to_onnx(encoder, codes.numpy()))
    found = opened.embed(sequences).vectors
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_members_logits_are_averaged():
    torch.manual_seed(0)
    members = [SpectraNetwork(2, 20, nested(20), both_strands=True).eval() for _ in range(3)]
    embeddings = torch.randn(5, 3 * 64)
    with torch.inference_mode():
        parts = zip(members, embeddings.split(64, dim=1), strict=True)
        expected = torch.stack([member.output(part) for member, part in parts]).mean(0)
    np.testing.assert_allclose(mean_logits(members, embeddings), expected, atol=1e-5)


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
