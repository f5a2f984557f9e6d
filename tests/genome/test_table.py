"""Tables of windows: written, read again, and what is refused in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histpred.core.errors import InputError
from histpred.genome.annotation import open_annotation
from histpred.genome.extract import extract
from histpred.genome.plan import open_windows, scorable
from histpred.genome.regions import KINDS, Window
from histpred.genome.request import Request
from histpred.genome.table import FIELDS, OF_TRANSCRIPTS, TABLE_HEADER, read_windows, table_row
from histpred.genome.windows import WindowSpec, place_unchanged, row_of
from support import write_fasta
from support.annotations import tabbed, write
from support.extraction import read_fasta, read_ledger

CONTIG = 1_000_000
GENOME = {"chr1": "ACGTTGCATC" * 30, "chr2": "GATTC" * 20}

# As `plan.printable` leaves names: nothing that ends a line or a column.
names = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029"),
    min_size=1,
    max_size=12,
)


@st.composite
def windows(draw) -> Window:
    edges = sorted(draw(st.sets(st.integers(0, CONTIG), min_size=2, max_size=8)))
    edges = edges[: len(edges) // 2 * 2]
    pieces = tuple(zip(edges[::2], edges[1::2], strict=True))
    left = draw(st.integers(-50_000, CONTIG))
    around = ((left, max(left, 0) + draw(st.integers(1, 50_000))),)
    return Window(
        draw(st.sampled_from(["chr1", "HLA-A*01:01", "β 2"])),
        edges[0],
        edges[-1],
        draw(st.sampled_from("+-.")),
        draw(names),
        draw(names),
        draw(names),
        draw(st.integers(1, 9)),
        draw(st.sampled_from([None, pieces, around])),
        draw(st.integers(0, 99)),
    )


@given(st.lists(windows(), max_size=4), st.floats(0, 1))
def test_a_window_comes_back_as_it_was(given_windows, share):
    text = "".join(table_row(row_of(window, b"", share)) for window in given_windows)
    rows = text.split("\n")[:-1]
    assert len(rows) == len(given_windows)
    features = read_windows("x.tsv", enumerate(rows, 2))
    for feature, window, row in zip(features, given_windows, rows, strict=True):
        placed = place_unchanged(feature, window.chrom, CONTIG)
        found = placed.window
        assert found == window._replace(line=found.line)
        assert (placed.reason, placed.note) == ("", "")
        assert table_row(row_of(found, b"", share)) == f"{row}\n"


def test_a_row_is_what_the_documentation_says():
    window = Window("chr1", 5, 90, "-", "LINC 1", "G", "lncRNA", 3, ((5, 20), (70, 90)))
    names = "#chrom start end name strand gene_id biotype n_fraction known_fraction blocks outside"
    assert TABLE_HEADER.split("\t") == names.split()
    assert (
        table_row(row_of(window, b"ACN", 1 / 3))
        == "chr1\t5\t90\tLINC 1\t-\tG\tlncRNA\t0.333333\t0.666667\t5-20,70-90\t0\n"
    )
    assert (
        table_row(row_of(window._replace(blocks=None, outside=9), b"ACG", 0))
        == "chr1\t5\t90\tLINC 1\t-\tG\tlncRNA\t0\t0.25\t.\t9\n"
    )


def test_a_row_of_a_transcript_has_a_column_more(tmp_path):
    row = row_of(Window("chr1", 5, 90, "-", "a", "g", "b", 3, ((5, 20), (70, 90))), b"AC", 0)
    path = write(tmp_path / "w.tsv", f"{OF_TRANSCRIPTS}\n{table_row(row, 'ENST1.2')}")
    with open_annotation(path, tmp_path, "spliced", None, ()) as annotation:
        (feature,) = annotation
    assert (feature.transcript, feature.exons, feature.line) == ("ENST1.2", ((5, 20), (70, 90)), 2)
    path.write_text(f"{OF_TRANSCRIPTS}\n{table_row(row)}")
    with (
        open_annotation(path, tmp_path, "spliced", None, ()) as annotation,
        pytest.raises(InputError, match="11 columns where the header has 12"),
    ):
        list(annotation)


def test_a_table_of_the_first_release_is_refused_not_read_as_a_bed(tmp_path):
    old = "#chrom\tstart\tend\tname\tstrand\tgene_id\tbiotype\tn_fraction\tblocks\n"
    path = write(tmp_path / "old.tsv", f"{old}chr1\t5\t90\ta\t-\t.\t.\t0\t.\n")
    with (
        open_annotation(path, tmp_path, "body", None, ()) as annotation,
        pytest.raises(InputError, match=r"old.tsv:1: a table of windows of an earlier") as caught,
    ):
        list(annotation)
    assert caught.value.hint == "write the table again with histpred windows"


# fmt: off
MALFORMED = {
    "a column too few":  ("chr1 0 9 a + g b 0 1 .", "10 columns where the header has 11"),
    "a column too many": ("chr1 0 9 a + g b 0 1 . 0 x", "12 columns where the header has 11"),
    "another header":    (TABLE_HEADER.replace("\t", " "), "start is not a whole number: 'start'"),
    "no start":          ("chr1 x 9 a + g b 0 1 . 0", "start is not a whole number: 'x'"),
    "a negative start":  ("chr1 -1 9 a + g b 0 1 . 0", "start is not a whole number: '-1'"),
    "a fraction":        ("chr1 0 9.5 a + g b 0 1 . 0", "end is not a whole number: '9.5'"),
    "other digits":      ("chr1 0 ٣ a + g b 0 1 . 0", "end is not a whole number: '٣'"),
    "an end too far":    ("chr1 0 2147483648 a + g b 0 1 . 0",
                          "end 2147483648 is past the end of any contig"),
    "endless digits":    (f"chr1 0 {'9' * 5000} a + g b 0 1 . 0",
                          "end 99999999999999999999 is past the end of any contig"),
    "start after end":   ("chr1 9 8 a + g b 0 1 . 0", "start 9, end 8"),
    "no contig":         ("@ 0 9 a + g b 0 1 . 0", "not a window: contig ''"),
    "no strand":         ("chr1 0 9 a @ g b 0 1 . 0", "strand ''"),
    "another strand":    ("chr1 0 9 a ? g b 0 1 . 0", "strand '?'"),
    "no blocks":         ("chr1 0 9 a + g b 0 1 @ 0", "blocks of 0-9 are ''"),
    "half a block":      ("chr1 0 9 a + g b 0 1 0-4,9 0", "blocks of 0-9 are '0-4,9'"),
    "blocks too short":  ("chr1 0 9 a + g b 0 1 0-4,6-8 0", "blocks of 0-9 are"),
    "blocks too late":   ("chr1 0 9 a + g b 0 1 1-4,6-9 0", "blocks of 0-9 are"),
    "blocks descending": ("chr1 0 9 a + g b 0 1 6-9,0-4 0", "blocks of 0-9 are"),
    "blocks overlap":    ("chr1 0 9 a + g b 0 1 0-5,4-9 0", "blocks of 0-9 are"),
    "a block reversed":  ("chr1 0 9 a + g b 0 1 0-5,8-7,8-9 0", "blocks of 0-9 are"),
    "a piece reversed":  ("chr1 0 9 a + g b 0 1 9-9 0", "blocks of 0-9 are '9-9'"),
    "a piece too far":   ("chr1 0 9 a + g b 0 1 0-2147483648 0",
                          "position 2147483648 is past the end of any contig"),
    "far before":        ("chr1 0 9 a + g b 0 1 -9999999999-5 0",
                          "the window 0-9 is to be read with the bases -9999999999-5"),
    "far behind":        ("chr1 0 9 a + g b 0 1 0-10000010 0", "is to be read with the bases"),
    "two negative ones": ("chr1 0 9 a + g b 0 1 -5-4,6-9 0", "blocks of 0-9 are"),
    "letters in blocks": ("chr1 0 9 a + g b 0 1 0-x,6-9 0", "position is not a whole number: 'x'"),
    "no number":         ("chr1 0 9 a + g b 0 1 . x", "outside is not a whole number: 'x'"),
}
# fmt: on


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_row_is_refused_by_line(what, tmp_path):
    row, words = MALFORMED[what]
    row = row.replace(" ", "\t").replace("@", "")
    path = write(
        tmp_path / "w.tsv", f"{TABLE_HEADER}\nchr1\t0\t9\tgood\t+\tg\tb\t0\t1\t.\t0\n{row}\n"
    )
    with (
        open_annotation(path, tmp_path, "interval", None, ()) as annotation,
        pytest.raises(InputError) as caught,
    ):
        list(annotation)
    assert str(caught.value).startswith(f"{path}:3: ")
    assert words in caught.value.message
    assert caught.value.hint
    assert len(str(caught.value)) < 400


def test_blank_lines_and_lines_before_the_header_are_passed_over(tmp_path):
    path = write(
        tmp_path / "w.tsv",
        f"# mine\n\n{TABLE_HEADER}\r\n\nchr1\t0\t9\ta\t+\tg\tb\t0\t1\t.\t0\r\n\n",
    )
    with open_annotation(path, tmp_path, "context", None, ()) as annotation:
        (feature,) = annotation
        assert annotation.format == "windows"
    assert feature[:8] == (5, "chr1", 0, 9, "+", "a", "g", "b")


def test_a_window_of_length_zero_is_skipped_and_not_an_error(tmp_path):
    rows = "chr1\t5\t5\tnone\t+\t.\t.\t0\t1\t.\t0\nchr1\t5\t9\tsome\t+\t.\t.\t0\t1\t.\t0\n"
    path = write(tmp_path / "w.tsv", f"{TABLE_HEADER}\n{rows}")
    fasta = write_fasta(tmp_path / "genome.fa", GENOME)
    result = extract(
        Request(str(path), str(fasta)), WindowSpec("body", 0, 0, 1), tmp_path / "out.tsv"
    )
    assert result.skipped == {"zero-length": 1}


# fmt: off
GTF = tabbed("""
    chr1 x transcript 11 200 . + . gene_id "g1"; transcript_id "t1"; gene_biotype "lncRNA";
    chr1 x exon 11 40 . + . gene_id "g1"; transcript_id "t1"; gene_biotype "lncRNA";
    chr1 x exon 101 200 . + . gene_id "g1"; transcript_id "t1"; gene_biotype "lncRNA";
    chr1 x transcript 51 120 . - . gene_id "g2"; transcript_id "t2 é"; gene_biotype "miRNA";
    chr1 x exon 51 60 . - . gene_id "g2"; transcript_id "t2 é"; gene_biotype "miRNA";
    chr1 x exon 91 120 . - . gene_id "g2"; transcript_id "t2 é"; gene_biotype "miRNA";
    chr2 x transcript 1 90 . . . gene_id "g3"; transcript_id "t3"; gene_biotype "snoRNA";
    chr2 x exon 1 20 . . . gene_id "g3"; transcript_id "t3"; gene_biotype "snoRNA";
    chr2 x exon 41 90 . . . gene_id "g3"; transcript_id "t3"; gene_biotype "snoRNA";
