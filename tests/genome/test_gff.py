"""GTF and GFF3 line by line: coordinates, and rows 29-38 of the malformed corpus."""

from __future__ import annotations

import pytest

from histpred.core.errors import InputError
from histpred.genome.gff import read_gff3, read_gtf
from support.annotations import features, tabbed, write

GTF_ROW = 'chr1 x gene 11 50 . + . gene_id "A"; gene_name "a"; gene_biotype "lncRNA";'
GFF3_ROW = "chr1 x gene 11 50 . + . ID=gene:A;Name=a;biotype=lncRNA"


def gtf(text: str):
    return list(read_gtf("a.gtf", enumerate(tabbed(text).splitlines(), 1)))


def gff3(text: str):
    return list(read_gff3("a.gff3", enumerate(tabbed(text).splitlines(), 1)))


@pytest.mark.parametrize(("read", "row"), [(gtf, GTF_ROW), (gff3, GFF3_ROW)])
def test_coordinates_are_turned_into_half_open_ones_once(read, row):
    (record,) = read(row)
    assert (record.start, record.end, record.strand) == (10, 50, "+")
    assert (record.gene_id, record.name, record.biotype) == ("A", "a", "lncRNA")


def test_lines_of_other_features_are_not_looked_at():
    other = "CDS start_codon stop_codon five_prime_utr UTR Selenocysteine cDNA_match"
    text = "".join(f"chr1 x {kind} 0 0 . ! . whatever\n" for kind in other.split())
    assert gtf(text) == gff3(text) == []


TERMS = {
    "gene": "gene ncRNA_gene pseudogene tRNA_gene transposable_element_gene",
    "exon": "exon pseudogenic_exon noncoding_exon",
    "transcript": """mRNA lnc_RNA miRNA tRNA transcript primary_transcript ncRNA pre_miRNA snoRNA
        pseudogenic_transcript antisense_RNA ribozyme V_gene_segment telomerase_RNA Y_RNA
        unconfirmed_transcript miRNA_primary_transcript""",
    None: "cDNA_match EST_match match region intron five_prime_UTR start_codon",
}


@pytest.mark.parametrize(
    ("feature", "kind"), [(name, kind) for kind, names in TERMS.items() for name in names.split()]
)
def test_sequence_ontology_terms(feature, kind):
    records = gff3(f"chr1 x {feature} 1 9 . + . ID=a")
    assert [record.kind for record in records] == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("chr1 x gene 0 50 . + . {}", "start is 0, but GTF and GFF3 count from 1"),
        ("chr1 x gene 51 50 . + . {}", "start 51 is after end 50"),
        ("chr1 x gene -5 50 . + . {}", "start is not a whole number: '-5'"),
        ("chr1 x gene 1e3 5000 . + . {}", "start is not a whole number: '1e3'"),
        ("chr1 x gene 1 . . + . {}", "end is not a whole number: '.'"),
        (f"chr1 x gene 1 {10**30} . + . {{}}", "past the end of any contig"),
        ("chr1 x gene 1 " + "9" * 5000 + " . + . {}", "past the end of any contig"),
        ("chr1 x gene 1 50 . * . {}", r"strand \(column 7\) is '\*'"),
        ("chr1 x gene 1 50 . +", "7 columns, found 'chr1"),
        ("chr1 x gene 1 50 . + .", "8 columns where GTF and GFF3 have nine"),
        ("chr1 x gene 1 50 . + . {}\tmore", "10 columns where GTF and GFF3 have nine"),
        ("chr1 x gene 1 50 . + . {}\t\tmore", "11 columns where GTF and GFF3 have nine"),
        ("chr1", "1 columns"),
        ("\tx\tgene\t1\t50\t.\t+\t.\t{}", "the contig name is ''"),
    ],
)
@pytest.mark.parametrize(
    ("first", "attributes"), [(GTF_ROW, 'gene_id "B";'), (GFF3_ROW, "ID=B")], ids=["GTF", "GFF3"]
)
def test_a_malformed_row_is_refused_with_its_line(tmp_path, first, attributes, row, message):
    written = row.format(attributes) + "\n"
    written = written if row.startswith("\t") else tabbed(written)
    text = tabbed(f"# comment\n{first}\n") + written + tabbed(first)
    path = write(tmp_path / "genes.txt", text)
    with pytest.raises(InputError, match=message) as caught:
        features(path)
    assert str(caught.value).startswith(f"{path}:3: ")
    assert caught.value.hint


def test_missing_attributes_are_not_called_a_tab_too_many(tmp_path):
    path = write(tmp_path / "genes.gff3", tabbed(f"{GFF3_ROW}\nchr1 x gene 1 50 . + ."))
    with pytest.raises(InputError, match=":2: 8 columns") as caught:
        features(path)
    assert (
        caught.value.hint == "the attributes (column 9) are missing: add them, or remove the line"
    )


@pytest.mark.parametrize(
    ("attributes", "kinds"),
    [
        ("ID=c", ["unknown"]),
        ("ID=c;gene=dnaA", ["unknown"]),
        ("ID=c;Parent=t", ["coding"]),
        ("ID=c;Derives_from=t", ["coding"]),
        ("ID=c;transcript_id=t", ["coding"]),
        (".", []),
    ],
)
def test_a_cds_names_its_transcript_or_is_of_an_unknown_type(attributes, kinds):
    for feature in ("CDS", "SO:0000316"):
        records = gff3(f"chr1 x {feature} 1 9 . + 0 {attributes}")
        assert [record.kind for record in records] == kinds


def test_the_types_of_lines_that_are_not_read_are_told():
    seen: list[str] = []
    lines = tabbed('chr1 x CDS 1 9 . + 0 gene_id "g"\nchr1 x intron 1 9 . + . gene_id "g"')
    rows = enumerate(lines.splitlines(), 1)
    assert [record.feature for record in read_gtf("a.gtf", rows, seen.append)] == ["CDS"]
    lines = tabbed("chr1 x CDS 1 9 . + 0 Parent=g\nchr1 x match 1 9 . + . ID=g")
    rows = enumerate(lines.splitlines(), 1)
    assert [one.feature for one in read_gff3("a.gff3", rows, on_other=seen.append)] == ["CDS"]
    assert seen == ["CDS", "intron", "CDS", "match"]


def test_spaces_in_place_of_tabs(tmp_path):
    for content in (GTF_ROW, GTF_ROW.replace(" ", "\t", 2)):
        with pytest.raises(InputError, match=":1: not tab-delimited"):
            features(write(tmp_path / "genes.gtf", content + "\n"))
