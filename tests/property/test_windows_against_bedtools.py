"""Windows of random annotations on random genomes agree with bedtools and with twenty naive lines.

They stay the same after every change without meaning. All are cut by
`histpred.genome.extract.extract`. The genomes have soft-masked bases, runs of N and IUPAC codes.
The annotations touch the first and the last base of every contig on both strands.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Mapping
from pathlib import Path

import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histpred.genome.windows import WindowSpec
from support import (
    Transcript,
    random_genome,
    random_transcripts,
    reverse_complement,
    write_bed,
    write_fasta,
    write_gtf,
)
from support.extraction import Row, bedtools, needs_bedtools, read_fasta, window_rows

LENGTHS = {"chr1": 3000, "chr2": 400, "chrM": 30}
WINDOWS = [
    ("body", 0, 0),
    ("context", 0, 0),
    ("context", 150, 0),
    ("context", 10_000, 0),
    ("promoter", 100, 50),
    ("promoter", 100, 0),
    ("promoter", 0, 30),
    ("promoter", 10_000, 10_000),
    ("spliced", 0, 0),
    ("interval", 0, 0),
]


def spec(kind: str, upstream: int = 0, downstream: int = 0, max_n: float = 1.0) -> WindowSpec:
    return WindowSpec(kind, upstream, downstream, max_n)


def with_codes(rng: random.Random, genome: Mapping[str, str]) -> dict[str, str]:
    """The genome with one base in twenty as an ambiguity code."""
    return {
        name: "".join(
            rng.choice("RYSWKMBDHVryswkmbdhvNn") if rng.random() < 0.05 else base for base in bases
        )
        for name, bases in genome.items()
    }


def drawn(seed: int, count: int = 60) -> tuple[dict[str, str], list[Transcript]]:
    rng = random.Random(seed)
    genome = with_codes(rng, random_genome(rng, LENGTHS, n_fraction=0.1, lower=True))
    return genome, random_transcripts(rng, genome, count)


def only_dna(sequence: str) -> str:
    return "".join(base if base in "ACGT" else "N" for base in sequence.upper())


def bed12(transcript: Transcript) -> tuple[str | int, ...]:
    start, end = transcript.start, transcript.end
    sizes = ",".join(str(right - left) for left, right in transcript.exons)
    starts = ",".join(str(left - start) for left, _ in transcript.exons)
    place = (transcript.chrom, start, end, transcript.transcript_id, 0, transcript.strand)
    return (*place, start, end, 0, len(transcript.exons), sizes, starts)


def by_number(rows: list[Row]) -> dict[str, Row]:
    """Genes are called G1, their only transcripts T1: the number says which it is."""
    found = {row.name[1:]: row._replace(name=row.name[1:]) for row in rows}
    assert len(found) == len(rows)
    return found


# bedtools.


def bedtools_rows(
    folder: Path,
    fasta: Path,
    transcripts: list[Transcript],
    kind: str,
    upstream: int,
    downstream: int,
) -> list[Row]:
    lengths = folder / "lengths.tsv"
    lengths.write_text("".join(f"{name}\t{length}\n" for name, length in LENGTHS.items()))
    bed = write_bed(folder / "oracle.bed", [bed12(transcript) for transcript in transcripts])
    if kind == "context":
        bed.write_text(bedtools("slop", "-s", "-l", upstream, "-r", 0, "-i", bed, "-g", lengths))
    elif kind == "promoter" and downstream == 0:
        bed.write_text(bedtools("flank", "-s", "-l", upstream, "-r", 0, "-i", bed, "-g", lengths))
    elif kind == "promoter":
        first_base = [
            (chrom, start, start + 1, *rest) if strand == "+" else (chrom, end - 1, end, *rest)
            for chrom, start, end, *rest, strand in (bed12(t)[:6] for t in transcripts)
        ]
        rows = [(*row, t.strand) for row, t in zip(first_base, transcripts, strict=True)]
        reach = ("-l", upstream, "-r", downstream - 1)
        write_bed(bed, rows)
        bed.write_text(bedtools("slop", "-s", *reach, "-i", bed, "-g", lengths))

    split = ["-split"] if kind == "spliced" else []
    sequences = read_fasta(bedtools("getfasta", "-s", *split, "-fi", fasta, "-bed", bed))
    rows = []
    for line, (_, sequence) in zip(bed.read_text().splitlines(), sequences, strict=True):
        chrom, start, end, name, _, strand, *_ = line.split("\t")
        rows.append(Row(chrom, int(start), int(end), strand, name, only_dna(sequence)))
    return rows


@needs_bedtools
@pytest.mark.parametrize("annotation", ["GTF", "BED"])
@pytest.mark.parametrize(("kind", "upstream", "downstream"), WINDOWS)
@pytest.mark.parametrize("seed", range(6))
def test_windows_are_those_of_bedtools(tmp_path, seed, kind, upstream, downstream, annotation):
    genome, transcripts = drawn(seed)
    (tmp_path / "oracle").mkdir()
    if annotation == "GTF":
        path = write_gtf(tmp_path / "rows", transcripts)
    else:
        path = write_bed(tmp_path / "rows", [bed12(transcript) for transcript in transcripts])
    fasta = write_fasta(tmp_path / "genome.fa", genome)
    found = window_rows(path, fasta, spec(kind, upstream, downstream))

    copy = write_fasta(tmp_path / "oracle" / "genome.fa", genome)
    expected = bedtools_rows(copy.parent, copy, transcripts, kind, upstream, downstream)
    assert by_number(found) == by_number(expected)
    assert len(found) > len(transcripts) / 2


@needs_bedtools
def test_the_comparison_can_fail(tmp_path):
    """A negative control: one base further is another window."""
    genome, transcripts = drawn(0)
    fasta = write_fasta(tmp_path / "genome.fa", genome)
    found = window_rows(write_gtf(tmp_path / "rows", transcripts), fasta, spec("context", 151))
    expected = bedtools_rows(tmp_path, fasta, transcripts, "context", 150, 0)
    assert by_number(found) != by_number(expected)


# Twenty lines.


def naive(genome: Mapping[str, str], transcript: Transcript, window: WindowSpec) -> str:
    """The bases of a window, one after the other in the direction of transcription."""
    step = 1 if transcript.strand == "+" else -1
    first, last = transcript.start, transcript.end - 1
    if step < 0:
        first, last = last, first
    positions = {
        "body": range(first, last + step, step),
        "interval": range(first, last + step, step),
        "context": range(first - window.upstream * step, last + step, step),
        "promoter": range(first - window.upstream * step, first + window.downstream * step, step),
        "spliced": [
            position
            for position in range(first, last + step, step)
            if any(start <= position < end for start, end in transcript.exons)
        ],
    }[window.kind]
    contig = genome[transcript.chrom].upper()
    letters = [contig[position] for position in positions if 0 <= position < len(contig)]
    pairs = (
        {"A": "T", "C": "G", "G": "C", "T": "A"} if step < 0 else {base: base for base in "ACGT"}
    )
    return "".join(pairs.get(letter, "N") for letter in letters)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    length=st.integers(20, 300),
    window=st.builds(
        spec,
        st.sampled_from(["body", "context", "promoter", "spliced", "interval"]),
        st.integers(0, 400),
        st.integers(0, 400),
    ),
)
def test_windows_are_those_of_a_naive_reading(tmp_path_factory, seed, length, window):
    folder = tmp_path_factory.mktemp("naive")
    rng = random.Random(seed)
    genome = with_codes(rng, random_genome(rng, {"a": length, "b": 1, "c": 20}, lower=True))
    transcripts = random_transcripts(rng, genome, 5)
    fasta = write_fasta(folder / "genome.fa", genome, width=rng.randint(1, 70))
    found = window_rows(write_gtf(folder / "rows", transcripts), fasta, window)
    expected = {t.gene_id[1:]: naive(genome, t, window) for t in transcripts}
    assert {number: row.sequence for number, row in by_number(found).items()} == {
        number: sequence for number, sequence in expected.items() if sequence
    }


# Changes that mean nothing.

KINDS = [spec("context", 150), spec("promoter", 100, 50), spec("spliced"), spec("interval")]


@pytest.fixture(scope="module", params=KINDS, ids=lambda window: window.kind)
def reading(request, tmp_path_factory):
    """A window spec that some rows have too many N for, genome, transcripts, the windows' rows."""
    window = request.param._replace(max_n_fraction=0.15)
    genome, transcripts = drawn(7)
    folder = tmp_path_factory.mktemp("reading")
    fasta = write_fasta(folder / "genome.fa", genome)
    rows = window_rows(write_gtf(folder / "rows", transcripts), fasta, window)
    assert 0 < len(rows) < len(transcripts)
    return window, genome, transcripts, rows


