from __future__ import annotations

import io
import json
from contextlib import redirect_stdout

import pytest

from histpred.core.text import say, visible, visible_line
from support.command_line import ROOT

HIDDEN = [
    *map(chr, [0, 7, 8, 0x1B, 0x0B, 0x0C, 0x0D, 0x1F, 0x7F, 0x80, 0x85, 0x9B, 0x9D, 0x9F]),
    *map(chr, [0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF]),
    *("\ud800", "\udc80", "\udcff"),
]
SHOWN = ["chr1", "a\tb", "é", "染色体", "\u00a0", "👩\u200d🔬", "\\x1b", '"', "a\nb", ""]


@pytest.mark.parametrize("character", HIDDEN, ids=ascii)
def test_characters_that_steer_a_terminal_are_spelled_out(character):
    assert visible(f"a{character}b") == f"a\\u{ord(character):04x}b"
    assert visible_line(f"a{character}b") == f"a\\u{ord(character):04x}b"


@pytest.mark.parametrize("text", SHOWN)
def test_all_other_text_is_shown_as_it_is(text):
    assert visible(text) == text


def test_a_line_stays_one_line():
    assert visible_line("a\nerror: b\r\n") == r"a\u000aerror: b\u000d\u000a"


def test_json_keeps_its_meaning():
    fields = {"summary": "a\x1b[31m \x7f \x9b \u202e"}
    assert json.loads(visible(json.dumps(fields, ensure_ascii=False))) == fields


def test_a_line_for_the_user_is_visible():
    out = io.StringIO()
    with redirect_stdout(out):
        say("a\x1b[2J")
    assert out.getvalue() == "a\\u001b[2J\n"


def test_nothing_else_prints():
    printing = {
        path.name
        for path in (ROOT / "histpred").rglob("*.py")
        if any(word in path.read_text() for word in ("click.echo(", "print(", "click.secho("))
    }
    assert printing == {"text.py"}
