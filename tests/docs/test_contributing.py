"""The examples of CONTRIBUTING.md work as they are shown."""

from __future__ import annotations

import re
import sys
from types import ModuleType

import pytest

from histpred import api, cli
from support.command_line import ROOT, histpred

ENCODER, VERB, FUNCTION = re.findall(
    r"^```python\n(.*?)^```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL | re.MULTILINE
)


def module(name: str, code: str) -> ModuleType:
    made = ModuleType(name)
    exec(code, vars(made))
    return made


def test_the_encoder_embeds() -> None:
    encoder = module("gc", ENCODER).from_settings({}, ROOT, "cpu", "auto")
    found = encoder.embed([b"GCAT", b"GNNN", b"NN"])
    assert found.vectors.tolist() == [[0.5], [1.0], [0.0]]
    assert found.tokens.tolist() == [4, 1, 0]


def test_the_verb_is_one_of_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    verb = module("histpred.commands.thresholds", VERB)
    monkeypatch.setitem(sys.modules, verb.__name__, verb)
    monkeypatch.setattr(cli, "VERBS", (*cli.VERBS, "thresholds"))
    before = dict(vars(api))
    exec(FUNCTION, vars(api))
    try:
        done = histpred("thresholds")
    finally:
        for name in vars(api).keys() - before.keys():
            delattr(api, name)
    assert done.code == 0, done.err
    assert re.fullmatch(r"(\S+\t[0-9.e-]+\n){8}", done.out)
    assert "H3K4me3\t" in done.out


def test_the_named_places_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"`((?:histpred|tests)/[\w./]+\.py)`", text))
    examples = {"histpred/encoders/gc.py", "histpred/commands/thresholds.py"}
    assert [path for path in named - examples if not (ROOT / path).exists()] == []
    rooms = re.findall(r"^\| `(\w+/)` \|", text, re.MULTILINE)
    assert {room for room in rooms if not (ROOT / "histpred" / room).is_dir()} == set()
