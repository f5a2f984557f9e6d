"""A folder of tracks from a finished prediction: what UCSC's browser, IGV and JBrowse 2 open.

The text files of a track hub follow https://genome.ucsc.edu/goldenPath/help/hgTrackHubHelp.html:
one setting per line, an empty line between two stanzas.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from histpred.bundle.folder import MANIFEST, SHIPPED, parse_manifest, shipped_bundles
from histpred.bundle.outputs import assembly_of
from histpred.core.errors import UsageError
from histpred.core.execution import Progress, no_progress
from histpred.core.marks import by_class
from histpred.core.output import refuse_inputs
from histpred.genome.ledger import LEDGER
from histpred.genome.naming import HUB as HUB_FORMAT
from histpred.genome.naming import refuse_names
from histpred.scoring import derived
from histpred.scoring.derived import DESCRIPTION, GENOMES, HUB, ONE_FILE, SIZES, TRACKS
from histpred.scoring.record import RunRecord, WindowsIdentity, read_finished
from histpred.scoring.tables import AGAIN, CALLS, SCORES
from histpred.tracks.about import description
from histpred.tracks.annotation import write_annotation
from histpred.tracks.binary import write_probabilities
from histpred.tracks.calls import write_calls
from histpred.tracks.columns import ScoreColumns, middle, split_columns
from histpred.tracks.hub_folder import contig_lengths, hub_folder
from histpred.tracks.sessions import igv_json, igv_xml, jbrowse
from histpred.tracks.track import (
    ANNOTATION,
    CALLED,
    Track,
    class_tracks,
    mark_tracks,
)
from histpred.tracks.track_list import track_list

UCSC_NAMES = {"T2T-CHM13v2.0": "hs1"}
ASSEMBLY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
HUB_HEAD = """\
hub histpred
shortLabel histpred
longLabel Histone marks predicted from sequence: {title}
{files}
email nobody@example.org
"""  # UCSC requires an address; the owner of the hub can enter theirs


class Hub(NamedTuple):
    """A hub that was written.

    marks: those with a track, in the order of the scores. windows, calls: how many. signal: marks
    are bigWigs, else bigBeds.
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
    progress: Progress = no_progress,
    tiles: ScoreColumns | None = None,
) -> Hub:
    """Write a prediction's tracks and the text files of a hub around them into the folder `out`.

    `scores` is the folder of a finished `histpred predict`, `fasta` its genome, which gives the
    lengths of the contigs. `out` gets hub.txt, genomes.txt, one-file-hub.txt, the sessions of IGV
    and JBrowse, and a folder named after the assembly with trackDb.txt, contigs.chrom.sizes,
    annotation.bb (the rows), calls.bb (if there are calls), marks.html (what calls promise, if the
    record says), MARK.bb for each predicted mark and class-CLASS.bb for each class with several;
    MARK.bw and class-CLASS.bw instead if rows are tiles and no two overlap. `assembly` is
    UCSC's name: hg38, sacCer3; None: see `likely_assembly`. `cache` is a folder for indexes and
    copies of the genome that outlives the run. `progress` is called with the number of tracks
    written, and of all. tiles: what the table of scores would hold, if the prediction was made
    without it.

    Raises InputError if the folder is not a finished prediction, was made with another FASTA, or
    its tables differ from run.json; OutputError if `out` holds another hub (without
    `overwrite`) or anything else; UsageError for an assembly that cannot name a folder.
    """
    if assembly is not None and (assembly in derived.TOP_FILES or not ASSEMBLY.fullmatch(assembly)):
        raise UsageError(
            f"{assembly!r} is not the name of an assembly", "give UCSC's name: hg38, sacCer3"
        )
    run = read_finished(scores, AGAIN, with_table=tiles is None)
    refuse_inputs([out], [scores])
    with hub_folder(out, overwrite) as (work, files):
        genome = run.identity.fasta_sha256
        lengths = contig_lengths(fasta, genome, scores, cache or work / ".genome")
        assembly = assembly or likely_assembly(lengths.values(), fasta)
        hub, files[:] = _write_files(scores, run, lengths, assembly, work, progress, tiles)
    return hub


