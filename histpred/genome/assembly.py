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

from histpred.genome.gff import EXON, GENE, TRANSCRIPT, Record
from histpred.genome.reasons import NO_ID, NO_TRANSCRIPT, TRANS_SPLICED
from histpred.genome.regions import Feature, merge
from histpred.genome.spool import open_spool, pack_blocks, unpack_blocks

BATCH = 10_000
RECENT = 10_000

_SCHEMA = """
create table gene (key text, line int, chrom text, start int, end int, strand text,
                   id text, name text, biotype text);
create table transcript (key text, line int, chrom text, start int, end int, strand text,
                         gene text, id text, gene_name text, name text, biotype text,
                         problem text);
create table exon (key text, line int, chrom text, strand text, gene text, gene_name text,
                   name text, biotype text, blocks text);
create index gene_key on gene (key);
create index transcript_key on transcript (key);
create index transcript_gene on transcript (gene, chrom, strand, start);
create index exon_key on exon (key, line);
"""
_PLACE_AND_PARENTS = attrgetter("chrom", "strand", "gene_id", "parents")
_NEW_GENE = f"insert into gene values ({', '.join('?' * 9)})"
_NEW_TRANSCRIPT = f"insert into transcript values ({', '.join('?' * 12)})"
_NEW_EXON = f"insert into exon values ({', '.join('?' * 9)})"

Blocks = list[tuple[int, int]]


def assemble(
    records: Iterable[Record], level: str, with_exons: bool, directory: Path
) -> Iterator[Feature]:
    """Yield the genes or transcripts (`level`) of `records` as features, in no particular order.

    Transcripts have exons if `with_exons`. The temporary file is in `directory` and is removed.
    """
    path = directory / "annotation.sqlite"
    try:
        with closing(open_spool(path, _SCHEMA)) as database:
            _fill(database, records, level, with_exons)
            _adopt(database)
            _imply_transcripts(database)
            if level == GENE:
                yield from _genes(database)
                yield from _implied_genes(database)
            else:
                yield from _transcripts(database, with_exons)
    finally:
        path.unlink(missing_ok=True)


def _fill(
    database: sqlite3.Connection, records: Iterable[Record], level: str, with_exons: bool
) -> None:
    """Store `records`; consecutive exons of one transcript become one row.

    Without `with_exons`, exons that follow their own gene (level 'gene') or transcript are dropped,
    because they add nothing to it.
    """
    gene_key = ""
    recent: dict[str, tuple[str, str]] = {}
    run: Record | None = None
    blocks: Blocks = []

    for record in records:
        key = record.key or None
        if record.kind == EXON:
            place = (record.chrom, record.strand)
            if not with_exons and (
                (level == GENE and gene_key and gene_key == record.gene_id)
                or (record.parents and all(recent.get(above) == place for above in record.parents))
            ):
                continue
            if run is not None and _same_run(run, record):
                blocks.append((record.start, record.end))
                continue
            _store_exons(database, run, blocks)
            run, blocks = record, [(record.start, record.end)]
        elif record.kind == TRANSCRIPT:
            if len(recent) == RECENT:
                recent.clear()
            recent[record.key] = (record.chrom, record.strand)
            gene = (record.parents[0] if record.parents else None) or key
            problem = "" if key else NO_ID
            database.execute(_NEW_TRANSCRIPT, (key, *record[1:6], gene, *record[8:12], problem))
        else:
            gene_key = record.key
            recent.clear()
            names = (record.gene_id, record.name, record.biotype)
            database.execute(_NEW_GENE, (key, *record[1:6], *names))
    _store_exons(database, run, blocks)


def _same_run(run: Record, record: Record) -> bool:
    """True if an exon is known to belong to the same transcript as the exons before it."""
    known = any(run.parents) or bool(run.gene_id)
    return known and _PLACE_AND_PARENTS(run) == _PLACE_AND_PARENTS(record)


def _store_exons(database: sqlite3.Connection, run: Record | None, blocks: Blocks) -> None:
    """Store a row for each parent transcript, else for the gene.

    Exons with neither become a transcript without ID, which is skipped later.
    """
    if run is None:
        return
    packed = pack_blocks(blocks)
    rest = (run.gene_name, run.name, run.biotype)
    for parent in run.parents or ("",):
        if key := parent or run.gene_id:
            place = (run.line, run.chrom, run.strand)
            database.execute(_NEW_EXON, (key, *place, run.gene_id or None, *rest, packed))
        else:
            spanned = (run.line, run.chrom, *_span(blocks), run.strand)
            database.execute(_NEW_TRANSCRIPT, (None, *spanned, None, "", *rest, NO_ID))


def _span(blocks: Blocks) -> tuple[int, int]:
    return min(start for start, _ in blocks), max(end for _, end in blocks)


def _adopt(database: sqlite3.Connection) -> None:
    """Give transcripts of transcripts (NCBI: gene > primary_transcript > miRNA) their gene."""
    database.execute(
        """update transcript set gene = (select parent.gene from transcript parent
                                         where parent.key = transcript.gene limit 1)
           where not exists (select 1 from gene where gene.key = transcript.gene)
             and exists (select 1 from transcript parent where parent.key = transcript.gene)"""
    )


