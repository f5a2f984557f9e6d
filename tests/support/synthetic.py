"""Random genomes and annotations, written as FASTA, BED and GTF.

Everything is drawn from the `random.Random` it is given: one seed, one file. Coordinates are
0-based, half-open; GTF is converted when written. Every contig gets rows on both strands that touch
its first and its last base, whatever the seed. It shares no code with histpred, whose oracle it is.
"""

from __future__ import annotations

import gzip as gzip_module
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

STRANDS = "+-"
BIOTYPES = ("lncRNA", "miRNA", "snoRNA", "protein_coding")

BedRow = tuple[str | int, ...]


class Transcript(NamedTuple):
    """A transcript. `exons` ascend and do not touch, on either strand."""

    chrom: str
    strand: str
    gene_id: str
    transcript_id: str
    biotype: str
    exons: tuple[tuple[int, int], ...]

    @property
    def start(self) -> int:
        return self.exons[0][0]

    @property
    def end(self) -> int:
        return self.exons[-1][1]

    def spliced(self, genome: Mapping[str, str]) -> str:
        """Return the joined exons, in the sense of the RNA."""
        joined = "".join(genome[self.chrom][start:end] for start, end in self.exons)
        return joined if self.strand == "+" else reverse_complement(joined)


def reverse_complement(sequence: str) -> str:
    return sequence[::-1].translate(str.maketrans("ACGTNacgtn", "TGCANtgcan"))


def random_genome(
    rng: random.Random, lengths: Mapping[str, int], n_fraction: float = 0.0, lower: bool = False
) -> dict[str, str]:
    """Return a sequence of each length, with `n_fraction` of its bases N, in one run."""
    letters = "ACGTacgt" if lower else "ACGT"
    genome = {}
    for name, length in lengths.items():
        unknown = int(length * n_fraction)
        start = rng.randint(0, length - unknown)
        genome[name] = (
            "".join(rng.choices(letters, k=start))
            + "N" * unknown
            + "".join(rng.choices(letters, k=length - unknown - start))
        )
    return genome


def random_bed_rows(
    rng: random.Random, genome: Mapping[str, str], count: int, columns: int = 6, longest: int = 500
) -> list[BedRow]:
    """Return BED3 to BED6 rows of unique names: five at each contig's edges, `count` anywhere."""
    places = []
    for chrom, sequence in genome.items():
        length = len(sequence)
        some = rng.randint(1, min(longest, length))
        places += [(chrom, 0, some, strand) for strand in STRANDS]
        places += [(chrom, length - some, length, strand) for strand in STRANDS]
        places += [(chrom, 0, length, rng.choice(STRANDS))]
    for _ in range(count):
        chrom = rng.choice(list(genome))
        length = len(genome[chrom])
        size = rng.randint(1, min(longest, length))
        start = rng.randint(0, length - size)
        places.append((chrom, start, start + size, rng.choice(STRANDS)))

    rows = []
    for number, (chrom, start, end, strand) in enumerate(places):
        row = (chrom, start, end, f"row{number}", rng.randint(0, 1000), strand)
        rows.append(row[:columns])
    return rows


def random_transcripts(
    rng: random.Random, genome: Mapping[str, str], count: int, most_exons: int = 5
) -> list[Transcript]:
    """Return transcripts of one gene each: four at the edges of each contig, `count` anywhere.

    Contigs shorter than 20 bases get none.
    """
    lengths = {chrom: len(sequence) for chrom, sequence in genome.items() if len(sequence) >= 20}
    places = []
    for chrom, length in lengths.items():
        inner = rng.randint(10, length)
        places += [(chrom, 0, inner, strand) for strand in STRANDS]
        places += [(chrom, length - inner, length, strand) for strand in STRANDS]
    for _ in range(count):
        chrom = rng.choice(list(lengths))
        start = rng.randint(0, lengths[chrom] - 10)
        places.append((chrom, start, rng.randint(start + 10, lengths[chrom]), rng.choice(STRANDS)))

    transcripts = []
    for number, (chrom, start, end, strand) in enumerate(places):
        exon_count = rng.randint(1, min(most_exons, (end - start) // 4))
        # Distinct inner borders, taken in pairs: exon end, next exon start, exon end, ...
        borders = sorted(rng.sample(range(start + 1, end), 2 * (exon_count - 1)))
        borders = [start, *borders, end]
        transcripts.append(
            Transcript(
                chrom=chrom,
                strand=strand,
                gene_id=f"G{number}",
                transcript_id=f"T{number}",
                biotype=rng.choice(BIOTYPES),
                exons=tuple(zip(borders[::2], borders[1::2], strict=True)),
            )
        )
    return transcripts


def write_fasta(
    path: Path,
    genome: Mapping[str, str],
    width: int = 60,
    bgzip: bool = False,
    gzip: bool = False,
) -> Path:
    lines = []
    for name, sequence in genome.items():
        lines.append(f">{name}\n")
        lines += [sequence[i : i + width] + "\n" for i in range(0, len(sequence), width)]
    return _write(path, lines, bgzip, gzip)


def write_bed(path: Path, rows: Iterable[BedRow], bgzip: bool = False, gzip: bool = False) -> Path:
    lines = ("\t".join(map(str, row)) + "\n" for row in rows)
    return _write(path, lines, bgzip, gzip)


def write_gtf(
    path: Path,
    transcripts: Iterable[Transcript],
    biotype_key: str = "gene_biotype",
    bgzip: bool = False,
    gzip: bool = False,
) -> Path:
    """Write gene, transcript and exon lines, gene by gene in the given order."""
    lines = []
    for transcript in transcripts:
        of_gene = f'gene_id "{transcript.gene_id}"; {biotype_key} "{transcript.biotype}";'
        of_transcript = f'{of_gene} transcript_id "{transcript.transcript_id}";'
        whole = (transcript.start, transcript.end)
        features = [("gene", whole, of_gene), ("transcript", whole, of_transcript)]
        # Ensembl numbers and lists exons in the direction of transcription.
        exons = transcript.exons if transcript.strand == "+" else transcript.exons[::-1]
        features += [
            ("exon", exon, f'{of_transcript} exon_number "{number}";')
            for number, exon in enumerate(exons, start=1)
        ]
        for kind, (start, end), attributes in features:
            columns = (transcript.chrom, "random", kind, start + 1, end, ".", transcript.strand)
            lines.append("\t".join(map(str, columns)) + f"\t.\t{attributes}\n")
    return _write(path, lines, bgzip, gzip)


def _write(path: Path, lines: Iterable[str], bgzip: bool, gzip: bool) -> Path:
    content = "".join(lines).encode()
    if bgzip:
        import pysam

        with pysam.BGZFile(str(path), "wb") as output:
            output.write(content)
    elif gzip:
        path.write_bytes(gzip_module.compress(content, mtime=0))
    else:
        path.write_bytes(content)
    return path
