"""One network for each fold, on held-out blocks: what ablation.py and cell_types.py share."""

from __future__ import annotations

import logging
from argparse import ArgumentParser, RawTextHelpFormatter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from blocks import Block, Fold, block_of, outside
from members import MEMBER, Ingredients, fit_member
from samples import BIN, Genome, Places, bin_counts, read_genome, read_tiles

from histpred.training.chromosome import Bins, bins_of, embed_bins
from histpred.training.spectra import mean_logits


class HeldOutTiles(NamedTuple):
    """Logits [n, marks] of tiles, NaN outside of all blocks; `block` is the number of each's, [n].

    The number of a tile outside of all blocks is -1.
    """

    blocks: tuple[Block, ...]
    block: np.ndarray
    logits: np.ndarray


def data_folder(description: str | None, arguments: list[str] | None) -> Path:
    """The folder human that a script's option --data names; logging and threads are set up."""
    parser = ArgumentParser(description=description, formatter_class=RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder human")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    folder: Path = options.data
    return folder


def read_chromosomes(folder: Path) -> tuple[Genome, Bins, Places]:
    """The genome, its bins and its tiles."""
    genome = read_genome(folder)
    return genome, bins_of(bin_counts(genome.codes), BIN), read_tiles(folder, genome)


def score_held_out(
    bins: Bins,
    tiles: Places,
    starts: Mapping[str, int],
    folds: Sequence[Fold],
    ingredients: Ingredients,
) -> HeldOutTiles:
    """Score the tiles of each fold by a network trained without it; see `Genome` for `starts`."""
    blocks = tuple(block for fold in folds for block in fold)
    block = block_of(tiles.position, blocks, starts)
    logits = np.full(tiles.labels.shape, np.nan)
    for fold in folds:
        training = tiles.where(outside(tiles.position, fold, starts))
        network = fit_member(bins, training, ingredients, MEMBER)
        held_out = np.isin(block, [blocks.index(each) for each in fold])
        chosen = np.zeros(len(bins.weight), bool)
        chosen[tiles.position[held_out] // BIN] = True
        logits[held_out] = mean_logits([network], embed_bins([network], bins, chosen)).numpy()
    return HeldOutTiles(blocks, block, logits)
