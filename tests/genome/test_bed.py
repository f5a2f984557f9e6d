"""BED: what is read, and rows 1-28 of the malformed corpus with their line in the message."""

from __future__ import annotations

import pytest

from histpred.core.errors import InputError
from histpred.genome.regions import Feature
from support.annotations import features, write

FULL = ["chr1", "10", "50", "one", "7", "-", "20", "30", "255,0,0", "2", "5,10", "0,30"]
NARROW_PEAK = [*FULL[:6], "5.1", "-1", "2.2", "20"]
GAPPED_PEAK = [*FULL, "5.1", "-1", "2.2"]


def bed(tmp_path, *rows: str | list[str]):
    lines = ("\t".join(row.split(" ") if isinstance(row, str) else row) for row in rows)
    return write(tmp_path / "rows.bed", "".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize(
    "row",
    [*(FULL[:columns] for columns in range(3, 10)), NARROW_PEAK, FULL, GAPPED_PEAK],
    ids=lambda row: f"{len(row)} columns",
)
def test_columns(tmp_path, row):
    columns = len(row)
    assert features(bed(tmp_path, row), "spliced") == [
        Feature(
            line=1,
            chrom="chr1",
            start=10,
            end=50,
            strand="-" if columns >= 6 else ".",
            name="one" if columns >= 4 else "chr1:10-50",
            exons=((10, 15), (40, 50)) if columns in (12, 15) else None,
        )
    ]


def test_headers_comments_and_blank_lines_are_passed_over_anywhere(tmp_path):
    path = write(
        tmp_path / "rows.bed",
        '#chrom\tstart\tend\nbrowser position chr1:1-9\ntrack name="a\tb"\n\nchr1\t0\t1\n'
        "# comment\n   \ntrack\ntrackless\t3\t4\nbrowserless\t3\t4\n",
    )
    assert [(feature.line, feature.chrom) for feature in features(path)] == [
        (5, "chr1"),
        (9, "trackless"),
        (10, "browserless"),
    ]


@pytest.mark.parametrize("content", ["", "\n\n", "# only\ntrack name=x\nbrowser hide all\n"])
def test_no_row_is_no_error(tmp_path, content):
    assert features(write(tmp_path / "rows.bed", content)) == []


def test_unsorted_and_repeated_rows_and_names_are_kept_with_their_lines(tmp_path):
    rows = ["chr2 5 9 a", "chr1 5 9 a", "chr2 5 9 a"]
    found = [(f.line, f.chrom, f.name) for f in features(bed(tmp_path, *rows))]
    assert found == [(1, "chr2", "a"), (2, "chr1", "a"), (3, "chr2", "a")]


@pytest.mark.parametrize("score", ["NA", "", ".", "1e-300", "99999"])
def test_scores_are_not_read(tmp_path, score):
    (feature,) = features(bed(tmp_path, ["chr1", "0", "9", "a", score, "+"]))
    assert (feature.name, feature.strand) == ("a", "+")


@pytest.mark.parametrize(
    "name", ["a b", '"q"', "x;y=z", "Ä\N{SNOWMAN}", "n" * 10_000, "100%", "'", "\\t"]
)
def test_names_of_all_kinds(tmp_path, name):
    (feature,) = features(bed(tmp_path, ["chr1", "0", "9", name]))
    assert feature.name == name


@pytest.mark.parametrize(("name", "label"), [("", "chr1:0-9"), (".", "chr1:0-9")])
def test_a_row_without_a_name_is_called_by_its_place(tmp_path, name, label):
    (feature,) = features(bed(tmp_path, ["chr1", "0", "9", name, "0", "+"]))
    assert feature.name == label


@pytest.mark.parametrize("row", ["chr1 7 7", "chr1 0 0 a 0 +", "chr1 7 7 a 0 + 7 7 0 1 0 0"])
def test_a_row_of_length_zero_is_kept_with_its_problem(tmp_path, row):
    (feature,) = features(bed(tmp_path, row))
    assert feature.problem == "zero-length"


def test_the_longest_contig_that_a_bed_can_address(tmp_path):
    (feature,) = features(bed(tmp_path, f"chr1 0 {2**31 - 1}"))
    assert feature.end == 2**31 - 1


COORDINATES = [
    ("chr1 -1 10", "start is -1"),
    ("chr1 -9 -1", "start is -9"),
    ("chr1 1 -9", "end is -9"),
    ("chr1 11 10", "start 11 is after end 10"),
    ("chr1 1e6 2000000", "start is not a whole number: '1e6'"),
    ("chr1 1 1.0", "end is not a whole number: '1.0'"),
    ("chr1 . 10", "start is not a whole number: '.'"),
    (["chr1", "", "10"], "start is not a whole number: ''"),
    (["chr1", " 1", "10"], "start is not a whole number: ' 1'"),
    (["chr1", "1", "10 "], "end is not a whole number: '10 '"),
    ("chr1 +1 10", "start is not a whole number"),
    ("chr1 0x1 10", "start is not a whole number"),
    ("chr1 1_0 20", "start is not a whole number"),
    ("chr1 1 ²", "end is not a whole number"),
    (f"chr1 0 {2**31}", f"end {2**31} is past the end of any contig"),
    (f"chr1 0 {10**30}", "is past the end of any contig"),
    ("chr1 0 " + "9" * 5000, "past the end of any contig|not a whole number"),
    (["", "0", "10"], "the contig name is ''"),
    ([" ", "0", "10"], "the contig name is ' '"),
]
COLUMNS = [
    ("chr1 0 10 name", "4 columns where the rows before have 3"),
    ("chr1 0", "2 columns where the rows before have 3"),
    (["chr1", "0", "10", ""], "4 columns where the rows before have 3"),
    (["chr1 0 10"], "1 columns where the rows before have 3"),
]


@pytest.mark.parametrize(("row", "message"), [*COORDINATES, *COLUMNS])
def test_a_malformed_row_is_refused_with_its_line(tmp_path, row, message):
    path = bed(tmp_path, "# comment", "chr1 0 10", row, "chr1 0 10")
    with pytest.raises(InputError, match=message) as caught:
        features(path)
    assert str(caught.value).startswith(f"{path}:3: ")


@pytest.mark.parametrize("strand", ["?", "", "1", "+ ", "forward", "+-", "\N{MINUS SIGN}"])
def test_a_malformed_strand(tmp_path, strand):
    path = bed(tmp_path, ["chr1", "0", "9", "a", "0", strand])
    for kind in ("body", "promoter", "context", "spliced"):
        with pytest.raises(InputError, match=r"rows.bed:1: strand \(column 6\)"):
            features(path, kind)
    (feature,) = features(path, "interval")
    assert (feature.strand, feature.note) == (
        ".",
        f"strand (column 6) is {strand!r}: read as '.'",
    )


@pytest.mark.parametrize("kind", ["body", "promoter", "context", "interval"])
@pytest.mark.parametrize("columns", ["2 10,30 5,20", "chr1 50 150", ". . .", "x"])
def test_blocks_are_read_only_for_spliced_windows(tmp_path, kind, columns):
    (feature,) = features(bed(tmp_path, f"chr1 10 50 a 0 - 10 50 0 {columns}"), kind)
    assert (feature.start, feature.end, feature.strand) == (10, 50, "-")
    assert feature.exons is None
    assert feature.note == ""


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ("2 10,20 0,20", None),
        ("2 10,20, 0,20,", None),
        ("1 40 0", None),
        ("2 20,20 0,20", None),
        ("2 30,20 0,20", "overlap or are not in order"),
        ("2 10,10 20,0", "do not span|not in order"),
        ("3 5,5,5 0,35,20", "do not span|not in order"),
        ("2 10,10 0,20", "do not span the row from start to end"),
        ("2 10,20 5,20", "do not span"),
        ("2 10,30 0,20", "do not span"),
        ("3 10,0,20 0,15,20", "a block has length zero"),
        ("3 10,-5,20 0,15,20", "a block has length zero|not whole numbers"),
        ("3 10,20 0,20", "blockCount is 3, but there are 2 sizes and 2 starts"),
        ("2 10,20 0", "blockCount is 2, but there are 2 sizes and 1 starts"),
        ("0 , ,", "not whole numbers"),
        ("x 40 0", "blockCount"),
        ("-1 40 0", "blockCount"),
        ("1 a 0", "not whole numbers"),
        ("1 4_0 0", "not whole numbers"),
        ("1 +40 0", "not whole numbers"),
        ("1 40.0 0", "not whole numbers"),
    ],
)
def test_blocks(tmp_path, blocks, message):
    path = bed(tmp_path, f"chr1 10 50 a 0 + 10 50 0 {blocks}")
    if message is None:
        (feature,) = features(path, "spliced")
        assert (feature.exons[0][0], feature.exons[-1][1]) == (10, 50)
        return
    with pytest.raises(InputError, match=message) as caught:
        features(path, "spliced")
    assert str(caught.value).startswith(f"{path}:1: ")


