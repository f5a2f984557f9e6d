"""Baselines against brute force, scipy's minimiser, and labels whose cause is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas
import pysam
import pytest

pytest.importorskip("sklearn", reason="needs the extra train")

from scipy.optimize import minimize
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score

from histpred.evaluation.baselines import (
    CPG,
    GC,
    INPUTS,
    KMERS,
    NEAREST,
    OF_GENOME,
    PREVALENCE,
    fit_baselines,
    sequence_features,
)
from histpred.genome.windows import WindowSpec, parse_window
from histpred.labels.examples import Examples
from histpred.labels.splits import TEST, TRAIN, VALIDATION

ROWS = 240
GC_MARK, PLACE_MARK, NOISE_MARK = range(3)
BODY = parse_window("body")


def sequences_of(shares: np.ndarray, rng: np.random.Generator) -> list[bytes]:
    """A sequence of 300 bases for each GC share."""
    return [
        rng.choice([*b"ACGT"], 300, p=[(1 - s) / 2, s / 2, s / 2, (1 - s) / 2])
        .astype(np.uint8)
        .tobytes()
        for s in shares
    ]


def make(seed: int = 0) -> tuple[Examples, np.ndarray]:
    """Windows on two chromosomes; one mark goes by GC, one by place, one by nothing.

    Sets alternate along the chromosomes; a tenth of the pairs is unlabelled.
    """
    rng = np.random.default_rng(seed)
    shares = rng.uniform(0.3, 0.7, ROWS)
    starts = np.sort(rng.integers(0, 1_000_000, ROWS))
    labels = np.column_stack(
        [
            shares + rng.normal(0, 0.03, ROWS) > 0.5,
            (starts // 250_000) % 2 == 1,
            rng.random(ROWS) < 0.2,
        ]
    ).astype(np.float32)
    labels[rng.random(labels.shape) < 0.1] = np.nan
    windows = pandas.DataFrame(
        {
            "chrom": np.where(np.arange(ROWS) % 2, "chr1", "chr2"),
            "start": starts,
            "end": starts + rng.integers(100, 5000, ROWS),
        }
    )
    features = sequence_features(sequences_of(shares, rng), BODY)
    units = np.arange(ROWS).astype(str)
    sets = rng.choice([TRAIN, VALIDATION, TEST], ROWS, p=[0.6, 0.2, 0.2])
    return Examples(windows, units, features, labels, sets), features


def scored(
    examples: Examples, features: np.ndarray, name: str = TEST
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    examples = examples._replace(inputs=features)
    these = examples.of(name)
    return fit_baselines(examples)(these.windows, these.inputs)


@pytest.fixture(scope="module")
def made() -> tuple[Examples, np.ndarray]:
    return make()


# Features.


@pytest.mark.parametrize(
    ("sequence", "gc", "cpg"),
    [
        (b"CGCGAATTNN", 4 / 8, 2 * 8 / (2 * 2)),
        (b"GCGC", 1, 1 * 4 / (2 * 2)),
        (b"CCGT", 3 / 4, 1 * 4 / (2 * 1)),
        (b"CNGA", 2 / 3, 0),
        (b"CCAA", 1 / 2, 0),
        (b"AATT", 0, 0),
        (b"NNNN", 0, 0),
    ],
)
def test_composition_by_hand(sequence, gc, cpg):
    features = sequence_features([sequence], BODY)
    assert features.dtype == np.float32
    assert features[:, :2].tolist() == [pytest.approx([gc, cpg])]


def test_both_strands_have_the_same_features():
    forward = b"ACGTTGCANCCGATTAGCGC"
    reverse = forward.translate(bytes.maketrans(b"ACGT", b"TGCA"))[::-1]
    features = sequence_features([forward, reverse], BODY)
    np.testing.assert_array_equal(features[0], features[1])


@pytest.mark.parametrize(
    ("upstream", "downstream"), [(15_000, 15_000), (11_000, 1_000), (500, 500)]
)
def test_of_a_window_around_a_point_the_nearest_kilobases_count(rng, upstream, downstream):
    window = WindowSpec("promoter", upstream, downstream, 0.5, whole=True)
    sequence = bytes(rng.choice([*b"ACGT"], upstream + downstream).astype(np.uint8))
    near = sequence[max(upstream - 1_000, 0) : upstream + 1_000]
    assert len(near) == min(2_000, upstream + downstream)
    np.testing.assert_array_equal(
        sequence_features([sequence], window), sequence_features([near], BODY)
    )


def test_kmers_are_shares_for_each_length():
    """Canonical 1- to 4-mers: 2 + 10 + 32 + 136."""
    features = sequence_features([b"ACGTTGCAATGC", b"AAAAAAAA"], BODY)
    assert features.shape == (2, 2 + 180)
    for part in np.split(features[:, 2:], [2, 12, 44], axis=1):
        np.testing.assert_allclose(part.sum(axis=1), 1, rtol=1e-6)
        assert part[1].max() == 1


def test_batches_give_what_all_at_once_gives():
    sequences = sequences_of(np.linspace(0.2, 0.8, 7), np.random.default_rng(0))
    parts = [sequence_features(batch, BODY) for batch in (sequences[:3], [], sequences[3:])]
    np.testing.assert_array_equal(np.concatenate(parts), sequence_features(sequences, BODY))


# What each baseline predicts.


def test_every_baseline_gives_probabilities_and_says_what_it_reads(made):
    found = scored(*made)
    assert list(found) == [PREVALENCE, GC, CPG, KMERS, NEAREST]
    assert list(INPUTS) == [PREVALENCE, OF_GENOME, GC, CPG, KMERS, NEAREST]
    for probabilities, thresholds in found.values():
        assert probabilities.shape == ((made[0].sets == TEST).sum(), 3)
        assert thresholds.shape == (3,)
        assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_prevalence_is_that_of_labelled_training_rows(made):
    probabilities, thresholds = scored(*made)[PREVALENCE]
    labels = made[0].labels[made[0].sets == TRAIN]
    for i, truth in enumerate(labels.T):
        ones, zeros = int((truth == 1).sum()), int((truth == 0).sum())
        assert set(probabilities[:, i]) == {ones / (ones + zeros)}
    assert thresholds.tolist() == [1] * 3  # it ranks no row above another


def test_prevalence_by_genome_is_that_of_the_genomes_labelled_training_rows(made):
    examples, features = made
    genome = np.where(np.arange(ROWS) < ROWS // 2, "human", "mouse")
    labels = examples.labels.copy()
    labels[genome == "mouse", NOISE_MARK] = np.nan  # unlabelled there: the prevalence of all
    examples = examples._replace(windows=examples.windows.assign(genome=genome), labels=labels)
    probabilities, _ = scored(examples, features)[OF_GENOME]
    train, test = examples.sets == TRAIN, examples.sets == TEST
    for name in ("human", "mouse"):
        expected = np.nanmean(labels[train & (genome == name)][:, :2], axis=0)
        found = probabilities[genome[test] == name]
        np.testing.assert_allclose(found[:, :2], np.tile(expected, (len(found), 1)), rtol=1e-6)
    np.testing.assert_allclose(
        probabilities[:, NOISE_MARK], np.nanmean(labels[train, NOISE_MARK]), rtol=1e-6
    )


def test_each_finds_what_it_can_see(made):
    """The composition tells of the first mark, the place of the second, nothing of the third."""
    labels = made[0].labels[made[0].sets == TEST]

    def auroc(name: str, mark: int) -> float:
        known = ~np.isnan(labels[:, mark])
        return roc_auc_score(labels[known, mark], scored(*made)[name][0][known, mark])

    assert auroc(GC, GC_MARK) > 0.95
    assert auroc(CPG, GC_MARK) < 0.75
    assert auroc(KMERS, GC_MARK) > 0.95
    assert auroc(NEAREST, PLACE_MARK) > 0.95
    assert auroc(GC, PLACE_MARK) < 0.75
    assert auroc(NEAREST, GC_MARK) < 0.75


def minimised(values: np.ndarray, truth: np.ndarray, strength: float) -> Callable:
    """L2-penalised logistic regression on standardised columns, by scipy's minimiser."""
    mean, scale = values.mean(axis=0), values.std(axis=0)
    scale[scale == 0] = 1

    def loss(weights: np.ndarray) -> float:
        logits = known @ weights[1:] + weights[0]
        return (
            weights[1:] @ weights[1:] / 2
            + strength * np.logaddexp(0, np.where(truth[labelled] == 1, -logits, logits)).sum()
        )

    def slope(weights: np.ndarray) -> np.ndarray:
        residual = 1 / (1 + np.exp(-(known @ weights[1:] + weights[0]))) - truth[labelled]
        return np.concatenate(
            [[strength * residual.sum()], weights[1:] + strength * known.T @ residual]
        )

    labelled = ~np.isnan(truth)
    known = (values[labelled] - mean) / scale
    found = minimize(loss, np.zeros(values.shape[1] + 1), jac=slope, method="BFGS").x
    return lambda rows: 1 / (1 + np.exp(-((rows - mean) / scale @ found[1:] + found[0])))


