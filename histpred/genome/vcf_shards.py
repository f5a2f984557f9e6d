"""Parts of a VCF: runs of its records in their order, each with the whole header and a note."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from histpred.core.hts import BgzipWriter
from histpred.genome.vcf import Record, Variants
from histpred.genome.vcf_note import ShardNote


def part_of(allele: int, starts: Sequence[int]) -> int:
    """The part, from 0, that an allele belongs to; `starts`: of each part, its first allele.

    >>> [part_of(allele, [1, 4]) for allele in (1, 3, 4, 9)]
    [0, 0, 1, 1]
    """
    return bisect_right(starts, allele) - 1


def write_parts(
    variants: Variants,
    starts: Sequence[int],
    paths: Sequence[Path],
    note_of: Callable[[int, int], ShardNote],
) -> list[tuple[int, int]]:
    """Write the records of a VCF into `paths`, one for each part, as bgzip.

    starts: the number of the first allele of each part, from 1; each is the first of its record.
    note_of: makes the note of a part, from its number and that of its first record. Returns the
    number of records and of alleles of each part.
    """
    *lines, columns = variants.header
    groups = (some for _, some in groupby(_with_parts(variants, starts), itemgetter(0)))
    counts, first = [], 1
    for part, path in enumerate(paths):
        records = alleles = 0
        header = *lines, note_of(part, first).line(), columns
        with BgzipWriter(path) as target:
            target.write("".join(f"{line}\n" for line in header).encode())
            for _, record in next(groups, ()):
                target.write(f"{record.text}\n".encode())
                records, alleles = records + 1, alleles + len(record.alts)
        counts.append((records, alleles))
        first += records
    return counts


def _with_parts(variants: Variants, starts: Sequence[int]) -> Iterator[tuple[int, Record]]:
    """Each record with the number of its part."""
    allele = 1
    for record in variants:
        yield part_of(allele, starts), record
        allele += len(record.alts)
