from __future__ import annotations

import dataclasses
import json
import logging
import shutil
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest

from histpred.bundle.folder import load_bundle
from histpred.bundle.mark_spec import MarkSpec
from histpred.bundle.outputs import encoder_for
from histpred.core import runtime as module
from histpred.core.errors import BundleError, DeviceError, ModelError, TemporaryError, UsageError
from histpred.core.extras import how_to_install
from histpred.scoring import scorer
from histpred.scoring.scorer import BLOCK, NotFiniteError, Scorer, _check_fits


@pytest.fixture(scope="module")
def bundle():
    return load_bundle()


@pytest.fixture(scope="module")
def embeddings(bundle):
    rng = np.random.default_rng(0)
    return rng.dirichlet(np.ones(bundle.manifest.encoder.dimension), 2 * BLOCK + 3).astype(
        np.float32
    )


def with_manifest(bundle, **changes):
    return dataclasses.replace(bundle, manifest=bundle.manifest.model_copy(update=changes))


def test_probabilities_of_all_marks(bundle, embeddings):
    with Scorer(bundle) as scorer:
        probabilities = scorer.probabilities(embeddings)
    assert scorer.marks == bundle.manifest.mark_names
    assert probabilities.shape == (len(embeddings), len(scorer.marks))
    assert ((probabilities > 0) & (probabilities < 1)).all()


def test_calibration_is_applied_to_the_mark_it_belongs_to(bundle, embeddings):
    marks = tuple(
        MarkSpec(name=name, threshold=0.5, calibration={"slope": 0.5 + i, "intercept": i - 2.0})
        for i, name in enumerate(bundle.manifest.mark_names)
    )
    with Scorer(with_manifest(bundle, marks=marks)) as scorer:
        logits = scorer.logits(embeddings[:20])
        probabilities = scorer.probabilities(embeddings[:20])
    for i in range(len(marks)):
        expected = 1 / (1 + np.exp(-((0.5 + i) * logits[:, i].astype(float) + i - 2.0)))
        np.testing.assert_allclose(probabilities[:, i], expected, rtol=1e-9)


def test_isotonic_marks_are_interpolated_and_the_others_left_alone(bundle, embeddings):
    """Each knot is where a window's own logit lies."""
    before, changed = bundle.manifest.marks[:2], 1
    with Scorer(bundle) as scorer:
        logits = scorer.logits(embeddings[:20])
        plain = scorer.probabilities(embeddings[:20])
    low, high = (float(value) for value in np.sort(logits[:, changed].astype(float))[[4, 12]])
    knots = {"logits": (low, high), "probabilities": (0.25, 0.75), "method": "isotonic"}
    marks = [*bundle.manifest.marks]
    marks[changed] = MarkSpec(name=before[changed].name, threshold=0.5, calibration=knots)
    with Scorer(with_manifest(bundle, marks=tuple(marks))) as scorer:
        probabilities = scorer.probabilities(embeddings[:20])

    others = [i for i in range(len(marks)) if i != changed]
    np.testing.assert_array_equal(probabilities[:, others], plain[:, others])
    for logit, probability in zip(
        logits[:, changed].tolist(), probabilities[:, changed], strict=True
    ):
        share = min(max((logit - low) / (high - low), 0), 1)
        assert probability == pytest.approx(0.25 + share / 2, abs=1e-9)
    assert set(probabilities[:, changed]) > {0.25, 0.75}


@pytest.mark.parametrize(
    ("name", "of_intervals", "computed"),
    [("human-promoter", False, 8), ("human-promoter", True, 3), ("yeast", False, 3)],
)
def test_some_marks_have_the_bits_that_they_have_among_all(name, of_intervals, computed):
    """They cost less, unless genes are scored from all marks of several places."""
    bundle = load_bundle(name)
    interval = bundle.manifest.interval if of_intervals else None
    dimension = encoder_for(bundle.manifest, interval).dimension
    rows = np.random.default_rng(1).normal(size=(300, dimension)).astype(np.float32)
    with Scorer(bundle, "cpu", interval=interval) as whole:
        expected = whole.probabilities(rows)
    only = [whole.marks[5], whole.marks[2], whole.marks[-1]]
    with Scorer(bundle, "cpu", interval=interval, only=only) as some:
        found = some.probabilities(rows)
        assert some._width == computed
    assert some.marks == (whole.marks[2], whole.marks[5], whole.marks[-1])
    assert np.array_equal(found, expected[:, [2, 5, -1]])


