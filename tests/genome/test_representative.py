"""Which transcript stands for a gene that is one spliced sequence."""

# ruff: noqa: E501 - lines of annotations

from __future__ import annotations

import gzip
import random
from collections import defaultdict

import pytest

from support.annotations import features, tabbed, write

GENE = 'chr1 x gene 101 900 . {strand} . gene_id "{id}"; gene_name "N{id}"; gene_type "lncRNA";\n'
IDS = 'gene_id "{gene}"; transcript_id "{name}"; gene_name "N{gene}"; transcript_type "{kind}";'


def gene(identifier: str = "G", strand: str = "+") -> str:
    return GENE.format(id=identifier, strand=strand)


def transcript(
    name: str, *exons: tuple[int, int], tags: str = "", gene: str = "G", kind: str = "lncRNA"
) -> str:
    """Lines of a transcript and its exons, 1-based inclusive."""
    ids = IDS.format(gene=gene, name=name, kind=kind)
    tagged = "".join(f' tag "{tag}";' for tag in tags.split())
    start, end = min(exons)[0], max(last for _, last in exons)
    lines = [f"chr1 x transcript {start} {end} . + . {ids}{tagged}\n"]
    return "".join([*lines, *(f"chr1 x exon {a} {b} . + . {ids}{tagged}\n" for a, b in exons)])


def chosen(tmp_path, text: str, suffix: str = "gtf"):
    path = write(tmp_path / f"genes.{suffix}", tabbed(text))
    return sorted(features(path, "spliced", "gene"), key=lambda feature: feature.line)


SHORT, LONG, LONGER = (101, 200), (301, 500), (501, 800)


@pytest.mark.parametrize(
    ("transcripts", "name", "why"),
    [
        ((("A", SHORT, ""),), "A", "the only one"),
        ((("A", SHORT, ""), ("B", LONG, "")), "B", "the longest of 2"),
        ((("B", LONG, ""), ("A", LONG, "")), "A", "the longest of 2"),
        (
            (
                ("A", SHORT, "basic Ensembl_canonical"),
                ("B", LONG, "MANE_Select"),
                ("C", LONGER, ""),
            ),
            "A",
            "Ensembl_canonical",
        ),
        (
            (("A", LONGER, "appris_principal_1"), ("B", SHORT, "MANE_Select")),
            "B",
            "MANE_Select",
        ),
        (
            (("A", LONGER, "appris_principal_2"), ("B", SHORT, "appris_principal_1")),
            "B",
            "appris_principal_1",
        ),
        (
            (("A", SHORT, "appris_principal_1"), ("B", LONG, "appris_principal")),
            "B",
            "appris_principal_1",
        ),
        (
            (("A", LONGER, "MANE_Plus_Clinical appris_alternative_1"), ("B", SHORT, "")),
            "A",
            "the longest of 2",
        ),
    ],
)
def test_the_choice(tmp_path, transcripts, name, why):
    text = gene() + "".join(transcript(n, exon, tags=tags) for n, exon, tags in transcripts)
    (feature,) = chosen(tmp_path, text)
    exon = next(exon for n, exon, _ in transcripts if n == name)
    assert feature.transcript == name
    assert feature.exons == ((exon[0] - 1, exon[1]),)
    assert feature.note == f"transcript {name} ({why})"
    assert feature[5:8] == ("NG", "G", "lncRNA")


def test_the_length_is_that_of_the_exons_not_of_the_span(tmp_path):
    wide = transcript("A", (101, 110), (891, 900))
    (feature,) = chosen(tmp_path, gene() + wide + transcript("B", (301, 399)))
    assert feature.transcript == "B"


NCBI = """\
NC_1 B gene 1 900 . + . ID=gene-A;Dbxref=GeneID:1;Name=A;gene_biotype=lncRNA
NC_1 B lnc_RNA 1 900 . + . ID=rna-1;Parent=gene-A;Name=NR_1.1;transcript_id=NR_1.1
NC_1 B exon 1 900 . + . ID=exon-1;Parent=rna-1
NC_1 B lnc_RNA 101 200 . + . ID=rna-2;Parent=gene-A;Name=NR_2.1;tag=RefSeq Select;transcript_id=NR_2.1
NC_1 B exon 101 200 . + . ID=exon-2;Parent=rna-2
"""
ENSEMBL = """\
1 e ncRNA_gene 1 900 . + . ID=gene:ENSG1;Name=A;biotype=lncRNA;gene_id=ENSG1
1 e lnc_RNA 1 900 . + . ID=transcript:ENST1;Parent=gene:ENSG1;biotype=lncRNA;tag=basic;transcript_id=ENST1
1 e exon 1 900 . + . Parent=transcript:ENST1
1 e lnc_RNA 101 200 . + . ID=transcript:ENST2;Parent=gene:ENSG1;tag=basic,Ensembl_canonical,MANE_Select;transcript_id=ENST2
1 e exon 101 200 . + . Parent=transcript:ENST2
"""


