"""What lies around the loci of a prediction's page: rows of the annotation, and bases."""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from histpred.core.errors import HistpredError
from histpred.genome import faidx, fasta
from histpred.genome.ledger import LEDGER, SCORED
from histpred.genome.lines import GZIP_MAGIC, is_bgzf
from histpred.genome.reference import Reference
from histpred.reports.landscape import Locus
from histpred.scoring.record import RunRecord

MOST_BASES = 300_000  # in a page
LARGEST = 1 << 24  # bytes of a FASTA without an index beside it that is read

Stretch = tuple[str, int, int]  # contig, start, end; 0-based half-open
Feature = tuple[str, int, int, str, str, bool]  # contig, start, end, name, strand, scored


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
    run: RunRecord, stretches: Iterable[Stretch], work: Path
) -> list[tuple[str, int, str]]:
    """The bases of stretches, as contig, start and text, while there are at most MOST_BASES.

    Nothing is read if the genome is not at hand. A private index lies in `work`.
    """
    import pysam

    path = Path(run.fasta.path)
    found: list[tuple[str, int, str]] = []
    try:
        if not _is_at_hand(path, run):
            return []
        indexed = faidx.prepare(path, run.identity.fasta_sha256, work)
        index = {"filepath_index": str(indexed.fai)}
        if indexed.gzi:
            index["filepath_index_compressed"] = str(indexed.gzi)
        with pysam.FastaFile(str(indexed.path), **index) as genome:
            if sum(genome.lengths) != run.fasta.bases:
                return []
            total = 0
            for contig, start, end in stretches:
                total += end - start
                if total > MOST_BASES:
                    break
                found.append((contig, start, genome.fetch(contig, start, end).upper()))
    except (OSError, ValueError, KeyError, HistpredError):  # a page without bases is whole too
        return []
    return found


@contextmanager
def genome_at_hand(run: RunRecord, work: Path) -> Iterator[Reference | None]:
    """The genome of a run; None if it is gone or was changed since, or would take long to read.

    That is so without an index beside a large file. Raises HistpredError if it cannot be read.
    """
    path = Path(run.fasta.path)
    if not _is_at_hand(path, run):
        yield None
        return
    with Reference(path, work, known=run.identity.fasta_sha256) as reference:
        yield reference if sum(reference.lengths.values()) == run.fasta.bases else None


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
    head = fasta.check_fasta(path)
    return path.stat().st_size <= LARGEST and (is_bgzf(head) or not head.startswith(GZIP_MAGIC))
