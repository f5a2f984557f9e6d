"""Plan the windows of an annotation on a genome, then read them with their sequence in batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from histpred.core.errors import InputError, first_few
from histpred.core.text import agreeing
from histpred.genome import windows
from histpred.genome.annotation import TABLE, Annotation
from histpred.genome.ledger import Ledger
from histpred.genome.misfits import Faults, past_end, refuse_misfits, warnings_of
from histpred.genome.naming import refuse_names
from histpred.genome.reasons import TOO_MANY_N
from histpred.genome.reference import Reference
from histpred.genome.regions import INTERVAL, PROMOTER, Feature
from histpred.genome.request import SEQUENCES, Request
from histpred.genome.sources import open_inputs
from histpred.genome.transcripts import Transcripts, check_request, with_sequence
from histpred.genome.windows import Row, WindowSpec

NAME_LIMIT = 255
BATCH_WINDOWS = 512
BATCH_BASES = 4_000_000

_UNPRINTABLE = {code: " " for code in [*range(32), 127, 0x85, 0x2028, 0x2029]}


class Plan(NamedTuple):
    """Messages about an annotation and its genome, as sentences for the user.

    past_end: number of rows that were clipped because they end past their contig. contigs: the
    FASTA's names of those with rows.
    """

    notices: list[str]
    warnings: list[str]
    past_end: int
    contigs: tuple[str, ...]


class OpenWindows(NamedTuple):
    """An annotation, its genome, the ledger that holds its windows, and sequences of transcripts.

    transcripts: None if spliced windows are joined from the genome.
    """

    annotation: Annotation
    reference: Reference
    ledger: Ledger
    plan: Plan
    transcripts: Transcripts | None = None


@contextmanager
def open_windows(
    request: Request, spec: WindowSpec, work: Path, formats: Iterable[str] = ()
) -> Iterator[OpenWindows]:
    """Open annotation, genome and ledger, and `plan` the windows.

    Raises InputError if one of the `formats` to be written cannot hold the name of a contig.
    Files: see `open_inputs`.
    """
    check_request(request, spec.kind)
    with ExitStack() as stack:
        annotation, reference = stack.enter_context(open_inputs(request, spec, work))
        transcripts = None
        if request.transcripts:
            folder = request.cache or work
            transcripts = stack.enter_context(Transcripts(request.transcripts, folder))
        ledger = stack.enter_context(Ledger(work))
        planned = plan(annotation, reference, spec, request.unstranded, ledger, transcripts)
        refuse_names(reference.name, planned.contigs, formats)
        yield OpenWindows(annotation, reference, ledger, planned, transcripts)


def refuse_nothing(annotation: Annotation, ledger: Ledger, done: int, what: str) -> None:
    """Raise InputError if all rows are skipped; a file without rows is accepted.

    `done` is the number of rows that were used, and `what` says for what ('scored').
    """
    if ledger.rows and not done:
        reasons = ", ".join(f"{reason} {count}" for reason, count in ledger.skipped.items())
        none = f"none of its {ledger.rows:,} rows can be"
        found = f"{agreeing(ledger.rows, 'its only row cannot be', none)} {what}: {reasons}"
        hint = "for the reason of each row, see the ledger that histpred windows writes"
        raise InputError(annotation.name, found, hint)


def plan(
    annotation: Annotation,
    reference: Reference,
    spec: WindowSpec,
    unstranded: bool,
    ledger: Ledger,
    transcripts: Transcripts | None = None,
) -> Plan:
    """Read the whole annotation into `ledger`; the rows of a table of windows are kept unchanged.

    With `unstranded`, and in a table of windows, the strand '.' is read as '+'. A sequence has its
    TSS at its middle. Raises InputError
    if the annotation does not fit the genome (no contig in common, genes past the end of a contig),
    or if strands are missing that the window kind needs.
    """
    faults = Faults()
    contigs: dict[str, None] = {}
    found: dict[str, tuple[str | None, int]] = {}
    centred = annotation.format == SEQUENCES and spec.kind == PROMOTER
    for faults.rows, feature in enumerate(annotation, 1):
        is_window = annotation.format == TABLE  # known once the first line has been read
        feature = printable(feature)
        chrom = feature.chrom
        if chrom not in found:
            contig = reference.names.resolve(chrom, annotation.aliases.get(chrom))
            found[chrom] = contig, reference.lengths[contig] if contig else 0
        contig, length = found[chrom]
        if feature.problem:
            pass
        elif contig is None:
            faults.unknown.add(feature)
            if len(faults.unknown_contigs) < 1000:
                faults.unknown_contigs[chrom] = None
        else:
            contigs[contig] = None
            if spec.kind != INTERVAL and feature.strand == "." and not is_window:
                if unstranded:
                    feature = feature.with_note("no strand: read as '+'")
                else:
                    faults.strandless.add(feature)
            if feature.end > length:
                feature = past_end(feature, contig, length, annotation, faults)
        if contig and not feature.problem:
            feature = with_sequence(feature, transcripts, annotation.name, is_window)
        if spec.tile and contig and not feature.problem and feature.start < length:
            _add_tiles(feature, contig, length, spec, annotation, ledger)
        elif is_window and contig:
            ledger.add(feature, windows.place_unchanged(feature, contig, length))
        else:
            placed = feature._replace(start=feature.end // 2) if centred else feature
            ledger.add(feature, windows.place(placed, contig, length, spec))

    refuse_misfits(faults, annotation, reference, spec, ledger)
    if transcripts:
        transcripts.check(annotation.name)
    notices = [*reference.notices, *(transcripts.notices if transcripts else [])]
    notices += _notices(annotation, reference)
    warnings = [*reference.warnings, *(transcripts.warnings if transcripts else [])]
    warnings += warnings_of(faults, annotation, reference)
    return Plan(notices, warnings, faults.clipped.count, tuple(contigs))


def _notices(annotation: Annotation, reference: Reference) -> list[str]:
    """Sentences on how names were read."""
    notices = annotation.genes.notices() if annotation.genes else []
    if annotation.format == TABLE:
        # Whoever wrote the table accepted the letters of the FASTA: those of RNA, if the windows
        # are of sequences.
        reference.rna = True
        notices.append(f"{annotation.name} is a table of windows, which are used unchanged")
    if renamed := reference.names.renamed:
        pairs = first_few(f"{name} = {contig}" for name, contig in renamed.items())
        notices.append(f"contigs with another name in the FASTA: {pairs}")
    return notices


def _add_tiles(
    feature: Feature,
    contig: str,
    length: int,
    spec: WindowSpec,
    annotation: Annotation,
    ledger: Ledger,
) -> None:
    """Add a row that is cut into tiles; InputError for a window of a table that is not tiles."""
    start, end = windows.whole_tiles(feature.start, feature.end, length, spec.tile)
    if annotation.format == TABLE and (start, end) != (feature.start, feature.end):
        found = f"{feature.name} ({contig}:{feature.start}-{feature.end}) is not made of tiles"
        hint = f"give --tile {spec.tile} to histpred windows too, or leave it out here"
        raise InputError(annotation.name, found, hint, feature.line)
    whole = feature._replace(start=start, end=end, exons=None, outside=0)
    window = windows.place(whole, contig, length, spec)
    ledger.add(whole, window, -(-(end - start) // spec.tile))


def scorable(
    ledger: Ledger,
    reference: Reference,
    spec: WindowSpec,
    transcripts: Transcripts | None = None,
) -> Iterator[list[Row]]:
    """Yield the queued windows in genome order, in batches; sequences are of `transcripts`, if any.

    Windows with too many N, and tiles of another row, are skipped in the ledger.
    """
    if spec.tile:
        from histpred.genome.tiles import tile_blocks  # needs numpy

        yield from (list(block.rows()) for block in tile_blocks(ledger, reference, spec))
        return
    batch: list[Row] = []
    bases = 0
    for window, entry in ledger.windows():
        sequence = transcripts.sequence(window) if transcripts else None
        row = windows.read_row(window, reference, sequence)
        if row.n_fraction > spec.max_n_fraction:
            note = f"{row.n_fraction:.4g} of the window is N, the limit is {spec.max_n_fraction:g}"
            ledger.skip(window, entry, TOO_MANY_N, note)
            continue
        if batch and (len(batch) == BATCH_WINDOWS or bases + len(row.sequence) > BATCH_BASES):
            yield batch
            batch, bases = [], 0
        batch.append(row)
        bases += len(row.sequence)
    if batch:
        yield batch


def printable(feature: Feature) -> Feature:
    """Make the names of a feature fit in a table: no control characters, at most 255 characters."""
    _, chrom, _, _, _, name, gene_id, biotype, _, _, note, *_ = feature
    joined = f"{name}{gene_id}{biotype}{chrom}{note}"
    short = len(joined) <= NAME_LIMIT or max(map(len, (name, gene_id, biotype))) <= NAME_LIMIT
    if short and joined.isprintable():
        return feature
    texts, others = (name, gene_id, biotype), (chrom, note)
    name, gene_id, biotype = (text.translate(_UNPRINTABLE)[:NAME_LIMIT] for text in texts)
    chrom, note = (text.translate(_UNPRINTABLE) for text in others)
    if (name, gene_id, biotype, chrom, note) == texts + others:
        return feature
    feature = feature._replace(chrom=chrom, name=name, gene_id=gene_id, biotype=biotype, note=note)
    return feature.with_note("name shortened or control characters replaced")
