"""E4 1-40 of the field's reference: annotations that are odd or wrong.

Each row: its number, a name, what the file holds, and what must come of it. Windows are of kind
`body` unless a row says otherwise, so that a scored row stands where the file says.
"""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import threading
from pathlib import Path

import pysam
import pytest

from support.annotations import tabbed
from support.command_line import histpred, process, read_scores
from support.extraction import read_fasta, read_ledger
from support.synthetic import reverse_complement


def bed(*rows: str) -> str:
    return tabbed("\n".join(rows), columns=99)


def gff(text: str) -> str:
    return tabbed(text)


def bgzip(content: bytes, folder: Path) -> bytes:
    with pysam.BGZFile(str(folder / "block"), "wb") as target:
        target.write(content)
    compressed = (folder / "block").read_bytes()
    (folder / "block").unlink()
    return compressed


GOOD = "chr1 100 200 good 0 +"
A, B = "chr1:100-200(+) good", "chr2:10-90(-) b"
GENE = 'chr1 x gene 101 200 . + . gene_id "G";'
GFF3 = "chr1 x gene 101 200 . + . ID=G"
LONG = "n" * 10_000

# fmt: off
ACCEPTED = [
    # E4, name, content, options, rows that come out, words on standard error
    (1, "empty", "", [], [], "holds no row: the outputs are empty"),
    (2, "only comments", "# a\n#b\ntrack name=x\nbrowser position chr1\n\n", [], [],
     "holds no row: the outputs are empty"),
    (3, "one row", bed(GOOD), [], [A], ""),
    (4, "CRLF", bed(GOOD, "chr2 10 90 b 0 -").replace("\n", "\r\n"), [], [A, B], ""),
    (4, "no last line end", bed(GOOD).rstrip(), [], [A], ""),
    (7, "byte order mark", "\ufeff" + bed(GOOD), [], [A], ""),
    (11, "zero length", bed(GOOD, "chr1 5 5 none 0 +"), [], [A, "zero-length none"],
     "skipped: zero-length 1"),
    (14, "ends with the contig", bed("chr1 2900 3000 a 0 -"), [], ["chr1:2900-3000(-) a"], ""),
    (15, "ends one past the contig", bed("chr1 2900 3001 a 0 -"), [], ["chr1:2900-3000(-) a"],
     "1 row ends past its contig and was clipped: a (line 1)"),
    (16, "starts past the contig", bed(GOOD, "chr1 3000 3010 far 0 +"), [],
     [A, "outside-the-contig far"], "skipped: outside-the-contig 1"),
    (17, "one unknown contig", bed(GOOD, "chr9 1 9 lost 0 +"), [], [A, "unknown-contig lost"],
     "1 row lies on a contig that {fasta} does not have: chr9"),
    (18, "BED3", bed("chr1 100 200"), ["--window", "interval"],
     ["chr1:100-200(.) chr1:100-200"], ""),
    (18, "BED4", bed("chr1 100 200 good"), ["--unstranded"], ["chr1:100-200(.) good"], ""),
    (18, "BED5", bed("chr1 100 200 good 0"), ["--unstranded"], ["chr1:100-200(.) good"], ""),
    (18, "BED8", bed(f"{GOOD} 100 200"), [], [A], ""),
    (18, "BED9", bed(f"{GOOD} 100 200 255,0,0"), [], [A], ""),
    (18, "BED12", bed(f"{GOOD} 100 200 0 2 10,20, 0,80,"), [], [A], ""),
    (18, "BED12 spliced", bed(f"{GOOD} 100 200 0 2 10,20, 0,80,"), ["--window", "spliced"],
     [A], ""),
    (18, "narrowPeak", bed(f"{GOOD} 7.5 -1 3.2 50"), [], [A], ""),
    (20, "no strand, --unstranded", bed("chr1 100 200 a 0 ."), ["--unstranded"],
     ["chr1:100-200(.) a"], ""),
    (20, "no strand, interval", bed("chr1 100 200 a 0 ."), ["--window", "interval"],
     ["chr1:100-200(.) a"], ""),
    (21, "the same row twice", bed(GOOD, GOOD), [], [A, A], ""),
    (21, "the same name twice", bed(GOOD, "chr2 10 90 good 0 -"), [],
     [A, "chr2:10-90(-) good"], ""),
    (22, "unsorted", bed("chr2 10 90 b 0 -", "chr1 500 600 c 0 +", GOOD), [],
     [A, "chr1:500-600(+) c", B], ""),
    (23, "odd names", "".join(f"chr1\t{i}\t{i + 50}\t{name}\t0\t+\n" for i, name in
     enumerate(["a b", "'\"", "x;y", "β-ä", "a\\tb", "NA", "nul\x01", LONG])), [],
     [f"chr1:{i}-{i + 50}(+) {name}" for i, name in
      enumerate(["a b", "'\"", "x;y", "β-ä", "a\\tb", "NA", "nul ", LONG[:255]])], ""),
    (24, "score NA", bed("chr1 100 200 good NA +"), [], [A], ""),
    (30, "GTF without exons", gff(GENE), [], ["chr1:100-200(+) G"], ""),
    (30, "GTF without exons, spliced",
     gff(f"""{GENE}
             chr1 x transcript 101 200 . + . gene_id "G"; transcript_id "T1";
             chr1 x transcript 101 200 . + . gene_id "G"; transcript_id "T2";
             chr1 x exon 101 150 . + . gene_id "G"; transcript_id "T2";"""),
     ["--window", "spliced"], ["chr1:100-150(+) T2", "no-exon-lines T1"], "no-exon-lines 1"),
    (31, "NCBI: empty transcript_id",
     gff("""chr1 x gene 101 200 . + . gene_id "G"; transcript_id "";
            chr1 x transcript 101 190 . + . gene_id "G"; transcript_id "T";
            chr1 x exon 101 190 . + . gene_id "G"; transcript_id "T";"""),
     [], ["chr1:100-200(+) G"], ""),
    (31, "NCBI: empty transcript_id, by transcript",
     gff("""chr1 x gene 101 200 . + . gene_id "G"; transcript_id "";
            chr1 x transcript 101 190 . + . gene_id "G"; transcript_id "T";
            chr1 x transcript 101 180 . + . gene_id "G"; transcript_id "";"""),
     ["--by", "transcript"], ["chr1:100-190(+) T", "no-id G"], "no-id 1"),
    (32, "no gene_name", gff(GENE), [], ["chr1:100-200(+) G"], ""),
    (32, "gene_name", gff(GENE + ' gene_name "Xist";'), [], ["chr1:100-200(+) Xist"], ""),
    (33, "semicolon in quotes", gff('chr1 x gene 101 200 . + . note "a; gene_id b"; gene_id "G"'),
     [], ["chr1:100-200(+) G"], ""),
    (33, "single quotes", gff("chr1 x gene 101 200 . + . gene_id 'G'"), [],
     ["chr1:100-200(+) G"], ""),
    (34, "exons on two strands",
     gff("""chr1 x exon 101 150 . + . gene_id "G"; transcript_id "T"; exon_number 1;
            chr1 x exon 161 200 . - . gene_id "G"; transcript_id "T"; exon_number 2;
            chr1 x exon 301 400 . + . gene_id "H"; transcript_id "U";"""),
     ["--window", "spliced"],
     ["chr1:300-400(+) U", "exons-on-two-strands-or-contigs T"],
     "exons-on-two-strands-or-contigs 1"),
    (34, "exons on two contigs",
     gff("""chr1 x exon 101 150 . + . gene_id "G"; transcript_id "T"; exon_number 1;
            chr2 x exon 161 200 . + . gene_id "G"; transcript_id "T"; exon_number 2;
            chr1 x exon 301 400 . + . gene_id "H"; transcript_id "U";"""),
     ["--by", "transcript"],
     ["chr1:300-400(+) U", "exons-on-two-strands-or-contigs T"], ""),
    (34, "exons of one ID at two loci",
     gff("""chr1 x exon 101 150 . + . gene_id "G"; transcript_id "T";
            chr1 x exon 161 200 . - . gene_id "G"; transcript_id "T";"""),
     [], ["chr1:100-150(+) G", "chr1:160-200(-) G"], ""),
    (34, "an exon outside its transcript",
     gff("""chr1 x transcript 600 1000 . + . gene_id "G"; transcript_id "T";
            chr1 x exon 900 1000 . + . gene_id "G"; transcript_id "T";
            chr1 x exon 500 600 . + . gene_id "G"; transcript_id "T";
            chr1 x exon 301 400 . + . gene_id "H"; transcript_id "U";"""),
     ["--window", "spliced"], ["chr1:300-400(+) U", "exons-outside-the-transcript T"],
     "exons-outside-the-transcript 1"),
    (31, "GFF3 without IDs",
     gff("""chr1 barrnap rRNA 101 200 0 + . Name=16S_rRNA;product=x
            chr1 tRNAscan-SE tRNA 301 400 . - . locus_tag=L_1
            chr1 Prokka gene 501 600 . + . note=x"""),
     [], ["chr1:100-200(+) 16S_rRNA", "chr1:300-400(-) L_1", "chr1:500-600(+) chr1:500-600"], ""),
    (37, "GFF3: one exon of two transcripts",
     gff("""##gff-version 3
            chr1 x ncRNA_gene 101 200 . + . ID=gene:G%3B1;Name=a%20b
            chr1 x lnc_RNA 101 200 . + . ID=transcript:T1;Parent=gene:G%3B1
            chr1 x lnc_RNA 101 180 . + . ID=transcript:T2;Parent=gene:G%3B1
            chr1 x exon 101 150 . + . Parent=transcript:T1,transcript:T2
            chr1 x exon 161 180 . + . Parent=transcript:T2
            ##FASTA
            >chr1
            ACGT"""),
     ["--window", "spliced"], ["chr1:100-150(+) T1", "chr1:100-180(+) T2"], ""),
    (37, "GFF3: percent signs in a gene's name",
     gff("chr1 x ncRNA_gene 101 200 . + . ID=gene:G%3B1;Name=a%20b%09c"), [],
     ["chr1:100-200(+) a b c"], ""),
    (37, "GFF3: Parent that is not there",
     gff("""chr1 x lnc_RNA 101 200 . + . ID=T;Parent=G
            chr1 x exon 101 200 . + . Parent=T"""),
     [], ["chr1:100-200(+) G"], ""),
]

