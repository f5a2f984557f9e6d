"""What lies around the loci of a prediction's page: rows of the annotation, and bases."""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from histpred.core.errors import HistpredError
from histpred.genome import fasta as fasta_file
from histpred.genome.ledger import LEDGER, SCORED
from histpred.genome.lines import GZIP_MAGIC, is_bgzf
from histpred.genome.reference import Reference, same_genome
from histpred.reports.landscape import Locus
from histpred.scoring.record import RunRecord

MOST_BASES = 300_000  # in a page
LARGEST = 1 << 24  # bytes of a FASTA without an index beside it that is read
AWAY = (
    "the FASTA is not where it was, has changed since, or has no index; "
    "histpred report --fasta takes it from elsewhere"
)

Stretch = tuple[str, int, int]  # contig, start, end; 0-based half-open
Feature = tuple[str, int, int, str, str, bool]  # contig, start, end, name, strand, scored


class GenomeAtHand(NamedTuple):
    """The genome of a prediction; None, and the reason as a clause, if it is not at hand."""

    reference: Reference | None
    reason: str


def stretches_around(loci: Iterable[Locus], beside: int) -> list[Stretch]:
    """The places of loci with `beside` bp to each side, sorted; those that touch are joined."""
    found: list[Stretch] = []
    places = ((locus.chrom, max(0, locus.start - beside), locus.end + beside) for locus in loci)
    for contig, start, end in sorted(places):
        if found and found[-1][0] == contig and start <= found[-1][2]:
            found[-1] = (contig, found[-1][1], max(end, found[-1][2]))
        else:
            found.append((contig, start, end))
    return found


def features_of(
    folder: Path, renamed: Mapping[str, str], stretches: Sequence[Stretch]
) -> list[Feature]:
    """The rows of the annotation that lie in sorted stretches, from the ledger of a prediction.

    renamed: the FASTA's name of a contig by the annotation's, which the ledger has.
    """
    found = []
    with open(folder / LEDGER, encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            contig = renamed.get(row["chrom"], row["chrom"])
            place = contig, int(row["start"]), int(row["end"])
            after = bisect_right(stretches, (place[0], place[2]))
            if after and (near := stretches[after - 1])[0] == place[0] and place[1] < near[2]:
                found.append((*place, row["name"], row["strand"], row["status"] == SCORED))
    return found


def bases_of(
    reference: Reference | None, stretches: Iterable[Stretch]
) -> list[tuple[str, int, str]]:
    """The bases of stretches, as contig, start and text, while there are at most MOST_BASES."""
    found: list[tuple[str, int, str]] = []
    if reference is None:
        return found
    total = 0
    for contig, start, end in stretches:
        total += end - start
        if total > MOST_BASES:
            break
        try:
            found.append((contig, start, reference.written(contig, start, end)))
        except HistpredError:  # a page without bases is whole too
            return []
    return found


@contextmanager
def genome_of(
    run: RunRecord, scores: Path, fasta: str | None, indexes: Path
) -> Iterator[GenomeAtHand]:
    """The genome of a run: `fasta`, or the file that the run read, if it is at hand.

    That file is not if it is gone or was changed since, or would take long to read because it is
    large and has no index beside it. scores: the folder of the run. indexes: a folder for private
    ones. Raises InputError if `fasta` is another genome.
    """
    with ExitStack() as stack:
        if fasta:
            given = same_genome(fasta, run.identity.fasta_sha256, scores, indexes)
            found = GenomeAtHand(stack.enter_context(given), "")
        else:
            found = GenomeAtHand(None, AWAY)
            try:
                if _is_at_hand(Path(run.fasta.path), run):
                    known = run.identity.fasta_sha256
                    reference = Reference(run.fasta.path, indexes, known=known)
                    stack.enter_context(reference)
                    if sum(reference.lengths.values()) == run.fasta.bases:
                        found = GenomeAtHand(reference, "")
            except HistpredError as error:  # a page without a genome is whole too
                found = GenomeAtHand(None, error.message)
        yield found


def _is_at_hand(path: Path, run: RunRecord) -> bool:
    try:
        return path.is_file() and _is_unchanged(path, run) and _is_quick(path)
    except OSError:
        return False


def _is_unchanged(path: Path, run: RunRecord) -> bool:
    status = path.stat()
    started = datetime.fromisoformat(run.started).timestamp()
    return max(status.st_mtime, status.st_ctime) < started + 1


def _is_quick(path: Path) -> bool:
    """True if the FASTA has an index, or is small and needs no copy that has random access."""
    if Path(f"{path}.fai").exists():
        return True
    head = fasta_file.check_fasta(path)
    return path.stat().st_size <= LARGEST and (is_bgzf(head) or not head.startswith(GZIP_MAGIC))
