"""Draw a dozen non-coding genes beside their measured peaks, and print a table of them.

    python training/gene_examples.py --data PATH/human --work FOLDER -o docs/images

FOLDER holds the finished models of human_promoter.py. Each gene and tile is scored by models that
were trained without its block. The genes are not chosen by hand: six of each chromosome, at even
steps along it, of those whose surroundings have labels. Takes five minutes on one core.
"""

from __future__ import annotations

from argparse import ArgumentParser, RawTextHelpFormatter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from held_out import HeldOut, hold_out
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from members import Data, Plan, read
from samples import BIN, MARKS
from tables import table

from histpred.core.marks import by_class, mark_colour

EACH = 6  # genes of a chromosome
REACH = 10_000  # bp drawn to each side of the TSS
FEWEST_LABELLED = 0.9  # of the tiles there
DRAWN = by_class(MARKS)
LANES = DRAWN[::-1]  # from below
HEIGHT = 0.9  # of a lane
TITLE = (
    "Area: share of the samples with a peak there, as measured. Line: probability predicted from "
    "sequence,\nby models that were trained without this part of the chromosome."
)
PICTURE = "noncoding-genes.png"


class Example(NamedTuple):
    """A gene: its row of the held-out genes, and what the data folder says of it."""

    row: int
    name: str
    biotype: str
    chromosome: str
    tss: int
    strand: str


def main(arguments: list[str] | None = None) -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder human")
    parser.add_argument("--work", type=Path, required=True, help="the folder of finished models")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the picture")
    options = parser.parse_args(arguments)
    plan = Plan()
    data = read(options.data, plan)
    tiles, genes, _ = hold_out(data, plan, plan.folds, options.work)
    examples = choose(options.data, data, tiles, genes)
    draw(examples, data, tiles).savefig(options.output / PICTURE, dpi=100)
    print(table_of(examples, genes))


def choose(folder: Path, data: Data, tiles: HeldOut, genes: HeldOut) -> list[Example]:
    """Genes at even steps along each chromosome."""
    labelled = np.isin(np.arange(len(data.bins.weight)), tiles.places.position // BIN)
    rows = {place: row for row, place in enumerate(genes.places.position.tolist())}
    chosen: list[Example] = []
    for name, start in data.genome.starts.items():
        known = pd.read_csv(folder / name / "labels_genes.tsv.gz", sep="\t")
        label = known["gene_name"] if "gene_name" in known else known["gene_id"]
        found = {}
        for gene, biotype, tss, strand in zip(
            label, known["biotype"], known["tss"], known["strand"], strict=True
        ):
            place = start + tss + (strand == "-")
            row = rows.get(place)
            if row is None or genes.places.coding[row]:
                continue
            around = labelled[(place - REACH) // BIN : (place + REACH) // BIN]
            if around.mean() >= FEWEST_LABELLED:
                found[tss] = Example(row, gene, biotype, name, tss, strand)
        ordered = [found[tss] for tss in sorted(found)]
        steps = (np.arange(EACH) + 0.5) * len(ordered) / EACH
        chosen.extend(ordered[int(step)] for step in steps)
    return chosen


def draw(examples: list[Example], data: Data, tiles: HeldOut) -> Figure:
    """A panel for each gene: measured shares of samples as areas, probabilities as lines."""
    probabilities = tiles.probabilities()
    row_of_bin = np.full(len(data.bins.weight), -1)
    row_of_bin[tiles.places.position // BIN] = np.arange(len(tiles.places.position))
    figure = Figure(figsize=(13, 15), layout="constrained")
    panels = figure.subplots(len(examples) // 3, 3, sharex=True, sharey=True)
    around = np.arange(-(REACH // BIN), REACH // BIN)
    for example, axes in zip(examples, panels.ravel(), strict=True):
        rows = row_of_bin[(data.genome.starts[example.chromosome] + example.tss) // BIN + around]
        known = (rows >= 0)[:, None]
        measured = np.where(known, tiles.places.targets[rows], np.nan)
        predicted = np.where(known, probabilities[rows], np.nan)
        draw_marks(axes, around * BIN / 1_000, measured, predicted)
        sign = "→" if example.strand == "+" else "←"
        axes.set_title(f"{example.name} {sign}  {example.chromosome}:{example.tss:,}", fontsize=10)
    for axes in panels[-1]:
        axes.set_xlabel("kb from the transcription start, along the chromosome")
    figure.suptitle(TITLE, fontsize=11)
    return figure


def draw_marks(
    axes: Axes, positions: np.ndarray, measured: np.ndarray, predicted: np.ndarray
) -> None:
    """One lane for each mark, from 0 to 1; `measured` and `predicted` are [tiles, MARKS]."""
    for lane, mark in enumerate(LANES):
        column = MARKS.index(mark)
        colour = "#{:02x}{:02x}{:02x}".format(*mark_colour(mark))
        area = lane + HEIGHT * measured[:, column]
        axes.fill_between(positions, lane, area, step="post", color=colour, alpha=0.35, lw=0)
        line = lane + HEIGHT * predicted[:, column]
        axes.step(positions, line, where="post", color=colour, lw=1.1)
        axes.axhline(lane, color="#cccccc", lw=0.5)
    axes.axvline(0, color="#333333", lw=0.8, linestyle=":")
    axes.set_yticks(np.arange(len(LANES)) + HEIGHT / 3, LANES, fontsize=8)
    axes.set_ylim(-0.1, len(LANES))
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)


def table_of(examples: list[Example], genes: HeldOut) -> str:
    """Markdown: of each gene and mark the probability, in bold if the gene carries the mark."""
    probabilities = genes.probabilities()
    lines = []
    for example in examples:
        cells = []
        for mark in DRAWN:
            column = MARKS.index(mark)
            text = f"{probabilities[example.row, column]:.2f}"
            carried = genes.places.labels[example.row, column]
            cells.append(f"**{text}**" if carried else text)
        far = " (far)" if genes.places.far[example.row] else ""
        place = f"{example.chromosome}:{example.tss:,}"
        lines.append([example.name + far, example.biotype, place, *cells])
    return table(["gene", "biotype", "transcription start", *DRAWN], lines)


if __name__ == "__main__":
    main()
