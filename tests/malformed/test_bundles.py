"""E4 56-58 of the field's reference: bundles that are not whole, devices that are not there."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from histpred.bundle.folder import load_bundle
from histpred.scoring import scorer
from support.command_line import histpred


@pytest.fixture
def bundle(folder) -> Path:
    """A copy of the shipped bundle that a test may spoil."""
    return Path(shutil.copytree(load_bundle().directory, folder / "input" / "bundle"))


@pytest.fixture
def inputs(folder) -> tuple[Path, Path]:
    (folder / "input" / "rows.bed").write_text(
        "chr1\t100\t200\tgood\t0\t+\nchr2\t10\t90\tb\t0\t-\n"
    )
    return folder / "input" / "rows.bed", folder / "input" / "genome.fa"


def manifest(change: Callable[[dict], object]) -> Callable[[Path], None]:
    """Change bundle.json; the files stay as they are, and so do their digests."""

    def spoil(bundle: Path) -> None:
        fields = json.loads((bundle / "bundle.json").read_text())
        change(fields)
        (bundle / "bundle.json").write_text(json.dumps(fields))

    return spoil


def content(name: str, change: Callable[[bytes], bytes], honest: bool = False) -> Callable:
    """Change a file; `honest`: with a digest that fits."""

    def spoil(bundle: Path) -> None:
        changed = change((bundle / name).read_bytes())
        (bundle / name).write_bytes(changed)
        if honest:
            digest = hashlib.sha256(changed).hexdigest()
            manifest(lambda fields: fields["files"].update({name: digest}))(bundle)

    return spoil


def drop_mark(fields: dict) -> None:
    name = fields["marks"].pop()["name"]
    del fields["known_answer"]["probabilities"][name]


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"

# fmt: off
SPOILT = [
    # name, what is done to the bundle, words
    ("no folder", shutil.rmtree, "{bundle}: no such bundle | human-promoter"),
    ("no manifest", lambda b: (b / "bundle.json").unlink(),
     "{bundle}/bundle.json: cannot be read: No such file or directory"),
    ("no scorer", lambda b: (b / "scorer.onnx").unlink(),
     "{bundle}/scorer.onnx: cannot be read: No such file or directory | get the bundle again"),
    ("wrong digest", content("scorer.onnx", lambda c: c[:-1] + b"!"),
     "{bundle}/scorer.onnx: altered or damaged: sha256"),
    ("card altered", content("card.md", lambda c: c + b"\nmine"), "{bundle}/card.md: altered"),
    ("Git-LFS pointer", content("scorer.onnx", lambda c: POINTER),
     "{bundle}/scorer.onnx: a Git-LFS pointer, not the file itself | git lfs pull"),
    ("manifest is a Git-LFS pointer", content("bundle.json", lambda c: POINTER), "git lfs pull"),
    ("no JSON", content("bundle.json", lambda c: c[:-9]), "{bundle}/bundle.json: not valid JSON"),
    ("truncated scorer", content("scorer.onnx", lambda c: c[:-3000], honest=True),
     "{bundle}/scorer.onnx: no ONNX graph, or"),
    ("empty scorer", content("scorer.onnx", lambda c: b"", honest=True), "{bundle}/scorer.onnx"),
    ("other major version", manifest(lambda f: f.update(schema_version="2.0")),
     "{bundle}/bundle.json: schema version 2.0, this histpred reads 1.6"),
    ("no version", manifest(lambda f: f.pop("schema_version")), "schema version None"),
    ("unknown field", manifest(lambda f: f.update(temperature=2)),
     "{bundle}/bundle.json: not a valid manifest: temperature"),
    ("a mark fewer", manifest(drop_mark), "{bundle}/scorer.onnx: scores the marks"),
    ("other marks than the scorer", manifest(lambda f: f["marks"].reverse()),
     "{bundle}/scorer.onnx: scores the marks"),
    ("another dimension", manifest(lambda f: f["encoder"].update(dimension=3)), "{bundle}"),
    ("another k", manifest(lambda f: f["encoder"]["settings"].update(k=[1])), "bundle"),
    ("unknown encoder", manifest(lambda f: f["encoder"].update(kind="dnabert9")), "dnabert9"),
    ("unknown window", manifest(lambda f: f["window"].update(kind="enhancer")), "window.kind"),
    ("threshold 2", manifest(lambda f: f["marks"][0].update(threshold=2)), "threshold"),
    ("file outside", manifest(lambda f: f["files"].update({"../x": "0" * 64})),
     "'../x' points outside the bundle"),
]
# fmt: on


@pytest.mark.parametrize("row", SPOILT, ids=[row[0] for row in SPOILT])
def test_56_refused_before_any_work(row, bundle, inputs, folder, refused):
    row[1](bundle)
    words = tuple(row[2].format(bundle=bundle).split(" | "))
    arguments = ("predict", *inputs, "-o", folder / "out", "--bundle", bundle)
    done = refused(*arguments, words=words)
    assert "index" not in done.err  # the genome was not touched yet


@pytest.mark.parametrize("verb", ["show", "verify"])
def test_56_bundle_verbs_refuse_it_too(verb, bundle, refused):
    content("scorer.onnx", lambda whole: whole[:-1])(bundle)
    refused("bundle", verb, bundle, words=(f"{bundle}/scorer.onnx: altered or damaged",))


def test_56_an_unspoilt_copy_works_and_is_not_written_to(bundle, inputs, folder, predicted):
    rows = predicted(*inputs, "--bundle", bundle)
    assert len(rows) == 2


@pytest.fixture
def no_cuda(monkeypatch):
    """The same everywhere: an onnxruntime without CUDA."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])


