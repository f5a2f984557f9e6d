"""GTF and GFF3 lines as records; `histpred.genome.assembly` joins them to genes and transcripts.

Both formats are tab-delimited with nine columns and 1-based inclusive coordinates, which become
0-based half-open here. GTF attributes are `key "value";` (GTF2.2,
https://mblab.wustl.edu/GTF22.html); NCBI writes gene rows with an empty transcript_id. GFF3
attributes are `key=value;`, percent-encoded and linked by ID and Parent
(https://github.com/The-Sequence-Ontology/Specifications). Supported dialects: GENCODE, Ensembl,
NCBI RefSeq, UCSC (genePredToGtf: no gene rows, no biotypes) and exon-only files. Lines of other
features (CDS, UTR, codons) are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple
from urllib.parse import unquote

from histpred.core.errors import InputError
from histpred.genome.lines import parse_position

GENE, TRANSCRIPT, EXON = "gene", "transcript", "exon"

_GTF_ATTRIBUTE = re.compile(
    r"""\s*([^\s;=]+)\s+(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^;]*?))\s*(?:;|$)"""
)
# The attributes that histpred reads. In nearly all GTF lines their values are double-quoted, and a
# key followed by a quote cannot occur inside a quoted value.
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

GTF, GFF3 = "GTF", "GFF3"
_TELLS = re.compile(
    r"""(?:^|;)\s*(?:[^\s;="']+(?:\s*(=)|\s+["'])|(?:gene|transcript)_id\s+[^\s;=])"""
)
_BEGINS = {
    GTF: ('gene_id "',),
    GFF3: ("ID=", "Parent="),
}  # nearly all lines: no need to look further
_QUOTED = re.compile(r"""=\s*("[^"]*"|'[^']*')\s*(?=;|$)""")
_LINKS = ("Parent", "Derives_from")


class Record(NamedTuple):
    """One gene, transcript or exon line.

    `key` identifies the record for its children; it is '' for exons and for lines without ID.
    `parents` are the keys of a transcript's gene or of an exon's transcripts. `gene_id` and
    `gene_name` may be '' if only the parent states them. `name` is the name of the gene or the
    transcript; an exon has that of its transcript.
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
    """The attributes of a GTF line, or only those in _KEYS; the first value of a repeated key.

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
    """The attributes of a GFF3 line, percent-decoded; links are not, because they may be lists.

    Blanks around a key or a value, and quotes around a value, are not part of it.

    >>> gff3_attributes("ID=gene%3B1;Name=a b;")
    {'ID': 'gene;1', 'Name': 'a b'}
    >>> gff3_attributes('ID = "g;1" ; Name = x')
    {'ID': 'g;1', 'Name': 'x'}
    """
    if '"' in text or "'" in text:
        text = _QUOTED.sub(lambda found: "=" + found[1][1:-1].replace(";", "%3B"), text)
    attributes: dict[str, str] = {}
    for pair in text.split(";"):
        key, equals, value = pair.partition("=")
        if equals:
            key, value = key.strip(), value.strip()
            encoded = "%" in value and key not in _LINKS
            attributes.setdefault(key, unquote(value) if encoded else value)
    return attributes


def attribute_format(text: str) -> str:
    """The format of an attribute column: 'GTF', 'GFF3', or '' if it does not tell.

    >>> [attribute_format(text) for text in ('gene_id "a"; note "b=c"', "ID = a", "g1")]
    ['GTF', 'GFF3', '']
    """
    found = _TELLS.search(text)
    return "" if found is None else GFF3 if found[1] else GTF


def read_gtf(name: str, lines: Iterable[tuple[int, str]]) -> Iterator[Record]:
    """Yield the records of numbered GTF lines; `name` is the file's name, for errors."""
    return _read(name, lines, GTF, _gtf_kind, _gtf_record)


def read_gff3(
    name: str,
    lines: Iterable[tuple[int, str]],
    on_region: Callable[[str, dict[str, str]], None] = lambda contig, attributes: None,
) -> Iterator[Record]:
    """Yield the records of numbered GFF3 lines up to a `##FASTA` section.

    `on_region` is called for each region line with the contig's name and attributes, such as
    Is_circular and chromosome.
    """
    return _read(name, lines, GFF3, _gff3_kind, partial(_gff3_record, on_region=on_region))


def _read(
    name: str,
    lines: Iterable[tuple[int, str]],
    format_: str,
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
            hint = "GTF and GFF3 have nine columns separated by tabs: is the file truncated?"
            raise InputError(name, f"{len(fields)} columns, found {line[:40]!r}", hint, number)
        kind = kind_of(fields[2])
        if not kind:
            continue
        if len(fields) < 9 or "".join(fields[9:]).strip():  # a tab may end the line
            found = f"{len(fields)} columns where GTF and GFF3 have nine"
            hint = "write a tab inside the attributes as %09 (GFF3) or remove it"
            raise InputError(name, found, hint, number)
        if not fields[8].startswith(_BEGINS[format_]):
            _refuse_other_format(name, number, format_, fields[8])
        start, end = _interval(name, number, fields[3], fields[4])
        strand = fields[6]
        if strand not in ("+", "-", ".", "?"):
            found = f"strand (column 7) is {strand!r}"
            raise InputError(name, found, "it must be '+', '-', '.' or '?'", number)
        record = record_of(kind, number, fields, start, end)
        if record is not None:
            yield record


def _refuse_other_format(name: str, number: int, format_: str, text: str) -> None:
    """Raise InputError for attributes of the other format: names and links would be lost."""
    if attribute_format(text) not in ("", format_):
        shapes = {GTF: 'key "value"', GFF3: "key=value"}
        other = GFF3 if format_ == GTF else GTF
        found = (
            f"attributes of a {other} ({shapes[other]}) after those of a {format_} "
            f"({shapes[format_]}): {text[:40]!r}"
        )
        raise InputError(name, found, "are two files joined here? give them one by one", number)


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


def _gtf_kind(feature: str) -> str:
    if feature in (GENE, EXON):
        return feature
    return TRANSCRIPT if _TRANSCRIPT_TYPE.search(feature) else ""


def _gtf_record(kind: str, number: int, fields: list[str], start: int, end: int) -> Record:
    attributes = gtf_attributes(fields[8])
    gene_id = attributes.get("gene_id", "")
    transcript_id = attributes.get("transcript_id", "")
    if not attributes:  # AUGUSTUS and BRAKER: only the ID of a gene (g1) or transcript (g1.t1)
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
    # NCBI restarts the numbers of unnamed transcripts in each gene, so the key needs both IDs.
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
    # miRBase links a mature miRNA to its hairpin with Derives_from.
    above = attributes.get("Parent") or attributes.get("Derives_from", "")
    parents = tuple(unquote(parent.strip(' "')) for parent in above.split(",") if parent)
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
    """The biotype in a feature type ('lnc_RNA', 'pseudogene'); '' for exon, gene and transcript."""
    return "" if kind == EXON or feature.lower() in (GENE, TRANSCRIPT) else feature


def _coding(biotype: str) -> str:
    """The biotype, with NCBI's mRNA for coding transcripts as the usual protein_coding."""
    return "protein_coding" if biotype == "mRNA" else biotype


def _plain_id(key: str) -> str:
    """An ID without the prefix of Ensembl ('gene:', 'transcript:') or NCBI ('gene-', 'rna-')."""
    return re.sub("^(gene:|transcript:|gene-|rna-)", "", key)
