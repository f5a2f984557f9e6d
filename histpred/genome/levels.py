"""The level of each record in the spool: what is a gene, what a transcript, and what belongs where.

A type alone does not decide: a pseudogene whose Parent is a pseudogene is its transcript, and a
feature of an unknown type with exons is a transcript. A link by ID holds within a contig, and
between a gene and a transcript only if they overlap.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import groupby

from histpred.genome.exon_owners import Place, share
from histpred.genome.feature_types import TRANSCRIPT, UNKNOWN
from histpred.genome.gff import Record
from histpred.genome.loci import Run, loci
from histpred.genome.reasons import AMBIGUOUS, TRANS_SPLICED
from histpred.genome.spool import unpack_blocks
from histpred.genome.unused import SCHEMA as UNUSED
from histpred.genome.unused import drop_coding

BATCH = 10_000
DEEPEST = 10  # transcripts within transcripts

SCHEMA = f"""{UNUSED}
create table gene (key text, line int, chrom text, start int, end int, strand text, source text,
                   parent text, id text, name text, biotype text, problem text, note text);
create table transcript (key text, line int, chrom text, start int, end int, strand text,
                         source text, gene text, id text, gene_name text, name text, biotype text,
                         problem text, note text);
create table exon (key text, line int, chrom text, strand text, source text, gene text,
                   gene_name text, name text, biotype text, blocks text, numbers text);
create table unknown (key text, line int, chrom text, start int, end int, strand text, source text,
                      parent text, id text, gene_name text, name text, biotype text, type text);
