"""Annotation, reference and window kind into a filled ledger; then the windows with their sequence,
in batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from histpred.core.errors import SHOWN, InputError, first_few
from histpred.core.regions import Feature, Window
from histpred.core.sequence import n_fraction
from histpred.genome.annotation import NOT_SELECTED, Annotation
from histpred.genome.ledger import TOO_MANY_N, Ledger
from histpred.genome.naming import MITOCHONDRION, chromosome
from histpred.genome.reference import Reference
from histpred.genome.windows import INTERVAL, WindowSpec, place, window_sequence

CROSSES_ORIGIN = "crosses-the-origin"
NAME_LIMIT = 255
BATCH_WINDOWS = 512
BATCH_BASES = 4_000_000

_UNPRINTABLE = {code: " " for code in [*range(32), 127, 0x85, 0x2028, 0x2029]}


class Batch(NamedTuple):
    """Windows with their sequence (5' to 3', cleaned) and share of N."""

    windows: list[Window]
    sequences: list[bytes]
    n_fractions: list[float]


class Plan(NamedTuple):
    """What came of reading the annotation: sentences for the user, and how many rows end past their
    contig.
    """

    remarks: list[str]
    past_end: int


class Offenders:
    """The first few of a kind of fault, and how many there were."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[str] = []

    def add(self, feature: Feature) -> None:
        self.count += 1
        if self.count <= SHOWN:
            self.first.append(f"{feature.name} (line {feature.line})")

    def __str__(self) -> str:
        return first_few(self.first, self.count)


def plan(
    annotation: Annotation, reference: Reference, spec: WindowSpec, unstranded: bool, ledger: Ledger
) -> Plan:
    """Read the whole annotation into `ledger`.

    `unstranded` reads the strand '.' as '+'. Raises InputError where the file does not belong to
    the genome: no contig in common, genes past a contig's end; and for strands that are missing
    where they matter.
    """
    strandless, past_end, unknown = Offenders(), Offenders(), Offenders()
    unknown_names: dict[str, None] = {}
    bed_past_end = Offenders()
    needs_strand = spec.kind != INTERVAL
    for feature in annotation:
        is_bed = annotation.format.startswith("BED")
        feature = printable(feature)
        contig = reference.names.resolve(feature.chrom, annotation.aliases.get(feature.chrom))
        length = reference.lengths[contig] if contig else 0
        if contig is None:
            if feature.problem != NOT_SELECTED:
                unknown.add(feature)
                if len(unknown_names) < 1000:
                    unknown_names[feature.chrom] = None
        elif not feature.problem:
            if needs_strand and feature.strand == ".":
                if unstranded:
                    feature = feature._replace(note=_joined(feature.note, "no strand: read as '+'"))
                else:
                    strandless.add(feature)
            if feature.end > length and not (is_bed and feature.start >= length):
                if is_bed:
                    bed_past_end.add(feature)
                    past = f"ends {feature.end - length} bp past the contig"
                    feature = feature._replace(note=_joined(feature.note, past))
                elif feature.chrom in annotation.circular or chromosome(contig) == MITOCHONDRION:
                    feature = feature._replace(problem=CROSSES_ORIGIN)
                else:
                    past_end.add(feature)
        ledger.add(feature, place(feature, contig, length, spec))

    _refuse(annotation, reference, spec, ledger, strandless, past_end, unknown, unknown_names)
    remarks = _remarks(annotation, reference, unknown, unknown_names, bed_past_end)
    return Plan(remarks, bed_past_end.count)


def scorable(ledger: Ledger, reference: Reference, max_n_fraction: float) -> Iterator[Batch]:
    """The queued windows in genome order, in batches; those with too many N are skipped in the
    ledger.
    """
    batch = Batch([], [], [])
    bases = 0
    for queued in ledger.windows():
        sequence = window_sequence(queued.window, reference)
        share = n_fraction(sequence)
        if share > max_n_fraction:
            ledger.skip(
                queued,
                TOO_MANY_N,
                f"{share:.4g} of the window is N, the limit is {max_n_fraction:g}",
            )
            continue
        if batch.windows and (
            len(batch.windows) == BATCH_WINDOWS or bases + len(sequence) > BATCH_BASES
        ):
            yield batch
            batch, bases = Batch([], [], []), 0
        batch.windows.append(queued.window)
        batch.sequences.append(sequence)
        batch.n_fractions.append(share)
        bases += len(sequence)
    if batch.windows:
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
    note = _joined(feature.note, "name shortened or control characters replaced")
    return feature._replace(name=name, gene_id=gene_id, biotype=biotype, note=note)


def _joined(note: str, more: str) -> str:
    return f"{note}; {more}" if note else more


def _refuse(
    annotation: Annotation,
    reference: Reference,
    spec: WindowSpec,
    ledger: Ledger,
    strandless: Offenders,
    past_end: Offenders,
    unknown: Offenders,
    unknown_names: dict[str, None],
) -> None:
    if unknown.count and unknown.count == ledger.rows - ledger.skipped.get(NOT_SELECTED, 0):
        raise InputError(
            annotation.name,
            f"none of its contigs is in {reference.name}: {first_few(unknown_names)} here, "
            f"{first_few(reference.lengths)} there",
            "do the two belong together? chr1, 1 and NC_000001.11 are taken for the same where "
            "that is unambiguous",
        )
    if past_end.count:
        raise InputError(
            annotation.name,
            f"{past_end.count} of {ledger.rows} rows end past their contig in {reference.name}: "
            f"{past_end}",
            "wrong assembly? the annotation must be of the same one as the FASTA",
        )
    if strandless.count:
        raise InputError(
            annotation.name,
            f"{strandless.count} of {ledger.rows} rows have no strand, which {spec.kind} windows "
            f"need: {strandless}",
            "give strands (column 6 of a BED), or score rows as they are with --window interval, "
            "or read '.' as '+' with --unstranded",
        )


def _remarks(
    annotation: Annotation,
    reference: Reference,
    unknown: Offenders,
    unknown_names: dict[str, None],
    bed_past_end: Offenders,
) -> list[str]:
    remarks = []
    if annotation.format == "empty":
        remarks.append(f"{annotation.name} holds no row: the outputs are empty")
    if renamed := reference.names.renamed:
        pairs = first_few(f"{name} = {contig}" for name, contig in renamed.items())
        remarks.append(
            f"contig names of the annotation found under another name in the FASTA: {pairs}"
        )
    if unknown.count:
        remarks.append(
            f"{unknown.count} rows lie on contigs that {reference.name} does not have: "
            f"{first_few(unknown_names)}"
        )
    if bed_past_end.count:
        remarks.append(
            f"{bed_past_end.count} rows end past their contig and were clipped: {bed_past_end}"
        )
    return remarks
