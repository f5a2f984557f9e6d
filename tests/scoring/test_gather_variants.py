"""The promise of gather for a VCF: what variants made of its parts is, to the byte, one run."""

from __future__ import annotations

import gzip
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from histpred.core.errors import HistpredError, InputError, OutputError, UsageError
from histpred.scoring.gather_variants import gather_variants
from histpred.scoring.opened import NO_GPU

pytest.importorskip("torch", reason="needs torch")

from support.random_bundle import stated_bundle
from support.scattered_variants import Case, ScatteredInputs, assert_same_run
from support.variants import read_effects, read_variants_ledger

REGION = "chr1:9,001-9,400 chr1:20,000-20,100 chrM:2,001-2,200"
CASES = {
    "genes and tiles": Case(),
    "a BCF, and marks of tiles alone": Case(marks=("H3K79me2",), vcf="a.bcf"),
    "typed regions": Case(window="interval", rows=REGION, background=0),
    "genes alone": Case(bundle="stated"),
    "no variant": Case(vcf="none.vcf"),
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> ScatteredInputs:
    folder = tmp_path_factory.mktemp("inputs")
    stated_bundle(folder / "stated")
    return ScatteredInputs(folder)


def case_of(inputs: ScatteredInputs, name: str) -> Case:
    case = CASES[name]
    return case._replace(bundle=str(inputs.folder / case.bundle)) if case.bundle else case


@pytest.mark.parametrize("name", CASES)
def test_any_number_of_parts_in_any_order_is_one_run(name, inputs, tmp_path):
    case = case_of(inputs, name)
    expected = inputs.whole(case, tmp_path / "whole")
    found = set()
    for count in (1, 3, 7, 10**9) if name == "genes alone" else (3, 7):
        folder = tmp_path / str(count)
        parts = inputs.parts(case, folder, -(-expected.alleles // count) or 1)
        found.add(len(parts))
        random.Random(count).shuffle(parts)
        result = gather_variants(folder / "scattered", parts, folder / "out")
        assert_same_run(folder / "out", tmp_path / "whole")
        same = {"embedded": result.embedded, "reused": result.reused}
        assert result == expected.model_copy(update=same)
        inputs.whole(case, folder / "out")  # finds its work done
    if expected.alleles:
        assert found >= {3, 7}
    else:
        assert found == {1}


def test_the_control(inputs, tmp_path):
    """The inputs have what is claimed; a part alone would be refused, and the whole is not."""
    case = Case()
    result = inputs.whole(case, tmp_path / "out")
    assert {"ref-not-in-the-genome", "symbolic", "unknown-contig", "genome-is-n"} <= {
        *result.skipped
    }
    assert result.skipped_rows == {"too-many-n": 1, "unknown-contig": 1}
    ledger = read_variants_ledger(tmp_path / "out" / "variants.ledger.tsv")
    assert {row["chrom"] for row in ledger} == {"MT", "1", "decoy"}
    assert len({row["record"] for row in ledger}) < len(ledger)
    rows = read_effects(tmp_path / "out" / "effects.tsv.gz")
    assert {row["#chrom"] for row in rows} == {"chrM", "chr1"}
    assert {row["window"] for row in rows} >= {"first", "beside it", "on M"}
    shards = inputs.scatter(case, tmp_path / "scattered", 11)
    plain = tmp_path / "part.vcf"
    with gzip.open(shards[1], "rt") as lines:
        plain.write_text("".join(line for line in lines if not line.startswith("##histpred_shard")))
    with pytest.raises(InputError, match="REF alleles are not the bases"):
        inputs.whole(case._replace(vcf=str(plain)), tmp_path / "alone")


# What is refused


@pytest.fixture(scope="module")
def made(inputs, tmp_path_factory) -> tuple[Path, list[Path]]:
    """A scattering and its parts; do not change them."""
    folder = tmp_path_factory.mktemp("made")
    case = case_of(inputs, "genes alone")
    return folder / "scattered", inputs.parts(case, folder, 30)


def refused(error: type[HistpredError], words: str, scattered: Path, parts: list[Path]) -> None:
    out = scattered.parent / "refused"
    with pytest.raises(error) as raised:
        gather_variants(scattered, parts, out)
    assert words in str(raised.value)
    assert not out.exists()


def edited(part: Path, folder: Path, change: Callable[[dict], object]) -> Path:
    """A copy of a part with another variants.json."""
    shutil.copytree(part, folder)
    record = json.loads((folder / "variants.json").read_text())
    change(record)
    (folder / "variants.json").write_text(json.dumps(record))
    return folder


def test_a_missing_part_and_one_that_is_given_twice_are_refused(made, tmp_path):
    scattered, parts = made
    assert len(parts) == 3
    refused(
        UsageError,
        "no part is the run of variants of shards/0002.vcf.gz",
        scattered,
        [parts[0], parts[2]],
    )
    again = edited(parts[0], tmp_path / "again", lambda record: None)
    refused(UsageError, "are both of shards/0001.vcf.gz", scattered, [*parts, again])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda one: one["identity"].update(background=6), "--background (6 -> 5)"),
        (lambda one: one["identity"].update({"marks": ["H3K4me3"]}), "--marks (H3K4me3 -> "),
        (lambda one: one["identity"].update({"FASTA sha256": "0"}), "FASTA sha256 (0 -> "),
        (lambda one: one["identity"].update(bundle="other 1 0"), "bundle (other 1 0 -> "),
        (lambda one: one["encoder"].update(precision="fp16"), "the encoder's precision (fp16"),
        (
            lambda one: one["identity"].update({"VCF sha256": "0"}),
            "not a run of variants of a shard",
        ),
        (
            lambda one: one["identity"].update({"annotation sha256": "0"}),
            "was not made with shards/0003.tsv",
        ),
        (lambda one: one["result"].update(rows=9), "of the"),
    ],
)
def test_a_part_of_another_run_is_refused(made, tmp_path, change, words):
    scattered, parts = made
    refused(InputError, words, scattered, [*parts[:2], edited(parts[2], tmp_path / "a", change)])