@pytest.mark.usefixtures("no_cuda")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_57_a_device_that_is_not_there(device, inputs, folder, refused):
    words = (f"device {device!r} was asked for", "CUDA", "cuDNN", "--device cpu")
    refused("predict", *inputs, "-o", folder / "out", "--device", device, words=words)


@pytest.mark.usefixtures("no_cuda")
def test_57_auto_is_recorded(inputs, folder, predicted):
    assert len(predicted(*inputs, "--device", "auto")) == 2
    assert json.loads((folder / "out" / "run.json").read_text())["result"]["device"] == "cpu"


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cpu:1", "tpu", ""])
def test_57_no_device_at_all(device, inputs, folder, refused):
    words = (f"unknown device {device!r}", "auto, cpu, cuda, cuda:N or mps")
    refused("predict", *inputs, "-o", folder / "out", "--device", device, code=2, words=words)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_58_nan_from_the_model_names_the_window(value, inputs, folder, refused, monkeypatch):
    """The second row's first window in genome order is fine, the other is not."""
    real = scorer.open_session

    class Broken:
        def __init__(self, session):
            self.session = session

        def run(self, outputs, inputs):
            (logits,) = self.session.run(outputs, inputs)
            logits[1, 0] = value
            return [logits]

        def __getattr__(self, name):
            return getattr(self.session, name)

    def broken(*arguments):
        session, device = real(*arguments)
        return Broken(session), device

    monkeypatch.setattr(scorer, "open_session", broken)
    words = ("b (chr2:0-2000) gave NaN or infinity", "histpred bundle verify")
    options = ("--bundle", load_bundle().directory)
    refused("predict", *inputs, "-o", folder / "out", *options, words=words)


def test_a_name_that_is_both_a_folder_here_and_a_shipped_bundle(folder, refused, monkeypatch):
    monkeypatch.chdir(folder / "input")
    (folder / "input" / "human-promoter").mkdir()
    refused("bundle", "show", words=("both a shipped bundle and a folder here", "./human-promoter"))


def test_bundle_verbs_on_the_shipped_one():
    name = load_bundle().manifest.name
    assert histpred("bundle", "list").out.startswith(name)
    assert name in histpred("bundle", "show").out
    assert json.loads(histpred("bundle", "show", "--json").out)["name"] == name
    assert "known answer within" in histpred("bundle", "verify").out
