"""What is given in place of an annotation or a genome, and what to give instead.

A file is known by its first bytes, a word by its form.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path

from histpred.core.errors import InputError
from histpred.core.text import visible_line

UNREADABLE = (
    (b"BZh", "compressed with bzip2", "decompress it first: bunzip2 FILE"),
    (b"\xfd7zXZ", "compressed with xz", "decompress it first: unxz FILE"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "decompress it first: unzstd FILE"),
    (
        b"PK\x03\x04",
        "a zip archive or an Excel sheet",
        "unpack it, or save it as tab-separated text",
    ),
    (b"version https://git-lfs", "a Git-LFS pointer, not the file itself", "run: git lfs pull"),
    (b"\xff\xfe", "UTF-16 text", "convert it: iconv -f UTF-16 -t UTF-8 FILE"),
    (b"\xfe\xff", "UTF-16 text", "convert it: iconv -f UTF-16 -t UTF-8 FILE"),
    (b"<", "a web page or XML", "the download may have failed: look at the file"),
)
_VARIANTS = (
    "histpred variants scores what its alleles change: histpred variants FILE ANNOTATION FASTA -o "
    "OUT. To score the loci of variants themselves, write a BED "
    "and add --window interval: bcftools query -f '%CHROM\\t%POS0\\t%END\\n' FILE > loci.bed"
)
_SIGNAL = (
    "it holds a signal along the genome, not rows to score or to label: give an annotation (BED, "
    "GTF or GFF3), or as labels the peaks of the experiment (BED, narrowPeak)"
)
_BIG_BED = ("a bigBed file", "convert it: bigBedToBed FILE out.bed")
_ALIGNMENTS = "convert it: bedtools bamtobed -i FILE"
FOREIGN = (
    *UNREADABLE,
    (b"BAM\x01", "a BAM file", _ALIGNMENTS),
    (b"CRAM", "a CRAM file", "convert it: samtools view -b FILE | bedtools bamtobed -i -"),
    (b"@HD\t", "a SAM file", "convert it: samtools view -b FILE | bedtools bamtobed -i -"),
    (b"##fileformat=VCF", "a VCF file", _VARIANTS),
    (b"BCF\x02", "a BCF file", _VARIANTS),
    (b"\xeb\xf2\x89\x87", *_BIG_BED),
    (b"\x87\x89\xf2\xeb", *_BIG_BED),
    (b"\x26\xfc\x8f\x88", "a bigWig file", _SIGNAL),
    (b"\x88\x8f\xfc\x26", "a bigWig file", _SIGNAL),
    (b"\x89HDF\r\n", "an HDF5 file (AnnData is one)", "give a BED, GTF or GFF3 annotation"),
    (b"\x00\x00\x01\x00", "a binary file", "give a BED, GTF or GFF3 annotation"),
)
"""What a file is by its first bytes, and what to do: UNREADABLE in any case, FOREIGN if it is not
what was expected."""

PROTEINS = (
    "a FASTA of proteins",
    "histpred reads DNA: give the genome, or the transcripts with --sequences",
)
_HUMAN_37 = (
    "GENCODE has GRCh37.primary_assembly.genome.fa.gz and gencode.v49lift37.annotation.gtf.gz, "
    "Ensembl Homo_sapiens.GRCh37.dna.primary_assembly.fa.gz and Homo_sapiens.GRCh37.87.gtf.gz"
)
_HUMAN_38 = (
    "GENCODE has GRCh38.primary_assembly.genome.fa.gz and gencode.v49.annotation.gtf.gz, "
    "Ensembl Homo_sapiens.GRCh38.dna.primary_assembly.fa.gz and Homo_sapiens.GRCh38.113.gtf.gz"
)
_ANY_OTHER = (
    "Ensembl has, for example, Mus_musculus.GRCm39.dna.primary_assembly.fa.gz and "
    "Mus_musculus.GRCm39.113.gtf.gz"
)
HEAD = 1 << 12  # bytes that tell what a file is
_ONLY_IN_PROTEINS = b"EFILPQefilpq"
_PROTEIN = 0.1  # the share of these letters in a FASTA from which it is one of proteins
_FEWEST = 30  # letters that tell it
_ASSEMBLY = re.compile(
    r"(hg(18|19|38)|hs1|hs37d5|b37|mm(9|10|39)|rn[67]|dm[36]|ce1[01]|sacCer3|danRer1[01]|TAIR10"
    r"|(chm13|t2t)\S*|GRC[a-z]{1,2}\d+(\.?p\d+)?)",
    re.IGNORECASE,
)
_GENE = re.compile(r"[A-Za-z][\w-]*(\.\d+)?(,[A-Za-z][\w.-]*)*", re.ASCII)


def foreign(head: bytes) -> tuple[str, str] | None:
    """What a file is that begins with `head`, and what to do; None for text of another kind."""
    for magic, what, hint in FOREIGN:
        if head.startswith(magic):
            return what, hint
    return PROTEINS if holds_proteins(head) else None


def refuse_foreign(path: Path) -> None:
    """Raise InputError if an uncompressed file is known to be of another format."""
    try:
        with open(path, "rb") as stream:
            other = foreign(stream.read(HEAD))
    except OSError:  # whoever opens it says why it cannot be read
        return
    if other:
        raise InputError(path, f"this is {other[0]}", other[1])


def holds_proteins(head: bytes) -> bool:
    """True if the first sequences of a FASTA have the letters of proteins.

    >>> holds_proteins(b">a\\n" + b"MELKPFQ" * 9), holds_proteins(b">FILE\\n" + b"ACGTRYN" * 9)
    (True, False)
    """
    if not head.lstrip().startswith(b">"):
        return False
    letters = b"".join(line for line in head.split(b"\n") if not line.startswith(b">"))
    foreign_letters = sum(letters.count(letter) for letter in _ONLY_IN_PROTEINS)
    return len(letters) >= _FEWEST and foreign_letters > _PROTEIN * len(letters)


def refuse_missing(path: str | os.PathLike[str], is_fasta: bool) -> None:
    """Raise InputError if there is nothing at a path, with what to do; '-' is standard input."""
    if os.fspath(path) == "-":
        return
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(path, "no such file", missing_hint(path, is_fasta)) from error
    except OSError:  # whoever opens it says why it cannot be read
        pass


def missing_hint(path: str | os.PathLike[str], is_fasta: bool) -> str:
    """What to do about a path that does not exist, from what its words may stand for."""
    word = os.fspath(path)
    if "://" in word:
        return "histpred reads files, not addresses: download it first, for example with curl -LO"
    if _ASSEMBLY.fullmatch(word):
        role = "a FASTA of its sequence" if is_fasta else "an annotation file of its genes"
        return f"{word} is the name of an assembly: give {role}. {_how_to_get(word)}"
    if near := _near_file(Path(word)):
        return f"did you mean {near}?"
    if is_fasta:
        return "check the path of the FASTA of the genome"
    if re.fullmatch(r"(chr)?([0-9]{1,2}|[XYM]|MT)", word):
        return f"for a region of a contig, write its start and end: {word}:20,100,000-20,104,000"
    if _GENE.fullmatch(word):
        return (
            "check the path. For genes by name, give the annotation and --genes: "
            f"histpred predict genes.gtf.gz genome.fa --genes {word} -o out"
        )
    return "check the path"


def _how_to_get(assembly: str) -> str:
    """How to get the genome and the annotation of an assembly, or where genomepy has put them."""
    installed = Path.home() / ".local/share/genomes" / assembly / f"{assembly}.fa"
    if installed.exists():
        return f"genomepy has put it into {installed.parent}"
    name = assembly.lower()
    files = _ANY_OTHER
    if name.startswith(("hg19", "grch37", "hs37", "b37")):
        files = _HUMAN_37
    elif name.startswith(("hg38", "grch38")):
        files = _HUMAN_38
    provider = "Ensembl" if name.startswith("grc") else "UCSC"
    return f"Get both: genomepy install {assembly} --provider {provider} --annotation; or {files}"


def _near_file(path: Path) -> str:
    """The file in the same folder whose name is nearest; '' if there is none."""
    try:
        names = [entry.name for entry in os.scandir(path.parent) if entry.is_file()]
    except OSError:
        return ""
    longer = [name for name in names if path.name and name.startswith(path.name)]
    near = longer or difflib.get_close_matches(path.name, names, 1, 0.8)
    return visible_line(str(path.with_name(sorted(near)[0]))) if near else ""
