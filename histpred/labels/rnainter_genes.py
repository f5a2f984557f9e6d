"""The genes of an annotation, found by Ensembl ID, NCBI gene ID or symbol."""

from __future__ import annotations

import logging
import re
from bisect import bisect_right
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from histpred.core.errors import InputError
from histpred.genome.annotation import GENE, Annotation
from histpred.genome.lines import open_lines
from histpred.genome.plan import printable
from histpred.genome.regions import INTERVAL, Feature
from histpred.labels.matrix import gene_id, without_version

logger = logging.getLogger(__name__)

_NCBI_ID = re.compile(r"\b(?:GeneID:|entrez_id[ =]\"?)(\d+)")


class Genes(NamedTuple):
    """The genes of an annotation, each at its first place, and their numbers by their names."""

    features: list[Feature]
    by_id: dict[str, int]
    by_ncbi: dict[str, int]
    by_symbol: dict[str, set[int]]
    by_folded: dict[str, set[int]]


class _NcbiIds:
    """The NCBI gene ID on each line of an annotation, which Annotation does not keep.

    IDs are kept for runs of lines, so memory grows with the number of genes.
    """

    def __init__(self) -> None:
        self._starts = [0]
        self._ids = [""]

    def read(self, number: int, line: str) -> None:
        has_one = "GeneID:" in line or "entrez_id" in line
        found = _NCBI_ID.search(line) if has_one else None
        gene = found[1] if found else ""
        if gene != self._ids[-1]:
            self._starts.append(number)
            self._ids.append(gene)

    def at(self, line: int) -> str:
        """The NCBI gene ID that a line states, '' if none."""
        return self._ids[bisect_right(self._starts, line) - 1]


def read_genes(path: str, work: Path, biotypes: tuple[str, ...]) -> Genes:
    """Read all genes, including unusable and unselected ones: their `problem` says why.

    NCBI gene IDs are those in Dbxref=GeneID:, db_xref "GeneID:" or entrez_id. `work` is a private
    folder for temporary files.
    """
    with open_lines(path) as lines:
        ncbi_ids = _NcbiIds()
        lines.watch = ncbi_ids.read
        annotation = Annotation(lines, work, GENE, INTERVAL, biotypes)
        features = [printable(feature) for feature in annotation]
    for name in annotation.unmatched():
        logger.warning("no gene of %s has the biotype %s", annotation.name, name)
    if not features:
        raise InputError(annotation.name, "holds no gene", "give an annotation of genes")

    genes = Genes([], {}, {}, defaultdict(set), defaultdict(set))
    for feature in sorted(features, key=lambda feature: (feature.problem != "", feature.line)):
        name = without_version(gene_id(feature))
        ncbi = ncbi_ids.at(feature.line)
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
