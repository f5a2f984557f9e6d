"""What is a gene and what a transcript: by Parent, by exons, by place."""

from __future__ import annotations

import pytest

from support.annotations import features, tabbed, write


def rows(tmp_path, text, kind="body", level=None, biotypes=()):
    found = features(write(tmp_path / "genes.gff3", tabbed(text)), kind, level, biotypes)
    return [
        f"{f.name} {f.gene_id} {f.biotype} {f.start}-{f.end} {f.problem}".strip() for f in found
    ]


@pytest.mark.parametrize("feature", ["pseudogene", "ncRNA_gene", "gene"])
def test_a_gene_within_a_gene_is_its_transcript(tmp_path, feature):
    text = f"""
        chr1 x {feature} 11 60 . + . ID=g;Name=a
        chr1 x {feature} 11 60 . + . ID=t;Parent=g;Name=a-001
        chr1 x exon 11 20 . + . Parent=t
        chr1 x exon 41 60 . + . Parent=t"""
    biotype = "." if feature == "gene" else feature
    assert rows(tmp_path, text) == [f"a g {biotype} 10-60"]
    assert rows(tmp_path, text, "spliced") == [f"a-001 g {biotype} 10-60"]
    path = tmp_path / "genes.gff3"
    assert features(path, "spliced")[0].exons == ((10, 20), (40, 60))


@pytest.mark.parametrize("transcript", ["ID=g1.t1;Parent=g1", "g1.t1;Parent=g1"])
def test_a_gene_with_only_its_id_in_column_9_is_not_read_twice(tmp_path, transcript):
    """AUGUSTUS writes `g1` for a gene, also among the attributes of a GFF3."""
    text = f"""
        ##gff-version 3
        chr1 AUGUSTUS gene 11 60 . + . g1
        chr1 AUGUSTUS transcript 11 60 . + . {transcript}
        chr1 AUGUSTUS exon 11 20 . + . Parent=g1.t1
        chr1 AUGUSTUS exon 41 60 . + . Parent=g1.t1"""
    assert rows(tmp_path, text) == ["g1 g1 . 10-60"]
    assert rows(tmp_path, text, "spliced") == ["g1.t1 g1 . 10-60"]


def test_a_gff3_with_the_ids_of_a_gtf_is_linked_by_them(tmp_path):
    """As rtracklayer exports a GTF: gene_id and transcript_id, without ID and Parent."""
    text = """
        ##gff-version 3
        chr1 x gene 11 60 . + . gene_id=g;gene_name=a;gene_biotype=lncRNA
        chr1 x transcript 11 60 . + . gene_id=g;transcript_id=t1
        chr1 x exon 11 20 . + . gene_id=g;transcript_id=t1
        chr1 x exon 41 60 . + . gene_id=g;transcript_id=t1
        chr1 x transcript 31 60 . + . gene_id=g;transcript_id=t2
        chr1 x exon 31 60 . + . gene_id=g;transcript_id=t2"""
    assert rows(tmp_path, text) == ["a g lncRNA 10-60"]
    assert rows(tmp_path, text, "spliced") == ["t1 g lncRNA 10-60", "t2 g lncRNA 30-60"]
    without_gene = "\n".join(text.splitlines()[:2] + text.splitlines()[3:])
    assert rows(tmp_path, without_gene) == ["g g . 10-60"]


def test_genes_within_genes_within_genes(tmp_path):
    text = """
        chr1 x gene 11 60 . + . ID=a
        chr1 x gene 11 60 . + . ID=b;Parent=a
        chr1 x gene 11 60 . + . ID=c;Parent=b
        chr1 x mRNA 11 60 . + . ID=d;Parent=c"""
    assert rows(tmp_path, text) == ["a a protein_coding 10-60"]
    assert all(row.split()[1] == "a" for row in rows(tmp_path, text, level="transcript"))


@pytest.mark.parametrize("parent", ["g", "gone"])
def test_a_gene_that_is_its_own_parent_or_that_of_none_is_a_gene(tmp_path, parent):
    text = f"""
        chr1 x gene 11 60 . + . ID=g;Parent={parent}
        chr1 x transcript 11 60 . + . ID=g;Parent=g
        chr1 x exon 11 60 . + . Parent=g"""
    assert rows(tmp_path, text) == ["g g . 10-60"]
    assert rows(tmp_path, text, "spliced") == ["g g . 10-60"]


