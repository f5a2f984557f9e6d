"""The table in RNAInter's shape has its difficulties, on few genes."""

from __future__ import annotations

import gzip
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from support.scripts import load_script

MARKS = ("H3K4me3", "H3K27ac", "H3K27me3", "H3K36me3", "H3K9ac", "H2AFZ")


@pytest.fixture
def script() -> ModuleType:
    return load_script("benchmarks/rnainter_table.py")


def write_data(folder: Path, genes: int = 60) -> Path:
    """Genes of two chromosomes with labels, as the script reads them; every fifth is a miRNA."""
    for chromosome in ("chr20", "chr22"):
        lines, rows = [], [["gene_id", "biotype", "n.H3K4me3", *(f"c25.{m}" for m in MARKS)]]
        for number in range(genes):
            name = f"{'MIR' if number % 5 == 0 else 'GENE'}{chromosome[3:]}{number:02d}"
            biotype = "miRNA" if number % 5 == 0 else "lncRNA"
            lines.append(
                f'{chromosome}\tx\tgene\t1\t9\t.\t+\t.\tgene_id "{name}"; entrez_id "{number + 1}";'
            )
            rows.append([name, biotype, "9", *("01"[number % 3 > 0] for _ in MARKS)])
        (folder / chromosome).mkdir(parents=True)
        for name, text in (
            (f"genes.{chromosome}.gtf.gz", "\n".join(lines)),
            ("labels_genes.tsv.gz", "\n".join(map("\t".join, rows))),
        ):
            (folder / chromosome / name).write_bytes(gzip.compress(text.encode() + b"\n"))
    return folder


def test_the_table_has_what_makes_rnainters_hard(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = write_data(tmp_path / "data"), tmp_path / "table.txt.gz"
    for seed in ("1", "2", "1"):
        before = out.read_bytes() if out.exists() else b""
        words = ["--data", str(data), "--seed", seed, "-o", str(out)]
        monkeypatch.setattr(sys, "argv", ["rnainter_table.py", *words])
        script.main()
        assert out.read_bytes() != before
    first, *rows = [
        line.split("\t") for line in gzip.decompress(out.read_bytes()).decode().splitlines()
    ]
    assert tuple(first) == script.HEADER
    assert rows.count(first) == 1
    rows.remove(first)
    assert len({row[0] for row in rows}) == len(rows)
    assert {row[5] for row in rows} == {"histone modification", "TF", "protein", "RBP"}
    assert {row[2] for row in rows} == {"miRNA", "lncRNA"}
    assert script.OTHER_MARKS.keys() < {row[4] for row in rows}
    human = [row for row in rows if row[3] == script.HUMAN]
    assert 0.1 < 1 - len(human) / len(rows) < 0.25
    assert script.MOUSE_MARK not in {row[4] for row in human}
    assert any(row[1].startswith("hsa-mir-") for row in human)
    assert Counter(tuple(row[1:9]) for row in human).most_common(1)[0][1] == 2
    forms = {row[7].partition(":")[0] for row in human}
    assert forms == {"N/A", "miRBase", "Ensembl", "NCBI"}


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("MIR1-1", "hsa-mir-1-1"),
        ("MIR548AG2", "hsa-mir-548ag-2"),
        ("MIR1-1HG", ""),
        ("MIR663AHG", ""),
        ("XIST", ""),
    ],
)
def test_names_of_mirbase(script: ModuleType, symbol: str, name: str) -> None:
    assert script.mirbase_name(symbol) == name
