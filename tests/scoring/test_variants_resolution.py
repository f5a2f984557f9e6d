"""What a bundle can resolve, and the refusal of one that resolves nothing."""

from __future__ import annotations

import math
import random

import pytest

from histpred.bundle.encoding import bundle_encoder
from histpred.core.errors import UsageError
from histpred.genome.request import Request
from histpred.scoring import variants_resolution
from histpred.scoring.variants import VariantOptions, variants
from histpred.scoring.variants_resolution import Resolution, refuse_unresolved

pytest.importorskip("torch", reason="needs torch")

from support import random_genome, write_bed, write_fasta
from support.random_bundle import stated_bundle
from support.variants import random_variants, read_effects, vcf_text


def resolution(half, hundredth, noise=1e-5):
    return Resolution(
        windows=8, substitutions=800, mark="H3K4me3", half=half, hundredth=hundredth, noise=noise
    )


@pytest.mark.parametrize(
    ("half", "hundredth", "resolves", "says"),
    [
        (0.0, 5e-5, False, "within the noise"),
        (
            0.001,
            0.05,
            True,
            "more than 0.1 %, and one in a hundred by more than 5.1 %: the bundle hardly",
        ),
        (0.1, 1.0, True, "more than 11 %, and one in a hundred by more than 2.7-fold: read a"),
    ],
)
def test_one_sentence_says_what_is_resolved(half, hundredth, resolves, says):
    found = resolution(half, hundredth)
    assert found.resolves == resolves
    assert says in found.sentence()
    if resolves:
        refuse_unresolved(found, "random", False)
    else:
        with pytest.raises(UsageError, match="random resolves no variant"):
            refuse_unresolved(found, "random", False)
    refuse_unresolved(found, "random", True)
    refuse_unresolved(None, "random", False)


@pytest.fixture
def run(tmp_path):
    rng = random.Random(1)
    genome = random_genome(rng, {"chr1": 3000})
    write_fasta(tmp_path / "g.fa", genome)
    write_bed(tmp_path / "rows.bed", [("chr1", 1000, 2000, "a", 0, "+")])
    (tmp_path / "a.vcf").write_text(vcf_text(random_variants(rng, genome, 200)))
    choice = bundle_encoder(stated_bundle(tmp_path / "bundle"))
    request = Request(str(tmp_path / "rows.bed"), str(tmp_path / "g.fa"))
    vcf, out = str(tmp_path / "a.vcf"), tmp_path / "out"
    return lambda anyway: variants(vcf, request, choice, out, VariantOptions(0, anyway))


def test_a_run_measures_what_random_substitutions_change(run, tmp_path):
    found = run(False).resolution
    assert (found.windows, found.substitutions) == (1, 50)
    deltas = [
        abs(float(row[f"{found.mark}.delta"]))
        for row in read_effects(tmp_path / "out" / "effects.tsv.gz")
    ]
    # The variants of the VCF are random substitutions too.
    assert found.half == pytest.approx(sorted(deltas)[len(deltas) // 2], rel=0.5)
    assert 0 < found.half < found.hundredth
    assert found.noise < 2e-5


def test_a_bundle_below_its_noise_is_refused_unless_anyway(run, tmp_path, monkeypatch):
    monkeypatch.setattr(variants_resolution, "PROMISED", math.log(2))
    with pytest.raises(UsageError, match="--anyway"):
        run(False)
    assert not (tmp_path / "out").exists()
    assert "effects mean nothing" in run(True).resolution.sentence()