def test_some_marks_of_a_graph_that_another_program_wrote(bundle, embeddings, monkeypatch):
    monkeypatch.setattr(scorer, "_keep", lambda kept, model: None)
    with Scorer(bundle, "cpu") as whole, Scorer(bundle, "cpu", only=["H3K9ac"]) as some:
        column = whole.marks.index("H3K9ac")
        expected = whole.probabilities(embeddings)[:, [column]]
        assert np.array_equal(some.probabilities(embeddings), expected)


@pytest.mark.parametrize("batch", [1, 7, BLOCK - 1, BLOCK, BLOCK + 1])
def test_batches_of_any_size_give_the_same_bits(bundle, embeddings, batch):
    with Scorer(bundle) as scorer:
        whole = scorer.probabilities(embeddings)
        parts = [
            scorer.probabilities(embeddings[start : start + batch])
            for start in range(0, len(embeddings) if batch > 7 else 5 * batch, batch)
        ]
    parts = np.vstack(parts)
    np.testing.assert_array_equal(parts, whole[: len(parts)])


def test_the_order_of_rows_changes_nothing(bundle, embeddings):
    order = np.random.default_rng(1).permutation(len(embeddings))
    with Scorer(bundle) as scorer:
        shuffled = scorer.probabilities(embeddings[order])
        np.testing.assert_allclose(shuffled, scorer.probabilities(embeddings)[order], atol=1e-6)


def test_one_thread_and_several_agree(bundle, embeddings):
    one, two = (Scorer(bundle, threads=n).probabilities(embeddings) for n in (1, 2))
    np.testing.assert_allclose(one, two, atol=1e-6)


def test_an_empty_batch(bundle, embeddings):
    with Scorer(bundle) as scorer:
        assert scorer.probabilities(embeddings[:0]).shape == (0, len(scorer.marks))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_names_its_row(bundle, embeddings, value):
    broken = embeddings[:9].copy()
    broken[[4, 6], 2] = value
    with Scorer(bundle) as scorer, pytest.raises(NotFiniteError, match=r"row 4 .*2 of 9") as caught:
        scorer.probabilities(broken)
    assert caught.value.row == 4


def test_a_score_that_is_not_finite_names_its_row(bundle, embeddings):
    broken = embeddings[:3].copy()
    broken[1] = 3e38
    with Scorer(bundle) as scorer, pytest.raises(NotFiniteError, match="score of row 1"):
        scorer.probabilities(broken)


def test_embeddings_of_another_length_are_refused(bundle, embeddings):
    with Scorer(bundle) as scorer, pytest.raises(ModelError, match=r"the scorer takes \[n, "):
        scorer.probabilities(embeddings[:, 1:])


def test_the_device_used_is_recorded(bundle):
    with Scorer(bundle, "cpu") as scorer:
        assert scorer.device == "cpu"


@pytest.mark.parametrize(
    "device", ["gpu", "cuda:x", "cpu:1", "auto:0", "", "cuda:-1", "cuda:", "cpu:"]
)
def test_a_device_that_is_none_is_a_usage_error(bundle, device):
    with pytest.raises(UsageError, match="unknown device"):
        Scorer(bundle, device)


def test_threads_below_one_are_a_usage_error(bundle):
    with pytest.raises(UsageError, match="0 threads"):
        Scorer(bundle, threads=0)


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_cuda_that_is_not_installed_says_what_to_install(bundle, device, monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [module.CPU])
    with pytest.raises(DeviceError, match="has no CUDA") as caught:
        Scorer(bundle, device)
    assert how_to_install("gpu") in caught.value.hint


