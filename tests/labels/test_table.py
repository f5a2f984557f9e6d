from __future__ import annotations

import pytest

from histpred.core.errors import InputError
from histpred.labels.table import read_records, read_rows


def written(tmp_path, text: str):
    path = tmp_path / "table.tsv"
    path.write_text(text)
    return path


def test_blanks_and_blank_lines_do_not_count(tmp_path):
    path = written(tmp_path, "\n# id \t b\n\n x\t\n\t\n")
    assert list(read_rows(path)) == [(2, ["id", "b"]), (4, ["x", ""])]


def test_columns_are_found_in_any_order_and_case(tmp_path):
    path = written(tmp_path, "#Set\tnote\tID\ntrain\t-\ta\n")
    assert list(read_records(path, ("id", "set"))) == [
        (2, {"set": "train", "note": "-", "id": "a"})
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "table.tsv: is empty"),
        ("id\n", "table.tsv:1: no column 'set': id"),
        ("id\tset\tset\n", "table.tsv:1: two columns 'set': id, set, set"),
        ("id\tset\tfile\tfile\n", "table.tsv:1: two columns 'file': id, set, file and 1 more"),
        ("id\tset\na\tb\tc\n", "table.tsv:2: 3 columns where the header has 2"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path, text, message):
    with pytest.raises(InputError) as caught:
        list(read_records(written(tmp_path, text), ("id", "set"), ("file",)))
    assert message in caught.value.message
    assert caught.value.hint