REST = "chr1:100-200(.) good"
ACCEPTED += [
    (13, "ENCODE cCREs", bed("chr1 100 200 good EH1 pELS"), ["--window", "interval"], [REST], ""),
    (13, "IDR", bed(f"{GOOD[:-1]}. 7.5 1.2 3.2 50 4.1 1.9 100 200 9 50 100 200 9 50"),
     ["--unstranded"], [REST], ""),
    (13, "bedMethyl", bed(f"{GOOD} 100 200 255,0,0 10 90.00 9 1 0 0 0 0 0"), [], [A], ""),
    (13, "intersect -wa -wb", bed(f"{GOOD} chr1 50 150 peak 9 ."), [], [A], ""),
    (13, "intersect -wa -wb of BED3", bed("chr1 100 200 chr1 50 150"), ["--window", "interval"],
     ["chr1:100-200(.) chr1"], ""),
    (13, "blocks that are no blocks", bed(f"{GOOD} 100 200 0 2 50,60, 0,40,"), [], [A], ""),
    (15, "a tab after the ninth column, GTF", gff(GENE).replace("\n", "\t\n"), [],
     ["chr1:100-200(+) G"], ""),
    (15, "a tab after the ninth column, GFF3", gff(GFF3).replace("\n", "\t \t\n"), [],
     ["chr1:100-200(+) G"], ""),
]

