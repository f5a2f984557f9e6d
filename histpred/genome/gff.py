"""GTF and GFF3 lines as records; `histpred.genome.assembly` joins them to genes and transcripts.

Both formats are tab-delimited with nine columns and 1-based inclusive coordinates, which become
0-based half-open here. NCBI writes gene rows of a GTF with an empty transcript_id. A GFF3 is linked
by ID and Parent. Supported dialects: GENCODE, Ensembl, NCBI RefSeq, UCSC (genePredToGtf: no gene
rows, no biotypes) and exon-only files. Lines of other features (UTR, codons) are ignored. So are
those of CDS that follow their transcript or gene.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator
from functools import partial
from typing import NamedTuple
from urllib.parse import unquote

from histpred.core.errors import InputError
from histpred.genome.attributes import (
    GFF3,
    GTF,
    bare_id,
    coding_links,
    gff3_attributes,
    gtf_attributes,
    is_unlinked,
    linked,
    refuse_other,
)
from histpred.genome.feature_types import (
    CODING,
    EXON,
    GENE,
    IGNORED,
    REGION,
    TRANSCRIPT,
    UNKNOWN,
    kind_of,
    term,
)
from histpred.genome.lines import parse_position
from histpred.genome.reasons import NO_ID, TRANS_SPLICED

_GENE_NAMES = ("gene_name", "gene", "gene_symbol")  # GENCODE and Ensembl, NCBI, FlyBase
_UNKNOWN_TRANSCRIPT = re.compile(r"(unknown|unassigned)_transcript_\d+$")
# AGAT also writes GFF3 attributes with a `transcript_id t` among them.
_TRANSCRIPT_ID = re.compile(r'(?:^|;)\s*transcript_id[\s=]+"?([^";\s]+)')
# NCBI: each line of a gene that lies in several places has its number, 1/2 or 1.
_PART = re.compile(r"\d+(?:/(?!1$)\d+)?")
RECENT = 10_000  # IDs that are kept to see which CDS follow their transcript
_EXON_NUMBER = re.compile(r"(?:^|;)\s*exon_number[ =]\s*[\"']?0*([1-9][0-9]{0,8})\b")


class Record(NamedTuple):
    """One gene, transcript, exon or CDS line, or one of an unknown type.

    `key` identifies the record for its children; it is '' for exons and for lines without ID.
    `parents` are the keys of a transcript's gene or of the transcripts of an exon or a CDS.
    `gene_id` and `gene_name` may be '' if only the parent states them. `name` is the name of the
    gene or the transcript; an exon has that of its transcript. `source` and `attributes` are
    columns 2 and 9. `feature` is column 3. `problem` is the reason why the record cannot be used,
    else ''.
    """

    kind: str
    line: int
    chrom: str
    start: int
    end: int
    strand: str
    key: str
    parents: tuple[str, ...]
    gene_id: str
    gene_name: str
    name: str
    biotype: str
    source: str
    feature: str
    attributes: str
    problem: str = ""


def exon_number(attributes: str) -> int:
    """The exon_number of a line, from its attributes; 0 if it has none.

    >>> exon_number('gene_id "A"; exon_number "2";'), exon_number("ID=a;exon_number=3")
    (2, 3)
    """
    found = _EXON_NUMBER.search(attributes)
    return int(found[1]) if found else 0


def read_gtf(
    name: str,
    lines: Iterable[tuple[int, str]],
    on_other: Callable[[str], None] = lambda feature: None,
) -> Iterator[Record]:
    """Yield the records of numbered GTF lines; `name` is the file's name, for errors.

    `on_other` is called with the type of each line that is not read.
    """
    return _read(name, lines, GTF, _gtf_record, on_other)


def read_gff3(
    name: str,
    lines: Iterable[tuple[int, str]],
    on_region: Callable[[str, dict[str, str]], None] = lambda contig, attributes: None,
    on_other: Callable[[str], None] = lambda feature: None,
) -> Iterator[Record]:
    """Yield the records of numbered GFF3 lines up to a `##FASTA` section.

    `on_region` is called for each region line with the contig's name and attributes, such as
    Is_circular and chromosome. `on_other` is called with the type of each line that is not read.
    """
    return _read(name, lines, GFF3, partial(_gff3_record, on_region=on_region), on_other)


def _read(
    name: str,
    lines: Iterable[tuple[int, str]],
    format_: str,
    record_of: Callable[..., Record | None],
    on_other: Callable[[str], None],
) -> Iterator[Record]:
    recent: set[str] = set()
    for number, line in lines:
        if line.startswith((">", "##FASTA")):
            return
        if not line or line[0] == "#" or line.isspace() or line.startswith(("track ", "browser ")):
            continue
        fields = line.split("\t")
        if len(fields) < 8:
            hint = "GTF and GFF3 have nine columns separated by tabs: is the file truncated?"
            raise InputError(name, f"{len(fields)} columns, found {line[:40]!r}", hint, number)
        kind = kind_of(fields[2])
        if kind == CODING:
            kind = _kind_of_coding(format_, "".join(fields[8:9]), recent)
        if kind in (IGNORED, CODING):
            on_other(fields[2])
        if not kind:
            continue
        _refuse_columns(name, number, fields)
        refuse_other(format_, name, number, fields[8])
        start, end = _interval(name, number, fields[3], fields[4])
        strand = fields[6]
        if strand not in ("+", "-", ".", "?"):
            found = f"strand (column 7) is {strand!r}"
            raise InputError(name, found, "it must be '+', '-', '.' or '?'", number)
        record = record_of(kind, number, fields, start, end)
        if record is not None:
            if len(recent) > RECENT:
                recent.clear()
            recent.update(_ids_of(record))
            yield record


def _ids_of(record: Record) -> Iterable[str]:
    """The IDs by which the CDS of a record may name its transcript or gene."""
    keys = record.parents if record.kind == EXON else (record.key,)
    return [key.rpartition("\t")[2] for key in keys]


def _kind_of_coding(format_: str, attributes: str, recent: Container[str]) -> str:
    """UNKNOWN for a CDS that names neither gene nor transcript, IGNORED if it follows its own."""
    if format_ == GFF3 and is_unlinked(attributes):
        return UNKNOWN
    links = coding_links(attributes)
    return IGNORED if not links or all(link in recent for link in links) else CODING


def _refuse_columns(name: str, number: int, fields: list[str]) -> None:
    """Raise InputError for a line without nine columns, or without the name of a contig."""
    if len(fields) < 9 or "".join(fields[9:]).strip():  # a tab may end the line
        found = f"{len(fields)} columns where GTF and GFF3 have nine"
        hint = "write a tab inside the attributes as %09 (GFF3) or remove it"
        if len(fields) < 9:
            hint = "the attributes (column 9) are missing: add them, or remove the line"
        raise InputError(name, found, hint, number)
    if not fields[0] or fields[0].isspace():
        found = f"the contig name is {fields[0]!r}"
        raise InputError(name, found, "give the name of a contig", number)


def _interval(name: str, number: int, first: str, last: str) -> tuple[int, int]:
    """Convert the 1-based inclusive coordinates of a line to 0-based half-open."""
    hint = "correct the line"
    start = parse_position(name, number, "start", first, hint)
    end = parse_position(name, number, "end", last, hint)
    if start < 1:
        hint = "was this converted from a BED?"
        raise InputError(name, "start is 0, but GTF and GFF3 count from 1", hint, number)
    if start > end:
        raise InputError(name, f"start {start} is after end {end}", hint, number)
    return start - 1, end


def _gtf_record(kind: str, number: int, fields: list[str], start: int, end: int) -> Record | None:
    if kind == REGION:
        return None
    attributes = gtf_attributes(fields[8])
    gene_id = attributes.get("gene_id", "")
    transcript_id = attributes.get("transcript_id", "")
    if not attributes:  # AUGUSTUS and BRAKER: only the ID of a gene (g1) or transcript (g1.t1)
        bare = fields[8].strip().rstrip(";")
        gene_id = bare if kind == GENE else bare.rpartition(".")[0]
        transcript_id = "" if kind == GENE else bare
    gene_name = next(filter(None, map(attributes.get, _GENE_NAMES)), "")
    gene_biotype = attributes.get("gene_biotype") or attributes.get("gene_type") or ""
    if kind == GENE and transcript_id and term(fields[2]).lower() != GENE:
        kind = TRANSCRIPT  # FlyBase: the transcript of a pseudogene has the type pseudogene
    columns = fields[1], fields[2], fields[8]
    place = (kind, number, fields[0], start, end, fields[6])
    problem = _trans_splicing(kind, attributes)
    if kind == GENE:
        names = (gene_id, gene_name, gene_name or gene_id, gene_biotype)
        return Record(*place, gene_id, (), *names, *columns, problem)

    if not gene_id and _UNKNOWN_TRANSCRIPT.match(transcript_id):
        transcript_id = ""
    # NCBI restarts the numbers of unnamed transcripts in each gene, so the key needs both IDs.
    key = f"{gene_id}\t{transcript_id}" if transcript_id else ""
    biotype = attributes.get("transcript_biotype") or attributes.get("transcript_type")
    biotype = biotype or gene_biotype or _class_of(kind, fields[2])
    rest = (gene_id, gene_name, transcript_id or gene_id, _coding(biotype))
    if kind in (EXON, CODING):
        return Record(*place, "", (key,), *rest, *columns, problem)
    problem = NO_ID if kind == TRANSCRIPT and not key else problem
    key = "" if kind == UNKNOWN else key  # transcript_id names the transcript that it is part of
    return Record(*place, key, (gene_id,), *rest, *columns, problem)


def _gff3_record(
    kind: str,
    number: int,
    fields: list[str],
    start: int,
    end: int,
    on_region: Callable[[str, dict[str, str]], None],
) -> Record | None:
    attributes = gff3_attributes(fields[8])
    if kind == REGION:
        on_region(fields[0], attributes)
        return None

    key = attributes.get("ID", "")
    # miRBase links a mature miRNA to its hairpin with Derives_from.
    above = attributes.get("Parent") or attributes.get("Derives_from", "")
    parents = linked(above)
    if not key and attributes.keys() <= {"Parent"}:
        key = bare_id(fields[8])
    # Without ID and Parent, the attributes may be those of a GTF (AGAT, rtracklayer).
    if kind in (EXON, CODING) and not parents:
        parents = tuple(map(unquote, _TRANSCRIPT_ID.findall(fields[8])[:1]))
    elif kind == TRANSCRIPT:
        key = key or attributes.get("transcript_id", "")
        parents = parents or tuple(filter(None, [attributes.get("gene_id", "")]))
    elif kind == GENE:
        key = key or attributes.get("gene_id", "")
    own = ("gene_type", "gene_biotype") if kind == GENE else ("transcript_type", "type")
    biotype = next(filter(None, map(attributes.get, ("biotype", *own))), "")
    biotype = _coding(biotype or _class_of(kind, fields[2]))
    gene_id, gene_name = attributes.get("gene_id", ""), attributes.get("gene_name", "")
    if kind == GENE:
        gene_id = gene_id or _plain_id(key)
        gene_name = attributes.get("Name") or gene_name
        name = gene_name or gene_id
    else:
        name = attributes.get("transcript_id") or attributes.get("Name") or _plain_id(key)
    name = "" if kind in (EXON, CODING) else name or attributes.get("locus_tag", "")
    place = (kind, number, fields[0], start, end, fields[6])
    rest = (gene_id, gene_name, name, biotype, fields[1], fields[2], fields[8])
    return Record(*place, key, parents, *rest, _trans_splicing(kind, attributes))


def _trans_splicing(kind: str, attributes: dict[str, str]) -> str:
    """TRANS_SPLICED for a part of a feature, or of what is trans-spliced; else ''.

    A gene of one line has its place, whatever becomes of its transcripts.
    """
    spliced = kind != GENE and "trans-splicing" in attributes.get("exception", "")
    return TRANS_SPLICED if spliced or _PART.fullmatch(attributes.get("part", "")) else ""


def _class_of(kind: str, feature: str) -> str:
    """The biotype in a feature type ('lnc_RNA', 'pseudogene'); '' for exon, gene and transcript."""
    feature = term(feature)
    return "" if kind == EXON or feature.lower() in (GENE, TRANSCRIPT) else feature


def _coding(biotype: str) -> str:
    """The biotype, with NCBI's mRNA for coding transcripts as the usual protein_coding."""
    return "protein_coding" if biotype == "mRNA" else biotype


def _plain_id(key: str) -> str:
    """An ID without the prefix of Ensembl ('gene:', 'transcript:') or NCBI ('gene-', 'rna-')."""
    return re.sub("^(gene:|transcript:|gene-|rna-)", "", key)
