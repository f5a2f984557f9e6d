"""Features that are read for the ledger only: those of unknown types, and CDS without a transcript.

A CDS does not tell where transcription begins. Most CDS belong to transcripts that have lines of
their own, so only the others are stored: those whose transcript was not seen shortly before.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import groupby

from histpred.genome.feature_types import CODING, kind_of
from histpred.genome.gff import Record
from histpred.genome.reasons import NO_GENE, UNKNOWN_TYPE
from histpred.genome.regions import Feature

SCHEMA = """
create table coding (key text, gene text, line int, chrom text, start int, end int, strand text,
                     name text, type text);
create index coding_key on coding (key, chrom, strand, line);
"""
NEW_CODING = f"insert into coding values ({', '.join('?' * 9)})"
IS_KNOWN = """exists (select 1 from transcript where transcript.key = coding.key)
    or exists (select 1 from gene where gene.key = coding.key)
    or exists (select 1 from gene where gene.key = coding.gene)
    or exists (select 1 from transcript where transcript.gene = coding.gene)
    or coding.key in (select key from unknown where key is not null)"""


def store_coding(database: sqlite3.Connection, record: Record) -> None:
    """Store a CDS, once for each transcript that it names, or else for its gene."""
    place = (record.line, record.chrom, record.start, record.end, record.strand)
    for parent in record.parents or ("",):
        if key := parent or record.gene_id:
            names = (record.name or key, record.feature)
            database.execute(NEW_CODING, (key, record.gene_id or None, *place, *names))


def drop_coding(database: sqlite3.Connection) -> None:
    """Drop the CDS of genes and transcripts that have lines, and all if there is neither.

    Those without Parent, in a file with genes, are of these genes.
    """
    if database.execute("select 1 from gene limit 1").fetchone():
        types = database.execute("select distinct type from unknown").fetchall()
        coding = [found for found in types if kind_of(*found) == CODING]
        database.executemany("delete from unknown where type = ?", coding)
    some = "select 1 from gene union all select 1 from transcript limit 1"
    is_known = IS_KNOWN if database.execute(some).fetchone() else "true"
    database.execute(f"delete from coding where {is_known}")


def unused(database: sqlite3.Connection) -> Iterator[Feature]:
    """Yield the features of unknown types, and a feature for the CDS of one transcript."""
    rows = database.execute("select line, chrom, start, end, strand, name, type from unknown")
    for line, chrom, start, end, strand, name, feature in rows:
        name = name or f"{chrom}:{start}-{end}"
        place = (line, chrom, start, end, strand)
        problem = NO_GENE if kind_of(feature) == CODING else UNKNOWN_TYPE
        yield Feature(*place, name, problem=problem, note=f"type {feature}")
    rows = database.execute(
        """select key, chrom, strand, line, start, end, name, gene, type from coding
           order by key, chrom, strand, line"""
    )
    for (_, chrom, strand), members in groupby(rows, key=lambda row: row[:3]):
        parts = list(members)
        _, _, _, line, *_, name, gene, feature = parts[0]
        start, end = min(part[4] for part in parts), max(part[5] for part in parts)
        place = (line, chrom, start, end, strand)
        yield Feature(*place, name, gene or ".", problem=NO_GENE, note=f"type {feature}")