""")
# fmt: on


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_gives_the_same_windows_whatever_windows_are_asked_for(kind, tmp_path):
    """Rows are no longer cut, a strand '.' was accepted when they were: nothing is said twice."""
    annotation = str(write(tmp_path / "a.gtf", GTF))
    fasta = str(write_fasta(tmp_path / "genome.fa", GENOME))
    spec = WindowSpec(kind, 20, 10, 1.0)
    table = tmp_path / "one.tsv"
    first = extract(Request(annotation, fasta, "transcript", unstranded=True), spec, table)
    assert first.written == 3
    extract(Request(annotation, fasta, "transcript", unstranded=True), spec, tmp_path / "one.fa")
    wanted = read_fasta((tmp_path / "one.fa").read_text())
    for other in KINDS:
        again = WindowSpec(other, 33, 44, 1.0)
        extract(Request(str(table), fasta), again, tmp_path / "two.tsv", overwrite=True)
        assert (tmp_path / "two.tsv").read_bytes() == table.read_bytes()
        extract(Request(str(table), fasta), again, tmp_path / "two.fa", overwrite=True)
        assert read_fasta((tmp_path / "two.fa").read_text()) == wanted
    ledger = read_ledger(tmp_path / "two.tsv.ledger.tsv")
    assert [row["line"] for row in ledger] == ["2", "3", "4"]
    assert {row["note"] for row in ledger} == {""}


def test_mixed_windows_in_one_table(tmp_path):
    rows = (
        "chr1\t0\t50\tspliced\t-\t.\t.\t0\t1\t0-10,40-50\t0\n"
        "chr1\t0\t50\twhole\t-\t.\t.\t0\t1\t.\t0\n"
        "chr1\t0\t50\tagain\t.\t.\t.\t0\t1\t0-10,40-50\t0\n"
    )
    path = write(tmp_path / "w.tsv", f"{TABLE_HEADER}\n{rows}")
    fasta = write_fasta(tmp_path / "genome.fa", GENOME)
    found = {window.name: window for window in _windows(path, fasta, tmp_path)}
    assert found["spliced"].blocks == found["again"].blocks == ((0, 10), (40, 50))
    assert found["whole"].blocks is None


def _windows(path: Path, fasta: Path, work: Path) -> list[Window]:
    spec = WindowSpec("promoter", 5, 5, 1.0)
    with open_windows(Request(str(path), str(fasta)), spec, work) as opened:
        batches = list(scorable(opened.ledger, opened.reference, spec))
    return [row.window for batch in batches for row in batch]


@pytest.mark.parametrize(("contig", "end"), [("chr2", 101), ("chrM", 31)])
def test_a_table_of_another_assembly_is_refused(contig, end, tmp_path):
    path = write(
        tmp_path / "w.tsv", f"{TABLE_HEADER}\n{contig}\t0\t{end}\ta\t+\t.\t.\t0\t1\t.\t0\n"
    )
    fasta = write_fasta(tmp_path / "genome.fa", GENOME | {"chrM": "ACGTA" * 6})
    with pytest.raises(InputError, match=r"1 of 1 row ends past its contig .*: a \(line 2\)"):
        extract(Request(str(path), str(fasta)), WindowSpec("body", 0, 0, 1), tmp_path / "out.tsv")


def test_a_header_alone_is_no_window_and_no_fault(tmp_path):
    path = write(tmp_path / "w.tsv", f"{TABLE_HEADER}\n")
    fasta = write_fasta(tmp_path / "genome.fa", GENOME)
    result = extract(
        Request(str(path), str(fasta)), WindowSpec("body", 0, 0, 1), tmp_path / "out.tsv"
    )
    assert (result.rows, result.written) == (0, 0)
    assert (tmp_path / "out.tsv").read_text() == f"{TABLE_HEADER}\n"


@pytest.mark.parametrize("column", ["name", "gene_id", "biotype"])
def test_an_empty_name_is_refused(tmp_path, column):
    values = {"chrom": "chr1", "end": "9", "name": "a", "strand": "+", "gene_id": "g"}
    values |= {"biotype": "b", "blocks": ".", column: ""}
    row = "\t".join(values.get(field, "0") for field in FIELDS)
    path = write(tmp_path / "w.tsv", f"{TABLE_HEADER}\n{row}\n")
    with (
        open_annotation(path, tmp_path, "interval", None, ()) as annotation,
        pytest.raises(InputError, match=r"w\.tsv:2: an empty name, gene_id or biotype: ") as caught,
    ):
        list(annotation)
    assert caught.value.hint.startswith("write '.' for what is unknown")
