"""RNAInter's table of RNAs and histone modifications, joined to the genes of an annotation.

RNAInter v4.0 (Kang et al. 2022, doi:10.1093/nar/gkab997) publishes the table as
Download_data_RH.tar.gz: tab-separated with a header, 'N/A' where nothing is known, Interactor1 the
RNA and Interactor2 the histone mark (paper, appendix A). Raw_ID1 names the RNA in another database
('Ensembl:ENSG00000228630', 'NCBI:100124700', 'miRBase:MI0000077'). A pair that the table does not
have is a negative (paper, appendix A), unless one would rather leave it unlabelled.
"""

from __future__ import annotations

import gzip
import logging
import re
import tarfile
import zlib
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas

from histpred.core.errors import InputError, UsageError, first_few
from histpred.core.marks import canonical, is_mark
from histpred.core.output import file_digest
from histpred.genome.annotation import GENE, Annotation
from histpred.genome.lines import GZIP_MAGIC, PEEK, Lines, open_lines
from histpred.genome.plan import printable
from histpred.genome.regions import Feature
from histpred.labels.matrix import CARRIED, Made, without_version

logger = logging.getLogger(__name__)

# The columns that are read, as the header spells them.
SYMBOL, SPECIES, PARTNER, RAW_ID, SCORE = (
    "Interactor1.Symbol",
    "Species1",
    "Interactor2.Symbol",
    "Raw_ID1",
    "score",
)
UNJOINED = ("rna", "raw_id", "species", "pairs", "reason")

BY_ENSEMBL, BY_NCBI, BY_SYMBOL = JOINED_BY = ("Ensembl ID", "NCBI gene ID", "symbol")

ABSENT = "not in the annotation"
AMBIGUOUS = "several genes of that symbol"
SEVERAL_IDS = "IDs of several genes"
OTHER_SPECIES = "another species than the annotation's"
NO_MARK = "no histone mark"

STRAY = 0.05  # of the RNAs joined by ID; fewer of a species are slips of the table

_NOT_AVAILABLE = frozenset({"", "n/a", "na", "nan", "none", "null"})
_SEPARATORS = re.compile(r"[|;,\s]+|//")
_NCBI = frozenset({"ncbi", "geneid", "entrez", "ncbigene", "entrezgene"})
_ENSEMBL = re.compile(r"ENS[A-Z]*\d{11}(\.\d+)?")
_GENE_ID = re.compile(r"\b(?:GeneID:|entrez_id[ =]\"?)(\d+)")


class _Rna(NamedTuple):
    symbol: str
    raw_id: str
    species: str


class _Pairs(NamedTuple):
    """masks: for each RNA the bits of its marks, bit i for marks[i]. rows: read, and dropped by why
    they are. strangers: rows by the name of an Interactor2 that is no histone mark.
    """

    masks: dict[_Rna, int]
    marks: list[str]
    rows: dict[str, int]
    strangers: Counter[str]
    digest: str


class _Genes(NamedTuple):
    """The genes of an annotation, each at its first place, and their numbers by what they are
    called.
    """

    features: list[Feature]
    by_id: dict[str, int]
    by_ncbi: dict[str, int]
    by_symbol: dict[str, set[int]]
    by_folded: dict[str, set[int]]
    digest: str


class _Join(NamedTuple):
    """gene: its number in _Genes, None where the RNA has none. how: by what it joined, or why it
    did not.
    """

    gene: int | None
    how: str


