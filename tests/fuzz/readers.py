"""What is fuzzed: the readers of files from users, with seeds and what must hold for any bytes.

A reader is a function of the bytes of a file. It may refuse them with an error of histpred, which
says what to do. Any other exception is a finding, and so is a result that cannot be right.
"""

from __future__ import annotations

import atexit
import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pysam

from histpred.bundle.folder import MANIFEST, SHIPPED, load_bundle, parse_manifest
from histpred.core.errors import HistpredError
from histpred.genome.annotation import open_annotation
from histpred.genome.ledger import COLUMNS, Ledger
from histpred.genome.plan import plan, scorable
from histpred.genome.reference import Reference
from histpred.genome.table import FIELDS, TABLE_HEADER
from histpred.genome.windows import parse_window
from support import random_genome, write_fasta
from support.annotations import tabbed

GENOME = random_genome(random.Random(8), {"chr1": 3000, "sc=1": 200, "chrM": 60})


class Reader(NamedTuple):
    """A reader, files that it accepts or nearly does, and words that its files are made of."""

    read: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    words: tuple[str, ...] = ()

    def refuses(self, content: bytes) -> bool:
        """Read any bytes; True if they are refused, with a reason and what to do."""
        refusal = None
        try:
            self.read(content)
        except HistpredError as error:
            refusal = error
        assert refusal is None or refusal.hint, refusal
        return refusal is not None


