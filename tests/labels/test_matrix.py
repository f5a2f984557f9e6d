from __future__ import annotations

import gzip

import numpy as np
import pandas
import pytest

from histpred.core.errors import InputError
from histpred.labels.matrix import (
    LabelMatrix,
    check_mark_name,
    labels_file,
    read_labels,
    rows_of,
    unit_ids,
    write_labels,
)

HEADER = "id\tH2A.Z\tbiotype\th3k27ME3\n"


def written(tmp_path, text: str | bytes, name: str = "labels.tsv"):
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def windows(*pairs: tuple[str, str]) -> pandas.DataFrame:
    return pandas.DataFrame(pairs, columns=["gene_id", "name"])


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gz"])
def test_a_table_is_read(compress, tmp_path):
    text = HEADER + "a\t1\tlncRNA\t0\nb\t\tlncRNA\t1\r\n\nc\tNA\t\t0\n"
    labels = read_labels(written(tmp_path, compress(text.encode())))
    assert labels.ids == ("a", "b", "c")
    assert labels.marks == ("H2AFZ", "H3K27me3")
    nan = np.nan
    np.testing.assert_array_equal(labels.values, [[1, 0], [nan, 1], [nan, 0]])
    assert labels.values.dtype == np.float32


def test_what_is_written_is_read_back_from_the_folder(tmp_path):
    genes = pandas.DataFrame(
        {"id": ['g"1', "g2"], "name": ["x", "'y"], "biotype": ["lncRNA", "."]}
    ).assign(chrom="chr1", start=[0, 5], end=[10, 20], strand="+")
    values = np.array([[1, np.nan], [0, 1]], np.float32)
    matrix = LabelMatrix(genes, ("H3K4me3", "H3K9ac"), values, pandas.DataFrame(), {})
    write_labels(tmp_path / "labels.tsv.gz", matrix)
    once = (tmp_path / "labels.tsv.gz").read_bytes()
    assert gzip.decompress(once).decode().splitlines() == [
        "id\tname\tbiotype\tchrom\tstart\tend\tstrand\tH3K4me3\tH3K9ac",
        'g"1\tx\tlncRNA\tchr1\t0\t10\t+\t1\t',
        "g2\t'y\t.\tchr1\t5\t20\t+\t0\t1",
    ]
    assert labels_file(tmp_path) == tmp_path / "labels.tsv.gz"
    labels = read_labels(tmp_path)
    assert (labels.ids, labels.marks) == (('g"1', "g2"), matrix.marks)
    np.testing.assert_array_equal(labels.values, values)
    write_labels(tmp_path / "labels.tsv.gz", matrix)
    assert (tmp_path / "labels.tsv.gz").read_bytes() == once


def test_a_row_that_is_there_twice_is_one_row(tmp_path, caplog):
    labels = read_labels(written(tmp_path, HEADER + "a\t1\t.\t\nb\t0\t.\t1\na\t1\tother\t\n"))
    assert labels.ids == ("a", "b")
    assert "1 row of" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (HEADER, "no row below the header"),
        ("id\tbiotype\na\tlncRNA\n", ":1: no column of a mark"),
        ("id\tH2AZ\tH2A.Z\na\t1\t1\n", ":1: H2AFZ twice, as H2AZ, H2A.Z"),
        ("id\tH3K4me3\t\na\t1\t\n", ":1: a column without a name"),
        (HEADER + "a\t1\t.\t0\nb\t1\t.\n", ":3: 3 columns where the header has 4"),
        (HEADER + "a\t1\t.\t2\n", ":2: the label '2' of a"),
        (HEADER + "\t1\t.\t1\n", ":2: a row without an id"),
        (
            HEADER + "a\t1\t.\t0\nb\t1\t.\t0\na\t1\t.\t1\n",
            ":4: a has other labels here than in line 2",
        ),
        (gzip.compress((HEADER + "a\t1\t.\t0\n" * 500).encode(), mtime=0)[:-9], "truncated"),
        ("\ufeffid".encode("utf-16"), ""),
    ],
    ids=range(11),
)
def test_a_table_that_cannot_be_used(text, message, tmp_path):
    with pytest.raises(InputError) as raised:
        read_labels(written(tmp_path, text))
    assert message in str(raised.value)
    assert "\n" in str(raised.value)  # what to do


def test_windows_find_their_row(tmp_path):
    text = "id\tH3K4me3\nENSG01.4\t1\nENSG02.1\t0\nENSG02.7\t1\nname.1\t1\nENSG03\t0\n"
    labels = read_labels(written(tmp_path, text))
    table = windows(
        ("ENSG01.4", "a"),  # as it is
        ("ENSG01.9", "a"),  # another version
        ("ENSG02", "a"),  # two candidates
        (".", "name.1"),
        (".", "name.2"),  # no Ensembl id: no version
        ("ENSG03.1", "a"),
        ("unknown", "ENSG01"),
        ("ENSG02", "ENSG01.2"),  # the first is ambiguous, the second is not
    )
    assert rows_of(labels, table).tolist() == [0, 0, -1, 3, -1, 4, 0, 0]
    assert unit_ids(table)[:4] == ["ENSG01.4", "ENSG01.9", "ENSG02", "name.1"]


def test_a_name_that_several_genes_have_is_nobodys(tmp_path, caplog):
    labels = read_labels(written(tmp_path, "id\tH3K4me3\nY_RNA\t1\nA\t1\n"))
    table = windows(("g1", "Y_RNA"), ("g2", "Y_RNA"), ("g3", "A"), ("g3", "A"))
    assert rows_of(labels, table).tolist() == [-1, -1, 1, 1]
    assert "1 label is not used, of a name that several genes have" in caplog.text


@pytest.mark.parametrize(
    "name", ["annotation", "calls", "micro", "mean", "anchor", "unit", "Chrom"]
)
def test_a_mark_is_not_called_like_a_column_a_track_or_a_row_of_figures(name, tmp_path):
    """The track of a mark 'annotation' took the place of that of the annotation's rows."""
    with pytest.raises(InputError, match=f"no mark can be called '{name}'"):
        check_mark_name(tmp_path / "labels.tsv", name)
    check_mark_name(tmp_path / "labels.tsv", f"{name}1")


def test_a_folder_without_labels_is_named(tmp_path):
    (tmp_path / "run.json").write_text('{"result": {}}')
    with pytest.raises(InputError, match="is the output of histpred predict, not of") as caught:
        labels_file(tmp_path)
    assert caught.value.hint == "give a table of labels, or its folder"
    (tmp_path / "run.json").unlink()
    with pytest.raises(InputError, match=r"is a folder without labels\.tsv\.gz"):
        labels_file(tmp_path)
