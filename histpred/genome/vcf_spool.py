"""The alleles of a VCF in a temporary SQLite file, so that memory does not grow with their number.

They are found by the place that they change, and what becomes of them is kept in the order of the
VCF: so windows may come in another order than variants.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from histpred.genome.changes import Change
from histpred.genome.spool import open_spool
from histpred.genome.vcf import Record
from histpred.genome.vcf_alleles import Judged

AT_ONCE = 4096  # rows that are written together
LONG = 1000  # bp that change; longer ones are few, and are looked for apart from the others

_SCHEMA = f"""
create table allele (number integer primary key, record int, chrom text, pos int, id text, ref text,
                     alt text, contig text, start int, end int, bases blob, reason text, note text);
create index place on allele (contig, start) where contig is not null and end - start <= {LONG};
create index wide on allele (contig, start) where contig is not null and end - start > {LONG};
create table fate (number int, place int, text text, mark text, delta real, rank real, reason text,
                   beyond real, primary key (number, place)) without rowid;
"""
_FIELDS = "number, start, end, bases"


class Allele(NamedTuple):
    """An allele that can be scored: its number among all of the VCF, and what it changes."""

    number: int
    change: Change


class Fate(NamedTuple):
    """What became of an allele in a window.

    place: of the window among those that read the allele, in ascending order. text: its columns of
    the table of effects. mark, delta, rank: of the largest effect; mark is '' if all are NA.
    reason: why the window cannot be read with the allele; '' if it is scored. beyond: the share of
    random substitutions of the window whose largest effect is smaller; None if there are none.
    """

    number: int
    place: int
    text: str
    mark: str
    delta: float
    rank: float | None
    reason: str = ""
    beyond: float | None = None


class Noted(NamedTuple):
    """An allele as the VCF has it, with its contig in the FASTA and what became of it."""

    number: int
    record: int
    chrom: str
    pos: int
    id: str
    ref: str
    alt: str
    contig: str | None
    reason: str
    note: str
    fates: tuple[Fate, ...]


class AlleleSpool:
    """A context manager, with a temporary file in `directory`.

    count: number of alleles. usable: of those that change something. effects: number of pairs of an
    allele and a window.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "alleles.sqlite"
        self._database = open_spool(self._path, _SCHEMA)
        self._alleles: list[tuple[object, ...]] = []
        self._fates: list[Fate] = []
        self.count = self.usable = self.effects = 0

    def __enter__(self) -> AlleleSpool:
        return self

    def __exit__(self, *raised: object) -> None:
        self._database.close()
        self._path.unlink(missing_ok=True)

    def add(self, record: Record, alt: str, contig: str | None, judged: Judged) -> None:
        """Append an allele; the `contig` is the FASTA's."""
        change = judged.change
        place = (contig, *change) if change else (None, None, None, None)
        self.count += 1
        self.usable += change is not None
        names = record.number, record.chrom, record.pos, record.id, record.ref, alt
        self._alleles.append((self.count, *names, *place, judged.reason, judged.note))
        if len(self._alleles) == AT_ONCE:
            self._store_alleles()

    def add_fates(self, fates: Iterable[Fate]) -> None:
        """Append what became of alleles."""
        before = len(self._fates)
        self._fates += fates
        self.effects += sum(not fate.reason for fate in self._fates[before:])
        if len(self._fates) >= AT_ONCE:
            self._store_fates()

    def between(self, contig: str, start: int, end: int) -> list[Allele]:
        """The alleles that change a base of [start, end), or insert some there; by their number."""
        self._store_alleles()
        short = f"select {_FIELDS} from allele indexed by place where contig = ? and start < ? "
        short += f"and start >= ? and end >= ? and end - start <= {LONG}"
        wide = f"select {_FIELDS} from allele indexed by wide where contig = ? and start < ? "
        wide += f"and end >= ? and end - start > {LONG}"
        found = self._database.execute(short, (contig, end, start - LONG, start)).fetchall()
        found += self._database.execute(wide, (contig, end, start)).fetchall()
        return [Allele(number, Change(*change)) for number, *change in sorted(found)]

    def by_tile(self, length: int) -> Iterator[tuple[str, int, list[Allele]]]:
        """Contig and start of each tile of `length` bp with alleles, and those that meet it.

        An allele meets the tiles of its first and of its last base; those in between have none of
        their own bases left. Contigs are in the order of their names; then come the tiles of
        alleles longer than LONG, so a tile may come twice.
        """
        self._store_alleles()
        for index, condition in (("place", "<="), ("wide", ">")):
            query = f"select contig, {_FIELDS} from allele indexed by {index} where contig is not "
            query += f"null and end - start {condition} {LONG} order by contig, start"
            for contig, rows in groupby(self._database.execute(query), itemgetter(0)):
                alleles = (Allele(number, Change(*change)) for _, number, *change in rows)
                for tile, some in _tiles(alleles, length):
                    yield contig, tile * length, some

    def starts(self, parts: int) -> list[int]:
        """The number of the first allele of each of so many parts with about the same number.

        The alleles of a record stay together, so there may be fewer parts, but at least one.
        """
        self._store_alleles()
        query = "select number from allele where number >= ? and record > (select record from "
        query += "allele where number = ? - 1) order by number limit 1"
        found = {1}
        for part in range(1, parts):
            first = 1 - (-part * self.count // parts)
            found.update(number for (number,) in self._database.execute(query, (first, first)))
        return sorted(found)

    def noted(self) -> Iterator[Noted]:
        """All alleles in the order of the VCF."""
        self._store_alleles()
        self._store_fates()
        names = "number, record, chrom, pos, id, ref, alt, contig, reason, note"
        rows = self._database.execute(f"select {names} from allele order by number")
        order = "select * from fate order by number, place"
        fates = groupby(map(Fate._make, self._database.execute(order)), itemgetter(0))
        number, some = next(fates, (0, iter(())))
        for row in rows:
            own: tuple[Fate, ...] = ()
            if row[0] == number:
                own = tuple(some)
                number, some = next(fates, (0, iter(())))
            yield Noted._make((*row, own))

    def _store_alleles(self) -> None:
        """Move the alleles that are in memory to the file."""
        if self._alleles:
            cells = ", ".join("?" * len(self._alleles[0]))
            self._database.executemany(f"insert into allele values ({cells})", self._alleles)
            self._alleles = []

    def _store_fates(self) -> None:
        """Move what became of alleles to the file."""
        cells = ", ".join("?" * len(Fate._fields))
        self._database.executemany(f"insert into fate values ({cells})", self._fates)
        self._fates = []


def _tiles(alleles: Iterable[Allele], length: int) -> Iterator[tuple[int, list[Allele]]]:
    """The numbers of the tiles of a contig with the alleles that meet them, which are by start."""
    waiting: dict[int, list[Allele]] = {}  # by the tile in which they end
    for tile, some in groupby(alleles, lambda allele: allele.change.start // length):
        for earlier in sorted(end for end in waiting if end < tile):
            yield earlier, sorted(waiting.pop(earlier))
        found = waiting.pop(tile, [])
        for allele in some:
            start, end, _ = allele.change
            found.append(allele)
            if (last := max(start, end - 1) // length) > tile:
                waiting.setdefault(last, []).append(allele)
        yield tile, sorted(found)
    for later in sorted(waiting):
        yield later, sorted(waiting[later])
