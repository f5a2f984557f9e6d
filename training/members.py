"""Networks on chromosome 22: spectra networks, and the scorers that are distilled from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from blocks import BLOCKS, GAP, STRETCH, Block
from regions import CHROMOSOME, fit_regions, further_logits, links_of, read_regions
from samples import BIN, END, Places, bin_counts, read_chromosome, read_genes, read_tiles
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

MEMBER = Settings(epochs=12, batch=2, learning_rate=2e-3, weight_decay=1e-2, seed=SEED)
REGION_MEMBER = MEMBER._replace(batch=256)
SCORER = Settings(epochs=12, batch=512, learning_rate=2e-3, weight_decay=0.0, seed=SEED)


class Plan(NamedTuple):
    """How much is trained, and on which blocks it is evaluated.

    The defaults are those of the shipped bundle. members: networks for intervals, for genes and for
    regions. bootstraps: samples behind each interval that decides whether a mark is called.
    """

    blocks: Sequence[Block] = BLOCKS
    stretch: Block = STRETCH
    gap: int = GAP
    members: tuple[int, int, int] = (5, 3, 2)
    member: Settings = MEMBER
    region_member: Settings = REGION_MEMBER
    scorer: Settings = SCORER
    bootstraps: int = 1000


class Ingredients(NamedTuple):
    """What a member reads and learns.

    lengths: of the nested stretches, bp. rarity: positives of a mark are weighted by
    (negatives/positives) to this power. graded: True if the target is the share of samples, False
    for the label. near: True if it is the highest share within 2 kb.
    """

    lengths: tuple[int, ...] = LENGTHS
    rarity: float = 0.5
    graded: bool = True
    near: bool = False
    input_dropout: float = 0.3


class Data(NamedTuple):
    """Chromosome 22, and what regions of other chromosomes taught.

    codes: uint8 [bp]. regions: those of chr22, with the marks FURTHER. links: see `links_of`.
    """

    codes: np.ndarray
    bins: Bins
    tiles: Places
    genes: Places
    regions: Places
    region_members: list[SpectraNetwork]
    links: np.ndarray
    regions_trained_on: int


class Model(NamedTuple):
    """An encoder and the scorers of genes (MARKS) and of intervals (MARKS and FURTHER)."""

    encoder: nn.Module
    of_genes: MarkNetwork
    of_intervals: MarkNetwork


def read(folder: Path, plan: Plan) -> Data:
    """Read the folder human; genes and regions in mostly unknown sequence are left out."""
    codes = read_chromosome(folder / "chr22" / "hg19.chr22.fa.gz")
    bins = bins_of(bin_counts(codes), BIN)
    regions = read_regions(folder, codes)
    elsewhere = regions.where(regions.chromosome != CHROMOSOME)
    return Data(
        codes,
        bins,
        read_tiles(folder / "chr22" / "labels_tiles.tsv.gz"),
        _known_around(codes, read_genes(folder / "chr22" / "labels_genes.tsv.gz")),
        _known_around(codes, regions.where(regions.position >= 0).places()),
        [fit_regions(bins, elsewhere, s) for s in _seeds(plan.region_member, plan.members[2])],
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
    shares = places.near if ingredients.near else places.targets
    targets = shares if ingredients.graded else places.labels.astype(np.float32)
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
    """Train members on the tiles, and distil scorers from their logits of the bins.

    `usable`, from positions [n] to a mask [n], says which tiles and which bins train.
    """
    tiles = data.tiles.where(usable(data.tiles.position))
    plans = zip((Ingredients(), Ingredients(near=True)), plan.members[:2], strict=True)
    parts = [
        [fit_member(data.bins, tiles, ingredients, s) for s in _seeds(plan.member, count)]
        for ingredients, count in plans
    ]
    parts.append(data.region_members)
    members = [network for networks in parts for network in networks]
    middles = np.arange(len(data.bins.weight)) * BIN + BIN // 2
    taught = usable(middles) & (middles < END) & (data.bins.weight.numpy() >= FEWEST_KNOWN)
    embeddings = embed_bins(members, data.bins, taught)
    widths = [len(networks) * HIDDEN[1] for networks in parts]
    of_tiles, of_genes, of_regions = (
        mean_logits(networks, part)
        for networks, part in zip(parts, embeddings.split(widths, dim=1), strict=True)
    )
    of_intervals = torch.cat([of_tiles, further_logits(of_tiles, data.links, of_regions)], dim=1)
    both = (of_genes, of_intervals)
    scorers = [distil(embeddings, logits, SCORER_HIDDEN, plan.scorer) for logits in both]
    return Model(side_by_side(members), *scorers)


def logits_at(
    encoder: nn.Module, scorer: MarkNetwork, codes: np.ndarray, positions: np.ndarray
) -> np.ndarray:
    """The scorer's logits around positions, float32 [n, marks]."""
    batches = np.split(positions, range(WINDOWS_AT_ONCE, len(positions), WINDOWS_AT_ONCE))
    windows = (torch.from_numpy(windows_at(codes, batch)) for batch in batches)
    with torch.inference_mode():
        return np.concatenate([scorer(encoder(batch)).numpy() for batch in windows])