def test_genes_that_are_each_others_parents_are_genes(tmp_path):
    text = """
        chr1 x gene 11 60 . + . ID=a;Parent=b
        chr1 x gene 11 60 . + . ID=b;Parent=a"""
    assert rows(tmp_path, text) == ["a a . 10-60", "b b . 10-60"]


def test_accessions_of_the_sequence_ontology_are_types(tmp_path):
    text = """
        chr1 x SO:0000704 11 60 . + . ID=g;Name=a
        chr1 x SO:0000234 11 60 . + . ID=t;Parent=g
        chr1 x SO:0000147 11 60 . + . Parent=t
        chr1 x SO:0000316 21 50 . + 0 Parent=t"""
    assert rows(tmp_path, text) == ["a g protein_coding 10-60"]
    assert rows(tmp_path, text, "spliced") == ["t g protein_coding 10-60"]


def test_features_of_unknown_types_are_in_the_ledger(tmp_path):
    text = """
        chr1 x gene 11 60 . + . ID=g
        chr1 x RNaseP_bact_a 101 200 . + . ID=r;Name=rnpB
        chr1 x something 21 30 . + . Parent=g
        chr1 x repeat_region 31 40 . + . ID=s"""
    expected = [
        "g g . 10-60",
        "rnpB . . 100-200 unknown-type",
        "chr1:20-30 . . 20-30 unknown-type",
    ]
    assert rows(tmp_path, text) == expected
    (_, feature, _) = features(tmp_path / "genes.gff3")
    assert feature.note == "type RNaseP_bact_a"
    gtf = 'chr1 x gene 11 60 . + . gene_id "g";\nchr1 x RNaseP 1 9 . + . gene_id "r";'
    assert rows(tmp_path, gtf) == ["g g . 10-60", "r . . 0-9 unknown-type"]


def test_coding_sequences_of_no_gene_are_in_the_ledger(tmp_path):
    """Prokka writes CDS without genes; the TSS is not known, and only the RNAs are read."""
    text = """
        chr1 Prodigal CDS 11 60 . + 0 ID=c1;Name=dnaA
        chr1 Prodigal SO:0000316 111 160 . + 0 ID=c2
        chr1 Aragorn tRNA 201 260 . + . ID=t;Name=trnF"""
    expected = ["dnaA . . 10-60 no-gene", "c2 . . 110-160 no-gene"]
    assert rows(tmp_path, text) == [*expected, "trnF trnF tRNA 200-260"]
    assert rows(tmp_path, text, "spliced") == [*expected, "trnF trnF tRNA 200-260"]
    genes = text + "\nchr1 x gene 11 60 . + . ID=g\nchr1 x something 301 360 . + . ID=s"
    assert rows(tmp_path, genes) == [
        "trnF trnF tRNA 200-260",
        "g g . 10-60",
        "s . . 300-360 unknown-type",
    ]


def test_a_transcript_that_names_no_gene_is_of_the_gene_at_its_place(tmp_path):
    """It was a second gene there. A gene that has transcripts, or lies elsewhere, is another."""
    text = """
        chr1 x gene 11 60 . + . ID=g;Name=a;biotype=lncRNA
        chr1 x lnc_RNA 11 60 . + . ID=t
        chr1 x exon 11 20 . + . Parent=t
        chr1 x exon 41 60 . + . Parent=t
        chr1 x gene 101 160 . - . ID=h;Name=b
        chr1 x lnc_RNA 101 160 . - . ID=u;Parent=h
        chr1 x snoRNA 101 160 . - . ID=v
        chr1 x snoRNA 11 50 . + . ID=w
        chr1 x snoRNA 11 60 . - . ID=x"""
    others = ["v v snoRNA 100-160", "w w snoRNA 10-50", "x x snoRNA 10-60"]
    assert rows(tmp_path, text) == ["a g lncRNA 10-60", "b h lnc_RNA 100-160", *others]
    assert sorted(rows(tmp_path, text, "body", "transcript")) == sorted(
        ["t g lnc_RNA 10-60", "u h lnc_RNA 100-160", *others]
    )
    (first, *_) = features(tmp_path / "genes.gff3", "spliced")
    assert (first.name, first.exons) == ("t", ((10, 20), (40, 60)))


def test_of_two_genes_at_its_place_a_transcript_is_of_neither(tmp_path):
    text = """
        chr1 x gene 11 60 . + . ID=g
        chr1 x gene 11 60 . + . ID=h
        chr1 x tRNA 11 60 . + . ID=t"""
    assert rows(tmp_path, text) == ["g g . 10-60", "h h . 10-60", "t t tRNA 10-60"]


