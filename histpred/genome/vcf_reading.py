"""Read a VCF into a spool, and check that it is of the same assembly as the genome."""

from __future__ import annotations

from histpred.core.errors import SHOWN, InputError, first_few
from histpred.genome.reasons import UNKNOWN_CONTIG
from histpred.genome.reference import Reference
from histpred.genome.vcf import Record, Variants
from histpred.genome.vcf_alleles import OTHER_REF, judge
from histpred.genome.vcf_spool import AlleleSpool

MOST_WRONG = 0.2  # of the REF alleles, beyond which the VCF is of another assembly
FEWEST_WRONG = 3


def read_variants(
    variants: Variants, reference: Reference, spool: AlleleSpool
) -> dict[str, str | None]:
    """Put every ALT allele of a VCF into the spool; the FASTA's names of its contigs.

    A contig that the FASTA does not have is None.

    Raises InputError if none of its contigs is in the FASTA, if too many REF alleles are not the
    genome's, and if two of its contigs are one in the FASTA. For a part of a VCF, this was judged
    before for the whole.
    """
    resolved: dict[str, str | None] = {}
    note = variants.shard
    unknown = wrong = 0
    first: list[str] = []
    for record in variants:
        if record.chrom not in resolved:
            resolved[record.chrom] = (
                note.contigs.get(record.chrom, record.chrom)
                if note
                else _resolve(record, resolved, reference, variants.name)
            )
        contig = resolved[record.chrom]
        for alt in record.alts:
            judged = judge(record, alt, contig, reference)
            spool.add(record, alt, contig, judged)
            unknown += judged.reason == UNKNOWN_CONTIG
            if judged.reason == OTHER_REF:
                wrong += 1
                if len(first) < SHOWN:
                    place = f"{record.chrom}:{record.pos} has {record.ref[:20]}"
                    first.append(f"{place} (line {record.line}), {judged.note}")
    if note:
        return resolved
    if unknown and unknown == spool.count:
        here, there = first_few(resolved), first_few(reference.lengths)
        found = f"none of its contigs is in {reference.name}: {here} here, {there} there"
        raise InputError(variants.name, found, "are both of the same assembly?")
    if wrong >= FEWEST_WRONG and wrong > MOST_WRONG * (spool.usable + wrong):
        found = f"{wrong:,} of {spool.usable + wrong:,} REF alleles are not the bases of "
        found += f"{reference.name}: {first_few(first, wrong)}"
        hint = "wrong assembly? VCF and FASTA must be of the same one; bcftools norm --check-ref w "
        hint += "-f FASTA lists the records"
        raise InputError(variants.name, found, hint)
    return resolved


def _resolve(
    record: Record, known: dict[str, str | None], reference: Reference, name: str
) -> str | None:
    """The FASTA's name of a record's contig; InputError if another one of the VCF is that too."""
    contig = reference.names.resolve(record.chrom)
    if contig is not None and contig in known.values():
        other = next(chrom for chrom, known_as in known.items() if known_as == contig)
        found = f"{record.chrom} and {other} are both {contig} in {reference.name}"
        hint = "give each contig one name: bcftools annotate --rename-chrs"
        raise InputError(name, found, hint, record.line)
    return contig
