"""The page of an explanation as a reader has it: on a laptop or a phone, light or dark."""

from __future__ import annotations

import random

import pytest

from support import random_genome, write_bed, write_fasta
from support.browsers import AXE, PHONE, SCREEN, assert_accessible
from support.command_line import histpred

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not AXE.is_file(), reason="needs what tests/browsers/get.sh fetches"),
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The page of one window with logos, and that of a profile."""
    folder = tmp_path_factory.mktemp("pages")
    genome = random_genome(random.Random(1), {"chr1": 60_000})
    write_fasta(folder / "genome.fa", genome)
    rows = [
        ("chr1", start, start + 900, f"g{start}", 0, "+-"[start // 1_000 % 2])
        for start in range(18_000, 40_000, 1_000)
    ]
    write_bed(folder / "many.bed", rows)
    write_bed(folder / "few.bed", rows[:1])
    found = []
    for name, options in (("few", ["--bases", "chr1:18,001-18,060"]), ("many", [])):
        words = ("explain", folder / f"{name}.bed", folder / "genome.fa", *options)
        assert histpred(*words, "-o", folder / name).code == 0
        found.append(folder / name / "report.html")
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", [SCREEN, PHONE], ids=["laptop", "phone"])
@pytest.mark.parametrize("number", [0, 1], ids=["map", "profile"])
def test_axe_finds_no_fault_and_nothing_scrolls_sideways(pages, chromium, number, screen, theme):
    assert_accessible(chromium, pages[number], screen, theme)
