"""An open bundle: where it runs, what it warns of, and where its embeddings are kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from histpred.bundle.encoding import bundle_encoder
from histpred.bundle.folder import load_bundle
from histpred.core.execution import Execution
from histpred.core.output import RESUME
from histpred.scoring.opened import NO_GPU, open_bundle, scorer_of


@dataclass
class Choice:
    """A choice whose encoder is of a device, and reads a file of weights."""

    weights: Path
    device: str
    is_expensive: bool
    spec = SimpleNamespace(kind="large", settings={})
    chunks = None

    def open(self, device: str, precision: str) -> SimpleNamespace:
        return SimpleNamespace(
            files=(self.weights,), device=self.device, precision="fp32", dimension=3
        )


@pytest.fixture
def weights(tmp_path) -> Path:
    path = tmp_path / "weights.bin"
    path.write_bytes(b"weights")
    return path


@pytest.mark.parametrize(
    ("is_expensive", "asked", "found", "device", "warnings"),
    [
        (True, "auto", "cpu", "cpu", [NO_GPU]),
        (True, "auto", "cuda:0", "cuda:0", []),
        (True, "cpu", "cpu", "cpu", []),
        (False, "auto", "cpu", "cuda:1", []),
    ],
)
def test_the_device_is_that_of_the_part_that_takes_the_time(
    is_expensive, asked, found, device, warnings, weights
):
    scorer = SimpleNamespace(device="cpu" if is_expensive else "cuda:1")
    bundle = open_bundle(Choice(weights, found, is_expensive), scorer, Execution(asked))
    assert bundle.device == device
    assert bundle.device_warnings(Execution(asked)) == warnings
    assert bundle.tools.encoder.device == found
    assert list(bundle.tools.encoder.files) == ["weights.bin"]


@pytest.mark.parametrize(
    ("is_expensive", "store", "out", "place"),
    [
        (True, None, "out", f"out/{RESUME}"),
        (True, "store", "out", "store"),
        (True, None, None, None),
        (False, None, "out", None),
        (False, "store", None, "store"),
    ],
)
def test_embeddings_are_kept_in_the_store_or_until_the_run_succeeds(
    is_expensive, store, out, place, weights, tmp_path
):
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    execution = Execution(store=tmp_path / store if store else None)
    choice, scorer = Choice(weights, "cpu", is_expensive), SimpleNamespace(device="cpu")
    bundle = open_bundle(choice, scorer, execution, tmp_path / out if out else None)
    kept = None if bundle.store is None else bundle.store.folder.parent
    assert kept == (tmp_path / place if place else None)


def test_a_scorer_has_the_output_of_the_window_and_the_chosen_marks():
    loaded = load_bundle("human-promoter")
    for window, output in ((None, loaded.manifest), ("interval", loaded.manifest.interval)):
        choice = bundle_encoder(loaded, window)
        with scorer_of(choice, "cpu") as scorer:
            assert scorer.marks == tuple(mark.name for mark in output.marks)
        chosen = (output.marks[1].name,)
        with scorer_of(choice._replace(marks=chosen), "cpu") as scorer:
            assert scorer.marks == chosen