def _imply_transcripts(database: sqlite3.Connection) -> None:
    """Add the transcripts that have only exons; the exons of a gene form one transcript."""
    rows = database.execute(
        """select key, line, chrom, strand, gene, gene_name, name, biotype, blocks from exon
           where not exists (select 1 from transcript where transcript.key = exon.key)
           order by key, line"""
    )
    implied: list[tuple[object, ...]] = []
    for key, runs in groupby(rows, key=lambda row: row[0]):
        listed = list(runs)
        _, line, chrom, strand, gene_id, gene_name, name, biotype, _ = listed[0]
        problem = TRANS_SPLICED if len({row[2:4] for row in listed}) > 1 else ""
        blocks = [block for row in listed for block in unpack_blocks(row[8])]
        place = (line, chrom, *_span(blocks), strand)
        below = database.execute("select id from gene where key = ? limit 1", (key,)).fetchone()
        gene = key if below else gene_id or key
        name = below[0] if below else name or key
        implied.append((key, *place, gene, gene_id, gene_name, name, biotype, problem))
        if len(implied) == BATCH:
            database.executemany(_NEW_TRANSCRIPT, implied)
            implied.clear()
    database.executemany(_NEW_TRANSCRIPT, implied)


def _implied_genes(database: sqlite3.Connection) -> Iterator[Feature]:
    """Yield the genes that have only transcripts, one for each group of overlapping transcripts.

    A transcript with a problem is a gene of its own.
    """
    rows = database.execute(
        """select gene, chrom, strand, start, end, line, key, id, gene_name, name, biotype, problem
           from transcript where not exists (select 1 from gene where gene.key = transcript.gene)
           order by gene, chrom, strand, start"""
    )
    for (parent, chrom, strand), members in groupby(rows, key=lambda row: row[:3]):
        gene: Feature | None = None
        for _, _, _, start, end, line, key, gene_id, gene_name, name, biotype, problem in members:
            if gene is not None and start < gene.end and not problem:
                gene = gene._replace(line=min(gene.line, line), end=max(gene.end, end))
                continue
            gene_id = gene_id or (name if parent == key else parent) or "."
            label = gene_name or gene_id if gene_id != "." else f"{chrom}:{start}-{end}"
            names = (label, gene_id, biotype or ".")
            place = (line, chrom, start, end, strand)
            feature = Feature(*place, *names, problem=problem, gene_biotype=biotype or ".")
            if problem:
                yield feature
                continue
            if gene is not None:
                yield gene
            gene = feature
        if gene is not None:
            yield gene


def _genes(database: sqlite3.Connection) -> Iterator[Feature]:
    rows = database.execute("select * from gene")
    for key, line, chrom, start, end, strand, gene_id, name, biotype in rows:
        name = name or gene_id or f"{chrom}:{start}-{end}"
        biotype = biotype or _biotype_below(database, key)
        place = (line, chrom, start, end, strand)
        yield Feature(*place, name, gene_id or ".", biotype, gene_biotype=biotype)


def _biotype_below(database: sqlite3.Connection, gene: str | None) -> str:
    """The biotype of a gene's transcripts, for a gene without a biotype; '.' if they differ."""
    query = "select distinct biotype from transcript where gene = ? and biotype != ''"
    below = {biotype for (biotype,) in database.execute(query, (gene,))}
    if "protein_coding" in below:
        return "protein_coding"
    return below.pop() if len(below) == 1 else "."


def _transcripts(database: sqlite3.Connection, with_exons: bool) -> Iterator[Feature]:
    for row in database.execute("select * from transcript"):
        key, line, chrom, start, end, strand, gene, gene_id, _, name, biotype, problem = row
        query = "select id, biotype from gene where key = ? limit 1"
        above_id, gene_biotype = database.execute(query, (gene,)).fetchone() or ("", "")
        exons: Blocks = []
        if not problem:
            exons, problem = _exons(database, key, chrom, start, end, strand)
        merged = merge(exons) if exons and with_exons else None
        gene_id = gene_id or above_id or (name if gene == key else gene) or "."
        names = (name or f"{chrom}:{start}-{end}", gene_id, biotype or gene_biotype or ".")
        place = (line, chrom, start, end, strand)
        yield Feature(*place, *names, merged, problem, gene_biotype=gene_biotype or ".")

    childless = database.execute(
        """select line, chrom, start, end, strand, name, id, biotype from gene
           where not exists (select 1 from transcript where transcript.gene = gene.key)"""
    )
    for line, chrom, start, end, strand, name, gene_id, biotype in childless:
        names = (name or f"{chrom}:{start}-{end}", gene_id or ".", biotype or ".")
        place = (line, chrom, start, end, strand)
        yield Feature(*place, *names, problem=NO_TRANSCRIPT, gene_biotype=biotype or ".")


def _exons(
    database: sqlite3.Connection, key: str, chrom: str, start: int, end: int, strand: str
) -> tuple[Blocks, str]:
    """The exons of a transcript, and a problem if any lies on another strand or contig.

    A transcript with several loci (UCSC's refGene) gets the exons within [start, end).
    """
    exons: Blocks = []
    for other_chrom, other_strand, blocks in database.execute(
        "select chrom, strand, blocks from exon where key = ?", (key,)
    ):
        if (other_chrom, other_strand) == (chrom, strand):
            exons += [
                block for block in unpack_blocks(blocks) if start <= block[0] and block[1] <= end
            ]
        elif not database.execute(
            "select 1 from transcript where key = ? and chrom = ? and strand = ?",
            (key, other_chrom, other_strand),
        ).fetchone():
            return [], TRANS_SPLICED
    return exons, ""
