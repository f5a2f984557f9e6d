"""The effects of alleles in windows: what a scorer gives for each allele, as text of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from histpred.bundle.mark_spec import MarkSpec
from histpred.core.columns import NA, PROBABILITY
from histpred.genome.changes import Change, distance_from
from histpred.genome.reference import Reference
from histpred.genome.vcf_spool import Allele, Fate
from histpred.genome.windows import Row
from histpred.scoring.alternatives import Alternatives, log_odds
from histpred.scoring.tables import NOTHING
from histpred.scoring.variants_background import ranks, substitutions

AT_ONCE = 512  # alternatives that are scored together
DIGITS = 6  # decimals of a difference, beyond which there is only noise
DIFFERENCE, RANK = f"%.{DIGITS}f", "%.4g"
PARTS = ("ref", "alt", "delta", "rank")  # the columns of a mark


class Job(NamedTuple):
    """A window and alleles that are scored together.

    background: random substitutions of the window; None: those of the job before, which has the
    same window.
    """

    row: Row
    place: int
    alleles: Sequence[Allele]
    background: list[Change] | None


class Effects:
    """Scores alleles in the windows of one output, some hundreds at a time.

    columns: the names of the marks of the table. background: number of random substitutions of a
    window; 0: effects have no rank. keep: takes what became of alleles.
    """

    def __init__(
        self,
        output: Alternatives,
        reference: Reference,
        columns: Sequence[str],
        background: int,
        keep: Callable[[list[Fate]], None],
    ) -> None:
        self._output, self._reference = output, reference
        self._count, self._keep = background, keep
        self._marks = output.bundle.marks
        self._names = [mark.name for mark in self._marks]
        self._layout = _layout(columns, self._marks, background > 0)
        self._order = [self._names.index(name) for name in columns if name in self._names]
        self._jobs: list[Job] = []
        self._waiting = 0
        self._known = np.empty((0, len(self._names)))  # effects of the last background

    def add(self, row: Row, place: int, alleles: Sequence[Allele]) -> None:
        """Score the alleles that a window reads; `place`: see `Fate`."""
        fitting, refused = [], []
        for allele in alleles:
            reason = ""
            if allele.change.gain:
                reason = self._output.reason_against(row, [allele.change])
            if reason:
                refused.append(Fate(allele.number, place, "", "", 0, None, reason))
            else:
                fitting.append(allele)
        self._keep(refused)
        if not fitting:
            return
        drawn = substitutions(row.window, self._reference, self._count)
        background: list[Change] | None = drawn
        for first in range(0, len(fitting), AT_ONCE):
            some = fitting[first : first + AT_ONCE]
            self._jobs.append(Job(row, place, some, background))
            self._waiting += len(some) + len(background or ())
            background = None
            if self._waiting >= AT_ONCE:
                self.flush()

    def flush(self) -> None:
        """Score what waits."""
        given = [
            (
                job.row,
                [[change] for change in job.background or ()] + [[a.change] for a in job.alleles],
            )
            for job in self._jobs
        ]
        found = self._output.logits(given) if given else []
        for job, logits in zip(self._jobs, found, strict=True):
            self._keep(self._fates(job, logits))
        self._jobs, self._waiting = [], 0

    def _fates(self, job: Job, logits: np.ndarray) -> list[Fate]:
        odds = log_odds(logits, self._marks)
        differences = np.round(odds[1:] - odds[0], DIGITS) + 0.0  # no -0
        if job.background is not None:
            self._known = differences[: len(job.background)]
            differences = differences[len(job.background) :]
        probabilities = self._output.bundle.scorer.calibrated(logits)
        alternative = probabilities[-len(job.alleles) :]
        own = np.broadcast_to(probabilities[0], alternative.shape)
        unknown = np.isnan(alternative)
        ranked = np.full(differences.shape, np.nan)
        if len(self._known):
            ranked = ranks(differences, self._known)
        values = np.stack([own, alternative, differences, ranked], axis=2)[:, self._order]
        size = np.where(unknown, -1.0, np.abs(differences))
        largest = size.argmax(axis=1)
        beyond = _beyond(size, self._known)
        layout = self._layout if len(self._known) else _without_ranks(self._layout)
        window, length = job.row.window, self._reference.lengths[job.row.window.chrom]
        fates: list[Fate] = []
        rows = values.reshape(len(values), -1).tolist()
        for allele, cells, mark, whole in zip(job.alleles, rows, largest, size, strict=True):
            place = min(allele.change.start, length - 1)
            away = distance_from(window, self._output.bundle.choice.window, length, place)
            text = f"{window.name}\t{NA if away is None else away}\t" + layout % tuple(cells)
            number = len(fates)
            rank = float(ranked[number, mark]) if len(self._known) else None
            name = self._names[mark] if whole[mark] >= 0 else ""
            delta = float(differences[number, mark])
            share = float(beyond[number]) if name and rank is not None else None
            fates.append(Fate(allele.number, job.place, text, name, delta, rank, "", share))
        return fates


def _beyond(size: np.ndarray, background: np.ndarray) -> np.ndarray:
    """The share of a background whose largest effect is smaller, for each allele; 0 without one.

    size: [alleles, marks], of effects, -1 for marks that are not predicted. background:
    [substitutions, marks]. A random substitution among its like is as often above as below.
    """
    if not len(background):
        return np.zeros(len(size))
    known = np.abs(background)[:, size[0] >= 0]
    return ranks(size.max(axis=1, keepdims=True), known.max(axis=1, keepdims=True, initial=0))[:, 0]


def header_of(columns: Sequence[str]) -> str:
    """The names of the columns of the table of effects, without a line break.

    >>> header_of(["H3K4me3"]).split("\\t")[5:]
    ['window', 'distance', 'H3K4me3.ref', 'H3K4me3.alt', 'H3K4me3.delta', 'H3K4me3.rank']
    """
    first = "#chrom", "pos", "id", "ref", "alt", "window", "distance"
    return "\t".join((*first, *(f"{mark}.{part}" for mark in columns for part in PARTS)))


def _layout(columns: Sequence[str], marks: Sequence[MarkSpec], ranked: bool) -> str:
    """The %-format of the columns of all marks; NA for marks that the output does not predict."""
    own = {mark.name: mark for mark in marks}
    cells = []
    for name in columns:
        if name not in own:
            cells += [NA] * len(PARTS)
        elif own[name].unpredicted:
            cells += [NOTHING] * len(PARTS)
        else:
            cells += [PROBABILITY, PROBABILITY, DIFFERENCE, RANK if ranked else NOTHING]
    return "\t".join(cells)


def _without_ranks(layout: str) -> str:
    """A layout that writes NA in place of ranks."""
    return layout.replace(RANK, NOTHING)
