"""A gene x mark matrix from RNAInter's pairs of RNAs and histone modifications.

An RNA joins a gene by an ID, else by symbol or name (see `histpred.labels.rnainter_genes`). A
symbol is matched as it is, or else in any case, if only one gene has it. Only RNAs of a species of
which RNAs join by ID join by symbol: mouse's Malat1 is not human's MALAT1. A pair that is not in
the table is a negative (paper, appendix A), or unlabelled if the user prefers.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import reduce
from operator import or_
from pathlib import Path

import numpy as np
import pandas

from histpred.core.errors import InputError, UsageError, first_few
from histpred.labels.genomes import ensembl_ids
from histpred.labels.matrix import LabelMatrix, gene_id, gene_table
from histpred.labels.rnainter_genes import ABSENT, JOINED_BY, Genes, Join, read_genes
from histpred.labels.rnainter_table import Pairs, Rna, read_pairs, select_species

UNJOINED = ("rna", "raw_id", "species", "pairs", "reason")
CATEGORIES = ("category", "entries", "share", "joined")
OTHER_SPECIES = "another species than the annotation's"
NO_MARK = "no histone mark"

STRAY = 0.05  # a species with a smaller share of the RNAs joined by ID is taken for an error


def from_rnainter(
    table: Path,
    annotation: str,
    work: Path,
    *,
    species: tuple[str, ...] = (),
    unlabelled: bool = False,
    min_score: float | None = None,
    biotypes: tuple[str, ...] = (),
    top: int | None = None,
) -> LabelMatrix:
    """Label the genes of `annotation` that RNAInter pairs with at least one histone mark.

    Genes are in the order of the annotation, each at its first position. Marks are those with at
    least one joined pair, sorted. unjoined has the columns UNJOINED: a row for each RNA, and for
    each name in Interactor2 that is no histone mark a row with '.' as the RNA and its number of
    table rows; most first. categories has the columns CATEGORIES, if the table has Category1.

    table: RNAInter's, columns in any order and case; plain, gzipped, or the .tar.gz. annotation:
    GTF, GFF3 or BED, '-' for standard input. work: a private folder for temporary files. species:
    those of the RNAs, in any case; all if empty. unlabelled: True if pairs that are not in the
    table are NaN, not 0. min_score, biotypes: rows with a lower confidence score, and RNAs of other
    genes, are not used. top: see `keep_top`; None keeps all marks.

    Raises InputError for a table or annotation that cannot be used, and if no RNA joins; UsageError
    for a species or score that no row has, and if only symbols join RNAs of several species.
    """
    pairs = read_pairs(table, min_score)
    masks = select_species(table, pairs.masks, species)
    genes = read_genes(annotation, work, biotypes)
    joined = _join(table, masks, annotation, genes)
    by_gene: dict[int, int] = defaultdict(int)
    for rna, (gene, _) in joined.items():
        if gene is not None:
            by_gene[gene] |= masks[rna]
    order = sorted(by_gene, key=lambda gene: genes.features[gene].line)
    marks, values = _matrix([by_gene[gene] for gene in order], pairs.marks, unlabelled)
    matrix = LabelMatrix(
        gene_table(genes.features[gene] for gene in order),
        marks,
        values,
        _unjoined(pairs, masks, joined),
        _counts(pairs, masks, joined, bool(species)) | {"genes": len(order), "marks": len(marks)},
        _categories(pairs, joined),
    )
    return matrix if top is None else keep_top(matrix, top)


def keep_top(matrix: LabelMatrix, top: int) -> LabelMatrix:
    """Keep the `top` marks with the most positive genes, and the genes with one of them.

    Of marks with as many, those first in the alphabet are kept. The counts say what is left out.
    """
    positive = matrix.values == 1
    most = sorted(range(len(matrix.marks)), key=lambda i: (-positive[:, i].sum(), matrix.marks[i]))
    kept = sorted(most[:top])
    used = positive[:, kept].any(axis=1)
    values = matrix.values[np.ix_(used, kept)]
    left_out = {
        "marks left out by --top": len(most) - len(kept),
        "genes of these marks alone": int((~used).sum()),
    }
    return matrix._replace(
        genes=matrix.genes[used].reset_index(drop=True),
        marks=tuple(matrix.marks[i] for i in kept),
        values=values,
        counts=matrix.counts | left_out | {"genes": len(values), "marks": len(kept)},
    )


def _categories(pairs: Pairs, joined: dict[Rna, Join]) -> pandas.DataFrame | None:
    """Entries of the table by the kind of their RNA, most first; None if it states no kind."""
    entries: Counter[str] = Counter()
    used: Counter[str] = Counter()
    for (rna, kind), count in pairs.entries.items():
        if rna in joined:  # of a selected species
            entries[kind or "."] += count
            used[kind or "."] += count * (joined[rna].gene is not None)
    if not entries.keys() - {"."}:
        return None
    ordered = sorted(entries, key=lambda kind: (-entries[kind], kind))
    shares = [entries[kind] / entries.total() for kind in ordered]
    columns = (ordered, map(entries.get, ordered), shares, map(used.get, ordered))
    return pandas.DataFrame(dict(zip(CATEGORIES, map(list, columns), strict=True)))


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


def _join(table: Path, rnas: Iterable[Rna], annotation: str, genes: Genes) -> dict[Rna, Join]:
    """Find the gene of each RNA: by ID, then for RNAs of the annotation's species by symbol."""
    joined = {rna: genes.by_id(rna.symbol, rna.raw_id) for rna in rnas}
    found = Counter(rna.species.casefold() for rna, join in joined.items() if join.gene is not None)
    own = {name for name, count in found.items() if count >= STRAY * found.total()}
    own = own or {rna.species.casefold() for rna in joined}
    for rna, join in joined.items():
        if join.how == ABSENT:
            is_own = rna.species.casefold() in own
            joined[rna] = genes.by_name(rna.symbol) if is_own else Join(None, OTHER_SPECIES)
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
        "are table and annotation of one species? RNAs join by Ensembl ID, NCBI gene ID, miRBase "
        "accession or symbol",
    )
