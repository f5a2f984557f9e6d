"""Print the baselines of sections 1 to 5 of docs/experiments/README.md, without any training.

    docs/experiments/run.sh DATA WORK gene_labels few_tiles
    python docs/experiments/baselines.py DATA WORK [tiles|few-tiles|genes|regions|yeast|leakage ...]

A baseline follows from rows, windows and split alone, and these are as in run.sh. Thresholds are
those of the paper's reading, by Youden's J on all validation rows.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from histpred.evaluation.baselines import fit_predictors, sequence_features, shares_of
from histpred.evaluation.compare import EvaluatedRows
from histpred.evaluation.result import BASELINE, MACRO, MICRO
from histpred.genome.genomes import one_genome
from histpred.genome.request import Request
from histpred.genome.windows import parse_window
from histpred.labels.examples import learnable
from histpred.labels.genomes import labelled_genomes, read_genome_labels
from histpred.labels.loci import locus_numbers
from histpred.labels.splits import TEST, TRAIN, VALIDATION
from histpred.labels.splitting import split
from histpred.scoring.embed import map_windows

SEED = 0
BLOCK = 50_000
TEST_CHROMOSOMES, VALIDATION_CHROMOSOMES = ("chrII", "chrIV", "chrIX", "chrXIV"), ("chrXVI",)
AROUND_TSS = "promoter:1000:1000"
BESIDE = ("body", "context", "promoter:500:500", "promoter:11000:1000")  # two of DeepHistone
OF_YEAST = ("promoter:500:500", "body", "context:1000", "context:30000")
PARTS = ("tiles", "few-tiles", "genes", "regions", "yeast", "leakage")
PAPER = ("accuracy", "precision", "recall", "f1", "mcc")


class Rows(NamedTuple):
    """Annotation, FASTA and labels, a window, and a split: a method or a file.

    beside: further windows, in which a row must be readable to be evaluated.
    """

    files: tuple[Path, Path, Path]
    window: str
    how: str
    beside: tuple[str, ...] = ()


def rows_of(part: str, data: Path, work: Path) -> Iterator[Rows]:
    """The rows of the tables of a part of run.sh."""
    human, by_stretch = data / "human/chr22", str(work / "chr22.split.bed")
    genome, genes = human / "hg19.chr22.fa.gz", human / "genes.chr22.gtf.gz"
    yeast = data / "yeast/Improved_annotation_for_Scerevisiae.bed", data / "yeast/sacCer3.fa.gz"
    of_yeast = (*yeast, work / "yeast.labels.tsv")
    if part == "tiles":
        files = work / "tiles.bed", genome, work / "tiles.labels.tsv"
        yield Rows(files, AROUND_TSS, by_stretch)
    elif part == "few-tiles":
        files = work / "tiles.bed", genome, work / "tiles.few.labels.tsv"
        yield Rows(files, "promoter:500:500", by_stretch)
    elif part == "genes":
        yield Rows((genes, genome, work / "genes.labels"), AROUND_TSS, by_stretch, BESIDE)
    elif part == "regions":
        files = work / "regions.gtf", work / "regions.fa.gz", work / "regions.labels.tsv"
        yield Rows(files, "spliced", str(work / "regions.split.tsv"))
    elif part == "yeast":
        yield from (Rows(of_yeast, window, "chromosome") for window in OF_YEAST)
    else:
        yield from (Rows(of_yeast, "context:1000", how) for how in ("random", "locus"))


def print_baselines(rows: Rows) -> None:
    """Print a line for each baseline."""
    annotation, fasta, labels = rows.files
    request = Request(str(annotation), str(fasta))
    genomes = one_genome(request, labels)
    (known,) = read_genome_labels(genomes)
    window = parse_window(rows.window)
    with tempfile.TemporaryDirectory() as scratch:
        places, found, _ = map_windows(
            request, window, Path(scratch), lambda batch: sequence_features(batch, window)
        )
        numbers, windows, units, truth = labelled_genomes(genomes, [places], [known])
        scored = np.ones(len(units), bool)
        for other in map(parse_window, rows.beside):
            places, _, _ = map_windows(request, other, Path(scratch), len, quiet=True)
            scored &= np.isin(units, labelled_genomes(genomes, [places], [known]).units)
    features = np.concatenate(found)[numbers]
    by_chromosome = {
        "test_chromosomes": TEST_CHROMOSOMES,
        "validation_chromosomes": VALIDATION_CHROMOSOMES,
    }
    chosen = by_chromosome if rows.how == "chromosome" else {}
    sets, _ = split(windows, units.tolist(), rows.how, SEED, block=BLOCK, **chosen)
    train, validation, test = sets == TRAIN, sets == VALIDATION, (sets == TEST) & scored
    enough = learnable(known.marks, truth[train], str(labels))
    truth, marks = truth[:, enough], tuple(np.array(known.marks)[enough])
    judged = windows[test].reset_index(drop=True)
    evaluated = EvaluatedRows(
        judged, truth[test], marks, locus_numbers(judged), SEED, truth[validation]
    )
    shares = shares_of(truth[train])
    print(f"\n{labels.name}, {rows.window}, {Path(rows.how).name}: {test.sum():,} rows")
    for name, predict in fit_predictors(
        windows[train], features[train], truth[train], shares
    ).items():
        one = evaluated.assess(BASELINE, "", predict(judged, features[test]), shares, None)
        one = evaluated.read_by_paper(one, predict(windows[validation], features[validation]))
        assert one.paper is not None
        ends = f"{one.low.at[MACRO, 'auroc']:.3f}-{one.high.at[MACRO, 'auroc']:.3f}"
        figures = {
            "macro AUROC": f"{one.figures.at[MACRO, 'auroc']:.3f} ({ends})",
            "macro AUPRC": f"{one.figures.at[MACRO, 'auprc']:.3f}",
            **{f"micro {key}": f"{one.paper.figures.at[MICRO, key]:.3f}" for key in PAPER},
            "micro AUROC": f"{one.figures.at[MICRO, 'auroc']:.3f}",
            "micro AUPRC": f"{one.figures.at[MICRO, 'auprc']:.3f}",
            "micro ECE": f"{one.figures.at[MICRO, 'ece']:.3f}",
        }
        print(name, *(f"{key} {value}" for key, value in figures.items()), sep="\t", flush=True)


def main() -> None:
    data, work = Path(sys.argv[1]), Path(sys.argv[2])
    for part in sys.argv[3:] or PARTS:
        for rows in rows_of(part, data, work):
            print_baselines(rows)


if __name__ == "__main__":
    main()
