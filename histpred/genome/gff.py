"""GTF and GFF3: one line, one record; what belongs together is put together in `assembly`.

Facts relied on: both are tab-delimited with nine columns and 1-based inclusive coordinates, turned
into 0-based half-open here and nowhere else. GTF attributes are `key "value";` (GTF2.2,
https://mblab.wustl.edu/GTF22.html; NCBI writes gene rows with an empty transcript_id); GFF3
attributes are `key=value;`, percent-encoded, linked by ID and Parent
(https://github.com/The-Sequence-Ontology/Specifications). Dialects: GENCODE, Ensembl, NCBI RefSeq,
UCSC (genePredToGtf: no gene rows, no biotypes), exon-only files. Lines of other features (CDS, UTR,
codons) are not needed and not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple
from urllib.parse import unquote

from histpred.core.errors import InputError
from histpred.genome.regions import is_too_far

GENE, TRANSCRIPT, EXON = "gene", "transcript", "exon"

_GTF_ATTRIBUTE = re.compile(
    r"""\s*([^\s;=]+)\s+(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^;]*?))\s*(?:;|$)"""
)
# What is read of a GTF line, where it stands in double quotes as it nearly always does: a name and
# a quote can only meet outside of a quoted value.
_KEYS = (
    "gene_id|gene_name|gene_symbol|gene_type|gene_biotype|gene|"
    "transcript_id|transcript_type|transcript_biotype"
)
_GENE_NAMES = ("gene_name", "gene", "gene_symbol")  # GENCODE and Ensembl, NCBI, FlyBase
_UNKNOWN_TRANSCRIPT = re.compile(r"(unknown|unassigned)_transcript_\d+$")
_WANTED = re.compile(rf'(?:^|;)\s*({_KEYS})\s+"([^"]*)"')
_UNQUOTED = re.compile(rf'(?:^|;)\s*(?:{_KEYS})\s+[^"\s]')
_TRANSCRIPT_TYPE = re.compile(r"(rna|transcript|ribozyme|gene_segment)$", re.IGNORECASE)
_NO_TRANSCRIPT = frozenset({"match_rna", "est_match", "cdna_match"})


class Record(NamedTuple):
    """One gene, transcript or exon line.

    `key` is what other records refer to it by ('' for exons, and where the line has none);
    `parents` the keys of what it belongs to: a transcript's gene, an exon's transcripts. `gene_id`
    and `gene_name` may be '' where only the parent knows. `name` is the gene's or transcript's own,
    for an exon its transcript's.
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


def gtf_attributes(text: str) -> dict[str, str]:
    """Attributes of a GTF line, at least those that are read here; of a repeated key the first.

    >>> gtf_attributes('gene_id "A;1"; level 2; gene_id "B"')
    {'gene_id': 'A;1'}
    >>> gtf_attributes("gene_id A; note 'x'")
    {'gene_id': 'A', 'note': 'x'}
    """
    if 'gene_id "' in text and '\\"' not in text and not _UNQUOTED.search(text):
        return dict(reversed(_WANTED.findall(text)))
    attributes: dict[str, str] = {}
    for key, double, single, bare in _GTF_ATTRIBUTE.findall(text):
        attributes.setdefault(key, double or single or bare)

    return attributes


def gff3_attributes(text: str) -> dict[str, str]:
    """Attributes of a GFF3 line, percent-decoded except for ',' in lists (left to the caller).

    >>> gff3_attributes("ID=gene%3B1;Name=a b;")
    {'ID': 'gene;1', 'Name': 'a b'}
    """
    attributes: dict[str, str] = {}
    for pair in text.split(";"):
        key, equals, value = pair.strip().partition("=")
        if equals:
            attributes.setdefault(
                key, unquote(value) if "%" in value and key != "Parent" else value
            )

    return attributes


def read_gtf(name: str, lines: Iterable[tuple[int, str]]) -> Iterator[Record]:
    """Records of numbered GTF lines; `name` is the file's, for errors."""
    return _read(name, lines, _gtf_kind, _gtf_record)


def read_gff3(
    name: str,
    lines: Iterable[tuple[int, str]],
    on_region: Callable[[str, dict[str, str]], None] = lambda contig, attributes: None,
) -> Iterator[Record]:
    """Records of numbered GFF3 lines up to a `##FASTA` tail.

    `on_region` hears of the region lines: a contig's name and what the file says of it
    (Is_circular, chromosome).
    """
    return _read(name, lines, _gff3_kind, partial(_gff3_record, on_region=on_region))


