"""Hubs of the real megabase, as `histpred tracks` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from histpred.core.marks import CORE_MARKS, mark, mark_colour
from histpred.scoring.tables import bed_shades
from support.command_line import Scores, histpred, read_scores


class Hub(NamedTuple):
    """A hub and the table that it was made from."""

    folder: Path
    scores: Scores

    @property
    def shown(self) -> list[str]:
        """The marks that a session shows at first: the bundle has all core marks."""
        return [name for name in self.scores.marks if name in CORE_MARKS]

    @property
    def transcribed(self) -> list[float]:
        """The mean of the class's marks in each row of tiles."""
        marks = [name for name in self.scores.marks if mark(name).mark_class == "transcribed"]
        assert len(marks) == 4
        return [sum(float(row[name]) for name in marks) / 4 for row in self.scores.rows]

    def between(self, start: int, end: int) -> list[dict[str, str]]:
        """The rows that lie wholly there."""
        return [
            row for row in self.scores.rows if start < int(row["start"]) < int(row["end"]) < end
        ]

    def shades(self, rows: list[dict[str, str]], name: str) -> list[tuple[int, int, int]]:
        """What colour each of these rows must be."""
        shades = bed_shades(mark_colour(name))
        scores = [round(float(row[name]) * 1000) for row in rows]
        return [tuple(map(int, shades[score].split(","))) for score in scores]


def hub_of(annotation: Path, genome: Path, folder: Path, assembly: str, *options: str) -> Hub:
    done = histpred("predict", annotation, genome, "-o", folder / "scores", *options)
    assert done.code == 0, done.err
    named = ("--assembly", assembly)
    done = histpred("tracks", folder / "scores", genome, *named, "-o", folder / "hub")
    assert done.code == 0, done.err
    return Hub(folder / "hub", read_scores(folder / "scores" / "scores.tsv.gz"))


@pytest.fixture(scope="session")
def genes(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """Of genes, so that marks are bigBeds, of an assembly that IGV does not know."""
    folder = tmp_path_factory.mktemp("genes")
    return hub_of(demo_data / "genes.gtf.gz", demo_data / "genome.fa.gz", folder, "demo")


@pytest.fixture(scope="session")
def tiles(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """Of tiles, so that marks are bigWigs, of an assembly that IGV fetches by its name."""
    folder = tmp_path_factory.mktemp("tiles")
    (folder / "part.bed").write_text("chr22\t20100000\t20120000\tpart\t0\t.\n")
    genome = demo_data / "genome.fa.gz"
    return hub_of(folder / "part.bed", genome, folder, "hg19", "--tile", "200")
