"""The genes of an annotation by all the names under which RNAInter may state them.

An RNA joins a gene by Ensembl ID (of any version), else by NCBI gene ID, else by miRBase accession,
else by symbol, else by the name of a miRNA. NCBI states the last three databases in `Dbxref`
(GeneID:406991, miRBase:MI0000077) and miRBase's names in `gene_synonym`; Ensembl states accessions
in descriptions ([Source:miRBase;Acc:MI0000077]); miRBase's own GFF3 has both as ID and Name.
"""

from __future__ import annotations

import logging
import re
from bisect import bisect_right
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from histpred.core.errors import InputError
from histpred.genome.annotation import GENE, Annotation
from histpred.genome.lines import open_lines
from histpred.genome.plan import printable
from histpred.genome.regions import INTERVAL, Feature
from histpred.labels.matrix import ensembl_without_version, gene_id

logger = logging.getLogger(__name__)

BY_ENSEMBL, BY_NCBI, BY_MIRBASE = "Ensembl ID", "NCBI gene ID", "miRBase accession"
BY_SYMBOL, BY_MIRNA = "symbol", "miRNA name"
JOINED_BY = (BY_ENSEMBL, BY_NCBI, BY_MIRBASE, BY_SYMBOL, BY_MIRNA)

ABSENT = "not in the annotation"
AMBIGUOUS, SEVERAL_IDS = "several genes of that symbol", "IDs of several genes"

ACCESSION = re.compile(
    r"\bMI(?:MAT)?\d{7}\b"
)  # miRBase: MI for a hairpin, MIMAT for a mature miRNA
_MATURE = "MIMAT"
_ENSEMBL = re.compile(r"ENS[A-Z]*\d{11}(\.\d+)?")
_NCBI = frozenset({"ncbi", "geneid", "entrez", "ncbigene", "entrezgene"})
_NCBI_ID = re.compile(r"\b(?:GeneID:|entrez_id[ =]\"?)(\d+)")
_MIRBASE_NAME = re.compile(r"\b[a-z]{3,4}-(?:mir|let)-\w[\w-]*", re.IGNORECASE)
_SEPARATORS = re.compile(r"[|;,\s]+|//")
_STEM = re.compile(r"(?:[a-z]{3,4}-)?(?:(?:mir-?)?(let)|(mir))-?(\d[a-z0-9-]*?)(?:-[35]p)?")
_HYPHEN = re.compile(r"(?<!\d)-|-(?!\d)")


class Stated(NamedTuple):
    """What a line of an annotation states: NCBI's gene ID, miRBase accessions, names of miRNAs."""

    ncbi: str = ""
    accessions: tuple[str, ...] = ()
    mirnas: tuple[str, ...] = ()


class Join(NamedTuple):
    """The number of an RNA's gene in Genes and by what it joined, or None and the reason."""

    gene: int | None
    how: str


class Genes:
    """The genes of an annotation, each at its first place, and their numbers by their names."""

    def __init__(self) -> None:
        self.features: list[Feature] = []
        self._by_id: dict[str, int] = {}
        self._by_ncbi: dict[str, int] = {}
        self._by_accession: dict[str, set[int]] = defaultdict(set)
        self._by_symbol: dict[str, set[int]] = defaultdict(set)
        self._by_folded: dict[str, set[int]] = defaultdict(set)
        self._by_mirna: dict[str, set[int]] = defaultdict(set)

    def add(self, feature: Feature, stated: Stated) -> None:
        """Add a gene, or the names of another place of a gene that is here already."""
        name = ensembl_without_version(gene_id(feature))
        gene = self._by_id.get(name)
        if gene is None and stated.ncbi:
            gene = self._by_ncbi.get(stated.ncbi)
        if gene is None:
            gene = len(self.features)
            self.features.append(feature)
        self._by_id.setdefault(name, gene)
        if stated.ncbi:
            self._by_ncbi.setdefault(stated.ncbi, gene)
        for accession in stated.accessions:
            self._by_accession[accession].add(gene)
        self._by_symbol[feature.name].add(gene)
        self._by_folded[feature.name.casefold()].add(gene)
        for mirna in {*map(mirna_key, (feature.name, *stated.mirnas))} - {""}:
            self._by_mirna[mirna].add(gene)

    def add_mature(self, mature: str, hairpin: str) -> None:
        """Note that a mature miRNA is of a hairpin, both by accession; its gene is here already."""
        self._by_accession[mature] |= self._by_accession.get(hairpin, set())

    def by_id(self, symbol: str, raw_id: str) -> Join:
        """Find the gene of an RNA by an ID; RNAs without a symbol have their ID as symbol."""
        ensembl, ncbi, accessions = _ids(symbol, raw_id)
        for found, how in (
            ({self._by_id[name] for name in ensembl if name in self._by_id}, BY_ENSEMBL),
            ({self._by_ncbi[name] for name in ncbi if name in self._by_ncbi}, BY_NCBI),
            (
                {gene for name in accessions for gene in self._by_accession.get(name, ())},
                BY_MIRBASE,
            ),
        ):
            if found:
                return Join(found.pop(), how) if len(found) == 1 else Join(None, SEVERAL_IDS)
        return Join(None, ABSENT)

    def by_name(self, symbol: str) -> Join:
        """Find the gene of an RNA by symbol, as it is or in any case, or by the name of a miRNA."""
        for found, how in (
            (self._by_symbol.get(symbol) or self._by_folded.get(symbol.casefold()), BY_SYMBOL),
            (self._by_mirna.get(mirna_key(symbol)), BY_MIRNA),
        ):
            if found:
                return Join(min(found), how) if len(found) == 1 else Join(None, AMBIGUOUS)
        return Join(None, ABSENT)


