"""Annotation, reference and window kind into a filled ledger; then the windows with their sequence,
in batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from histpred.core.errors import SHOWN, InputError, first_few
from histpred.genome.annotation import TABLE, Annotation, Contigs, open_annotation
from histpred.genome.ledger import TOO_MANY_N, Ledger
from histpred.genome.naming import MITOCHONDRION, chromosome
from histpred.genome.reference import Reference
from histpred.genome.regions import INTERVAL, NOT_SELECTED, Feature
from histpred.genome.request import Request
from histpred.genome.windows import (
    Row,
    WindowSpec,
    as_it_is,
    place,
    row_of,
    share_of_n,
    tiles,
    window_sequence,
)

CROSSES_ORIGIN = "crosses-the-origin"
SAME_TILE = "tile-of-another-row"
NAME_LIMIT = 255
BATCH_WINDOWS = 512
BATCH_BASES = 4_000_000

_UNPRINTABLE = {code: " " for code in [*range(32), 127, 0x85, 0x2028, 0x2029]}


class Plan(NamedTuple):
    """What came of reading the annotation against the genome, as sentences for the user.

    notices are of no consequence; past_end: how many rows were clipped as they end past their
    contig.
    """

    notices: list[str]
    warnings: list[str]
    past_end: int


class OpenWindows(NamedTuple):
    """An annotation that was read against its genome; the ledger holds its windows."""

    annotation: Annotation
    reference: Reference
    ledger: Ledger
    plan: Plan


class Offenders:
    """The first few of a kind of fault, and how many there were."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[str] = []

    def add(self, feature: Feature) -> None:
        """One more."""
        self.count += 1
        if self.count <= SHOWN:
            self.first.append(f"{feature.name} (line {feature.line})")

    def __str__(self) -> str:
        return first_few(self.first, self.count)


class Faults:
    """What is wrong between an annotation and its genome, by kind."""

    def __init__(self) -> None:
        self.strandless = Offenders()
        self.past_end = Offenders()
        self.clipped = Offenders()
        self.unknown = Offenders()
        self.unknown_contigs: dict[str, None] = {}


@contextmanager
def open_windows(request: Request, spec: WindowSpec, work: Path) -> Iterator[OpenWindows]:
    """Open annotation, genome and ledger, and `plan` the windows.

    With tiles, the FASTA may be the annotation too: its rows are the contigs. Spools go to `work`,
    and so do private indexes of the genome if the request has no cache.
    """
    with ExitStack() as stack:
        fasta = request.fasta, request.cache or work
        annotation: Annotation
        if spec.tile and request.annotation == request.fasta:
            reference = stack.enter_context(Reference(*fasta))
            annotation = Contigs(
                reference.name, reference.lengths, reference.digest, request.biotypes
            )
        else:
            annotation = stack.enter_context(
                open_annotation(
                    request.annotation, work, spec.kind, request.level, request.biotypes
                )
            )
            reference = stack.enter_context(Reference(*fasta))
        ledger = stack.enter_context(Ledger(work))
        planned = plan(annotation, reference, spec, request.unstranded, ledger)
        yield OpenWindows(annotation, reference, ledger, planned)


def refuse_nothing(annotation: Annotation, ledger: Ledger, done: int, what: str) -> None:
    """Rows that are all skipped are an error; a file without rows is not. `what`: what none of them
    could be ('scored').
    """
    if ledger.rows and not done:
        reasons = ", ".join(f"{reason} {count}" for reason, count in ledger.skipped.items())
        raise InputError(
            annotation.name,
            f"none of its {ledger.rows} rows can be {what}: {reasons}",
            "histpred windows writes the ledger that says why for each row",
        )


def plan(
    annotation: Annotation,
    reference: Reference,
    spec: WindowSpec,
    unstranded: bool,
    ledger: Ledger,
) -> Plan:
    """Read the whole annotation into `ledger`; the rows of a table of windows are no longer cut.

    `unstranded` reads the strand '.' as '+', and so it is in a table of windows. Raises InputError
    where the file does not belong to the genome: no contig in common, genes past a contig's end;
    and for strands that are missing where they matter.
    """
    faults = Faults()
    for feature in annotation:
        cut = annotation.format == TABLE
        feature = printable(feature)
        contig = reference.names.resolve(feature.chrom, annotation.aliases.get(feature.chrom))
        length = reference.lengths[contig] if contig else 0
        if feature.problem:
            pass
        elif contig is None:
            faults.unknown.add(feature)
            if len(faults.unknown_contigs) < 1000:
                faults.unknown_contigs[feature.chrom] = None
        else:
            if spec.kind != INTERVAL and feature.strand == "." and not cut:
                if unstranded:
                    feature = _noted(feature, "no strand: read as '+'")
                else:
                    faults.strandless.add(feature)
            if feature.end > length:
                feature = _past_end(feature, contig, length, annotation, faults)
        if cut and contig:
            ledger.add(feature, as_it_is(feature, contig, length))
        elif spec.tile and contig and not feature.problem and feature.start < length:
            for part in tiles(feature, length, spec.tile):
                ledger.add(part, place(part, contig, length, spec))
        else:
            ledger.add(feature, place(feature, contig, length, spec))

    _refuse(faults, annotation, reference, spec, ledger)
    notices = list(reference.notices)
    if annotation.format == TABLE:
        notices.append(f"{annotation.name} is a table of windows: they are taken as they are")
    if renamed := reference.names.renamed:
        pairs = first_few(f"{name} = {contig}" for name, contig in renamed.items())
        notices.append(f"contigs under another name in the FASTA: {pairs}")
    warnings = [*reference.warnings, *_warnings(faults, annotation, reference)]
    return Plan(notices, warnings, faults.clipped.count)


