from __future__ import annotations

import json

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
        (b"\xff", "can't decode byte"),
        ("{", "Expecting property name"),
    ],
    ids=range(11),
)
def test_what_could_be_read_in_two_ways_or_not_at_all_is_a_value_error(content, words):
    with pytest.raises(ValueError, match=words):
        parse(content)


def test_a_hundred_levels_are_read():
    assert parse("[" * 100 + "]" * 100)
