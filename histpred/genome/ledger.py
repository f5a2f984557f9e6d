"""The ledger: each input row once, scored or skipped and why; and the windows in genome order.

Up to `KEPT` rows are held in memory. More are kept in a temporary SQLite file, so memory does not
grow with the number of rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from histpred.core.errors import SHOWN
from histpred.genome.regions import Feature, Window
from histpred.genome.spool import open_spool, pack_blocks, unpack_blocks
from histpred.genome.windows import Placement

LEDGER = "ledger.tsv"  # its name in an output folder
SCORED, SKIPPED = "scored", "skipped"
COLUMNS = (
    *("line", "chrom", "start", "end", "strand", "name", "gene_id", "biotype"),
    *("status", "reason", "note"),
)
ROW = "%d\t%s\t%d\t%d\t%s\t%s\t%s\t%s"  # the first fields of a feature
KEPT = 1 << 16  # rows; about 40 MB
CHUNK = 4096

# Columns that are only passed on are stored as one text column, formatted for the output.
_SCHEMA = """
create table ledger (line int, entry int, part int, row text, status text, reason text, note text,
                     primary key (line, entry, part)) without rowid;
create table window (chrom text, start int, end int, row text, line int, entry int, blocks text,
                     outside int,
                     primary key (chrom, start, end, row, line, entry)) without rowid;
