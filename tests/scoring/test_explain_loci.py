"""What speaks for the marks of windows of a finished prediction: known answers, and refusals."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

pytest.importorskip("onnx")

from histpred.bundle.folder import Bundle, load_bundle
from histpred.genome.annotation import TABLE
from histpred.genome.reference import Reference
from histpred.scoring.explain_loci import Place, explain_loci, why_not
from histpred.scoring.record import RunRecord, read_finished
from support import random_genome, write_bed, write_fasta
from support.command_line import histpred, read_scores
from support.counting_bundle import MARKS, PER_WORD, REACH, SLOPE, WORD, counting_bundle, words_in

SHOWN = MARKS[:3]  # the fourth is not predicted
PER_MARK = (SLOPE * PER_WORD[0], *PER_WORD[1:3])
AGAIN = "again"


class Case(NamedTuple):
    """A prediction of a bundle that counts words, and what it was made from."""

    folder: Path
    genome: dict[str, str]
    run: RunRecord
    bundle: Bundle

    @property
    def loci(self) -> dict[Place, np.ndarray]:
        """All windows of the table."""
        return {
            (
                row["chrom"],
                int(row["start"]),
                int(row["end"]),
                row["name"],
                row["strand"],
            ): np.array([float(row[mark]) for mark in SHOWN])
            for row in read_scores(self.folder / "scores" / "scores.tsv.gz").rows
        }

    def explained(self, loci: dict[Place, np.ndarray], fasta: Path | None = None):
        with Reference(fasta or self.folder / "genome.fa", self.folder / "cache") as reference:
            return explain_loci(self.folder / "scores", self.run, self.bundle, reference, loci)


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> Case:
    """Genes on both strands of a contig that the annotation calls otherwise, one at its end."""
    folder = tmp_path_factory.mktemp("case")
    genome = random_genome(random.Random(3), {"chr1": 5_000, "chr2": 1_500})
    write_fasta(folder / "genome.fa", genome)
    rows = [
        ("1", 1_000 + 700 * number, 1_400 + 700 * number, f"g{number // 2}", 0, "+-"[number % 2])
        for number in range(5)
    ]
    rows += [("2", 90, 400, "g7", 0, "+"), ("2", 700, 720, ".", 0, "-")]
    write_bed(folder / "rows.bed", rows)
    bundle = counting_bundle(folder / "counting")
    words = ("predict", folder / "rows.bed", folder / "genome.fa", "--bundle", folder / "counting")
    assert histpred(*words, "-o", folder / "scores").code == 0
    return Case(folder, genome, read_finished(folder / "scores", AGAIN), bundle)


def test_each_stretch_contributes_the_words_that_it_holds(case):
    loci = case.loci
    found = case.explained(loci)
    assert list(found) == list(loci)
    assert len(found) == 7
    for (chrom, start, end, _, strand), one in found.items():
        assert one.anchor is not None
        for (left, right), values in zip(one.stretches, one.contributions, strict=True):
            words = words_in(case.genome[chrom][left:right])
            np.testing.assert_allclose(values, words * np.array(PER_MARK), atol=1e-5)
        reach = max(0, one.anchor + (strand == "-") - REACH)
        assert one.stretches[0][0] == reach
        assert (start, end) == (one.row.window.start, one.row.window.end)
    assert sum(one.contributions.any() for one in found.values()) > 2


def test_only_what_was_asked_for_is_explained_in_that_order(case):
    some = dict(list(case.loci.items())[4:1:-1])
    assert list(case.explained(some)) == list(some)
    assert case.explained({}) == {}
    unknown = {("chr1", 5, 9, "other", "+"): np.zeros(3)}
    assert case.explained(unknown) == {}


def test_a_window_whose_probabilities_are_others_is_left_out(case):
    loci = case.loci
    first = next(iter(loci))
    found = case.explained(loci | {first: loci[first] + 0.01})
    assert first not in found
    assert len(found) == len(loci) - 1


def test_another_genome_explains_nothing_that_it_changed(case, tmp_path):
    genome = case.genome | {"chr1": case.genome["chr1"].replace(WORD, "GTTC")}
    write_fasta(tmp_path / "other.fa", genome)
    without = case.explained(case.loci, tmp_path / "other.fa")
    changed = {
        key
        for key, one in case.explained(case.loci).items()
        if key[0] == "chr1" and one.contributions.any()
    }
    assert changed
    assert set(without) == set(case.loci) - changed


def test_what_cannot_be_explained_on_the_side_is_said(case):
    assert why_not(case.run, case.bundle) == ""
    identity = case.run.identity
    spliced = identity.model_copy(update={"window": identity.window._replace(kind="spliced")})
    assert "exons" in why_not(case.run.model_copy(update={"identity": spliced}), case.bundle)
    records = identity.model_copy(update={"source": "sequences"})
    assert "no genome" in why_not(case.run.model_copy(update={"identity": records}), case.bundle)
    given = case.run.annotation.model_copy(update={"format": TABLE})
    assert "table" in why_not(case.run.model_copy(update={"annotation": given}), case.bundle)
    spec = case.bundle.manifest.encoder.model_copy(update={"kind": "dnabert2"})
    manifest = case.bundle.manifest.model_copy(update={"encoder": spec})
    assert "large" in why_not(case.run, replace(case.bundle, manifest=manifest))


def test_tiles_are_placed_by_their_rows(tmp_path, demo_data):
    rows = "chr22\t20280000\t20300000\tpart\t0\t.\n"
    (tmp_path / "parts.bed").write_text(rows)
    fasta, out = demo_data / "genome.fa.gz", tmp_path / "scores"
    words = ("predict", tmp_path / "parts.bed", fasta, "--tile", "200", "--marks", "H3K4me3")
    assert histpred(*words, "-o", out).code == 0
    run = read_finished(out, AGAIN)
    loci = {
        (row["chrom"], int(row["start"]), int(row["end"]), row["name"], row["strand"]): np.array(
            [float(row["H3K4me3"])]
        )
        for row in read_scores(out / "scores.tsv.gz").rows[:5]
    }
    with Reference(fasta, tmp_path / "cache") as reference:
        found = explain_loci(out, run, load_bundle("human-promoter"), reference, loci)
    assert list(found) == list(loci)
    for (_, start, end, *_), one in found.items():
        assert one.anchor == (start + end) // 2
        assert one.stretches[0][0] == one.anchor - 15_100
