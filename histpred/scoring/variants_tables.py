"""The files of `histpred variants`: effects, the annotated VCF, and the ledger of variants.

All are in the order of the VCF. In the VCF, only the field INFO of records that are scored gets one
entry more; VCF 4.3 (section 1.2) says how characters are escaped that an entry may not have.
"""

from __future__ import annotations

import gzip
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from histpred.bundle.mark_spec import MarkSpec
from histpred.core.errors import InputError
from histpred.core.hts import BgzipWriter
from histpred.core.text import counted
from histpred.core.version import __version__
from histpred.genome.pending import SCORED, SKIPPED
from histpred.genome.vcf import Variants
from histpred.genome.vcf_alleles import NO_WINDOW, OTHER_REF
from histpred.genome.vcf_spool import AlleleSpool, Fate, Noted
from histpred.scoring.alternatives import RAW, scales_of
from histpred.scoring.effects import DIFFERENCE, RANK, header_of
from histpred.scoring.tables import JOIN_BUFFER, TBI_LIMIT, Preset, index

EFFECTS, ANNOTATED, VARIANTS = "effects.tsv.gz", "variants.vcf.gz", "variants.ledger.tsv"
TAG = "HISTPRED"
LEDGER_COLUMNS = ("record", "chrom", "pos", "id", "ref", "alt", "status", "reason", "note")
NOT_IN_INFO = '%:;=,|"&'
MISSING = "."
HALF = 0.5  # of the random substitutions
COMPARED = ("compared", "above_half", "above_all")


class Counts(NamedTuple):
    """Numbers of alleles and effects; see `histpred.scoring.variants_record.VariantsRun`."""

    scored: int
    skipped: dict[str, int]
    compared: int
    above_half: int
    above_all: int


def write_tables(
    spool: AlleleSpool, variants: Variants, work: Path, columns: Sequence[str], scales: str
) -> Counts:
    """Write the three files into `work`, and count alleles.

    scales: the line about the scale of differences.
    """
    skipped: Counter[str] = Counter()
    compared: Counter[str] = Counter()
    scored = longest = 0
    with ExitStack() as stack:
        effects = stack.enter_context(BgzipWriter(work / EFFECTS))
        annotated = stack.enter_context(BgzipWriter(work / ANNOTATED))
        ledger = stack.enter_context(open(work / VARIANTS, "w", encoding="utf-8", newline="\n"))
        effects.write(f"{scales}\n{header_of(columns)}\n".encode())
        annotated.write(header_with_tag(variants).encode())
        ledger.write("\t".join(LEDGER_COLUMNS) + "\n")
        noted = spool.noted()
        for record in variants:
            entries = []
            for _ in record.alts:
                allele = next(noted)
                fates = [fate for fate in allele.fates if not fate.reason]
                effects.write("".join(_effects(allele, fates)).encode())
                entries.append(info_entry(fates))
                compared.update(name for fate in fates for name in _compared(fate))
                status, reason, note = outcome_of(allele)
                ledger.write(_ledger_line(allele, status, reason, note))
                scored += status == SCORED
                if status == SKIPPED:
                    skipped[reason] += 1
            info = with_entry(record.info, entries)
            annotated.write(f"{record.with_info(info)}\n".encode())
            longest = max(longest, record.pos + len(record.ref))
    index(work / EFFECTS, longest, None)
    index(work / ANNOTATED, longest, "vcf")
    return Counts(
        scored, dict(sorted(skipped.items())), **{name: compared[name] for name in COMPARED}
    )


def join_tables(parts: Sequence[Path], work: Path) -> None:
    """Write the three files of several folders, in this order, into `work` as one.

    The result is what `write_tables` would have written of the whole VCF.
    """
    tables: tuple[tuple[str, Preset], ...] = ((EFFECTS, None), (ANNOTATED, "vcf"))
    for name, preset in tables:
        with BgzipWriter(work / name) as target:
            for number, part in enumerate(parts):
                with gzip.open(part / name) as source:
                    for line in source:
                        if not line.startswith(b"#"):
                            target.write(line)
                            break
                        if not number:
                            target.write(line)
                    while text := source.read(JOIN_BUFFER):
                        target.write(text)
        wide = any((part / f"{name}.csi").exists() for part in parts)
        index(work / name, TBI_LIMIT if wide else 0, preset)
    with open(work / VARIANTS, "wb") as target:
        for number, part in enumerate(parts):
            with open(part / VARIANTS, "rb") as source:
                header = source.readline()
                target.write(b"" if number else header)
                shutil.copyfileobj(source, target, JOIN_BUFFER)


