"""Contigs with several names: chr1, 1, NC_000001.11.

A contig that the FASTA does not have by name is looked up by its chromosome: without 'chr', with M,
MT and Mito as one, and with accessions as the chromosome of RefSeq (human, mouse), of the FASTA
header or of the GFF3's region line. GFF3 writes special characters of a name with percent signs
(sc%3D1 for sc=1). If two contigs match, neither is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import unquote

from histpred.core.errors import InputError, first_few

MITOCHONDRION = "MT"
_MITOCHONDRION_NAMES = frozenset({"M", "MT", "MITO", "MTDNA"})

# NC_000001-NC_000024 are human chromosomes 1-22, X, Y; NC_000067-NC_000087 mouse 1-19, X, Y;
# NC_012920 and NC_005089 the two mitochondria (NCBI assemblies GCF_000001405 and GCF_000001635, all
# versions).
_ACCESSION = re.compile(r"^NC_(\d{6})(?:\.\d+)?$")
_HUMAN = {number: str(number) for number in range(1, 23)} | {23: "X", 24: "Y", 12920: MITOCHONDRION}
_MOUSE = {number + 66: str(number) for number in range(1, 20)}
_MOUSE |= {86: "X", 87: "Y", 5089: MITOCHONDRION}

_DESCRIBED = re.compile(r"\bchromosome:?\s+([0-9A-Za-z]{1,5})\b(?!\S)", re.IGNORECASE)
_NOT_WHOLE = re.compile(
    r"unlocalized|unplaced|scaffold|contig|patch|alternate (locus|scaffold)|\balt\b|fragment",
    re.IGNORECASE,
)
_LOOKS_LIKE_ACCESSION = re.compile(r"^[A-Z]{1,6}_?\d{5,}(\.\d+)?$")

# What a format cannot hold: the beginning or whole of a name, and what readers make of it.
_COMMENT = (re.compile("#"), "rows that begin with '#' are comments")
_HEADER = (re.compile("(track|browser)$"), "BED's rows that begin with 'track' are headers")
_BRACE = (re.compile("[{]"), "tabix takes what '{' and '}' enclose for the name")
_CONTROL = (re.compile(r".*[\x00-\x1f\x7f-\x9f]"), "it has control characters")
TSV, BED, TABIX, HUB, FASTA = "TSV", "BED", "tabix index", "track hub", "FASTA"
_NOT_HELD = {
    TSV: (_COMMENT, _CONTROL),
    BED: (_COMMENT, _HEADER, _CONTROL),
    TABIX: (_COMMENT, _BRACE, _CONTROL),
    HUB: (_COMMENT, _BRACE, _CONTROL),
    FASTA: (_CONTROL,),
}


def refuse_names(path: str, contigs: Iterable[str], formats: Iterable[str]) -> None:
    """Raise InputError if a format that is to be written cannot hold the name of a contig.

    `path`: the file that the names are from. Formats without a rule, such as Parquet, hold all.
    """
    names = list(contigs)
    for form in formats:
        for pattern, why in _NOT_HELD.get(form, ()):
            if wrong := [repr(name) for name in names if pattern.match(name)]:
                count = f"{len(wrong)} contig{'s' * (len(wrong) > 1)} with rows"
                found = f"a {form} cannot hold the name of {count}: {first_few(wrong)}; {why}"
                raise InputError(path, found, "rename them, in the FASTA and in the annotation")


def chromosome(name: str) -> str:
    """The chromosome that a contig name means, without prefix; an unknown name is returned as is.

    >>> chromosome("chr1"), chromosome("chrM"), chromosome("NC_000023.11"), chromosome("scaffold_7")
    ('1', 'MT', 'X', 'scaffold_7')
    """
    if match := _ACCESSION.match(name):
        return (_HUMAN | _MOUSE).get(int(match[1]), name)
    bare = name[3:] if name[:3].lower() == "chr" and len(name) > 3 else name
    return MITOCHONDRION if bare.upper() in _MITOCHONDRION_NAMES else bare


def described_chromosome(description: str) -> str | None:
    """The chromosome that a FASTA header names; None if it names none, or only part of one.

    >>> described_chromosome("Drosophila melanogaster chromosome 4")
    '4'
    >>> described_chromosome("Homo sapiens chromosome 1 unlocalized genomic scaffold")
    """
    if "mitochondrion" in description.lower() and not _NOT_WHOLE.search(description):
        return MITOCHONDRION
    match = _DESCRIBED.search(description.replace(",", " "))
    return match[1] if match and not _NOT_WHOLE.search(description) else None


class ContigNames:
    """Finds the FASTA's name of a contig; `renamed` maps the annotation's names to other ones.

    `describe` returns the FASTA's header lines (name -> rest of the line). It may be slow; it is
    called at most once, and only for a FASTA with accessions as names.
    """

    def __init__(self, contigs: Iterable[str], describe: Callable[[], Mapping[str, str]]) -> None:
        self._contigs = frozenset(contigs)
        self._describe = describe
        self._by_chromosome: dict[str, set[str]] = {}
        for contig in self._contigs:
            self._by_chromosome.setdefault(chromosome(contig), set()).add(contig)
        self._described: dict[str, set[str]] | None = None
        self._found: dict[str, str | None] = {}
        self.renamed: dict[str, str] = {}

    def resolve(self, name: str, alias: str | None = None) -> str | None:
        """The FASTA's name of the contig `name`; None if no contig matches, or several do.

        `alias` is the chromosome that the annotation states for this name.
        """
        if name not in self._found:
            found = self._found[name] = self._search(name, alias)
            if found and found != name:
                self.renamed[name] = found
        return self._found[name]

    def _search(self, name: str, alias: str | None) -> str | None:
        written = unquote(name)
        if name in self._contigs:
            return None if written != name and written in self._contigs else name
        if written in self._contigs:
            return written
        name = written
        meant = [chromosome(candidate) for candidate in (name, alias) if candidate]
        for contigs_of in (self._by_chromosome.get, lambda key: self._descriptions().get(key)):
            for candidate in meant:
                if contigs := contigs_of(candidate):
                    contig = next(iter(contigs))
                    # Two different accessions are of different assemblies.
                    other_assembly = _ACCESSION.match(contig) and _ACCESSION.match(name)
                    return None if len(contigs) > 1 or other_assembly else contig
        return None

    def _descriptions(self) -> dict[str, set[str]]:
        if self._described is None:
            self._described = {}
            if any(_LOOKS_LIKE_ACCESSION.match(contig) for contig in self._contigs):
                for contig, description in self._describe().items():
                    if meant := described_chromosome(description):
                        self._described.setdefault(meant, set()).add(contig)
        return self._described
