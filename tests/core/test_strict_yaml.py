"""YAML with the line of every value."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("yaml", reason="needs the extra train")

from histpred.core.errors import InputError
from histpred.core.strict_yaml import line_of, read_yaml

TEXT = """\
title: A test
# a comment
configurations:
  - name: first
    hidden: [32, 16]
  - {name: second, epochs: 3}
"""


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "sheet.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refusal(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read_yaml(path)
    return caught.value


def test_each_value_has_its_line(tmp_path):
    value, lines = read_yaml(written(tmp_path, TEXT))
    assert value["configurations"][1] == {"name": "second", "epochs": 3}
    assert lines[("title",)] == 1
    assert lines[("configurations", 0, "hidden")] == 5
    assert lines[("configurations", 0, "hidden", 1)] == 5
    assert lines[("configurations", 1, "epochs")] == 6


def test_a_value_that_is_missing_has_the_line_of_what_lacks_it(tmp_path):
    _, lines = read_yaml(written(tmp_path, TEXT))
    assert line_of(lines, ("configurations", 1, "window")) == 6
    assert line_of(lines, ("genomes",)) is None


def test_a_key_that_stands_twice_is_refused(tmp_path):
    error = refusal(written(tmp_path, "seed: 1\ntitle: x\nseed: 2\n"))
    assert error.line == 3
    assert "'seed' stands here and in line 1" in str(error)


def test_an_alias_stands_for_its_anchor(tmp_path):
    value, _ = read_yaml(written(tmp_path, "a: &a {x: 1}\nb: *a\n"))
    assert value == {"a": {"x": 1}, "b": {"x": 1}}


def test_aliases_of_aliases_take_no_time(tmp_path):
    levels = ["a0: &a0 [x, x]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    _, lines = read_yaml(written(tmp_path, "\n".join(levels)))
    assert len(lines) < 1000


def test_a_tag_makes_no_object(tmp_path):
    error = refusal(written(tmp_path, "x: 1\ny: !!python/object/apply:os.getcwd []\n"))
    assert error.line == 2
    assert "plain data" in str(error)


@pytest.mark.parametrize("text", ["a: [1, 2\nb: 3\n", "a: b: c\n", b"\xff\xfea", "a:\n\t- b\n"])
def test_what_is_no_yaml_is_refused(tmp_path, text):
    assert "cannot be read as YAML" in str(refusal(written(tmp_path, text)))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "seed: 1\ntitle: 2001-13-45\n",
            "'2001-13-45' looks like a date or a number, but is none: month",
        ),
        ("seed: 1\ntitle: 0x_\n", "'0x_' looks like"),
        ("seed: 1\n? !!int x\n: 2\n", "'x' looks like"),
    ],
)
def test_a_value_that_looks_like_a_date_or_a_number_and_is_none_is_refused(tmp_path, text, what):
    error = refusal(written(tmp_path, text))
    assert error.line == 2
    assert what in str(error)


@pytest.mark.parametrize("limit", [0, 1_000_000])
@pytest.mark.parametrize("inner", ["[" * 3000 + "]" * 3000, "[" * 9999, "{b: " * 100 + "}" * 100])
def test_lists_that_are_nested_too_deep_are_refused(tmp_path, inner, limit):
    """Also if a library has raised the limit of recursion."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + before)
    try:
        error = str(refusal(written(tmp_path, f"# sheet\na: {inner}")))
    finally:
        sys.setrecursionlimit(before)
    assert "nested more than 100 deep" in error
    assert "sheet.yaml:2: " in error


def test_a_hundred_levels_are_read(tmp_path):
    content, _ = read_yaml(written(tmp_path, "a: " + "[" * 99 + "1" + "]" * 99))
    assert str(content) == "{'a': " + "[" * 99 + "1" + "]" * 99 + "}"


def test_a_character_that_yaml_does_not_have_is_named(tmp_path):
    assert "special characters are not allowed" in str(refusal(written(tmp_path, "a: \x01\n")))


def test_an_empty_file_holds_nothing(tmp_path):
    assert read_yaml(written(tmp_path, "# nothing\n")) == (None, {})


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert "cannot be read" in str(refusal(tmp_path / "none.yaml"))