def wrong_references(skipped: Mapping[str, int]) -> list[str]:
    """The sentence about REF alleles that are not the genome's, if there are such."""
    if wrong := skipped.get(OTHER_REF):
        what = f"{counted(wrong, 'allele')} not scored, since REF is not what the genome has"
        return [f"{what}: see the ledger"]
    return []


def scale_line(marks: Iterable[MarkSpec]) -> str:
    """What the differences of each mark are, as a comment of the table of effects."""
    raw = [name for name, scale in scales_of(marks).items() if scale == RAW]
    text = "## delta: difference in log-odds of the calibrated probability, alt - ref"
    if raw:
        text += f"; of the score before calibration for {', '.join(raw)}, whose calibration has "
        text += "steps"
    return text


def header_with_tag(variants: Variants) -> str:
    """The header of a VCF with a line for the entry in INFO; InputError if it has one already."""
    *lines, columns = variants.header
    if any(line.startswith(f"##INFO=<ID={TAG},") for line in lines):
        hint = f"remove it first: bcftools annotate -x INFO/{TAG}"
        raise InputError(variants.name, f"INFO/{TAG} is there already", hint)
    about = (
        "Largest effect of each ALT as window|mark|delta|rank: delta is the difference in "
        "log-odds, rank the share of random substitutions of the window with a smaller one"
    )
    line = f'##INFO=<ID={TAG},Number=A,Type=String,Description="{about}",Source="histpred",'
    return "".join(f"{one}\n" for one in (*lines, f'{line}Version="{__version__}">', columns))


def with_entry(info: str, entries: Sequence[str]) -> str:
    """The field INFO with our entry, one value for each ALT; as it is if all values are missing.

    An entry of this name that the header does not declare is replaced.

    >>> with_entry("DP=3;HISTPRED=1;X", ["a", "."]), with_entry("DP=3;", ["."])
    ('DP=3;X;HISTPRED=a,.', 'DP=3;')
    """
    if all(entry == MISSING for entry in entries):
        return info
    kept = [one for one in info.split(";") if one and one.partition("=")[0] not in (TAG, MISSING)]
    return ";".join([*kept, f"{TAG}={','.join(entries)}"])


def info_entry(fates: Sequence[Fate]) -> str:
    """The largest effect of an allele as a value of INFO; '.' if there is none."""
    known = [fate for fate in fates if fate.mark]
    if not known:
        return MISSING
    largest = max(known, key=lambda fate: abs(fate.delta))  # the first of equal ones
    rank = MISSING if largest.rank is None else RANK % largest.rank
    window = escaped(largest.text.partition("\t")[0])
    return "|".join((window, escaped(largest.mark), DIFFERENCE % largest.delta, rank))


def _compared(fate: Fate) -> Iterator[str]:
    """The names of the counts of `COMPARED` that an effect adds to."""
    if fate.beyond is not None:
        passed = (True, fate.beyond > HALF, fate.beyond == 1)
        yield from (name for name, does in zip(COMPARED, passed, strict=True) if does)


def escaped(text: str) -> str:
    """A text as an entry of INFO may have it.

    >>> escaped("a b;c|d,50%")
    'a%20b%3Bc%7Cd%2C50%25'
    """
    return "".join(
        character
        if "!" <= character <= "~" and character not in NOT_IN_INFO
        else "".join(f"%{byte:02X}" for byte in character.encode())
        for character in text
    )


def _effects(allele: Noted, fates: Sequence[Fate]) -> Iterator[str]:
    names = f"{allele.contig}\t{allele.pos}\t{allele.id}\t{allele.ref}\t{allele.alt}\t"
    return (f"{names}{fate.text}\n" for fate in fates)


def outcome_of(allele: Noted) -> tuple[str, str, str]:
    """Status, reason and note of an allele in the ledger."""
    if allele.reason:
        return SKIPPED, allele.reason, allele.note
    reasons = Counter(fate.reason for fate in allele.fates if fate.reason)
    note = "; ".join(f"{reason} in {counted(count, 'window')}" for reason, count in reasons.items())
    if reasons.total() < len(allele.fates):
        return SCORED, "", note
    if reasons:
        return SKIPPED, reasons.most_common(1)[0][0], note
    return SKIPPED, NO_WINDOW, ""


def _ledger_line(allele: Noted, status: str, reason: str, note: str) -> str:
    record, chrom, pos, id_, ref, alt = allele[1:7]
    cells = record, chrom, pos, id_, ref, alt, status, reason, note
    return "\t".join(map(str, cells)) + "\n"