@pytest.mark.parametrize(("name", "strength"), [(GC, 1), (CPG, 1), (KMERS, 0.01)])
def test_logistic_regressions_are_at_the_minimum_of_their_loss(made, name, strength):
    examples, features = made
    values = features[:, 2:].astype(float)
    if name != KMERS:
        one = features[:, [GC, CPG].index(name)].astype(float)
        values = np.column_stack([one, one**2])
    train, test = examples.sets == TRAIN, examples.sets == TEST
    probabilities = scored(*made)[name][0]
    for mark in (GC_MARK, NOISE_MARK):
        predict = minimised(values[train], examples.labels[train, mark].astype(float), strength)
        np.testing.assert_allclose(probabilities[:, mark], predict(values[test]), atol=1e-3)


def test_nearest_neighbours_by_brute_force(made):
    """Five labelled training windows of the same chromosome, and the prevalence as a sixth."""
    examples = made[0]
    train, test = examples.of(TRAIN), examples.of(TEST)
    middle = (train.windows["start"] + train.windows["end"]) / 2
    found = scored(*made)[NEAREST][0]
    for row, window in enumerate(test.windows.itertuples()):
        for mark in range(3):
            truth = train.labels[:, mark]
            distance = (middle - (window.start + window.end) / 2).abs()
            candidates = sorted(
                (distance[i], truth[i])
                for i in range(len(truth))
                if train.windows["chrom"][i] == window.chrom and not np.isnan(truth[i])
            )
            nearest = [label for _, label in candidates[:5]] + [np.nanmean(truth)]
            assert found[row, mark] == pytest.approx(np.mean(nearest), abs=1e-6)


