"""The effects of substitutions in known promoters, by what they do to the sequence.

    python benchmarks/variant_effects.py GENES.gtf.gz GENOME.fa.gz [--bundle B] [--genes 200]

For each of some protein-coding genes it makes substitutions up to 500 bp from the TSS that are
random, that make or break a CpG, that break a TATA box, or that break a motif of a promoter (SP1,
NFY, ETS). The table it prints has, for each kind and mark, the median difference in log-odds, the
median of its size, and how many of the differences are negative. Known: CpG islands attract H3K4me3
(CFP1) and H3K27me3 (PRC2), so CpG that are broken should lower both; a TATA box or a motif that is
broken should lower the active marks. No network.
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pysam

import histpred

AROUND = 500  # bp to each side of the TSS
OF_EACH = 10  # random, CpG-making and CpG-breaking substitutions of a gene
ACTIVE = ("H3K4me3", "H3K27ac", "H3K9ac", "H2AFZ", "H3K27me3", "H3K4me1", "H3K36me3", "H3K9me3")
KINDS = ("random", "CpG made", "CpG broken", "TATA broken", "motif broken")
TATA = re.compile("(?=TATA[AT]A)")
MOTIFS = {  # of promoters: what is looked for, and the base that breaks it without touching a CpG
    "SP1": ("GGGCGG", 1, "T"),
    "NFY": ("CCAAT", 2, "G"),
    "ETS": ("CCGGAAG", 5, "C"),
}


class Promoter(NamedTuple):
    """The bases around a TSS, 5' to 3'; place: of the first of them on the contig, from 0."""

    name: str
    place: int
    minus: bool
    bases: str


class Substitution(NamedTuple):
    """A base of a promoter that becomes another; at: from the promoter's 5' end."""

    kind: str
    at: int
    base: str


def promoters(gtf: Path, fasta: pysam.FastaFile, chrom: str) -> Iterator[Promoter]:
    """The promoters of protein-coding genes that have no N."""
    length = fasta.get_reference_length(chrom)
    for line in pysam.BGZFile(str(gtf)):
        fields = line.decode().split("\t")
        if len(fields) < 9 or fields[2] != "gene" or '"protein_coding"' not in fields[8]:
            continue
        name = re.search(r'gene_(?:name|id) "([^"]+)"', fields[8])
        start, end, minus = int(fields[3]) - 1, int(fields[4]), fields[6] == "-"
        left = (end if minus else start) - AROUND
        if name is None or left < 0 or left + 2 * AROUND > length:
            continue
        bases = fasta.fetch(chrom, left, left + 2 * AROUND).upper()
        if set(bases) <= set("ACGT"):
            yield Promoter(name[1], left, minus, complement(bases) if minus else bases)


def complement(bases: str) -> str:
    """The reverse complement."""
    return bases[::-1].translate(str.maketrans("ACGT", "TGCA"))


def substitutions(promoter: Promoter, rng: random.Random) -> list[Substitution]:
    """Some substitutions of every kind."""
    bases, found = promoter.bases, []
    every = [(at, base) for at in range(1, len(bases) - 1) for base in "ACGT" if base != bases[at]]
    cpg = {True: [], False: []}
    for at, base in every:
        changed = bases[at - 1] + base + bases[at + 2 - 1]
        gained = changed.count("CG") - bases[at - 1 : at + 2].count("CG")
        if gained:
            cpg[gained > 0].append((at, base))
    for kind, places in zip(KINDS, (every, cpg[True], cpg[False]), strict=False):
        some = rng.sample(places, min(OF_EACH, len(places)))
        found += [Substitution(kind, *place) for place in some]
    upstream = bases[AROUND - 45 : AROUND - 15]
    for match in TATA.finditer(upstream):
        found.append(Substitution("TATA broken", AROUND - 45 + match.start() + 1, "G"))
    for at, base in broken_motifs(bases):
        found.append(Substitution("motif broken", at, base))
    return found


def broken_motifs(bases: str) -> Iterator[tuple[int, str]]:
    """The substitutions that break motifs from 250 bp upstream to 50 bp downstream of the TSS."""
    for strand in (False, True):
        text = complement(bases) if strand else bases
        for motif, inner, base in MOTIFS.values():
            for match in re.finditer(f"(?={motif})", text):
                at = match.start() + inner
                place = len(bases) - 1 - at if strand else at
                if AROUND - 250 <= place < AROUND + 50:
                    yield place, complement(base) if strand else base


def write_vcf(
    path: Path, chrom: str, some: list[Promoter], rng: random.Random
) -> dict[str, tuple[str, str]]:
    """Write the substitutions of promoters; kind and gene by the ID of the variant."""
    rows, names = [], {}
    for promoter in some:
        for one in substitutions(promoter, rng):
            at, own, new = one.at, promoter.bases[one.at], one.base
            if promoter.minus:
                at, own, new = len(promoter.bases) - 1 - at, complement(own), complement(new)
            identity = f"v{len(names)}"
            names[identity] = one.kind, promoter.name
            rows.append((promoter.place + at + 1, identity, own, new))
    lines = ["##fileformat=VCFv4.2", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]
    lines += [
        f"{chrom}\t{at}\t{name}\t{own}\t{new}\t.\t.\t." for at, name, own, new in sorted(rows)
    ]
    path.write_text("\n".join(lines) + "\n")
    return names


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gtf", type=Path)
    parser.add_argument("fasta", type=Path)
    parser.add_argument("--bundle", default="human-promoter")
    parser.add_argument("--genes", type=int, default=200)
    given = parser.parse_args()
    rng = random.Random(0)
    with pysam.FastaFile(str(given.fasta)) as fasta, tempfile.TemporaryDirectory() as scratch:
        (chrom,) = fasta.references
        every = list(promoters(given.gtf, fasta, chrom))
        some = rng.sample(every, min(given.genes, len(every)))
        vcf = Path(scratch, "a.vcf")
        names = write_vcf(vcf, chrom, some, rng)
        genes = [promoter.name for promoter in some]
        table = histpred.variants(
            vcf,
            given.gtf,
            given.fasta,
            genes=genes,
            bundle=given.bundle,
            background=0,
            marks=ACTIVE,
        )
    table["kind"] = [names[one][0] for one in table["id"]]
    own = table[
        [names[one][1] == gene for one, gene in zip(table["id"], table["window"], strict=True)]
    ]
    print(f"{len(some)} genes of {chrom}; difference in log-odds in the gene's own window\n")
    print("| mark | kind | substitutions | median | median size | 99 of 100 below | lower |")
    print("|---|---|---|---|---|---|---|")
    for mark in ACTIVE:
        for kind in KINDS:
            deltas = own.loc[own["kind"] == kind, f"{mark}.delta"].to_numpy()
            if not len(deltas):
                continue
            size = np.abs(deltas)
            figures = np.median(deltas), np.median(size), np.quantile(size, 0.99)
            cells = " | ".join(f"{figure:+.4f}" for figure in figures[:1])
            cells += "".join(f" | {figure:.4f}" for figure in figures[1:])
            print(f"| {mark} | {kind} | {len(deltas)} | {cells} | {(deltas < 0).mean():.0%} |")


if __name__ == "__main__":
    main()
