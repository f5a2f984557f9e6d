"""A new column of a row takes two files, and every output has its values under its name.

A copy of the package gets a column `gc`; then what a user would run is run with the copy.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import random_genome, write_bed, write_fasta
from support.command_line import ROOT

for package in ("anndata", "pyarrow"):
    pytest.importorskip(package, reason="needs the extra anndata")

CHANGES = {
    "core/columns.py": (
        '    Column("known_fraction", float, "%.6g"),\n',
        '    Column("known_fraction", float, "%.6g"),\n    Column("gc", float, "%.6g"),\n',
    ),
    "genome/windows.py": (
        "biotype, n_fraction, known)\n",
        "biotype, n_fraction, known, gc_of(sequence))\n",
    ),
}
FUNCTION = """

def gc_of(sequence: bytes) -> float:
    return (sequence.count(b"G") + sequence.count(b"C")) / max(len(sequence), 1)
"""
COMMANDS = (
    "predict rows.bed genome.fa -o whole --tracks",
    "scatter rows.bed genome.fa -o shards --bundle human-promoter --shard-bases 900000",
    "predict shards/shards/0001.tsv genome.fa -o one",
    "predict shards/shards/0002.tsv genome.fa -o two",
    "gather shards one two -o gathered",
    "windows rows.bed genome.fa -o windows.tsv",
    "windows rows.bed genome.fa -o windows.fa",
    "embed rows.bed genome.fa --bundle human-promoter --store store -o vectors.parquet",
    "tracks gathered genome.fa -o hub",
    "report whole",
    "convert whole -o whole.parquet --embeddings vectors.parquet",
    "convert whole -o whole.h5ad --embeddings vectors.parquet",
    "summary whole gathered -o multiqc",
)
RUN = """
import shlex, sys
from histpred.cli import main
for line in sys.stdin:
    if code := main(shlex.split(line)):
        sys.exit(f"{code}: {line}")
import histpred
histpred.to_anndata("whole").obs.to_csv("anndata.csv")
histpred.predict("rows.bed", "genome.fa").to_csv("frame.csv", index=False)
histpred.embed("rows.bed", "genome.fa", bundle="human-promoter")[0].to_csv("embed.csv", index=False)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The folder in which the changed copy has run all commands."""
    folder = tmp_path_factory.mktemp("column")
    package = folder / "copy" / "histpred"
    shutil.copytree(ROOT / "histpred", package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, (before, after) in CHANGES.items():
        text = (package / name).read_text(encoding="utf-8")
        assert text.count(before) == 1
        (package / name).write_text(text.replace(before, after), encoding="utf-8")
    with open(package / "genome" / "windows.py", "a", encoding="utf-8") as windows:
        windows.write(FUNCTION)
    rng = random.Random(7)
    write_fasta(folder / "genome.fa", random_genome(rng, {"chr1": 60_000, "chr2": 30_000}))
    rows = [
        ("chr1", 1500 * i + 40, 1500 * i + 900, f"g{i}", 0, rng.choice("+-")) for i in range(40)
    ]
    write_bed(folder / "rows.bed", rows)
    subprocess.run(
        [sys.executable, "-c", RUN],
        input="\n".join(COMMANDS),
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "copy")},
        check=True,
        timeout=110,
    )
    return folder


def rows_of(path: Path, separator: str = "\t") -> list[dict[str, str]]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter=separator))


@pytest.fixture(scope="module")
def expected(made) -> dict[str, tuple[float, float, float]]:
    """GC, share of N and H3K4me3 of each window, by name; GC counted in the FASTA of windows."""
    windows = {}
    for record in (made / "windows.fa").read_text().split(">")[1:]:
        header, _, sequence = record.partition("\n")
        sequence = sequence.replace("\n", "")
        share = sum(sequence.count(base) for base in "GC") / len(sequence)
        windows[header.partition("::")[0]] = float(f"{share:.6g}")
    return {
        row["name"]: (windows[row["name"]], float(row["n_fraction"]), float(row["H3K4me3"]))
        for row in rows_of(made / "whole" / "scores.tsv.gz")
    }


@pytest.mark.parametrize(
    ("name", "separator", "marks"),
    [
        ("whole/scores.tsv.gz", "\t", True),
        ("gathered/scores.tsv.gz", "\t", True),
        ("windows.tsv", "\t", False),
        ("frame.csv", ",", True),
        ("anndata.csv", ",", False),
        ("embed.csv", ",", False),
    ],
)
def test_every_value_is_under_its_own_name(name, separator, marks, made, expected):
    rows = rows_of(made / name, separator)
    names = [row["name"] if "name" in row else row[""] for row in rows]
    assert sorted(names) == sorted(expected)
    for label, row in zip(names, rows, strict=True):
        gc, n_fraction, probability = expected[label]
        assert float(row["gc"]) == pytest.approx(gc, abs=1e-6)
        assert float(row["n_fraction"]) == pytest.approx(n_fraction, abs=1e-6)
        if marks:
            assert float(row["H3K4me3"]) == pytest.approx(probability, abs=1e-6)
    assert len({gc for gc, _, _ in expected.values()}) > 20


def test_gathered_tables_are_those_of_one_prediction(made):
    for name in ("scores.tsv.gz", "calls.bed.gz"):
        assert (made / "gathered" / name).read_bytes() == (made / "whole" / name).read_bytes()


def test_parquet_has_the_column(made, expected):
    from pyarrow import parquet

    table = parquet.read_table(made / "whole.parquet").to_pydict()
    for i, name in enumerate(table["name"]):
        gc, n_fraction, probability = expected[name]
        assert table["gc"][i] == pytest.approx(gc, abs=1e-6)
        assert table["n_fraction"][i] == pytest.approx(n_fraction, abs=1e-6)
        assert table["H3K4me3"][i] == pytest.approx(probability, abs=1e-6)


@pytest.mark.parametrize("folder", ["whole/hub", "hub"])
def test_tracks_have_the_probabilities_of_marks(folder, made, expected):
    import pybigtools

    (path,) = (made / folder).glob("*/H3K4me3.bb")
    track = pybigtools.open(str(path))
    rows = [row for contig in track.chroms() for row in track.records(contig)]
    assert len(rows) == len(expected)
    for _, _, name, score, *_ in rows:
        assert int(score) == min(1000, round(expected[name][2] * 1000))


def test_the_report_has_the_probabilities_of_marks(made, expected):
    page = (made / "whole" / "report.html").read_text(encoding="utf-8")
    best = max(expected.items(), key=lambda item: item[1][2])
    assert best[0] in page
    assert f"{best[1][2]:.3f}"[:4] in page


def test_the_summary_counts_marks_and_nothing_else(made):
    marks = set(json.loads((made / "whole" / "run.json").read_text())["identity"])
    assert "gc" not in marks
    for path in (made / "multiqc").glob("*_mqc.json"):
        assert '"gc"' not in path.read_text()
