"""The tables of `histpred explain`: contributions, substitutions, and the windows themselves.

All are bgzip, sorted by position and indexed for tabix. A line that begins with '##' says on which
scale the values are.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np

from histpred.bundle.mark_spec import MarkSpec
from histpred.core.columns import HEADER, LAYOUT, NA, PROBABILITY
from histpred.core.hts import BgzipWriter
from histpred.genome.regions import Window
from histpred.genome.windows import Row, WindowSpec
from histpred.scoring.alternatives import RAW, scales_of
from histpred.scoring.explain_record import BASES, CONTRIBUTIONS, WINDOWS
from histpred.scoring.sorted_table import SortedTable
from histpred.scoring.substitutions import Substitution
from histpred.scoring.tables import index

CONTRIBUTION_COLUMNS = ("#chrom", "start", "end", "window", "mark", "contribution")
BASE_COLUMNS = ("#chrom", "start", "end", "window", "mark", "ref", "alt", "effect")
WINDOW_COLUMNS = (*HEADER, "window", "anchor")
DECIMALS = 6  # float32 logits have no more


class Explained(NamedTuple):
    """A window and what its stretches contribute.

    anchor: 0-based position of the TSS; None if it is not known. own: probabilities, [marks].
    stretches: 0-based half-open, ascending. contributions: [stretches, marks]. effects: by how much
    each substitution changes the log-odds, [substitutions, marks].
    """

    row: Row
    anchor: int | None
    own: np.ndarray
    stretches: list[tuple[int, int]]
    contributions: np.ndarray
    substitutions: list[Substitution]
    effects: np.ndarray


class ExplainTables:
    """A context manager that writes the tables; windows must come in genome order."""

    def __init__(
        self, folder: Path, marks: Sequence[MarkSpec], spec: WindowSpec, with_bases: bool
    ) -> None:
        self._marks = [mark.name for mark in marks]
        self._before = spec.upstream + spec.downstream if spec.whole else 0
        self._seen: set[bytes] = set()
        self._longest = 0
        what = "contribution: the fall of the log-odds where the stretch is N"
        contributions = SortedTable(
            folder / CONTRIBUTIONS, [scale_line(what, marks), "\t".join(CONTRIBUTION_COLUMNS)]
        )
        self._tables = [contributions]
        if with_bases:
            what = "effect: the log-odds with ALT minus those with REF, bases of the '+' strand"
            head = [scale_line(what, marks), "\t".join(BASE_COLUMNS)]
            self._tables.append(SortedTable(folder / BASES, head))
        self._path = folder / WINDOWS
        self._windows = BgzipWriter(self._path)
        self._windows.write(("\t".join((*WINDOW_COLUMNS, *self._marks)) + "\n").encode())
        self._layout = "\t".join((LAYOUT, "%s", "%s", *[PROBABILITY] * len(marks))) + "\n"

    def __enter__(self) -> ExplainTables:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        with ExitStack() as stack:
            stack.push(self._windows)
            for table in self._tables:
                stack.push(table)
        if kind is None:
            index(self._path, self._longest)

    def write(self, explained: Explained) -> None:
        """Append a window."""
        window = explained.row.window
        label = self._label(window)
        anchor = NA if explained.anchor is None else explained.anchor
        cells = (*explained.row.values, label, anchor, *explained.own.tolist())
        self._windows.write((self._layout % cells).encode())
        self._longest = max(self._longest, window.end)
        for table in self._tables:
            table.settle(window.chrom, window.start - self._before)
        lines = "".join(f"{{place}}\t{{window}}\t{mark}\t%.6g\n" for mark in self._marks)
        texts = (lines % tuple(row) for row in rounded(explained.contributions))
        self._tables[0].add(explained.stretches, label, texts)
        if len(self._tables) > 1:
            places = [(one.position, one.position + 1) for one in explained.substitutions]
            changed = zip(explained.substitutions, rounded(explained.effects), strict=True)
            self._tables[1].add(places, label, (self._effects(*each) for each in changed))

    def _effects(self, one: Substitution, effects: list[float]) -> str:
        pairs = zip(self._marks, effects, strict=True)
        cells = f"{one.ref}\t{one.alt}"
        return "".join(
            f"{{place}}\t{{window}}\t{mark}\t{cells}\t{value:.6g}\n" for mark, value in pairs
        )

    def _label(self, window: Window) -> str:
        """What the tables call a window: its name, or a text that no window before it has."""
        place = f"{window.chrom}:{window.start}-{window.end}({window.strand})"
        label = place if window.name == "." else window.name
        for text in (label, f"{label}::{place}", f"{label}::{place}::{window.line}"):
            digest = blake2b(text.encode(), digest_size=8).digest()
            if digest not in self._seen:
                break
        self._seen.add(digest)
        return text


def scale_line(what: str, marks: Sequence[MarkSpec]) -> str:
    """The first line of a table: what its values are, and on which scale."""
    raw = [name for name, scale in scales_of(marks).items() if scale == RAW]
    scale = "natural log-odds of the calibrated probability"
    if len(raw) == len(marks):
        scale = "the raw score, because the calibration has steps"
    elif raw:
        scale += f"; of {', '.join(raw)}: the raw score, because the calibration has steps"
    return f"## {what}. Scale: {scale}"


def rounded(values: np.ndarray) -> list[list[float]]:
    """Values to `DECIMALS` places, without a minus before zero."""
    found: list[list[float]] = (np.round(values, DECIMALS) + 0.0).tolist()
    return found
