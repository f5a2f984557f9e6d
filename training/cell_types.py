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
from pathlib import Path

import numpy as np
import pandas as pd
from blocks import FOLDS, aurocs
from members import Ingredients
from one_network import HeldOutTiles, data_folder, read_chromosomes, score_held_out
from samples import ENDS, MARKS, Places
from sklearn.metrics import average_precision_score

logger = logging.getLogger("cell_types")

TABLE = Path(__file__).with_name("human_promoter_cell_types.tsv")
HEADER = (
    *("mark", "sample", "tiles with peaks", "AUROC", "AUROC of the mean"),
    *("AUPRC", "AUPRC of the mean", "rank of its own output", "of"),
)


def main(arguments: list[str] | None = None) -> None:
    folder = data_folder(__doc__, arguments)
    genome, bins, tiles = read_chromosomes(folder)
    samples = samples_of_both(folder)
    tiles = with_samples(tiles, folder, samples)
    found = score_held_out(bins, tiles, genome.starts, FOLDS, Ingredients())
    table = compare(samples, tiles.labels, found)
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


def compare(samples: list[str], labels: np.ndarray, tiles: HeldOutTiles) -> pd.DataFrame:
    """A row for each sample; figures are means over the blocks."""
    blocks = [tiles.block == number for number in range(len(tiles.blocks))]
    marks = np.array([name.partition(".")[0] for name in samples])
    rows = []
    for i, name in enumerate(samples):
        (same,) = np.nonzero(marks == marks[i])
        found = []
        for inside in blocks:
            truth, logits = labels[inside], tiles.logits[inside]
            of_all = np.column_stack([logits[:, same], logits[:, same].mean(axis=1)])
            repeated = np.repeat(truth[:, [i]], of_all.shape[1], axis=1)
            ranks = aurocs(repeated, of_all)
            own = int(np.flatnonzero(same == i)[0])
            if not np.isnan(ranks[own]):
                precise = [average_precision_score(truth[:, i], of_all[:, j]) for j in (own, -1)]
                best = 1 + int((ranks[:-1] > ranks[own]).sum())
                found.append([ranks[own], ranks[-1], *precise, best])
        positives = int(labels[tiles.block >= 0, i].sum())
        rows.append([marks[i], name, positives, *np.mean(found, axis=0), len(same)])
    return pd.DataFrame(rows, columns=list(HEADER))


if __name__ == "__main__":
    main()
