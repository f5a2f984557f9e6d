"""The ledger: each input row once, scored or skipped and why; and the windows in genome order.

Both are kept in one temporary SQLite file, so memory does not grow with the number of rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

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
CHUNK = 4096

# Columns that are only passed on are stored as one text column, formatted for the output.
_SCHEMA = """
create table ledger (line int, entry int, row text, status text, reason text, note text,
                     primary key (line, entry)) without rowid;
create table window (chrom text, start int, end int, row text, line int, entry int, blocks text,
                     outside int,
                     primary key (chrom, start, end, row, line, entry)) without rowid;
"""


class Ledger:
    """The input rows and their windows; a context manager with a temporary file in `directory`.

    rows: number of rows added. queued: number of rows that have a window.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "ledger.sqlite"
        self._database = open_spool(self._path, _SCHEMA)
        self._entries: list[tuple[object, ...]] = []
        self._windows: list[tuple[object, ...]] = []
        self.rows = 0
        self.queued = 0
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

    def add(self, feature: Feature, placement: Placement) -> None:
        """Add one input row, and queue its window if it has one."""
        self.rows += 1
        line, chrom, start, end, strand, name, gene_id, biotype, *_ = feature
        window, reason, note = placement
        row = f"{line}\t{chrom}\t{start}\t{end}\t{strand}\t{name}\t{gene_id}\t{biotype}"
        self._entries.append((line, self.rows, row, SCORED if window else SKIPPED, reason, note))
        if window is None:
            self._reasons[reason] += 1
        else:
            self.queued += 1
            chrom, start, end, strand, name, gene_id, biotype, line, blocks, outside = window
            packed = pack_blocks(blocks) if blocks else None
            carried = f"{strand}\t{name}\t{gene_id}\t{biotype}"
            self._windows.append((chrom, start, end, carried, line, self.rows, packed, outside))
        if self.rows % CHUNK == 0:
            self._store()

    def _store(self) -> None:
        self._database.executemany("insert into ledger values (?, ?, ?, ?, ?, ?)", self._entries)
        self._windows.sort()  # inserting in key order is faster
        insert = "insert into window values (?, ?, ?, ?, ?, ?, ?, ?)"
        self._database.executemany(insert, self._windows)
        self._entries.clear()
        self._windows.clear()

    def windows(self) -> Iterator[tuple[Window, int]]:
        """Yield each queued window and the number of its row in the ledger.

        The order is that of `LC_ALL=C sort -k1,1 -k2,2n -k3,3n`. Windows at the same place are
        sorted by strand, name, gene and biotype, so the order of the input rows does not matter.
        """
        self._store()
        query = "select * from window order by chrom, start, end, row, line, entry"
        for chrom, start, end, carried, line, entry, *more in self._database.execute(query):
            strand, name, gene_id, biotype = carried.split("\t")
            packed, outside = more
            window = Window(chrom, start, end, strand, name, gene_id, biotype, line)
            blocks = unpack_blocks(packed) if packed else None
            yield window._replace(blocks=blocks, outside=outside), entry

    def longer_than(self, length: int) -> tuple[int, list[str]]:
        """The number of queued windows longer than `length` bp, and the names of the first few."""
        self._store()
        condition = "from window where end - start > ?"
        ((count,),) = self._database.execute(f"select count(*) {condition}", (length,))
        rows = self._database.execute(f"select row {condition} limit ?", (length, SHOWN))
        return count, [carried.split("\t")[1] for (carried,) in rows]

    def skip(self, window: Window, entry: int, reason: str, note: str) -> None:
        """Mark the row of a queued window as skipped; `entry` is the number of the row."""
        self._reasons[reason] += 1
        self._database.execute(
            "update ledger set status = ?, reason = ?, note = trim(note || '; ' || ?, '; ') where "
            "line = ? and entry = ?",
            (SKIPPED, reason, note, window.line, entry),
        )

    def write(self, path: Path) -> None:
        """Write the ledger as TSV in input order; coordinates are those of the row, 0-based."""
        self._store()
        query = "select row, status, reason, note from ledger order by line, entry"
        with open(path, "w", encoding="utf-8", newline="\n") as target:
            target.write("\t".join(COLUMNS) + "\n")
            target.writelines("\t".join(row) + "\n" for row in self._database.execute(query))
