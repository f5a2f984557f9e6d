"""A generated genome with marks that a model can learn, to test training and evaluation."""

from __future__ import annotations

import random
from pathlib import Path
from typing import NamedTuple

from support.synthetic import write_bed, write_fasta

CHROMOSOMES = 6
GENES = 60  # of each chromosome
SPACING = 400
BODY = 100
RICH, POOR = "GC", "AT"  # the bases that genes of each kind mostly have


class Labelled(NamedTuple):
    """annotation, fasta, labels: files; truth: id -> mark -> 1 or 0."""

    annotation: Path
    fasta: Path
    labels: Path
    truth: dict[str, dict[str, int]]


def write_labelled(folder: Path, seed: int = 0) -> Labelled:
    """Write genes of GC-rich or AT-rich bases, with labels that follow from the bases.

    Nine in ten GC-rich genes have H3K4me3, and nine in ten AT-rich genes H3K27me3. H3K9me3 is
    random. No gene has H3K36me3.
    """
    rng = random.Random(seed)
    genome, rows, truth = {}, [], {}
    for number in range(1, CHROMOSOMES + 1):
        pieces = []
        for gene in range(GENES):
            name = f"gene{number}_{gene}"
            rich = rng.random() < 0.5
            mostly = RICH if rich else POOR
            start = gene * SPACING + 150
            pieces.append(
                "".join(
                    rng.choice(mostly) if rng.random() < 0.6 else rng.choice("ACGT")
                    for _ in range(SPACING)
                )
            )
            rows.append((f"chr{number}", start, start + BODY, name, 0, rng.choice("+-")))
            kept = rng.random() < 0.9
            truth[name] = {
                "H3K4me3": int(rich == kept),
                "H3K27me3": int(rich != kept),
                "H3K9me3": int(rng.random() < 0.5),
                "H3K36me3": 0,
            }
        genome[f"chr{number}"] = "".join(pieces)
    labels = folder / "labels.tsv"
    write_labels(labels, truth)
    fasta = write_fasta(folder / "genome.fa", genome)
    return Labelled(write_bed(folder / "genes.bed", rows), fasta, labels, truth)


def write_labels(path: Path, truth: dict[str, dict[str, int]]) -> Path:
    """Write a table of labels that histpred reads."""
    marks = list(next(iter(truth.values())))
    lines = ["\t".join(["id", *marks])]
    lines += ["\t".join([name, *map(str, row.values())]) for name, row in truth.items()]
    path.write_text("\n".join(lines) + "\n")
    return path
