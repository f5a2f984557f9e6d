"""The outputs that pages show are the outputs of the commands above them, run as a reader would."""

from __future__ import annotations

import difflib
import shutil
from pathlib import Path

import pytest

from support.command_line import ROOT, lacks
from support.scripts import load_script

PAGES = {
    str(path.relative_to(ROOT)): path
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if "```console\n" in path.read_text(encoding="utf-8")
}
TRAINS = "docs/train-your-own.md"
console = load_script("docs/site/console.py")


def run_page(name: str, folder: Path) -> None:
    text = PAGES[name].read_text(encoding="utf-8")
    now = console.renewed(text, console.runner(folder))
    changes = difflib.unified_diff(text.splitlines(), now.splitlines(), "shown", "now", lineterm="")
    assert now == text, "\n".join([f"python docs/site/console.py {name}", *changes])


@pytest.mark.parametrize("program", ["bedtools", "column", "samtools", "tabix"])
def test_the_programs_of_the_pages_are_here(program: str) -> None:
    assert shutil.which(program)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in PAGES if name != TRAINS])
def test_a_page_shows_what_its_commands_print(name: str, tmp_path: Path) -> None:
    run_page(name, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(lacks("train") or lacks("labels"), reason="needs the extras train and labels")
def test_the_page_that_trains_shows_what_its_commands_print(tmp_path: Path) -> None:
    run_page(TRAINS, tmp_path)


PAGE = """Before.

```console
$ printf 'a\\nb\\nc\\n'
a
...
c
$ echo one \\
    two
one two
```

```bash
exit 1
```
"""


def test_a_page_that_is_right_stays(tmp_path: Path) -> None:
    assert console.renewed(PAGE, console.runner(tmp_path)) == PAGE


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("a\n...\nc\n", "a\n...\nd\n"), ("one two\n", "one  two\n"), ("c\n$ echo", "c\nd\n$ echo")],
)
def test_an_output_that_drifted_is_renewed(right: str, wrong: str, tmp_path: Path) -> None:
    assert PAGE.count(right) == 1
    now = console.renewed(PAGE.replace(right, wrong), console.runner(tmp_path))
    assert now in (PAGE, PAGE.replace("...\n", "b\n"))


def test_commands_run_one_after_the_other_in_one_folder(tmp_path: Path) -> None:
    page = "```console\n$ echo x > y\n```\n\n```console\n$ cat y\nx\n```\n"
    assert console.renewed(page, console.runner(tmp_path)) == page


def test_a_command_fails_unless_its_output_says_error(tmp_path: Path) -> None:
    with pytest.raises(console.CommandFailed, match="exit code 3"):
        console.renewed("```console\n$ exit 3\n```\n", console.runner(tmp_path))
    other = tmp_path / "other"
    other.mkdir()
    page = "```console\n$ histpred bundle show no-such\n...\n```\n"
    assert console.renewed(page, console.runner(other)) == page
