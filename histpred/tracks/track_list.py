"""trackDb.txt of a hub: the settings of its tracks, for UCSC's browser.

See https://genome.ucsc.edu/goldenPath/help/trackDb/trackDbHub.html: a stanza for each track, with
one setting per line and an empty line after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from histpred.core.marks import CLASS_COLOURS
from histpred.scoring.derived import PAGE
from histpred.tracks.track import ANNOTATION, CALLED, CLASS, CONTRIBUTION, Track

SUPER_TRACK = """\
track histpred
superTrack on show
shortLabel histpred
longLabel Histone marks predicted from sequence ({title})
{described}"""
ITEMS_TRACK = """\
track histpred{word}
parent histpred
type bigBed 9 +
bigDataUrl {url}
shortLabel {name}
longLabel {about} ({title})
{described}itemRgb on
visibility pack
"""
ITEMS = {
    ANNOTATION: ("Annotation", "Rows of the annotation; those that were skipped are grey"),
    CALLED: ("Calls", "Marks whose probability reaches the threshold"),
}
COMPOSITE_TRACK = """\
track {group}
parent histpred
compositeTrack on
shortLabel {label}
longLabel {about} in each {each} ({title})
{described}visibility {visibility}
{look}"""
MEMBER_TRACK = """\
track {group}{number}{word}
parent {group} {switch}
bigDataUrl {url}
shortLabel {name}
longLabel {about} in each {each} ({title})
visibility {visibility}
{look}"""
VALUES = {CLASS: "mean probability", CONTRIBUTION: "contribution, log-odds,"}
SIGNAL_LOOK = """\
color {colour}
type bigWig {least:g} {most:g}
viewLimits {least:g}:{most:g}
maxHeightPixels 100:32:8
"""
# With a color here, IGV would ignore the colours of the windows.
WINDOW_LOOK = """\
type bigBed 9 +
itemRgb on
"""


def track_list(
    tracks: Iterable[Track], title: str, each: str = "window", folder: str = "", page: str = ""
) -> str:
    """The content of trackDb.txt: annotation, calls, the means of classes, a composite for each.

    Marks that are not shown are off in their composite; a composite without any that is shown is
    hidden, and has them all on.

    `each`: what has a probability, 'window' or 'tile of 200 bp'. `folder`: put before the names of
    files; '' for a text beside them. `page`: the file that describes the tracks, '' for none.
    """
    described = f"{PAGE} {folder}{page}\n" if page else ""
    shared = {"title": title, "described": described, "each": each}
    stanzas = [SUPER_TRACK.format(**shared)]
    for (kind, mark_class), group in groupby(tracks, _place):
        members = list(group)
        if kind not in ITEMS:
            stanzas += _composite(kind, mark_class, members, folder, shared)
            continue
        word, about = ITEMS[kind]
        (track,) = members
        stanza = {"word": word, "about": about, "name": track.name, "url": _url(track, folder)}
        stanzas.append(ITEMS_TRACK.format(**stanza, **shared))
    return "\n".join(stanzas)


def _composite(
    kind: str, mark_class: str, members: Sequence[Track], folder: str, shared: dict[str, str]
) -> list[str]:
    """The stanzas of a composite and of its members."""
    any_shown = any(track.shown for track in members)
    usual = "full" if members[0].signal else "dense"
    group = "histpredMeans" if kind == CLASS else f"histpred{word_of(mark_class)}"
    label, about = mark_class, f"Marks of class {mark_class}: probability"
    if kind == CLASS:
        label, about = "classes of marks", "Mean probability of the marks of a class"
    if kind == CONTRIBUTION:
        group, label = f"histpredFor{word_of(mark_class)}", f"for {mark_class}"
        about = f"Marks of class {mark_class}: what speaks for them, the strongest of all windows"
    whole = {"label": label, "about": about, "visibility": usual if any_shown else "hide"}
    colour = CLASS_COLOURS.get("" if kind == CLASS else mark_class, (0, 0, 0))
    look = _look(members[0]._replace(colour=colour))
    stanzas = [COMPOSITE_TRACK.format(group=group, look=look, **whole, **shared)]
    for number, track in enumerate(members, 1):  # the number tells H2A.Z from H2AZ
        stanza = {
            "number": str(number),
            "word": word_of(track.mark_class if kind == CLASS else track.name),
            "switch": "on" if track.shown or not any_shown else "off",
            "url": _url(track, folder),
            "name": track.mark_class if kind == CLASS else track.name,
            "about": f"{track.name}: {VALUES.get(kind, 'probability')}",
            "visibility": usual,
            "look": _look(track),
        }
        stanzas.append(MEMBER_TRACK.format(group=group, **stanza, **shared))
    return stanzas


def _place(track: Track) -> tuple[str, str]:
    """Tracks with the same place are of one composite."""
    return track.kind, "" if track.kind == CLASS else track.mark_class


def _look(track: Track) -> str:
    if not track.signal:
        return WINDOW_LOOK
    return SIGNAL_LOOK.format(colour=track.rgb, least=track.limits[0], most=track.limits[1])


def _url(track: Track, folder: str) -> str:
    return f"{folder}{Path(track.path).name}"


def word_of(text: str) -> str:
    """Letters and digits only, as in the name of a track.

    >>> word_of("active promoter"), word_of("H3K4me3")
    ('ActivePromoter', 'H3K4me3')
    """
    return "".join(part[:1].upper() + part[1:] for part in re.split("[^A-Za-z0-9]+", text))
