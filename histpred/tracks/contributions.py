"""A hub of what speaks for each mark along the genome: a bigWig of contributions for each mark.

Where the windows of several genes read the same base, the track has the contribution of largest
size, so that no gene hides what matters to another.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from histpred.core.execution import Progress, no_progress
from histpred.core.marks import by_class, mark
from histpred.genome.ledger import LEDGER
from histpred.genome.naming import HUB as HUB_FORMAT
from histpred.genome.naming import refuse_names
from histpred.scoring.explain_record import CONTRIBUTIONS, ExplainRecord, read_explained
from histpred.tracks import bbi
from histpred.tracks.annotation import write_annotation
from histpred.tracks.binary import Lengths, write_track
from histpred.tracks.hub import hub_texts, likely_assembly, title_of
from histpred.tracks.hub_folder import contig_lengths, hub_folder
from histpred.tracks.track import ANNOTATION, CONTRIBUTION, Track, shown_marks
from histpred.tracks.validate import check_bigwig

READ_AT_ONCE = 1 << 12  # stretches of the table: of eight marks, some 20 MB of text
AT_ONCE = 1 << 16  # stretches of a mark
PLACE = 3  # int64 for each stretch: number of the contig, start, end
AROUND = 20_000  # bp to each side of the middle stretch, where a browser opens


class Spread(NamedTuple):
    """Contributions in files of a folder, which tracks are written from.

    contigs: those with stretches. most: the largest size of all. middle: contig and position.
    """

    folder: Path
    marks: tuple[str, ...]
    contigs: tuple[str, ...]
    most: float
    middle: tuple[str, int]


def write_contributions(
    explained: Path,
    fasta: str,
    out: Path,
    *,
    cache: Path | None = None,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> int:
    """Write the hub of a finished `histpred explain` into the folder `out`; how many marks it has.

    fasta: the genome. Raises InputError if that is another genome.
    """
    run = read_explained(explained)
    with hub_folder(out, overwrite) as (work, files):
        genome = run.identity.fasta_sha256
        lengths = contig_lengths(fasta, genome, explained, cache or work / ".genome")
        assembly = likely_assembly(lengths.values(), fasta)
        files[:] = _write_files(explained, run, lengths, assembly, work, progress)
    return len(run.identity.marks)


def _write_files(
    explained: Path,
    run: ExplainRecord,
    lengths: dict[str, int],
    assembly: str,
    work: Path,
    progress: Progress,
) -> list[str]:
    """Write the hub into `work`; returns the names of its files, hub.txt last."""
    (work / assembly).mkdir()
    scratch = work / ".columns"
    scratch.mkdir()
    spread = spread_of(explained / CONTRIBUTIONS, run.identity.marks, scratch)
    refuse_names(run.fasta.path, spread.contigs, [HUB_FORMAT])
    rows = write_annotation(
        explained / LEDGER, run.fasta.renamed, lengths, work / assembly / "annotation.bb"
    )
    limit = float(f"{spread.most or 1:.1g}")
    shown = shown_marks(spread.marks, {})
    tracks = [Track("annotation", f"{assembly}/annotation.bb", ANNOTATION)] * bool(rows)
    for done, name in enumerate(by_class(spread.marks), 1):
        track = Track(
            name,
            f"{assembly}/{name}.contribution.bw",
            CONTRIBUTION,
            mark(name).colour,
            mark(name).mark_class,
            signal=True,
            shown=name in shown,
            limits=(-limit, limit),
        )
        _write_signal(spread, spread.marks.index(name), lengths, work / track.path)
        tracks.append(track)
        progress(done, len(spread.marks))
    contig, position = spread.middle
    first, last = max(1, position - AROUND), min(position + AROUND, lengths[contig])
    locus = f"{contig}:{first}-{last}"
    title = title_of(run.identity)
    texts = hub_texts(tracks, title, "stretch", lengths, (assembly, locus))
    for file, text in texts.items():
        (work / file).write_text(text, encoding="utf-8")
    return [*(track.path for track in tracks), *texts]


def spread_of(table: Path, marks: tuple[str, ...], folder: Path) -> Spread:
    """Split contributions.tsv.gz into files in `folder`: places, and the values of each mark."""
    contigs: dict[str, int] = {}
    most, count = 0.0, 0
    middles: list[tuple[str, int]] = []
    with ExitStack() as stack:
        lines = stack.enter_context(gzip.open(table, "rt", encoding="utf-8"))
        places = stack.enter_context(open(folder / "places.i8", "wb"))
        columns = [
            stack.enter_context(open(folder / f"{number}.f4", "wb")) for number in range(len(marks))
        ]
        rows = (line.rstrip("\n").split("\t") for line in lines if not line.startswith("#"))
        while some := list(islice(rows, READ_AT_ONCE * len(marks))):
            values = np.array([row[5] for row in some], np.float32).reshape(-1, len(marks))
            firsts = some[:: len(marks)]
            found = [
                (contigs.setdefault(row[0], len(contigs)), int(row[1]), int(row[2]))
                for row in firsts
            ]
            np.array(found, np.int64).tofile(places)
            for column, each in zip(columns, values.T, strict=True):
                np.ascontiguousarray(each).tofile(column)
            most = max(most, float(np.abs(values).max()))
            middles.append((firsts[len(firsts) // 2][0], found[len(found) // 2][1]))
            count += len(found)
    middle = middles[len(middles) // 2] if middles else ("", 0)
    return Spread(folder, marks, tuple(contigs), most, middle)


def _write_signal(spread: Spread, number: int, lengths: Lengths, path: Path) -> None:
    covered = 0

    def batches() -> Iterator[bbi.Batch]:
        nonlocal covered
        for contig, starts, ends, values in strongest(spread, number):
            covered += int((ends - starts).sum())
            yield bbi.Batch(np.full(len(starts), contig), starts, ends, values)

    write_track(path, lengths, spread.contigs, batches())
    check_bigwig(path, lengths, spread.contigs, covered, (-np.inf, np.inf))


def strongest(
    spread: Spread, number: int
) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """Number of the contig, starts, ends and values of a mark, without overlaps, some at a time.

    Where stretches overlap, the value is that of largest size, the positive one of two such.
    """
    rest, kept = np.empty((0, PLACE), np.int64), np.empty(0, np.float32)
    with (
        open(spread.folder / "places.i8", "rb") as places,
        open(spread.folder / f"{number}.f4", "rb") as column,
    ):
        while len(values := np.fromfile(column, np.float32, AT_ONCE)):
            found = np.fromfile(places, np.int64, PLACE * len(values)).reshape(-1, PLACE)
            rest, kept = np.concatenate([rest, found]), np.concatenate([kept, values])
            last = rest[-1, 0]
            for contig in range(int(rest[0, 0]), int(last)):
                here = rest[:, 0] == contig
                yield from _flat(contig, rest[here], kept[here], None)
            here = rest[:, 0] == last
            rest, kept = rest[here], kept[here]
            # All that follows on this contig starts here or later.
            until = int(rest[-1, 1])
            yield from _flat(int(last), rest, kept, until)
            open_ = rest[:, 2] > until
            rest, kept = rest[open_], kept[open_]
            rest[:, 1] = np.maximum(rest[:, 1], until)
    if len(rest):
        yield from _flat(int(rest[0, 0]), rest, kept, None)


def _flat(
    contig: int, places: np.ndarray, values: np.ndarray, until: int | None
) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """Stretches of a contig without overlaps, up to a position."""
    edges = np.unique(places[:, 1:])
    if until is not None:
        edges = edges[edges <= until]
    if len(edges) < 2:
        return
    firsts = np.searchsorted(edges, places[:, 1])
    lasts = np.minimum(np.searchsorted(edges, places[:, 2]), len(edges) - 1)
    pieces = np.maximum(lasts - firsts, 0)
    owners = np.repeat(np.arange(len(places)), pieces)
    within = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    parts = firsts[owners] + within
    # The last of a part is the one of largest size.
    order = np.lexsort((values[owners], np.abs(values[owners]), parts))
    parts, found = parts[order], values[owners][order]
    last = np.flatnonzero(np.diff(parts, append=len(edges)))
    if len(last):
        yield contig, edges[parts[last]], edges[parts[last] + 1], found[last]