def from_rnainter(
    table: Path,
    annotation: str,
    work: Path,
    *,
    species: tuple[str, ...] = (),
    unlabelled: bool = False,
    min_score: float | None = None,
    biotypes: tuple[str, ...] = (),
) -> Made:
    """The genes of `annotation` that RNAInter pairs with at least one histone mark, in its order.

    An RNA joins a gene by Ensembl ID (whatever its version), else by NCBI gene ID (an annotation's
    Dbxref=GeneID:, db_xref "GeneID:" or entrez_id), else by symbol, as it is or else in any case,
    where one gene alone has it. By symbol only RNAs of the species join of which RNAs join by ID:
    mouse's Malat1 is not human's MALAT1. Of a gene that the annotation has twice (the
    pseudoautosomal regions), the first place counts. Marks are those with at least one pair that
    joined, sorted.

    Parameters
    ----------
    table
        RNAInter's table, columns by header in any order and case; plain, gzipped, or the .tar.gz.
    annotation
        GTF, GFF3 or BED, '-' for standard input.
    work
        A private folder for temporary files.
    species
        Those of the RNAs, in any case; default: all.
    unlabelled
        A pair that the table does not have is NaN, not 0.
    min_score
        The least confidence score of a row.
    biotypes
        As in `histpred.genome.annotation`; RNAs that join other genes are unjoined.

    Returns
    -------
    Made
        unjoined has the columns UNJOINED, a row for each RNA, most pairs first; for each name in
        Interactor2 that is no histone mark a row with its number of table rows and '.' as the RNA.

    Raises
    ------
    InputError
        For a table or annotation that cannot be used, and where no RNA joins.
    UsageError
        For a species or score that no row has, and where symbols alone cannot tell the species.
    """
    pairs = _read_table(table, min_score)
    masks = _of_species(table, pairs.masks, species)
    genes = _read_genes(annotation, work, biotypes)
    joined = _join(table, masks, genes)
    if all(join.gene is None for join in joined.values()):
        _refuse_unjoined(table, annotation, joined, genes)

    used: Counter[str] = Counter()
    by_gene: dict[int, int] = defaultdict(int)
    unjoined = [
        (".", ".", ".", count, f"{NO_MARK}: {name}") for name, count in pairs.strangers.items()
    ]
    for rna, (gene, how) in joined.items():
        count = masks[rna].bit_count()
        if gene is None:
            unjoined.append((*(text or "." for text in rna), count, how))
        else:
            used[how] += count
            by_gene[gene] |= masks[rna]
    unjoined.sort(key=lambda row: (-row[3], row))

    order = sorted(by_gene, key=lambda gene: genes.features[gene].line)
    marks, values = _matrix([by_gene[gene] for gene in order], pairs.marks, unlabelled)
    counts = dict(pairs.rows)
    if species:
        counts["pairs of other species"] = sum(
            mask.bit_count() for rna, mask in pairs.masks.items() if rna not in masks
        )
    counts["pairs used"] = used.total()
    counts |= {f"joined by {how}": used[how] for how in JOINED_BY}
    counts["pairs not joined"] = sum(mask.bit_count() for mask in masks.values()) - used.total()
    counts |= {"genes": len(order), "marks": len(marks)}
    return Made(
        _table_of([genes.features[gene] for gene in order]),
        marks,
        values,
        pandas.DataFrame(unjoined, columns=list(UNJOINED)),
        counts,
        {str(table): pairs.digest, annotation: genes.digest},
        {
            "species": list(species),
            "unlabelled": unlabelled,
            "min_score": min_score,
            "biotypes": list(biotypes),
        },
    )


def _read_table(path: Path, min_score: float | None) -> _Pairs:
    """All pairs of the table; memory grows with its RNAs, not with its rows."""
    masks: dict[tuple[str, str, str], int] = defaultdict(int)
    bits: dict[str, int] = {}
    marks: dict[str, int] = {}
    strangers: Counter[str] = Counter()
    rows = below = 0
    highest = -np.inf
    wanted = (SYMBOL, RAW_ID, SPECIES, PARTNER, *([SCORE] if min_score is not None else []))
    with _open_table(path) as lines:
        numbered = ((number, line) for number, line in lines if line and not line.isspace())
        number, header = next(numbered, (0, ""))
        if not number:
            raise InputError(path, "is empty", "RNAInter's table has a header")
        symbol, raw_id, species, partner, *score = _columns(path, number, header, wanted)
        width = header.count("\t") + 1
        needed = 1 + max(symbol, raw_id, species, partner, *score)
        for number, line in numbered:
            fields = line.split("\t")
            if not needed <= len(fields) <= width:  # empty columns at the end may be left out
                raise InputError(
                    path,
                    f"{len(fields)} columns where the header has {width}",
                    "is a tab missing, or is the file cut short?",
                    number,
                )
            if line == header:  # parts of RNAInter's own tables were put together with theirs
                continue
            rows += 1
            name = fields[partner]
            bit = bits.get(name)
            if bit is None:
                mark = canonical(name)
                bit = 1 << marks.setdefault(mark, len(marks)) if is_mark(mark) else 0
                bits[name] = bit
            if not bit:
                strangers[name.strip() or "."] += 1
                continue
            if min_score is not None:
                value = _score(path, number, fields[score[0]])
                highest = max(highest, value)
                if not value >= min_score:
                    below += 1
                    continue
            masks[fields[symbol], fields[raw_id], fields[species]] |= bit
        digest = file_digest(path) if path.is_file() else lines.digest

    if not rows:
        raise InputError(path, "no row below the header", "is the file cut short?")
    if not marks:
        raise InputError(
            path,
            f"no histone mark in {PARTNER}: {first_few(strangers)}",
            "give RNAInter's table of RNAs and histone modifications, Download_data_RH",
        )
    if not masks:
        found = f"the highest is {highest:g}" if np.isfinite(highest) else "none is stated"
        raise UsageError(f"{path}: no row has a score of {min_score:g}; {found}", "ask for less")
    if strangers:
        logger.warning(
            "%d rows of %s name no histone mark: %s", strangers.total(), path, first_few(strangers)
        )
    told = {"rows read": rows}
    if strangers:
        told["rows without a histone mark"] = strangers.total()
    if min_score is not None:
        told["rows below the least score"] = below
    return _Pairs(_cleaned(masks), list(marks), told, strangers, digest)


