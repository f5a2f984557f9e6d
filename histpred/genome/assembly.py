"""Genes and transcripts assembled from GTF or GFF3 records in any order.

A position-sorted annotation interleaves its genes, and a large one does not fit in memory, so the
records go to a temporary SQLite file. Missing features are then derived: transcripts from their
exons, and genes from their transcripts. UCSC's refGene uses one name for several loci; transcripts
that do not overlap are therefore separate genes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from histpred.genome import representative
from histpred.genome.exon_owners import Place, Portion, agree, share
from histpred.genome.feature_types import CODING, EXON, GENE, TRANSCRIPT
from histpred.genome.gff import Record, exon_number
from histpred.genome.levels import (
    IS_LINKED,
    NEW_EXON,
    NEW_TRANS_SPLICED,
    NEW_TRANSCRIPT,
    SCHEMA,
    runs_of,
    settle,
    store_feature,
)
from histpred.genome.reasons import (
    AMBIGUOUS,
    EXONS_OUTSIDE,
    NO_ID,
    NO_TRANSCRIPT,
)
from histpred.genome.regions import Feature, merge
from histpred.genome.spool import open_spool, pack_blocks
from histpred.genome.unused import store_coding, unused

RECENT = 10_000

# key, line, chrom, start, end, strand, source, gene, id, gene_name, name, biotype, problem, note
TranscriptRow = tuple[
    str | None, int, str, int, int, str, str, str | None, str, str, str, str, str, str
]

_PLACE_AND_PARENTS = attrgetter("chrom", "strand", "source", "gene_id", "parents", "problem")


def assemble(
    records: Iterable[Record], level: str, with_exons: bool, directory: Path
) -> Iterator[Feature]:
    """Yield the genes or transcripts (`level`) of `records` as features, in no particular order.

    Transcripts have exons if `with_exons`, and genes those of one transcript (see
    `histpred.genome.representative`). Features of unknown types are yielded too, with that problem.
    The temporary file is in `directory` and is removed.
    """
    path = directory / "annotation.sqlite"
    try:
        with closing(open_spool(path, SCHEMA + representative.SCHEMA)) as database:
            _fill(database, records, level, with_exons)
            settle(database)
            if level == GENE and not with_exons:
                yield from _genes(database)
                yield from _implied_genes(database)
            elif level == GENE:
                yield from representative.choose(database, lambda: _transcripts(database, True))
                yield from _genes_without_transcript(database)
            else:
                yield from _transcripts(database, with_exons)
                yield from _genes_without_transcript(database)
            yield from unused(database)
    finally:
        path.unlink(missing_ok=True)


def _fill(
    database: sqlite3.Connection, records: Iterable[Record], level: str, with_exons: bool
) -> None:
    """Store `records`; consecutive exons of one transcript become one row.

    Without `with_exons`, exons that follow their own gene (level 'gene') or transcript are dropped.
    """
    last_gene = ("", "", "")
    recent: dict[str, tuple[str, str]] = {}
    run: list[Record] = []
    run_of: tuple[object, ...] = ()

    for record in records:
        if record.kind == EXON:
            if not with_exons and _adds_nothing(record, last_gene if level == GENE else (), recent):
                continue
            belongs_to = _PLACE_AND_PARENTS(record)
            if run and (belongs_to != run_of or not (any(record.parents) or record.gene_id)):
                _store_exons(database, run, recent)
                run = []
            run.append(record)
            run_of = belongs_to
            continue
        if record.kind == CODING:
            store_coding(database, record)
            continue
        place = (record.chrom, record.strand)
        if record.kind == TRANSCRIPT:
            if len(recent) == RECENT:
                recent.clear()
            recent[record.key] = place
        elif record.kind == GENE:
            last_gene = (record.key, *place)
            recent.clear()
        store_feature(database, record)
        if with_exons and level == GENE and record.kind == TRANSCRIPT:
            representative.store_rank(database, record.line, record.attributes)
    _store_exons(database, run, recent)


def _adds_nothing(
    exon: Record, last_gene: tuple[str, ...], recent: dict[str, tuple[str, str]]
) -> bool:
    """True if an exon follows its own gene or transcript, and lies on its strand."""
    place = (exon.chrom, exon.strand)
    if exon.problem:
        return False
    if exon.gene_id and last_gene == (exon.gene_id, *place):
        return True
    return bool(exon.parents) and all(recent.get(above) == place for above in exon.parents)


def _store_exons(
    database: sqlite3.Connection, run: list[Record], recent: dict[str, tuple[str, str]]
) -> None:
    """Store a row for each parent transcript, else for the gene.

    The exon_numbers are needed only if there may be no line for the transcript. Exons with neither
    become a transcript without ID, which is skipped later.
    """
    if not run:
        return
    first = run[0]
    blocks = [(record.start, record.end) for record in run]
    rest = (first.gene_name, first.name, first.biotype)
    for parent in first.parents or ("",):
        if key := parent or first.gene_id:
            place = (first.line, first.chrom, first.strand, first.source, first.gene_id or None)
            numbers = ""
            if parent not in recent:
                numbers = ",".join(str(exon_number(record.attributes)) for record in run)
            database.execute(NEW_EXON, (key, *place, *rest, pack_blocks(blocks), numbers))
            if first.problem:
                database.execute(NEW_TRANS_SPLICED, (key,))
        else:
            start, end = min(block[0] for block in blocks), max(block[1] for block in blocks)
            spanned = (first.line, first.chrom, start, end, first.strand, first.source)
            row = (None, *spanned, None, "", *rest, NO_ID, "")
            database.execute(NEW_TRANSCRIPT, row)


def _implied_genes(database: sqlite3.Connection) -> Iterator[Feature]:
    """Yield the genes that have only transcripts, one for each group of overlapping transcripts.

    A transcript with a problem, or without an ID, is a gene of its own.
    """
    rows = database.execute(
        f"""select gene, chrom, strand, start, end, line, key, id, gene_name, name, biotype,
                   problem, note, exists (select 1 from gene where gene.key = transcript.gene)
            from transcript where not exists (select 1 from gene where {IS_LINKED})
            order by gene, chrom, strand, start"""
    )
    for (parent, chrom, strand), members in groupby(rows, key=lambda row: row[:3]):
        gene: Feature | None = None
        for row in members:
            _, _, _, start, end, line, key, gene_id, gene_name, name, biotype, *rest = row
            problem, note, is_elsewhere = rest
            note = note or ("its gene has a line at another place" if is_elsewhere else "")
            if gene is not None and start < gene.end and not problem and parent:
                gene = gene._replace(line=min(gene.line, line), end=max(gene.end, end))
                gene = gene._replace(note=gene.note or note)
                continue
            gene_id = gene_id or (name if parent == key else parent) or "."
            label = gene_name or gene_id if gene_id != "." else f"{chrom}:{start}-{end}"
            names = (label, gene_id, biotype or ".")
            place = (line, chrom, start, end, strand)
            feature = Feature(*place, *names, None, problem, note, biotype or ".")
            if problem:
                yield feature
                continue
            if gene is not None:
                yield gene
            gene = feature
        if gene is not None:
            yield gene


def _genes(database: sqlite3.Connection) -> Iterator[Feature]:
    rows = database.execute(
        "select key, line, chrom, start, end, strand, id, name, biotype, problem, note from gene"
    )
    for key, line, chrom, start, end, strand, gene_id, name, biotype, problem, note in rows:
        name = name or gene_id or f"{chrom}:{start}-{end}"
        biotype = biotype or _biotype_below(database, key, chrom, start, end)
        place = (line, chrom, start, end, strand)
        names = (name, gene_id or ".", biotype)
        yield Feature(*place, *names, None, problem, note, biotype)


def _biotype_below(
    database: sqlite3.Connection, gene: str | None, chrom: str, start: int, end: int
) -> str:
    """The biotype of a gene's transcripts, for a gene without a biotype; '.' if they differ."""
    query = """select distinct biotype from transcript where gene = ? and biotype != ''
               and chrom = ? and start < ? and end > ?"""
    below = {biotype for (biotype,) in database.execute(query, (gene, chrom, end, start))}
    if "protein_coding" in below:
        return "protein_coding"
    return below.pop() if len(below) == 1 else "."


