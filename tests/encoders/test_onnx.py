from __future__ import annotations

import json
import random
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs the package onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from histpred.bundle.manifest import EncoderSpec, Manifest  # noqa: E402
from histpred.bundle.publish import write_bundle  # noqa: E402
from histpred.core.errors import BundleError, ModelError, UsageError  # noqa: E402
from histpred.encoders import build  # noqa: E402
from histpred.encoders import onnx as stage  # noqa: E402
from support import random_bed_rows, random_genome, write_bed, write_fasta  # noqa: E402
from support.command_line import FILES, histpred, read_scores, said_well, tables  # noqa: E402
from support.extraction import window_rows  # noqa: E402

DIMENSION = 3
TABLE = np.random.default_rng(0).standard_normal((5, DIMENSION)).astype(np.float32)  # of A C G T N
MARKS = ("H3K4me3", "H3K27me3")
WEIGHTS = np.random.default_rng(1).standard_normal((DIMENSION, 2)).astype(np.float32)
PIECES = [b"ACGT", b"", b"GATTACA", b"NNNN", b"TTTT", b"A", b"GATNACA", b"C" * 300]


def graph(
    length: int | str = "length",
    *,
    name: str = "codes",
    kind: int = TensorProto.UINT8,
    out: str = "embedding",
    second: bool = False,
    rank: int = 2,
    placed: bool = False,
) -> bytes:
    """The bytes of an encoder.onnx that gives means of `TABLE` over a chunk's codes.

    `placed`: each code is weighted by its position in the chunk, from 1 on.
    """
    nodes = [
        helper.make_node("Cast", [name], ["whole"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "whole"], ["found"], axis=0),
        helper.make_node("Mul", ["found", "places"], ["rows"]),
        helper.make_node("ReduceMean", ["rows"], [out], axes=[1], keepdims=0),
    ]
    places = np.arange(1, length + 1)[:, None] if placed else np.ones(1)
    inputs = [helper.make_tensor_value_info(name, kind, ["batch", length][:rank])]
    if second:
        inputs.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["batch"]))
    shape = ["batch", DIMENSION] if rank == 2 else [DIMENSION]
    outputs = [helper.make_tensor_value_info(out, TensorProto.FLOAT, shape)]
    constants = [
        numpy_helper.from_array(TABLE if rank == 2 else TABLE[:, None], "table"),
        numpy_helper.from_array(places.astype(np.float32), "places"),
    ]
    return serialised(helper.make_graph(nodes, "encoder", inputs, outputs, constants))


def scorer() -> bytes:
    """Logits by one matrix."""
    inputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", DIMENSION])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", len(MARKS)])]
    node = helper.make_node("MatMul", ["embedding", "weights"], ["logits"])
    weights = [numpy_helper.from_array(WEIGHTS, "weights")]
    model = helper.make_graph([node], "scorer", inputs, outputs, weights)
    return serialised(model, {"histpred.marks": json.dumps(MARKS)})


def serialised(network: onnx.GraphProto, properties: dict[str, str] | None = None) -> bytes:
    model = helper.make_model(network, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, properties or {})
    return model.SerializeToString()


def mean(piece: bytes) -> np.ndarray:
    """A piece's vector, in numpy."""
    codes = ["ACGTN".index(letter) for letter in piece.decode()]
    return TABLE[codes].mean(axis=0, dtype=float) if codes else np.zeros(DIMENSION)


def placed_mean(piece: bytes) -> np.ndarray:
    """What `graph(placed=True)` gives, in numpy."""
    codes = ["ACGTN".index(letter) for letter in piece.decode()]
    rows = [place * TABLE[code] for place, code in enumerate(codes, start=1)]
    return np.mean(rows, axis=0, dtype=float) if rows else np.zeros(DIMENSION)


