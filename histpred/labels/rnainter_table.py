"""RNAInter's table of RNAs and histone modifications, read into pairs of RNA and mark.

RNAInter v4.0 (Kang et al. 2022, doi:10.1093/nar/gkab997) publishes the table as
Download_data_RH.tar.gz: tab-separated with a header, 'N/A' for unknown values. Interactor1 is the
RNA, Interactor2 the histone mark (paper, appendix A). Raw_ID1 names the RNA in another database
('Ensembl:ENSG00000228630', 'NCBI:100124700', 'miRBase:MI0000077'). Category1 is the kind of RNA
('lncRNA', 'pseudo', 'miRNA', 'others' ...) and Category2 'histone modification'.
"""

from __future__ import annotations

import gzip
import io
import logging
import re
import tarfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from histpred.core.errors import InputError, UsageError, first_few
from histpred.core.text import agreeing, counted
from histpred.genome.lines import PEEK, Lines, open_lines
from histpred.labels.rnainter_marks import NOT_AVAILABLE, Marks
from histpred.labels.table import ragged

logger = logging.getLogger(__name__)

# The columns that are read, as the header spells them.
SYMBOL, RAW_ID, SPECIES = "Interactor1.Symbol", "Raw_ID1", "Species1"
PARTNER, SCORE = "Interactor2.Symbol", "score"
RNA_KIND, PARTNER_KIND = "Category1", "Category2"  # may be missing


class Rna(NamedTuple):
    """An RNA as the table names it; '' for what it does not state."""

    symbol: str
    raw_id: str
    species: str


class Pairs(NamedTuple):
    """The pairs of a table.

    masks: the marks of each RNA, bit i for marks[i]. rows: counts of rows, read and dropped, as
    they are shown. strangers: rows by the name of an Interactor2 that is no histone mark. entries:
    rows with a mark by RNA and Category1, '' where it is not stated.
    """

    masks: dict[Rna, int]
    marks: list[str]
    rows: dict[str, int]
    strangers: Counter[str]
    entries: Counter[tuple[Rna, str]]


def read_pairs(path: Path, min_score: float | None) -> Pairs:
    """Read all pairs of the table; memory grows with its RNAs, not with its rows.

    Rows with a score below `min_score`, or without one, are left out. Raises InputError for a table
    that cannot be used, and UsageError for a score that no row reaches.
    """
    masks: dict[Rna, int] = defaultdict(int)
    marks = Marks()
    strangers: Counter[str] = Counter()
    entries: Counter[tuple[str, str, str, str]] = Counter()
    rows = below = 0
    highest = -np.inf
    wanted = (SYMBOL, RAW_ID, SPECIES, PARTNER, *([SCORE] if min_score is not None else []))
    table = _read_rows(path, wanted, (RNA_KIND, PARTNER_KIND))
    for number, (symbol, raw_id, species, name, *score, kind, partner_kind) in table:
        rows += 1
        bit = marks.bit(name, partner_kind)
        if not bit:
            strangers[name.strip() or "."] += 1
            continue
        if min_score is not None:
            value = _score(path, number, score[0])
            highest = max(highest, value)
            if not value >= min_score:
                below += 1
                continue
        masks[Rna(symbol, raw_id, species)] |= bit
        entries[symbol, raw_id, species, kind] += 1

    if not rows:
        raise InputError(path, "no row below the header", "is the file cut short?")
    if not marks.names:
        hint = "give RNAInter's table of RNAs and histone modifications, Download_data_RH"
        raise InputError(path, f"no histone mark in {PARTNER}: {first_few(strangers)}", hint)
    if not masks:
        found = f"the highest is {highest:g}" if np.isfinite(highest) else "none is stated"
        message = f"{path}: no row has a score of {min_score:g}; {found}"
        raise UsageError(message, "lower --min-score")
    counts = {"rows read": rows}
    if strangers:
        counts["rows without a histone mark"] = total = strangers.total()
        name = agreeing(total, "names", "name")
        rows_of = f"{counted(total, 'row')} of {path} {name}"
        logger.warning(f"{rows_of} no histone mark: {first_few(strangers)}")
    if min_score is not None:
        counts["rows below the least score"] = below
    if renamed := marks.renamed():
        logger.info(f"marks of {path} with another name than there: {first_few(renamed)}")
    clean: dict[Rna, int] = defaultdict(int)
    for rna, mask in masks.items():
        clean[Rna(*map(_cleaned, rna))] |= mask
    kinds: Counter[tuple[Rna, str]] = Counter()
    for names, count in entries.items():
        *named, kind = map(_cleaned, names)
        kinds[Rna(*named), kind] += count
    return Pairs(clean, marks.names, counts, strangers, kinds)


