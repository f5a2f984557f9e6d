"""A mark that is not predicted is NA wherever its probabilities go, and calls state a precision."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import numpy as np
import pytest

import histpred as package
from histpred.bundle.encoding import bundle_encoder
from histpred.bundle.folder import Bundle
from histpred.core.errors import UsageError
from histpred.core.execution import Execution
from histpred.genome.request import Request
from histpred.scoring.predict import predict
from histpred.scoring.record import read_finished
from histpred.scoring.tables import read_scores
from histpred.scoring.verify import verify
from support import random_bed_rows, random_genome, write_bed, write_fasta
from support.command_line import histpred, said_well

pytest.importorskip("torch", reason="needs torch")

from support.random_bundle import MARKS, REASON, stated_bundle


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    rng = random.Random(5)
    genome = random_genome(rng, {"chr1": 30_000, "chr2": 9_000})
    write_fasta(folder / "genome.fa", genome)
    write_bed(folder / "rows.bed", random_bed_rows(rng, genome, 80))
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Bundle:
    return stated_bundle(tmp_path_factory.mktemp("bundle") / "stated")


def run(inputs: Path, bundle: Bundle, out: Path, precision: float | None = None) -> Path:
    choice = bundle_encoder(bundle)._replace(call_precision=precision)
    request = Request(str(inputs / "rows.bed"), str(inputs / "genome.fa"))
    predict(request, choice, out, Execution())
    return out


@pytest.fixture(scope="module")
def done(inputs, bundle, tmp_path_factory) -> Path:
    return run(inputs, bundle, tmp_path_factory.mktemp("done") / "out")


def scores(folder: Path) -> np.ndarray:
    with read_scores(folder / "scores.tsv.gz") as (marks, blocks):
        assert marks == MARKS
        return np.concatenate([block.probabilities for block in blocks])


def called(folder: Path) -> set[str]:
    with gzip.open(folder / "calls.bed.gz", "rt") as lines:
        return {line.split("\t")[3].rpartition("|")[2] for line in lines}


def test_the_table_has_na_in_all_rows_of_the_mark_and_no_calls_of_it(done):
    lines = gzip.decompress((done / "scores.tsv.gz").read_bytes()).decode().splitlines()
    column = lines[0].split("\t").index("H3K27me3")
    assert {line.split("\t")[column] for line in lines[1:]} == {"NA"}
    values = scores(done)
    assert np.isnan(values).any(axis=0).tolist() == [False, True, False]
    assert called(done) == {"H3K27ac"}


def test_the_record_states_what_calls_promise(done):
    written = json.loads((done / "run.json").read_text())
    assert written["schema_version"] == "1.2"
    assert written["marks"] == [
        {
            "name": "H3K27ac",
            "threshold": 0.5,
            "precision": 0.8,
            "recall": 0.6,
            "unpredicted": "",
        },
        {
            "name": "H3K27me3",
            "threshold": None,
            "precision": None,
            "recall": None,
            "unpredicted": REASON,
        },
        {
            "name": "H3K4me3",
            "threshold": None,
            "precision": None,
            "recall": None,
            "unpredicted": "",
        },
    ]
    assert read_finished(done, "").unpredicted == {"H3K27me3": REASON}


def test_a_precision_chooses_the_threshold_and_is_part_of_the_identity(inputs, bundle, tmp_path):
    out = run(inputs, bundle, tmp_path / "out", 0.9)
    record = read_finished(out, "")
    assert record.identity.call_precision == 0.9
    assert (record.marks[0].threshold, record.marks[0].precision) == (0.6, 0.9)
    calls = int((scores(out)[:, 0] >= 0.6).sum())
    assert record.result.calls == calls
    with pytest.raises(Exception, match=r"call precision \(0\.9 -> None\)"):
        run(inputs, bundle, out)
    none = run(inputs, bundle, tmp_path / "none", 0.95)
    assert not called(none)
    assert (none / "scores.tsv.gz").read_bytes() == (out / "scores.tsv.gz").read_bytes()


def test_a_bundle_without_curves_refuses_a_precision(inputs, tmp_path):
    given = ("predict", inputs / "rows.bed", inputs / "genome.fa", "-o", tmp_path / "out")
    refused = histpred(*given, "--bundle", "yeast", "--call-precision", "0.9")
    assert refused.code == 2
    assert "does not state the precision of calls of " in refused.err
    assert said_well(refused.err)


def test_windows_of_another_kind_have_no_stated_precision(bundle, inputs, tmp_path):
    choice = bundle_encoder(bundle, "promoter:100:100")
    assert all(mark.calls is None for mark in choice.scored)
    with pytest.raises(UsageError, match="does not state the precision"):
        _ = choice._replace(call_precision=0.9).scored


@pytest.mark.parametrize("precision", [0.0, -1.0, 1.5, float("nan")])
def test_a_precision_is_from_0_to_1(bundle, precision):
    with pytest.raises(UsageError, match="no precision of calls"):
        _ = bundle_encoder(bundle)._replace(call_precision=precision).scored


def test_only_marks_that_are_not_predicted_are_refused_with_the_reason(bundle):
    with pytest.raises(UsageError, match=f"predicts none of these marks: .*{REASON}"):
        _ = bundle_encoder(bundle)._replace(marks=("H3K27me3",)).scored


def test_what_predict_says(inputs, bundle, tmp_path):
    given = ("predict", inputs / "rows.bed", inputs / "genome.fa", "-o", tmp_path / "out")
    said = histpred(*given, "--bundle", bundle.directory).err
    meaning = "a peak at the start in at least a quarter of the samples: 20 for H3K27ac."
    assert f"A probability of H3K27ac is that of {meaning}\n" in said
    assert "It was trained on nothing.\n" in said
    assert f"H3K27me3: NA, not predicted: {REASON}\n" in said


def test_the_data_frame_has_nan_and_the_reason(inputs, bundle):
    frame = package.predict(inputs / "rows.bed", inputs / "genome.fa", bundle=bundle.directory)
    assert frame["H3K27me3"].isna().all()
    assert frame["H3K27me3"].dtype == float
    assert frame["H3K27ac"].notna().all()
    assert frame.attrs["unpredicted"] == {"H3K27me3": REASON}


def test_the_known_answer_is_of_the_predicted_marks(bundle):
    assert set(bundle.manifest.known_answer.probabilities) == {"H3K27ac", "H3K4me3"}
    assert verify(bundle) == 0


def test_shards_and_one_run_give_the_same_bytes_and_promises(inputs, bundle, tmp_path):
    whole = run(inputs, bundle, tmp_path / "whole", 0.9)
    options = ("--bundle", bundle.directory, "-q")
    files = inputs / "rows.bed", inputs / "genome.fa"
    scattered = tmp_path / "scattered"
    assert histpred("scatter", *files, "-o", scattered, *options, "--shard-bases", "9000").code == 0
    parts = []
    for shard in sorted((scattered / "shards").iterdir()):
        parts.append(tmp_path / shard.stem)
        given = ("predict", shard, files[1], "-o", parts[-1], *options)
        assert histpred(*given, "--call-precision", "0.9").code == 0
    assert len(parts) > 1
    assert histpred("gather", scattered, *parts, "-o", tmp_path / "out").code == 0
    for name in ("scores.tsv.gz", "calls.bed.gz", "ledger.tsv"):
        assert (tmp_path / "out" / name).read_bytes() == (whole / name).read_bytes()
    one, joined = (read_finished(folder, "") for folder in (whole, tmp_path / "out"))
    assert (one.identity, one.marks) == (joined.identity, joined.marks)

    run_again = ("predict", tmp_path / "scattered/shards/0001.tsv", files[1], "-o", parts[0])
    assert histpred(*run_again, *options, "--overwrite").code == 0
    refused = histpred("gather", scattered, *parts, "-o", tmp_path / "other")
    assert refused.code == 1
    assert "--call-precision (" in refused.err
