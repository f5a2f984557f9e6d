"""Labels on the command line, from RNAInter's table and from peaks: complete or absent."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path
from typing import NamedTuple

import pytest

REASON = "needs the extra labels: HISTPRED_EXTRAS=labels bin/test"
for package in ("matplotlib", "sklearn", "scipy", "pybedtools"):
    pytest.importorskip(package, reason=REASON)

from support.annotations import write  # noqa: E402
from support.command_line import (  # noqa: E402
    Argument,
    Done,
    contents,
    environment,
    histpred,
    said_well,
    tree,
)
from support.extraction import needs_bedtools  # noqa: E402

FILES = {
    "labels.tsv.gz",
    "unjoined.tsv",
    "marks.tsv",
    "biotypes.tsv",
    "marks.png",
    "marks.svg",
    "biotypes.png",
    "biotypes.svg",
    "labels.json",
}
CARRIED = ["id", "name", "biotype", "chrom", "start", "end", "strand"]
CLASSES = {
    "H3K4me3": "active promoter",
    "H3K27ac": "enhancer",
    "H3K27me3": "repressed polycomb",
    "H3K36me3": "transcribed",
}
WORK = ".histpred-work"


class Gene(NamedTuple):
    """A gene; coordinates are 0-based half-open."""

    id: str
    name: str
    biotype: str
    chrom: str
    start: int
    end: int
    strand: str


class Source(NamedTuple):
    """A source of labels on disk. arguments: verb and inputs; genes: in the annotation's order."""

    arguments: list[Argument]
    genes: list[Gene]
    truth: dict[str, dict[str, str]]


def random_genes(rng: random.Random, chromosomes: int, each: int) -> list[Gene]:
    genes = []
    for chrom in range(1, chromosomes + 1):
        for place in range(each):
            start = 700 * place + rng.randrange(300)
            genes.append(
                Gene(
                    f"ENSG{1000 * chrom + place:011d}.{rng.randint(1, 9)}",
                    f"GENE{chrom}_{place}",
                    rng.choice(["lncRNA", "lncRNA", "miRNA"]),
                    f"chr{chrom}",
                    start,
                    start + rng.randint(20, 300),
                    rng.choice("+-"),
                )
            )
    return genes


def write_gtf(path: Path, genes: list[Gene]) -> Path:
    lines = [
        f"{gene.chrom}\ta\tgene\t{gene.start + 1}\t{gene.end}\t.\t{gene.strand}\t.\t"
        f'gene_id "{gene.id}"; gene_name "{gene.name}"; gene_type "{gene.biotype}";\n'
        for gene in genes
    ]
    return write(path, "".join(lines))


def write_table(path: Path, header: list[str], rows: list[tuple[str, ...]]) -> Path:
    return write(path, "".join("\t".join(row) + "\n" for row in (header, *rows)))


@pytest.fixture(scope="module")
def rnainter(tmp_path_factory) -> Source:
    """Genes by Ensembl ID of another version or by symbol; one gene in four has no pair."""
    folder = tmp_path_factory.mktemp("rnainter")
    rng = random.Random(3)
    genes = random_genes(rng, 2, 15)
    rows, truth = [], {}
    for number, gene in enumerate(genes):
        if number % 4 == 3:
            continue
        raw = f"Ensembl:{gene.id.partition('.')[0]}" if number % 2 else "N/A"
        symbol = f"OLD{number}" if number % 2 else gene.name
        has = [mark for mark in CLASSES if rng.random() < 0.4] or ["H3K4me3"]
        rows += [(symbol, "Homo sapiens", mark, raw, "0.9") for mark in has]
        truth[gene.id] = {mark: str(int(mark in has)) for mark in CLASSES}
    rows += [("STRANGE", "Homo sapiens", mark, "Ensembl:ENSG00000099999", "0.5") for mark in has]
    rows += [("Gene1_0", "Mus musculus", "H3K36me3", "Ensembl:ENSMUSG00000000001", "0.5")]
    rng.shuffle(rows)
    header = ["Interactor1.Symbol", "Species1", "Interactor2.Symbol", "Raw_ID1", "score"]
    table = write_table(folder / "RH.txt", header, rows)
    annotation = write_gtf(folder / "genes.gtf", genes)
    return Source(["labels", "rnainter", table, annotation], genes, truth)


