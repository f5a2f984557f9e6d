"""Ablation of human-promoter: one network with one thing changed, on held-out blocks.

    python training/ablation.py --data PATH/human

Writes human_promoter_ablation.tsv; takes a quarter of an hour on one core.
"""

from __future__ import annotations

import csv
import logging
from argparse import ArgumentParser, RawTextHelpFormatter
from pathlib import Path

import numpy as np
import torch
from blocks import BLOCKS, block_of, by_block, outside
from members import LENGTHS, MEMBER, Ingredients, fit_member
from samples import BIN, MARKS, Places, bin_counts, read_chromosome, read_tiles
from tables import ABLATION

from histpred.training.chromosome import Bins, bins_of, embed_bins
from histpred.training.spectra import mean_logits

logger = logging.getLogger("ablation")

VARIANTS = {
    "as it is, one network": Ingredients(),
    "stretches to 60 kb": Ingredients(lengths=(*LENGTHS, 60_200)),
    "stretches to 10 kb": Ingredients(lengths=LENGTHS[:-1]),
    "stretches to 2.2 kb": Ingredients(lengths=LENGTHS[:-3]),
    "one stretch of 2.2 kb": Ingredients(lengths=(2_200,)),
    "0/1 labels in place of the share of samples": Ingredients(graded=False),
    "no dropout of the spectra": Ingredients(input_dropout=0.0),
    "rare marks not weighted": Ingredients(rarity=0.0),
}


def main(arguments: list[str] | None = None) -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder human")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)

    codes = read_chromosome(options.data / "chr22" / "hg19.chr22.fa.gz")
    bins = bins_of(bin_counts(codes), BIN)
    tiles = read_tiles(options.data / "chr22" / "labels_tiles.tsv.gz")
    with open(ABLATION, "w", newline="") as lines:
        writer = csv.writer(lines, delimiter="\t", lineterminator="\n")
        writer.writerow(["one network, trained with", "mean of blocks", *MARKS])
        for name, ingredients in VARIANTS.items():
            figures = held_out_aurocs(bins, tiles, ingredients)
            means = [np.nanmean(figures, axis=1).mean(), *np.nanmean(figures, axis=0)]
            writer.writerow([name, *(f"{mean:.3f}" for mean in means)])
            lines.flush()
            logger.info("%s: macro AUROC %.4f", name, means[0])


def held_out_aurocs(bins: Bins, tiles: Places, ingredients: Ingredients) -> np.ndarray:
    """AUROC of each block and mark, [blocks, marks]."""
    block = block_of(tiles.position, BLOCKS)
    scores = np.full(tiles.labels.shape, np.nan)
    for number, bounds in enumerate(BLOCKS):
        training = tiles.where(outside(tiles.position, bounds))
        network = fit_member(bins, training, ingredients, MEMBER)
        held_out = block == number
        chosen = np.zeros(len(bins.weight), bool)
        chosen[tiles.position[held_out] // BIN] = True
        scores[held_out] = mean_logits([network], embed_bins([network], bins, chosen)).numpy()
    return by_block(tiles.labels, block, scores)


if __name__ == "__main__":
    main()
