"""One contig under several names: chr1, 1, NC_000001.11.

A name of the annotation is looked up in the FASTA as it is; failing that, by what both names stand
for: without 'chr', with M, MT and Mito as one, RefSeq accessions of human and mouse by their
number, and any accession by the 'chromosome N' of its FASTA header or of the GFF3's region line.
Only a single candidate counts: where two contigs stand for the same chromosome, nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

MITOCHONDRION = "MT"
_MITOCHONDRION_NAMES = frozenset({"M", "MT", "MITO", "MTDNA"})

# NC_000001-NC_000024 are human chromosomes 1-22, X, Y; NC_000067-NC_000087 mouse 1-19, X, Y;
# NC_012920 and NC_005089 the two mitochondria (NCBI assemblies GCF_000001405 and GCF_000001635, all
# versions).
_ACCESSION = re.compile(r"^NC_(\d{6})(?:\.\d+)?$")
_HUMAN = {number: str(number) for number in range(1, 23)} | {23: "X", 24: "Y", 12920: MITOCHONDRION}
_MOUSE = {number: str(number - 66) for number in range(67, 86)} | {
    86: "X",
    87: "Y",
    5089: MITOCHONDRION,
}

_DESCRIBED = re.compile(r"\bchromosome:?\s+([0-9A-Za-z]{1,5})\b(?!\S)", re.IGNORECASE)
_NOT_WHOLE = re.compile(
    r"unlocalized|unplaced|scaffold|contig|patch|alternate (locus|scaffold)|\balt\b|fragment",
    re.IGNORECASE,
)
_LOOKS_LIKE_ACCESSION = re.compile(r"^[A-Z]{1,6}_?\d{5,}(\.\d+)?$")


def chromosome(name: str) -> str:
    """What a contig's name stands for: the chromosome without prefix; the name itself where nothing
    is known.

    >>> chromosome("chr1"), chromosome("chrM"), chromosome("NC_000023.11"), chromosome("scaffold_7")
    ('1', 'MT', 'X', 'scaffold_7')
    """
    if match := _ACCESSION.match(name):
        return (_HUMAN | _MOUSE).get(int(match[1]), name)
    bare = name[3:] if name[:3].lower() == "chr" and len(name) > 3 else name
    return MITOCHONDRION if bare.upper() in _MITOCHONDRION_NAMES else bare


def described_chromosome(description: str) -> str | None:
    """The chromosome that a FASTA header says a contig is, None where it says nothing or only a
    part.

    >>> described_chromosome("Drosophila melanogaster chromosome 4")
    '4'
    >>> described_chromosome("Homo sapiens chromosome 1 unlocalized genomic scaffold")
    """
    if "mitochondrion" in description.lower() and not _NOT_WHOLE.search(description):
        return MITOCHONDRION
    match = _DESCRIBED.search(description.replace(",", " "))
    return match[1] if match and not _NOT_WHOLE.search(description) else None


class ContigNames:
    """Finds the FASTA's name for an annotation's name, and remembers which it had to translate.

    `describe` reads the FASTA's header lines (name -> rest of the line); it may be slow, and is
    called at most once, only if names that look like accessions are left. `renamed` maps names
    found under another one.
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
        """The contig that `name` means, None where there is none or more than one.

        `alias` is the chromosome that the annotation itself says this name is.
        """
        if name not in self._found:
            self._found[name] = self._search(name, alias)
            if self._found[name] not in (None, name):
                self.renamed[name] = str(self._found[name])
        return self._found[name]

    def _search(self, name: str, alias: str | None) -> str | None:
        if name in self._contigs:
            return name
        meant = [chromosome(candidate) for candidate in (name, alias) if candidate]
        for contigs_of in (self._by_chromosome.get, lambda key: self._descriptions().get(key)):
            for candidate in meant:
                if contigs := contigs_of(candidate):
                    return _only(contigs, name)
        return None

    def _descriptions(self) -> dict[str, set[str]]:
        if self._described is None:
            self._described = {}
            if any(_LOOKS_LIKE_ACCESSION.match(contig) for contig in self._contigs):
                for contig, description in self._describe().items():
                    if meant := described_chromosome(description):
                        self._described.setdefault(meant, set()).add(contig)
        return self._described


def _only(contigs: set[str], name: str) -> str | None:
    """The single contig, unless it and `name` are different accessions: of different assemblies."""
    contig = next(iter(contigs))
    if len(contigs) > 1 or (_ACCESSION.match(contig) and _ACCESSION.match(name)):
        return None
    return contig
