from __future__ import annotations

import json
import sys

import pytest

from histpred.core.strict_json import parse


@pytest.mark.parametrize("value", [None, [], {}, {"a": [1, -2.5, "x", {"b": True}]}, 10**39])
def test_json_is_read_as_python_reads_it(value):
    assert parse(json.dumps(value)) == value
    assert parse(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"a": 1, "b": {"k": 1, "k": 1}}', "the key 'k' occurs twice"),
        ('{"a": 1, "\\u0061": 2}', "the key 'a' occurs twice"),
        (f"[{10**400}]", "a whole number of 401 digits"),
        (f"[-{10**40}]", "a whole number of 41 digits"),
        ("1" * 10_000, "a whole number of 10,000 digits"),
        ("[" * 102 + "]" * 102, "nested more than 100 deep"),
        ("[" * 200_000 + "]" * 200_000, "nested more than 100 deep"),
        ("[" * 200_000, "nested more than 100 deep"),
        ('{"a":' * 150 + "1" + "}" * 150, "nested more than 100 deep"),
        ("[" * 101 + '"' + "]" * 101, "nested more than 100 deep"),
        (('{"a":[' * 51).encode("utf-16"), "nested more than 100 deep"),
        (b"\xff", "can't decode byte"),
        ("{", "Expecting property name"),
    ],
    ids=range(13),
)
def test_what_could_be_read_in_two_ways_or_not_at_all_is_a_value_error(content, words):
    with pytest.raises(ValueError, match=words):
        parse(content)


def test_a_hundred_levels_are_read():
    assert parse("[" * 100 + "]" * 100)


@pytest.mark.parametrize("limit", [200, 1_000_000])
def test_depth_is_judged_whatever_the_limit_of_recursion(limit):
    """A library had raised the limit; the parser of Python then ends the process, or goes on."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + before)
    try:
        for content in ("[" * 9_999, '{"a":' * 150 + "1" + "}" * 150):
            with pytest.raises(ValueError, match="nested more than 100 deep"):
                parse(content)
    finally:
        sys.setrecursionlimit(before)


@pytest.mark.parametrize(
    "text", ["[" * 200, "]{" * 200, '"' + "[" * 200, "\\" + "{" * 200, '\\"' + "[" * 200 + "\\"]
)
def test_brackets_within_text_are_text(text):
    assert parse(json.dumps({text: [text, [text]]})) == {text: [text, [text]]}
