"""Effects in batches of any size, and of chunks that are embedded once."""

from __future__ import annotations

import random

import pytest

from histpred.bundle.encoding import bundle_encoder
from histpred.bundle.folder import load_bundle
from histpred.core.execution import Execution
from histpred.encoders.chunks import ChunkPolicy
from histpred.genome.request import Request
from histpred.scoring import effects
from histpred.scoring.variants import VariantOptions, variants
from support import random_genome, write_bed, write_fasta
from support.command_line import contents

pytest.importorskip("tokenizers", reason="needs tokenizers")
pytest.importorskip("torch", reason="needs torch")

from support.dnabert2 import write_dnabert2
from support.random_bundle import random_bundle
from support.variant_runs import FILES, VariantInputs
from support.variants import random_variants, read_effects, vcf_text


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return VariantInputs(tmp_path_factory.mktemp("inputs"))


@pytest.mark.parametrize("at_once", [1, 7])
def test_batches_do_not_change_the_bytes(inputs, tmp_path, monkeypatch, at_once):
    inputs.run(tmp_path / "whole")
    monkeypatch.setattr(effects, "AT_ONCE", at_once)
    inputs.run(tmp_path / "parts")
    for name in FILES - {"variants.json"}:
        assert contents(tmp_path / "parts")[name] == contents(tmp_path / "whole")[name], name


def test_random_variants_are_as_often_above_the_random_ones_as_below(inputs, tmp_path):
    """So a share above half says something. The largest of several ranks is higher by chance."""
    bases = inputs.genome["chr1"]
    rng = random.Random(3)
    places = [place for place in range(700, 1100) if bases[place] != "N"]  # the window of one gene
    others = [rng.choice("ACGT".replace(bases[place], "")) for place in places]
    given = [("chr1", at + 1, bases[at], alt) for at, alt in zip(places, others, strict=True)]
    (tmp_path / "a.vcf").write_text(vcf_text(given))
    result = inputs.run(tmp_path / "out", tmp_path / "a.vcf", background=300)
    assert result.compared == result.effects == len(given)
    assert 0.4 < result.above_half / result.compared < 0.6
    assert result.above_all < 0.02 * result.compared
    largest = [float(row["H3K4me3.rank"]) for row in read_effects(tmp_path / "out/effects.tsv.gz")]
    assert 0.4 < sum(rank > 0.5 for rank in largest) / len(largest) < 0.6
    none = inputs.run(tmp_path / "none", tmp_path / "a.vcf", background=0)
    assert (none.effects, none.compared, none.above_half) == (len(given), 0, 0)


@pytest.fixture(scope="module")
def chunked(tmp_path_factory):
    """A run with a random DNABERT-2 on windows of 2,200 bp in chunks of 200 bp; a function."""
    folder = tmp_path_factory.mktemp("chunked")
    rng = random.Random(6)
    write_dnabert2(folder / "weights", scale=0.3)
    files = ["pytorch_model.bin", "config.json", "tokenizer.json"]
    window = {"kind": "context", "upstream": 2000}
    chunks = ChunkPolicy("window", 200)
    random_bundle(
        folder / "bundle", "dnabert2", folder / "weights", files, chunks=chunks, window=window
    )
    genome = random_genome(rng, {"chr1": 5000})
    write_fasta(folder / "g.fa", genome)
    write_bed(folder / "rows.bed", [("chr1", 2500, 2700, "gene", 0, "+")])
    (folder / "a.vcf").write_text(vcf_text(random_variants(rng, genome, 60)))
    request = Request(str(folder / "rows.bed"), str(folder / "g.fa"))

    def run(out, **given):
        choice = bundle_encoder(load_bundle(folder / "bundle"), weights=folder / "weights")
        execution = Execution("cpu", **given)
        return variants(str(folder / "a.vcf"), request, choice, out, VariantOptions(0), execution)

    return run


def test_only_the_chunks_with_an_allele_are_embedded(chunked, tmp_path):
    result = chunked(tmp_path / "out")
    assert result.effects > 15
    of_window, measured = 11, 50
    assert result.embedded <= of_window + measured + result.effects
    assert result.embedded > result.effects


def test_an_interrupted_run_goes_on_with_its_embeddings(chunked, tmp_path, monkeypatch):
    def interrupt(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr("histpred.scoring.variants.write_tables", interrupt)
    with pytest.raises(KeyboardInterrupt):
        chunked(tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".histpred-resume"]
    monkeypatch.undo()
    result = chunked(tmp_path / "out")
    assert result.embedded == 0
    assert result.reused > 60
    chunked(tmp_path / "whole")
    for name in FILES - {"variants.json"}:
        assert contents(tmp_path / "out")[name] == contents(tmp_path / "whole")[name], name


def test_a_store_serves_later_runs(chunked, tmp_path):
    first = chunked(tmp_path / "first", store=tmp_path / "store")
    again = chunked(tmp_path / "again", store=tmp_path / "store")
    assert (first.embedded > 60, again.embedded) == (True, 0)
    assert (
        contents(tmp_path / "first")["effects.tsv.gz"]
        == contents(tmp_path / "again")["effects.tsv.gz"]
    )
