"""A track hub from a finished prediction: what UCSC's browser, IGV and JBrowse 2 open.

Text files after https://genome.ucsc.edu/goldenPath/help/hgTrackHubHelp.html. Marks are grouped by
class: a composite track each, in the colours of `histpred.core.marks`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from histpred.core.errors import InputError, OutputError, UsageError
from histpred.core.marks import mark
from histpred.core.output import output_folder, refuse_inputs, temporary_faults
from histpred.genome.reference import Reference
from histpred.scoring.record import read_finished
from histpred.tracks.binary import Spread, spread, write_calls, write_signal, write_windows
from histpred.tracks.tables import AGAIN, CALLS, SCORES, bed_colour

HUB, GENOMES, TRACKS, ONE_FILE = "hub.txt", "genomes.txt", "trackDb.txt", "one-file-hub.txt"
OURS = "hub histpred\n"
NO_MAIL = "nobody@example.org"  # UCSC wants an address; the hub's owner may put theirs
ASSEMBLY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
Stanza = dict[str, str]
Progress = Callable[[int, int], None]


class Hub(NamedTuple):
    """What was written. marks: in the order of the scores. signal: whether they have bigWigs."""

    marks: tuple[str, ...]
    windows: int
    calls: int
    signal: bool


def write_hub(
    scores: Path,
    fasta: str,
    out: Path,
    assembly: str,
    *,
    overwrite: bool = False,
    progress: Progress = lambda done, total: None,
) -> Hub:
    """Write a prediction's tracks and the texts of a hub around them into the folder `out`.

    Parameters
    ----------
    scores
        The folder of a finished `histpred predict`.
    fasta
        The genome that it was made with: contigs have their lengths from it.
    out
        Gets hub.txt, genomes.txt, one-file-hub.txt, and in a folder called as the assembly
        trackDb.txt, calls.bb (if there are calls), and for each mark MARK.bb; MARK.bw in place of
        that where no window overlaps another and rows are tiles.
    assembly
        As UCSC calls it: hg38, sacCer3.
    overwrite
        Replace an earlier hub.
    progress
        Called with the number of tracks written, and of all.

    Raises
    ------
    InputError
        Where the folder is no finished prediction, was made with another FASTA, or does not hold
        what run.json says.
    OutputError
        Where `out` holds a hub (without `overwrite`) or anything else.
    UsageError
        For an assembly that cannot name a folder.
    """
    if not ASSEMBLY.fullmatch(assembly):
        raise UsageError(f"{assembly!r} is no name of an assembly", "as UCSC has it: hg38, sacCer3")
    run = read_finished(scores, AGAIN)
    if not overwrite and (out / HUB).exists():
        raise OutputError(f"{out} holds a hub", "choose another folder, or add --overwrite")
    refuse_inputs([out], [scores])
    tiles = bool(run["identity"]["window"][-1])
    names = [HUB]
    with temporary_faults(), output_folder(out, names, _is_ours) as work:
        with Reference(fasta, work / "genome") as reference:
            if reference.digest != run["identity"]["FASTA sha256"]:
                raise InputError(
                    fasta,
                    f"is not the genome of {scores}",
                    "give the FASTA that was predicted with",
                )
            lengths = dict(reference.lengths)
        folder, scratch = work / assembly, work / "columns"
        folder.mkdir()
        scratch.mkdir()
        table = spread(scores / SCORES, lengths, scratch)
        signal = tiles and bool(table.covered)
        calls = write_calls(scores / CALLS, lengths, folder / "calls.bb")
        suffix, write = ("bw", write_signal) if signal else ("bb", write_windows)
        for number, name in enumerate(table.marks):
            if table.windows:
                write(table, number, lengths, folder / f"{name}.{suffix}")
            progress(number + 1, len(table.marks))
        bundle = run["identity"]["bundle"].rpartition(" ")[0]  # without its digest
        title = f"{bundle}, histpred {run['identity']['histpred']}"
        hub = {
            "hub": "histpred",
            "shortLabel": "histpred",
            "longLabel": f"Histone marks predicted from sequence: {title}",
        }
        genome = {"genome": assembly}
        stanzas = track_stanzas(table, signal, bool(calls), title)
        beside = [
            stanza | {"bigDataUrl": f"{assembly}/{stanza['bigDataUrl']}"}
            if "bigDataUrl" in stanza
            else stanza
            for stanza in stanzas
        ]
        texts = {
            f"{assembly}/{TRACKS}": stanzas,
            GENOMES: [{**genome, "trackDb": f"{assembly}/{TRACKS}"}],
            ONE_FILE: [{**hub, "useOneFile": "on", "email": NO_MAIL}, genome, *beside],
            HUB: [{**hub, "genomesFile": GENOMES, "email": NO_MAIL}],
        }
        for name, text in texts.items():
            (work / name).write_text(text_of(text), encoding="utf-8")
        # An earlier hub's tracks that this one does not have are taken away with it.
        places = (folder, out / assembly)
        tracks = {path.name for place in places for path in place.glob("*.b[bw]")}
        names[:0] = [f"{assembly}/{name}" for name in sorted({*tracks, TRACKS})]
        names[-1:] = [GENOMES, ONE_FILE, HUB]
    return Hub(table.marks, table.windows, calls, signal)


def track_stanzas(table: Spread, signal: bool, calls: bool, title: str) -> list[Stanza]:
    """A super track with the calls, and in it a composite of marks for each class that there is."""
    stanzas = [
        {
            "track": "histpred",
            "superTrack": "on show",
            "shortLabel": "histpred",
            "longLabel": f"Histone marks predicted from sequence ({title})",
        }
    ]
    if calls:
        stanzas.append(
            {
                "track": "histpredCalls",
                "parent": "histpred",
                "type": "bigBed 9 +",
                "bigDataUrl": "calls.bb",
                "shortLabel": "called marks",
                "longLabel": f"Marks whose probability reaches the threshold ({title})",
                "itemRgb": "on",
                "visibility": "pack",
            }
        )
    classes: dict[str, list[str]] = {}
    for name in table.marks if table.windows else ():
        classes.setdefault(mark(name).mark_class, []).append(name)
    for mark_class, names in classes.items():
        group = f"histpred{word_of(mark_class)}"
        what = (
            {"type": "bigWig 0 1", "viewLimits": "0:1", "maxHeightPixels": "100:32:8"}
            if signal
            else {"type": "bigBed 9 +", "spectrum": "on"}
        )
        colour = bed_colour(names[0])  # its class's
        shown = {"visibility": "full" if signal else "dense", "color": colour, **what}
        stanzas.append(
            {
                "track": group,
                "parent": "histpred",
                "compositeTrack": "on",
                "shortLabel": mark_class,
                "longLabel": f"Marks of class {mark_class}: probability in each window ({title})",
                **shown,
            }
        )
        stanzas += [
            {
                "track": f"{group}{word_of(name)}",
                "parent": f"{group} on",
                "bigDataUrl": f"{name}.{'bw' if signal else 'bb'}",
                "shortLabel": name,
                "longLabel": f"{name}: probability in each window ({title})",
                **shown,
            }
            for name in names
        ]
    return stanzas


def text_of(stanzas: Iterable[Stanza]) -> str:
    """Stanzas as UCSC reads them: a setting a line, an empty line between two.

    >>> text_of([{"track": "a", "type": "bigBed 9 +"}, {"track": "b"}])
    'track a\\ntype bigBed 9 +\\n\\ntrack b\\n'
    """
    return "\n".join("".join(f"{key} {value}\n" for key, value in s.items()) for s in stanzas)


def word_of(text: str) -> str:
    """Letters and digits only, as the name of a track must be.

    >>> word_of("active promoter"), word_of("H3K4me3")
    ('ActivePromoter', 'H3K4me3')
    """
    return "".join(part[:1].upper() + part[1:] for part in re.split("[^A-Za-z0-9]+", text))


def _is_ours(path: Path) -> bool:
    try:
        with open(path, "rb") as stream:
            return stream.read(len(OURS)) == OURS.encode()
    except OSError:
        return False
