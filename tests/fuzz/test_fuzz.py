"""No bytes in a file of the user lead to an exception that is not histpred's.

`tests/fuzz/run.py` fuzzes one reader for as long as you like; this is a short run of each.
"""

from __future__ import annotations

import importlib.util
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.readers import READERS

RUN = Path(__file__).parent / "run.py"
SECONDS = 3  # for each reader; with their start, about half a minute in all

# What fuzzing found, and histpred once read wrongly.
FOUND: dict[str, list[bytes]] = {
    "gtf": [
        b'chr1\tx\tgene\t1\t9\t.\t?\t.\tgene_id "";\nchr1\tx\tgen\re\t1\t9\t.\t+\t.\tgene_id "G"\n',
        b"chr1\tx\tgene\t11\t60\t.\t+\t.\tg1\nchr1\r\tx\tgene\t11\t60\t.\t+\t.\tg2\n",
    ],
    "fasta-index": [
        b"chr1\t3000\t6\t61\t-2\nsc=1\t200\t3062\t69\t62\nchrM\t60\t3272\t61\t62\n",
        b"chr1\t2905\t6\t40\t42\nsc=1\t200\t3062\t60\t61\nchrM\t60\t3272\t60\t61\n",
        b"chr1\t3000\t6\t60\t61\nsc=1\t201\t3062\t60\t61\nchrM\t60\t3272\t60\t61\n",
        b"chr1\t3000\t6\t60\t61\nsc=1\t203\t3062\t203\t204\nchrM\t60\t3272\t60\t61\n",
        b"chr1\t3000\t6\t60\t61\nsc=1\t200\t3062\t60\t61\nchrM\t%d\t3272\t%d\t9\n"
        % (10**30, 10**31),
    ],
    "block-index": [struct.pack("<5Q", 2, 34, 6, 1 << 63, 99)],
}

needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="needs the package atheris, which the test extra installs on Linux",
)


def fuzz(name: str, seconds: int, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, RUN, name, str(seconds)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", READERS)
def test_seeds_and_findings_are_read_or_refused(name):
    reader = READERS[name]()
    accepted = [not reader.refuses(seed) for seed in reader.seeds]
    assert accepted[0], "the first seed is a good file"
    for content in FOUND.get(name, []):
        reader.refuses(content)


@pytest.mark.slow
@needs_atheris
@pytest.mark.parametrize("name", READERS)
def test_a_short_fuzz_finds_nothing(name, tmp_path):
    done = fuzz(name, SECONDS, tmp_path)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "Done" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@needs_atheris
def test_a_fault_is_found(tmp_path):
    """The control: a reader that raises another exception."""
    done = fuzz("control", 60, tmp_path)
    assert done.returncode != 0
    assert "ValueError: not an error of histpred" in done.stdout
    (crash,) = tmp_path.iterdir()
    assert crash.read_bytes().startswith(b"ch")