def _transcripts(database: sqlite3.Connection, with_exons: bool) -> Iterator[Feature]:
    """Yield the transcripts; those that share an ID are looked at together."""
    columns = """transcript.key, line, chrom, start, end, strand, source, gene, id, gene_name,
                 name, biotype, problem, note"""
    alone = f"""select {columns} from transcript where not exists
                (select 1 from repeated where repeated.key = transcript.key)"""
    for row in database.execute(alone):
        yield from _same_id(database, [row], with_exons)
    shared = f"""select {columns} from repeated cross join transcript
                 on transcript.key = repeated.key order by repeated.key"""
    for _, rows in groupby(database.execute(shared), key=lambda row: row[0]):
        yield from _same_id(database, list(rows), with_exons)


def _same_id(
    database: sqlite3.Connection, rows: list[TranscriptRow], with_exons: bool
) -> Iterator[Feature]:
    """Yield the transcripts with one ID. Without `with_exons`, only their strands are compared."""
    places = [*dict.fromkeys(Place(*row[1:7]) for row in rows)]  # a place has a row for each gene
    portions = [Portion(place.strand) for place in places]
    if not all(row[12] for row in rows):
        portions = share(places, runs_of(database, rows[0][0]))
    portion_of = dict(zip(places, portions, strict=True))
    for row in rows:
        place = Place(*row[1:7])
        portion = portion_of[place]
        key, *_, gene, gene_id, gene_name, name, biotype, problem, note = row
        above_line, above_id, above_name, gene_biotype, unclear = _gene_above(database, gene, place)
        strand = place.strand
        if not problem and (with_exons or portion.problem not in (EXONS_OUTSIDE, AMBIGUOUS)):
            problem, note = portion.problem, portion.note or note
            if portion.strand != strand and not problem:
                strand, note = portion.strand, "the strand is that of its exons"
        problem = problem or unclear
        exons = portion.blocks if with_exons and not problem else []
        gene_id = gene_id or above_id or (name if gene == key else gene) or "."
        names = (name or f"{place.chrom}:{place.start}-{place.end}", gene_id)
        biotype = biotype or gene_biotype or "."
        blocks = merge(exons) if exons else None
        gene_biotype = gene_biotype or "."
        columns = (*place[:4], strand, *names, biotype, blocks, problem, note, gene_biotype)
        above = gene_name or above_name or "."
        yield Feature(*columns)._replace(gene_name=above, gene_line=above_line)


