"""A gene x mark matrix from RNAInter's pairs of RNAs and histone modifications.

An RNA joins a gene by Ensembl ID (of any version), else by NCBI gene ID, else by symbol. A symbol
is matched as it is, or else in any case, if only one gene has it. Only RNAs of a species of which
RNAs join by ID join by symbol: mouse's Malat1 is not human's MALAT1. A pair that is not in the
table is a negative (paper, appendix A), or unlabelled if the user prefers.
"""

from __future__ import annotations

import logging
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import reduce
from operator import or_
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas

from histpred.core.errors import InputError, UsageError, first_few
from histpred.genome.annotation import GENE, Annotation
from histpred.genome.lines import open_lines
from histpred.genome.plan import printable
from histpred.genome.regions import INTERVAL, Feature
from histpred.labels.genomes import ensembl_ids
from histpred.labels.matrix import LabelMatrix, gene_id, gene_table, without_version
from histpred.labels.rnainter_table import Pairs, Rna, read_pairs, select_species

logger = logging.getLogger(__name__)

UNJOINED = ("rna", "raw_id", "species", "pairs", "reason")
BY_ENSEMBL, BY_NCBI, BY_SYMBOL = JOINED_BY = ("Ensembl ID", "NCBI gene ID", "symbol")

ABSENT = "not in the annotation"
AMBIGUOUS, SEVERAL_IDS = "several genes of that symbol", "IDs of several genes"
OTHER_SPECIES = "another species than the annotation's"
NO_MARK = "no histone mark"

STRAY = 0.05  # a species with a smaller share of the RNAs joined by ID is taken for an error

_SEPARATORS = re.compile(r"[|;,\s]+|//")
_NCBI = frozenset({"ncbi", "geneid", "entrez", "ncbigene", "entrezgene"})
_ENSEMBL = re.compile(r"ENS[A-Z]*\d{11}(\.\d+)?")
_NCBI_ID = re.compile(r"\b(?:GeneID:|entrez_id[ =]\"?)(\d+)")


class Genes(NamedTuple):
    """The genes of an annotation, each at its first place, and their numbers by their names."""

    features: list[Feature]
    by_id: dict[str, int]
    by_ncbi: dict[str, int]
    by_symbol: dict[str, set[int]]
    by_folded: dict[str, set[int]]


class Join(NamedTuple):
    """The number of an RNA's gene in Genes and by what it joined, or None and the reason."""

    gene: int | None
    how: str


def from_rnainter(
    table: Path,
    annotation: str,
    work: Path,
    *,
    species: tuple[str, ...] = (),
    unlabelled: bool = False,
    min_score: float | None = None,
    biotypes: tuple[str, ...] = (),
) -> LabelMatrix:
    """Label the genes of `annotation` that RNAInter pairs with at least one histone mark.

    Genes are in the order of the annotation, each at its first position. Marks are those with at
    least one joined pair, sorted. unjoined has the columns UNJOINED: a row for each RNA, and for
    each name in Interactor2 that is no histone mark a row with '.' as the RNA and its number of
    table rows; most first.

    table: RNAInter's, columns in any order and case; plain, gzipped, or the .tar.gz. annotation:
    GTF, GFF3 or BED, '-' for standard input. work: a private folder for temporary files. species:
    those of the RNAs, in any case; all if empty. unlabelled: True if pairs that are not in the
    table are NaN, not 0. min_score, biotypes: rows with a lower confidence score, and RNAs of other
    genes, are not used.

    Raises InputError for a table or annotation that cannot be used, and if no RNA joins; UsageError
    for a species or score that no row has, and if only symbols join RNAs of several species.
    """
    pairs = read_pairs(table, min_score)
    masks = select_species(table, pairs.masks, species)
    genes = _read_genes(annotation, work, biotypes)
    joined = _join(table, masks, annotation, genes)
    by_gene: dict[int, int] = defaultdict(int)
    for rna, (gene, _) in joined.items():
        if gene is not None:
            by_gene[gene] |= masks[rna]
    order = sorted(by_gene, key=lambda gene: genes.features[gene].line)
    marks, values = _matrix([by_gene[gene] for gene in order], pairs.marks, unlabelled)
    return LabelMatrix(
        gene_table(genes.features[gene] for gene in order),
        marks,
        values,
        _unjoined(pairs, masks, joined),
        _counts(pairs, masks, joined, bool(species)) | {"genes": len(order), "marks": len(marks)},
    )


