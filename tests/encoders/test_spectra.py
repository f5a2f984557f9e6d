"""The shipped bundles' encoder: windows one by one, and along a sequence.

`tests/training/test_spectra.py` compares it with the networks that it was exported from.
"""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from histpred.bundle.folder import SHIPPED, load_bundle
from histpred.bundle.outputs import encoder_for
from histpred.core.errors import BundleError
from histpred.core.sequence import reverse_complement
from histpred.encoders import Copies, build
from support.kmers import random_sequences, with_open_frames

HUMAN, YEAST = "human-promoter", "yeast"


def of_intervals(name):
    """The encoder's spec, without the places of genes."""
    manifest = load_bundle(name).manifest
    return encoder_for(manifest, manifest.interval)


def opened(name):
    return build(of_intervals(name), load_bundle(name).directory)


@pytest.fixture(scope="module")
def encoder():
    return opened(HUMAN)


@pytest.fixture(scope="module")
def sequence(encoder):
    """Random DNA with stretches without a base, 40 windows of 200 bp steps long."""
    (bases,) = random_sequences(3, 2 * encoder.reach + 39 * 200)[2:]
    known = bytearray(bases)
    known[:7_777] = b"N" * 7_777
    known[16_050:16_053] = b"NNN"
    known[30_000:31_000] = b"N" * 1_000
    return bytes(known)


def one_by_one(encoder, sequence, starts):
    windows = [sequence[start : start + 2 * encoder.reach] for start in starts]
    return encoder.embed(windows).vectors


@pytest.mark.parametrize("step", [200, 400, 1_000])
def test_windows_that_share_their_bins_have_the_vectors_of_each_alone(step, encoder, sequence):
    numbers = np.arange((len(sequence) - 2 * encoder.reach) // step + 1)
    found = encoder.embed_along([(sequence, numbers)], step)
    expected = one_by_one(encoder, sequence, numbers * step)
    assert np.ptp(expected, axis=0).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_windows_bits_do_not_depend_on_which_others_are_wanted(encoder, sequence):
    every = encoder.embed_along([(sequence, np.arange(40))], 200)
    for some in ([7], [0, 39], [3, 4, 5, 20]):
        assert np.array_equal(encoder.embed_along([(sequence, np.array(some))], 200), every[some])


@pytest.mark.parametrize(("left", "right"), [(0, 30_199), (15_000, 20_123), (15_111, 15_112)])
def test_a_short_contig_has_the_vectors_that_it_has_alone(left, right, encoder, sequence):
    beyond = len(sequence) - right
    short = b"N" * left + b"G" + sequence[40_000 : 40_000 + right - left - 1] + b"N" * beyond
    found = encoder.embed_along([(short, np.arange(40))], 200)
    np.testing.assert_allclose(found, one_by_one(encoder, short, 200 * np.arange(40)), atol=1e-5)


def test_parts_have_the_bits_of_each_alone(encoder, sequence):
    none = b"N" * (2 * encoder.reach + 200)
    parts = [
        (sequence, np.array([0, 7])),
        (none, np.array([1])),
        (sequence[200:-400], np.array([3, 4, 36])),
        (b"N" * 15_000 + b"ACGTT" * 3 + b"N" * 23_000, np.array([2])),
    ]
    alone = [encoder.embed_along([part], 200) for part in parts]
    assert np.array_equal(encoder.embed_along(parts, 200), np.concatenate(alone))


def test_a_sequence_of_n_has_the_vectors_of_windows_of_n(encoder):
    none = b"N" * (2 * encoder.reach + 200)
    expected = one_by_one(encoder, none, [0, 200])
    assert np.array_equal(encoder.embed_along([(none, np.arange(2))], 200), expected)


@pytest.mark.parametrize("name", [HUMAN, YEAST])
def test_a_chunks_vector_does_not_depend_on_the_others(name, sequence):
    encoder = opened(name)
    chunks = [sequence[:20_000], b"", sequence[5_000:5_100], b"N" * 300, sequence[:40_000]] * 8
    alone = np.concatenate([encoder.embed([chunk]).vectors for chunk in chunks[:5]])
    together = encoder.embed(chunks)
    assert np.array_equal(together.vectors, np.tile(alone, (8, 1)))
    assert together.tokens[:5].tolist() == [len(chunk) - chunk.count(b"N") for chunk in chunks[:5]]


def test_what_is_not_there_is_n_and_what_is_beyond_the_reach_is_not_read(encoder, sequence):
    reach = encoder.reach
    short = sequence[8_000:9_001]
    filled = b"N" * (reach - 500) + short + b"N" * (reach - 501)
    longer = b"ACGT" * 100 + sequence[: 2 * reach] + b"CCGG" * 100
    found = encoder.embed([short, filled, longer, sequence[: 2 * reach]]).vectors
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[2], found[3])