UPSTREAM, DOWNSTREAM, FRACTION, SHARE = 90, 40, 0.3, 0.5
PROMOTERS: list[Argument] = [
    *("--window", f"promoter:{UPSTREAM}:{DOWNSTREAM}"),
    *("--min-fraction", str(FRACTION), "--min-samples", str(SHARE)),
]


def promoter(gene: Gene) -> set[int]:
    """The bases around the TSS, found base by base."""
    tss = gene.start if gene.strand == "+" else gene.end - 1
    ahead = 1 if gene.strand == "+" else -1
    bases = {tss + ahead * step for step in range(-UPSTREAM, DOWNSTREAM)}
    return {base for base in bases if base >= 0}


@pytest.fixture(scope="module")
def peaks(tmp_path_factory) -> Source:
    """Four samples of each mark, one of them in two files; chr3 has no peak."""
    folder = tmp_path_factory.mktemp("peaks")
    rng = random.Random(5)
    genes = random_genes(rng, 3, 12)
    files, covered = [], {}
    for mark in CLASSES:
        for name in ("K562.a", "K562.b", "liver", "H1", "HeLa"):
            rows = []
            for _ in range(16):
                chrom, start = rng.choice(["chr1", "chr2"]), rng.randrange(8000)
                end = start + rng.randint(1, 400)
                rows.append(f"{chrom}\t{start}\t{end}\n")
                sample = covered.setdefault((mark, name.partition(".")[0]), set())
                sample.update((chrom, base) for base in range(start, end))
            path = folder / f"{mark}.{name}.bed.gz"
            files.append(write(path, gzip.compress("".join(rows).encode())))
    truth = {}
    for gene in genes[:24]:
        window = {(gene.chrom, base) for base in promoter(gene)}
        truth[gene.id] = {}
        for mark in CLASSES:
            shares = [
                len(bases & window) / len(window)
                for (of, _), bases in covered.items()
                if of == mark
            ]
            having = sum(share > 0 and share >= FRACTION for share in shares)
            truth[gene.id][mark] = str(int(having > 0 and having >= SHARE * len(shares)))
    annotation = write_gtf(folder / "genes.gtf", genes)
    return Source(["labels", "peaks", annotation, *files, *PROMOTERS], genes, truth)


def run(*arguments: Argument) -> Done:
    done = histpred(*arguments)
    assert done.code == 0, done.err
    return done


def refused(code: int, *arguments: Argument) -> str:
    """The messages of a command that must end with the given code."""
    done = histpred(*arguments)
    assert done.code == code, done.err
    assert said_well(done.err), done.err
    return done.err