def _matrix(
    masks: list[int], names: list[str], unlabelled: bool
) -> tuple[tuple[str, ...], np.ndarray]:
    """The marks that occur, sorted, and the values float32 [genes, marks]."""
    every = reduce(or_, masks)
    bits = sorted((name, i) for i, name in enumerate(names) if every >> i & 1)
    has = np.array([[mask >> i & 1 for _, i in bits] for mask in masks], bool)
    values = np.where(has, 1.0, np.nan if unlabelled else 0.0).astype(np.float32)
    return tuple(name for name, _ in bits), values


def _unjoined(pairs: Pairs, masks: dict[Rna, int], joined: dict[Rna, Join]) -> pandas.DataFrame:
    rows = [(".", ".", ".", count, f"{NO_MARK}: {name}") for name, count in pairs.strangers.items()]
    for rna, join in joined.items():
        if join.gene is None:
            symbol, raw_id, species = (text or "." for text in rna)
            rows.append((symbol, raw_id, species, masks[rna].bit_count(), join.how))
    rows.sort(key=lambda row: (-row[3], row))
    return pandas.DataFrame(rows, columns=list(UNJOINED))


def _counts(
    pairs: Pairs, masks: dict[Rna, int], joined: dict[Rna, Join], selected: bool
) -> dict[str, int]:
    """Counts of rows and pairs; `selected`: some species were asked for."""
    used: Counter[str] = Counter()
    for rna, join in joined.items():
        if join.gene is not None:
            used[join.how] += masks[rna].bit_count()
    these = sum(mask.bit_count() for mask in masks.values())
    others = sum(mask.bit_count() for mask in pairs.masks.values()) - these
    return {
        **pairs.rows,
        **({"pairs of other species": others} if selected else {}),
        "pairs used": used.total(),
        **{f"joined by {how}": used[how] for how in JOINED_BY},
        "pairs not joined": these - used.total(),
    }


def _read_genes(path: str, work: Path, biotypes: tuple[str, ...]) -> Genes:
    """Read all genes, including unusable and unselected ones: their `problem` says why.

    NCBI gene IDs are those in Dbxref=GeneID:, db_xref "GeneID:" or entrez_id.
    """
    starts, ids = [0], [""]  # of runs of lines with one ID, so memory grows with the genes

    def keep_ncbi_id(number: int, line: str) -> None:
        has_one = "GeneID:" in line or "entrez_id" in line
        match = _NCBI_ID.search(line) if has_one else None
        found = match[1] if match else ""
        if found != ids[-1]:
            starts.append(number)
            ids.append(found)

    with open_lines(path) as lines:
        lines.watch = keep_ncbi_id  # Annotation does not keep these IDs
        annotation = Annotation(lines, work, GENE, INTERVAL, biotypes)
        features = [printable(feature) for feature in annotation]
    for name in annotation.unmatched():
        logger.warning(f"no gene of {annotation.name} has the biotype {name}")
    if not features:
        raise InputError(annotation.name, "holds no gene", "give an annotation of genes")

    genes = Genes([], {}, {}, defaultdict(set), defaultdict(set))
    for feature in sorted(features, key=lambda feature: (feature.problem != "", feature.line)):
        name = without_version(gene_id(feature))
        ncbi = ids[bisect_right(starts, feature.line) - 1]
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