@cache
def scratch() -> Path:
    """A private folder, in memory where the machine has such a place."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = tempfile.TemporaryDirectory(dir=memory)
    atexit.register(folder.cleanup)
    return Path(folder.name)


@cache
def reference() -> Reference:
    folder = scratch() / "genome"
    folder.mkdir()
    return Reference(write_fasta(folder / "genome.fa", GENOME), folder)


def read_annotation(content: bytes) -> None:
    """Plan the windows of an annotation; each row must be in the ledger once, and on its contig."""
    path = scratch() / "rows"
    path.write_bytes(content)
    # Alternate between the kinds, so that one input reaches most of the code.
    for kind in ("interval", "spliced") if len(content) % 2 else ("promoter:50:20", "body"):
        spec = parse_window(kind)
        with (
            open_annotation(path, scratch(), spec.kind, None, ()) as annotation,
            Ledger(scratch()) as ledger,
        ):
            plan(annotation, reference(), spec, len(content) % 3 == 0, ledger)
            windows = [row.window for batch in scorable(ledger, reference(), spec) for row in batch]
            for window in windows:
                assert 0 <= window.start < window.end <= len(GENOME[window.chrom])
            assert len(windows) + sum(ledger.skipped.values()) == ledger.rows
            ledger.write(scratch() / "ledger.tsv")
            rows = (scratch() / "ledger.tsv").read_text(encoding="utf-8").split("\n")[:-1]
            assert len(rows) == ledger.rows + 1
            assert {row.count("\t") for row in rows} == {len(COLUMNS) - 1}


def read_fasta_index(content: bytes) -> None:
    """Read a genome beside this .fai; whatever is in it, the sequences are those of the FASTA."""
    path = index_folder() / "genome.fa"
    Path(f"{path}.fai").write_bytes(content)
    _same_genome(path)


def read_block_index(content: bytes) -> None:
    """Read a bgzip genome beside this .gzi; its blocks are small, so that it has many."""
    path = index_folder() / "blocks.fa.gz"
    Path(f"{path}.gzi").write_bytes(content)
    _same_genome(path)


def _same_genome(path: Path) -> None:
    with Reference(path, scratch() / "private") as found:
        assert found.lengths == {name: len(bases) for name, bases in GENOME.items()}
        for name, bases in GENOME.items():
            assert found.fetch(name, 0, len(bases)).decode() == bases


@cache
def index_folder() -> Path:
    """A folder with a plain and a bgzip FASTA, each with its index, older than what is fuzzed."""
    folder = scratch() / "indexed"
    folder.mkdir()
    plain = write_fasta(folder / "genome.fa", GENOME)
    with pysam.BGZFile(str(folder / "blocks.fa.gz"), "wb") as target:
        for line in plain.read_bytes().splitlines(keepends=True):
            target.write(line)
            target.flush()
    for path in (plain, folder / "blocks.fa.gz"):
        os.utime(path, (1e9, 1e9))
        pysam.faidx(str(path))
    return folder


def read_manifest(content: bytes) -> None:
    """Read a bundle.json; if it is valid, load a bundle with it."""
    parse_manifest(content, Path(MANIFEST))
    folder = scratch() / "bundle"
    if not folder.exists():
        shutil.copytree(SHIPPED / "human-promoter", folder)
    (folder / MANIFEST).write_bytes(content)
    load_bundle(folder)


def _bed(*rows: str) -> bytes:
    return tabbed("\n".join(rows), columns=99).encode()


def _table(**values: str) -> bytes:
    """A table of windows with one row."""
    usual = {"chrom": "chr1", "start": "5", "end": "90", "name": "a", "strand": "-"}
    usual |= {"gene_id": "g", "biotype": "b", "blocks": "."}
    row = "\t".join((usual | values).get(field, "0") for field in FIELDS)
    return f"{TABLE_HEADER}\n{row}\n".encode()


BED = (
    b"",
    b"# comment\ntrack name=x\nbrowser position chr1\n\n",
    _bed("chr1 100 200"),
    _bed("chr1 100 200 a 0 +", "sc=1 10 90 b 0 -", "chr9 1 2 c 0 ."),
    _bed("chr1 100 200 a 0 + 100 200 0 2 10,20, 0,80,"),
    _bed("chr1 100 200 a 0 + 7.5 -1 3.2 50"),
    _bed("chr1 100 200 EH1 EH2 pELS"),
    _table(blocks="5-20,70-90"),
    _table(blocks="5-20,70-90").replace(b"\n", b"\ttranscript\n", 1),
    _table(blocks="-50-300") + _table(chrom="chrM", strand=".")[len(TABLE_HEADER) + 1 :],
)
GTF = tuple(
    tabbed(text).encode()
    for text in (
        'chr1 x gene 101 200 . + . gene_id "G"; gene_name "a;b"; gene_biotype "lncRNA";',
        """chr1 x transcript 101 200 . + . gene_id "G"; transcript_id "T1";
           chr1 x exon 101 150 . + . gene_id "G"; transcript_id "T1";
           chr1 x exon 181 200 . + . gene_id "G"; transcript_id "T1";""",
        """chr1 x exon 101 150 . + . gene_id 'G'; transcript_id 'T';
           sc=1 x exon 161 200 . - . gene_id 'G'; transcript_id 'T';""",
        """chr1 x gene 11 60 . + . g1
           chr1 x transcript 11 60 . + . g1.t1
           chr1 x exon 11 60 . + . transcript_id "g1.t1"; gene_id "g1";""",
        'chr1 x gene 1 9 . ? . gene_id "";\nchr1 x gene 1 9 . + . gene_id "G"; note "x',
    )
)
GFF3 = tuple(
    tabbed(text).encode()
    for text in (
        """##gff-version 3
           ##species https://www.ncbi.nlm.nih.gov/Taxonomy/Browser/wwwtax.cgi?id=7227
           #!genome-build A 1
           chr1 x region 1 3000 . + . ID=chr1;Is_circular=true;genome=chromosome;chromosome=1
           chr1 x ncRNA_gene 101 200 . + . ID=gene:G%3B1;Name=a%20b
           chr1 x lnc_RNA 101 200 . + . ID=transcript:T1;Parent=gene:G%3B1
           chr1 x exon 101 150 . + . Parent=transcript:T1,transcript:T2
           ##FASTA
           >chr1
           ACGT""",
        """sc%3D1 x gene 1 90 . - . ID = "g;1" ; Name = x
           chr1 x pseudogene 1 90 . . . ID=p;Parent=p
           chr1 x miRNA 1 90 . ? . ID=m;Derives_from=p""",
        "chr1 x gene 101 4000 . + . ID=G;biotype=lncRNA\nchr1 x rRNA 1 9 . + . Name=16S_rRNA",
    )
)
FEATURES = ("gene", "transcript", "exon", "mRNA", "lnc_RNA", "CDS", "region", "pseudogene", "tRNA")
ROW = ("\t", "\n", "\r\n", "chr1", "sc=1", "sc%3D1", "chrM", ".", "+", "-", "?", "0", "2147483647")
COMPRESSED = ("\x1f\x8b\x08", "\ufeff", "#", "##", ">", "##FASTA", "##gff-version 3", "track ")
KEYS = ("ID=", "Parent=", "Name=", "Derives_from=", "biotype=", "gene_id ", "transcript_id ", "%3B")


def fasta_index_seeds() -> tuple[bytes, ...]:
    """The .fai of the genome, and ones that nearly fit."""
    text = Path(f"{index_folder() / 'genome.fa'}.fai").read_bytes()
    return text, text.replace(b"3000", b"2999"), text.replace(b"60\t61", b"61\t62"), text[:-20]


def block_index_seeds() -> tuple[bytes, ...]:
    """The .gzi of the bgzip genome, and one that is cut short."""
    index = Path(f"{index_folder() / 'blocks.fa.gz'}.gzi").read_bytes()
    return index, index[:-8]


def manifest_seeds() -> tuple[bytes, ...]:
    """The manifests of the shipped bundles, without most of their long lists."""
    seeds = []
    for path in sorted(SHIPPED.glob(f"*/{MANIFEST}")):
        fields = json.loads(path.read_bytes())
        marks = [{**mark, "calibration": {"slope": 1, "intercept": 0}} for mark in fields["marks"]]
        known = {mark["name"]: 0.5 for mark in marks[:2]}
        fields |= {"marks": marks[:2], "metrics": {}, "interval": None}
        fields["species"]["chromosome_lengths"] = {"a": [5, 3]}
        fields["known_answer"] = {"sequence": "ACGTN", "probabilities": known}
        seeds.append(json.dumps(fields).encode())
    return tuple(seeds)


def control(content: bytes) -> None:
    """A reader with a fault, which the fuzzer must find: a name of three letters."""
    if len(content) > 2 and content[0] == ord("c") and content[1] == ord("h"):
        raise ValueError("not an error of histpred")


READERS: dict[str, Callable[[], Reader]] = {
    "bed": lambda: Reader(read_annotation, BED, (*ROW, *COMPRESSED, TABLE_HEADER, "10,20,")),
    "gtf": lambda: Reader(read_annotation, GTF, (*ROW, *COMPRESSED, *FEATURES, *KEYS, '"')),
    "gff3": lambda: Reader(read_annotation, GFF3, (*ROW, *COMPRESSED, *FEATURES, *KEYS, ";")),
    "fasta-index": lambda: Reader(read_fasta_index, fasta_index_seeds(), ROW),
    "block-index": lambda: Reader(read_block_index, block_index_seeds()),
    "manifest": lambda: Reader(
        read_manifest, manifest_seeds(), ('"', "{", "}", "[", "]", "null", "NaN", "1e999", '"..')
    ),
}
