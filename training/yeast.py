"""The inputs of the bundle `yeast` from the data folder yeast: genes.bed and labels.tsv.

    python training/yeast.py --data PATH/yeast -o yeast

A gene carries a mark where the mean log2 of its nucleosomes (Weiner et al. 2015,
doi:10.1016/j.molcel.2015.02.008) is in the top quarter of all genes that have a value. The commands
from there to the bundle are in docs/train-your-own.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

TABLE = "yeast_sacCer3_gene_x_26marks_weiner_projected.tsv.gz"
FIRST_MARK = "H2AK5ac"
SHARE = 0.25
MITOCHONDRION = "chrM"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder yeast")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the two files")
    options = parser.parse_args(arguments)
    table = pd.read_csv(options.data / TABLE, sep="\t")
    marks = table.columns[table.columns.get_loc(FIRST_MARK) :]
    known = table[marks].notna().all(axis=1) & (table["chrom"] != MITOCHONDRION)
    table = table[known].drop_duplicates("gene")
    labels = (table[marks] >= table[marks].quantile(1 - SHARE)).astype(int)
    labels.insert(0, "name", table["gene"])

    options.output.mkdir(parents=True, exist_ok=True)
    labels.to_csv(options.output / "labels.tsv", sep="\t", index=False)
    rows = table[["chrom", "start0", "end", "gene"]].assign(score=0, strand=table["strand"])
    rows.to_csv(options.output / "genes.bed", sep="\t", index=False, header=False)


if __name__ == "__main__":
    main()
