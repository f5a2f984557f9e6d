"""The scripts of docs/experiments on a small data folder: inputs, commands, tables."""

from __future__ import annotations

import gzip
import os
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy
import pandas
import pytest

from support.command_line import ROOT, environment, lacks, parse
from support.scripts import load_script
from support.synthetic import write_fasta

FOLDER = ROOT / "docs" / "experiments"
PARTS = ("chr22", "regions", "yeast", "marks", "leakage")

# Stands in for histpred in run.sh: keeps what it was called with, and makes no output.
RECORDER = """#!/bin/sh
for argument; do printf '%s\\t' "$argument"; done >>"$RECORDED"
echo >>"$RECORDED"
"""


def write_table(path: Path, columns: dict[str, list[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pandas.DataFrame(columns).to_csv(path, sep="\t", index=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of the form that prepare.py reads, with two marks and few rows."""
    folder = tmp_path_factory.mktemp("data")
    rng = random.Random(0)
    count = 120
    starts = [200 * number for number in range(count)]
    write_table(
        folder / "human/chr22/labels_tiles.tsv.gz",
        {"chrom": ["chr22"] * count, "start": starts, "end": [start + 200 for start in starts]}
        | {f"c25.{mark}": rng.choices((0, 1), k=count) for mark in ("H3K4me3", "H3F3A")},
    )
    # The mark lies on GC-rich regions.
    rich = [number % 2 == 0 for number in range(count)]
    write_table(
        folder / "human/regions_33marks.tsv.gz",
        {
            "set": ["lncRNA"] * count,
            "id": [f"RNA{number}" for number in range(count)],
            "gene_id": ["gene"] * count,
            "chrom": [("chr1", "chr2", "chr3", "chr4")[number % 8 // 2] for number in range(count)],
            "start1": [1] * count,
            "end1": [180] * count,
            "sequence": ["".join(rng.choices("GCGCAT" if gc else "ATATGC", k=180)) for gc in rich],
            "H3K4me3": [int(gc) for gc in rich],
            "H3K27me3": [int(not gc) for gc in rich],
        },
    )
    genes = [f"gene{number}" for number in range(8)]
    values = [float(number) for number in range(8)]
    write_table(
        folder / "yeast/yeast_sacCer3_gene_x_26marks_weiner_projected.tsv.gz",
        {"gene": [*genes, "gene0"], "n_nuc": [1] * 9, "H3K4me3": [*values, 9.0]},
    )
    (folder / "yeast/Improved_annotation_for_Scerevisiae.bed").write_text("chrI\t0\t90\tgene0\n")
    write_fasta(folder / "yeast/sacCer3.fa", {"chrI": "ACGT" * 30})
    (folder / "human/chr22/peaks").mkdir()
    (folder / "human/chr22/peaks/H3K4me3.one.bed.gz").write_bytes(b"")
    with gzip.open(folder / "human/chr22/genes.chr22.gtf.gz", "wt") as genes_file:
        genes_file.write('chr22\ta\tgene\t1\t90\t.\t+\t.\tgene_id "one";\n')
    return folder


@pytest.fixture(scope="module")
def work(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What prepare.py makes of the data folder."""
    folder = tmp_path_factory.mktemp("work")
    subprocess.run([sys.executable, FOLDER / "prepare.py", data, folder], check=True)
    return folder


def test_prepare_keeps_every_eighth_tile_and_marks_with_several_samples(work: Path) -> None:
    labels = pandas.read_csv(work / "tiles.labels.tsv", sep="\t")
    assert list(labels) == ["id", "H3K4me3"]
    assert list(labels["id"]) == [f"tile{start}" for start in range(0, 24_000, 1_600)]
    rows = (work / "tiles.bed").read_text().splitlines()
    assert rows[1] == "chr22\t1700\t1800\ttile1600\t0\t+"


def test_prepare_makes_each_region_a_transcript_of_a_contig(work: Path) -> None:
    with gzip.open(work / "regions.fa.gz", "rt") as fasta:
        assert [next(fasta), len(next(fasta))] == [">region0\n", 181]
    first = (work / "regions.gtf").read_text().splitlines()[0]
    assert first.startswith("region0\thistpred\texon\t1\t180\t.\t+\t.\t")
    split = pandas.read_csv(work / "regions.split.tsv", sep="\t")
    assert list(split["set"][:8:2]) == ["test", "validation", "train", "train"]


def test_prepare_marks_the_top_quartile_of_yeast_genes(work: Path) -> None:
    labels = pandas.read_csv(work / "yeast.labels.tsv", sep="\t")
    assert list(labels["id"]) == [f"gene{number}" for number in range(8)]
    assert list(labels["H3K4me3"]) == [0, 0, 0, 0, 0, 0, 1, 1]


def run(data: Path, work: Path, histpred: str, *parts: str, **variables: str) -> None:
    changes = {"HISTPRED": histpred, "PYTHON": sys.executable, **variables}
    command = ["bash", FOLDER / "run.sh", data, work, *parts]
    subprocess.run(command, check=True, env=environment(changes), stdout=subprocess.DEVNULL)


def test_every_command_of_run_is_one_of_histpred(data: Path, work: Path, tmp_path: Path) -> None:
    recorder, recorded = tmp_path / "recorder", tmp_path / "recorded"
    recorder.write_text(RECORDER)
    recorder.chmod(0o755)
    run(data, work, str(recorder), *PARTS, RECORDED=str(recorded))
    calls = [line.split("\t")[:-1] for line in recorded.read_text().splitlines()]
    assert {call[0] for call in calls} == {"train", "evaluate", "labels"}
    assert len(calls) > 40
    for call in calls:
        parse(*call)


@pytest.mark.slow
@pytest.mark.skipif(lacks("train"), reason="needs the extra train")
def test_an_experiment_ends_in_a_table(
    data: Path, work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    histpred = tmp_path / "histpred"
    histpred.write_text(f'#!/bin/sh\nexec {sys.executable} -m histpred "$@"\n')
    histpred.chmod(0o755)
    run(data, work, os.fspath(histpred), "regions")

    tables = load_script("docs/experiments/tables.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["tables.py", str(work)])
        tables.main()
    printed = capsys.readouterr().out
    assert "### regions-evaluation: " in printed
    assert ", 2 marks" in printed
    assert "| regions | " in printed


@pytest.mark.skipif(lacks("train"), reason="needs the extra train")
def test_baselines_are_measured_without_a_training(
    data: Path, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    baselines = load_script("docs/experiments/baselines.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["baselines.py", str(data), str(work), "regions"])
        baselines.main()
    title, *lines = capsys.readouterr().out.strip().splitlines()
    assert title == "regions.labels.tsv, spliced, regions.split.tsv: 30 rows"
    figures = {name: values for name, *values in (line.split("\t") for line in lines)}
    # The marks lie on GC-rich regions, or on the others.
    assert figures["GC"][0] == "macro AUROC 1.000 (1.000-1.000)"
    assert figures["prevalence"][0] == "macro AUROC 0.500 (0.500-0.500)"
    assert "micro precision 1.000" in figures["GC"]
    assert {"CpG o/e", "4-mers + logistic", "nearest neighbour"} < figures.keys()


@pytest.mark.skipif(lacks("train"), reason="needs the extra train")
def test_every_part_of_baselines_has_files_and_windows_of_run(data: Path, work: Path) -> None:
    baselines = load_script("docs/experiments/baselines.py")
    run_sh = (FOLDER / "run.sh").read_text()
    for part in baselines.PARTS:
        for rows in baselines.rows_of(part, data, work):
            for path in rows.files:
                assert path.name in run_sh
            for window in (rows.window, *rows.beside):
                assert window in run_sh or window == "promoter:11000:1000"  # DeepHistone's


@pytest.fixture(scope="module")
def going_on() -> ModuleType:
    """Import docs/experiments/going_on.py."""
    pytest.importorskip("torch", reason="needs the extra train")
    pytest.importorskip("onnx", reason="needs the extra train")
    return load_script("docs/experiments/going_on.py")


def test_genes_are_drawn_from_other_places_than_those_that_judge(going_on: ModuleType) -> None:
    count = 200
    starts = [300_000 * number for number in range(count)]
    windows = pandas.DataFrame({"chrom": ["chr20"] * count, "start": starts})
    labels = numpy.random.default_rng(0).integers(0, 2, (count, 3)).astype("f4")
    examples = going_on.Examples(windows, None, None, labels, numpy.full(count, "unused"))
    drawn = going_on.draw(examples, 50, seed=1)
    counts = {name: int((drawn.sets == name).sum()) for name in set(drawn.sets)}
    assert counts == {"train": 40, "validation": 10, "test": 90, "unused": 60}
    assert min(windows["start"][drawn.sets == "test"]) == going_on.BORDER
    assert max(windows["start"][drawn.sets == "train"]) < going_on.BORDER
    again, other = going_on.draw(examples, 50, seed=1), going_on.draw(examples, 50, seed=2)
    assert (drawn.sets == again.sets).all()
    assert (drawn.sets != other.sets).any()
    rare = drawn._replace(labels=labels * [1, 1, 0])
    assert list(going_on.learnable(rare)) == [True, True, False]


def test_the_table_has_means_over_seeds(
    going_on: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("d", "m", 20, seed, way, 8, 0.5 + 0.1 * seed) for seed in (0, 1) for way in "ab"]
    rows += [("d", "m", 20, seed, "end", 8, "") for seed in (0, 1)]
    rows += [("d", "m", 20, 2, "a", 8, 0.9)]  # the run was killed in this draw
    lines = ["\t".join(map(str, row)) for row in (going_on.FIELDS, *rows)]
    (tmp_path / "going_on.tsv").write_text("\n".join(lines) + "\n")
    going_on.print_table(tmp_path)
    printed = capsys.readouterr().out
    assert "| genes | a | b |" in printed
    assert "| 20 | 0.550 ± 0.071 | 0.550 ± 0.071 |" in printed