def opened(folder: Path, content: bytes, dimension: int = DIMENSION, **options):
    (folder / "encoder.onnx").write_bytes(content)
    spec = EncoderSpec(kind="onnx", dimension=dimension, **options)
    return build(spec, folder)


# The encoder


def test_pieces_of_mixed_lengths_come_back_in_their_order(tmp_path):
    result = opened(tmp_path, graph()).embed(PIECES)
    assert result.vectors.dtype == np.float32
    np.testing.assert_allclose(result.vectors, [mean(piece) for piece in PIECES], atol=1e-6)
    assert result.tokens.tolist() == [4, 0, 7, 0, 4, 1, 6, 300]


def test_no_pieces_give_no_vectors(tmp_path):
    result = opened(tmp_path, graph()).embed([])
    assert result.vectors.shape == (0, DIMENSION)
    assert result.tokens.shape == (0,)


def test_large_batches_are_split(tmp_path, monkeypatch):
    encoder = opened(tmp_path, graph())
    whole = encoder.embed(PIECES * 20)
    sizes = []
    run = encoder._session.run

    class Session:
        def run(self, names, feeds):
            sizes.append(feeds["codes"].shape)
            return run(names, feeds)

    monkeypatch.setattr(stage, "BASES_AT_ONCE", 30)
    monkeypatch.setattr(encoder, "_session", Session())
    split = encoder.embed(PIECES * 20)
    # Not to the last bit: onnxruntime sums a batch of one in another order.
    np.testing.assert_allclose(split.vectors, whole.vectors, atol=1e-6)
    assert max(n for n, length in sizes if length == 7) == 4  # 28 bases
    assert {n for n, length in sizes if length == 300} == {1}


def test_what_it_says_of_itself(tmp_path):
    encoder = opened(tmp_path, graph())
    assert (encoder.dimension, encoder.longest) == (DIMENSION, None)
    assert (encoder.device, encoder.precision) == ("cpu", "fp32")
    assert encoder.files == (tmp_path / "encoder.onnx",)


def test_a_graph_of_fixed_length_has_shorter_pieces_filled_up_at_their_5_prime_end(tmp_path):
    encoder = opened(tmp_path, graph(length=7, placed=True))
    assert encoder.longest == 7
    pieces = [b"GATTACA", b"NNNNNNN", b"", b"GATTAC", b"C"]
    result = encoder.embed(pieces)
    filled = [b"GATTACA", b"NNNNNNN", b"", b"NGATTAC", b"NNNNNNC"]
    expected = [placed_mean(piece) for piece in filled]
    np.testing.assert_allclose(result.vectors, expected, atol=1e-5)
    assert result.tokens.tolist() == [7, 0, 0, 6, 1]


def test_a_graph_of_fixed_length_takes_no_longer_piece(tmp_path):
    encoder = opened(tmp_path, graph(length=7))
    with pytest.raises(ModelError, match="has 8 bases, the encoder takes at most 7"):
        encoder.embed([b"GATTACA", b"GATTACAT"])


def test_codes_are_filled_up_with_n_at_the_5_prime_end():
    codes = stage.codes_of([b"ACGTN", b"GT", b""], 5)
    assert codes.dtype == np.uint8
    assert codes.tolist() == [[0, 1, 2, 3, 4], [4, 4, 4, 2, 3], [4] * 5]
    assert stage.codes_of([], 5).shape == (0, 5)


@pytest.mark.parametrize("shape", [(1, DIMENSION), (2, DIMENSION - 1), (DIMENSION,), ()])
def test_vectors_of_another_shape_are_refused_at_every_call(shape, tmp_path, monkeypatch):
    encoder = opened(tmp_path, graph())
    odd = SimpleNamespace(run=lambda names, feeds: [np.zeros(shape, np.float32)])
    monkeypatch.setattr(encoder, "_session", odd)
    with pytest.raises(ModelError, match=r"encoder\.onnx: gave embedding of shape"):
        encoder.embed([b"ACGT", b"TTTT"])


