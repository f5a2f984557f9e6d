"""A table in the shape of RNAInter's, from ChIP-seq peaks at genes of chromosomes 20 and 22.

    .venv/bin/python benchmarks/rnainter_table.py --data DATA/human -o table.txt.gz

RNAInter's own table cannot be shared. This one has its 13 columns and its difficulties: RNAs with
NCBI gene IDs, with Ensembl IDs that no annotation has, and with symbols alone; miRNAs under their
miRBase names; entries that are there twice, with another score; partners of each kind; marks
outside the usual nomenclature; a header in the middle; and RNAs of mouse, which must join nothing.

A gene is paired with a mark if at least a quarter of the mark's samples (and two of them) have a
peak within 2 kb of its TSS. Pairs with marks that no peaks are of are drawn from those of a mark
that has some. RNAInterIDs, scores, miRBase accessions and Ensembl IDs are made up. The same seed
gives the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HEADER = (
    *("RNAInterID", "Interactor1.Symbol", "Category1", "Species1"),
    *("Interactor2.Symbol", "Category2", "Species2", "Raw_ID1", "Raw_ID2"),
    *("score", "strong", "weak", "predict"),
)
CHROMOSOMES = ("chr20", "chr22")
HUMAN, MOUSE = "Homo sapiens", "Mus musculus"
CATEGORIES = {"protein_coding": "mRNA", "pseudogene": "pseudo"}
COMMON = "c25."  # columns of marks that a quarter of the samples have

# Marks without peaks of their own, each with the mark from whose pairs half are drawn.
OTHER_MARKS = {
    "H3K9acS10ph": "H3K9ac",
    "H3K9K14ac": "H3K9ac",
    "H3.1": "H3K27me3",
    "gH2AX": "H3K36me3",
    "H2AXS139ph": "H3K36me3",
    "acH3": "H3K27ac",
    "H3K9bhb": "H3K27ac",
    "macroH2A": "H3K27me3",
    "H2A.Zac": "H2AFZ",
    "H3K4me3/H3K27me3": "H3K27me3",  # a name that no column of a bundle can have
}
MOUSE_MARK = "H3K79me2"  # of mouse only: in a human matrix, it shows an RNA that must not be there
OTHER_PARTNERS = {"CTCF": "TF", "POLR2A": "protein", "ELAVL1": "RBP"}

TWICE = 0.05  # share of the entries that are there again
MOUSE_SHARE = 0.2  # mouse entries for each human one
PARTNER_SHARE = 0.02  # entries with a partner that is no mark, for each human one

_MIRNA = re.compile(r"MIR(LET)?(\d+)([A-Z]*?)-?(\d+)?")


class Gene(NamedTuple):
    """A gene of the annotation and the marks that it is paired with."""

    symbol: str
    ncbi: str
    biotype: str
    marks: tuple[str, ...]


def read_genes(data: Path) -> list[Gene]:
    """Return the genes of both chromosomes that have labels, in the order of their tables."""
    return [gene for chromosome in CHROMOSOMES for gene in _genes_of(data / chromosome)]


def _genes_of(folder: Path) -> Iterator[Gene]:
    ncbi = {}
    with gzip.open(folder / f"genes.{folder.name}.gtf.gz", "rt") as lines:
        for line in lines:
            if found := re.search(r'\tgene\t.*gene_id "([^"]+)".*entrez_id "(\d+)"', line):
                ncbi[found[1]] = found[2]
    with gzip.open(folder / "labels_genes.tsv.gz", "rt") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            marks = (
                name.removeprefix(COMMON)
                for name, value in row.items()
                if name.startswith(COMMON) and value == "1"
            )
            yield Gene(row["gene_id"], ncbi.get(row["gene_id"], ""), row["biotype"], tuple(marks))


def mirbase_name(symbol: str) -> str:
    """Return miRBase's name of a human miRNA gene, '' for any other gene.

    >>> mirbase_name("MIR3198-1"), mirbase_name("MIR130B"), mirbase_name("MIRLET7A3")
    ('hsa-mir-3198-1', 'hsa-mir-130b', 'hsa-let-7a-3')
    >>> mirbase_name("MIR663AHG"), mirbase_name("MIAT")
    ('', '')
    """
    found = _MIRNA.fullmatch(symbol)
    if not found or found[3].endswith("HG"):  # the host gene of a miRNA
        return ""
    let, number, letters, copy = found.groups()
    return "-".join(filter(None, ("hsa", "let" if let else "mir", number + letters.lower(), copy)))


def rna_of(gene: Gene, rng: random.Random) -> tuple[str, str]:
    """Return symbol and Raw_ID1 of a gene's RNA, in one of the forms that RNAInter uses."""
    if name := mirbase_name(gene.symbol):
        return name, rng.choice([f"miRBase:MI9{rng.randrange(10**6):06d}", "N/A"])
    ensembl = f"Ensembl:ENSG99{rng.randrange(10**9):09d}"
    forms = [ensembl, "N/A"]
    forms += [f"NCBI:{gene.ncbi}", f"NCBI:{gene.ncbi}", f"{ensembl}//NCBI:{gene.ncbi}"] * bool(
        gene.ncbi
    )
    return gene.symbol, rng.choice(forms)