def _cleaned(masks: dict[tuple[str, str, str], int]) -> dict[_Rna, int]:
    """RNAs without outer blanks, and with '' for what is not available."""
    clean: dict[_Rna, int] = defaultdict(int)
    for key, mask in masks.items():
        stripped = (text.strip() for text in key)
        rna = _Rna(*("" if text.lower() in _NOT_AVAILABLE else text for text in stripped))
        clean[rna] |= mask
    return dict(clean)


def _columns(path: Path, number: int, header: str, wanted: Iterable[str]) -> list[int]:
    """Where the wanted columns are. Case and '.', '_' and ' ' make no difference."""
    names = [name.strip() for name in header.removeprefix("#").split("\t")]
    plain = [_plain(name) for name in names]
    places = []
    for name in wanted:
        found = [i for i, spelt in enumerate(plain) if spelt == _plain(name)]
        if len(found) > 1:
            spelt = ", ".join(names[i] for i in found)
            raise InputError(path, f"{name} twice, as {spelt}", "leave one", number)
        places += found or [-1]
    missing = [name for name, i in zip(wanted, places, strict=True) if i < 0]
    if missing:
        raise InputError(
            path,
            f"no column {', '.join(missing)}; it has {first_few(names)}",
            "RNAInter's table is tab-separated, without quotes, and its first line names the "
            "columns",
            number,
        )
    return places


def _plain(name: str) -> str:
    plain = re.sub(r"[._\s]", "", name).lower()
    return plain.removesuffix("symbol") if plain.startswith("interactor") else plain


def _score(path: Path, number: int, text: str) -> float:
    """A confidence score; minus infinity where none is stated."""
    try:
        value = float(text)
    except ValueError:
        if text.strip().lower() in _NOT_AVAILABLE:
            return -np.inf
        raise InputError(
            path, f"the score is {text[:40]!r}", "it must be a number or N/A", number
        ) from None
    return -np.inf if np.isnan(value) else value


@contextmanager
def _open_table(path: Path) -> Iterator[Lines]:
    """The lines of a table, plain or gzipped, or of the one in a tar archive."""
    if not _is_tar(path):
        with open_lines(path) as lines:
            yield lines
        return
    try:
        with tarfile.open(path) as archive:
            files = [
                member
                for member in archive.getmembers()
                # An archive packed on a Mac holds '._' files beside the real ones.
                if member.isfile() and not Path(member.name).name.startswith(".")
            ]
            while archive.fileobj.read(PEEK):  # gzip's check of the whole stands at its end
                pass
            if len(files) != 1:
                names = first_few(member.name for member in files) or "nothing"
                raise InputError(
                    path,
                    f"an archive of {len(files)} files where one table is needed: {names}",
                    "unpack it (tar -xf FILE) and give the table",
                )
            content = archive.extractfile(files[0])
            assert content is not None  # as it is a file
            yield Lines(path, content)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            path,
            f"the archive is truncated or damaged ({error})",
            "download or copy the file again; none of its content was used",
        ) from error