def test_both_strands_of_a_window_have_the_same_vector(encoder, sequence):
    window = sequence[: 2 * encoder.reach]
    found = encoder.embed([window, reverse_complement(window)]).vectors
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


def test_only_without_reading_frames_can_bins_be_shared(encoder):
    assert encoder.grid == 200
    assert opened(YEAST).grid is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"bin_length": 0}, "'bin_length' \\(1 bp or more\\)"),
        ({"bin_length": True}, "setting 'bin_length' must be int"),
        ({"stretches": []}, "0 stretches"),
        ({"stretches": [[-100, 100]] * 1001}, "1001 stretches"),
        ({"stretches": [[-100, "100"]]}, "two whole numbers"),
        ({"stretches": [[100, -100]]}, "no stretch within"),
        ({"stretches": [[-(10**12), 10**12]]}, "no stretch within"),
        ({"stretches": [[-150, 100]]}, "whole bins of 200 bp"),
        ({"k": [4]}, "settings are"),
        ({"stretches": [[-100, 100]]}, "takes and gives"),
        ({"both_strands": False}, "takes and gives"),
        ({"frames": True}, "takes and gives"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changed, message):
    spec = of_intervals(HUMAN)
    settings = {**spec.settings, **changed}
    wrong = SimpleNamespace(kind="spectra", settings=settings, dimension=spec.dimension)
    with pytest.raises(BundleError, match=message):
        build(wrong, SHIPPED / HUMAN)


def test_a_graph_that_is_missing_or_another_is_refused(tmp_path):
    spec = of_intervals(HUMAN)
    shutil.copy(SHIPPED / HUMAN / "bins.onnx", tmp_path)
    with pytest.raises(BundleError, match=r"heads\.onnx is missing"):
        build(spec, tmp_path)
    shutil.copy(SHIPPED / HUMAN / "scorer.onnx", tmp_path / "heads.onnx")
    with pytest.raises(BundleError, match=r"heads\.onnx: takes and gives"):
        build(spec, tmp_path)


def at_places(encoder_of, places):
    spec = of_intervals(encoder_of)
    settings = {**spec.settings, "places": places}
    dimension = spec.dimension * len(places)
    return spec.model_copy(update={"settings": settings, "dimension": dimension})


def test_vectors_of_places_are_those_of_windows_around_them(encoder, sequence):
    places = [-2_000, -400, 0, 2_000]
    several = build(at_places(HUMAN, places), load_bundle(HUMAN).directory)
    middle, reach = 20_000, encoder.reach
    window = sequence[middle - reach - 2_000 : middle + reach + 2_000]
    found = several.embed([window, b"ACGT" * 20, window]).vectors.reshape(3, len(places), -1)
    around = [sequence[middle + at - reach : middle + at + reach] for at in places]
    np.testing.assert_allclose(found[0], encoder.embed(around).vectors, atol=1e-5)
    assert (found[2] == found[0]).all()
    short = [b"N" * max(0, -2 * at) + b"ACGT" * 20 + b"N" * max(0, 2 * at) for at in (2000, 0)]
    np.testing.assert_allclose(found[1][[0, 2]], encoder.embed(short).vectors, atol=1e-5)
    assert not several.grid  # windows with places share nothing