def _cleaned(text: str) -> str:
    """A text without blanks around it, '' for what is not available."""
    text = text.strip()
    return "" if text.lower() in NOT_AVAILABLE else text


def _score(path: Path, number: int, text: str) -> float:
    """A confidence score; minus infinity where none is stated."""
    try:
        value = float(text)
    except ValueError:
        if text.strip().lower() in NOT_AVAILABLE:
            return -np.inf
        hint = "it must be a number or N/A"
        raise InputError(path, f"the score is {text[:40]!r}", hint, number) from None
    return -np.inf if np.isnan(value) else value


def _read_rows(
    path: Path, wanted: tuple[str, ...], optional: tuple[str, ...]
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line number and the columns (at least two) of each row below the header.

    Optional columns that are missing are ''.
    """
    with _open_table(path) as lines:
        numbered = ((number, line) for number, line in lines if line and not line.isspace())
        number, header = next(numbered, (0, ""))
        if not number:
            raise InputError(path, "is empty", "RNAInter's table has a header")
        places = _columns(path, number, header, wanted, optional)
        pick, needed, width = itemgetter(*places), 1 + max(places), header.count("\t") + 1
        for number, line in numbered:
            fields = line.split("\t")
            if not needed <= len(fields) <= width:  # empty columns at the end may be missing
                raise ragged(path, len(fields), width, number)
            if line != header:  # RNAInter's table is several tables in one, each with the header
                fields.append("")  # at -1, the place of missing columns
                yield number, pick(fields)


def _columns(
    path: Path, number: int, header: str, wanted: tuple[str, ...], optional: tuple[str, ...]
) -> list[int]:
    """The positions of the columns, -1 for optional ones that are missing.

    Case and '.', '_' and ' ' in names do not matter.
    """
    names = [name.strip() for name in header.removeprefix("#").split("\t")]
    plain = [_plain(name) for name in names]
    places = []
    for name in wanted + optional:
        found = [i for i, spelt in enumerate(plain) if spelt == _plain(name)]
        if len(found) > 1:
            spelt = ", ".join(names[i] for i in found)
            raise InputError(path, f"{name} twice, as {spelt}", "keep one of them", number)
        places += found or [-1]
    if missing := [name for name, i in zip(wanted, places, strict=False) if i < 0]:
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


@contextmanager
def _open_table(path: Path) -> Iterator[Lines]:
    """Open a table, plain or gzipped, or the one in a tar archive."""
    try:
        packed = path.is_file() and tarfile.is_tarfile(path)  # a pipe can be read only once
    except (OSError, EOFError, zlib.error):
        packed = False  # the reader of lines reports what is wrong
    if not packed:
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
            while archive.fileobj.read(PEEK):  # gzip's checksum of the whole is at its end
                pass
            if len(files) != 1:
                names = first_few(member.name for member in files) or "nothing"
                raise InputError(
                    path,
                    f"an archive of {len(files)} files where one table is needed: {names}",
                    "unpack it (tar -xf FILE) and give the table",
                )
            content = archive.extractfile(files[0])
            assert isinstance(content, io.BufferedReader)
            yield Lines(path, content)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            path,
            f"the archive is truncated or damaged ({error})",
            "download or copy the file again; none of its content was used",
        ) from error


def select_species(table: Path, masks: dict[Rna, int], species: tuple[str, ...]) -> dict[Rna, int]:
    """The RNAs of the given species (in any case), all if none is given.

    Raises UsageError if the table holds no RNA of any of them.
    """
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
        logger.warning(f"{table} holds no RNA of {names}")
    return {rna: mask for rna, mask in masks.items() if rna.species.casefold() in wanted}
