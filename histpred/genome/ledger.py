"""Every input row, once: scored, or skipped and why; and the windows in the order of the genome.

Both live in one temporary SQLite file, so that memory does not grow with the number of rows: rows
arrive in any order, windows leave sorted by contig (as bytes), start and end, and the ledger is
written in the order of the input.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from histpred.core.errors import SHOWN
from histpred.genome.regions import Feature, Window
from histpred.genome.spool import open_spool, pack_blocks, unpack_blocks
from histpred.genome.windows import Placed

LEDGER = "ledger.tsv"  # in a folder of outputs
SCORED, SKIPPED = "scored", "skipped"
TOO_MANY_N = "too-many-n"
MEANINGS = {
    "biotype-not-selected": "--biotype left it out",
    "unknown-contig": "the FASTA has no such contig, or several that it could be",
    "outside-the-contig": "it begins behind the contig's end",
    "zero-length": "start equals end",
    TOO_MANY_N: "more of the window is N than the bundle allows",
    "unknown-strand": "its strand is ?",
    "no-exon-lines": "a spliced window needs exons",
    "exons-on-two-strands-or-contigs": "trans-splicing",
    "crosses-the-origin": "it runs past the end of a circular contig",
    "no-id": "a transcript or exon with an empty ID",
    "tile-of-another-row": "an earlier row has the same tile",
    "no-transcript": "a gene without transcripts, where transcripts are scored",
}
"""Why rows are skipped; docs/inputs.md has the same list."""
COLUMNS = (
    "line",
    "chrom",
    "start",
    "end",
    "strand",
    "name",
    "gene_id",
    "biotype",
    "status",
    "reason",
    "note",
)

CHUNK = 4096

# What is only carried along is one text column in the form in which it will be written.
_SCHEMA = """
create table ledger (line int, entry int, row text, status text, reason text, note text,
                     primary key (line, entry)) without rowid;
create table window (chrom text, start int, end int, row text, line int, entry int, blocks text,
                     primary key (chrom, start, end, row, line, entry)) without rowid;
"""


class Queued(NamedTuple):
    """A window on its way through the run; `entry` is its place in the ledger."""

    window: Window
    entry: int


class Ledger:
    """A context manager over a temporary file in `directory`.

    rows, queued: how many rows came in, and how many of them have a window.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "ledger.sqlite"
        self._database = open_spool(self._path, _SCHEMA)
        self._entries: list[tuple[object, ...]] = []
        self._windows: list[tuple[object, ...]] = []
        self.rows = 0
        self.queued = 0
        self._reasons: dict[str, int] = {}

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *raised: object) -> None:
        self._database.close()
        self._path.unlink(missing_ok=True)

    @property
    def skipped(self) -> dict[str, int]:
        """Rows skipped so far, by reason, sorted."""
        return dict(sorted(self._reasons.items()))

    def add(self, feature: Feature, placed: Placed) -> None:
        """Enter one input row and queue its window, if it has one."""
        self.rows += 1
        line, chrom, start, end, strand, name, gene_id, biotype, *_ = feature
        window, reason, note = placed
        row = f"{line}\t{chrom}\t{start}\t{end}\t{strand}\t{name}\t{gene_id}\t{biotype}"
        self._entries.append((line, self.rows, row, SCORED if window else SKIPPED, reason, note))
        if window is None:
            self._reasons[reason] = self._reasons.get(reason, 0) + 1
        else:
            self.queued += 1
            chrom, start, end, strand, name, gene_id, biotype, line, blocks = window
            packed = pack_blocks(blocks) if blocks else None
            carried = f"{strand}\t{name}\t{gene_id}\t{biotype}"
            self._windows.append((chrom, start, end, carried, line, self.rows, packed))
        if self.rows % CHUNK == 0:
            self._store()

    def _store(self) -> None:
        self._database.executemany("insert into ledger values (?, ?, ?, ?, ?, ?)", self._entries)
        self._windows.sort()  # one leaf of the table after the other, not one at random each time
        self._database.executemany("insert into window values (?, ?, ?, ?, ?, ?, ?)", self._windows)
        self._entries.clear()
        self._windows.clear()

    def windows(self) -> Iterator[Queued]:
        """All queued windows, sorted as `LC_ALL=C sort -k1,1 -k2,2n -k3,3n` sorts a BED.

        Windows at one place are in the order of their strand, name, gene and biotype, so that the
        order of the input's rows does not show.
        """
        self._store()
        rows = self._database.execute(
            "select * from window order by chrom, start, end, row, line, entry"
        )
        for chrom, start, end, carried, line, entry, packed in rows:
            strand, name, gene_id, biotype = carried.split("\t")
            blocks = unpack_blocks(packed) if packed else None
            yield Queued(
                Window(chrom, start, end, strand, name, gene_id, biotype, line, blocks), entry
            )

    def longer_than(self, length: int) -> tuple[int, list[str]]:
        """How many queued windows are longer than `length` bp, and the names of the first few."""
        self._store()
        condition = "from window where end - start > ?"
        ((count,),) = self._database.execute(f"select count(*) {condition}", (length,))
        rows = self._database.execute(f"select row {condition} limit ?", (length, SHOWN))
        return count, [carried.split("\t")[1] for (carried,) in rows]

    def skip(self, queued: Queued, reason: str, note: str) -> None:
        """A window that turned out not to be scorable."""
        self._reasons[reason] = self._reasons.get(reason, 0) + 1
        self._database.execute(
            "update ledger set status = ?, reason = ?, note = trim(note || '; ' || ?, '; ') where "
            "line = ? and entry = ?",
            (SKIPPED, reason, note, queued.window.line, queued.entry),
        )

    def write(self, path: Path) -> None:
        """The ledger as TSV in the order of the input; coordinates are the row's own, 0-based."""
        self._store()
        rows = self._database.execute(
            "select row, status, reason, note from ledger order by line, entry"
        )
        with open(path, "w", encoding="utf-8", newline="\n") as target:
            target.write("\t".join(COLUMNS) + "\n")
            target.writelines("\t".join(row) + "\n" for row in rows)
