"""RNAInter's table of RNAs and histone modifications, read into pairs of RNA and mark.

RNAInter v4.0 (Kang et al. 2022, doi:10.1093/nar/gkab997) publishes the table as
Download_data_RH.tar.gz: tab-separated with a header, 'N/A' for unknown values. Interactor1 is the
RNA, Interactor2 the histone mark (paper, appendix A). Raw_ID1 names the RNA in another database
('Ensembl:ENSG00000228630', 'NCBI:100124700', 'miRBase:MI0000077').
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
from histpred.core.marks import canonical, is_mark
from histpred.genome.lines import PEEK, Lines, open_lines
from histpred.labels.table import ragged

logger = logging.getLogger(__name__)

# The columns that are read, as the header spells them.
SYMBOL, RAW_ID, SPECIES = "Interactor1.Symbol", "Raw_ID1", "Species1"
PARTNER, SCORE = "Interactor2.Symbol", "score"
NOT_AVAILABLE = frozenset({"", "n/a", "na", "nan", "none", "null"})


class Rna(NamedTuple):
    """An RNA as the table names it; '' for what it does not state."""

    symbol: str
    raw_id: str
    species: str


class Pairs(NamedTuple):
    """The pairs of a table.

    masks: the marks of each RNA, bit i for marks[i]. rows: counts of rows, read and dropped, as
    they are shown. strangers: rows by the name of an Interactor2 that is no histone mark.
    """

    masks: dict[Rna, int]
    marks: list[str]
    rows: dict[str, int]
    strangers: Counter[str]


def read_pairs(path: Path, min_score: float | None) -> Pairs:
    """Read all pairs of the table; memory grows with its RNAs, not with its rows.

    Rows with a score below `min_score`, or without one, are left out. Raises InputError for a table
    that cannot be used, and UsageError for a score that no row reaches.
    """
    masks: dict[Rna, int] = defaultdict(int)
    bits: dict[str, int] = {}
    marks: dict[str, int] = {}
    strangers: Counter[str] = Counter()
    rows = below = 0
    highest = -np.inf
    wanted = (SYMBOL, RAW_ID, SPECIES, PARTNER, *([SCORE] if min_score is not None else []))
    for number, (symbol, raw_id, species, name, *score) in _read_rows(path, wanted):
        rows += 1
        if name not in bits:
            mark = canonical(name)
            bits[name] = 1 << marks.setdefault(mark, len(marks)) if is_mark(mark) else 0
        if not bits[name]:
            strangers[name.strip() or "."] += 1
            continue
        if min_score is not None:
            value = _score(path, number, score[0])
            highest = max(highest, value)
            if not value >= min_score:
                below += 1
                continue
        masks[Rna(symbol, raw_id, species)] |= bits[name]

    if not rows:
        raise InputError(path, "no row below the header", "is the file cut short?")
    if not marks:
        hint = "give RNAInter's table of RNAs and histone modifications, Download_data_RH"
        raise InputError(path, f"no histone mark in {PARTNER}: {first_few(strangers)}", hint)
    if not masks:
        found = f"the highest is {highest:g}" if np.isfinite(highest) else "none is stated"
        message = f"{path}: no row has a score of {min_score:g}; {found}"
        raise UsageError(message, "lower --min-score")
    counts = {"rows read": rows}
    if strangers:
        counts["rows without a histone mark"] = total = strangers.total()
        logger.warning(f"{total} rows of {path} name no histone mark: {first_few(strangers)}")
    if min_score is not None:
        counts["rows below the least score"] = below
    return Pairs(_cleaned(masks), list(marks), counts, strangers)


def _cleaned(masks: dict[Rna, int]) -> dict[Rna, int]:
    """RNAs without blanks around their names, and with '' for what is not available."""
    clean: dict[Rna, int] = defaultdict(int)
    for rna, mask in masks.items():
        stripped = (text.strip() for text in rna)
        clean[Rna(*("" if text.lower() in NOT_AVAILABLE else text for text in stripped))] |= mask
    return clean


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


def _read_rows(path: Path, wanted: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line number and the wanted columns (at least two) of each row below the header."""
    with _open_table(path) as lines:
        numbered = ((number, line) for number, line in lines if line and not line.isspace())
        number, header = next(numbered, (0, ""))
        if not number:
            raise InputError(path, "is empty", "RNAInter's table has a header")
        places = _columns(path, number, header, wanted)
        pick, needed, width = itemgetter(*places), 1 + max(places), header.count("\t") + 1
        for number, line in numbered:
            fields = line.split("\t")
            if not needed <= len(fields) <= width:  # empty columns at the end may be missing
                raise ragged(path, len(fields), width, number)
            if line != header:  # RNAInter's table is several tables in one, each with the header
                yield number, pick(fields)


def _columns(path: Path, number: int, header: str, wanted: tuple[str, ...]) -> list[int]:
    """The positions of the wanted columns; case and '.', '_' and ' ' in names do not matter."""
    names = [name.strip() for name in header.removeprefix("#").split("\t")]
    plain = [_plain(name) for name in names]
    places = []
    for name in wanted:
        found = [i for i, spelt in enumerate(plain) if spelt == _plain(name)]
        if len(found) > 1:
            spelt = ", ".join(names[i] for i in found)
            raise InputError(path, f"{name} twice, as {spelt}", "keep one of them", number)
        places += found or [-1]
    if missing := [name for name, i in zip(wanted, places, strict=True) if i < 0]:
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
