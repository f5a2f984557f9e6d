"""Gene x mark matrices of several genomes from RNAInter's pairs, with the same marks."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from histpred.core.errors import first_few
from histpred.genome.genomes import GenomeInput, naming
from histpred.labels.matrix import LabelMatrix
from histpred.labels.rnainter import from_rnainter

logger = logging.getLogger(__name__)


def from_rnainter_for(
    genomes: Sequence[GenomeInput],
    table: Path,
    work: Path,
    *,
    species: tuple[str, ...] = (),
    unlabelled: bool = False,
    min_score: float | None = None,
    top: int | None = None,
) -> list[LabelMatrix]:
    """Label the genes of each genome; see `from_rnainter`.

    The RNAs of a genome are those of its species or, if its sheet names none, of `species`. top: as
    in `with_same_marks`. Raises what `from_rnainter` raises; the message names the genome.
    """
    matrices = []
    for genome in genomes:
        with naming(genome):
            matrix = from_rnainter(
                *(table, genome.request.annotation, work),
                species=(genome.species,) if genome.species else species,
                unlabelled=unlabelled,
                min_score=min_score,
                biotypes=genome.request.biotypes,
            )
        matrices.append(matrix)
    return with_same_marks(genomes, matrices, unlabelled, top)


def with_same_marks(
    genomes: Sequence[GenomeInput],
    matrices: Sequence[LabelMatrix],
    unlabelled: bool,
    top: int | None = None,
) -> list[LabelMatrix]:
    """The matrices of RNAInter's pairs with the marks of all genomes, sorted.

    A mark that has no pair in a genome is absent from its genes, with a warning, or NaN if pairs
    that are not in the table are unlabelled. top: the number of marks to keep, those with the most
    positive genes in all genomes together; genes without any of them are left out.
    """
    positives: Counter[str] = Counter()
    for matrix in matrices:
        positives.update(dict(zip(matrix.marks, (matrix.values == 1).sum(axis=0), strict=True)))
    marks = tuple(sorted(sorted(positives, key=lambda mark: (-positives[mark], mark))[:top]))
    found = []
    for genome, matrix in zip(genomes, matrices, strict=True):
        if missing := [mark for mark in marks if mark not in matrix.marks]:
            state = "unlabelled" if unlabelled else "negative"
            logger.warning(f"no RNA of {genome.name} has {first_few(missing)}: {state} there")
        values = np.full((len(matrix.values), len(marks)), np.nan if unlabelled else 0, np.float32)
        for i, mark in enumerate(marks):
            if mark in matrix.marks:
                values[:, i] = matrix.values[:, matrix.marks.index(mark)]
        used = (values == 1).any(axis=1)
        counts = matrix.counts | {"genes": int(used.sum()), "marks": len(marks)}
        genes = matrix.genes[used].reset_index(drop=True)
        found.append(matrix._replace(genes=genes, marks=marks, values=values[used], counts=counts))
    return found
