"""The histpred commands that pages show run, one after the other, on stand-ins for a user's files.

Blocks of `console` are run, with their outputs, by test_console.py, and the examples of help pages
are parsed by tests/commands/test_help_pages.py.
"""

from __future__ import annotations

import gzip
import random
import re
import shutil
import subprocess
from contextlib import chdir
from pathlib import Path

import pytest

from histpred.bundle.folder import shipped_bundles
from support.command_line import ROOT, Done, histpred, lacks
from support.labelled import write_labels
from support.pages import commands
from support.scripts import load_script
from support.synthetic import write_bed, write_fasta

DOCS = ROOT / "docs"
PAGES = {
    str(path.relative_to(ROOT)): path
    for path in [ROOT / "README.md", *DOCS.rglob("*.md")]
    if DOCS / "reference" not in path.parents and list(commands(path))
}
GENES, SPACING = 8, 4_000  # of each of six chromosomes; bp
MARKS = ("H3K4me3", "H3K27me3")
TRAINS = ("docs/labels.md", "docs/train-your-own.md", "docs/training.md")

FAMOUS = {"RANBP1": "XIST", "LINC00896": "MALAT1", "TANGO2": "FOXA2", "LINC02891": "LINC00261"}

# Commands that are not run, and why. An entry that fits no command fails a test.
NOT_RUN = {
    r"labels rnainter ": "RNAInter's table cannot be downloaded here; its shape is tested",
    r"encoders get ": "downloads hundreds of megabytes",
    r".*(dnabert2|rnafm)": "needs weights that are not here; tests use random ones",
    r".*--bundle DIR": "needs a bundle of a large encoder",
    r".*--species \"Saccharomyces": "the yeast genome is not here; a quarter of an hour",
    r".* my-yeast ": "follows from the training on yeast",
    r"bundle show my-yeast$": "of the bundle that was trained on yeast",
    r".*--bundle (my-)?yeast": "the yeast genome is not here",
    r"tracks scores sacCer3": "follows from a prediction on yeast",
    r".*chr20": "human chromosome 20 is not here",
    r"experiment smoke": "a minute; tests/experiments runs it",
    r"experiment paper": "needs everything above",
    r"bundle (show|verify) NAME\|DIR": "a form, not a command",
    r".*cdna\.all": "needs Ensembl's transcripts; tests/genome has the option",
}
console = load_script("docs/site/console.py")


def human(folder: Path, demo_data: Path) -> None:
    """Files of a user with a human genome: a real megabase, with some genes under famous names."""
    with gzip.open(demo_data / "genome.fa.gz", "rt") as fasta:
        (folder / "genome.fa").write_text(fasta.read())
    with gzip.open(demo_data / "genes.gtf.gz", "rt") as genes:
        text = genes.read()
    for gene, famous in FAMOUS.items():
        text = text.replace(gene, famous)
    (folder / "genes.gtf").write_text(text)
    with gzip.open(folder / "genes.gtf.gz", "wt") as genes:
        genes.write(text)
    bed = (demo_data / "genes.bed").read_text()
    (folder / "genes.bed").write_text(bed)
    rows = [line.split("\t")[:3] for line in bed.splitlines()]
    (folder / "peaks.bed").write_text("".join("\t".join(row) + "\n" for row in rows[:20]))
    write_variants(folder)
    sequence = "".join("ACGT"[number * 7 % 11 % 4] for number in range(2_000))
    (folder / "transcripts.fa").write_text(f">transcript\n{sequence}\n")


def write_variants(folder: Path) -> None:
    """Write a variant beside the start of DGCR8, as VCF and as BCF."""
    import pysam

    with pysam.FastaFile(str(folder / "genome.fa")) as genome:
        base = genome.fetch("chr22", 20_067_999, 20_068_000).upper()
    lines = [
        "##fileformat=VCFv4.2",
        "##contig=<ID=chr22,length=51304566>",
        "\t".join(("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")),
        "\t".join(("chr22", "20068000", ".", base, "C" if base == "A" else "A", ".", ".", ".")),
    ]
    text = folder / "calls.vcf"
    text.write_text("\n".join(lines) + "\n")
    for name in ("calls.vcf.gz", "part1.vcf.gz"):
        pysam.tabix_compress(str(text), str(folder / name))
    with pysam.VariantFile(str(text)) as calls:
        bcf = pysam.VariantFile(str(folder / "calls.bcf"), "wb", header=calls.header)
        for record in calls:
            bcf.write(record)
        bcf.close()