@pytest.fixture(scope="module")
def from_rnainter(rnainter, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("made") / "rnainter"
    run(*rnainter.arguments, "-o", out)
    return out


@pytest.fixture(scope="module")
def from_peaks(peaks, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("made") / "peaks"
    run(*peaks.arguments, "-o", out)
    return out


def rows_of(path: Path) -> list[dict[str, str]]:
    """A table, read without histpred."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    return list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


def check(out: Path, source: Source, absent: str = "0") -> None:
    """Compare every file of a folder with the truth; `absent` is the label of other pairs."""
    genes = [gene for gene in source.genes if gene.id in source.truth]
    marks = sorted(CLASSES)
    rows = rows_of(out / "labels.tsv.gz")
    assert list(rows[0]) == CARRIED + marks
    assert [tuple(row[name] for name in CARRIED) for row in rows] == [
        tuple(map(str, gene)) for gene in genes
    ]
    known = {
        name: {m: v if v == "1" else absent for m, v in of.items()}
        for name, of in source.truth.items()
    }
    assert {row["id"]: {mark: row[mark] for mark in CLASSES} for row in rows} == known

    cells = {mark: [row[mark] for row in rows] for mark in marks}
    for values in cells.values():
        assert len(set(values)) == 2  # else the test would tell little
    assert rows_of(out / "marks.tsv") == [
        {
            "mark": mark,
            "class": CLASSES[mark],
            "positives": str(values.count("1")),
            "negatives": str(values.count("0")),
            "unlabelled": str(values.count("")),
        }
        for mark, values in cells.items()
    ]
    biotypes = [gene.biotype for gene in genes]
    assert rows_of(out / "biotypes.tsv") == [
        {
            "biotype": name,
            "genes": str(biotypes.count(name)),
            "share": f"{biotypes.count(name) / len(genes):.4f}",
        }
        for name in ("lncRNA", "miRNA")
    ]
    record = json.loads((out / "labels.json").read_text())
    assert record["counts"]["genes"] == len(genes)
    assert record["counts"]["marks"] == len(marks)
    for path, digest in record["inputs"].items():
        assert digest == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    for name, digest in record["outputs"].items():
        assert digest == hashlib.sha256((out / name).read_bytes()).hexdigest()
    assert {path.name for path in out.iterdir()} == FILES == {*record["outputs"], "labels.json"}


def texts(path: Path) -> set[str]:
    """The texts in a picture."""
    root = xml.etree.ElementTree.parse(path).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    return {"".join(text.itertext()).strip() for text in root.iter(f"{root.tag[:-3]}text")}


# Complete folders


def test_rnainter(from_rnainter, rnainter):
    check(from_rnainter, rnainter)
    unjoined = {row["rna"]: row for row in rows_of(from_rnainter / "unjoined.tsv")}
    assert set(unjoined) == {"STRANGE", "Gene1_0"}
    assert unjoined["STRANGE"]["raw_id"] == "Ensembl:ENSG00000099999"
    assert unjoined["STRANGE"]["reason"] == "not in the annotation"
    assert unjoined["Gene1_0"]["pairs"] == "1"
    assert "species" in unjoined["Gene1_0"]["reason"]


def test_rnainter_counts(rnainter, tmp_path):
    done = run(*rnainter.arguments, "-o", tmp_path / "out")
    pairs = sum(list(of.values()).count("1") for of in rnainter.truth.values())
    assert f"pairs used {pairs}" in done.err
    assert f"genes {len(rnainter.truth)}, marks 4" in done.err
    assert done.out == ""


def test_unobserved_pairs_left_unlabelled(rnainter, tmp_path):
    run(*rnainter.arguments, "-o", tmp_path / "out", "--unobserved", "unlabelled")
    check(tmp_path / "out", rnainter, absent="")


@needs_bedtools
def test_peaks(from_peaks, peaks):
    check(from_peaks, peaks)
    unjoined = rows_of(from_peaks / "unjoined.tsv")
    assert [row["gene_id"] for row in unjoined] == [gene.id for gene in peaks.genes[24:]]
    assert {row["reason"] for row in unjoined} == {"no-peak-on-the-contig"}
    counts = json.loads((from_peaks / "labels.json").read_text())["counts"]
    assert (counts["peak files"], counts["samples"]) == (20, 16)


@needs_bedtools
def test_a_sheet_names_the_peaks(peaks, from_peaks, tmp_path):
    """The files have meaningless names; the sheet gives the same samples."""
    lines = ["file\tmark\tsample"]
    files = [Path(path) for path in peaks.arguments[3:23]]
    for number, path in enumerate(files):
        write(tmp_path / f"{number}.bed.gz", path.read_bytes())
        mark, sample, *_ = path.name.split(".")
        lines.append(f"{number}.bed.gz\t{mark.lower()}\t{sample}")
    sheet = write(tmp_path / "sheet.tsv", "\n".join(lines) + "\n")
    annotation = peaks.arguments[2]
    out = tmp_path / "out"
    run("labels", "peaks", annotation, "--sheet", sheet, *PROMOTERS, "-o", out)
    assert (out / "labels.tsv.gz").read_bytes() == (from_peaks / "labels.tsv.gz").read_bytes()
    assert str(sheet) in json.loads((out / "labels.json").read_text())["inputs"]


@needs_bedtools
def test_the_window_is_said_and_used(peaks, tmp_path):
    """promoter:2000:2000 is the default, and the help does not mention a bundle."""
    done = run("labels", "peaks", "--help")
    shown = " ".join(done.out.split())
    assert "interval:UP:DOWN. [default: promoter:2000:2000]" in shown
    assert "bundle" not in shown
    assert "interval:UP:DOWN. [default: the bundle's]" in " ".join(
        run("predict", "--help").out.split()
    )
    files = peaks.arguments[2:23]
    run("labels", "peaks", *files, "-o", tmp_path / "a")
    run("labels", "peaks", *files, "-o", tmp_path / "b", "--window", "promoter:2000:2000")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize(
    "made", ["from_rnainter", pytest.param("from_peaks", marks=needs_bedtools)]
)
def test_pictures(made, request):
    out = request.getfixturevalue(made)
    for name in ("marks", "biotypes"):
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    rows = rows_of(out / "marks.tsv")
    said = texts(out / "marks.svg")
    assert {*CLASSES, *CLASSES.values(), "negative"} <= said
    for row in rows:
        total = int(row["positives"]) + int(row["negatives"])
        assert f"{int(row['positives']) / total:.0%}" in said
    genes = {row["biotype"]: row["genes"] for row in rows_of(out / "biotypes.tsv")}
    said = texts(out / "biotypes.svg")
    assert set(genes) <= said
    for count in genes.values():
        assert any(text.startswith(f"{count} (") for text in said)


@needs_bedtools
def test_the_same_inputs_give_the_same_bytes(peaks, from_peaks, tmp_path):
    run(*peaks.arguments, "-q", "-o", tmp_path / "out")
    assert contents(tmp_path / "out") == contents(from_peaks)


@pytest.mark.parametrize("verb", ["rnainter", pytest.param("peaks", marks=needs_bedtools)])
def test_genes_of_a_biotype(verb, request, tmp_path):
    source = request.getfixturevalue(verb)
    run(*source.arguments, "--biotype", "MiRNA", "-o", tmp_path / "out")
    genes = [gene for gene in source.genes if gene.id in source.truth]
    rows = rows_of(tmp_path / "out" / "labels.tsv.gz")
    assert [row["id"] for row in rows] == [gene.id for gene in genes if gene.biotype == "miRNA"]
    unjoined = [row["reason"] for row in rows_of(tmp_path / "out" / "unjoined.tsv")]
    others = source.genes if verb == "peaks" else genes
    count = sum(gene.biotype == "lncRNA" for gene in others)
    assert unjoined.count("biotype-not-selected") == count


def test_pairs_of_a_species_and_score(rnainter, tmp_path):
    """The pairs of mouse and of the unknown RNA are not used; at 0.9, all pairs with a gene are."""
    options = ["--species", "homo sapiens", "--min-score", "0.9"]
    run(*rnainter.arguments, *options, "-o", tmp_path / "out")
    check(tmp_path / "out", rnainter)
    assert rows_of(tmp_path / "out" / "unjoined.tsv") == []
    said = refused(2, *rnainter.arguments, "--species", "Danio rerio", "-o", tmp_path / "other")
    assert "holds no RNA of Danio rerio" in said


@needs_bedtools
def test_rows_without_a_strand(tmp_path):
    bed = write(tmp_path / "genes.bed", "chr1\t500\t600\tA\t0\t.\n")
    file = write(tmp_path / "H3K4me3.bed", "chr1\t480\t490\n")
    line = ["labels", "peaks", bed, file, "--window", "promoter:30:0", "-o", tmp_path / "out"]
    assert "--unstranded" in refused(1, *line)
    run(*line, "--unstranded")
    assert [row["H3K4me3"] for row in rows_of(tmp_path / "out" / "labels.tsv.gz")] == ["1"]


# A second run


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("rnainter", "from_rnainter"),
        pytest.param("peaks", "from_peaks", marks=needs_bedtools),
    ],
)
def test_the_same_command_does_nothing(source, made, request):
    out = request.getfixturevalue(made)
    before = tree(out)
    done = run(*request.getfixturevalue(source).arguments, "-o", out)
    assert "nothing to do" in done.err
    assert tree(out) == before


def test_quiet(rnainter, from_rnainter):
    assert run(*rnainter.arguments, "-q", "-o", from_rnainter).err == ""


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--unobserved", "unlabelled"], "unobserved (negative -> unlabelled)"),
        (["--species", "Homo sapiens"], "species ([] -> ['Homo sapiens'])"),
        (
            ["--min-score", "0.1", "--biotype", "lncRNA"],
            "min_score (None -> 0.1); options biotypes ([] -> ['lncRNA'])",
        ),
    ],
)
def test_other_options_are_refused(options, named, rnainter, from_rnainter):
    before = tree(from_rnainter)
    said = refused(1, *rnainter.arguments, *options, "-o", from_rnainter)
    assert f"holds other labels; what differs: options {named}\n" in said
    assert "--overwrite" in said
    assert tree(from_rnainter) == before


@needs_bedtools
def test_other_options_of_peaks_are_refused(peaks, from_peaks):
    before = tree(from_peaks)
    said = refused(1, *peaks.arguments, "--min-samples", "1", "-o", from_peaks)
    assert "what differs: options min_samples (0.5 -> 1.0)\n" in said
    fewer = [*peaks.arguments[:22], *PROMOTERS]
    said = refused(1, *fewer, "-o", from_peaks)
    assert "what differs: options files ([" in said
    left_out = set(map(str, peaks.arguments)) - set(map(str, fewer)) - set(PROMOTERS)
    assert left_out
    assert all(f"inputs {path} (" in said for path in left_out)
    assert tree(from_peaks) == before


def copied(source: Source, folder: Path) -> list[Argument]:
    """The command of `rnainter` on copies of its inputs."""
    folder.mkdir()
    paths = [Path(path) for path in source.arguments[2:]]
    return ["labels", "rnainter", *(write(folder / p.name, p.read_bytes()) for p in paths)]


def test_a_changed_input_is_refused(rnainter, tmp_path):
    arguments = copied(rnainter, tmp_path / "inputs")
    out = tmp_path / "out"
    run(*arguments, "-o", out)
    with open(arguments[2], "a") as table:
        table.write("GENE1_0\tHomo sapiens\tH3K9ac\tN/A\t0.1\n")
    before = tree(out)
    assert f"what differs: inputs {arguments[2]} (" in refused(1, *arguments, "-o", out)
    assert tree(out) == before
    run(*arguments, "-o", out, "--overwrite")
    assert "H3K9ac" in rows_of(out / "labels.tsv.gz")[0]


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_text("id\tH3K4me3\n")])
def test_a_damaged_folder_is_not_taken_for_finished(change, rnainter, tmp_path):
    out = tmp_path / "out"
    run(*rnainter.arguments, "-o", out)
    whole = contents(out)
    change(out / "labels.tsv.gz")
    assert "missing or altered since: labels.tsv.gz" in refused(1, *rnainter.arguments, "-o", out)
    run(*rnainter.arguments, "-o", out, "--overwrite")
    assert contents(out) == whole


def test_overwriting(rnainter, from_rnainter, tmp_path):
    """Old files without a successor are removed: a BED has no biotypes to draw."""
    out = tmp_path / "out"
    run(*rnainter.arguments, "-o", out)
    rows = [(g.chrom, g.start, g.end, g.name, 0, g.strand) for g in rnainter.genes]
    bed = write(tmp_path / "genes.bed", "".join("\t".join(map(str, row)) + "\n" for row in rows))
    run(
        "labels",
        "rnainter",
        rnainter.arguments[2],
        bed,
        "-o",
        out,
        "--overwrite",
        "--species",
        "Homo sapiens",
    )
    assert {path.name for path in out.iterdir()} == FILES - {"biotypes.png", "biotypes.svg"}
    assert rows_of(out / "biotypes.tsv")[0]["biotype"] == "."
    run(*rnainter.arguments, "-o", out, "--overwrite")
    assert contents(out) == contents(from_rnainter)


# No folder after a failure


def test_a_folder_of_somebody_else(rnainter, tmp_path):
    write(tmp_path / "notes.txt", "mine")
    before = tree(tmp_path)
    for options in ([], ["--overwrite"]):
        said = refused(1, *rnainter.arguments, *options, "-o", tmp_path)
        assert "not an output of histpred: it holds notes.txt" in said
    write(tmp_path / "labels.json", '{"counts": 3}')
    assert "not an output" in refused(1, *rnainter.arguments, "-o", tmp_path)
    (tmp_path / "labels.json").unlink()
    assert tree(tmp_path) == before


def test_an_output_over_an_input(rnainter, tmp_path):
    out = tmp_path / "out"
    run(*rnainter.arguments, "-o", out)
    before = tree(out)
    said = refused(1, "labels", "rnainter", out / "unjoined.tsv", rnainter.arguments[3], "-o", out)
    assert "unjoined.tsv is an input too" in said
    assert tree(out) == before


DYING = """
import os, signal, sys
from histpred.cli import main
from histpred.core import journal
from histpred.reports import label_figures

number, published, *arguments = sys.argv[1:]
left = int(published)
publish = journal.publish

def die(*_):
    os.kill(os.getpid(), getattr(signal, number))

def publish_and_die(partial, final):
    global left
    publish(partial, final)
    left -= 1
    if not left:
        die()

if left:
    journal.publish = publish_and_die
else:
    label_figures.draw_labels = die
sys.exit(main(arguments))
"""


def killed(number: str, published: int, *arguments: Argument) -> int:
    """The exit code of a process that gets a signal when it has published so many files."""
    line = [sys.executable, "-c", DYING, number, str(published), *map(os.fspath, arguments)]
    return subprocess.run(
        line, env=environment(), capture_output=True, timeout=100, check=False
    ).returncode


@pytest.mark.parametrize(("number", "code"), [("SIGKILL", -signal.SIGKILL), ("SIGTERM", 130)])
def test_a_killed_run_leaves_nothing(number, code, rnainter, from_rnainter, tmp_path):
    out = tmp_path / "out"
    assert killed(number, 0, *rnainter.arguments, "-o", out) == code
    left = {path.name for path in out.iterdir()} if out.exists() else set()
    assert left == ({WORK} if number == "SIGKILL" else set())
    run(*rnainter.arguments, "-o", out)
    assert contents(out) == contents(from_rnainter)


def test_killed_while_it_overwrites(rnainter, from_rnainter, tmp_path):
    """No labels.json, and so no finished folder, before every other file is the new one."""
    out = tmp_path / "out"
    other = [*rnainter.arguments, "--unobserved", "unlabelled", "-o", out]
    run(*other)
    code = killed("SIGKILL", 2, *rnainter.arguments, "--overwrite", "-o", out)
    assert code == -signal.SIGKILL
    assert not (out / "labels.json").exists()
    run(*rnainter.arguments, "-o", out)
    assert contents(out) == contents(from_rnainter)


def test_a_failed_run_leaves_what_was_there(rnainter, tmp_path):
    out = tmp_path / "out"
    run(*rnainter.arguments, "-o", out)
    before = tree(out)
    said = refused(2, *rnainter.arguments, "--min-score", "7", "--overwrite", "-o", out)
    assert "no row has a score of 7; the highest is 0.9" in said
    assert tree(out) == before


# Refused inputs and options


@pytest.mark.parametrize("verb", ["rnainter", "peaks"])
def test_an_annotation_that_is_not_there(verb, rnainter, peaks, tmp_path):
    absent, out = tmp_path / "absent.gtf", tmp_path / "out"
    inputs = [rnainter.arguments[2], absent] if verb == "rnainter" else [absent, peaks.arguments[3]]
    said = refused(1, "labels", verb, *inputs, "-o", out)
    assert f"{absent}: cannot be read: No such file or directory" in said
    assert not out.exists()


@pytest.mark.parametrize(
    ("place", "verb", "name"),
    [
        ("first", "rnainter", "TABLE"),
        ("second", "peaks", "[PEAKS]..."),
        ("sheet", "peaks", "--sheet"),
    ],
)
def test_other_files_that_are_not_there(place, verb, name, peaks, tmp_path):
    absent, annotation = tmp_path / "absent", peaks.arguments[2]
    inputs = {
        "first": [absent, annotation],
        "second": [annotation, absent],
        "sheet": [annotation, "--sheet", absent],
    }[place]
    done = histpred("labels", verb, *inputs, "-o", tmp_path / "out")
    assert done.code == 2
    assert f"'{name}': File '{absent}' does not exist" in done.err
    assert not (tmp_path / "out").exists()


def test_a_sheet_that_names_a_file_that_is_not_there(peaks, tmp_path):
    sheet = write(tmp_path / "sheet.tsv", "mark\tfile\nH3K4me3\tabsent.bed\n")
    said = refused(
        1, "labels", "peaks", peaks.arguments[2], "--sheet", sheet, "-o", tmp_path / "out"
    )
    assert "sheet.tsv:2: " in said
    assert "absent.bed does not exist" in said


@pytest.mark.parametrize("verb", ["rnainter", "peaks"])
def test_standard_input_is_refused(verb, rnainter, peaks, tmp_path):
    inputs = [rnainter.arguments[2], "-"] if verb == "rnainter" else ["-", peaks.arguments[3]]
    content = Path(rnainter.arguments[3]).read_bytes()
    done = histpred("labels", verb, *inputs, "-o", tmp_path / "out", stdin=content)
    assert done.code == 2
    assert said_well(done.err)
    assert "standard input can be read only once" in done.err
    assert not (tmp_path / "out").exists()


def test_a_pipe_is_refused(rnainter, tmp_path):
    """The pipe is refused before it is opened: nobody writes to this one."""
    os.mkfifo(tmp_path / "pipe")
    said = refused(
        2, "labels", "rnainter", rnainter.arguments[2], tmp_path / "pipe", "-o", tmp_path / "out"
    )
    assert "can be read only once" in said


def test_no_peaks_or_both_kinds(peaks, tmp_path):
    annotation, file = peaks.arguments[2:4]
    sheet = write(tmp_path / "sheet.tsv", f"mark\tfile\nH3K4me3\t{file}\n")
    out = ["-o", tmp_path / "out"]
    said = refused(2, "labels", "peaks", annotation, file, "--sheet", sheet, *out)
    assert "peaks and a sheet were given" in said
    assert "no peaks were given" in refused(2, "labels", "peaks", annotation, *out)
    strange = write(tmp_path / "K562.bed", "chr1\t1\t2\n")
    said = refused(2, "labels", "peaks", annotation, strange, *out)
    assert "does not begin with a histone mark: K562.bed" in said
    assert not (tmp_path / "out").exists()


@needs_bedtools
def test_bad_windows_and_shares(peaks, tmp_path):
    line = [*peaks.arguments[:4], "-o", tmp_path / "out"]
    assert "nowhere" in refused(2, *line, "--window", "nowhere")
    assert "an empty window" in refused(2, *line, "--window", "promoter:0:0")
    assert "no mark has the 25 samples" in refused(2, *line, "--min-samples", "25")
    for text in ("1.5", "-1", "0.25,2", "2,0.25,3", "two", "nan", "9" * 5000):
        done = histpred(*line, "--min-samples", text)
        assert done.code == 2
        assert "'--min-samples'" in done.err
    said = refused(2, *line, "--tile", "200", "--window", "body")
    assert "--tile is for interval windows, not for body" in said
    assert "is nan" in refused(2, *line, "--min-fraction", "nan")
    assert not (tmp_path / "out").exists()


def test_without_bedtools(peaks, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    said = refused(2, *peaks.arguments, "-o", tmp_path / "out")
    assert "the program bedtools" in said
    assert "apt install bedtools" in said
    assert not (tmp_path / "out").exists()


def test_a_full_disk(rnainter, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("histpred.reports.label_figures.draw_labels", full)
    assert "disk is full" in refused(75, *rnainter.arguments, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()
