"""The genes of an annotation, found by Ensembl ID, NCBI gene ID or symbol."""

from __future__ import annotations

import logging
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from histpred.core.errors import InputError
from histpred.genome.annotation import GENE, Annotation
from histpred.genome.lines import Lines, open_lines
from histpred.genome.plan import printable
from histpred.genome.regions import Feature
from histpred.labels.genes import gene_id
from histpred.labels.matrix import without_version

logger = logging.getLogger(__name__)

_NCBI_ID = re.compile(r"\b(?:GeneID:|entrez_id[ =]\"?)(\d+)")


class Genes(NamedTuple):
    """The genes of an annotation, each at its first place, and their numbers by their names."""

    features: list[Feature]
    by_id: dict[str, int]
    by_ncbi: dict[str, int]
    by_symbol: dict[str, set[int]]
    by_folded: dict[str, set[int]]


class _NcbiLines:
    """The lines of an annotation, with the NCBI gene ID of each, which Annotation does not keep.

    IDs are kept for runs of lines, so memory grows with the number of genes.
    """

    def __init__(self, lines: Lines) -> None:
        self.name = lines.name
        self._lines = lines
        self._starts = [0]
        self._ids = [""]

    @property
    def digest(self) -> str:
        return self._lines.digest

    def drain(self) -> None:
        self._lines.drain()

    def __iter__(self) -> Iterator[tuple[int, str]]:
        for number, line in self._lines:
            has_one = "GeneID:" in line or "entrez_id" in line
            found = _NCBI_ID.search(line) if has_one else None
            gene = found[1] if found else ""
            if gene != self._ids[-1]:
                self._starts.append(number)
                self._ids.append(gene)
            yield number, line

    def ncbi_id(self, line: int) -> str:
        """The NCBI gene ID that a line states, '' if none."""
        return self._ids[bisect_right(self._starts, line) - 1]


def read_genes(path: str, work: Path, biotypes: tuple[str, ...]) -> Genes:
    """Read all genes, including unusable and unselected ones: their `problem` says why.

    NCBI gene IDs are those in Dbxref=GeneID:, db_xref "GeneID:" or entrez_id. `work` is a private
    folder for temporary files.
    """
    with open_lines(path) as lines:
        watched = _NcbiLines(lines)
        annotation = Annotation(watched, work, GENE, False, biotypes)
        features = [printable(feature) for feature in annotation]
    for name in annotation.unmatched():
        logger.warning("no gene of %s has the biotype %s", annotation.name, name)
    if not features:
        raise InputError(annotation.name, "holds no gene", "give an annotation of genes")

    genes = Genes([], {}, {}, defaultdict(set), defaultdict(set))
    for feature in sorted(features, key=lambda feature: (feature.problem != "", feature.line)):
        name = without_version(gene_id(feature))
        ncbi = watched.ncbi_id(feature.line)
        gene = genes.by_id.get(name)
        if gene is None and ncbi:
            gene = genes.by_ncbi.get(ncbi)
        if gene is None:
            gene = len(genes.features)
            genes.features.append(feature)
        genes.by_id.setdefault(name, gene)
        if ncbi:
            genes.by_ncbi.setdefault(ncbi, gene)
        genes.by_symbol[feature.name].add(gene)
        genes.by_folded[feature.name.casefold()].add(gene)
    return genes
