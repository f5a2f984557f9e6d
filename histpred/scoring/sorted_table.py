"""A table of bgzip that is sorted by position although rows of overlapping windows come mixed."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from histpred.core.errors import OutputError
from histpred.core.hts import BgzipWriter
from histpred.scoring.tables import index


class SortedTable:
    """A context manager that writes lines sorted by contig, start and end, and a tabix index.

    Lines come window by window, contig after contig. Those before the place that `settle` names
    are written; only the others are in memory. Lines of the same interval keep their order.
    """

    def __init__(self, path: Path, head: Sequence[str]) -> None:
        self.path = path
        self._table = BgzipWriter(path)
        self._table.write("".join(f"{line}\n" for line in head).encode())
        self._pending: list[tuple[int, int, int, str, str]] = []
        self._contig = ""
        self._written = self._longest = self._order = 0

    def __enter__(self) -> SortedTable:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        with ExitStack() as stack:
            stack.push(self._table)
            if kind is None:
                self._write(None)
        if kind is None:
            index(self.path, self._longest)

    def settle(self, contig: str, start: int) -> None:
        """Write the lines that no line of the following windows can precede.

        Those are of windows that read nothing before `start` (bp) on `contig`.
        """
        self._write(start if contig == self._contig else None)
        if contig != self._contig:
            self._contig, self._written = contig, 0

    def add(self, places: Iterable[tuple[int, int]], window: str, texts: Iterable[str]) -> None:
        """Add lines at these intervals on the contig; a text is one line or several.

        In a text, `{place}\\t{window}` stands for contig, start, end and the window.
        """
        for (start, end), text in zip(places, texts, strict=True):
            heapq.heappush(self._pending, (start, end, self._order, window, text))
            self._order += 1

    def _write(self, before: int | None) -> None:
        lines = []
        pending = self._pending
        while pending and (before is None or pending[0][0] < before):
            start, end, _, window, text = heapq.heappop(pending)
            if start < self._written:
                what = f"{self.path.name}: {self._contig}:{start}-{end} is not sorted"
                raise OutputError(what, "sort the table of windows, or give its annotation")
            self._written = start
            place = f"{self._contig}\t{start}\t{end}"
            lines.append(text.replace("{place}\t{window}", f"{place}\t{window}"))
            self._longest = max(self._longest, end)
        if lines:
            self._table.write("".join(lines).encode())
