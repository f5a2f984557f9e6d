"""Networks on the chromosomes: spectra networks, and the scorer that is distilled from them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from blocks import FOLDS, GAP, WAYS, Fold
from genes import pooled_logits, positions_around
from regions import fit_regions, further_logits, links_of, read_regions
from samples import (
    BIN,
    ENDS,
    MARKS,
    Genome,
    Places,
    bin_counts,
    features_of,
    read_genes,
    read_genome,
    read_tiles,
)
from torch import nn

from histpred.training.chromosome import Bins, bins_of, distil, embed_bins, segment_losses
from histpred.training.fitting import fit, reproducible
from histpred.training.perceptron import MarkNetwork
from histpred.training.settings import Settings
from histpred.training.spectra import HIDDEN, SpectraNetwork, mean_logits, nested, side_by_side

SEED = 22
LENGTHS = (200, 600, 1_000, 2_200, 4_200, 10_200, 30_200)  # bp, of the nested stretches
REACH = max(LENGTHS) // 2
MOST_WEIGHT = 20.0  # of a positive
FEWEST_KNOWN = 0.5  # of a bin; bins of which less is known are not used for distillation
FEWEST_KNOWN_AROUND = 0.1  # of what is read around a gene or region; with less, it is not used
SCORER_HIDDEN = (128, 64, 64, 32, 32)
WINDOWS_AT_ONCE = 32
VECTORS_AT_ONCE = 4_096

MEMBER = Settings(epochs=12, batch=2, learning_rate=2e-3, weight_decay=1e-2, seed=SEED)
REGION_MEMBER = MEMBER._replace(epochs=12, batch=256)
SCORER = Settings(epochs=3, batch=512, learning_rate=2e-3, weight_decay=0.0, seed=SEED)


class Plan(NamedTuple):
    """How much is trained, and on which blocks it is evaluated.

    The defaults are those of the shipped bundle. folds: blocks that are left out together; ways:
    the same for whole chromosomes. members: networks for tiles and for regions. bootstraps: samples
    behind each interval that decides whether a mark is called.
    """

    folds: Sequence[Fold] = FOLDS
    ways: Sequence[Fold] = WAYS
    gap: int = GAP
    members: tuple[int, int] = (5, 2)
    member: Settings = MEMBER
    region_member: Settings = REGION_MEMBER
    scorer: Settings = SCORER
    bootstraps: int = 1000


class Ingredients(NamedTuple):
    """What a member reads and learns.

    lengths: of the nested stretches, bp. rarity: positives of a mark are weighted by
    (negatives/positives) to this power. graded: True if the target is the share of samples, False
    for the label.
    """

    lengths: tuple[int, ...] = LENGTHS
    rarity: float = 0.5
    graded: bool = True
    input_dropout: float = 0.3


class Data(NamedTuple):
    """Both chromosomes, and what regions of the other chromosomes taught.

    regions: those of ENDS, with the marks FURTHER. features: what the baselines read around tiles,
    genes and regions. links: see `links_of`.
    """

    genome: Genome
    bins: Bins
    tiles: Places
    genes: Places
    regions: Places
    features: tuple[np.ndarray, np.ndarray, np.ndarray]
    region_members: list[SpectraNetwork]
    links: np.ndarray
    regions_trained_on: int


class Model(NamedTuple):
    """Networks, and the scorer of intervals (MARKS and FURTHER) that was distilled from them."""

    members: list[SpectraNetwork]
    of_intervals: MarkNetwork

    @property
    def encoder(self) -> nn.Module:
        """The last hidden layers of all networks side by side."""
        return side_by_side(self.members)


def read(folder: Path, plan: Plan) -> Data:
    """Read the folder human; genes and regions in mostly unknown sequence are left out."""
    genome = read_genome(folder)
    bins = bins_of(bin_counts(genome.codes), BIN)
    regions = read_regions(folder, genome)
    elsewhere = regions.where(~np.isin(regions.chromosome, list(ENDS)))
    tiles = read_tiles(folder, genome)
    genes = _known_around(genome.codes, read_genes(folder, genome))
    placed = _known_around(genome.codes, regions.where(regions.position >= 0).places())
    tiles_features, genes_features, regions_features = (
        features_of(genome, places.position) for places in (tiles, genes, placed)
    )
    return Data(
        genome,
        bins,
        tiles,
        genes,
        placed,
        (tiles_features, genes_features, regions_features),
        [fit_regions(bins, elsewhere, s) for s in _seeds(plan.region_member, plan.members[1])],
        links_of(elsewhere),
        len(elsewhere.position),
    )


def _known_around(codes: np.ndarray, places: Places) -> Places:
    known = (windows_at(codes, places.position) < 4).mean(axis=1)
    return places.where(known >= FEWEST_KNOWN_AROUND)


def _seeds(settings: Settings, count: int) -> list[Settings]:
    return [settings._replace(seed=settings.seed + i) for i in range(count)]


def windows_at(codes: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Windows of the encoder around positions, uint8 [n, 2 x REACH]."""
    return codes[positions[:, None] + np.arange(-REACH, REACH)]