@pytest.mark.parametrize(
    "change",
    [
        {"name": "tokens"},
        {"kind": TensorProto.INT32},
        {"out": "vectors"},
        {"second": True},
        {"rank": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_graph_with_other_inputs_or_outputs_is_refused(change, tmp_path):
    with pytest.raises(BundleError, match=r"not codes uint8 \[batch, length\]"):
        opened(tmp_path, graph(**change))


def test_a_graph_of_another_dimension_is_refused(tmp_path):
    with pytest.raises(BundleError, match=r"gives 3 numbers a window, bundle\.json says 4"):
        opened(tmp_path, graph(), dimension=4)


def test_a_file_that_is_no_graph_is_refused(tmp_path):
    with pytest.raises(BundleError, match="no ONNX graph, or"):
        opened(tmp_path, b"no graph at all")


def test_a_missing_graph_is_said(tmp_path):
    with pytest.raises(BundleError, match=r"encoder\.onnx is missing"):
        build(EncoderSpec(kind="onnx", dimension=DIMENSION), tmp_path)


def test_it_has_no_settings(tmp_path):
    with pytest.raises(BundleError, match="found 'k'"):
        opened(tmp_path, graph(), settings={"k": 3})


def test_an_unknown_device_is_refused(tmp_path):
    (tmp_path / "encoder.onnx").write_bytes(graph())
    with pytest.raises(UsageError, match="unknown device 'tpu'"):
        build(EncoderSpec(kind="onnx", dimension=DIMENSION), tmp_path, "tpu")


# A bundle with it


def write(folder: Path, content: bytes | None, chunks: dict | None = None, known: str = "ACGTN"):
    logits = mean(known.encode()) @ WEIGHTS
    answer = dict(zip(MARKS, (1 / (1 + np.exp(-logits))).tolist(), strict=True))
    manifest = Manifest(
        schema_version="1.1",
        name="graph",
        version="1.0.0",
        summary="a bundle for tests",
        licence="MIT",
        species={"name": "Homo sapiens", "taxon_id": 9606, "assembly": "hg38"},
        window={"kind": "body", "max_n_fraction": 0.9},
        encoder={"kind": "onnx", "dimension": DIMENSION, "chunks": chunks},
        marks=[{"name": mark, "threshold": 0.5} for mark in MARKS],
        files={},
        training={"data": ["none"], "splits": {}, "seed": 0, "counts": {}},
        metrics={},
        known_answer={"sequence": known, "probabilities": answer},
    )
    write_bundle(
        folder, manifest, scorer(), "For tests.", {"encoder.onnx": content} if content else {}
    )
    return folder


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """rows.bed on genome.fa, with a run of N."""
    folder = tmp_path_factory.mktemp("inputs")
    rng = random.Random(3)
    genome = random_genome(rng, {"chr1": 6000, "chr2": 2000}, n_fraction=0.1)
    write_fasta(folder / "genome.fa", genome)
    write_bed(folder / "rows.bed", random_bed_rows(rng, genome, 80))
    return folder


def predict(inputs: Path, out: Path, bundle: Path, *options: str | Path):
    arguments = (inputs / "rows.bed", inputs / "genome.fa", "-o", out, "--bundle", bundle)
    return histpred("predict", *arguments, *options)


@pytest.mark.parametrize("length", [None, 50])
def test_a_prediction_is_what_numpy_makes_of_the_windows(length, inputs, tmp_path):
    chunks = {"policy": "window", "length": length} if length else None
    bundle = write(tmp_path / "bundle", graph(), chunks)
    done = predict(inputs, tmp_path / "out", bundle)
    assert done.code == 0, done.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES

    expected = {}
    spec = load_window(bundle)
    for row in window_rows(inputs / "rows.bed", inputs / "genome.fa", spec):
        whole = row.sequence.encode()
        size = length or len(whole)
        cut = [whole[i : i + size] for i in range(0, len(whole), size)]
        vector = np.mean([mean(piece) for piece in cut if set(piece) != {ord("N")}], axis=0)
        expected[row.name] = 1 / (1 + np.exp(-vector @ WEIGHTS))
    scores = read_scores(tmp_path / "out" / "scores.tsv.gz")
    assert scores.marks == list(MARKS)
    assert len(scores.rows) == len(expected) > 80
    found = [[float(row[mark]) for mark in MARKS] for row in scores.rows]
    np.testing.assert_allclose(found, [expected[row["name"]] for row in scores.rows], atol=1e-4)


def test_rests_of_chunks_are_filled_up_for_a_graph_of_fixed_length(inputs, tmp_path):
    chunks = {"policy": "window", "length": 50}
    bundle = write(tmp_path / "bundle", graph(length=50), chunks, known="N" * 45 + "ACGTN")
    done = predict(inputs, tmp_path / "out", bundle)
    assert done.code == 0, done.err
    expected = {}
    for row in window_rows(inputs / "rows.bed", inputs / "genome.fa", load_window(bundle)):
        whole = row.sequence.encode()
        cut = [whole[i : i + 50] for i in range(0, len(whole), 50)]
        filled = [b"N" * (50 - len(piece)) + piece for piece in cut if piece.strip(b"N")]
        expected[row.name] = 1 / (1 + np.exp(-np.mean([*map(mean, filled)], axis=0) @ WEIGHTS))
    scores = read_scores(tmp_path / "out" / "scores.tsv.gz")
    assert len(scores.rows) == len(expected) > 80
    found = [[float(row[mark]) for mark in MARKS] for row in scores.rows]
    np.testing.assert_allclose(found, [expected[row["name"]] for row in scores.rows], atol=1e-4)


def load_window(bundle: Path):
    from histpred.bundle.folder import load_bundle
    from histpred.bundle.outputs import window_for

    return window_for(load_bundle(bundle))


def test_a_store_serves_such_a_bundle_too(inputs, tmp_path):
    pytest.importorskip("pyarrow", reason="needs the extra encoders")
    bundle = write(tmp_path / "bundle", graph(), {"policy": "grid", "length": 40})
    results = []
    for name in ("first", "second"):
        done = predict(inputs, tmp_path / name, bundle, "--store", tmp_path / "store")
        assert done.code == 0, done.err
        results.append(json.loads((tmp_path / name / "run.json").read_text())["result"])
    assert results[0]["embedded"] > 100
    assert results[1]["embedded"] == 0
    assert tables(tmp_path / "first") == tables(tmp_path / "second")


def test_the_bundle_gives_its_known_answer(tmp_path):
    bundle = write(tmp_path / "bundle", graph())
    done = histpred("bundle", "verify", bundle)
    assert done.code == 0, done.err
    assert "known answer within" in done.out


@pytest.mark.parametrize(
    ("content", "chunks", "words"),
    [
        (graph(length=50), None, "chunks none, the encoder takes at most 50 bases"),
        (
            graph(length=50),
            {"policy": "window", "length": 60},
            "chunks window:60, the encoder takes at most 50 bases",
        ),
    ],
    ids=["not cut", "too long"],
)
def test_a_bundle_that_cannot_work_says_why(content, chunks, words, inputs, tmp_path):
    bundle = write(tmp_path / "bundle", content, chunks)
    done = predict(inputs, tmp_path / "out", bundle)
    assert done.code == 1
    assert words in done.err
    assert said_well(done.err), done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no graph", "encoder.onnx: no ONNX graph, or damaged"),
        (None, "bundle.json: 'files' does not list encoder.onnx"),
    ],
    ids=["no graph", "missing"],
)
def test_a_bundle_without_its_encoder_is_refused_when_it_is_loaded(content, words, tmp_path):
    with pytest.raises(BundleError, match=words):
        write(tmp_path / "bundle", content)
