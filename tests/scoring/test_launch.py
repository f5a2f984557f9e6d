"""What run.json says of the pipeline that made a prediction."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from histpred.core.errors import UsageError
from histpred.scoring.launch import Launch, launch_words, parse_launch
from support.command_line import ROOT, histpred, tables

INPUTS = [ROOT / "test-data" / "human-chr22-20M" / name for name in ("genes.bed", "genome.fa.gz")]
LAUNCH = {
    "pipeline": "histpred",
    "version": "0.1.0",
    "revision": "abc",
    "nextflow": "25.04.0",
    "profile": "docker",
    "container": "histpred:0.1.0",
    "container_digest": "sha256:12",
    "parameters": {"tile": "200", "tracks": True},
}


def test_a_launch_in_words():
    assert launch_words(parse_launch(json.dumps(LAUNCH))) == (
        "histpred 0.1.0, revision abc, Nextflow 25.04.0, profile docker, container sha256:12, "
        "--tile 200, --tracks True"
    )
    bare = Launch(pipeline="p", version="1", nextflow="25", profile="standard")
    assert launch_words(bare) == "p 1, Nextflow 25, profile standard, no container"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON"),
        ("[]", "Launch"),
        ('{"pipeline": "p"}', "version: Field required"),
        (json.dumps({**LAUNCH, "branch": "x"}), "branch: Extra inputs"),
    ],
)
def test_what_describes_no_launch_is_refused(text, words):
    with pytest.raises(UsageError) as caught:
        parse_launch(text)
    assert caught.value.message.startswith("--launched-by: ")
    assert words in str(caught.value)
    assert caught.value.hint


def test_gather_records_the_launch_and_the_report_shows_it(tmp_path: Path):
    paths = [tmp_path / name for name in ("scattered", "part", "with", "without")]
    scattered, part, there, without = paths
    assert histpred("scatter", *INPUTS, "-o", scattered, "--bundle", "human-promoter").code == 0
    shard = scattered / "shards" / "0001.tsv"
    assert histpred("predict", shard, INPUTS[1], "-o", part, "--no-report").code == 0
    launched = ("--launched-by", json.dumps(LAUNCH))
    for out, options in ((there, launched), (without, ())):
        done = histpred("gather", scattered, part, "-o", out, *options)
        assert done.code == 0, done.err
    assert tables(there) == tables(without)
    assert json.loads((there / "run.json").read_text())["launch"] == LAUNCH
    assert "launch" not in json.loads((without / "run.json").read_text())
    for out, shown in ((there, True), (without, False)):
        report = out.parent / f"{out.name}.html"
        assert histpred("report", out, "-o", report).code == 0
        assert ("Nextflow 25.04.0, profile docker" in report.read_text()) == shown