def fit_member(
    bins: Bins, places: Places, ingredients: Ingredients, settings: Settings
) -> SpectraNetwork:
    """Train a network on all the places."""
    targets = places.targets if ingredients.graded else places.labels.astype(np.float32)
    prevalence = targets.mean(axis=0)
    ratio = ((1 - prevalence) / np.maximum(prevalence, 1e-3)) ** ingredients.rarity
    loss_of = nn.BCEWithLogitsLoss(pos_weight=torch.from_numpy(ratio).clamp(max=MOST_WEIGHT))
    stretches = nested(*ingredients.lengths)
    with reproducible(settings.seed):
        network = SpectraNetwork(targets.shape[1], BIN, stretches, both_strands=True)
        bins.give_scale(network)
        network.stretches.dropout.p = ingredients.input_dropout
        losses = segment_losses(network, bins, places.position, targets, loss_of, settings)
        fit(network, losses, settings)
    return network


def train(data: Data, plan: Plan, usable: Callable[[np.ndarray], np.ndarray]) -> Model:
    """Train members on the tiles, and distil a scorer from their logits of the bins.

    `usable`, from positions [n] to a mask [n], says which tiles and which bins train.
    """
    tiles = data.tiles.where(usable(data.tiles.position))
    of_tiles = [
        fit_member(data.bins, tiles, Ingredients(), settings)
        for settings in _seeds(plan.member, plan.members[0])
    ]
    members = [*of_tiles, *data.region_members]
    middles = np.arange(len(data.bins.weight)) * BIN + BIN // 2
    taught = usable(middles) & before_ends(middles, data.genome)
    taught &= data.bins.weight.numpy() >= FEWEST_KNOWN
    embeddings = embed_bins(members, data.bins, taught)
    widths = [len(networks) * HIDDEN[1] for networks in (of_tiles, data.region_members)]
    first, second = embeddings.split(widths, dim=1)
    logits = mean_logits(of_tiles, first)
    further = further_logits(logits, data.links, mean_logits(data.region_members, second))
    both = torch.cat([logits, further], dim=1)
    return Model(members, distil(embeddings, both, SCORER_HIDDEN, plan.scorer))


def before_ends(positions: np.ndarray, genome: Genome) -> np.ndarray:
    """True where a position lies before the end of its chromosome's labels, bool [n]."""
    inside = [
        (positions >= start) & (positions < start + ENDS[name])
        for name, start in genome.starts.items()
    ]
    return np.logical_or.reduce(inside)


def logits_of_tiles(model: Model, bins: Bins, positions: np.ndarray) -> np.ndarray:
    """The scorer's logits of the bins in which positions lie, float32 [n, marks]."""
    numbers = positions // BIN
    chosen = np.zeros(len(bins.weight), bool)
    chosen[numbers] = True
    embeddings = embed_bins(model.members, bins, chosen).split(VECTORS_AT_ONCE)
    with torch.inference_mode():
        logits = np.concatenate([model.of_intervals(some).numpy() for some in embeddings])
    found: np.ndarray = logits[np.cumsum(chosen)[numbers] - 1]
    return found


def logits_at(model: Model, codes: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """The scorer's logits around positions, float32 [n, marks]."""
    encoder = model.encoder
    batches = np.split(positions, range(WINDOWS_AT_ONCE, len(positions), WINDOWS_AT_ONCE))
    windows = (torch.from_numpy(windows_at(codes, batch)) for batch in batches)
    with torch.inference_mode():
        scored = [model.of_intervals(encoder(batch)).numpy() for batch in windows]
    return np.concatenate(scored)


def pooled_at(model: Model, codes: np.ndarray, genes: Places) -> np.ndarray:
    """What the regressions of genes read, float32 [n, 2 x MARKS]."""
    logits = logits_at(model, codes, positions_around(genes))
    return pooled_logits(logits[:, : len(MARKS)])


def network_of_marks(model: Model) -> MarkNetwork:
    """The scorer of intervals with MARKS alone."""
    network = copy.deepcopy(model.of_intervals)
    network.mark_vectors = nn.Parameter(network.mark_vectors[: len(MARKS)], requires_grad=False)
    return network