REFUSED = [
    # E4, name, content, options, words
    (5, "CR only", bed(GOOD, GOOD).replace("\n", "\r"), [],
     "{file}:1: lines end in CR only | tr '\\r' '\\n'"),
    (6, "spaces for tabs", f"{GOOD}\n", [], "{file}:1: not tab-delimited | tr -s ' ' '\\t'"),
    (6, "spaces for tabs, GTF", f"{GENE}\n", [],
     "{file}:1: not tab-delimited | separate the nine columns with tabs"),
    (8, "UTF-16", bed(GOOD).encode("utf-16"), [], "{file}: this is UTF-16 text | iconv"),
    (8, "UTF-16 without mark", bed(GOOD).encode("utf-16-le"), [], "{file}: not text | UTF-8"),
    (8, "Latin-1", bed(GOOD).encode() + b"chr1\t1\t9\t\xe4\t0\t+\n", [],
     "{file}:2: not UTF-8 text (byte 0xe4) | iconv"),
    (9, "negative start", bed(GOOD, "chr1 -1 9 a 0 +"), [],
     "{file}:2: start is -1 | BED coordinates start at 0"),
    (9, "negative start in line 1", bed("chr1 -1 9 a 0 +"), [], "{file}:1: start is -1"),
    (10, "start after end", bed(GOOD, "chr1 9 5 a 0 +"), [], "{file}:2: start 9 is after end 5"),
    (11, "zero length only", bed("chr1 5 5 a 0 +"), [],
     "{file}: its only row cannot be scored: zero-length 1"),
    (12, "1e6", bed(GOOD, "chr1 1e6 2e6 a 0 +"), [],
     "{file}:2: start is not a whole number: '1e6'"),
    (12, "1.0", bed(GOOD, "chr1 1.0 9 a 0 +"), [], "{file}:2: start is not a whole number: '1.0'"),
    (12, "a dot", bed(GOOD, "chr1 1 . a 0 +"), [], "{file}:2: end is not a whole number: '.'"),
    (12, "a header line", "chrom\tstart\tend\n" + bed("chr1 1 9"), [],
     "{file}:1: neither BED, GTF nor GFF3: 'chrom\\tstart\\tend' "
     "| a header line must begin with '#'"),
    (12, "digits that are not ASCII", bed(GOOD, "chr1 \u0661 \u0669 a 0 +"), [],
     "{file}:2: start is not a whole number: '\u0661'"),
    (13, "beyond 2^31", bed(GOOD, f"chr1 1 {2**31} a 0 +"), [], f"{{file}}:2: end {2**31} is past"),
    (15, "all past the contig", bed("chr1 3000 3001 a 0 +"), [],
     "its only row cannot be scored: outside-the-contig 1"),
    (17, "no known contig", bed("7 1 9 a 0 +", "8 1 9 a 0 +", "9 1 9 a 0 +", "X 1 9 a 0 +"), [],
     "{file}: none of its contigs is in {fasta}: 7, 8, 9 and 1 more here, chr1, chr2 there"),
    (18, "ragged columns", bed(GOOD, "chr1 1 9"), [],
     "{file}:2: 3 columns where the rows before have 6"),
    (18, "two columns", "chr1\t100\n", [], "{file}:1: 2 column(s)"),
    (19, "blocks overlap", bed(f"{GOOD} 100 200 0 2 50,60, 0,40,"), ["--window", "spliced"],
     "{file}:1: the blocks overlap or are not in order"),
    (19, "blocks unsorted", bed(f"{GOOD} 100 200 0 3 10,10,20 0,60,30"), ["--window", "spliced"],
     "{file}:1: the blocks do not span"),
    (19, "blocks do not span", bed(f"{GOOD} 100 200 0 1 50, 0,"), ["--window", "spliced"],
     "{file}:1: the blocks do not span the row from start to end"),
    (19, "blockCount differs", bed(f"{GOOD} 100 200 0 3 10,20, 0,80,"), ["--window", "spliced"],
     "{file}:1: blockCount is 3, but there are 2 sizes and 2 starts"),
    (20, "no strand", bed(*["chr1 1 9 a 0 ."] * 5), [],
     "{file}: 5 of 5 rows have no strand, which body windows need: a (line 1), a (line 2), "
     "a (line 3) and 2 more | --unstranded"),
    (20, "strand 1", bed("chr1 1 9 a 0 1"), [], "{file}:1: strand (column 6) is '1'"),
    (20, "no strand in column 6, spliced", bed(f"{GOOD[:-1]}pELS"), ["--window", "spliced"],
     "{file}:1: strand (column 6) is 'pELS'"),
    (38, "GTF after GFF3", gff(GFF3) + gff(GENE), [],
     "{file}:2: attributes of a GTF (key \"value\") after those of a GFF3 (key=value): 'gene_id"),
    (38, "GFF3 after GTF", gff(GENE) + gff(GFF3), [],
     "{file}:2: attributes of a GFF3 (key=value) after those of a GTF"),
    (29, "GTF start 0", gff(GENE.replace("101", "0")), [],
     "{file}:1: start is 0, but GTF and GFF3 count from 1"),
    (29, "GTF start after end", gff(GENE.replace("101", "201")), [],
     "{file}:1: start 201 is after end 200"),
    (30, "GTF without any exon, spliced", gff(GENE.replace("gene ", "transcript ", 1)
     + ' transcript_id "T";'), ["--window", "spliced"],
     "{file}: its only row cannot be scored: no-exon-lines 1"),
    (33, "tab in the attributes", gff(GENE) + gff(GENE).replace('"G"', '"G\t"'), [],
     "{file}:2: 10 columns where GTF and GFF3 have nine"),
    (33, "tab in the attributes of line 1", gff(GENE).replace('"G"', '"G\tx"'), [],
     "{file}:1: 10 columns where GTF and GFF3 have nine"),
    (33, "GTF cut short", gff(GENE) + "chr1\tx\tge", [], "{file}:2: 3 columns"),
    (39, "wrong assembly", gff(GENE.replace("200", "9000") + "\n" + GENE), [],
     "{file}: 1 of 2 rows ends past its contig in {fasta}: G (line 1) | wrong assembly?"),
    (12, "a number of 5,000 digits", bed(GOOD, f"chr1 1 {'9' * 5000} a 0 +"), [], "{file}:2: "),
    (12, "a number of 5,000 digits, GTF", gff(GENE.replace("200", "9" * 5000)), [], "{file}:1: "),
    (13, "beyond 2^63, GTF", gff(GENE.replace("200", "9" * 20)), [], "{file}"),
    (39, "no genes", gff('chr1 x CDS 1 9 . + 0 gene_id "G";'), [],
     "{file}: a GTF without a gene, transcript or exon line"),
]
# fmt: on


