"""Which tests the second run of .ci/run leaves out: those that cannot see what only it has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import importlib.util
import subprocess
import sys

import pytest


def test_alone():
    import json.tool


@pytest.mark.parametrize("number", [1, 2])
def test_with_numbers(number):
    pass


def test_that_looks():
    assert importlib.util.find_spec("not_here") is None


def test_that_tries_to_import():
    try:
        import not_here
    except ImportError:
        pass


def test_that_starts_python():
    subprocess.run([sys.executable, "-c", ""], check=True)


def test_that_runs_a_program_without_python():
    subprocess.run([PROGRAM], check=True)


def test_that_fails():
    assert False


def test_that_is_skipped():
    pytest.skip("not here")


@pytest.fixture
def of_a_test():
    return importlib.util.find_spec("not_here")


@pytest.fixture(scope="module")
def of_a_module():
    return importlib.util.find_spec("not_here")


def test_whose_fixture_looks(of_a_test):
    pass


def test_whose_module_s_fixture_looks(of_a_module):
    pass


def test_with_what_that_fixture_found(of_a_module):
    pass


def test_after_those():
    pass
"""
OF_A_FILE_THAT_LOOKS = """
import importlib.util

LACKS = importlib.util.find_spec("not_here") is None


def test_of_a_file_that_looks():
    pass
"""
SAME = {
    "test_alone",
    "test_with_numbers[1]",
    "test_with_numbers[2]",
    "test_that_runs_a_program_without_python",
    "test_after_those",
}


def run(folder: Path, **variables: str) -> set[str]:
    """Run the tests of a folder with the hooks of tests/conftest.py; return the names of them."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HISTPRED_", "PYTEST_"))
    }
    paths = os.pathsep.join([os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "-c", os.devnull, "-v", "-n", "2"]
    done = subprocess.run(
        [*command, "--rootdir", folder, folder],
        cwd=folder,
        env=environment | {"PYTHONPATH": paths} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr  # one test fails
    lines = done.stdout.split("= short test summary")[0].splitlines()
    words = [line.split() for line in lines if "::" in line and "%]" in line]
    return {word.split("::")[1] for line in words for word in line if "::" in word}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_looked_for_nothing_is_left_out(tmp_path: Path) -> None:
    program, folder, noted = tmp_path / "bedtools", tmp_path / "tests", tmp_path / "noted"
    program.symlink_to("/bin/true")
    folder.mkdir()
    (folder / "test_some.py").write_text(f"PROGRAM = {str(program)!r}\n{TESTS}")
    (folder / "test_other.py").write_text(OF_A_FILE_THAT_LOOKS)

    first = run(folder, HISTPRED_NOTE=str(noted))
    assert first > SAME
    assert {line.split("::")[1] for line in noted.read_text().splitlines()} == SAME
    assert run(folder, HISTPRED_LEAVE_OUT=str(noted)) == first - SAME