def test_a_bedpe_is_told_to_be_one(tmp_path):
    path = bed(tmp_path, "chr1 0 10 chr2 40 60 pair 0 + -")
    with pytest.raises(InputError, match=r"strand \(column 6\) is '60'") as caught:
        features(path, "body")
    assert "is this a BEDPE?" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("chr1 0 10\n", ":1: not tab-delimited: the columns are separated by spaces"),
        ("# header\nchr1  0  10  a  0  +\n", ":2: not tab-delimited"),
        ("chrom\tstart\tend\nchr1\t0\t10\n", ":1: neither BED, GTF nor GFF3: 'chrom"),
        ("chr1\t0\n", r":1: 2 column\(s\)"),
        ("-\n", r":1: 1 column\(s\), found '-'"),
        ("XIST\n", ":1: a list of names, not an annotation: 'XIST'(?s:.*)--genes /"),
        ("chr1:1-10\n", r":1: a list of regions(?s:.*)histpred predict \$\(cat /"),
        ("chr1,0,10\n", r":1: 1 column\(s\)"),
        ("chr1\t0\t10\nchr1 20 30\n", ":2: 1 columns where the rows before have 3"),
    ],
)
def test_the_first_row_tells_what_is_wrong_with_the_file(tmp_path, content, message):
    with pytest.raises(InputError, match=message) as caught:
        features(write(tmp_path / "rows.bed", content))
    assert caught.value.hint