@pytest.mark.parametrize(
    ("places", "why"),
    [
        ([100], "whole bins"),
        ([2.0], "whole bins"),
        ([True], "whole bins"),
        ([20_000_000], "whole bins"),
        ([0] * 1_001, "at most 1000"),
    ],
)
def test_places_that_cannot_be(places, why):
    with pytest.raises(BundleError, match=why):
        build(at_places(HUMAN, places), load_bundle(HUMAN).directory)


def test_reading_frames_have_no_places():
    with pytest.raises(BundleError, match="do not go together"):
        build(at_places(YEAST, [0]), load_bundle(YEAST).directory)


def changed(sequence, seed):
    """Copies with one base, a codon, N, a shifted end, all bases and no base changed."""
    rng = np.random.default_rng(seed)
    copies = [sequence]
    for start, bases in [(0, b"N"), (len(sequence) - 1, b"N"), (17_000, b"N" * 1_234)]:
        copies.append(sequence[:start] + bases + sequence[start + len(bases) :])
    for start in rng.integers(1, len(sequence) - 3, 70):
        for bases in (b"G", b"TAA"):
            copies.append(sequence[:start] + bases + sequence[start + len(bases) :])
    copies.append(sequence[3:9_000] + b"GTC" + sequence[9_000:])
    copies.append(sequence[::-1])
    return copies


@pytest.mark.parametrize("name", [HUMAN, YEAST])
def test_changed_copies_have_the_vectors_that_they_have_alone(name):
    bundle = load_bundle(name)
    encoder = build(bundle.manifest.encoder, bundle.directory)
    length = bundle.manifest.window.upstream + bundle.manifest.window.downstream
    for own in (*random_sequences(3, length, seed=5), with_open_frames(length, [700])[0]):
        copies = changed(own, 1)
        places = np.full(len(copies), -1)
        (found,) = encoder.embed_copies([Copies(own, places, copies)])
        expected = encoder.embed([own, *copies]).vectors
        assert np.ptp(expected, axis=0).max() > 0.1
        np.testing.assert_allclose(found, expected, atol=2e-5)
        assert np.array_equal(found[0], found[1])


def test_a_window_without_copies_has_one_vector(encoder, sequence):
    own = sequence[: 2 * encoder.reach]
    (found,) = encoder.embed_copies([Copies(own, np.empty(0, int), [])])
    np.testing.assert_allclose(found, encoder.embed([own]).vectors, atol=2e-5)
    assert encoder.embed_copies([]) == []


@pytest.mark.parametrize("shorter", [0, 1_234, 5_001])
@pytest.mark.parametrize("name", [HUMAN, YEAST])
def test_copies_with_other_bases_have_the_vectors_that_they_have_alone(name, shorter):
    bundle = load_bundle(name)
    encoder = build(bundle.manifest.encoder, bundle.directory)
    length = bundle.manifest.window.upstream + bundle.manifest.window.downstream - shorter
    rng = np.random.default_rng(shorter)
    given, expected = [], []
    for number, own in enumerate(random_sequences(3, length, seed=6)):
        places = np.append([0, length - 1, 0], rng.integers(0, length - 1_000, 30 * number))
        lengths = np.append([1, 1, length], rng.choice([1, 1, 1, 3, 200, 777], 30 * number))
        bases = [bytes(rng.choice(np.frombuffer(b"ACGTN", np.uint8), some)) for some in lengths]
        given.append(Copies(own, places, bases))
        copies = [
            own[:at] + new + own[at + len(new) :] for at, new in zip(places, bases, strict=True)
        ]
        expected.append(encoder.embed([own, *copies]).vectors)
    found = encoder.embed_copies(given)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)
    few = Copies(given[2].sequence, given[2].places[2:7], given[2].bases[2:7])
    alone = encoder.embed_copies([few])[0]
    assert np.array_equal(alone[0], found[2][0])
    assert np.array_equal(alone[1:], found[2][3:8])
