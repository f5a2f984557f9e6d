"""The attributes of GTF and GFF3 lines, their ninth column.

Those of a GTF are `key "value";` (GTF2.2, https://mblab.wustl.edu/GTF22.html), those of a GFF3
`key=value;`, percent-encoded (https://github.com/The-Sequence-Ontology/Specifications).
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from histpred.core.errors import InputError

GTF, GFF3 = "GTF", "GFF3"

_GTF_ATTRIBUTE = re.compile(
    r"""\s*([^\s;=]+)\s+(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^;]*?))\s*(?:;|$)"""
)
# The attributes that histpred reads. In nearly all GTF lines their values are double-quoted, and a
# key followed by a quote cannot occur inside a quoted value.
_KEYS = (
    "gene_id|gene_name|gene_symbol|gene_type|gene_biotype|gene|"
    "transcript_id|transcript_type|transcript_biotype|exception|part"
)
_WANTED = re.compile(rf'(?:^|;)\s*({_KEYS})\s+"([^"]*)"')
_UNQUOTED = re.compile(rf'(?:^|;)\s*(?:{_KEYS})\s+[^"\s]')

_TELLS = re.compile(
    r"""(?:^|;)\s*(?:[^\s;="']+(?:\s*(=)|\s+["'])|(?:gene|transcript)_id\s+[^\s;=])"""
)
_BEGINS = {
    GTF: ('gene_id "',),
    GFF3: ("ID=", "Parent="),
}  # nearly all lines: no need to look further
_QUOTED = re.compile(r"""=\s*("[^"]*"|'[^']*')\s*(?=;|$)""")
_ID = re.compile(r"(?:^|;)\s*ID\s*=")
_LINK = re.compile(r"(?:^|;)\s*(?:Parent|Derives_from|gene_id|transcript_id)\s*[= ]")
_LINKS = ("Parent", "Derives_from")
_PARENT = re.compile(r"(?:^|;)\s*(?:Parent|Derives_from)\s*=\s*([^;]+)")
_OF_TRANSCRIPT = re.compile(r"""(?:^|;)\s*transcript_id[\s=]\s*"?([^";]+)""")
_OF_GENE = re.compile(r"""(?:^|;)\s*gene_id[\s=]\s*"?([^";]+)""")


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


def bare_id(text: str) -> str:
    """The ID of GFF3 attributes that begin with it alone, as AUGUSTUS writes them; else ''.

    >>> bare_id("g1.t1;Parent=g1"), bare_id("note=g1"), bare_id(".")
    ('g1.t1', '', '')
    """
    first = text.partition(";")[0].strip()
    return "" if first == "." or "=" in first or " " in first else unquote(first)


def is_unlinked(text: str) -> bool:
    """True for the attributes of a GFF3 feature that has an ID and no gene or transcript.

    >>> is_unlinked("ID=c;gene=dnaA"), is_unlinked("ID=c;Parent=t")
    (True, False)
    """
    return bool(_ID.search(text)) and not _LINK.search(text)


def linked(text: str) -> tuple[str, ...]:
    """The IDs in a Parent or Derives_from attribute.

    >>> linked('a%2C1, b,"c"')
    ('a,1', 'b', 'c')
    """
    return tuple(unquote(part.strip(' "')) for part in text.split(",") if part)


def coding_links(text: str) -> tuple[str, ...]:
    """The IDs that a CDS names, of its transcript or else of its gene; none for a bare ID.

    >>> coding_links("ID=c;Parent=t1,t2"), coding_links('gene_id "g"; transcript_id "t"')
    (('t1', 't2'), ('t',))
    """
    if above := _PARENT.search(text):
        return linked(above[1])
    own = _OF_TRANSCRIPT.search(text) or _OF_GENE.search(text)
    return (own[1],) if own else ()


def refuse_other(format_: str, name: str, number: int, text: str) -> None:
    """Raise InputError for attributes of the other format: names and links would be lost.

    format_: that of the lines before. name, number: file and line, for the error.
    """
    if not text.startswith(_BEGINS[format_]) and attribute_format(text) not in ("", format_):
        shapes = {GTF: 'key "value"', GFF3: "key=value"}
        other = GFF3 if format_ == GTF else GTF
        found = (
            f"attributes of a {other} ({shapes[other]}) after those of a {format_} "
            f"({shapes[format_]}): {text[:40]!r}"
        )
        raise InputError(name, found, "are two files joined here? give them one by one", number)
