"""Whole numbers that are larger than what packages hold."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from histpred.cli import histpred as cli
from histpred.commands.numbers import Whole
from support.command_line import histpred

LARGE = "99999999999999999999999999"
UNBOUNDED = ("--seed", "--shard-bases")  # Python alone computes with them


def options_of(command: click.Command, context: click.Context) -> Iterator[click.Option]:
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if found := command.get_command(context, name):
                yield from options_of(found, context)
    yield from (one for one in command.params if isinstance(one, click.Option))


def test_every_whole_number_has_an_end():
    ranges = [
        one for one in options_of(cli, click.Context(cli)) if isinstance(one.type, click.IntRange)
    ]
    assert {one.opts[-1] for one in ranges if not isinstance(one.type, Whole)} == {*UNBOUNDED}
    assert len(ranges) > 15


@pytest.mark.parametrize(
    "words",
    [
        ("predict", "a.bed", "g.fa", "-o", "out", "--tile", LARGE),
        ("explain", "a.bed", "g.fa", "-o", "out", "--resolution", LARGE),
        ("variants", "a.vcf", "a.bed", "g.fa", "-o", "out", "--background", LARGE),
        ("predict", "a.bed", "g.fa", "-o", "out", "-t", LARGE),
    ],
)
def test_a_number_that_no_package_holds_is_wrong_usage(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = histpred(*words)
    assert done.code == 2
    assert "a number larger than 2,147,483,647" in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--upstream", "--downstream"])
@pytest.mark.parametrize("number", ["10000001", LARGE])
def test_a_window_ends_where_that_of_a_bundle_does(option, number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = histpred("windows", "a.bed", "g.fa", "-o", "out.tsv", option, number)
    assert done.code == 2
    assert f"{number} is not in the range 0<=x<=10000000" in done.err
