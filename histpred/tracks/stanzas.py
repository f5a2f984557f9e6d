"""The text files of a track hub for UCSC's browser, which IGV reads too.

After https://genome.ucsc.edu/goldenPath/help/hgTrackHubHelp.html: one setting per line, an empty
line between two stanzas. Marks are grouped by class, one composite track each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from histpred.scoring.derived import GENOMES, TRACKS
from histpred.tracks.sessions import Track

HUB_HEAD = """\
hub histpred
shortLabel histpred
longLabel Histone marks predicted from sequence: {title}
{files}
email nobody@example.org
"""  # UCSC requires an address; the owner of the hub can enter theirs
SUPER_TRACK = """\
track histpred
superTrack on show
shortLabel histpred
longLabel Histone marks predicted from sequence ({title})
"""
CALLS_TRACK = """\
track histpredCalls
parent histpred
type bigBed 9 +
bigDataUrl {url}
shortLabel {name}
longLabel Marks whose probability reaches the threshold ({title})
itemRgb on
visibility pack
"""
COMPOSITE_TRACK = """\
track {group}
parent histpred
compositeTrack on
shortLabel {mark_class}
longLabel Marks of class {mark_class}: probability in each {each} ({title})
{look}"""
MARK_TRACK = """\
track {group}{number}{word}
parent {group} on
bigDataUrl {url}
shortLabel {name}
longLabel {name}: probability in each {each} ({title})
{look}"""
SIGNAL_LOOK = """\
visibility full
color {colour}
type bigWig 0 1
viewLimits 0:1
maxHeightPixels 100:32:8
"""
# With a color here, IGV would ignore the colours of the windows.
WINDOW_LOOK = """\
visibility dense
type bigBed 9 +
itemRgb on
"""


def hub_text(title: str) -> str:
    """The content of hub.txt."""
    return HUB_HEAD.format(title=title, files=f"genomesFile {GENOMES}")


def genomes_text(assembly: str) -> str:
    """The content of genomes.txt."""
    return f"genome {assembly}\ntrackDb {assembly}/{TRACKS}\n"


def one_file_text(tracks: Iterable[Track], assembly: str, title: str, each: str) -> str:
    """The content of a hub in one file."""
    head = HUB_HEAD.format(title=title, files="useOneFile on")
    return f"{head}\ngenome {assembly}\n\n{track_list(tracks, title, each, f'{assembly}/')}"


def track_list(tracks: Iterable[Track], title: str, each: str = "window", folder: str = "") -> str:
    """The content of trackDb.txt: the calls, then a composite of marks for each class.

    `each`: what has a probability, 'window' or 'tile of 200 bp'. `folder`: put before the names of
    files; '' for a text beside them.
    """
    stanzas = [SUPER_TRACK.format(title=title)]
    for mark_class, group in groupby(tracks, lambda track: track.mark_class):
        members = list(group)
        shared = {"title": title, "each": each, "group": f"histpred{word_of(mark_class)}"}
        urls = [f"{folder}{Path(track.path).name}" for track in members]
        if not mark_class:
            stanzas.append(CALLS_TRACK.format(url=urls[0], name=members[0].name, **shared))
            continue
        first = members[0]
        look = SIGNAL_LOOK.format(colour=first.colour) if first.signal else WINDOW_LOOK
        shared["look"] = look
        stanzas.append(COMPOSITE_TRACK.format(mark_class=mark_class, **shared))
        stanzas += [
            # The number tells H2A.Z from H2AZ.
            MARK_TRACK.format(
                number=number, word=word_of(track.name), name=track.name, url=url, **shared
            )
            for number, (track, url) in enumerate(zip(members, urls, strict=True), 1)
        ]
    return "\n".join(stanzas)


def word_of(text: str) -> str:
    """Letters and digits only, as in the name of a track.

    >>> word_of("active promoter"), word_of("H3K4me3")
    ('ActivePromoter', 'H3K4me3')
    """
    return "".join(part[:1].upper() + part[1:] for part in re.split("[^A-Za-z0-9]+", text))