def entries(genes: list[Gene], rng: random.Random) -> Iterator[tuple[str, ...]]:
    """Yield the entries without RNAInterID and scores, in the columns from symbol to Raw_ID2."""
    for gene in genes:
        symbol, raw_id = rna_of(gene, rng)
        category = CATEGORIES.get(gene.biotype, gene.biotype)
        drawn = [m for m, like in OTHER_MARKS.items() if like in gene.marks and rng.random() < 0.5]
        for mark in [*gene.marks, *drawn]:
            yield _entry(symbol, category, HUMAN, mark, raw_id)
            if rng.random() < PARTNER_SHARE:
                partner, kind = rng.choice(list(OTHER_PARTNERS.items()))
                yield symbol, category, HUMAN, partner, kind, HUMAN, raw_id, "N/A"
            if rng.random() < MOUSE_SHARE:
                # The orthologue's symbol, or this very symbol: neither is a human RNA.
                name = rng.choice([gene.symbol.capitalize(), gene.symbol])
                number = rng.randrange(10**8)
                raw = rng.choice([f"Ensembl:ENSMUSG{number:011d}", f"NCBI:9{number:08d}", "N/A"])
                yield _entry(name, category, MOUSE, rng.choice([mark, MOUSE_MARK]), raw)


def _entry(symbol: str, category: str, species: str, mark: str, raw_id: str) -> tuple[str, ...]:
    return symbol, category, species, mark, "histone modification", "N/A", raw_id, "N/A"


def table(genes: list[Gene], seed: int) -> list[tuple[str, ...]]:
    """Return the rows of the table, header first, and again in its middle."""
    rng = random.Random(seed)
    listed = list(entries(genes, rng))
    listed += [entry for entry in listed if rng.random() < TWICE]
    rng.shuffle(listed)
    rows = [
        (f"RH{number:08d}", *entry, f"{rng.uniform(0.1, 0.9):.4f}", "N/A", "ChIP-seq", "N/A")
        for number, entry in enumerate(listed, 1)
    ]
    rows.insert(len(rows) // 2, HEADER)
    return [HEADER, *rows]


def main() -> None:
    """Write the table and print how many entries each kind of RNA has."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with chr20 and chr22")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--out", type=Path, required=True, help="the table, gzipped")
    options = parser.parse_args()
    rows = table(read_genes(options.data), options.seed)
    text = "".join("\t".join(row) + "\n" for row in rows)
    options.out.write_bytes(gzip.compress(text.encode(), mtime=0))
    counts = Counter((row[3], row[2]) for row in rows if row != HEADER)
    for (species, category), count in sorted(counts.items()):
        print(f"{species}\t{category}\t{count:,}")


if __name__ == "__main__":
    main()
