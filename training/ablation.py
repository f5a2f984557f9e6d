"""Ablation of human-promoter: one network with one thing changed, on held-out blocks.

    python training/ablation.py --data PATH/human

Writes human_promoter_ablation.tsv; takes half an hour on one core.
"""

from __future__ import annotations

import csv
import logging
from pathlib import Path

import numpy as np
from blocks import FOLDS, by_block
from members import LENGTHS, Ingredients
from one_network import data_folder, read_chromosomes, score_held_out
from samples import ENDS, MARKS, Genome, Places

from histpred.training.chromosome import Bins

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
CHOSEN = FOLDS[::2]  # half of them, for time


def main(arguments: list[str] | None = None) -> None:
    genome, bins, tiles = read_chromosomes(data_folder(__doc__, arguments))
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
    found = score_held_out(bins, tiles, genome.starts, CHOSEN, ingredients)
    figures = by_block(tiles.labels, found.block, found.logits)
    of = np.array([each.chromosome for each in found.blocks])
    return np.array([np.nanmean(figures[of == name], axis=0) for name in ENDS])


if __name__ == "__main__":
    main()