def _is_tar(path: Path) -> bool:
    """Whether a file is a tar archive (POSIX ustar or GNU), plain or gzipped."""
    if not path.is_file():  # a pipe can be read once only
        return False
    try:
        with open(path, "rb") as stream:
            head = stream.read(512)
        if head.startswith(GZIP_MAGIC):
            with gzip.open(path) as unpacked:
                head = unpacked.read(512)
    except (OSError, EOFError, zlib.error):
        return False  # what is wrong is said by who reads it
    return head[257:262] == b"ustar"


def _of_species(table: Path, masks: dict[_Rna, int], species: tuple[str, ...]) -> dict[_Rna, int]:
    """The RNAs of the species asked for."""
    if not species:
        return masks
    wanted = {name.strip().casefold(): name for name in species}
    present = Counter(rna.species for rna in masks)
    absent = set(wanted) - {name.casefold() for name in present}
    if len(absent) == len(wanted):
        raise UsageError(
            f"{table} holds no RNA of {', '.join(species)}",
            f"it has: {first_few(name or 'N/A' for name, _ in present.most_common())}",
        )
    if absent:
        names = ", ".join(wanted[name] for name in sorted(absent))
        logger.warning("%s holds no RNA of %s", table, names)
    return {rna: mask for rna, mask in masks.items() if rna.species.casefold() in wanted}


class _Watched:
    """The lines of an annotation on their way to its reader, which keeps no cross-references; of
    each line the NCBI gene ID, in runs of lines, so that memory grows with the genes.
    """

    def __init__(self, lines: Lines) -> None:
        self.name = lines.name
        self.drain = lines.drain
        self._lines = lines
        self._starts = [0]
        self._ids = [""]

    @property
    def digest(self) -> str:
        return self._lines.digest

    def __iter__(self) -> Iterator[tuple[int, str]]:
        last = ""
        for number, line in self._lines:
            has_one = "GeneID:" in line or "entrez_id" in line
            found = _GENE_ID.search(line) if has_one else None
            gene = found[1] if found else ""
            if gene != last:
                self._starts.append(number)
                self._ids.append(gene)
                last = gene
            yield number, line

    def ncbi_id(self, line: int) -> str:
        """The NCBI gene ID that a line states, '' if none."""
        return self._ids[bisect_right(self._starts, line) - 1]


def _read_genes(path: str, work: Path, biotypes: tuple[str, ...]) -> _Genes:
    """All genes, those that cannot be used or are not selected too: their problem says why."""
    with open_lines(path) as lines:
        watched = _Watched(lines)
        annotation = Annotation(watched, work, GENE, False, biotypes)
        features = [printable(feature) for feature in annotation]
    for name in annotation.unmatched():
        logger.warning("no gene of %s has the biotype %s", annotation.name, name)
    if not features:
        raise InputError(annotation.name, "holds no gene", "give the annotation of the genes")

    genes = _Genes([], {}, {}, defaultdict(set), defaultdict(set), annotation.digest)
    for feature in sorted(features, key=lambda feature: (feature.problem != "", feature.line)):
        name = without_version(_id_of(feature))
        ncbi = watched.ncbi_id(feature.line)
        gene = genes.by_id.get(name)
        if gene is None and ncbi:
            gene = genes.by_ncbi.get(ncbi)
        if gene is None:
            gene = len(genes.features)
            genes.features.append(feature)
        genes.by_id.setdefault(name, gene)
        if ncbi:
            genes.by_ncbi.setdefault(ncbi, gene)
        genes.by_symbol[feature.name].add(gene)
        genes.by_folded[feature.name.casefold()].add(gene)
    return genes


def _id_of(feature: Feature) -> str:
    return feature.gene_id if feature.gene_id != "." else feature.name


def _table_of(features: list[Feature]) -> pandas.DataFrame:
    rows = [
        (_id_of(gene), gene.name, gene.biotype, gene.chrom, gene.start, gene.end, gene.strand)
        for gene in features
    ]
    return pandas.DataFrame(rows, columns=["id", *CARRIED[1:]])


