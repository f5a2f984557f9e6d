"""VCFs for tests, and the files of `histpred variants` read back without histpred."""

from __future__ import annotations

import csv
import gzip
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
Variant = tuple[str, int, str, str]  # contig, position (from 1), REF, ALT


def vcf_text(
    variants: Iterable[Variant], header: Sequence[str] = (), info: str = "DP=3;X=a"
) -> str:
    """A VCF of variants that are called v1, v2 and so on."""
    lines = ["##fileformat=VCFv4.2", *header, COLUMNS]
    for number, (chrom, position, ref, alt) in enumerate(variants, 1):
        lines.append(f"{chrom}\t{position}\tv{number}\t{ref}\t{alt}\t30.00\tPASS\t{info}")
    return "\n".join(lines) + "\n"


def contig_lines(genome: Mapping[str, str]) -> list[str]:
    """Header lines that name the contigs of a genome."""
    return [f"##contig=<ID={name},length={len(bases)}>" for name, bases in genome.items()]


def random_variants(
    rng: random.Random, genome: Mapping[str, str], count: int, longest: int = 1
) -> list[Variant]:
    """Sorted variants with REF and ALT of 1 to `longest` bases; those with N are left out."""
    found = set()
    while len(found) < count:
        chrom = rng.choice(list(genome))
        start, size = rng.randrange(len(genome[chrom])), rng.randint(1, longest)
        ref = genome[chrom][start : start + size].upper()
        alt = "".join(rng.choices("ACGT", k=rng.randint(1, longest)))
        if alt != ref and "N" not in ref:
            found.add((chrom, start + 1, ref, alt))
    order = list(genome)
    return sorted(found, key=lambda one: (order.index(one[0]), *one[1:]))


def read_effects(path: Path) -> list[dict[str, str]]:
    """The rows of effects.tsv.gz by the names of the columns."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        assert next(lines).startswith("## delta")
        header = next(lines).rstrip("\n").split("\t")
        assert header[:7] == ["#chrom", "pos", "id", "ref", "alt", "window", "distance"]
        return list(csv.DictReader(lines, header, delimiter="\t", quoting=csv.QUOTE_NONE))


def read_variants_ledger(path: Path) -> list[dict[str, str]]:
    """The rows of variants.ledger.tsv."""
    with open(path, encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
