"""--mode variants: each sample has the files that one `histpred variants` writes."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pysam
import pytest

from support.command_line import contents, histpred
from support.nextflow import needs_nextflow
from support.pipeline import (
    INPUTS,
    assert_published,
    failed_samples,
    launch,
    said_last,
    succeed,
    tasks,
)
from support.variants import Variant, read_effects, vcf_text

pytestmark = [pytest.mark.slow, pytest.mark.nextflow, pytest.mark.timeout(600), needs_nextflow]

RESULTS = Path("results/variants")
LENGTH = 51_304_566  # of chr22, of which test-data has the bases of a megabase
HEADER = [f"##contig=<ID=chr22,length={LENGTH}>"]
TANGO2, DGCR8 = 20_004_545, 20_067_754  # the first bases of the TSSs


@pytest.fixture(scope="module")
def chromosome() -> str:
    """The bases of chr22."""
    with gzip.open(INPUTS[1], "rt") as lines:
        return "".join(line.strip() for line in list(lines)[1:]).upper()


def variants_at(chromosome: str, starts: list[int]) -> list[Variant]:
    """A substitution and a deletion of two bases at each place, in turn."""
    found = []
    for number, start in enumerate(sorted(starts)):
        ref = chromosome[start : start + 1 + 2 * (number % 2)]
        alt = ref[0] if number % 2 else "ACGT"["TGCA".index(ref)]
        found.append(("chr22", start + 1, ref, alt))
    return found


def assert_same(found: Path, expected: Path) -> None:
    """Compare all files byte for byte but the records, which differ in when and where."""
    ours, plain = contents(found), contents(expected)
    assert ours.keys() == plain.keys()
    assert [name for name in plain if name != "variants.json" and ours[name] != plain[name]] == []
    mine, other = (json.loads(one["variants.json"]) for one in (ours, plain))
    for name in ("identity", "result", "scales", "vcf", "annotation", "fasta"):
        assert mine[name] == other[name]


def test_each_sample_is_what_variants_writes_and_a_bad_one_costs_no_other(
    tmp_path: Path, chromosome: str
) -> None:
    """One sample is a VCF, one a BCF, and one of another assembly."""
    rng = random.Random(22)
    near = [TANGO2 + rng.randrange(-900, 900) for _ in range(6)]
    far = [rng.randrange(20_000_000, 21_000_000) for _ in range(6)]
    first, second, wrong = tmp_path / "a b's.vcf", tmp_path / "b.bcf", tmp_path / "wrong.vcf"
    first.write_text(vcf_text(variants_at(chromosome, near), HEADER, "."))
    wrong.write_text(vcf_text([("scaffold", 9, "A", "C")], info="."))
    text = tmp_path / "b.vcf"
    text.write_text(vcf_text(variants_at(chromosome, far), HEADER, "."))
    with (
        pysam.VariantFile(str(text)) as read,
        pysam.VariantFile(str(second), "wb", header=read.header) as written,
    ):
        for record in read:
            written.write(record)
    sheet = tmp_path / "samples.csv"
    files = ",".join(map(str, INPUTS))
    rows = [f'one,{files},"{first.name}"', f"two,{files},{second}", f"wrong,{files},{wrong.name}"]
    sheet.write_text("\n".join(["sample,annotation,fasta,vcf", *rows]) + "\n")

    given = ("--background", "5", "--by", "transcript", "--biotype", "protein_coding,lncRNA")
    options = ("--mode", "variants", "--input", sheet, "--skip_failed", "--shard_alleles", "3")
    done = launch(tmp_path, *options, *given, profile="standard")
    assert done.returncode == 1, done.stdout + done.stderr
    expected = ["BUNDLE", *["SCATTER"] * 3, *["VARIANTS"] * 4, *["GATHER"] * 2, "SUMMARY"]
    assert sorted(tasks(done.stdout)) == sorted(expected)
    for name, vcf in (("one", first), ("two", second)):
        plain = tmp_path / "plain" / name
        assert histpred("variants", vcf, *INPUTS, "-o", plain, *given).code == 0
        assert len(read_effects(plain / "effects.tsv.gz")) > 5
        assert_same(tmp_path / RESULTS / name, plain)
    again = histpred("variants", first, *INPUTS, "-o", tmp_path / RESULTS / "one", *given)
    assert "nothing to do" in again.err
    assert_published(tmp_path, "variants")

    assert list(failed_samples(tmp_path)) == ["wrong"]
    assert said_last(done.stdout)[1].startswith(f"  wrong: {wrong}: none of its contigs is in ")
    crate = json.loads((tmp_path / "results" / "ro-crate-metadata.json").read_text())
    entities = {entity["@id"]: entity for entity in crate["@graph"]}
    (run,) = [one for one in entities.values() if one["@type"] == "CreateAction"]
    made = [one["@id"] for one in run["result"]]
    assert made == ["variants/one/", "variants/two/", "multiqc/", "pipeline_info/"]
    record = json.loads((tmp_path / RESULTS / "two" / "variants.json").read_text())
    assert [part["alleles"] for part in record["parts"]] == [3, 3]
    assert record["launch"]["parameters"]["mode"] == "variants"
    assert entities[second.as_uri()]["encodingFormat"] == "application/gzip"
    assert {one["@id"] for one in run["object"]} >= {second.as_uri(), INPUTS[0].as_uri()}


def test_regions_are_what_variants_reads_under_the_strict_parser(
    tmp_path: Path, chromosome: str
) -> None:
    vcf = tmp_path / "some.calls.vcf"
    vcf.write_text(vcf_text(variants_at(chromosome, [TANGO2, DGCR8]), HEADER, "."))
    region = "chr22:20,004,001-20,005,000"
    given = ("--background", "0", "--marks", "H3K4me3,H3K27ac")
    words = ("--mode", "variants", "--vcf", vcf, "--fasta", INPUTS[1], "--regions", region, *given)
    said = succeed(tmp_path, *words, profile="standard", NXF_SYNTAX_PARSER="v2")
    assert sorted(tasks(said)) == ["BUNDLE", "GATHER", "SCATTER", "SUMMARY", "VARIANTS"]
    plain = tmp_path / "plain"
    assert histpred("variants", vcf, region, INPUTS[1], "-o", plain, *given).code == 0
    windows = {row["window"] for row in read_effects(plain / "effects.tsv.gz")}
    assert any(name.startswith("chr22:20004001-20005000") for name in windows)
    assert_same(tmp_path / RESULTS / "some", plain)


def test_a_large_encoder_keeps_embeddings_in_the_store(tmp_path: Path, chromosome: str) -> None:
    pytest.importorskip("torch", reason="needs the extra encoders")
    from histpred.encoders.chunks import ChunkPolicy
    from support.dnabert2 import write_dnabert2
    from support.random_bundle import random_bundle

    weights, bundle, vcf = tmp_path / "weights", tmp_path / "my bundle", tmp_path / "a.vcf"
    write_dnabert2(weights)
    names = [path.name for path in sorted(weights.iterdir())]
    window = {"kind": "promoter", "upstream": 500, "downstream": 500, "max_n_fraction": 0.5}
    grid = ChunkPolicy("grid", 500)
    random_bundle(bundle, "dnabert2", weights, names, chunks=grid, window=window)
    starts = [TANGO2 - 50, TANGO2 + 60, DGCR8 - 40]
    vcf.write_text(vcf_text(variants_at(chromosome, starts), HEADER, "."))
    given = ("--bundle", bundle, "--weights", weights, "--genes", "TANGO2,DGCR8")
    given += ("--background", "2", "--anyway")

    plain = tmp_path / "plain"
    assert histpred("variants", vcf, *INPUTS, "-o", plain, *given).code == 0
    options = ("--mode", "variants", "--vcf", vcf, "--store", tmp_path / "kept", *given)
    succeed(tmp_path, *options, "--shard_alleles", "2")
    found = tmp_path / RESULTS / "chr22-20M"  # the profile names the sample
    ours = contents(found)
    for name, content in contents(plain).items():
        assert name == "variants.json" or ours[name] == content, name
    assert list((tmp_path / "kept" / "embeddings").rglob("*.parquet"))