"""


Entry = tuple[int, int, int, str, str, str, str]
"""A row of the table `ledger`."""


def _order(queued: tuple[Window, int]) -> tuple[object, ...]:
    """The order of windows; those of one line stay in the order in which they were added."""
    return queued[0][:8]


class Run(NamedTuple):
    """Tiles of a row that lie side by side, in bp; `reason` as in `reasons`, '' if scored."""

    start: int
    end: int
    reason: str


class Ledger:
    """The input rows and their windows; a context manager, with temporary files in `directory`.

    rows: number of rows added. queued: number of rows that have a window. Of a row that is cut into
    tiles, each tile counts.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "ledger.sqlite"
        self._database = open_spool(self._path, _SCHEMA)
        self._in_file = self._has_runs = False
        self._entries: list[Entry] = []
        self._windows: list[tuple[Window, int]] = []
        self.rows = self.queued = self._entry = 0
        self._reasons: Counter[str] = Counter()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *raised: object) -> None:
        self._database.close()
        self._path.unlink(missing_ok=True)

    @property
    def skipped(self) -> dict[str, int]:
        """Number of skipped rows by reason, sorted."""
        return dict(sorted(self._reasons.items()))

    def add(self, feature: Feature, placement: Placement, tiles: int = 1) -> None:
        """Add one input row, and queue its window if it has one.

        tiles: into how many the window will be cut; see `write_runs`.
        """
        self._entry += 1
        self.rows += tiles
        window, reason, note = placement
        key, row = (feature.line, self._entry, 0), ROW % feature[:8]
        self._entries.append((*key, row, SCORED if window else SKIPPED, reason, note))
        if window is None:
            self._reasons[reason] += tiles
        else:
            self.queued += tiles
            self._windows.append((window, self._entry))
        if len(self._entries) >= (CHUNK if self._in_file else KEPT):
            self._store()

    def _store(self) -> None:
        """Move all that is in memory to the file."""
        self._in_file = True
        # The runs of a row are there already.
        insert = "insert or ignore into ledger values (?, ?, ?, ?, ?, ?, ?)"
        self._database.executemany(insert, self._entries)
        self._windows.sort(key=_order)  # inserting in key order is faster
        insert = "insert into window values (?, ?, ?, ?, ?, ?, ?, ?)"
        self._database.executemany(insert, map(_packed, self._windows))
        self._entries.clear()
        self._windows.clear()

    def windows(self) -> Iterator[tuple[Window, int]]:
        """Yield each queued window and the number of its row in the ledger.

        The order is that of `LC_ALL=C sort -k1,1 -k2,2n -k3,3n`. Windows at the same place are
        sorted by strand, name, gene and biotype, so the order of the input rows does not matter.
        """
        if not self._in_file:
            self._windows.sort(key=_order)
            return iter(self._windows)
        self._store()
        query = "select * from window order by chrom, start, end, row, line, entry"
        return map(_unpacked, self._database.execute(query))

    def longer_than(self, length: int) -> tuple[int, list[str]]:
        """The number of queued windows longer than `length` bp, and the names of the first few."""
        if not self._in_file:
            windows = (window for window, _ in self.windows())
            names = [window.name for window in windows if window.end - window.start > length]
            return len(names), names[:SHOWN]
        self._store()
        condition = "from window where end - start > ?"
        ((count,),) = self._database.execute(f"select count(*) {condition}", (length,))
        rows = self._database.execute(f"select row {condition} limit ?", (length, SHOWN))
        return count, [carried.split("\t")[1] for (carried,) in rows]

    def skip(self, window: Window, entry: int, reason: str, note: str) -> None:
        """Mark the row of a queued window as skipped; `entry` is the number of the row."""
        self._reasons[reason] += 1
        if not self._in_file:
            line, number, part, row, _, _, before = self._entries[entry - 1]
            note = f"{before}; {note}".strip("; ")
            self._entries[entry - 1] = (line, number, part, row, SKIPPED, reason, note)
            return
        self._database.execute(
            "update ledger set status = ?, reason = ?, note = trim(note || '; ' || ?, '; ') where "
            "line = ? and entry = ?",
            (SKIPPED, reason, note, window.line, entry),
        )

    def write_runs(
        self, window: Window, entry: int, runs: Iterable[Run], notes: Mapping[str, str], tile: int
    ) -> None:
        """Put runs of tiles, `tile` bp each, in the place of the row; `notes` are by reason."""
        self._has_runs = True
        if self._in_file:
            query = "select * from ledger where line = ? and entry = ?"
            (found,) = self._database.execute(query, (window.line, entry))
        else:
            found = self._entries[entry - 1]
        *_, row, _, _, noted = found
        line, chrom, _, _, *names = row.split("\t")
        parts = []
        for number, (start, end, reason) in enumerate(runs):
            place = "\t".join((line, chrom, str(start), str(end), *names))
            note = "; ".join(filter(None, (noted, notes[reason])))
            status = SKIPPED if reason else SCORED
            parts.append((window.line, entry, number, place, status, reason, note))
            if reason:
                self._reasons[reason] += -(-(end - start) // tile)
        self._database.executemany("replace into ledger values (?, ?, ?, ?, ?, ?, ?)", parts)

    def write(self, path: Path) -> None:
        """Write the ledger as TSV in input order; coordinates are those of the row, 0-based.

        A row that is cut into tiles has a line for each run of its tiles.
        """
        rows: Iterable[tuple[str, ...]] = (entry[3:] for entry in sorted(self._entries))
        if self._in_file or self._has_runs:
            self._store()
            query = "select row, status, reason, note from ledger order by line, entry, part"
            rows = self._database.execute(query)
        with open(path, "w", encoding="utf-8", newline="\n") as target:
            target.write("\t".join(COLUMNS) + "\n")
            target.writelines("\t".join(row) + "\n" for row in rows)


def _packed(queued: tuple[Window, int]) -> tuple[object, ...]:
    """A queued window as a row of the table `window`."""
    (chrom, start, end, *carried, line, blocks, outside), entry = queued
    packed = pack_blocks(blocks) if blocks else None
    return chrom, start, end, "\t".join(carried), line, entry, packed, outside


def _unpacked(row: tuple[str, int, int, str, int, int, str | None, int]) -> tuple[Window, int]:
    """The inverse of `_packed`."""
    chrom, start, end, carried, line, entry, packed, outside = row
    strand, name, gene_id, biotype = carried.split("\t")
    blocks = unpack_blocks(packed) if packed else None
    names = strand, name, gene_id, biotype
    return Window(chrom, start, end, *names, line, blocks, outside), entry
