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
from histpred.genome.pending import SCORED, SKIPPED, PendingRows
from histpred.genome.regions import Feature, Window
from histpred.genome.spool import open_spool, pack_blocks, unpack_blocks
from histpred.genome.windows import Placement

LEDGER = "ledger.tsv"  # its name in an output folder
COLUMNS = (
    *("line", "chrom", "start", "end", "strand", "name", "gene_id", "biotype"),
    *("status", "reason", "note"),
)
KEPT = 1 << 16  # rows; about 12 MB
CHUNK = 4096

# Columns that are only passed on are stored as one text column, formatted for the output.
_SCHEMA = """
create table ledger (line int, entry int, part int, row text, status text, reason text, note text,
                     primary key (line, entry, part)) without rowid;
create table window (chrom text, start int, end int, row text, line int, entry int, blocks text,
                     outside int,
                     primary key (chrom, start, end, row, line, entry)) without rowid;
"""


class Run(NamedTuple):
    """Tiles of a row that lie side by side, in bp; `reason` as in `reasons`, '' if scored."""

    start: int
    end: int
    reason: str


class Ledger:
    """The input rows and their windows; a context manager, with temporary files in `directory`.

    rows: number of rows added. queued: number of rows that have a window. passed: number of queued
    rows that were skipped so far, when their windows were read. Of a row that is cut into tiles,
    each tile counts.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "ledger.sqlite"
        self._database = open_spool(self._path, _SCHEMA)
        self._in_file = self._has_runs = False
        self._pending = PendingRows()
        self.rows = self.queued = self.passed = self._stored = 0
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
        self.rows += tiles
        window, reason, _ = placement
        if window is None:
            self._reasons[reason] += tiles
        else:
            self.queued += tiles
        pending = self._pending
        pending.add(feature, placement)
        if len(pending.texts) >= (CHUNK if self._in_file else KEPT):
            self._store()

    def _store(self) -> None:
        """Move all that is in memory to the file."""
        self._in_file = True
        pending, first = self._pending, self._stored
        entries = (
            (line, first + number, 0, text, *fate)
            for number, (line, text, fate) in enumerate(pending.rows())
        )
        # The runs of a row are there already.
        insert = "insert or ignore into ledger values (?, ?, ?, ?, ?, ?, ?)"
        self._database.executemany(insert, entries)
        windows = (_packed(window, first + number) for window, number in pending.windows())
        insert = "insert into window values (?, ?, ?, ?, ?, ?, ?, ?)"  # faster in key order
        self._database.executemany(insert, windows)
        self._stored += len(pending)
        self._pending = PendingRows()

    def windows(self) -> Iterator[tuple[Window, int]]:
        """Yield each queued window and the number of its row in the ledger.

        The order is that of `LC_ALL=C sort -k1,1 -k2,2n -k3,3n`. Windows at the same place are
        sorted by strand, name, gene and biotype, so the order of the input rows does not matter.
        """
        if not self._in_file:
            return self._pending.windows()
        self._store()
        query = "select * from window order by chrom, start, end, row, line, entry"
        return map(_unpacked, self._database.execute(query))

    def longer_than(self, length: int) -> tuple[int, list[str]]:
        """The number of queued windows longer than `length` bp, and the names of the first few."""
        if not self._in_file:
            names = self._pending.longer_than(length)
            return len(names), names[:SHOWN]
        self._store()
        condition = "from window where end - start > ?"
        ((count,),) = self._database.execute(f"select count(*) {condition}", (length,))
        rows = self._database.execute(f"select row {condition} limit ?", (length, SHOWN))
        return count, [carried.split("\t")[1] for (carried,) in rows]

    def skip(self, window: Window, entry: int, reason: str, note: str) -> None:
        """Mark the row of a queued window as skipped; `entry` is the number of the row."""
        self._reasons[reason] += 1
        self.passed += 1
        if not self._in_file:
            before = self._pending.fates[entry][-1]
            self._pending.fates[entry] = (SKIPPED, reason, f"{before}; {note}".strip("; "))
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
            query = "select row, note from ledger where line = ? and entry = ?"
            ((row, noted),) = self._database.execute(query, (window.line, entry))
        else:
            row, noted = self._pending.texts[entry], self._pending.fates[entry][-1]
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
        rows: Iterable[tuple[str, ...]] = self._pending.by_line()
        if self._in_file or self._has_runs:
            self._store()
            query = "select row, status, reason, note from ledger order by line, entry, part"
            rows = self._database.execute(query)
        with open(path, "w", encoding="utf-8", newline="\n") as target:
            target.write("\t".join(COLUMNS) + "\n")
            target.writelines("\t".join(row) + "\n" for row in rows)


def _packed(window: Window, entry: int) -> tuple[object, ...]:
    """A queued window as a row of the table `window`."""
    chrom, start, end, *carried, line, blocks, outside = window
    packed = pack_blocks(blocks) if blocks else None
    return chrom, start, end, "\t".join(carried), line, entry, packed, outside


def _unpacked(row: tuple[str, int, int, str, int, int, str | None, int]) -> tuple[Window, int]:
    """The inverse of `_packed`."""
    chrom, start, end, carried, line, entry, packed, outside = row
    strand, name, gene_id, biotype = carried.split("\t")
    blocks = unpack_blocks(packed) if packed else None
    names = strand, name, gene_id, biotype
    return Window(chrom, start, end, *names, line, blocks, outside), entry
