"""What a variant's alternative allele changes in the genome, or why it is not scored."""

from __future__ import annotations

import re
from typing import NamedTuple

from histpred.genome.changes import Change
from histpred.genome.reasons import OUTSIDE, UNKNOWN_CONTIG
from histpred.genome.reference import Reference
from histpred.genome.vcf import Record

NO_ALT = "no-alt"
SYMBOLIC = "symbolic"
BREAKEND = "breakend"
OVERLAPPED = "overlapping-deletion"
NOT_DNA = "not-acgt"
SAME = "same-as-ref"
OTHER_REF = "ref-not-in-the-genome"
REF_IS_N = "genome-is-n"
NO_WINDOW = "outside-all-windows"

MEANINGS = {
    NO_ALT: "the record has no ALT",
    SYMBOLIC: "ALT is symbolic, such as <DEL>, and does not state its bases",
    BREAKEND: "ALT is a breakend, which joins two places",
    OVERLAPPED: "ALT is *, a deletion that another record states",
    NOT_DNA: "REF or ALT has other letters than A, C, G and T",
    SAME: "ALT is REF",
    UNKNOWN_CONTIG: "the FASTA has no such contig, or several that match",
    OUTSIDE: "POS is 0, or REF ends past its contig",
    OTHER_REF: "REF is not what the genome has there",
    REF_IS_N: "the genome has N there",
    NO_WINDOW: "no window that is scored reads it",
}
"""Why alleles are skipped, besides those of `histpred.genome.changes`."""

SHOWN = 20  # bases of an allele in a note
DNA = re.compile(r"[ACGTacgt]+")


class Judged(NamedTuple):
    """What an allele changes; None and a reason if it cannot be scored. note: more about it."""

    change: Change | None
    reason: str = ""
    note: str = ""


def judge(record: Record, alt: str, contig: str | None, reference: Reference) -> Judged:
    """Find what an ALT of a record changes on `contig`, the FASTA's (None: it has none).

    The letter case of REF and ALT does not matter.
    """
    if reason := _reason(record.ref, alt):
        return Judged(None, reason)
    if contig is None:
        return Judged(None, UNKNOWN_CONTIG)
    start, length = record.pos - 1, reference.lengths[contig]
    end = start + len(record.ref)
    if start < 0 or end > length:
        return Judged(None, OUTSIDE, f"contig {contig} has {length} bp")
    ref, alt = record.ref.upper(), alt.upper()
    genome = reference.fetch(contig, start, end).decode()
    if "N" in genome:
        return Judged(None, REF_IS_N)
    if not DNA.fullmatch(ref):
        return Judged(None, NOT_DNA)
    if ref != genome:
        note = f"the genome has {shortened(genome)}"
        return Judged(None, OTHER_REF, note + "; are REF and ALT swapped?" * (alt == genome))
    if ref == alt:
        return Judged(None, SAME)
    return Judged(trimmed(start, ref, alt))


def trimmed(start: int, ref: str, alt: str) -> Change:
    """What changes at `start`, without the bases that both alleles have at their ends.

    >>> trimmed(9, "AT", "A"), trimmed(9, "A", "ATT")
    (Change(start=10, end=11, bases=b''), Change(start=10, end=10, bases=b'TT'))
    """
    least = min(len(ref), len(alt))
    before = 0
    while before < least and ref[before] == alt[before]:
        before += 1
    behind = 0
    while behind < least - before and ref[-1 - behind] == alt[-1 - behind]:
        behind += 1
    bases = alt[before : len(alt) - behind].encode()
    return Change(start + before, start + len(ref) - behind, bases)


def shortened(bases: str) -> str:
    """Bases as a note shows them.

    >>> shortened("ACGT" * 10)
    'ACGTACGTACGTACGTACGT... (40 bp)'
    """
    return bases if len(bases) <= SHOWN else f"{bases[:SHOWN]}... ({len(bases)} bp)"


def _reason(ref: str, alt: str) -> str:
    """Why the text of an ALT states no bases; '' if it does."""
    if alt == ".":
        return NO_ALT
    if alt.startswith("<"):
        return SYMBOLIC
    if "[" in alt or "]" in alt or (len(alt) > 1 and "." in (alt[0], alt[-1])):
        return BREAKEND
    if alt == "*":
        return OVERLAPPED
    return "" if DNA.fullmatch(alt) and ref.isalpha() else NOT_DNA
