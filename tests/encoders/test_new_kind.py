"""A new kind of encoder is one module and one line: a toy kind goes through every command."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

for package in ("torch", "sklearn", "matplotlib", "jinja2", "onnx", "pyarrow"):
    pytest.importorskip(package, reason="needs the extra train")

from histpred.encoders import ENCODERS, EncoderKind  # noqa: E402
from histpred.scoring.embed import read_table  # noqa: E402
from support.command_line import histpred, read_scores, said_well  # noqa: E402
from support.labelled import write_labelled  # noqa: E402

SCALES = [1.0, 2.0, 3.0, 4.0]
TRAINING = ("--hidden", "16,8", "--learning-rate", "0.01", "--batch", "32", "--epochs", "4")

MODULE = '''
"""Shares of A, C, G and T, each times a scale; the scales may come from scales.json."""

import json

import numpy as np

from histpred.core.errors import WeightsError
from histpred.encoders import Embedded, check_settings

NAME = "scales.json"


class Toy:
    dimension, longest, chunks_at_once = 4, None, 100
    device, precision = "cpu", "fp32"

    def __init__(self, scales, files):
        self.scales, self.files = scales, files

    def embed(self, chunks):
        counts = np.array([[chunk.count(base) for base in b"ACGT"] for chunk in chunks])
        counts = counts.reshape(-1, 4)
        tokens = counts.sum(axis=1)
        shares = self.scales * counts / np.maximum(tokens, 1)[:, None]
        return Embedded(shares.astype(np.float32), tokens)


def from_settings(settings, directory, device="cpu", precision="auto"):
    check_settings(settings, {"doubled": bool})
    factor = 2 if settings.get("doubled") else 1
    path = directory / NAME
    if not path.is_file():
        return Toy(factor * np.ones(4), ())
    return Toy(factor * np.array(json.loads(path.read_text())), (path,))


def check_scales(folder):
    if len(json.loads((folder / NAME).read_text())) != 4:
        raise WeightsError(f"{folder}: there are four bases", "give four scales")
    return "has a scale for each base"
'''

KINDS = {
    "without weights": EncoderKind(
        "toy", "toy_encoder", settings={"doubled": True}, chunks="window:64"
    ),
    "with weights": EncoderKind("toy", "toy_encoder", True, True, check="check_scales"),
}


@pytest.fixture(params=list(KINDS))
def options(request, tmp_path, monkeypatch) -> tuple[str | Path, ...]:
    """Registers the toy kind; returns the options that choose it."""
    (tmp_path / "toy_encoder.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "toy_encoder", raising=False)
    monkeypatch.setitem(ENCODERS, "toy", KINDS[request.param])
    if not ENCODERS["toy"].needs_weights:
        return ("--encoder", "toy")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "scales.json").write_text(json.dumps(SCALES))
    weights = ("--weights", tmp_path / "weights")
    return ("--encoder", "toy", *weights, "--chunks", "window:64")


def run(*arguments: str | Path) -> str:
    done = histpred(*arguments)
    assert done.code == 0, done.err
    return done.out


def test_a_new_kind_goes_through_every_command(options, tmp_path):
    data = write_labelled(tmp_path)
    inputs = (data.annotation, data.fasta)
    window = ("--window", "promoter:100:100")
    weights = options[2:4]
    store = ("--store", tmp_path / "store")

    table = tmp_path / "windows.parquet"
    run("embed", *inputs, *options, *window, *store, "-o", table)
    windows, vectors = read_table(table)
    scales = SCALES if weights else [2.0] * 4
    np.testing.assert_allclose((vectors / scales).sum(axis=1), 1, atol=1e-5)
    (folder,) = (tmp_path / "store").iterdir()
    assert folder.name.startswith("toy-")

    bundle = tmp_path / "trained"
    labelled = (*inputs, data.labels)
    run("train", *labelled, *options, *window, *TRAINING, "--split", "locus", "-o", bundle)
    encoder = json.loads((bundle / "bundle.json").read_text())["encoder"]
    assert encoder["kind"] == "toy"
    assert encoder["chunks"] == {"policy": "window", "length": 64}
    assert list(encoder["files"]) == (["scales.json"] if weights else [])

    run("predict", *inputs, "--bundle", bundle, *weights, "-o", tmp_path / "scores")
    scores = read_scores(tmp_path / "scores" / "scores.tsv.gz")
    assert len(scores.rows) == len(windows)
    assert {"H3K4me3", "H3K27me3"} <= set(scores.marks)

    run("evaluate", bundle, *labelled, *weights, "-o", tmp_path / "evaluation")
    metrics = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    assert metrics["models"]["trained"]["figures"]["H3K4me3"]["auroc"]["value"] > 0.75


def test_a_new_kind_is_verified(options, tmp_path):
    weights = options[3:4]
    lines = run("encoders", "verify", "toy", *weights).splitlines()
    if weights:
        assert lines[0].startswith(f"{tmp_path / 'weights' / 'scales.json'}: sha256 ")
        assert lines[-1] == "has a scale for each base"
        lines = lines[1:-1]
    tensors = "every tensor in its place, " if weights else ""
    assert lines == [
        f"loads on the CPU: {tensors}4 numbers a window",
        "embeds a made-up sequence of 308 letters, a run of N in it",
    ]


@pytest.mark.parametrize("options", ["with weights"], indirect=True)
@pytest.mark.parametrize("missing", ["--weights", "--chunks", "--window"])
def test_a_new_kind_with_weights_says_which_options_it_needs(options, missing, tmp_path):
    data = write_labelled(tmp_path)
    given = dict(zip(options[::2], options[1::2], strict=True)) | {"--window": "promoter:100:100"}
    del given[missing]
    chosen = [part for pair in given.items() for part in pair]
    done = histpred("embed", data.annotation, data.fasta, *chosen, "--store", tmp_path / "store")
    assert done.code == 2
    assert "give --weights, --chunks and --window" in done.err
    assert said_well(done.err)
