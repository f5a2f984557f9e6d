"""docs/screenshots.py takes its pictures, of a small yeast-like genome."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from support.browsers import IGV, JBROWSE, why_no_browser
from support.command_line import ROOT, histpred
from support.synthetic import write_bed, write_fasta

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(bool(why_no_browser(IGV, JBROWSE)), reason=why_no_browser(IGV, JBROWSE)),
]


def test_three_pictures_are_taken(tmp_path: Path) -> None:
    rng = random.Random(0)
    genome = write_fasta(tmp_path / "chrI.fa", {"chrI": "".join(rng.choices("ACGT", k=230_218))})
    genes = [
        ("chrI", start, start + 900, f"g{start}", 0, "+")
        for start in range(105_000, 130_000, 5_000)
    ]
    annotation, scores = write_bed(tmp_path / "genes.bed", genes), tmp_path / "scores"
    for command in (
        ("predict", annotation, genome, "--bundle", "yeast", "-o", scores),
        ("tracks", scores, genome, "--assembly", "sacCer3", "-o", scores / "hub"),
        ("report", scores),
    ):
        done = histpred(*command)
        assert done.code == 0, done.err
    # Its own process: playwright allows one session in a process, and other tests may have it.
    line = [sys.executable, ROOT / "docs" / "screenshots.py", scores, tmp_path / "pictures"]
    subprocess.run(line, check=True, timeout=100)
    pictures = sorted((tmp_path / "pictures").iterdir())
    assert [picture.name for picture in pictures] == [
        "report.png",
        "tracks-igv.png",
        "tracks-jbrowse.png",
    ]
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)