def ids(rows):
    return [f"{row[0]:02d} {row[1]}" for row in rows]


@pytest.mark.parametrize("row", ACCEPTED, ids=ids(ACCEPTED))
def test_accepted(row, folder, predicted):
    _, _, content, options, expected, words = row
    annotation, fasta = folder / "input" / "rows.bed", folder / "input" / "genome.fa"
    annotation.write_text(content, encoding="utf-8", newline="")
    options = options if "--window" in options else ["--window", "body", *options]
    assert predicted(annotation, fasta, *options, words=(words.format(fasta=fasta),)) == expected


WAYS = [
    (verb, row)
    for row in REFUSED
    for verb in ("predict", "windows")
    # Where every row is skipped, windows writes the empty table and the ledger that says why.
    if verb == "predict" or "be scored" not in row[-1]
]


@pytest.mark.parametrize(("verb", "row"), WAYS, ids=[f"{r[0]:02d} {r[1]}, {v}" for v, r in WAYS])
def test_refused(row, verb, folder, refused):
    _, _, content, options, words = row
    annotation, fasta = folder / "input" / "rows.bed", folder / "input" / "genome.fa"
    annotation.write_bytes(content if isinstance(content, bytes) else content.encode())
    options = options if "--window" in options else ["--window", "body", *options]
    out = folder / ("out" if verb == "predict" else "out.tsv")
    words = words.format(file=annotation, fasta=fasta).split(" | ")
    refused(verb, annotation, fasta, "-o", out, *options, words=tuple(words))


