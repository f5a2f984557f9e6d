"""Would outputs for single samples tell cell types apart? Figures on held-out blocks.

    python training/cell_types.py --data PATH/human

One network has an output for each sample (mark, and cell line or tissue) of both chromosomes. Of
each sample's peaks on the held-out tiles, the AUROC of its own output is compared with that of the
mean output of all samples of its mark, and with those of the other samples: an output that knows
its cell type ranks its own peaks best. Writes human_promoter_cell_types.tsv; takes ten minutes on
one core.
"""

from __future__ import annotations

import logging
from argparse import ArgumentParser, RawTextHelpFormatter
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from blocks import FOLDS, aurocs, block_of, outside
from members import MEMBER, Ingredients, fit_member
from samples import BIN, ENDS, MARKS, Genome, Places, bin_counts, read_genome, read_tiles
from sklearn.metrics import average_precision_score

from histpred.training.chromosome import Bins, bins_of, embed_bins
from histpred.training.spectra import mean_logits

logger = logging.getLogger("cell_types")

TABLE = Path(__file__).with_name("human_promoter_cell_types.tsv")
HEADER = (
    *("mark", "sample", "tiles with peaks", "AUROC", "AUROC of the mean"),
    *("AUPRC", "AUPRC of the mean", "rank of its own output", "of"),
)


def main(arguments: list[str] | None = None) -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder human")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)

    genome = read_genome(options.data)
    bins = bins_of(bin_counts(genome.codes), BIN)
    samples = samples_of_both(options.data)
    tiles = with_samples(read_tiles(options.data, genome), options.data, samples)
    labels, scores = held_out_scores(genome, bins, tiles)
    table = compare(samples, labels, scores)
    table.to_csv(TABLE, sep="\t", index=False, float_format="%.3f")
    for mark, rows in table.groupby("mark"):
        logger.info("%s: %s", mark, rows.mean(numeric_only=True).round(3).to_dict())


def samples_of_both(folder: Path) -> list[str]:
    """Names mark.sample of the samples that both chromosomes have."""
    columns = [
        pd.read_csv(folder / name / "labels_tiles.tsv.gz", sep="\t", nrows=0).columns
        for name in ENDS
    ]
    own = [name for name in columns[0] if name.partition(".")[0] in MARKS and "." in name]
    return [name for name in own if all(name in names for names in columns)]


def with_samples(tiles: Places, folder: Path, samples: list[str]) -> Places:
    """The tiles with labels and targets of samples in place of those of marks."""
    parts = []
    for name, end in ENDS.items():
        table = pd.read_csv(folder / name / "labels_tiles.tsv.gz", sep="\t")
        inside = (table["start"] + table["end"]) // 2 < end
        parts.append(table.loc[inside, samples].to_numpy(bool))
    labels = np.concatenate(parts)
    return tiles._replace(labels=labels, targets=labels.astype(np.float32))


def held_out_scores(
    genome: Genome, bins: Bins, tiles: Places
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Labels and logits of the tiles of each block, [tiles, samples] each."""
    blocks = [block for fold in FOLDS for block in fold]
    block = block_of(tiles.position, blocks, genome.starts)
    labels, scores = [], []
    for number, fold in enumerate(FOLDS):
        training = tiles.where(outside(tiles.position, fold, genome.starts))
        network = fit_member(bins, training, Ingredients(), MEMBER)
        for each in fold:
            rows = block == blocks.index(each)
            chosen = np.zeros(len(bins.weight), bool)
            chosen[tiles.position[rows] // BIN] = True
            scores.append(mean_logits([network], embed_bins([network], bins, chosen)).numpy())
            labels.append(tiles.labels[rows])
        logger.info("%d of %d folds", number + 1, len(FOLDS))
    return labels, scores


def compare(samples: list[str], labels: list[np.ndarray], scores: list[np.ndarray]) -> pd.DataFrame:
    """A row for each sample; figures are means over the blocks."""
    marks = np.array([name.partition(".")[0] for name in samples])
    rows = []
    for i, name in enumerate(samples):
        (same,) = np.nonzero(marks == marks[i])
        found = []
        for truth, logits in zip(labels, scores, strict=True):
            of_all = np.column_stack([logits[:, same], logits[:, same].mean(axis=1)])
            repeated = np.repeat(truth[:, [i]], of_all.shape[1], axis=1)
            ranks = aurocs(repeated, of_all)
            own = int(np.flatnonzero(same == i)[0])
            if not np.isnan(ranks[own]):
                precise = [average_precision_score(truth[:, i], of_all[:, j]) for j in (own, -1)]
                best = 1 + int((ranks[:-1] > ranks[own]).sum())
                found.append([ranks[own], ranks[-1], *precise, best])
        positives = sum(int(truth[:, i].sum()) for truth in labels)
        rows.append([marks[i], name, positives, *np.mean(found, axis=0), len(same)])
    return pd.DataFrame(rows, columns=list(HEADER))


if __name__ == "__main__":
    main()