def _gene_above(
    database: sqlite3.Connection, gene: str | None, place: Place
) -> tuple[int, str, str, str, str]:
    """Line, ID, name and biotype of a transcript's gene, and a problem if several may be it."""
    query = """select line, id, name, biotype, strand, source, start, end from gene
               where key = ? and chrom = ? and start < ? and end > ?"""
    found = database.execute(query, (gene, place.chrom, place.end, place.start)).fetchall()
    if len(found) > 1:
        found = [row for row in found if agree(row[4], place.strand)] or found
        found = [row for row in found if row[6] <= place.start and place.end <= row[7]] or found
        found = [row for row in found if row[5] == place.source] or found
    if not found:
        return 0, "", "", "", ""
    line, gene_id, name, biotype, *_ = found[0]
    distinct = {(row[1], row[3]) for row in found}
    return line, gene_id, name, biotype, AMBIGUOUS if len(distinct) > 1 else ""


def _genes_without_transcript(database: sqlite3.Connection) -> Iterator[Feature]:
    rows = database.execute(
        f"""select line, chrom, start, end, strand, name, id, biotype, problem, note from gene
            where not exists (select 1 from transcript where {IS_LINKED})"""
    )
    for line, chrom, start, end, strand, name, gene_id, biotype, problem, note in rows:
        names = (name or f"{chrom}:{start}-{end}", gene_id or ".", biotype or ".")
        place = (line, chrom, start, end, strand)
        yield Feature(*place, *names, None, problem or NO_TRANSCRIPT, note, biotype or ".")