# fmt: off
USAGE = [
    (GENE + ' gene_biotype "lncRNA";', ["--biotype", "miRNA"],
     "no gene of {file} has the biotype miRNA | it has: lncRNA"),
    (GENE, ["--biotype", "miRNA"], "{file} states no biotype"),
    (bed(GOOD), ["--biotype", "miRNA"], "{file} is a BED, which has no biotypes"),
]
# fmt: on


@pytest.mark.parametrize(("content", "options", "words"), USAGE)
def test_options_that_do_not_fit_the_annotation(content, options, words, folder, refused):
    annotation = folder / "input" / "rows.bed"
    annotation.write_text(content if content.startswith("chr1\t") else gff(content))
    fasta, words = folder / "input" / "genome.fa", words.format(file=annotation).split(" | ")
    refused(
        "predict", annotation, fasta, "-o", folder / "out", *options, code=2, words=tuple(words)
    )


@pytest.mark.parametrize("end", [3001, 2999], ids=["15 past the contig", "15 within"])
def test_strict(end, folder):
    annotation, out = folder / "rows.bed", folder / "out"
    annotation.write_text(bed(f"chr1 2900 {end} a 0 +"))
    done = histpred("predict", annotation, folder / "input" / "genome.fa", "-o", out, "--strict")
    assert done.code == (3 if end > 3000 else 0)
    assert ("0 rows were skipped and 1 ends past its contig" in done.err) is (end > 3000)
    (row,) = read_ledger(out / "ledger.tsv")
    assert row["status"] == "scored"
    assert ("ends 1 bp past the contig" in row["note"]) is (end > 3000)