def _write_files(
    scores: Path,
    run: RunRecord,
    lengths: dict[str, int],
    assembly: str,
    work: Path,
    progress: Progress,
    tiles: ScoreColumns | None,
) -> tuple[Hub, list[str]]:
    """Write a hub into the folder `work`; returns its files, hub.txt, which marks it, last."""
    folder, scratch = work / assembly, work / ".columns"  # no assembly begins with a dot
    folder.mkdir()
    scratch.mkdir()
    table = tiles or split_columns(scores / SCORES, lengths, scratch)
    refuse_names(str(scores / SCORES), table.contigs, [HUB_FORMAT])
    cut = bool(run.identity.window.tile)
    rows = write_annotation(
        scores / LEDGER, run.fasta.renamed, lengths, folder / "annotation.bb", cut
    )
    calls = write_calls(scores / CALLS, lengths, folder / "calls.bb", cut)
    # Marks by class, in the order of the vocabulary.
    predicted = tuple(name for name in table.marks if name not in run.unpredicted)
    signal = cut and bool(table.covered)
    marks = mark_tracks(by_class(predicted if table.windows else ()), calls, assembly, signal)
    classes = class_tracks(marks, assembly)
    write_probabilities(table, [*classes, *marks], lengths, work, progress)
    annotation = Track("annotation", f"{assembly}/annotation.bb", ANNOTATION)
    called = Track("called marks", f"{assembly}/calls.bb", CALLED)
    tracks = [annotation] * bool(rows) + [called] * bool(calls) + classes + marks
    texts = _texts(run, tracks, lengths, assembly, table)
    for file, text in texts.items():
        (work / file).write_text(text, encoding="utf-8")
    hub = Hub(assembly, predicted, table.windows, calls.total(), signal)
    return hub, [*(track.path for track in tracks), *texts]


def _texts(
    run: RunRecord,
    tracks: list[Track],
    lengths: dict[str, int],
    assembly: str,
    table: ScoreColumns,
) -> dict[str, str]:
    """The text files of a hub by their paths; hub.txt is the last."""
    identity, tile = run.identity, run.identity.window.tile
    title = title_of(identity)
    each = f"tile of {tile} bp" if tile else "window"
    signal = any(track.signal for track in tracks)
    locus = middle(table, 50 if signal else 10, lengths) if table.windows else next(iter(lengths))
    return hub_texts(tracks, title, each, lengths, (assembly, locus), description(run, title))


def title_of(identity: WindowsIdentity) -> str:
    """What a hub is of: the bundle, without its digest, and the release."""
    bundle = (identity.bundle or "").rpartition(" ")[0]
    # run.json can come from anywhere: no line of the hub's files may begin in a name.
    return re.sub("[^ -~]", "_", f"{bundle}, histpred {identity.histpred}")


def hub_texts(
    tracks: list[Track],
    title: str,
    each: str,
    lengths: Mapping[str, int],
    shown: tuple[str, str],
    about: str = "",
) -> dict[str, str]:
    """The text files of a hub by their paths; hub.txt is the last.

    each: what a row of the tracks is of. shown: the assembly, and the locus where browsers open.
    about: the page about the tracks; '': none.
    """
    assembly, locus = shown
    sizes, page = f"{assembly}/{SIZES}", DESCRIPTION if about else ""
    opened = (assembly, sizes, locus)
    head = HUB_HEAD.format(title=title, files="useOneFile on")
    listed = track_list(tracks, title, each, f"{assembly}/", page)
    return {
        sizes: "".join(f"{contig}\t{length}\n" for contig, length in lengths.items()),
        **({f"{assembly}/{page}": about} if about else {}),
        f"{assembly}/{TRACKS}": track_list(tracks, title, each, page=page),
        derived.IGV_JSON: igv_json([track for track in tracks if track.shown], *opened),
        derived.IGV_ALL: igv_json(tracks, *opened),
        derived.IGV_XML: igv_xml(tracks, *opened),
        derived.JBROWSE: jbrowse(tracks, *opened),
        GENOMES: f"genome {assembly}\ntrackDb {assembly}/{TRACKS}\n",
        ONE_FILE: f"{head}\ngenome {assembly}\n\n{listed}",
        HUB: HUB_HEAD.format(title=title, files=f"genomesFile {GENOMES}"),
    }


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