@pytest.mark.parametrize(
    ("text", "name", "identifier", "note"),
    [
        (NCBI, "NR_2.1", "A", "RefSeq_Select"),
        (ENSEMBL, "ENST2", "ENSG1", "Ensembl_canonical"),
    ],
)
def test_tags_of_gff3(tmp_path, text, name, identifier, note):
    text = "\n".join("\t".join(line.split(" ", 8)) for line in text.splitlines()) + "\n"
    path = write(tmp_path / "genes.gff3", text)
    (feature,) = features(path, "spliced", "gene")
    assert feature[5:8] == ("A", identifier, "lncRNA")
    assert (feature.transcript, feature.note) == (name, f"transcript {name} ({note})")
    assert feature.exons == ((100, 200),)


def test_an_unusable_transcript_is_chosen_only_if_there_is_no_other(tmp_path):
    """Exons outside their transcript make one unusable, whatever its tags."""
    ids = IDS.format(gene="G", name="A", kind="lncRNA")
    bad = f'chr1 x transcript 101 500 . + . {ids} tag "Ensembl_canonical";\n'
    bad += f"chr1 x exon 101 600 . + . {ids}\n"
    (feature,) = chosen(tmp_path, gene() + bad + transcript("B", SHORT))
    assert (feature.transcript, feature.problem) == ("B", "")
    assert feature.note == "transcript B (the only one)"
    (feature,) = chosen(tmp_path, gene() + bad)
    assert (feature.name, feature.problem) == ("NG", "exons-outside-the-transcript")


def test_genes_are_those_of_other_windows(tmp_path):
    """With and without gene lines, at several loci, without transcripts, and of many kinds."""
    text = (
        gene()
        + transcript("A", SHORT)
        + transcript("B", LONGER, kind="protein_coding")  # apart from A, within the gene's line
        + gene("EMPTY")
        + transcript("C", SHORT, gene="H")
        + transcript("D", (151, 250), gene="H")
        + transcript("E", LONG, gene="H")  # a locus of its own
    )
    path = write(tmp_path / "genes.gtf", tabbed(text))
    bodies = {(f.name, f.gene_id, f.biotype) for f in features(path, "body")}
    found = chosen(tmp_path, text)
    assert {(f.name, f.gene_id, f.biotype) for f in found} == bodies
    assert [(f.name, f.transcript, f.problem) for f in found] == [
        ("NG", "B", ""),
        ("NEMPTY", ".", "no-transcript"),
        ("NH", "C", ""),
        ("NH", "E", ""),
    ]


def test_a_gene_without_a_biotype_has_that_of_its_transcripts(tmp_path):
    bare = gene().replace(' gene_type "lncRNA";', "")
    text = bare + transcript("A", SHORT, kind="protein_coding") + transcript("B", LONGER)
    (feature,) = chosen(tmp_path, text)
    (body,) = features(write(tmp_path / "again.gtf", tabbed(text)), "body")
    assert feature.biotype == body.biotype == "protein_coding"


@pytest.mark.parametrize("seed", range(3))
def test_against_a_loop_over_random_transcripts_in_any_order(tmp_path, seed):
    rng = random.Random(seed)
    tags = ["", "", "basic", "MANE_Select", "Ensembl_canonical", "appris_principal_3"]
    order = {"Ensembl_canonical": 0, "MANE_Select": 1, "appris_principal_3": 2}
    blocks, wanted = [], {}
    for number in range(20):
        best = []
        lines = gene(f"G{number}")
        for name in rng.sample("ABCDEFGH", rng.randint(1, 5)):
            at = sorted(rng.sample(range(101, 900), 4))
            tag = rng.choice(tags)
            identifier = f"{name}{number}"
            exons = ((at[0], at[1]), (at[2], at[3]))
            lines += transcript(identifier, *exons, tags=tag, gene=f"G{number}")
            length = at[1] - at[0] + at[3] - at[2] + 2
            best.append((order.get(tag, 9), -length, identifier))
        wanted[f"G{number}"] = min(best)[2]
        blocks += lines.splitlines(keepends=True)
    rng.shuffle(blocks)
    found = chosen(tmp_path, "".join(blocks))
    assert {feature.gene_id: feature.transcript for feature in found} == wanted


@pytest.mark.shared
def test_real_genes_are_their_longest_transcripts(shared_data):
    """RefSeq's chr22 has no tags: the longest transcript of each gene, found by hand."""
    path = shared_data / "human" / "chr22" / "genes.chr22.gtf.gz"
    lengths: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    with gzip.open(path, "rt") as lines:
        for line in lines:
            fields = line.split("\t")
            if len(fields) > 8 and fields[2] == "exon":
                names = fields[8].split('"')
                lengths[names[1]][names[3]] += int(fields[4]) - int(fields[3]) + 1
    wanted = {name: min((-n, t) for t, n in found.items())[1] for name, found in lengths.items()}
    found = list(features(path, "spliced", "gene"))
    assert {feature.gene_id: feature.transcript for feature in found} == wanted
    assert len(found) == len({f.gene_id for f in features(path, "body")}) > 600
