"""The tracks of a hub, and which of them a browser shows at first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from histpred.core.colours import Colour
from histpred.core.marks import CLASS_COLOURS, CORE_MARKS, by_class, class_track, mark

# Kinds of tracks
ANNOTATION, CALLED, CLASS, MARK = "annotation", "calls", "class", "mark"
CONTRIBUTION = "contribution"
MOST_SHOWN = 6  # marks


class Track(NamedTuple):
    """A binary track.

    path: relative to the hub's folder. kind: ANNOTATION (the rows), CALLED (the calls of all
    marks), CLASS (the mean probability of a class's marks, its `members`), MARK or CONTRIBUTION
    (what speaks for a mark). mark_class: '' unless it is of one. signal: bigWig, else bigBed.
    shown: when a session opens. limits: of the axis of a signal.
    """

    name: str
    path: str
    kind: str
    colour: Colour = (0, 0, 0)
    mark_class: str = ""
    members: tuple[str, ...] = ()
    signal: bool = False
    shown: bool = True
    limits: tuple[float, float] = (0, 1)

    @property
    def rgb(self) -> str:
        """The colour as '255,0,0'."""
        return ",".join(map(str, self.colour))


def mark_tracks(
    marks: Sequence[str], calls: Mapping[str, int], assembly: str, signal: bool
) -> list[Track]:
    """The tracks of some marks; calls: the number of each."""
    shown, suffix = shown_marks(marks, calls), "bw" if signal else "bb"
    return [
        Track(
            name,
            f"{assembly}/{name}.{suffix}",
            MARK,
            mark(name).colour,
            mark(name).mark_class,
            signal=signal,
            shown=name in shown,
        )
        for name in marks
    ]


def class_tracks(tracks: Iterable[Track], assembly: str) -> list[Track]:
    """A track for each class of several marks, from those of its marks, which are sorted by it."""
    found = []
    for mark_class, group in groupby(tracks, lambda track: track.mark_class):
        members = list(group)
        if len(members) > 1:
            signal, suffix = members[0].signal, "bw" if members[0].signal else "bb"
            found.append(
                Track(
                    f"{mark_class} ({len(members)} marks)",
                    f"{assembly}/{class_track(mark_class)}.{suffix}",
                    CLASS,
                    CLASS_COLOURS[mark_class],
                    mark_class,
                    tuple(track.name for track in members),
                    signal,
                )
            )
    return found


def shown_marks(marks: Iterable[str], calls: Mapping[str, int]) -> set[str]:
    """The marks that a browser shows at first, `MOST_SHOWN` at most.

    First come the core marks of a reference epigenome, then the most called mark of each other
    class, then the most called marks. `calls`: their number by mark.

    >>> sorted(shown_marks(["H3K4me3", "Htz1", "H3K14ac", "H3K18ac"], {"H3K18ac": 9}))
    ['H3K14ac', 'H3K18ac', 'H3K4me3', 'Htz1']
    """
    known = by_class(marks)
    ranked = sorted(known, key=lambda name: -calls.get(name, 0))
    chosen = [name for name in CORE_MARKS if name in known]
    classes = {mark(name).mark_class for name in chosen}
    for name in ranked:
        if mark(name).mark_class not in classes:
            classes.add(mark(name).mark_class)
            chosen.append(name)
    chosen += [name for name in ranked if name not in chosen]
    return set(chosen[:MOST_SHOWN])