def test_a_chromosome_without_training_rows_has_the_prevalence(made):
    examples, features = made
    where = np.where(examples.sets == TEST, "chr3", "chr1")
    elsewhere = examples._replace(windows=examples.windows.assign(chrom=where))
    found = scored(elsewhere, features)
    np.testing.assert_allclose(found[NEAREST][0], found[PREVALENCE][0])


def test_fewer_neighbours_than_five_are_all_used(made):
    examples, features = made
    where = examples.windows["chrom"].to_numpy(copy=True)
    labelled = ~np.isnan(examples.labels).any(axis=1)
    two = np.flatnonzero((examples.sets == TRAIN) & labelled)[:2]
    where[two] = where[examples.sets == TEST] = "chr3"
    found = scored(examples._replace(windows=examples.windows.assign(chrom=where)), features)
    shares = found[PREVALENCE][0][0]
    wanted = (examples.labels[two].sum(axis=0) + shares) / 3
    np.testing.assert_allclose(found[NEAREST][0], np.tile(wanted, (len(found[NEAREST][0]), 1)))


# Thresholds.


@pytest.mark.parametrize("name", [GC, CPG, KMERS, NEAREST])
def test_thresholds_maximise_youdens_j_on_validation_rows(made, name):
    labels = made[0].of(VALIDATION).labels
    probabilities, thresholds = scored(*made, VALIDATION)[name]
    for truth, scores, threshold in zip(labels.T, probabilities.T, thresholds, strict=True):
        positive, negative = scores[truth == 1], scores[truth == 0]

        def j(value: float, positive=positive, negative=negative) -> float:
            return (positive >= value).mean() - (negative >= value).mean()

        skill = mannwhitneyu(positive, negative, alternative="greater").pvalue < 0.05
        assert (threshold < 1) == skill
        assert not skill or j(threshold) == pytest.approx(max(map(j, scores)))


def test_thresholds_reach_the_precision_that_the_bundle_s_calls_should_have(made):
    examples, features = made
    examples = examples._replace(inputs=features)
    held_out = examples.of(VALIDATION)
    scores = fit_baselines(examples, wanted=0.75)(held_out.windows, held_out.inputs)
    probabilities, thresholds = scores[GC]
    assert thresholds[NOISE_MARK] == 1
    known = ~np.isnan(held_out.labels[:, GC_MARK])
    called = probabilities[known, GC_MARK] >= thresholds[GC_MARK]
    assert 0.75 <= held_out.labels[known, GC_MARK][called].mean() < 1
    by_youden = fit_baselines(examples)(held_out.windows, held_out.inputs)[GC][1]
    assert by_youden[GC_MARK] != thresholds[GC_MARK] < 1


