"""Random genomes and annotations for tests, from a seeded generator and the standard library."""

from support.synthetic import (
    Transcript,
    random_bed_rows,
    random_genome,
    random_transcripts,
    reverse_complement,
    write_bed,
    write_fasta,
    write_gtf,
)

__all__ = [
    "Transcript",
    "random_bed_rows",
    "random_genome",
    "random_transcripts",
    "reverse_complement",
    "write_bed",
    "write_fasta",
    "write_gtf",
]