def test_23_a_name_that_was_changed_says_so_in_the_ledger(folder):
    (folder / "rows.bed").write_text(bed(GOOD, f"chr1 1 90 {LONG} 0 +"))
    arguments = ("windows", folder / "rows.bed", folder / "input" / "genome.fa")
    assert histpred(*arguments, "-o", folder / "out.tsv").code == 0
    notes = [row["note"] for row in read_ledger(folder / "out.tsv.ledger.tsv")]
    assert "name shortened" in notes[1]
    assert "name" not in notes[0]


COMPRESSIONS = {"gzip": lambda content, folder: gzip.compress(content), "bgzip": bgzip}


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("lost", [0.6, 0.02], ids=["most", "the tail"])
def test_25_truncated(compression, lost, folder, refused):
    content = COMPRESSIONS[compression](bed(*[GOOD] * 5000).encode(), folder)
    path = folder / "input" / "rows.bed.gz"
    path.write_bytes(content[: -int(len(content) * lost)])
    words = (f"{path}", "truncated", "download or copy the file again")
    refused("predict", path, folder / "input" / "genome.fa", "-o", folder / "out", words=words)


def test_25_damaged_in_the_middle(folder, refused):
    content = bytearray(gzip.compress(os.urandom(4000).hex().encode() + b"\n"))
    content[2000:2100] = bytes(100)
    (folder / "input" / "rows.bed.gz").write_bytes(content)
    arguments = (folder / "input" / "rows.bed.gz", folder / "input" / "genome.fa")
    refused("predict", *arguments, "-o", folder / "out", words=("truncated or damaged",))


@pytest.mark.parametrize("name", ["rows.bed", "rows.bed.gz", "rows.gtf", "rows"])
@pytest.mark.parametrize("compression", [None, "gzip", "bgzip"])
def test_26_content_counts_not_the_suffix(name, compression, folder, predicted):
    content = bed(GOOD).encode()
    (folder / name).write_bytes(
        COMPRESSIONS[compression](content, folder) if compression else content
    )
    rows = predicted(folder / name, folder / "input" / "genome.fa", "--window", "body")
    assert rows == [A]


# fmt: off
DIALECTS = [
    ("rows.gtf", "chr1 x ncRNA_gene 101 200 . + . ID=gene:G;biotype=lncRNA", "GFF3"),
    ("rows.gff3", GENE, "GTF"),
    ("rows.bed", GENE, "GTF"),
    ("rows.gtf", GOOD, "BED6"),
]
# fmt: on


@pytest.mark.parametrize(("name", "row", "dialect"), DIALECTS)
def test_38_the_dialect_is_told_by_content(name, row, dialect, folder, predicted):
    (folder / name).write_text(bed(row) if row == GOOD else gff(row))
    rows = predicted(folder / name, folder / "input" / "genome.fa", "--window", "body")
    assert [re.sub(" .*", "", row) for row in rows] == ["chr1:100-200(+)"]
    assert f'"format": "{dialect}"' in (folder / "out" / "run.json").read_text()


def test_27_standard_input_in_process(folder, predicted):
    fasta = folder / "input" / "genome.fa"
    assert predicted("-", fasta, "--window", "body", stdin=bed(GOOD).encode()) == [A]


def test_27_a_broken_line_of_standard_input_is_named(folder, refused):
    fasta = folder / "input" / "genome.fa"
    arguments = ("predict", "-", fasta, "-o", folder / "out")
    refused(*arguments, stdin=b"chr1\t9\t5\n", words=("<stdin>:1: start 9 is after end 5",))