def labelled(folder: Path) -> None:
    """Files of a user with peaks: a genome of random bases, where every second gene has a peak."""
    rng = random.Random(0)
    length = GENES * SPACING
    genome = {f"chr{number}": "".join(rng.choices("ACGT", k=length)) for number in range(1, 7)}
    rows = [
        (chrom, start, start + 500, f"{chrom}_{start}", 0, "+")
        for chrom in genome
        for start in range(SPACING // 2, length, SPACING)
    ]
    truth = {row[3]: {mark: rng.randrange(2) for mark in MARKS} for row in rows}
    (folder / "peaks").mkdir()
    for mark in MARKS:
        peaks = [(row[0], row[1] - 300, row[1] + 300) for row in rows if truth[row[3]][mark]]
        for sample in ("brain", "liver"):
            write_bed(folder / "peaks" / f"{mark}.{sample}.bed.gz", peaks, gzip=True)
    for name in ("genes.bed", "genes.gtf.gz", "my-genes.bed", "other.bed", "other.gtf.gz"):
        write_bed(folder / name, rows)  # the format is known by the content
    for name in ("genome.fa", "other.fa"):
        write_fasta(folder / name, genome)
    for name in ("labels.tsv", "my-labels", "my-labels.tsv"):
        write_labels(folder / name, truth)
    write_bed(folder / "contigs.bed", [(chrom, 0, length) for chrom in genome])
    sheet = [f"{name},genes.bed,genome.fa,labels.tsv\n" for name in ("human", "mouse")]
    (folder / "genomes.csv").write_text("name,annotation,fasta,labels\n" + "".join(sheet))


def prepared(command: str, folder: Path) -> str:
    """Return a command without its comment, with a short training; its output is out of the way."""
    command = re.sub(r"\s+#.*$", "", command)
    if out := re.search(r" -o ([\w./-]+)", command):
        shutil.rmtree(folder / out[1], ignore_errors=True)
    if not command.startswith("train "):
        return command
    command = re.sub(r"--members \d+", "--members 2", command)
    own = any(option in command for option in ("--from ", "--model "))  # a network of their own
    return f"{command} --epochs 1{'' if own else ' --hidden 64'}"


def reason(command: str) -> str | None:
    """Why a command is not run, or None."""
    return next((why for form, why in NOT_RUN.items() if re.match(form, command)), None)


def run_here(words: str, folder: Path) -> Done:
    """Run a command in this process, with the words that bash makes of its text.

    In processes of their own, most of the time would be spent on importing torch.
    """
    split = ["bash", "-c", f"printf '%s\\0' {words}"]
    made = subprocess.run(split, cwd=folder, capture_output=True, encoding="utf-8", check=True)
    with chdir(folder):
        return histpred(*made.stdout.split("\0")[:-1], report=True)


def run_page(name: str, folder: Path) -> int:
    """Run the commands of a page; return how many."""
    run_in_bash = console.runner(folder)
    chosen = [command for command in commands(PAGES[name]) if reason(command) is None]
    for command in chosen:
        words = prepared(command, folder)
        if " | " in words:
            done = run_in_bash(f"histpred {words}")
            assert done.code == 0, f"{command}\n{done.output}"
        else:
            here = run_here(words, folder)
            assert here.code == 0, f"{command}\n{here.out}{here.err}"
    return len(chosen)


def test_every_reason_fits_a_command() -> None:
    shown = [command for page in PAGES.values() for command in commands(page)]
    assert [form for form in NOT_RUN if not any(re.match(form, each) for each in shown)] == []


def test_no_output_has_the_name_of_a_shipped_bundle() -> None:
    """Beside such a folder, the name means two bundles, and the next command refuses it."""
    shown = [command for page in PAGES.values() for command in commands(page)]
    outputs = {found[1] for command in shown for found in re.finditer(r" -o (\S+)", command)}
    assert len(outputs) > 20
    assert outputs.isdisjoint(shipped_bundles())


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(lacks("anndata"), reason="needs the extra anndata")
@pytest.mark.parametrize("name", [name for name in PAGES if name not in TRAINS])
def test_the_commands_of_a_page_run(name: str, tmp_path: Path, demo_data: Path) -> None:
    human(tmp_path, demo_data)
    run_page(name, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(lacks("train") or lacks("labels"), reason="needs the extras train and labels")
@pytest.mark.parametrize("name", TRAINS)
def test_the_commands_of_a_page_that_trains_run(name: str, tmp_path: Path) -> None:
    labelled(tmp_path)
    assert run_page(name, tmp_path) > 1
