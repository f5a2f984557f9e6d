from __future__ import annotations

import pytest

from histpred.core.errors import InputError
from histpred.genome.naming import ContigNames, chromosome, described_chromosome, refuse_names


def names(contigs: str, descriptions: dict[str, str] | None = None) -> ContigNames:
    return ContigNames(contigs.split(), lambda: descriptions or {})


@pytest.mark.parametrize(
    ("contigs", "name", "found"),
    [
        ("chr1 chr2", "chr1", "chr1"),
        ("chr1 chr2", "1", "chr1"),
        ("1 2", "chr2", "2"),
        ("1 2", "Chr2", "2"),
        ("NC_000001.11 NC_000002.12", "chr2", "NC_000002.12"),
        ("chr1 chr2 chrX chrY", "NC_000023.11", "chrX"),
        ("chr1 chr19 chrX chrY", "NC_000085.7", "chr19"),
        ("chr1 chrX", "NC_000086.8", "chrX"),
        ("chrI chrII", "II", "chrII"),
        ("chrM", "MT", "chrM"),
        ("MT", "chrM", "MT"),
        ("Mito", "chrM", "Mito"),
        ("NC_012920.1", "MT", "NC_012920.1"),
        ("2L 2R", "chr2L", "2L"),
        ("chr1 chr10 chr11", "1", "chr1"),
        ("chrUn_KI270302v1", "KI270302.1", None),
        ("chr1", "2", None),
        ("chr1", "", None),
        ("chr1", "chr", None),
        ("scaffold_1", "1", None),
        ("HLA:A*01 gi|1|x", "gi|1|x", "gi|1|x"),
    ],
)
def test_resolve(contigs, name, found):
    resolved = names(contigs)
    assert resolved.resolve(name) == found
    assert resolved.renamed == ({name: found} if found not in (None, name) else {})


@pytest.mark.parametrize(
    ("contigs", "name"), [("chr1 1", "NC_000001.11"), ("M MT", "chrM"), ("chr1 CHR1", "1")]
)
def test_nothing_is_guessed_where_two_contigs_are_meant(contigs, name):
    assert names(contigs).resolve(name) is None


@pytest.mark.parametrize(
    ("contig", "name"), [("NC_000001.11", "NC_000001.10"), ("NC_000086.8", "NC_000086.7")]
)
def test_another_version_of_an_accession_is_another_assembly(contig, name):
    """NC_000001.10 is chromosome 1 of GRCh37, NC_000001.11 that of GRCh38: other bases."""
    assert names(contig).resolve(name) is None


def test_headers_say_what_an_accession_is():
    contigs = names(
        "NC_004353.4 NC_024511.2 NW_001846712.1",
        {
            "NC_004353.4": "Drosophila melanogaster chromosome 4",
            "NC_024511.2": "Drosophila melanogaster mitochondrion, complete genome",
            "NW_001846712.1": "Drosophila melanogaster chromosome 4 unlocalized genomic scaffold",
        },
    )
    assert [contigs.resolve(name) for name in ("chr4", "chrM", "X")] == [
        "NC_004353.4",
        "NC_024511.2",
        None,
    ]


def test_the_annotation_may_say_itself_what_a_contig_is():
    contigs = names("chr4 chr1")
    assert contigs.resolve("NC_004353.4", alias="4") == "chr4"
    assert contigs.resolve("NC_004354.4", alias="X") is None


def test_percent_escapes_of_a_gff3():
    contigs = names("sc=1 100% chr2")
    assert [contigs.resolve(name) for name in ("sc%3D1", "sc=1", "100%", "chr%32")] == [
        *("sc=1", "sc=1", "100%", "chr2"),
    ]
    assert contigs.renamed == {"sc%3D1": "sc=1", "chr%32": "chr2"}
    assert names("sc=1 sc%3D1").resolve("sc%3D1") is None  # which of the two?
    assert names("chr1 sc%3D1").resolve("sc%3D1") == "sc%3D1"


def test_headers_are_read_once_and_only_for_accessions():
    calls = []

    def describe():
        calls.append(1)
        return {}

    plain, accessions = ContigNames(["chr1"], describe), ContigNames(["NC_004353.4"], describe)
    assert plain.resolve("chr9") is None
    assert calls == []
    assert [accessions.resolve(name) for name in ("a", "b", "a")] == [None, None, None]
    assert calls == [1]


@pytest.mark.parametrize(
    ("description", "meant"),
    [
        ("Homo sapiens chromosome 1, GRCh38.p14 Primary Assembly", "1"),
        ("Saccharomyces cerevisiae S288C chromosome IX, complete sequence", "IX"),
        ("Homo sapiens mitochondrion, complete genome", "MT"),
        ("Homo sapiens chromosome 1 unlocalized genomic scaffold", None),
        ("Homo sapiens chromosome 6 genomic patch of type FIX", None),
        ("dna:chromosome chromosome:GRCh38:1:1:248956422:1 REF", None),
        ("", None),
    ],
)
def test_described_chromosome(description, meant):
    assert described_chromosome(description) == meant


def test_what_stands_for_nothing_stands_for_itself():
    assert [chromosome(name) for name in ("chr", "NC_999999.1", "chr1_alt")] == [
        "chr",
        "NC_999999.1",
        "1_alt",
    ]


@pytest.mark.parametrize(
    ("name", "form", "why"),
    [
        ("#1", "TSV", "rows that begin with '#' are comments"),
        ("#1", "BED", "rows that begin with '#' are comments"),
        ("#1", "tabix index", "rows that begin with '#' are comments"),
        ("#1", "track hub", "rows that begin with '#' are comments"),
        ("track", "BED", "headers"),
        ("browser", "BED", "headers"),
        ("{x}", "tabix index", "tabix takes what '{' and '}' enclose for the name"),
        ("{x}", "track hub", "tabix takes"),
        ("a\x1bb", "FASTA", "control characters"),
    ],
)
def test_a_name_that_a_format_cannot_hold_is_refused(name, form, why):
    with pytest.raises(InputError) as caught:
        refuse_names("genome.fa", ["chr1", name], [form])
    said = f"genome.fa: a {form} cannot hold the name of 1 contig with rows: {name!r}"
    assert said in str(caught.value)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    "name", ["HLA-A*01:01", "gi|1|x", "a#b", "sc=1", "a,b", "track1", "a{x}", "a:1-5", "é"]
)
def test_other_names_are_held_by_all_formats(name):
    refuse_names("genome.fa", [name], ["TSV", "BED", "tabix index", "track hub", "FASTA"])


@pytest.mark.parametrize(("name", "form"), [("#1", "FASTA"), ("track", "TSV"), ("#1", "Parquet")])
def test_a_name_is_refused_only_by_the_formats_that_lose_it(name, form):
    refuse_names("genome.fa", [name], [form])
