"""Write annotations, genomes, labels and splits that histpred reads from the data folder.

    python docs/experiments/prepare.py DATA OUT

DATA holds human/ and yeast/. Every file has the content of a file there, in another format. No row
is chosen by its label, except as the docstring of a function says.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pandas

QUARTILE = 0.75
TILES_EVERY = 8


def chr22_split(out: Path) -> None:
    """Write the split of chr22: train below 27 Mb, validation at 27-30 Mb, test at 30-40 Mb."""
    stretches = [(0, 27, "train"), (27, 30, "validation"), (30, 40, "test")]
    (out / "chr22.split.bed").write_text(
        "".join(f"chr22\t{a}000000\t{b}000000\t{name}\n" for a, b, name in stretches)
    )


def tiles(human: Path, out: Path) -> None:
    """Write every 8th tile of 200 bp as a row, with its labels.

    The row's first base is the tile's middle, and its strand is '+', so promoter windows lie around
    the middle. A tile has a mark if at least 25 % of the mark's samples have it.
    """
    table = pandas.read_csv(human / "chr22/labels_tiles.tsv.gz", sep="\t").iloc[::TILES_EVERY]
    middle = (table["start"] + table["end"]) // 2
    names = "tile" + table["start"].astype(str)
    marks = [
        c for c in table if c.startswith("c25.") and c != "c25.H3F3A"
    ]  # it has one sample only
    rows = pandas.DataFrame(
        {"chrom": table["chrom"], "start": middle, "end": middle + 100, "name": names, "score": 0}
    ).assign(strand="+")
    rows.to_csv(out / "tiles.bed", sep="\t", header=False, index=False)
    labels = table[marks].rename(columns=lambda c: c.removeprefix("c25."))
    labels.insert(0, "id", names)
    labels.to_csv(out / "tiles.labels.tsv", sep="\t", index=False)


def regions(human: Path, out: Path) -> None:
    """Write each region with 33 marks as a transcript of one exon on a contig of its own.

    Its biotype is the set it comes from. Regions of chr1 test; those of chr2, chr21 and chr22
    validate.
    """
    table = pandas.read_csv(human / "regions_33marks.tsv.gz", sep="\t", low_memory=False)
    table.insert(0, "name", [f"region{i}" for i in range(len(table))])
    with gzip.open(out / "regions.fa.gz", "wt") as fasta, open(out / "regions.gtf", "w") as gtf:
        for name, bases, group in zip(table["name"], table["sequence"], table["set"], strict=True):
            fasta.write(f">{name}\n{bases}\n")
            gtf.write(
                f"{name}\thistpred\texon\t1\t{len(bases)}\t.\t+\t.\t"
                f'gene_id "{name}"; transcript_id "{name}"; gene_biotype "{group}";\n'
            )
    labels = table.drop(columns=["set", "id", "gene_id", "chrom", "start1", "end1", "sequence"])
    labels.to_csv(out / "regions.labels.tsv", sep="\t", index=False)
    sets = dict.fromkeys(["chr2", "chr21", "chr22"], "validation") | {"chr1": "test"}
    split = pandas.DataFrame(
        {"id": table["name"], "set": table["chrom"].map(lambda name: sets.get(name, "train"))}
    )
    split.to_csv(out / "regions.split.tsv", sep="\t", index=False)


def yeast(folder: Path, out: Path) -> None:
    """Write labels of genes that have values, the first gene of each name.

    A gene has a mark if its value lies in the mark's top quartile.
    """
    table = pandas.read_csv(
        folder / "yeast_sacCer3_gene_x_26marks_weiner_projected.tsv.gz", sep="\t"
    )
    marks = list(table.columns[table.columns.get_loc("n_nuc") + 1 :])
    table = table[table[marks].notna().any(axis=1)].drop_duplicates("gene")
    values = table[marks]
    labels = (values >= values.quantile(QUARTILE)).astype(float).where(values.notna())
    labels.insert(0, "id", table["gene"])
    labels.to_csv(out / "yeast.labels.tsv", sep="\t", index=False, float_format="%.0f")


if __name__ == "__main__":
    data, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    chr22_split(out)
    tiles(data / "human", out)
    yeast(data / "yeast", out)
    regions(data / "human", out)