def test_a_feature_of_an_unknown_type_with_exons_is_a_transcript(tmp_path):
    text = """
        chr1 x gene 11 60 . + . ID=g;Name=a
        chr1 x mystery 11 60 . + . ID=t;Parent=g;Name=b
        chr1 x exon 11 60 . + . Parent=t"""
    assert rows(tmp_path, text) == ["a g mystery 10-60"]
    assert rows(tmp_path, text, "spliced") == ["b g mystery 10-60"]


def test_a_feature_of_an_unknown_type_with_transcripts_is_a_gene(tmp_path):
    text = """
        chr1 x mystery 1 90 . + . ID=g;Name=a
        chr1 x mRNA 11 60 . + . ID=t;Parent=g
        chr1 x exon 11 60 . + . Parent=t"""
    assert [row.split()[0] for row in rows(tmp_path, text)] == ["a"]
    assert rows(tmp_path, text, "spliced") == ["t g protein_coding 10-60"]


def test_a_pseudogene_of_flybase_is_the_transcript_of_its_gene(tmp_path):
    text = """
        chr1 FlyBase gene 51 80 . + . gene_id "G"; gene_symbol "a";
        chr1 FlyBase pseudogene 51 80 . + . gene_id "G"; gene_symbol "a"; transcript_id "T";
        chr1 FlyBase exon 51 80 . + . gene_id "G"; gene_symbol "a"; transcript_id "T";"""
    assert rows(tmp_path, text) == ["a G pseudogene 50-80"]
    assert rows(tmp_path, text, "spliced") == ["T G pseudogene 50-80"]


def test_one_gene_id_on_two_contigs(tmp_path):
    text = """
        chr1 x gene 1 90 . + . ID=g;Name=a;biotype=lncRNA
        chr1 x lnc_RNA 1 90 . + . ID=t;Parent=g
        chr2 x gene 1 90 . + . ID=g;Name=b;biotype=protein_coding
        chr2 x mRNA 1 90 . + . ID=u;Parent=g"""
    assert rows(tmp_path, text, level="transcript", biotypes=("lncRNA",)) == [
        "t g lnc_RNA 0-90",
        "u g protein_coding 0-90 biotype-not-selected",
    ]


@pytest.mark.parametrize("place", ["chr2 x {} 1 60", "chr1 x {} 501 560"])
def test_a_transcript_away_from_its_gene_is_a_locus_of_its_own(tmp_path, place):
    attributes = 'gene_id "G"; transcript_id "{}"; gene_biotype "{}";'
    text = f"""
        chr1 x gene 1 90 . + . gene_id "G"; gene_biotype "lncRNA";
        chr1 x transcript 1 90 . + . {attributes.format("T", "lncRNA")}
        chr1 x exon 1 90 . + . {attributes.format("T", "lncRNA")}
        {place.format("transcript")} . + . {attributes.format("U", "miRNA")}
        {place.format("exon")} . + . {attributes.format("U", "miRNA")}"""
    start = int(place.split()[3]) - 1
    assert rows(tmp_path, text) == ["G G lncRNA 0-90", f"G G miRNA {start}-{start + 60}"]
    assert features(tmp_path / "genes.gff3")[1].note == "its gene has a line at another place"


def test_a_gene_that_may_be_either_of_two_is_not_guessed(tmp_path):
    text = """
        chr1 x gene 1 90 . + . ID=g;Name=a;biotype=lncRNA
        chr1 x gene 1 90 . + . ID=g;Name=b;biotype=protein_coding
        chr1 x transcript 1 90 . + . ID=t;Parent=g"""
    assert rows(tmp_path, text, level="transcript") == ["t g lncRNA 0-90 ambiguous-id"]


def test_exons_outside_the_gene_above_them(tmp_path):
    text = """
        chr1 x gene 101 200 . + . ID=g
        chr1 x exon 101 120 . + . Parent=g
        chr1 x exon 51 110 . + . Parent=g
        chr2 x gene 1 90 . + . ID=h
        chr1 x exon 1 90 . + . Parent=h"""
    assert rows(tmp_path, text) == ["g g . 100-200", "h h . 0-90"]
    assert rows(tmp_path, text, "spliced") == [
        "g g . 100-200 exons-outside-the-transcript",
        "h h . 0-90 exons-on-two-strands-or-contigs",
    ]


