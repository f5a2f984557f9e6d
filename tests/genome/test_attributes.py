"""The ninth column of GTF and GFF3, and how it tells the two apart."""

from __future__ import annotations

import pytest

from histpred.genome.attributes import attribute_format, gff3_attributes, gtf_attributes, linked


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ('gene_id "A"; level 2;', {"gene_id": "A"}),
        ('level 2; gene_id "A"', {"gene_id": "A"}),
        ("gene_id A; transcript_id T", {"gene_id": "A", "transcript_id": "T"}),
        ('gene_id "A"; transcript_id T;', {"gene_id": "A", "transcript_id": "T"}),
        ('gene_id "A;B"; note "x; y=z"; gene "a"', {"gene_id": "A;B", "gene": "a"}),
        ("gene_id 'A;B'; gene_name 'a'", {"gene_id": "A;B", "gene_name": "a"}),
        ("gene_id \"A\"; gene_name 'a'", {"gene_id": "A", "gene_name": "a"}),
        ('gene_id "A";gene_name "a"', {"gene_id": "A", "gene_name": "a"}),
        ('gene_id   "A" ;  gene_name "a" ; ', {"gene_id": "A", "gene_name": "a"}),
        ('gene_id "A"; transcript_id "";', {"gene_id": "A", "transcript_id": ""}),
        ('gene_id "A"; gene_id "B"; tag "a"; tag "b"', {"gene_id": "A"}),
        ('gene_id "A"; note "5\' end"; gene "a"', {"gene_id": "A", "gene": "a"}),
        ('note "gene_id is"; gene_id "A"', {"gene_id": "A"}),
        ('note "as; gene_id of"; gene_id "A"', {"gene_id": "A"}),
        ('old_gene_id "B"; gene_id "A"; gene_ids "C"', {"gene_id": "A"}),
        (r'gene_id "A"; note "a \"b\" c"; gene_name "a"', {"gene_id": "A", "gene_name": "a"}),
        ('gene_id "A"; note "open', {"gene_id": "A"}),
        ("", {}),
        (".", {}),
    ],
)
def test_gtf_attributes(text, attributes):
    found = gtf_attributes(text)
    assert {key: found[key] for key in attributes} == attributes


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ("ID=a;Name=b", {"ID": "a", "Name": "b"}),
        ("ID=a; Name=b c ;", {"ID": "a", "Name": "b c"}),
        ("ID=a%3Bb;Note=50%25 %2C%09x", {"ID": "a;b", "Note": "50% ,\tx"}),
        ("ID=a;Dbxref=X:1,Y:2", {"ID": "a", "Dbxref": "X:1,Y:2"}),
        ("ID=a;Target=b=c", {"ID": "a", "Target": "b=c"}),
        ("ID=a;;broken;Name=b", {"ID": "a", "Name": "b"}),
        ("ID=%E2%98%83;Name=%", {"ID": "\N{SNOWMAN}", "Name": "%"}),
        (".", {}),
        ("ID = a ; Name = b c", {"ID": "a", "Name": "b c"}),
        ('ID="a";Name=\'b;c\' ; Note="d=e;f%22"', {"ID": "a", "Name": "b;c", "Note": 'd=e;f"'}),
        ("ID=a;Name=5'-x;Alias=3'", {"ID": "a", "Name": "5'-x", "Alias": "3'"}),
        ('ID=a;Name=6" x;Note="', {"ID": "a", "Name": '6" x', "Note": '"'}),
        ("Parent=a%2Cb,c;Derives_from=d%2Ce", {"Parent": "a%2Cb,c", "Derives_from": "d%2Ce"}),
    ],
)
def test_gff3_attributes(text, attributes):
    assert gff3_attributes(text) == attributes


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "filler", [" ", ";", "=", '="', "='a' ", ";a=\"b' ", "a", '"', "a ", "\\", "' ", 'a "b" ']
)
def test_a_hostile_attribute_column_takes_no_long_time(filler):
    text = 'gene_id "A"; x ' + filler * (20_000 // len(filler))
    assert gtf_attributes(text)["gene_id"] == "A"
    gff3_attributes(text)
    assert attribute_format(text) == "GTF"
    assert attribute_format(text.removeprefix('gene_id "A"; x ')) in ("", "GTF", "GFF3")


@pytest.mark.parametrize(
    ("text", "ids"),
    [("", ()), ("a", ("a",)), ("a,b", ("a", "b")), (' a , "b"', ("a", "b")), ("a%2Cb,", ("a,b",))],
)
def test_linked(text, ids):
    assert linked(text) == ids


@pytest.mark.parametrize(
    ("text", "format_"),
    [
        ('gene_id "A"', "GTF"),
        ("gene_id A; x y", "GTF"),
        ("note 'a=b'; c=d", "GTF"),
        ("ID=A", "GFF3"),
        (' ID = A; Note="x"', "GFF3"),
        ("partial;;ID=A", "GFF3"),
        ("", ""),
        (".", ""),
        ("g1.t1", ""),
        ("exon number 3", ""),
    ],
)
def test_attribute_format(text, format_):
    assert attribute_format(text) == format_
