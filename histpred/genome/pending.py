"""The rows of a ledger that are in memory, and their windows, in few bytes each."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby

from histpred.genome.regions import Blocks, Feature, Window
from histpred.genome.windows import Placement

SCORED, SKIPPED = "scored", "skipped"
BITS = 32  # that hold a position, or the number of a row
LOW = (1 << BITS) - 1

Fate = tuple[str, str, str]
"""The status of a row, the reason why it is skipped, and its note."""

_FINE: Fate = (SCORED, "", "")
_NO_MORE: tuple[Blocks | None, int] = (None, 0)


class PendingRows:
    """Rows and their windows; the number of a row is its place in the order of `add`, from 0.

    A row is a text (the first columns of the ledger), its line and its fate. A window is one
    integer: start, end and the number of its row, so integers sort as windows do. The other columns
    of a window are in the text. Its blocks and `outside` are in `_more`, if it has any.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.fates: list[Fate] = []
        self.lines = array("q")
        self._windows: defaultdict[str, list[int]] = defaultdict(list)
        self._more: dict[int, tuple[Blocks | None, int]] = {}
        self._known: dict[Fate, Fate] = {}

    def __len__(self) -> int:
        return len(self.texts)

    def add(self, feature: Feature, placement: Placement) -> None:
        """Append a row, and its window if it has one."""
        window, reason, note = placement
        fate = _FINE
        if note or window is None:
            fate = (SCORED if window else SKIPPED, reason, note)
            fate = self._known.setdefault(fate, fate)
        if window is not None:
            chrom, start, end, _, _, _, _, _, blocks, outside = window
            number = len(self.texts)
            self._windows[chrom].append((start << BITS | end) << BITS | number)
            if blocks is not None or outside:
                self._more[number] = blocks, outside
        line, chrom, start, end, strand, name, gene_id, biotype = feature[:8]
        text = f"{line}\t{chrom}\t{start}\t{end}\t{strand}\t{name}\t{gene_id}\t{biotype}"
        self.texts.append(text)
        self.fates.append(fate)
        self.lines.append(line)

    def rows(self) -> Iterator[tuple[int, str, Fate]]:
        """Yield the line, the text and the fate of each row."""
        return zip(self.lines, self.texts, self.fates, strict=True)

    def by_line(self) -> Iterator[tuple[str, ...]]:
        """Yield the text and the fate of each row as one tuple, in input order."""
        for number in sorted(range(len(self)), key=self.lines.__getitem__):
            yield (self.texts[number], *self.fates[number])

    def windows(self) -> Iterator[tuple[Window, int]]:
        """Yield each window and the number of its row, in the order of `Ledger.windows`."""
        for chrom in sorted(self._windows):
            keys = self._windows[chrom]
            keys.sort()
            for place, tied in groupby(keys, _place):
                found = [self._window(chrom, place, key & LOW) for key in tied]
                if len(found) > 1:
                    found.sort(key=_by_names)  # windows of one line stay as they were added
                yield from found

    def longer_than(self, length: int) -> list[str]:
        """The names of the windows longer than `length` bp, in the order of `windows`."""
        lengths = (_length(key) for keys in self._windows.values() for key in keys)
        if max(lengths, default=0) <= length:
            return []
        windows = (window for window, _ in self.windows())
        return [window.name for window in windows if window.end - window.start > length]

    def _window(self, chrom: str, place: int, number: int) -> tuple[Window, int]:
        _, strand, name, gene_id, biotype = self.texts[number].rsplit("\t", 4)
        strand = "." if strand == "?" else strand  # as in `windows.place`
        line, (blocks, outside) = self.lines[number], self._more.get(number, _NO_MORE)
        start, end = place >> BITS, place & LOW
        window = Window(chrom, start, end, strand, name, gene_id, biotype, line, blocks, outside)
        return window, number


def _place(key: int) -> int:
    """Start and end of a window."""
    return key >> BITS


def _length(key: int) -> int:
    return (key >> BITS & LOW) - (key >> 2 * BITS)


def _by_names(found: tuple[Window, int]) -> tuple[object, ...]:
    return found[0][3:8]
