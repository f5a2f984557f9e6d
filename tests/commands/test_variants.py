"""The command histpred variants and the function: what they say, and what they refuse."""

from __future__ import annotations

import json
import math

import pytest

import histpred as package
from support.command_line import contents, histpred, said_well
from support.variants import read_effects, vcf_text

pytest.importorskip("torch", reason="needs torch")

from support.variant_runs import FILES, VariantInputs


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return VariantInputs(tmp_path_factory.mktemp("inputs"))


def run(inputs, out, *more, vcf=None):
    words = ("variants", vcf or inputs.vcf, inputs.rows, inputs.fasta, "-o", out)
    return histpred(*words, "--bundle", inputs.folder / "bundle", *more)


def test_a_run_says_what_it_did_and_what_the_bundle_resolves(inputs, tmp_path):
    done = run(inputs, tmp_path / "out", "--background", "20")
    assert done.code == 0, done.err
    assert set(contents(tmp_path / "out")) == FILES
    inputs.run(tmp_path / "other")
    for name in FILES - {"variants.json"}:
        assert contents(tmp_path / "out")[name] == contents(tmp_path / "other")[name], name
    assert "of 60 alleles scored" in done.err
    assert "outside-all-windows" in done.err
    assert done.err.count("random substitutions in") == 1
    again = run(inputs, tmp_path / "out", "--background", "20")
    assert again.code == 0
    assert "already holds these effects: nothing to do" in again.err
    assert again.err.count("random substitutions in") == 1


def test_strict_ends_with_another_code_and_keeps_the_outputs(inputs, tmp_path):
    done = run(inputs, tmp_path / "out", "--strict", "--background", "0", "-q")
    assert done.code == 3
    assert "variants.ledger.tsv states the reason" in done.err
    assert set(contents(tmp_path / "out")) == FILES


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a VCF or BCF"),
        ("##fileformat=VCFv4.2\n", "no line of columns"),
        (vcf_text([("chr2", 9, "A", "C"), ("chr2", 8, "A", "C")]), ":4: not sorted"),
        (vcf_text([("scaffold", 9, "A", "C")]), "none of its contigs"),
        (
            vcf_text([("chr1", 9, "A", "C")]).replace("\tPASS", ""),
            "7 columns where the header has 8",
        ),
    ],
)
def test_a_vcf_that_cannot_be_used_is_refused_and_nothing_written(inputs, tmp_path, text, why):
    (tmp_path / "a.vcf").write_text(text)
    done = run(inputs, tmp_path / "out", vcf=tmp_path / "a.vcf")
    assert done.code == 1
    assert why in done.err
    assert said_well(done.err)
    assert not (tmp_path / "out").exists()


def test_the_function_returns_the_table(inputs, tmp_path):
    given = (inputs.vcf, inputs.rows, inputs.fasta)
    table = package.variants(*given, bundle=inputs.folder / "bundle", background=5)
    inputs.run(tmp_path / "out", background=5)
    rows = read_effects(tmp_path / "out" / "effects.tsv.gz")
    assert list(table.columns) == ["chrom", *list(rows[0])[1:]]
    assert len(table) == len(rows) > 20
    for (_, found), row in zip(table.iterrows(), rows, strict=True):
        assert found["pos"] == int(row["pos"])
        assert found["window"] == row["window"]
        assert found["H3K4me3.delta"] == float(row["H3K4me3.delta"])
        assert math.isnan(found["H3K27me3.ref"])
    assert table.attrs["scales"] == {"H3K27ac": "calibrated", "H3K4me3": "calibrated"}
    assert "random substitutions" in table.attrs["resolution"]
    assert table.attrs["skipped"].keys() >= {"outside-all-windows"}


def test_the_number_of_threads_does_not_change_the_bytes(inputs, tmp_path):
    for threads in ("1", "2"):
        assert run(inputs, tmp_path / threads, "-t", threads).code == 0
    for name in FILES - {"variants.json"}:
        assert contents(tmp_path / "1")[name] == contents(tmp_path / "2")[name], name


def test_regions_may_be_typed_in_place_of_an_annotation(inputs, tmp_path):
    bundle = ("--bundle", inputs.folder / "bundle", "--window", "interval")
    words = (inputs.vcf, "chr1:1-800", "chr2:300-600", inputs.fasta, "-o", tmp_path / "out")
    assert histpred("variants", *words, *bundle).code == 0
    rows = read_effects(tmp_path / "out" / "effects.tsv.gz")
    assert {row["#chrom"] for row in rows} == {"chr1", "chr2"}
    assert all(int(row["pos"]) <= 802 for row in rows)


@pytest.mark.parametrize("typed", [False, True])
def test_the_record_names_the_paths_that_are_asked_for(inputs, tmp_path, typed):
    """The pipeline's tasks read links, which say nothing to the user."""
    paths = ["s3://my/a.vcf", "/my rows.bed", "s3://my/g.fa"]
    rows = "chr1:1-800" if typed else inputs.rows
    words = (inputs.vcf, rows, inputs.fasta, "-o", tmp_path / "out", "--window", "interval")
    more = ("--bundle", inputs.folder / "bundle", "--background", "0", "--recorded-as", *paths)
    assert histpred("variants", *words, *more).code == 0
    record = json.loads((tmp_path / "out" / "variants.json").read_text())
    found = [record["vcf"], record["annotation"]["path"], record["fasta"]["path"]]
    assert found == [paths[0], "chr1:1-800" if typed else paths[1], paths[2]]