def test_the_other_strand_of_the_genome_has_the_same_windows(reading, tmp_path):
    window, genome, transcripts, rows = reading
    lengths = LENGTHS
    flipped = [
        t._replace(
            strand="-" if t.strand == "+" else "+",
            exons=tuple((lengths[t.chrom] - e, lengths[t.chrom] - s) for s, e in reversed(t.exons)),
        )
        for t in transcripts
    ]
    codes = str.maketrans("RYSWKMBDHVryswkmbdhv", "N" * 20)
    other = {name: reverse_complement(bases.translate(codes)) for name, bases in genome.items()}
    fasta = write_fasta(tmp_path / "genome.fa", other)
    found = window_rows(write_gtf(tmp_path / "rows", flipped), fasta, window)
    assert {
        (r.chrom, lengths[r.chrom] - r.end, lengths[r.chrom] - r.start, r.name, r.sequence)
        for r in found
    } == {(r.chrom, r.start, r.end, r.name, r.sequence) for r in rows}


def crlf(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def shuffled(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    random.Random(1).shuffle(lines)
    path.write_text("".join(lines))


def sorted_by_place(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    lines.sort(key=lambda line: (line.split("\t")[0], int(line.split("\t")[3])))
    path.write_text("".join(lines))


def compressed(path: Path) -> None:
    path.write_bytes(gzip.compress(path.read_bytes()))


def block_compressed(path: Path) -> None:
    content = path.read_bytes()
    with pysam.BGZFile(str(path), "wb") as target:
        target.write(content)


def renamed(path: Path) -> None:
    path.write_text(path.read_text().replace("chrM\t", "MT\t").replace("chr", ""))


@pytest.mark.parametrize(
    "change", [crlf, shuffled, sorted_by_place, compressed, block_compressed, renamed]
)
def test_an_annotation_in_another_form_has_the_same_windows(reading, tmp_path, change):
    window, genome, transcripts, rows = reading
    fasta = write_fasta(tmp_path / "genome.fa", genome)
    path = write_gtf(tmp_path / "rows", transcripts)
    change(path)
    assert sorted(window_rows(path, fasta, window)) == sorted(rows)


CASES = {
    "upper case": str.upper,
    "lower case": str.lower,
    "codes as N": lambda bases: bases.translate(str.maketrans("RYSWKMBDHVryswkmbdhv", "N" * 20)),
}
WRITTEN = {
    "bgzip": {"bgzip": True},
    "gzip": {"gzip": True},
    "narrow": {"width": 7},
    "one line": {"width": 10**6},
}


@pytest.mark.parametrize("case", CASES)
def test_soft_masking_changes_nothing(reading, tmp_path, case):
    window, genome, transcripts, rows = reading
    genome = {name: CASES[case](bases) for name, bases in genome.items()}
    fasta = write_fasta(tmp_path / "genome.fa", genome)
    assert window_rows(write_gtf(tmp_path / "rows", transcripts), fasta, window) == rows


@pytest.mark.parametrize("written", [*WRITTEN, "CRLF", "contigs reversed", "indexed"])
def test_a_genome_in_another_form_has_the_same_windows(reading, tmp_path, written):
    window, genome, transcripts, rows = reading
    if written == "contigs reversed":
        genome = dict(reversed(genome.items()))
    fasta = write_fasta(tmp_path / "genome.fa", genome, **WRITTEN.get(written, {}))
    if written == "CRLF":
        crlf(fasta)
    elif written == "indexed":
        pysam.faidx(str(fasta))
    assert window_rows(write_gtf(tmp_path / "rows", transcripts), fasta, window) == rows
