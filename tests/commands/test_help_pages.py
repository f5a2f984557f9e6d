"""The help pages: sections, examples that work, and a page of verbs that is not cut."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

import histpred as package
from histpred.cli import SECTIONS, VERBS
from histpred.commands.help_pages import SectionedOption, Verb
from support.command_line import commands, histpred, parse

COMMANDS = {
    words.removeprefix("histpred "): command
    for words, command in commands()
    if not isinstance(command, click.Group)
}
EXAMPLES = [
    line
    for command in COMMANDS.values()
    for _, example in getattr(command, "examples", ())
    for line in example.replace("\\\n", "").splitlines()
    if line.lstrip().startswith("histpred ")
]


def test_the_page_of_verbs_fits_80_columns_and_cuts_no_sentence() -> None:
    lines = histpred("--help").out.splitlines()
    assert max(map(len, lines)) <= 80
    for sentences in SECTIONS.values():
        for verb, sentence in sentences.items():
            assert f"  {verb:<12}{sentence}" in lines


def test_every_verb_is_on_the_page_once() -> None:
    assert len(VERBS) == len(set(VERBS))
    modules = {path.stem for path in Path("histpred/commands").glob("*.py")}
    helpers = {"__init__", "completers", "help_pages", "inputs", "machine", "options"}
    helpers |= {"numbers", "progress"}
    assert set(VERBS) == modules - helpers


@pytest.mark.parametrize("words", COMMANDS)
def test_every_verb_has_examples_in_lines_that_fit(words: str) -> None:
    command = COMMANDS[words]
    assert isinstance(command, Verb)
    assert command.examples
    page = histpred(*words.split(), "--help").out
    assert max(map(len, page.splitlines())) <= 80
    for what, example in command.examples:
        assert f"  {what}:\n" in page
        for line in example.splitlines():
            assert f"    {line}\n" in page


@pytest.mark.parametrize("words", COMMANDS)
def test_a_flag_that_turns_something_off_shows_no_default(words: str) -> None:
    assert "[default: True]" not in " ".join(histpred(*words.split(), "--help").out.split())


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_can_be_typed(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click.Path, "convert", lambda self, value, param, ctx: Path(value))
    typed = re.split(" && | > | \\| ", example)[0]
    _, *arguments = shlex.split(typed.replace("$(basename $shard .tsv)", "shard"))
    parse(*arguments)


@pytest.mark.parametrize("words", ["predict", "train", "evaluate", "windows", "labels peaks"])
def test_every_option_of_a_verb_with_many_is_in_a_section(words: str) -> None:
    options = [one for one in COMMANDS[words].params if isinstance(one, click.Option)]
    without = [one.opts[-1] for one in options if not isinstance(one, SectionedOption)]
    assert without == []
    page = histpred(*words.split(), "--help").out
    assert page.index("\nOutput:\n") < page.index("\nRunning:\n") < page.index("\nExamples:\n")


@pytest.mark.parametrize("words", [[], ["predict"], ["labels"], ["labels", "peaks"]], ids=" ".join)
def test_help_is_a_verb_too(words: list[str]) -> None:
    assert histpred("help", *words) == histpred(*words, "--help")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nonsense"], "no such command: 'nonsense'"),
        (["predict", "more"], "predict has no commands: 'more'"),
    ],
    ids=" ".join,
)
def test_help_on_what_is_not_there(words: list[str], said: str) -> None:
    done = histpred("help", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_the_version_has_a_short_flag(flag: str) -> None:
    assert histpred(flag) == (0, f"histpred {package.__version__}\n", "")


@pytest.mark.parametrize("arguments", [["-v"], ["--verbose"], ["predict", "-v", "a", "b"]])
def test_verbose_is_explained(arguments: list[str]) -> None:
    done = histpred(*arguments)
    assert done.code == 2
    assert "histpred says what it does unless you add --quiet" in done.err
    assert "-V prints its version" in done.err


@pytest.mark.parametrize("arguments", [["--help"], ["predict", "-h"], ["nonsense"]], ids=" ".join)
def test_nothing_is_coloured(arguments: list[str]) -> None:
    done = histpred(*arguments)
    assert "\x1b" not in done.out + done.err