def test_a_gff3_without_ids_is_linked_by_transcript_id(tmp_path):
    text = """##gff-version 3
        chr1 x gene 11 60 . + . gene_id=g;Name=a
        chr1 x transcript 11 60 . + . gene_id=g;transcript_id=t
        chr1 x exon 11 20 . + . gene_id=g;transcript_id=t
        chr1 x exon 41 60 . + . gene_id=g;transcript_id t"""
    (*_, feature) = features(write(tmp_path / "genes.gff3", tabbed(text)), "spliced")
    assert (feature.name, feature.exons) == ("t", ((10, 20), (40, 60)))


def test_features_without_an_id_are_named_by_name_locus_tag_or_place(tmp_path):
    text = """##gff-version 3
        chr1 barrnap rRNA 5001 6500 0 + . Name=16S_rRNA
        chr1 barrnap rRNA 6001 7500 0 + . Name=16S_rRNA
        chr1 tRNAscan-SE tRNA 8001 8070 0 - . locus_tag=L_1
        chr1 Prokka gene 9001 9070 . + . note=x
        chr1 x tRNA 9101 9170 . + . note=x"""
    path = write(tmp_path / "genes.gff3", tabbed(text))
    assert [(f.name, f.start, f.problem) for f in features(path)] == [
        ("16S_rRNA", 5000, ""),
        ("16S_rRNA", 6000, ""),
        ("L_1", 8000, ""),
        ("chr1:9000-9070", 9000, ""),
        ("chr1:9100-9170", 9100, ""),
    ]
    found = features(path, "body", "transcript")
    assert [f.problem for f in found] == ["", "", "", "no-transcript", ""]
    assert [f.biotype for f in found] == ["rRNA", "rRNA", "tRNA", ".", "tRNA"]


# As NCBI annotates rps12 of a chloroplast: no line for the transcript, and CDS and exons below the
# gene, which lies in two places.
RPS12 = """
    chr1 RefSeq gene 11 60 . - . ID=gene-r;Name=rps12;exception=trans-splicing;part=1/2
    chr1 RefSeq gene 201 300 . {strand} . ID=gene-r;Name=rps12;exception=trans-splicing;part=2/2
    chr1 RefSeq CDS 11 60 . - 0 ID=cds-r;Parent=gene-r;exception=trans-splicing
    chr1 RefSeq CDS 201 300 . {strand} 0 ID=cds-r;Parent=gene-r;exception=trans-splicing
    chr1 RefSeq exon 11 60 . - . ID=e1;Parent=gene-r;exception=trans-splicing
    chr1 RefSeq exon 201 300 . {strand} . ID=e2;Parent=gene-r;exception=trans-splicing
    chr1 RefSeq gene 401 500 . + . ID=gene-s;Name=whole
    chr1 RefSeq tRNA 401 500 . + . ID=rna-s;Parent=gene-s;Name=trnS
    chr1 RefSeq exon 401 500 . + . ID=e3;Parent=rna-s"""
PARTS = "exons-on-two-strands-or-contigs"


@pytest.mark.parametrize("part", ["part=1/2", "part=2"])
@pytest.mark.parametrize("strand", "+-")
@pytest.mark.parametrize("kind", ["body", "spliced"])
def test_the_parts_of_a_gene_that_is_trans_spliced_are_skipped(tmp_path, kind, strand, part):
    text = RPS12.format(strand=strand).replace("part=1/2", part)
    found = rows(tmp_path, text, kind)
    assert [row for row in found if " r " not in row] == [
        "whole s tRNA 400-500" if kind == "body" else "trnS s tRNA 400-500"
    ]
    skipped = [row for row in found if " r " in row]
    assert len(skipped) == 2
    assert all(row.endswith(PARTS) for row in skipped)
    notes = [f.note for f in features(tmp_path / "genes.gff3", kind) if f.problem]
    assert all("several places" in note for note in notes)


def test_a_part_of_a_gtf_is_skipped_too(tmp_path):
    """NCBI's GTF has the same attributes."""
    line = 'chr1 RefSeq gene {} . - . gene_id "r"; transcript_id ""; part "{}/2"; gene "rps12";\n'
    text = tabbed(line.format("11 60", 1) + line.format("201 300", 2))
    found = features(write(tmp_path / "genes.gtf", text))
    assert [(f.start, f.problem) for f in found] == [(10, PARTS), (200, PARTS)]


