"""Ablation of human-promoter: one network with one thing changed, on held-out blocks.

    python training/ablation.py --data PATH/human

Writes human_promoter_ablation.tsv; takes half an hour on one core.
"""

from __future__ import annotations

import csv
import logging
from argparse import ArgumentParser, RawTextHelpFormatter
from pathlib import Path

import numpy as np
import torch
from blocks import FOLDS, block_of, by_block, outside
from members import LENGTHS, MEMBER, Ingredients, fit_member
from samples import BIN, ENDS, MARKS, Genome, Places, bin_counts, read_genome, read_tiles

from histpred.training.chromosome import Bins, bins_of, embed_bins
from histpred.training.spectra import mean_logits

logger = logging.getLogger("ablation")

VARIANTS = {
    "as it is, one network": Ingredients(),
    "stretches to 60 kb": Ingredients(lengths=(*LENGTHS, 60_200)),
    "stretches to 10 kb": Ingredients(lengths=LENGTHS[:-1]),
    "one stretch of 2.2 kb": Ingredients(lengths=(2_200,)),
    "0/1 labels in place of the share of samples": Ingredients(graded=False),
    "no dropout of the spectra": Ingredients(input_dropout=0.0),
    "rare marks not weighted": Ingredients(rarity=0.0),
}
ABLATION = Path(__file__).with_name("human_promoter_ablation.tsv")
CHOSEN = (0, 2)  # folds: half of them, for time


def main(arguments: list[str] | None = None) -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder human")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)

    genome = read_genome(options.data)
    bins = bins_of(bin_counts(genome.codes), BIN)
    tiles = read_tiles(options.data, genome)
    with open(ABLATION, "w", newline="") as lines:
        writer = csv.writer(lines, delimiter="\t", lineterminator="\n")
        writer.writerow(["one network, trained with", *ENDS, *MARKS])
        for name, ingredients in VARIANTS.items():
            by_chromosome = held_out_aurocs(genome, bins, tiles, ingredients)
            means = [*by_chromosome.mean(axis=1), *np.nanmean(by_chromosome, axis=0)]
            writer.writerow([name, *(f"{mean:.3f}" for mean in means)])
            lines.flush()
            logger.info("%s: macro AUROC %s", name, means[: len(ENDS)])


def held_out_aurocs(
    genome: Genome, bins: Bins, tiles: Places, ingredients: Ingredients
) -> np.ndarray:
    """AUROC of each chromosome and mark, means over its blocks: [chromosomes, marks]."""
    blocks = [block for number in CHOSEN for block in FOLDS[number]]
    block = block_of(tiles.position, blocks, genome.starts)
    scores = np.full(tiles.labels.shape, np.nan)
    for number in CHOSEN:
        fold = FOLDS[number]
        training = tiles.where(outside(tiles.position, fold, genome.starts))
        network = fit_member(bins, training, ingredients, MEMBER)
        held_out = np.isin(block, [blocks.index(each) for each in fold])
        chosen = np.zeros(len(bins.weight), bool)
        chosen[tiles.position[held_out] // BIN] = True
        scores[held_out] = mean_logits([network], embed_bins([network], bins, chosen)).numpy()
    figures = by_block(tiles.labels, block, scores)
    of = np.array([each.chromosome for each in blocks])
    return np.array([np.nanmean(figures[of == name], axis=0) for name in ENDS])


if __name__ == "__main__":
    main()