def test_test_rows_change_nothing(made):
    examples, features = made
    test = examples.sets == TEST
    labels = np.where(test[:, None], 1 - examples.labels, examples.labels)
    changed = np.where(test[:, None], 0, features)
    before = scored(examples, features, VALIDATION)
    after = scored(examples._replace(labels=labels), changed, VALIDATION)
    for name, (probabilities, thresholds) in before.items():
        np.testing.assert_array_equal(after[name][0], probabilities)
        np.testing.assert_array_equal(after[name][1], thresholds)


def test_a_mark_of_one_class_in_the_validation_rows_is_not_called(made):
    examples, features = made
    labels = examples.labels.copy()
    labels[examples.sets == VALIDATION, 0] = 0
    labels[examples.sets == VALIDATION, 1] = np.nan
    found = scored(examples._replace(labels=labels), features)
    for name in (GC, CPG, KMERS, NEAREST):
        probabilities, thresholds = found[name]
        assert thresholds[0] == 1
        assert not (probabilities[:, 0] >= thresholds[0]).any()
    assert found[PREVALENCE][1].tolist() == [1] * 3


# Marks and sets with little in them.


@pytest.mark.parametrize("value", [0, 1])
def test_a_mark_of_one_class_in_training_has_its_prevalence(made, value):
    examples, features = made
    labels = examples.labels.copy()
    labels[examples.sets == TRAIN, 0] = value
    for probabilities, thresholds in scored(examples._replace(labels=labels), features).values():
        assert set(probabilities[:, 0]) == {value}
        assert thresholds[0] == 1


def test_a_mark_without_labels_in_training_is_even(made):
    examples, features = made
    labels = examples.labels.copy()
    labels[examples.sets == TRAIN, 0] = np.nan
    before = scored(*made)
    for name, found in scored(examples._replace(labels=labels), features).items():
        assert set(found[0][:, 0]) == {0.5}
        np.testing.assert_array_equal(found[0][:, 1:], before[name][0][:, 1:])


@pytest.mark.parametrize("name", [TRAIN, VALIDATION])
def test_a_set_may_be_empty(made, name):
    examples, features = made
    sets = np.where(examples.sets == name, "unused", examples.sets)
    for probabilities, thresholds in scored(examples._replace(sets=sets), features).values():
        assert np.isfinite(probabilities).all()
        assert np.isfinite(thresholds).all()


def test_no_rows_are_no_probabilities(made):
    for probabilities, _ in scored(*made, "nothing").values():
        assert probabilities.shape == (0, 3)


def test_features_that_do_not_vary(made):
    examples, features = made
    alike = np.repeat(features[:1], ROWS, axis=0)
    found = scored(examples, alike)
    for name in (GC, CPG, KMERS):
        np.testing.assert_allclose(found[name][0], found[PREVALENCE][0], atol=0.05)


# Real data.


@pytest.mark.shared
def test_kmers_around_real_tiles_do_as_well_as_others_found(shared_data):
    """The data's README finds a macro-AUROC of 0.813 over eight marks, here on every third tile.

    Canonical 4-mers of 1 kb around 200 bp tiles of chr22, logistic regression, trained below 30 Mb
    and scored beyond.
    """
    folder = shared_data / "human" / "chr22"
    tiles = pandas.read_csv(folder / "labels_tiles.tsv.gz", sep="\t").iloc[::3]
    marks = [name for name in tiles if name.startswith("c25.") and name != "c25.H3F3A"]
    with pysam.FastaFile(str(folder / "hg19.chr22.fa.gz")) as fasta:
        bases = fasta.fetch("chr22").upper().encode()
    features = sequence_features(
        [bases[start - 400 : start + 600] for start in tiles["start"]], BODY
    )
    examples = Examples(
        tiles[["chrom", "start", "end"]].reset_index(drop=True),
        np.arange(len(tiles)),
        features,
        tiles[marks].to_numpy(np.float32),
        np.where(tiles["end"] <= 30_000_000, TRAIN, VALIDATION),
    )
    probabilities = scored(examples, features, VALIDATION)[KMERS][0]
    labels = examples.of(VALIDATION).labels
    macro = np.mean([roc_auc_score(*pair) for pair in zip(labels.T, probabilities.T, strict=True)])
    assert macro == pytest.approx(0.813, abs=0.01)