def mirna_key(name: str) -> str:
    """What miRBase's name of a miRNA and the symbol of its gene have in common; '' for other names.

    HGNC and MGI write a hyphen only between two digits. A mature miRNA has the name of its hairpin,
    followed by its arm.

    >>> [mirna_key(name) for name in ("hsa-mir-3198-1", "MIR3198-1", "hsa-let-7a-3", "MIRLET7A3")]
    ['mir3198-1', 'mir3198-1', 'let7a3', 'let7a3']
    >>> mirna_key("hsa-miR-130b-5p"), mirna_key("Mir130b"), mirna_key("MIAT")
    ('mir130b', 'mir130b', '')
    """
    found = _STEM.fullmatch(name.strip().lower())
    return (found[1] or found[2]) + _HYPHEN.sub("", found[3]) if found else ""


def read_genes(path: str, work: Path, biotypes: tuple[str, ...]) -> Genes:
    """Read all genes, including unusable and unselected ones: their `problem` says why.

    NCBI gene IDs are those in Dbxref=GeneID:, db_xref "GeneID:" or entrez_id.
    """
    starts, told = [0], [Stated()]  # of runs of lines that state the same: memory grows with genes
    matures: set[tuple[str, str]] = set()

    def keep_names(number: int, line: str) -> None:
        stated = _stated(line)
        if stated != told[-1]:
            starts.append(number)
            told.append(stated)
        hairpins = [name for name in stated.accessions if not name.startswith(_MATURE)]
        matures.update(
            (name, hairpin)
            for name in stated.accessions
            if name.startswith(_MATURE)
            for hairpin in hairpins
        )

    with open_lines(path) as lines:
        lines.watch = keep_names  # Annotation does not keep these names
        annotation = Annotation(lines, work, GENE, INTERVAL, biotypes)
        features = [printable(feature) for feature in annotation]
    for name in annotation.unmatched():
        logger.warning(f"no gene of {annotation.name} has the biotype {name}")
    if not features:
        raise InputError(annotation.name, "holds no gene", "give an annotation of genes")

    genes = Genes()
    for feature in sorted(features, key=lambda feature: (feature.problem != "", feature.line)):
        genes.add(feature, told[bisect_right(starts, feature.line) - 1])
    for mature, hairpin in matures:
        genes.add_mature(mature, hairpin)
    return genes


def _stated(line: str) -> Stated:
    """What a line of an annotation states, read only from lines that may state something."""
    ncbi = _NCBI_ID.search(line) if "GeneID:" in line or "entrez_id" in line else None
    accessions = ACCESSION.findall(line) if "MI0" in line or _MATURE in line else ()
    named = any(part in line for part in ("-mir-", "-miR-", "-let-"))
    mirnas = _MIRBASE_NAME.findall(line) if named else ()
    return Stated(ncbi[1] if ncbi else "", tuple(accessions), tuple(mirnas))


def _ids(symbol: str, raw_id: str) -> tuple[list[str], list[str], list[str]]:
    """Ensembl IDs without their version, NCBI gene IDs and miRBase accessions of an RNA."""
    ensembl, ncbi, accessions = [], [], ACCESSION.findall(f"{symbol} {raw_id}")
    for text in _SEPARATORS.split(raw_id):
        source, _, name = text.rpartition(":")
        source = re.sub(r"[^a-z]", "", source.lower())
        if source.startswith("ensembl") or _ENSEMBL.fullmatch(name):
            ensembl.append(ensembl_without_version(name))
        elif name.isdigit() and (source in _NCBI or not source):
            ncbi.append(name)
    if _ENSEMBL.fullmatch(symbol):
        ensembl.append(ensembl_without_version(symbol))
    return ensembl, ncbi, accessions