create table repeated (key text primary key) without rowid;
create table trans_spliced (key text primary key) without rowid;
create table shared (line int primary key) without rowid;
create index gene_key on gene (key, chrom, start, end);
create index gene_place on gene (chrom, start, end);
create index gene_parent on gene (parent) where parent is not null;
create index transcript_key on transcript (key);
create index transcript_gene on transcript (gene, chrom, strand, start);
create index exon_key on exon (key, line);
"""
NEW_GENE = f"insert into gene values ({', '.join('?' * 13)})"
NEW_TRANSCRIPT = f"insert into transcript values ({', '.join('?' * 14)})"
NEW_EXON = f"insert into exon values ({', '.join('?' * 11)})"
NEW_UNKNOWN = f"insert into unknown values ({', '.join('?' * 13)})"
NEW_TRANS_SPLICED = "insert or ignore into trans_spliced values (?)"  # the ID of its exons
NEW_SHARED = "insert into shared values (?)"  # a line of which there is a row for each parent
IN_PARTS = "trans-spliced, or in several places"

# A transcript has the gene of its ID that it overlaps.
IS_LINKED = """gene.key = transcript.gene and gene.chrom = transcript.chrom
               and gene.start < transcript.end and gene.end > transcript.start"""

_NESTED = """
with recursive nested (row) as (
    select child.rowid from gene child join gene top on top.key = child.parent
    where child.parent is not null and top.chrom = child.chrom and child.key is not child.parent
      and not exists (select 1 from gene above where above.key = top.parent
                      and above.chrom = top.chrom and above.rowid != top.rowid)
    union
    select child.rowid from nested join gene top on top.rowid = nested.row
    join gene child on child.parent = top.key and child.chrom = top.chrom
)
"""


def store_feature(database: sqlite3.Connection, record: Record) -> None:
    """Store a row for each parent of a gene, a transcript or a feature of an unknown type."""
    key = record.key or None
    parents: list[str | None] = [*dict.fromkeys(filter(None, record.parents))]
    problem = (record.problem, IN_PARTS if record.problem == TRANS_SPLICED else "")
    if len(parents) > 1:
        database.execute(NEW_SHARED, (record.line,))
    for parent in parents or [None]:
        where = (key, *record[1:6], record.source)
        if record.kind == TRANSCRIPT:
            database.execute(NEW_TRANSCRIPT, (*where, parent or key, *record[8:12], *problem))
        elif record.kind == UNKNOWN:
            database.execute(NEW_UNKNOWN, (*where, parent, *record[8:12], record.feature))
        else:
            own = (record.gene_id, record.name, record.biotype)
            database.execute(NEW_GENE, (*where, parent, *own, *problem))


def settle(database: sqlite3.Connection) -> None:
    """Decide the level of all records, and add the transcripts that have only exons."""
    _demote_genes(database)
    _promote_unknown(database)
    _adopt(database)
    _find_by_place(database)
    _keep_once(database)
    _imply_transcripts(database)
    drop_coding(database)
    database.execute(
        """update transcript set problem = ?, note = ?
           where problem = '' and key in (select key from trans_spliced)""",
        (TRANS_SPLICED, IN_PARTS),
    )
    database.execute(
        """insert into repeated select key from transcript where key is not null
           group by key having count(*) > 1"""
    )


def _demote_genes(database: sqlite3.Connection) -> None:
    """Make a gene whose Parent is a gene its transcript."""
    nested = f"select rowid from gene where rowid in ({_NESTED} select row from nested)"
    if database.execute(f"{nested} limit 1").fetchone() is None:
        return
    database.execute("create temp table demoted (row integer primary key)")
    database.execute(f"insert into demoted {nested}")
    database.execute(
        """insert into transcript select key, line, chrom, start, end, strand, source, parent,
           '', '', name, biotype, problem, note
           from gene where rowid in (select row from demoted)"""
    )
    database.execute("delete from gene where rowid in (select row from demoted)")


def _promote_unknown(database: sqlite3.Connection) -> None:
    """Make features of unknown types transcripts if they have exons, genes if transcripts."""
    has_exons = """exists (select 1 from exon where exon.key = unknown.key)
        and not exists (select 1 from transcript where transcript.key = unknown.key)
        and not exists (select 1 from gene where gene.key = unknown.key)"""
    database.execute(
        f"""insert into transcript select key, line, chrom, start, end, strand, source,
            coalesce(parent, key), id, gene_name, name, biotype, '', ''
            from unknown where {has_exons}"""
    )
    has_transcripts = """exists (select 1 from transcript where transcript.gene = unknown.key
                                 and transcript.chrom = unknown.chrom
                                 and transcript.key is not unknown.key)
        and not exists (select 1 from gene where gene.key = unknown.key)"""
    database.execute(
        f"""insert into gene select key, line, chrom, start, end, strand, source, null, id, name,
            biotype, '', '' from unknown where {has_transcripts}"""
    )
    database.execute(
        """delete from unknown where exists (select 1 from transcript where key = unknown.key)
           or exists (select 1 from gene where key = unknown.key)"""
    )


def _adopt(database: sqlite3.Connection) -> None:
    """Give transcripts of transcripts (NCBI: gene > primary_transcript > miRNA) their gene."""
    above = "parent.key = transcript.gene and parent.chrom = transcript.chrom"
    over = "parent.start < transcript.end and parent.end > transcript.start"
    for _ in range(DEEPEST):
        database.execute(
            f"""update transcript set problem = ?, note = 'its parent is of several genes'
                where problem = '' and not exists (select 1 from gene where {IS_LINKED})
                  and 1 < (select count(distinct parent.gene) from transcript parent
                           where {above} and {over})""",
            (AMBIGUOUS,),
        )
        adopted = database.execute(
            f"""update transcript set gene = (select parent.gene from transcript parent
                                              where {above} limit 1)
                where not exists (select 1 from gene where {IS_LINKED})
                  and exists (select 1 from transcript parent
                              where {above} and parent.gene is not transcript.gene)"""
        )
        if not adopted.rowcount:
            break


def _find_by_place(database: sqlite3.Connection) -> None:
    """Give a transcript that names no gene the one gene at its place, if that has no transcript."""
    place = """gene.chrom = transcript.chrom and gene.start = transcript.start
               and gene.end = transcript.end and gene.strand = transcript.strand
               and gene.key is not null and gene.problem = ''
               and not exists (select 1 from transcript other where other.gene = gene.key)"""
    database.execute(
        f"""update transcript set gene = (select key from gene where {place})
            where gene = key and problem = '' and 1 = (select count(*) from gene where {place})"""
    )


def _keep_once(database: sqlite3.Connection) -> None:
    """Of a line with several parents, keep one transcript for each gene, or else one row.

    If one of its parents is a gene, a gene is a transcript.
    """
    if database.execute("select 1 from shared limit 1").fetchone() is None:
        return
    for table, columns in (("transcript", "line, gene"), ("gene", "line"), ("unknown", "line")):
        database.execute(
            f"""delete from {table} where line in (select line from shared) and rowid not in
                (select min(rowid) from {table} where line in (select line from shared)
                 group by {columns})"""
        )
    database.execute(
        """delete from gene where line in (select line from shared)
           and line in (select line from transcript where line in (select line from shared))"""
    )


def _imply_transcripts(database: sqlite3.Connection) -> None:
    """Add the transcripts that have only exons; the exons of a gene form one transcript."""
    rows = database.execute(
        """select key, line, gene, gene_name, name, biotype, chrom, strand, source, blocks, numbers
           from exon where not exists (select 1 from transcript where transcript.key = exon.key)
           order by key, line"""
    )
    implied: list[tuple[object, ...]] = []
    for key, group in groupby(rows, key=lambda row: row[0]):
        listed = list(group)
        _, _, gene_id, gene_name, name, biotype, *_ = listed[0]
        runs = [_run(row[1], *row[6:]) for row in listed]
        genes = database.execute(
            """select line, chrom, start, end, strand, source, id, problem, note
               from gene where key = ?""",
            (key,),
        ).fetchall()
        rest = (gene_id, gene_name)
        if genes:
            for place, name, *found in _below_genes(genes, runs):
                implied.append((key, *place, "", key, *rest, name, biotype, *found))
        else:
            names = (gene_id or key, *rest, name or key, biotype)
            for locus in loci(runs):
                implied.append((key, *locus[:5], "", *names, locus.problem, locus.note))
        if len(implied) > BATCH:
            database.executemany(NEW_TRANSCRIPT, implied)
            implied.clear()
    database.executemany(NEW_TRANSCRIPT, implied)


def _below_genes(
    genes: list[tuple[int, str, int, int, str, str, str, str, str]], runs: list[Run]
) -> Iterator[tuple[tuple[int, str, int, int, str], str, str, str]]:
    """Yield what the exons right below each gene make: place, name, problem and note."""
    portions = share([Place(*row[:6]) for row in genes], runs)
    lines: dict[tuple[str, tuple[int, int]], int] = {}
    for run in sorted(runs, reverse=True):
        lines.update(((run.chrom, block), run.line) for block in run.blocks)
    for row, portion in zip(genes, portions, strict=True):
        line, chrom, start, end, _, _, name, problem, note = row
        if problem:
            portion.refuse(problem, note)
        if portion.blocks and not portion.problem:
            start = min(block[0] for block in portion.blocks)
            end = max(block[1] for block in portion.blocks)
            line = min(lines[chrom, block] for block in portion.blocks)
        if portion.blocks or portion.problem:
            place = (line, chrom, start, end, portion.strand)
            yield place, name, portion.problem, portion.note


def runs_of(database: sqlite3.Connection, key: str | None) -> list[Run]:
    """The exons with one ID, by contig, strand and source."""
    query = """select min(line), chrom, strand, source, group_concat(blocks) from exon
               where key = ? group by chrom, strand, source"""
    return [
        Run(line, chrom, strand, source, unpack_blocks(blocks))
        for line, chrom, strand, source, blocks in database.execute(query, (key,))
    ]


def _run(line: int, chrom: str, strand: str, source: str, blocks: str, numbers: str) -> Run:
    each = tuple(map(int, numbers.split(","))) if numbers else ()
    return Run(line, chrom, strand, source, unpack_blocks(blocks), each)