def _past_end(
    feature: Feature, contig: str, length: int, annotation: Annotation, faults: Faults
) -> Feature:
    """A feature that ends past its contig: clipped if BED, else circular or a wrong assembly. A
    window was clipped when it was cut.
    """
    if annotation.format.startswith("BED"):
        if feature.start >= length:
            return feature
        faults.clipped.add(feature)
        return _noted(feature, f"ends {feature.end - length} bp past the contig")
    circular = feature.chrom in annotation.circular or chromosome(contig) == MITOCHONDRION
    if circular and annotation.format != TABLE:
        return feature._replace(problem=CROSSES_ORIGIN)
    faults.past_end.add(feature)
    return feature


def scorable(ledger: Ledger, reference: Reference, spec: WindowSpec) -> Iterator[list[Row]]:
    """The queued windows in genome order, in batches; those with too many N are skipped in the
    ledger, and so are tiles that an earlier row has too.
    """
    batch: list[Row] = []
    bases = 0
    before = None
    for queued in ledger.windows():
        if spec.tile and queued.window[:3] == before:
            ledger.skip(queued, SAME_TILE, "another row has this tile too")
            continue
        before = queued.window[:3]
        sequence = window_sequence(queued.window, reference)
        share = share_of_n(queued.window, sequence, reference)
        if share > spec.max_n_fraction:
            ledger.skip(
                queued,
                TOO_MANY_N,
                f"{share:.4g} of the window is N, the limit is {spec.max_n_fraction:g}",
            )
            continue
        if batch and (len(batch) == BATCH_WINDOWS or bases + len(sequence) > BATCH_BASES):
            yield batch
            batch, bases = [], 0
        batch.append(row_of(queued.window, sequence, share))
        bases += len(sequence)
    if batch:
        yield batch


def printable(feature: Feature) -> Feature:
    """`feature` with names that fit in a column of a table: no tabs or control characters, at most
    255 long.
    """
    texts = name, gene_id, biotype = feature[5:8]
    if (
        name.isprintable()
        and gene_id.isprintable()
        and biotype.isprintable()
        and len(name) <= NAME_LIMIT >= len(gene_id)
        and len(biotype) <= NAME_LIMIT
    ):
        return feature
    name, gene_id, biotype = (text.translate(_UNPRINTABLE)[:NAME_LIMIT] for text in texts)
    if (name, gene_id, biotype) == texts:
        return feature
    feature = feature._replace(name=name, gene_id=gene_id, biotype=biotype)
    return _noted(feature, "name shortened or control characters replaced")


def _noted(feature: Feature, more: str) -> Feature:
    return feature._replace(note=f"{feature.note}; {more}" if feature.note else more)


def _refuse(
    faults: Faults, annotation: Annotation, reference: Reference, spec: WindowSpec, ledger: Ledger
) -> None:
    selected = ledger.rows - ledger.skipped.get(NOT_SELECTED, 0)
    if faults.unknown.count and faults.unknown.count == selected:
        raise InputError(
            annotation.name,
            f"none of its contigs is in {reference.name}: {first_few(faults.unknown_contigs)} "
            f"here, {first_few(reference.lengths)} there",
            "do the two belong together? chr1, 1 and NC_000001.11 are taken for the same where "
            "that is unambiguous",
        )
    if faults.past_end.count:
        raise InputError(
            annotation.name,
            f"{faults.past_end.count} of {ledger.rows} rows end past their contig in "
            f"{reference.name}: {faults.past_end}",
            "wrong assembly? the annotation must be of the same one as the FASTA",
        )
    if faults.strandless.count:
        raise InputError(
            annotation.name,
            f"{faults.strandless.count} of {ledger.rows} rows have no strand, which {spec.kind} "
            f"windows need: {faults.strandless}",
            "give strands (column 6 of a BED), or score rows as they are with --window interval, "
            "or read '.' as '+' with --unstranded",
        )


def _warnings(faults: Faults, annotation: Annotation, reference: Reference) -> list[str]:
    warnings = []
    if annotation.format == "empty":
        warnings.append(f"{annotation.name} holds no row: the outputs are empty")
    if unmatched := annotation.unmatched():
        warnings.append(f"no row has the biotype {', '.join(unmatched)}")
    if faults.unknown.count:
        warnings.append(
            f"{faults.unknown.count} rows lie on contigs that {reference.name} does not have: "
            f"{first_few(faults.unknown_contigs)}"
        )
    if faults.clipped.count:
        warnings.append(
            f"{faults.clipped.count} rows end past their contig and were clipped: {faults.clipped}"
        )
    return warnings
