"""What speaks for the best calls of a prediction: the strips of its page.

The best loci of each mark are explained when the page is made, if the genome is at hand, so the
same prediction and genome give the same page at any time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from histpred.bundle.folder import Bundle
from histpred.bundle.mark_spec import MarkSpec
from histpred.core.errors import HistpredError
from histpred.core.marks import by_class
from histpred.genome.regions import INTERVAL
from histpred.reports.browser import place_text
from histpred.reports.landscape import TOP, Landscape, Locus
from histpred.reports.strips import Bars, Tick, bars_of, path_of, sentence_of, ticks_of
from histpred.reports.surroundings import GenomeAtHand
from histpred.scoring.alternatives import RAW, scales_of
from histpred.scoring.explain_loci import Place, explain_loci, why_not
from histpred.scoring.explain_tables import Explained
from histpred.scoring.record import RunRecord

MOST = 40  # windows that are explained, so that more marks do not take longer
ELSEWHERE = "none of them could be placed as the prediction placed it"


class Strip(NamedTuple):
    """What speaks for a mark at a locus: paths of the bars, and what they say in words."""

    name: str
    place: str
    probability: str
    rising: str
    falling: str
    sentence: str


class Speech(NamedTuple):
    """The strips of the best loci, by mark.

    tops: what a bar of full height stands for, by mark. longest: stretch, bp. reason: why there are
    no strips, a clause. lacking: windows that could not be explained. further: those beyond `MOST`.
    """

    strips: Mapping[str, Sequence[Strip]]
    tops: Mapping[str, str]
    ticks: Sequence[Tick]
    anchor: str
    longest: int = 0
    reason: str = ""
    lacking: int = 0
    further: int = 0


def speech_of(
    scores: Path,
    run: RunRecord,
    bundle: Bundle,
    marks: Sequence[MarkSpec],
    landscape: Landscape,
    genome: GenomeAtHand,
) -> Speech | None:
    """What speaks for the best loci of each mark of a prediction; None without calls."""
    every = best_loci(landscape)
    loci = dict(list(every.items())[:MOST])
    if not loci:
        return None
    found: dict[Place, Explained] = {}
    if not (reason := why_not(run, bundle)):
        reason, found = _explained(scores, run, bundle, loci, genome)
    anchor = "middle" if run.identity.window.kind == INTERVAL else "TSS"
    if not found:
        return Speech({}, {}, (), anchor, reason=reason or ELSEWHERE)
    predicted = {one.name: one for one in marks if not one.unpredicted}
    speech = drawn(landscape, predicted, found, anchor)
    return speech._replace(lacking=len(loci) - len(found), further=len(every) - len(loci))


def best_loci(landscape: Landscape) -> dict[Place, Locus]:
    """The best loci of all marks, the first of each mark first."""
    found: dict[Place, Locus] = {}
    for rank in range(TOP):
        for name in by_class(landscape.top):
            for locus in landscape.top[name][rank : rank + 1]:
                found.setdefault(place_key(locus), locus)
    return found


def place_key(locus: Locus) -> Place:
    """What tells a window from all others."""
    return locus.chrom, locus.start, locus.end, locus.name, locus.strand


def _explained(
    scores: Path,
    run: RunRecord,
    bundle: Bundle,
    loci: Mapping[Place, Locus],
    genome: GenomeAtHand,
) -> tuple[str, dict[Place, Explained]]:
    """Why nothing could be explained, and what could."""
    if genome.reference is None:
        return genome.reason, {}
    known = {key: locus.probabilities for key, locus in loci.items()}
    try:
        found = explain_loci(scores, run, bundle, genome.reference, known)
    except HistpredError as error:  # a page without strips is whole too
        return error.message, {}
    kept = ((key, one) for key, one in found.items() if one.anchor is not None and one.stretches)
    return "", dict(kept)


def drawn(
    landscape: Landscape,
    marks: Mapping[str, MarkSpec],
    found: Mapping[Place, Explained],
    anchor: str,
) -> Speech:
    """The strips of what was found: all have one axis, and those of a mark one height."""
    bars: dict[str, list[Bars]] = {}
    for name in by_class(landscape.top):
        column = landscape.marks.index(name)
        keys = ((place_key(locus), locus) for locus in landscape.top[name])
        some = [bars_of(locus, found[key], column) for key, locus in keys if key in found]
        bars |= {name: some} if some else {}
    every = [one for some in bars.values() for one in some]
    axis = min(int(one.starts[0]) for one in every), max(int(one.ends[-1]) for one in every)
    strips, tops, scales = {}, {}, scales_of(marks.values())
    for name, some in bars.items():
        column = landscape.marks.index(name)
        top = max(float(np.abs(one.values).max()) for one in some) or 1.0
        unit = "of the raw score" if scales[name] == RAW else "log-odds"
        tops[name] = f"{top:.2g} {unit}"
        strips[name] = [
            Strip(
                one.locus.name,
                place_text(one.locus),
                f"{one.locus.probabilities[column]:.2f}",
                path_of(one, axis, top, 1),
                path_of(one, axis, top, -1),
                sentence_of(one, anchor, unit),
            )
            for one in some
        ]
    longest = max(int((one.ends - one.starts).max()) for one in every)
    return Speech(strips, tops, ticks_of(*axis, anchor), anchor, longest)