@pytest.mark.parametrize("way", ["-", "/dev/stdin", "/dev/fd/0"])
def test_27_a_pipe(way, folder):
    out, compressed = folder / "out", gzip.compress(bed(GOOD).encode())
    (folder / "rows.gz").write_bytes(compressed)
    with subprocess.Popen(["cat", folder / "rows.gz"], stdout=subprocess.PIPE) as source:
        fasta = folder / "input" / "genome.fa"
        done = process("windows", way, fasta, "-o", folder / "out.tsv", stdin=source.stdout)
    assert done.code == 0, done.err
    assert len((folder / "out.tsv").read_text().splitlines()) == 2
    assert not out.exists()


def test_27_a_fifo(folder, predicted):
    pipe = folder / "input" / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=[bed(GOOD)])
    writer.start()
    assert predicted(pipe, folder / "input" / "genome.fa", "--window", "body") == [A]
    writer.join()


# fmt: off
PATHS = [
    (28, "input", "{path}: is a directory | give a file"),
    (41, "nothing.bed", "{path}: no such file | check the path"),
    (26, "genome.fa", "{path}: this is a FASTA file | are the two swapped?"),
    (26, "rows.bam", "{path}: not text"),
    (26, "page.bed", "{path}: this is a web page or XML"),
    (26, "x.vcf", "{path}: this is a VCF file"),
]
# fmt: on


@pytest.mark.parametrize(("number", "name", "words"), PATHS)
def test_what_is_no_annotation(number, name, words, folder, refused):
    inputs = folder / "input"
    (inputs / "rows.bam").write_bytes(bgzip(b"BAM\1" + bytes(60), folder)[:-28])
    (inputs / "page.bed").write_text("<!DOCTYPE html>\n")
    (inputs / "x.vcf").write_text("##fileformat=VCFv4.2\n")
    path = inputs if name == "input" else inputs / name
    words = tuple(words.format(path=path).split(" | "))
    if name == "rows.bam":
        words = (str(path), "a BAM file")
    refused("predict", path, inputs / "genome.fa", "-o", folder / "out", words=words)


EXONS = [(101, 150), (201, 250), (301, 340)]


def spliced(folder: Path, strand: str, exons: list[tuple[int, int]]) -> str:
    """The sequence that histpred makes of a transcript with these exons, in this order."""
    rows = [
        f'chr1 x exon {first} {last} . {strand} . gene_id "G"; transcript_id "T";'
        for first, last in exons
    ]
    (folder / "rows.gtf").write_text(gff("\n".join(rows)))
    arguments = (folder / "rows.gtf", folder / "input" / "genome.fa", "--window", "spliced")
    assert histpred("windows", *arguments, "-o", folder / "out.fa", "--overwrite").code == 0
    ((_, sequence),) = read_fasta((folder / "out.fa").read_text())
    return sequence


@pytest.mark.parametrize("strand", "+-")
@pytest.mark.parametrize(
    "exons",
    [
        EXONS,
        EXONS[::-1],
        [*EXONS, EXONS[1]],
        [*EXONS, (210, 250)],
        [(101, 120), (121, 150), *EXONS],
    ],
    ids=["35 ascending", "35 descending", "36 duplicate", "36 overlapping", "36 adjacent"],
)
def test_exons_in_any_order_and_overlapping_make_one_transcript(strand, exons, folder, genome):
    joined = "".join(genome["chr1"][first - 1 : last] for first, last in EXONS)
    expected = joined if strand == "+" else reverse_complement(joined)
    assert spliced(folder, strand, exons) == expected


def test_a_plain_case_scores_as_it_always_does(folder, predicted):
    """The control: the checks of this folder can fail."""
    (folder / "rows.bed").write_text(bed(GOOD))
    rows = predicted(folder / "rows.bed", folder / "input" / "genome.fa", "--window", "body")
    assert rows == [A] != [B]
    with pytest.raises(AssertionError):
        predicted(folder / "rows.bed", folder / "no.fa", "--overwrite")
    assert len(read_scores(folder / "out" / "scores.tsv.gz").rows) == 1