def test_a_part_that_was_altered_and_an_altered_ledger_are_refused(made, tmp_path):
    scattered, parts = made
    part = edited(parts[1], tmp_path / "a", lambda record: None)
    (part / "effects.tsv.gz").write_bytes(b"")
    refused(InputError, "altered since: effects.tsv.gz", scattered, [parts[0], part, parts[2]])
    shutil.copytree(scattered, tmp_path / "scattered")
    (tmp_path / "scattered" / "ledger.tsv").write_text("")
    refused(InputError, "altered since: ledger.tsv", tmp_path / "scattered", parts)


def test_a_part_is_never_the_output(made):
    scattered, parts = made
    with pytest.raises(OutputError, match="is an input too"):
        gather_variants(scattered, parts, parts[0], overwrite=True)


def test_that_no_gpu_could_be_used_is_said_once(made, tmp_path):
    scattered, parts = made
    given = [
        edited(part, tmp_path / part.name, lambda one: one["result"]["warnings"].append(NO_GPU))
        for part in parts
    ]
    result = gather_variants(scattered, given, tmp_path / "out")
    assert result.warnings.count(NO_GPU) == 1


# A shard with other inputs


def test_a_shard_with_another_table_fasta_bundle_or_window_is_refused(inputs, made, tmp_path):
    scattered, _ = made
    case = case_of(inputs, "genes alone")
    shard = scattered / "shards" / "0001.vcf.gz"
    for other, words in (
        (shard.with_name("0002.tsv"), "annotation sha256"),
        (inputs.folder / "rows.bed", "annotation sha256"),
    ):
        with pytest.raises(InputError, match=words):
            inputs.part(case, shard, tmp_path / "out", other)
    with pytest.raises(InputError, match=r"window \(promoter:200:200 -> promoter:100:100\)"):
        inputs.part(case._replace(window="promoter:100:100"), shard, tmp_path / "out")
    with pytest.raises(InputError, match=r"bundle \(random 0.0.0"):
        inputs.part(Case(), shard, tmp_path / "out")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    bases = (inputs.folder / "g.fa").read_text()
    (elsewhere / "g.fa").write_text(bases.replace("ACG", "ATG", 1))
    moved = ScatteredInputs.__new__(ScatteredInputs)
    moved.folder = elsewhere
    with pytest.raises(InputError, match="FASTA sha256"):
        moved.part(case, shard, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_shard_cannot_be_scattered(inputs, made, tmp_path):
    scattered, _ = made
    case = case_of(inputs, "genes alone")
    shards = sorted((scattered / "shards").glob("*.vcf.gz"))
    with pytest.raises(InputError, match="is a shard of a VCF already"):
        inputs.scatter(case._replace(vcf=str(shards[0])), tmp_path / "out", 10)