def _join(table: Path, rnas: Iterable[_Rna], genes: _Genes) -> dict[_Rna, _Join]:
    """The gene of each RNA: by ID, then for those of the annotation's species by symbol."""
    joined = {rna: _by_id(rna, genes) for rna in rnas}
    found = Counter(rna.species.casefold() for rna, join in joined.items() if join.gene is not None)
    if found:
        own = {name for name, count in found.items() if count >= STRAY * found.total()}
    else:
        own = {rna.species.casefold() for rna in joined}
    for rna, join in joined.items():
        if join.how == ABSENT:
            of_own = rna.species.casefold() in own
            joined[rna] = _by_symbol(rna, genes) if of_own else _Join(None, OTHER_SPECIES)
    if not found and len(own) > 1 and any(join.gene is not None for join in joined.values()):
        species = Counter(rna.species or "N/A" for rna in joined)
        raise UsageError(
            f"{table} holds RNAs of {first_few(name for name, _ in species.most_common())}, and "
            "none joins the annotation by an ID: symbols alone do not tell which species it is of",
            "name the annotation's species with --species",
        )
    return _checked(joined, genes)


def _checked(joined: dict[_Rna, _Join], genes: _Genes) -> dict[_Rna, _Join]:
    """No RNA joins a gene that has a problem, as one whose biotype is not selected."""
    return {
        rna: join
        if join.gene is None or not genes.features[join.gene].problem
        else _Join(None, genes.features[join.gene].problem)
        for rna, join in joined.items()
    }


def _by_id(rna: _Rna, genes: _Genes) -> _Join:
    ensembl, ncbi = _ids(rna)
    for names, index, how in (
        (ensembl, genes.by_id, BY_ENSEMBL),
        (ncbi, genes.by_ncbi, BY_NCBI),
    ):
        found = {index[name] for name in names if name in index}
        if found:
            return _Join(found.pop(), how) if len(found) == 1 else _Join(None, SEVERAL_IDS)
    return _Join(None, ABSENT)


def _ids(rna: _Rna) -> tuple[list[str], list[str]]:
    """The Ensembl IDs, without their version, and the NCBI gene IDs of an RNA."""
    ensembl, ncbi = [], []
    for text in _SEPARATORS.split(rna.raw_id):
        source, _, name = text.rpartition(":")
        source = re.sub(r"[^a-z]", "", source.lower())
        if source.startswith("ensembl") or _ENSEMBL.fullmatch(name):
            ensembl.append(without_version(name))
        elif name.isdigit() and (source in _NCBI or not source):
            ncbi.append(name)
    if _ENSEMBL.fullmatch(rna.symbol):  # what has no symbol goes by its ID
        ensembl.append(without_version(rna.symbol))
    return ensembl, ncbi


def _by_symbol(rna: _Rna, genes: _Genes) -> _Join:
    found = genes.by_symbol.get(rna.symbol) or genes.by_folded.get(rna.symbol.casefold()) or set()
    if len(found) > 1:
        return _Join(None, AMBIGUOUS)
    return _Join(next(iter(found)), BY_SYMBOL) if found else _Join(None, ABSENT)


def _matrix(
    masks: list[int], names: list[str], unlabelled: bool
) -> tuple[tuple[str, ...], np.ndarray]:
    """The marks that occur, sorted, and the values float32 [genes, marks]."""
    every = 0
    for mask in masks:
        every |= mask
    bits = sorted((name, i) for i, name in enumerate(names) if every >> i & 1)
    has = np.array([[mask >> i & 1 for _, i in bits] for mask in masks], bool)
    return (
        tuple(name for name, _ in bits),
        np.where(has, 1.0, np.nan if unlabelled else 0.0).astype(np.float32),
    )


def _refuse_unjoined(
    table: Path, annotation: str, joined: dict[_Rna, _Join], genes: _Genes
) -> None:
    reasons = Counter(how for _, how in joined.values())
    here = first_few(f"{rna.symbol} ({rna.raw_id or 'no ID'})" for rna in joined)
    there = first_few(
        gene.name if _id_of(gene) == gene.name else f"{gene.name} ({gene.gene_id})"
        for gene in genes.features
    )
    raise InputError(
        table,
        f"none of its {len(joined)} RNAs joins a gene of {annotation} "
        f"({', '.join(f'{reason}: {count}' for reason, count in reasons.most_common())}): "
        f"{here} here, {there} there",
        "are the two of one species? RNAs join by Ensembl ID, NCBI gene ID or symbol",
    )
