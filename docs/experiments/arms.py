"""Write a few non-coding genes of chromosomes 20 and 22 as two genomes with three chromosomes.

    python docs/experiments/arms.py DATA/human OUT

A split by chromosome needs three of them. The arms of chromosome 20, which its centromere parts,
count as one each; of chromosome 22, only the long arm has sequence. From each, `FEW` non-coding
genes with a mark are taken, at even distances. OUT gets NAME.gtf and NAME.fa of each genome, and
genomes.csv, which names their labels in OUT/labels.
"""

from __future__ import annotations

import gzip
import re
import sys
from pathlib import Path

import pandas
import pysam

FEW = 8
CENTROMERE = 27_500_000  # of chromosome 20, hg19
ARMS = {
    "chr20": {"chr20p": (0, CENTROMERE), "chr20q": (CENTROMERE, None)},
    "chr22": {"chr22q": (0, None)},
}
MOST_N = 0.3  # share of N in a gene and the 30 kb before it


def chosen(table: pandas.DataFrame, start: int, end: int | None) -> list[str]:
    """The IDs of some non-coding genes of a stretch that have a mark."""
    marked = table.filter(regex=r"^c25\.").sum(axis=1) > 0
    there = (table["tss"] >= start) & (table["tss"] < (end or table["tss"].max() + 1))
    few_n = table["frac_N_window"] < MOST_N
    noncoding = ~table["biotype"].isin(["protein_coding", "pseudogene"])
    genes = table[marked & there & few_n & noncoding].sort_values("tss")["gene_id"]
    return genes.iloc[:: max(1, len(genes) // FEW)].head(FEW).tolist()


def write_genome(data: Path, name: str, out: Path) -> None:
    """Write the chosen genes of a chromosome, and the chromosome by arm."""
    table = pandas.read_csv(data / "labels_genes.tsv.gz", sep="\t").drop_duplicates("gene_id")
    with gzip.open(data / f"genes.{name}.gtf.gz", "rt") as lines:
        rows = [line.split("\t") for line in lines if not line.startswith("#")]
    with (
        pysam.FastaFile(str(data / f"hg19.{name}.fa.gz")) as genome,
        open(out / f"{name}.gtf", "w") as annotation,
        open(out / f"{name}.fa", "w") as fasta,
    ):
        for arm, (start, end) in ARMS[name].items():
            fasta.write(f">{arm}\n{genome.fetch(name, start, end)}\n")
            genes = set(chosen(table, start, end))
            for row in rows:
                if re.search('gene_id "([^"]*)"', row[8])[1] in genes:
                    places = [str(int(place) - start) for place in row[3:5]]
                    annotation.write("\t".join([arm, *row[1:3], *places, *row[5:]]))


if __name__ == "__main__":
    data, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    for name in ARMS:
        write_genome(data / name, name, out)
    rows = [f"{name},{name}.gtf,{name}.fa,labels/{name},Homo sapiens\n" for name in ARMS]
    (out / "genomes.csv").write_text("name,annotation,fasta,labels,species\n" + "".join(rows))