def _join(table: Path, rnas: Iterable[Rna], annotation: str, genes: Genes) -> dict[Rna, Join]:
    """Find the gene of each RNA: by ID, then for RNAs of the annotation's species by symbol."""
    joined = {rna: _by_id(rna, genes) for rna in rnas}
    found = Counter(rna.species.casefold() for rna, join in joined.items() if join.gene is not None)
    own = {name for name, count in found.items() if count >= STRAY * found.total()}
    own = own or {rna.species.casefold() for rna in joined}
    for rna, join in joined.items():
        if join.how == ABSENT:
            is_own = rna.species.casefold() in own
            joined[rna] = _by_symbol(rna, genes) if is_own else Join(None, OTHER_SPECIES)
    by_symbols = not found and any(join.gene is not None for join in joined.values())
    if by_symbols:
        _refuse_other_species(table, joined, annotation, genes)
    if by_symbols and len(own) > 1:
        species = Counter(rna.species or "N/A" for rna in joined)
        raise UsageError(
            f"{table} holds RNAs of {first_few(name for name, _ in species.most_common())}, and "
            "none joins the annotation by an ID: symbols alone do not tell its species",
            "name the annotation's species with --species",
        )
    for rna, join in joined.items():
        if join.gene is not None and (problem := genes.features[join.gene].problem):
            joined[rna] = Join(None, problem)  # such as a biotype that is not selected
    if all(join.gene is None for join in joined.values()):
        _refuse_unjoined(table, annotation, joined, genes)
    return joined


def _refuse_other_species(table: Path, rnas: Iterable[Rna], annotation: str, genes: Genes) -> None:
    """Raise InputError if the Ensembl IDs of RNAs and genes are of different species."""
    here = ensembl_ids(name for rna in rnas for name in re.split(r"[^\w.]", rna.raw_id))
    there = ensembl_ids(gene_id(feature) for feature in genes.features)
    if here and there and not here.keys() & there.keys():
        raise InputError(
            table,
            f"its RNAs are of another species than {annotation}: {first_few(here.values())} here, "
            f"{first_few(there.values())} there",
            "name the annotation's species with --species, or in the sheet of genomes",
        )


def _by_id(rna: Rna, genes: Genes) -> Join:
    ensembl, ncbi = _ids(rna)
    for names, index, how in ((ensembl, genes.by_id, BY_ENSEMBL), (ncbi, genes.by_ncbi, BY_NCBI)):
        found = {index[name] for name in names if name in index}
        if found:
            return Join(found.pop(), how) if len(found) == 1 else Join(None, SEVERAL_IDS)
    return Join(None, ABSENT)


def _ids(rna: Rna) -> tuple[list[str], list[str]]:
    """The Ensembl IDs, without their version, and the NCBI gene IDs of an RNA."""
    ensembl, ncbi = [], []
    for text in _SEPARATORS.split(rna.raw_id):
        source, _, name = text.rpartition(":")
        source = re.sub(r"[^a-z]", "", source.lower())
        if source.startswith("ensembl") or _ENSEMBL.fullmatch(name):
            ensembl.append(without_version(name))
        elif name.isdigit() and (source in _NCBI or not source):
            ncbi.append(name)
    if _ENSEMBL.fullmatch(rna.symbol):  # RNAs without a symbol have their ID as symbol
        ensembl.append(without_version(rna.symbol))
    return ensembl, ncbi


def _by_symbol(rna: Rna, genes: Genes) -> Join:
    found = genes.by_symbol.get(rna.symbol) or genes.by_folded.get(rna.symbol.casefold()) or set()
    if len(found) > 1:
        return Join(None, AMBIGUOUS)
    return Join(next(iter(found)), BY_SYMBOL) if found else Join(None, ABSENT)


def _refuse_unjoined(table: Path, annotation: str, joined: dict[Rna, Join], genes: Genes) -> None:
    reasons = Counter(how for _, how in joined.values())
    here = first_few(f"{rna.symbol} ({rna.raw_id or 'no ID'})" for rna in joined)
    there = first_few(
        gene.name if gene_id(gene) == gene.name else f"{gene.name} ({gene.gene_id})"
        for gene in genes.features
    )
    raise InputError(
        table,
        f"none of its {len(joined)} RNAs joins a gene of {annotation} "
        f"({', '.join(f'{reason}: {count}' for reason, count in reasons.most_common())}): "
        f"{here} here, {there} there",
        "are table and annotation of one species? RNAs join by Ensembl ID, NCBI gene ID or symbol",
    )