def _read(
    name: str,
    lines: Iterable[tuple[int, str]],
    kind_of: Callable[[str], str],
    record_of: Callable[..., Record | None],
) -> Iterator[Record]:
    for number, line in lines:
        if line.startswith((">", "##FASTA")):
            return
        if not line or line[0] == "#" or line.isspace() or line.startswith(("track ", "browser ")):
            continue
        fields = line.split("\t")
        if len(fields) < 8:
            raise InputError(
                name,
                f"{len(fields)} columns, found {line[:40]!r}",
                "GTF and GFF3 have nine columns separated by tabs; is the file cut short?",
                number,
            )
        kind = kind_of(fields[2])
        if not kind:
            continue
        if len(fields) != 9:
            raise InputError(
                name,
                f"{len(fields)} columns where GTF and GFF3 have nine",
                "a tab inside the attributes must be written as %09 (GFF3) or left out",
                number,
            )

        start, end = _interval(name, number, fields[3], fields[4])
        strand = fields[6]
        if strand not in ("+", "-", ".", "?"):
            raise InputError(
                name, f"strand (column 7) is {strand!r}", "it must be '+', '-', '.' or '?'", number
            )
        record = record_of(kind, number, fields, start, end)
        if record is not None:
            yield record


def _interval(name: str, number: int, first: str, last: str) -> tuple[int, int]:
    """0-based half-open coordinates of a line's 1-based inclusive ones."""
    for what, text in (("start", first), ("end", last)):
        if not (text.isascii() and text.isdigit()):
            raise InputError(
                name, f"{what} is not a whole number: {text[:40]!r}", "mend the line", number
            )
        if is_too_far(text):
            raise InputError(
                name, f"{what} {text[:20]} is past the end of any contig", "mend the line", number
            )
    start, end = int(first), int(last)
    if start < 1:
        raise InputError(
            name, "start is 0, but GTF and GFF3 count from 1", "was this made from a BED?", number
        )
    if start > end:
        raise InputError(name, f"start {start} is after end {end}", "mend the line", number)

    return start - 1, end


def _gtf_kind(feature: str) -> str:
    if feature in (GENE, EXON):
        return feature
    return TRANSCRIPT if _TRANSCRIPT_TYPE.search(feature) else ""


def _gtf_record(kind: str, number: int, fields: list[str], start: int, end: int) -> Record:
    attributes = gtf_attributes(fields[8])
    gene_id = attributes.get("gene_id", "")
    transcript_id = attributes.get("transcript_id", "")
    if (
        not attributes
    ):  # AUGUSTUS and BRAKER write the bare name of a gene (g1) or transcript (g1.t1)
        bare = fields[8].strip().rstrip(";")
        gene_id = bare if kind == GENE else bare.rpartition(".")[0]
        transcript_id = "" if kind == GENE else bare
    gene_name = next(filter(None, map(attributes.get, _GENE_NAMES)), "")
    gene_biotype = attributes.get("gene_biotype") or attributes.get("gene_type") or ""
    place = (kind, number, fields[0], start, end, fields[6])
    if kind == GENE:
        return Record(*place, gene_id, (), gene_id, gene_name, gene_name or gene_id, gene_biotype)

    if not gene_id and _UNKNOWN_TRANSCRIPT.match(transcript_id):
        transcript_id = ""
    # NCBI numbers its nameless transcripts anew for each gene: only the two IDs together are one.
    key = f"{gene_id}\t{transcript_id}" if transcript_id else ""
    biotype = attributes.get("transcript_biotype") or attributes.get("transcript_type")
    biotype = biotype or gene_biotype or _class_of(kind, fields[2])
    rest = (gene_id, gene_name, transcript_id or gene_id, _coding(biotype))
    if kind == TRANSCRIPT:
        return Record(*place, key, (gene_id,), *rest)
    return Record(*place, "", (key,), *rest)


def _gff3_kind(feature: str) -> str:
    lowered = feature.lower()
    if lowered.endswith("gene"):
        return GENE
    if lowered.endswith("exon"):
        return EXON
    if _TRANSCRIPT_TYPE.search(lowered) and lowered not in _NO_TRANSCRIPT:
        return TRANSCRIPT
    return "region" if lowered == "region" else ""


def _gff3_record(
    kind: str,
    number: int,
    fields: list[str],
    start: int,
    end: int,
    on_region: Callable[[str, dict[str, str]], None],
) -> Record | None:
    attributes = gff3_attributes(fields[8])
    if kind == "region":
        on_region(fields[0], attributes)
        return None

    key = attributes.get("ID", "")
    # miRBase hangs a mature miRNA below its hairpin by Derives_from.
    above = attributes.get("Parent") or attributes.get("Derives_from", "")
    parents = tuple(unquote(parent) for parent in above.split(",") if parent)
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
        name = "" if kind == EXON else name
    place = (kind, number, fields[0], start, end, fields[6])
    return Record(*place, key, parents, gene_id, gene_name, name, biotype)


def _class_of(kind: str, feature: str) -> str:
    """The biotype that a feature type states ('lnc_RNA', 'pseudogene'), '' for a plain one."""
    return "" if kind == EXON or feature.lower() in (GENE, TRANSCRIPT) else feature


def _coding(biotype: str) -> str:
    """NCBI calls a coding transcript mRNA where it and all others call its gene protein_coding."""
    return "protein_coding" if biotype == "mRNA" else biotype


def _plain_id(key: str) -> str:
    """An ID without the prefix that Ensembl ('gene:', 'transcript:') and NCBI ('gene-', 'rna-') put
    before it.
    """
    for prefix in ("gene:", "transcript:", "gene-", "rna-"):
        if key.startswith(prefix):
            return key[len(prefix) :]
    return key
