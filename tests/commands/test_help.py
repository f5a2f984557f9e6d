"""The help texts of all verbs and options: each is there, in plain words, with unit and default."""

from __future__ import annotations

import re

import click
import pytest

from support.command_line import commands

# A help text says what the option is or does. It does not begin in the middle of a sentence.
NO_BEGINNINGS = ("Of ", "Whether ", "That ", "For ", "As ")
UNITS = re.compile(
    r"\b(bp|bases|alleles|threads|epochs|networks|rows per batch|units|numbers|marks|from 0 to 1"
    r"|share of (hidden )?units|confidence score|random seed|learning rate|NCBI taxonomy ID)\b",
    re.IGNORECASE,
)

VERBS = dict(commands())
OPTIONS = {
    f"{words} {option.opts[-1]}": option
    for words, command in VERBS.items()
    for option in command.params
    if isinstance(option, click.Option)
}


def test_all_verbs_are_walked() -> None:
    assert len(VERBS) > 20
    assert len(OPTIONS) > 100


@pytest.mark.parametrize("words", VERBS)
def test_a_verb_says_in_one_line_what_it_does(words: str) -> None:
    first, *_ = (VERBS[words].help or "").split("\n\n")
    assert re.match(r"[A-Z]", first)
    assert not first.startswith((*NO_BEGINNINGS, "The ", "What "))
    assert first.endswith(".")
    assert "\n" not in first


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_has_a_help_text_of_whole_sentences(name: str) -> None:
    text = OPTIONS[name].help or ""
    assert re.match(r"[A-Z]", text)
    assert not text.startswith(NO_BEGINNINGS)
    assert re.search(r"\.( \[default: [^\]]*\])?$", text)


@pytest.mark.parametrize(
    "name", [name for name, option in OPTIONS.items() if not (option.is_flag or option.required)]
)
def test_the_help_shows_the_default(name: str) -> None:
    described = OPTIONS[name].get_help_record(click.Context(click.Command("any")))
    assert described is not None
    assert "[default: " in described[1]


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, option in OPTIONS.items()
        if isinstance(option.type, click.types.IntParamType | click.types.FloatParamType)
    ],
)
def test_an_option_with_a_number_names_its_unit(name: str) -> None:
    assert UNITS.search(OPTIONS[name].help or "")


def test_one_help_text_belongs_to_one_option() -> None:
    """Two options with the same help text cannot be told apart."""
    by_text: dict[str, set[str]] = {}
    for name, option in OPTIONS.items():
        by_text.setdefault(option.help or "", set()).add(name.rpartition(" ")[2])
    assert {text: flags for text, flags in by_text.items() if len(flags) > 1} == {}