def test_cuda_that_lies_under_onnxruntime_says_what_to_run(bundle, monkeypatch, caplog):
    """As after 'pip install .[gpu]': onnxruntime's files lie over those of onnxruntime-gpu."""
    monkeypatch.setattr(module, "hides_gpu", lambda providers: True)
    monkeypatch.setattr(module, "how_to_use_gpu", lambda: "run this")
    with pytest.raises(DeviceError, match="onnxruntime lies over onnxruntime-gpu") as caught:
        Scorer(bundle, "cuda")
    assert caught.value.hint.startswith("run this, and install the CUDA and cuDNN that ")
    with Scorer(bundle, "auto") as scorer:
        assert scorer.device == "cpu"
    assert "scoring on the CPU: onnxruntime lies over onnxruntime-gpu" in caplog.text
    assert "run this" in caplog.text


def claim_cuda(monkeypatch):
    """An onnxruntime that lists CUDA and then, as it does, quietly falls back to the CPU."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [module.CUDA, module.CPU])
    original = module._create
    monkeypatch.setattr(
        module, "_create", lambda path, _, *rest: original(path, [module.CPU], *rest)
    )


def test_cuda_that_does_not_start_is_an_error_where_it_was_asked_for(bundle, monkeypatch):
    claim_cuda(monkeypatch)
    with pytest.raises(DeviceError, match="its libraries cannot be loaded"):
        Scorer(bundle, "cuda")


def test_cuda_that_fails_to_open_is_a_device_error_not_a_bundle_error(bundle, monkeypatch):
    claim_cuda(monkeypatch)

    def no_such_device(path, providers, *rest):
        raise BundleError("cannot open") from RuntimeError("invalid device ordinal")

    monkeypatch.setattr(module, "_create", no_such_device)
    with pytest.raises(DeviceError, match="'cuda:9' was asked for: invalid device ordinal"):
        Scorer(bundle, "cuda:9")


def test_auto_falls_back_loudly(bundle, monkeypatch, caplog):
    claim_cuda(monkeypatch)
    with caplog.at_level(logging.WARNING):
        scorer = Scorer(bundle, "auto")
    assert scorer.device == "cpu"
    assert "CUDA is installed but does not start" in caplog.text


def test_marks_other_than_the_scorers_are_refused(bundle):
    renamed = (
        bundle.manifest.marks[0].model_copy(update={"name": "H3K99ac"}),
        *bundle.manifest.marks[1:],
    )
    with pytest.raises(
        BundleError, match=r"scorer\.onnx: scores the marks .*bundle\.json says H3K99ac"
    ):
        Scorer(with_manifest(bundle, marks=renamed))
    with pytest.raises(BundleError, match="scores the marks"):
        Scorer(with_manifest(bundle, marks=bundle.manifest.marks[::-1]))


def test_another_embedding_length_than_the_scorers_is_refused(bundle):
    encoder = bundle.manifest.encoder.model_copy(update={"dimension": 3})
    with pytest.raises(BundleError, match="takes and gives"):
        Scorer(with_manifest(bundle, encoder=encoder))


@pytest.mark.parametrize("keep", [0, 100])
def test_a_scorer_that_is_no_network_is_a_bundle_error(bundle, tmp_path, keep):
    folder = tmp_path / "broken"
    shutil.copytree(bundle.directory, folder)
    (folder / "scorer.onnx").write_bytes(bundle.scorer_path.read_bytes()[:keep])
    with pytest.raises(BundleError, match="no ONNX graph, or"):
        Scorer(dataclasses.replace(bundle, directory=folder))


def with_scorer(bundle, folder, nodes, width=None, **constants):
    """The bundle with a scorer of these nodes, from `embedding` to `logits`."""
    onnx = pytest.importorskip("onnx", reason="needs the package onnx")
    from onnx import helper, numpy_helper

    names, dimension = bundle.manifest.mark_names, bundle.manifest.encoder.dimension
    constants["w"] = np.zeros((dimension, len(names)), np.float32)
    shapes = {"embedding": ["n", dimension]}
    shapes["logits"] = ["n", len(names)] if width is None else width
    ends = [
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)]
        for name, shape in shapes.items()
    ]
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    made = [helper.make_node(*node, **options) for *node, options in nodes]
    model = helper.make_model(
        helper.make_graph(made, "odd", *ends, weights),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    helper.set_model_props(model, {"histpred.marks": json.dumps(names)})
    shutil.copytree(bundle.directory, folder / "odd")
    (folder / "odd" / "scorer.onnx").write_bytes(model.SerializeToString())
    return dataclasses.replace(bundle, directory=folder / "odd")


PRODUCT = ("MatMul", ["embedding", "w"], ["a"], {})


def test_one_row_for_many_windows_is_refused(bundle, embeddings, tmp_path):
    nodes = [PRODUCT, ("ReduceMean", ["a"], ["logits"], {"axes": [0], "keepdims": 1})]
    with Scorer(with_scorer(bundle, tmp_path, nodes), "cpu") as scorer:
        words = rf"odd/scorer\.onnx: gave logits of shape \[1, {len(scorer.marks)}\]"
        with pytest.raises(ModelError, match=words):
            scorer.probabilities(embeddings)


def test_a_graph_that_asks_for_terabytes_is_named(bundle, embeddings, tmp_path):
    nodes = [
        PRODUCT,
        ("ReduceMax", ["a"], ["highest"], {"keepdims": 1}),
        ("Expand", ["highest", "shape"], ["large"], {}),
        ("ReduceMax", ["large"], ["again"], {"keepdims": 0}),
        ("Add", ["a", "again"], ["logits"], {}),
    ]
    odd = with_scorer(bundle, tmp_path, nodes, shape=np.array([1 << 20, 1 << 20]))
    with Scorer(odd, "cpu") as scorer, pytest.raises(ModelError, match="asks for 4,096 GiB"):
        scorer.probabilities(embeddings)


def test_a_graph_that_fails_is_named(bundle, embeddings, tmp_path):
    nodes = [PRODUCT, ("Reshape", ["a", "shape"], ["logits"], {})]
    odd = with_scorer(bundle, tmp_path, nodes, shape=np.array([-1, len(bundle.manifest.marks)]))
    with Scorer(odd, "cpu") as scorer:
        fails = SimpleNamespace(run=scorer._session.run)
        scorer._session = fails
        fails.run = lambda names, feeds: (_ for _ in ()).throw(RuntimeError("odd\nlines"))
        with pytest.raises(ModelError, match=r"scorer\.onnx: onnxruntime cannot run it: .*odd"):
            scorer.probabilities(embeddings)


@pytest.mark.parametrize("words", ["std::bad_alloc", "requested bytes of 4096"])
def test_no_room_for_a_graph_is_temporary_and_names_it(bundle, embeddings, words):
    def run(names, feeds):
        raise RuntimeError(f"Status Message: {words}")

    with Scorer(bundle, "cpu") as scorer:
        scorer._session = SimpleNamespace(run=run)
        with pytest.raises(TemporaryError, match=r"scorer\.onnx: out of memory"):
            scorer.probabilities(embeddings)


@pytest.mark.parametrize("width", [[], ["n"], ["n", 3, "m"]])
def test_a_scorer_of_another_rank_is_refused(bundle, tmp_path, width):
    nodes = [PRODUCT, ("Relu", ["a"], ["logits"], {})]
    with pytest.raises(BundleError, match=r"takes and gives|cannot open"):
        Scorer(with_scorer(bundle, tmp_path, nodes, width), "cpu")


@pytest.mark.parametrize("marks", ["[" * 9999, "5", "{", "[[1]]", '{"a": 1}', "\x1b"], ids=range(6))
def test_names_of_marks_that_are_none_are_refused(bundle, marks):
    session = Scorer(bundle, "cpu")._session
    metadata = SimpleNamespace(custom_metadata_map={"histpred.marks": marks})
    odd = SimpleNamespace(
        get_modelmeta=lambda: metadata,
        get_inputs=session.get_inputs,
        get_outputs=session.get_outputs,
    )
    with pytest.raises(BundleError, match="scores the marks"):
        _check_fits(bundle.scorer_path, odd, bundle.manifest.mark_names, 640)
