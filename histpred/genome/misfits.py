"""The rows of an annotation that do not fit the genome, and what is said of them."""

from __future__ import annotations

from histpred.core.errors import SHOWN, InputError, first_few
from histpred.core.text import agreeing, counted
from histpred.genome.annotation import TABLE, Annotation
from histpred.genome.ledger import Ledger
from histpred.genome.naming import MITOCHONDRION, chromosome
from histpred.genome.reasons import CROSSES_ORIGIN, GENE_NOT_FOUND, UNWANTED
from histpred.genome.reference import Reference
from histpred.genome.regions import Feature
from histpred.genome.windows import WindowSpec


class Offenders:
    """The number of rows with one fault, and the first few of them."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[str] = []

    def add(self, feature: Feature) -> None:
        """Count a row."""
        self.add_name(f"{feature.name} (line {feature.line})")

    def add_name(self, name: str) -> None:
        """Count a row that is shown by this name."""
        self.count += 1
        if self.count <= SHOWN:
            self.first.append(name)

    def __str__(self) -> str:
        return first_few(self.first, self.count)


class Faults:
    """The rows that do not fit the genome, by fault; rows: the number of all."""

    def __init__(self) -> None:
        self.rows = 0
        self.strandless, self.past_end = Offenders(), Offenders()
        self.clipped, self.unknown = Offenders(), Offenders()
        self.unknown_contigs: dict[str, None] = {}


def past_end(
    feature: Feature, contig: str, length: int, annotation: Annotation, faults: Faults
) -> Feature:
    """Handle a feature that ends past its contig: clipped (BED), circular, or of another assembly.

    Rows of a table of windows are already clipped, so for them it is always another assembly.
    """
    if annotation.format.startswith("BED"):
        if feature.start >= length:
            return feature
        faults.clipped.add(feature)
        return feature.with_note(f"ends {feature.end - length} bp past the contig")
    circular = feature.chrom in annotation.circular or chromosome(contig) == MITOCHONDRION
    if circular and annotation.format != TABLE:
        return feature._replace(problem=CROSSES_ORIGIN)
    faults.past_end.add(feature)
    return feature


def refuse_misfits(
    faults: Faults, annotation: Annotation, reference: Reference, spec: WindowSpec, ledger: Ledger
) -> None:
    """Raise InputError if the annotation is of another assembly, or lacks strands it needs."""
    name, rows = annotation.name, faults.rows
    unknown, past_end, strandless = faults.unknown, faults.past_end, faults.strandless
    selected = rows - sum(ledger.skipped.get(reason, 0) for reason in (*UNWANTED, GENE_NOT_FOUND))
    if unknown.count and unknown.count == selected:
        here, there = first_few(faults.unknown_contigs), first_few(reference.lengths)
        hint = (
            "are both of the same assembly? chr1, 1 and NC_000001.11 count as the same contig "
            "unless that is ambiguous"
        )
        if blank := next((contig for contig in faults.unknown_contigs if " " in contig), ""):
            hint = f"names in a FASTA end at the first blank: remove it from {blank!r} in column 1"
        found = f"none of its contigs is in {reference.name}: {here} here, {there} there"
        raise InputError(name, found, hint)
    if past_end.count:
        where = agreeing(past_end.count, "ends past its", "end past their")
        where = f"{where} contig in {reference.name}"
        found = f"{past_end.count} of {counted(rows, 'row')} {where}: {past_end}"
        hint = "wrong assembly? annotation and FASTA must be of the same one"
        raise InputError(name, found, hint)
    if strandless.count:
        have = agreeing(strandless.count, "has", "have")
        need = f"{have} no strand, which {spec.kind} windows need"
        raise InputError(
            name,
            f"{strandless.count} of {counted(rows, 'row')} {need}: {strandless}",
            "genes need their strands (column 6 of a BED). --unstranded reads '.' as '+', so that "
            "genes of the other strand are scored at their 3' end. --window interval is for peaks "
            "and other places without a strand: it scores the middle of each row",
        )


def warnings_of(faults: Faults, annotation: Annotation, reference: Reference) -> list[str]:
    """Sentences on the rows, biotypes and genes that are not used."""
    warnings = []
    if annotation.format == "empty":
        warnings.append(f"{annotation.name} holds no row: the outputs are empty")
    if unmatched := annotation.unmatched():
        meant = annotation.suggested(unmatched)
        warnings.append(f"no row has the biotype {', '.join(unmatched)}" + (meant and f": {meant}"))
    if annotation.genes:
        warnings += annotation.genes.warnings(annotation.name)
    if unknown := faults.unknown.count:
        where = agreeing(unknown, "lies on a contig", "lie on contigs")
        where = f"{where} that {reference.name} does not have"
        warnings.append(f"{counted(unknown, 'row')} {where}: {first_few(faults.unknown_contigs)}")
    if clipped := faults.clipped.count:
        how = agreeing(clipped, "ends past its contig and was", "end past their contig and were")
        warnings.append(f"{counted(clipped, 'row')} {how} clipped: {faults.clipped}")
    return warnings