@pytest.mark.parametrize("where", ["transcript", "exons"])
@pytest.mark.parametrize("kind", ["body", "spliced"])
def test_a_transcript_that_is_trans_spliced_is_skipped(tmp_path, kind, where):
    """Its exons are not joined in the order of the genome."""
    own, theirs = (
        ";exception=trans-splicing" if where == one else "" for one in ("transcript", "exons")
    )
    text = f"""
        chr1 x gene 11 300 . - . ID=g;Name=a
        chr1 x mRNA 11 300 . - . ID=t;Parent=g;Name=a-1{own}
        chr1 x exon 11 60 . - . Parent=t{theirs}
        chr1 x exon 201 300 . - . Parent=t{theirs}"""
    assert rows(tmp_path, text) == ["a g protein_coding 10-300"]
    assert rows(tmp_path, text, kind, "transcript") == [
        f"a-1 g mRNA 10-300 {PARTS}".replace("mRNA", "protein_coding")
    ]


@pytest.mark.parametrize(
    "attributes", ["part=1/1", "part=alpha", "part=", "exception=ribosomal slippage"]
)
def test_other_parts_and_exceptions_are_no_trans_splicing(tmp_path, attributes):
    text = f"chr1 x gene 11 60 . + . ID=g;Name=a;{attributes}"
    assert rows(tmp_path, text) == ["a g . 10-60"]


TWO_PARENTS = """
    chr1 x gene 11 60 . + . ID=g1;Name=a
    chr1 x ncRNA_gene 41 90 . + . ID=g2;Name=b
    chr1 x mRNA 11 90 . + . ID=t;Parent=g1,g2;Name=ab
    chr1 x exon 11 30 . + . Parent=t
    chr1 x exon 51 90 . + . Parent=t"""


def test_a_transcript_of_two_genes_belongs_to_both(tmp_path):
    """FlyBase: a dicistronic transcript."""
    assert rows(tmp_path, TWO_PARENTS) == ["a g1 protein_coding 10-60", "b g2 ncRNA_gene 40-90"]
    for kind in ("body", "spliced"):
        assert rows(tmp_path, TWO_PARENTS, kind, "transcript") == [
            "ab g1 protein_coding 10-90",
            "ab g2 protein_coding 10-90",
        ]
    assert [f.exons for f in features(tmp_path / "genes.gff3", "spliced")] == [
        ((10, 30), (50, 90))
    ] * 2


def test_a_transcript_of_two_genes_without_lines_makes_both(tmp_path):
    lines = TWO_PARENTS.strip().splitlines()[2:]
    found = rows(tmp_path, "\n".join(lines))
    assert found == ["g1 g1 protein_coding 10-90", "g2 g2 protein_coding 10-90"]


def test_what_belongs_to_a_transcript_of_two_genes_is_not_guessed(tmp_path):
    text = f"{TWO_PARENTS}\n chr1 x miRNA 61 80 . + . ID=m;Parent=t;Name=mir"
    assert rows(tmp_path, text)[0] == "a g1 protein_coding 10-60"
    found = rows(tmp_path, text, level="transcript")
    assert [row for row in found if "mir" in row] == ["mir g1 miRNA 60-80 ambiguous-id"]


@pytest.mark.parametrize("parents", ["g1,g1", "g1,p", "p,g1"])
def test_two_ways_to_one_gene_make_one_transcript(tmp_path, parents):
    text = f"""
        chr1 x gene 11 90 . + . ID=g1;Name=a
        chr1 x primary_transcript 11 90 . + . ID=p;Parent=g1;Name=pri
        chr1 x miRNA 31 50 . + . ID=t;Parent={parents};Name=mir
        chr1 x exon 31 50 . + . Parent=t"""
    assert rows(tmp_path, text, level="transcript") == [
        "pri g1 primary_transcript 10-90",
        "mir g1 miRNA 30-50",
    ]


@pytest.mark.parametrize("parents", ["g1,none", "none,g1"])
def test_a_gene_within_any_of_its_parents_is_a_transcript(tmp_path, parents):
    text = f"""
        chr1 x pseudogene 11 90 . + . ID=g1;Name=a
        chr1 x pseudogene 11 90 . + . ID=g2;Parent={parents};Name=a-1"""
    assert rows(tmp_path, text) == ["a g1 pseudogene 10-90"]


def test_a_feature_with_two_parents_that_are_no_genes_is_there_once(tmp_path):
    text = """
        chr1 x operon 1 90 . + . ID=o1
        chr1 x operon 1 90 . + . ID=o2
        chr1 x gene 11 60 . + . ID=g;Parent=o1,o2;Name=a
        chr1 x odd_thing 71 80 . + . ID=u;Parent=o1,o2;Name=u"""
    assert rows(tmp_path, text) == ["a g . 10-60", "u . . 70-80 unknown-type"]
