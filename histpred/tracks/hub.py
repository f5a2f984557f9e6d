"""A folder of tracks from a finished prediction: what UCSC's browser, IGV and JBrowse 2 open."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

from histpred.bundle.folder import MANIFEST, SHIPPED, parse_manifest, shipped_bundles
from histpred.bundle.outputs import assembly_of
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
from histpred.scoring.record import Identity, read_finished
from histpred.scoring.tables import AGAIN, CALLS, SCORES, bed_colour
from histpred.tracks.binary import (
    ScoreColumns,
    middle,
    split_columns,
    write_calls,
    write_signal,
    write_windows,
)
from histpred.tracks.sessions import Track, igv_json, igv_xml, jbrowse
from histpred.tracks.stanzas import genomes_text, hub_text, one_file_text, track_list

UCSC_NAMES = {"T2T-CHM13v2.0": "hs1"}
ASSEMBLY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
NOT_ASSEMBLIES = (HUB, GENOMES, ONE_FILE, IGV_JSON, IGV_XML, JBROWSE)
Progress = Callable[[int, int], None]


class Hub(NamedTuple):
    """A hub that was written.

    marks: in the order of the scores. windows, calls: how many. signal: marks are bigWigs, else
    bigBeds.
    """

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
    """Write a prediction's tracks and the text files of a hub around them into the folder `out`.

    Parameters
    ----------
    scores
        The folder of a finished `histpred predict`.
    fasta
        The genome of the prediction; it gives the lengths of the contigs.
    out
        Gets hub.txt, genomes.txt, one-file-hub.txt, the sessions of IGV and JBrowse, and a folder
        named after the assembly with trackDb.txt, contigs.chrom.sizes, calls.bb (if there are
        calls) and MARK.bb for each mark; MARK.bw instead if rows are tiles and no two overlap.
    assembly
        UCSC's name: hg38, sacCer3. None: see `likely_assembly`.
    cache
        A folder for indexes and copies of the genome that outlives the run.
    overwrite
        Replace an earlier hub.
    progress
        Called with the number of tracks written, and of all.

    Raises
    ------
    InputError
        If the folder is not a finished prediction, was made with another FASTA, or its tables
        differ from run.json.
    OutputError
        If `out` holds a hub (without `overwrite`) or anything else.
    UsageError
        For an assembly that cannot name a folder.
    """
    if assembly is not None and (assembly in NOT_ASSEMBLIES or not ASSEMBLY.fullmatch(assembly)):
        raise UsageError(
            f"{assembly!r} is not the name of an assembly", "give UCSC's name: hg38, sacCer3"
        )
    run = read_finished(scores, AGAIN)
    if not overwrite and (out / HUB).exists():
        raise OutputError(f"{out} holds a hub", "choose another folder, or add --overwrite")
    refuse_inputs([out], [scores])
    names = [HUB]
    with quiet_htslib(), temporary_faults(), output_folder(out, names, is_hub) as work:
        lengths = _contig_lengths(fasta, scores, run.identity.fasta_sha256, cache, work)
        assembly = assembly or likely_assembly(lengths.values(), fasta)
        hub, files = _write_files(scores, run.identity, lengths, assembly, work, progress)
        before = hub_files(out)  # those that the new hub lacks are removed
        names[:] = [*(name for name in before if name not in files), *files]
    remove_empty(out, before)
    return hub


def _write_files(
    scores: Path,
    identity: Identity,
    lengths: dict[str, int],
    assembly: str,
    work: Path,
    progress: Progress,
) -> tuple[Hub, list[str]]:
    """Write a hub into the folder `work`; returns its files, hub.txt, which marks it, last."""
    tile = identity.window.tile
    folder, scratch = work / assembly, work / ".columns"  # no assembly begins with a dot
    folder.mkdir()
    scratch.mkdir()
    table = split_columns(scores / SCORES, lengths, scratch)
    signal = bool(tile and table.covered)
    calls = write_calls(scores / CALLS, lengths, folder / "calls.bb")
    tracks = tracks_of(table, signal, bool(calls), assembly)
    write = write_signal if signal else write_windows
    marks = [track for track in tracks if track.mark_class]
    for done, track in enumerate(marks, 1):
        write(table, table.marks.index(track.name), lengths, work / track.path)
        progress(done, len(marks))
    bundle = (identity.bundle or "").rpartition(" ")[0]  # without its digest
    title = f"{bundle}, histpred {identity.histpred}"
    each = f"tile of {tile} bp" if tile else "window"
    sizes = f"{assembly}/{SIZES}"
    wide = 50 if signal else 10
    locus = middle(table, wide) if table.windows else next(iter(lengths))
    shown = (tracks, assembly, sizes, locus)
    texts = {
        sizes: "".join(f"{contig}\t{length}\n" for contig, length in lengths.items()),
        f"{assembly}/{TRACKS}": track_list(tracks, title, each),
        IGV_JSON: igv_json(*shown),
        IGV_XML: igv_xml(*shown),
        JBROWSE: jbrowse(*shown),
        GENOMES: genomes_text(assembly),
        ONE_FILE: one_file_text(tracks, assembly, title, each),
        HUB: hub_text(title),
    }
    for name, text in texts.items():
        (work / name).write_text(text, encoding="utf-8")
    hub = Hub(assembly, table.marks, table.windows, calls, signal)
    return hub, [*(track.path for track in tracks), *texts]


def _contig_lengths(
    fasta: str, scores: Path, digest: str, cache: Path | None, work: Path
) -> dict[str, int]:
    """Lengths of the contigs, bp; InputError if the FASTA is not the one of the prediction."""
    with Reference(fasta, cache or work / ".genome") as reference:
        if reference.digest != digest:
            raise InputError(
                fasta, f"is not the genome of {scores}", "give the FASTA of that prediction"
            )
        return dict(reference.lengths)


def likely_assembly(lengths: Collection[int], fasta: str) -> str:
    """UCSC's name of the assembly whose chromosomes have these lengths (bp).

    Shipped bundles know the lengths of their species. For other genomes: the FASTA's name up to the
    first dot, 'genome' if that cannot name a folder.
    """
    for name in shipped_bundles():
        path = SHIPPED / name / MANIFEST
        species = parse_manifest(path.read_bytes(), path).species
        if found := assembly_of(lengths, species):
            return UCSC_NAMES.get(found, found)
    beginning = Path(fasta).name.partition(".")[0]
    return beginning if ASSEMBLY.fullmatch(beginning) else "genome"


def tracks_of(table: ScoreColumns, signal: bool, calls: bool, assembly: str) -> list[Track]:
    """The calls, if there are any, then the marks by class, in the order of the vocabulary."""
    tracks = [Track("called marks", f"{assembly}/calls.bb", "", "0,0,0")] if calls else []
    suffix = "bw" if signal else "bb"
    for name in by_class(table.marks if table.windows else ()):
        path = f"{assembly}/{name}.{suffix}"
        tracks.append(Track(name, path, mark(name).mark_class, bed_colour(name), signal))
    return tracks
