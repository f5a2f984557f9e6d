"""A folder of tracks from a finished prediction: what UCSC's browser, IGV and JBrowse 2 open.

Text files after https://genome.ucsc.edu/goldenPath/help/hgTrackHubHelp.html. Marks are grouped by
class: a composite track each, in the colours of `histpred.core.marks`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from histpred.bundle.folder import MANIFEST, SHIPPED, parse_manifest, shipped_bundles
from histpred.bundle.species import assembly_of
from histpred.core.errors import InputError, OutputError, UsageError
from histpred.core.hts import quiet_htslib
from histpred.core.marks import by_class, mark
from histpred.core.output import output_folder, refuse_inputs, temporary_faults
from histpred.genome.reference import Reference
from histpred.scoring.derived import (
    GENOMES,
    HUB,
    IGV_JSON,
    IGV_XML,
    JBROWSE,
    ONE_FILE,
    SIZES,
    TRACKS,
    hub_files,
    is_hub,
    remove_empty,
)
from histpred.scoring.record import read_finished
from histpred.scoring.tables import AGAIN, CALLS, SCORES, bed_colour
from histpred.tracks.binary import (
    Spread,
    middle,
    spread,
    write_calls,
    write_signal,
    write_windows,
)
from histpred.tracks.sessions import Track, igv_json, igv_xml, jbrowse

NO_MAIL = "nobody@example.org"  # UCSC wants an address; the hub's owner may put theirs
UCSC_NAMES = {"T2T-CHM13v2.0": "hs1"}
ASSEMBLY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
Stanza = dict[str, str]
Progress = Callable[[int, int], None]


class Hub(NamedTuple):
    """What was written. marks: in the order of the scores. signal: whether they have bigWigs."""

    assembly: str
    marks: tuple[str, ...]
    windows: int
    calls: int
    signal: bool


def write_hub(
    scores: Path,
    fasta: str,
    out: Path,
    assembly: str | None = None,
    *,
    cache: Path | None = None,
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
        Gets hub.txt, genomes.txt, one-file-hub.txt, the sessions of IGV and JBrowse, and in a
        folder called as the assembly trackDb.txt, contigs.chrom.sizes, calls.bb (if there are
        calls), and for each mark MARK.bb; MARK.bw in place of that where no window overlaps another
        and rows are tiles.
    assembly
        As UCSC calls it: hg38, sacCer3. None: see `likely_assembly`.
    cache
        A folder for indexes and copies of the genome that outlives the run.
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
    named = assembly in (HUB, GENOMES, ONE_FILE, IGV_JSON, IGV_XML, JBROWSE)
    if assembly is not None and (named or not ASSEMBLY.fullmatch(assembly)):
        raise UsageError(f"{assembly!r} is no name of an assembly", "as UCSC has it: hg38, sacCer3")
    run = read_finished(scores, AGAIN).model_dump(by_alias=True, mode="json")
    if not overwrite and (out / HUB).exists():
        raise OutputError(f"{out} holds a hub", "choose another folder, or add --overwrite")
    refuse_inputs([out], [scores])
    tile = run["identity"]["window"][-1]
    names = [HUB]
    with quiet_htslib(), temporary_faults(), output_folder(out, names, is_hub) as work:
        with Reference(fasta, cache or work / ".genome") as reference:
            if reference.digest != run["identity"]["FASTA sha256"]:
                raise InputError(
                    fasta,
                    f"is not the genome of {scores}",
                    "give the FASTA that was predicted with",
                )
            lengths = dict(reference.lengths)
        assembly = assembly or likely_assembly(lengths.values(), fasta)
        folder, scratch = work / assembly, work / ".columns"  # no assembly begins with a dot
        folder.mkdir()
        scratch.mkdir()
        table = spread(scores / SCORES, lengths, scratch)
        signal = bool(tile and table.covered)
        calls = write_calls(scores / CALLS, lengths, folder / "calls.bb")
        tracks = tracks_of(table, signal, bool(calls), assembly)
        write = write_signal if signal else write_windows
        marks = [track for track in tracks if track.mark_class]
        for done, track in enumerate(marks, 1):
            write(table, table.marks.index(track.name), lengths, work / track.path)
            progress(done, len(marks))
        bundle = run["identity"]["bundle"].rpartition(" ")[0]  # without its digest
        title = f"{bundle}, histpred {run['identity']['histpred']}"
        hub = {
            "hub": "histpred",
            "shortLabel": "histpred",
            "longLabel": f"Histone marks predicted from sequence: {title}",
        }
        genome = {"genome": assembly}
        stanzas = track_stanzas(tracks, title, f"tile of {tile} bp" if tile else "window")
        beside = [
            stanza | {"bigDataUrl": f"{assembly}/{stanza['bigDataUrl']}"}
            if "bigDataUrl" in stanza
            else stanza
            for stanza in stanzas
        ]
        sizes = f"{assembly}/{SIZES}"
        wide = 50 if signal else 10
        locus = middle(table, wide) if table.windows else next(iter(lengths))
        shown = (tracks, assembly, sizes, locus)
        texts = {
            sizes: "".join(f"{contig}\t{length}\n" for contig, length in lengths.items()),
            f"{assembly}/{TRACKS}": text_of(stanzas),
            IGV_JSON: igv_json(*shown),
            IGV_XML: igv_xml(*shown),
            JBROWSE: jbrowse(*shown),
            GENOMES: text_of([{**genome, "trackDb": f"{assembly}/{TRACKS}"}]),
            ONE_FILE: text_of([{**hub, "useOneFile": "on", "email": NO_MAIL}, genome, *beside]),
            HUB: text_of([{**hub, "genomesFile": GENOMES, "email": NO_MAIL}]),
        }
        for name, text in texts.items():
            (work / name).write_text(text, encoding="utf-8")
        # An earlier hub's tracks that this one does not have are taken away with it.
        before = hub_files(out)
        binary = [track.path for track in tracks]
        old_and_new = dict.fromkeys((*before, *binary))
        names[:] = [*(name for name in old_and_new if name not in texts), *texts]
    remove_empty(out, before)
    return Hub(assembly, table.marks, table.windows, calls, signal)


def likely_assembly(lengths: Collection[int], fasta: str) -> str:
    """The assembly whose chromosomes have these lengths (bp), as UCSC calls it, where a shipped
    bundle knows it; else the beginning of the FASTA's name.
    """
    for name in shipped_bundles():
        path = SHIPPED / name / MANIFEST
        species = parse_manifest(path.read_bytes(), path).species
        if found := assembly_of(lengths, species):
            return UCSC_NAMES.get(found, found)
    beginning = Path(fasta).name.partition(".")[0]
    return beginning if ASSEMBLY.fullmatch(beginning) else "genome"


def tracks_of(table: Spread, signal: bool, calls: bool, assembly: str) -> list[Track]:
    """The calls, if there are any, then the marks by class, in the order of the vocabulary."""
    tracks = [Track("called marks", f"{assembly}/calls.bb", "", "0,0,0")] if calls else []
    suffix = "bw" if signal else "bb"
    for name in by_class(table.marks if table.windows else ()):
        path = f"{assembly}/{name}.{suffix}"
        tracks.append(Track(name, path, mark(name).mark_class, bed_colour(name), signal))
    return tracks


def track_stanzas(tracks: Iterable[Track], title: str, of: str = "window") -> list[Stanza]:
    """A super track with the calls, and in it a composite of marks for each class that there is;
    `of`: what a probability is of.

    Files are told by their names alone: trackDb.txt lies beside them.
    """
    stanzas = [
        {
            "track": "histpred",
            "superTrack": "on show",
            "shortLabel": "histpred",
            "longLabel": f"Histone marks predicted from sequence ({title})",
        }
    ]
    classes: dict[str, list[Track]] = {}
    for track in tracks:
        if track.mark_class:
            classes.setdefault(track.mark_class, []).append(track)
            continue
        stanzas.append(
            {
                "track": "histpredCalls",
                "parent": "histpred",
                "type": "bigBed 9 +",
                "bigDataUrl": Path(track.path).name,
                "shortLabel": track.name,
                "longLabel": f"Marks whose probability reaches the threshold ({title})",
                "itemRgb": "on",
                "visibility": "pack",
            }
        )
    for mark_class, members in classes.items():
        group = f"histpred{word_of(mark_class)}"
        # IGV would paint windows in a color given here, and not in their own.
        shown = (
            {
                "visibility": "full",
                "color": members[0].colour,
                "type": "bigWig 0 1",
                "viewLimits": "0:1",
                "maxHeightPixels": "100:32:8",
            }
            if members[0].signal
            else {"visibility": "dense", "type": "bigBed 9 +", "itemRgb": "on"}
        )
        stanzas.append(
            {
                "track": group,
                "parent": "histpred",
                "compositeTrack": "on",
                "shortLabel": mark_class,
                "longLabel": f"Marks of class {mark_class}: probability in each {of} ({title})",
                **shown,
            }
        )
        stanzas += [
            {
                "track": f"{group}{number}{word_of(track.name)}",  # H2A.Z and H2AZ are two
                "parent": f"{group} on",
                "bigDataUrl": Path(track.path).name,
                "shortLabel": track.name,
                "longLabel": f"{track.name}: probability in each {of} ({title})",
                **shown,
            }
            for number, track in enumerate(members, 1)
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
