from __future__ import annotations

import math
import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

REASON = "needs the extra encoders: HISTPRED_EXTRAS=encoders bin/test"
torch = pytest.importorskip("torch", reason=REASON)
transformers = pytest.importorskip("transformers", reason=REASON)
safetensors_torch = pytest.importorskip("safetensors.torch", reason=REASON)

from histpred.core.errors import ModelError, UsageError, WeightsError  # noqa: E402
from histpred.encoders import devices  # noqa: E402
from histpred.encoders.batching import CHUNKS_AT_ONCE  # noqa: E402
from histpred.encoders.rnafm import from_settings  # noqa: E402
from support.rnafm import TINY, Sizes, State, random_state, write_official  # noqa: E402

WIDTH, INNER = TINY.width, TINY.inner
OFFICIAL = ["<cls>", "<pad>", "<eos>", "<unk>", *"ACGURYKMSWBDHVN-", *["<null>"] * 4, "<mask>"]
MULTIMOLECULE = ["<pad>", "<cls>", "<eos>", "<unk>", "<mask>", "<null>", *"ACGUNRYSWKMBDHV.X*-I"]
PIECES = [b"ACGUACGGU", b"A", b"GGNNC", b"UUUUUUUUUUUUUUUUUUUUUUUU" * 9, b"CGNA", b"GAUUACA" * 40]

# The published files, with random weights of the true architecture


def multimolecule_state(state: State, prefix: str = "model.") -> State:
    """The same weights under the names and in the vocabulary of multimolecule."""
    words = torch.full((len(MULTIMOLECULE), state["embed_tokens.weight"].shape[1]), 99.0)
    for number, token in enumerate(MULTIMOLECULE):
        if token in OFFICIAL:
            words[number] = state["embed_tokens.weight"][OFFICIAL.index(token)]

    converted = {f"{prefix}embeddings.word_embeddings.weight": words}
    parts = {
        "self_attn.q_proj": "attention.self.query",
        "self_attn.k_proj": "attention.self.key",
        "self_attn.v_proj": "attention.self.value",
        "self_attn.out_proj": "attention.output.dense",
        "self_attn_layer_norm": "attention.layer_norm",
        "fc1": "intermediate.dense",
        "fc2": "output.dense",
        "final_layer_norm": "layer_norm",
    }
    outside = {
        "embed_positions": "embeddings.position_embeddings",
        "emb_layer_norm_before": "embeddings.layer_norm",
        "emb_layer_norm_after": "encoder.layer_norm",
    }
    for name, tensor in state.items():
        stem, kind = name.rsplit(".", 1)
        if stem in outside:
            converted[f"{prefix}{outside[stem]}.{kind}"] = tensor
        elif stem.startswith("layers."):
            _, layer, part = stem.split(".", 2)
            converted[f"{prefix}encoder.layer.{layer}.{parts[part]}.{kind}"] = tensor
    converted["lm_head.transform.dense.weight"] = state["lm_head.dense.weight"]
    converted["lm_head.bias"] = torch.zeros(len(MULTIMOLECULE))
    converted["ss_head.decoder.weight"] = state["contact_head.regression.weight"]
    return converted


def write_multimolecule(folder: Path, state: State) -> Path:
    path = folder / "model.safetensors"
    safetensors_torch.save_file({name: t.clone() for name, t in state.items()}, path)
    return path


# The equations of ESM-1b (Rives 2021) once more, in numpy


def hidden_states(state: State, tokens: list[str]) -> np.ndarray:
    """The last layer's hidden states [tokens, width], in float64."""

    def get(name: str) -> np.ndarray:
        return state[name].double().numpy()

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(axis=1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
        return scaled * get(f"{name}.weight") + get(f"{name}.bias")

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return x @ get(f"{name}.weight").T + get(f"{name}.bias")

    erf = np.vectorize(math.erf)
    ids = [OFFICIAL.index(token) for token in tokens]
    x = get("embed_tokens.weight")[ids] + get("embed_positions.weight")[2 : 2 + len(ids)]
    x = norm(x, "emb_layer_norm_before")
    for layer in range(TINY.layers):
        stem = f"layers.{layer}"
        inside = norm(x, f"{stem}.self_attn_layer_norm")
        queries, keys, values = (linear(inside, f"{stem}.self_attn.{n}_proj") for n in "qkv")
        mixed = np.empty_like(x)
        for head in range(x.shape[1] // 32):
            mine = slice(32 * head, 32 * head + 32)
            scores = queries[:, mine] @ keys[:, mine].T / math.sqrt(32)
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            mixed[:, mine] = weights / weights.sum(axis=1, keepdims=True) @ values[:, mine]
        x = x + linear(mixed, f"{stem}.self_attn.out_proj")
        up = linear(norm(x, f"{stem}.final_layer_norm"), f"{stem}.fc1")
        x = x + linear(up * 0.5 * (1 + erf(up / math.sqrt(2))), f"{stem}.fc2")
    return norm(x, "emb_layer_norm_after")


def expected_mean(state: State, piece: bytes, *, special_tokens: bool) -> np.ndarray:
    tokens = ["<cls>", *piece.decode(), "<eos>"]
    dropped = {"N"} if special_tokens else {"N", "<cls>", "<eos>"}
    counted = [token not in dropped for token in tokens]
    return hidden_states(state, tokens)[counted].mean(axis=0)


@pytest.fixture(scope="module")
def state():
    return random_state()


@pytest.fixture(scope="module")
def folder(state, tmp_path_factory):
    folder = tmp_path_factory.mktemp("official")
    write_official(folder, state)
    return folder


@pytest.fixture(scope="module")
def encoder(folder):
    return from_settings({}, folder, "cpu", "fp32")


# What it computes


@pytest.mark.parametrize("special_tokens", [False, True])
def test_vectors_are_those_of_the_equations(special_tokens, state, folder):
    encoder = from_settings({"special_tokens": special_tokens}, folder, "cpu", "fp32")
    vectors, counts = encoder.embed(PIECES)
    for piece, vector, count in zip(PIECES, vectors, counts, strict=True):
        expected = expected_mean(state, piece, special_tokens=special_tokens)
        np.testing.assert_allclose(vector, expected, atol=1e-5)
        assert count == len(piece.replace(b"N", b"")) + 2 * special_tokens


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "most"), [("fp32", 1e-4), ("fp16", 5e-3), ("bf16", 4e-2)])
def test_a_gpu_gives_what_the_cpu_gives(precision, most, cuda, folder, encoder):
    expected, counts = encoder.embed(PIECES)
    found, tokens = from_settings({}, folder, cuda, precision).embed(PIECES)
    errors = np.linalg.norm(found - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert errors.max() < most
    assert tokens.tolist() == counts.tolist()


def test_special_tokens_do_not_count_unless_said_otherwise(folder, encoder):
    expected = from_settings({"special_tokens": False}, folder, "cpu", "fp32").embed(PIECES)
    found = encoder.embed(PIECES)
    np.testing.assert_array_equal(found.vectors, expected.vectors)
    np.testing.assert_array_equal(found.tokens, expected.tokens)


@pytest.mark.parametrize(
    "settings", [{"special_tokens": 1}, {"special_tokens": "no"}, {"alphabet": "rna"}]
)
def test_wrong_settings_are_refused(settings, folder):
    with pytest.raises(ValueError, match="setting"):
        from_settings(settings, folder, "cpu", "fp32")


def test_what_it_says_of_itself(encoder):
    assert (encoder.dimension, encoder.longest) == (WIDTH, 1022)
    assert (encoder.device, encoder.precision) == ("cpu", "fp32")
    assert encoder.chunks_at_once == CHUNKS_AT_ONCE["cpu"]


def test_the_published_sizes_give_the_published_network(tmp_path):
    # 99,109,760 parameters without the two heads: those of the authors' encoder.
    config = transformers.EsmConfig(
        vocab_size=25,
        pad_token_id=1,
        mask_token_id=24,
        hidden_size=640,
        num_hidden_layers=12,
        num_attention_heads=20,
        intermediate_size=5120,
        emb_layer_norm_before=True,
    )
    with torch.device("meta"):
        model = transformers.EsmModel(config, add_pooling_layer=False)
        published = random_sizes(640, 12, 5120, 1026)
    tensors = {n: t for n, t in model.state_dict().items() if not n.startswith("contact_head.")}
    assert sorted(t.shape for t in tensors.values()) == sorted(published)
    assert sum(math.prod(shape) for shape in published) == 99_109_760


def random_sizes(width: int, layers: int, inner: int, positions: int) -> list[torch.Size]:
    """The shapes of the tensors that are no head's, from tiny ones with other letters."""
    tiny = random_state(Sizes(width=32, layers=1, inner=96, positions=50))
    larger = {25: 25, 32: width, 96: inner, 50: positions}
    shapes = []
    for name, tensor in tiny.items():
        if not name.startswith(("lm_head.", "contact_head.")):
            shape = torch.Size(larger[n] for n in tensor.shape)
            shapes += [shape] * (layers if name.startswith("layers.") else 1)
    return shapes


# Letters


def test_t_and_lower_case_are_u(encoder):
    pieces = [b"GAUUACAU", b"GATTACAT", b"gauuacau", b"gattacat", b"GaTuAcAt"]
    vectors, counts = encoder.embed(pieces)
    assert counts.tolist() == [8] * 5
    for vector in vectors[1:]:
        np.testing.assert_array_equal(vector, vectors[0])


def test_each_base_has_a_token_of_its_own(encoder):
    assert len(np.unique(encoder.embed([b"A", b"C", b"G", b"U", b"T"]).vectors, axis=0)) == 4


def test_what_is_no_base_is_n(encoder):
    expected = encoder.embed([b"ACGNNNNNU"])
    found = encoder.embed([b"ACGnRY-.U"])
    np.testing.assert_array_equal(found.vectors, expected.vectors)
    assert found.tokens.tolist() == expected.tokens.tolist() == [4]


def test_n_is_seen_though_it_does_not_count(encoder):
    (without, between), counts = encoder.embed([b"ACGU", b"ACNNGU"])
    assert counts.tolist() == [4, 4]
    assert np.abs(without - between).max() > 1e-3


@pytest.mark.parametrize("special_tokens", [False, True])
def test_a_piece_without_a_base_is_zeros_of_no_token(special_tokens, folder):
    encoder = from_settings({"special_tokens": special_tokens}, folder, "cpu", "fp32")
    vectors, counts = encoder.embed([b"NNN", b"", b"ACG"])
    assert not vectors[:2].any()
    assert vectors[2].any()
    assert counts.tolist() == [0, 0, 3 + 2 * special_tokens]


def test_nothing_gives_nothing(encoder):
    vectors, counts = encoder.embed([])
    assert vectors.shape == (0, WIDTH)
    assert counts.shape == (0,)


# Length


def test_1022_nt_are_the_longest_piece(state, encoder):
    piece = bytes(random.Random(3).choices(b"ACGU", k=1022))
    vectors, (count,) = encoder.embed([piece])
    assert count == 1022
    expected = expected_mean(state, piece, special_tokens=False)
    np.testing.assert_allclose(vectors[0], expected, atol=1e-5)


def test_1023_nt_are_refused(encoder):
    with pytest.raises(ModelError, match=r"at most 1,022 nt, found one of 1,023 nt"):
        encoder.embed([b"ACG", b"A" * 1023])


def test_a_smaller_table_of_positions_has_a_lower_limit(tmp_path):
    write_official(tmp_path, random_state(TINY._replace(positions=20)))
    encoder = from_settings({}, tmp_path, "cpu", "fp32")
    assert encoder.longest == 16
    assert encoder.embed([b"A" * 16]).tokens.tolist() == [16]
    with pytest.raises(ModelError, match="at most 16 nt"):
        encoder.embed([b"A" * 17])


# Batches


def test_order_and_company_change_nothing(encoder):
    together = encoder.embed(PIECES)
    backwards = encoder.embed(PIECES[::-1])
    np.testing.assert_array_equal(together.vectors, backwards.vectors[::-1])
    for i, piece in enumerate(PIECES):
        alone = encoder.embed([piece])
        np.testing.assert_array_equal(alone.vectors[0], together.vectors[i])
        assert alone.tokens[0] == together.tokens[i]


def test_padding_changes_nothing(folder, encoder):
    packing = from_settings({}, folder, "cpu", "fp32")
    packing._batcher._alone = False
    expected = encoder.embed(PIECES)
    found = packing.embed(PIECES)
    np.testing.assert_allclose(found.vectors, expected.vectors, atol=1e-5)
    np.testing.assert_array_equal(found.tokens, expected.tokens)


def test_several_threads_may_embed(encoder):
    expected = encoder.embed(PIECES).vectors
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: encoder.embed(PIECES).vectors, range(8)))
    for result in results:
        np.testing.assert_array_equal(result, expected)


def test_int8_is_near(folder, encoder):
    quantised = from_settings({}, folder, "cpu", "int8")
    assert quantised.precision == "int8"
    expected, found = encoder.embed(PIECES).vectors, quantised.embed(PIECES).vectors
    cosines = (expected * found).sum(axis=1) / (
        np.linalg.norm(expected, axis=1) * np.linalg.norm(found, axis=1)
    )
    assert cosines.min() > 0.99
    assert not np.array_equal(expected, found)


def test_bf16_is_nearer_than_int8(folder, encoder, monkeypatch):
    monkeypatch.setattr(devices, "why_no_bf16", lambda: "")
    expected = encoder.embed(PIECES).vectors
    drift = {}
    for precision in ("int8", "bf16"):
        rounded = from_settings({}, folder, "cpu", precision)
        assert rounded.precision == precision
        drift[precision] = np.linalg.norm(rounded.embed(PIECES).vectors - expected, axis=1)
    assert (drift["bf16"] > 0).all()
    assert (drift["bf16"] < 0.01 * np.linalg.norm(expected, axis=1)).all()
    assert drift["bf16"].mean() < drift["int8"].mean()


def test_half_precision_is_not_for_the_cpu(folder):
    with pytest.raises(UsageError, match="fp16"):
        from_settings({}, folder, "cpu", "fp16")


# Files


@pytest.mark.parametrize("prefix", ["model.", "rnafm.", ""])
def test_the_file_of_multimolecule_gives_the_same_vectors(prefix, state, encoder, tmp_path):
    write_multimolecule(tmp_path, multimolecule_state(state, prefix))
    found = from_settings({}, tmp_path, "cpu", "fp32")
    assert (found.dimension, found.longest) == (encoder.dimension, encoder.longest)
    expected = encoder.embed(PIECES)
    np.testing.assert_array_equal(found.embed(PIECES).vectors, expected.vectors)
    np.testing.assert_array_equal(found.embed(PIECES).tokens, expected.tokens)


def test_padding_changes_nothing_in_the_vocabulary_of_multimolecule(state, encoder, tmp_path):
    write_multimolecule(tmp_path, multimolecule_state(state))
    packing = from_settings({}, tmp_path, "cpu", "fp32")
    packing._batcher._alone = False
    found = packing.embed(PIECES)
    np.testing.assert_allclose(found.vectors, encoder.embed(PIECES).vectors, atol=1e-5)


def test_the_older_name_of_the_last_norm_is_read_too(state, encoder, tmp_path):
    converted = {
        name.replace("encoder.layer_norm.", "encoder.emb_layer_norm_after."): tensor
        for name, tensor in multimolecule_state(state, "rnafm.").items()
    }
    found = from_settings({}, write_multimolecule(tmp_path, converted), "cpu", "fp32")
    np.testing.assert_array_equal(found.embed(PIECES).vectors, encoder.embed(PIECES).vectors)


@pytest.mark.parametrize("prefix", ["", "encoder.", "encoder.sentence_encoder."])
def test_any_prefix_of_the_official_names_is_read(prefix, state, encoder, tmp_path):
    found = from_settings({}, write_official(tmp_path, state, prefix), "cpu", "fp32")
    np.testing.assert_array_equal(found.embed(PIECES).vectors, encoder.embed(PIECES).vectors)


def test_heads_are_not_needed(state, encoder, tmp_path):
    bare = {n: t for n, t in state.items() if not n.startswith(("lm_head.", "contact_head."))}
    found = from_settings({}, write_official(tmp_path, bare), "cpu", "fp32")
    np.testing.assert_array_equal(found.embed(PIECES).vectors, encoder.embed(PIECES).vectors)


def test_nothing_is_said(folder, capfd):
    from_settings({}, folder, "cpu", "fp32").embed(PIECES)
    assert capfd.readouterr() == ("", "")


def without(name: str):
    return lambda state: {n: t for n, t in state.items() if n != name}


def reshaped(name: str, *shape: int):
    return lambda state: state | {name: torch.zeros(shape)}


def added(name: str):
    return lambda state: state | {name: torch.zeros(WIDTH)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("embed_tokens.weight"), "neither embed_tokens.weight nor"),
        (
            without("embed_positions.weight"),
            "missing: embeddings.position_embeddings.weight",
        ),
        (without("layers.0.fc1.weight"), "missing: encoder.layer.0.intermediate.dense.weight"),
        (
            without("layers.1.self_attn.q_proj.bias"),
            "1 tensors are missing: encoder.layer.1.attention.self.query.bias",
        ),
        (without("emb_layer_norm_before.bias"), "missing: embeddings.layer_norm.bias"),
        (without("emb_layer_norm_after.weight"), "missing: encoder.emb_layer_norm_after.weight"),
        (
            added("layers.2.self_attn.bias_k"),
            "do not belong to this encoder: encoder.layer.2.self_attn",
        ),
        (added("pooler.dense.bias"), "do not belong to this encoder: pooler.dense.bias"),
        (
            reshaped("layers.2.fc2.weight", WIDTH, INNER + 1),
            r"another shape: encoder.layer.2.output.dense.weight \[64, 97\] instead of \[64, 96\]",
        ),
        (reshaped("embed_positions.weight", 30, WIDTH + 32), r"\[30, 96\] instead of \[30, 64\]"),
        (reshaped("embed_positions.weight", 4, WIDTH), "is not RNA-FM: .* 4 positions"),
        (reshaped("embed_positions.weight", WIDTH), "are not matrices"),
        (reshaped("embed_tokens.weight", 73, WIDTH), "is not RNA-FM: 73 tokens"),
        (reshaped("embed_tokens.weight", 25, 40), "is not RNA-FM: 25 tokens, width 40"),
    ],
)
def test_a_tensor_that_is_not_as_published_is_refused(change, message, state, tmp_path):
    path = write_official(tmp_path, change(state))
    with pytest.raises(WeightsError, match=message) as caught:
        from_settings({}, tmp_path, "cpu", "fp32")
    assert str(path) in str(caught.value)


def test_a_layer_that_is_missing_is_named(state, tmp_path):
    write_official(tmp_path, {n: t for n, t in state.items() if not n.startswith("layers.1.")})
    with pytest.raises(WeightsError, match=r"16 tensors are missing: encoder\.layer\.1\."):
        from_settings({}, tmp_path, "cpu", "fp32")


def test_one_tensor_under_two_names_is_refused(state, tmp_path):
    doubled = state | {"encoder.layers.0.fc1.bias": state["layers.0.fc1.bias"]}
    write_official(tmp_path, doubled)
    with pytest.raises(WeightsError, match=r"twice: encoder\.layer\.0\.intermediate\.dense\.bias"):
        from_settings({}, tmp_path, "cpu", "fp32")


def test_codons_of_multimolecule_are_refused(state, tmp_path):
    converted = multimolecule_state(state)
    converted["model.embeddings.word_embeddings.weight"] = torch.zeros(131, WIDTH)
    write_multimolecule(tmp_path, converted)
    with pytest.raises(WeightsError, match="131 tokens"):
        from_settings({}, tmp_path, "cpu", "fp32")


def test_a_truncated_file_is_refused(folder, tmp_path):
    content = (folder / "RNA-FM_pretrained.pth").read_bytes()
    path = tmp_path / "RNA-FM_pretrained.pth"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(WeightsError, match=r"RNA-FM_pretrained\.pth: cannot be read as weights"):
        from_settings({}, path, "cpu", "fp32")


class Code:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_code_in_a_file_is_refused_and_does_not_run(state, tmp_path):
    ran = tmp_path / "ran"
    content = {"args": Code(f"touch {ran}"), "model": state}
    torch.save(content, tmp_path / "RNA-FM_pretrained.pth")
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        from_settings({}, tmp_path, "cpu", "fp32")
    assert not ran.exists()


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"holds no weights: none of RNA-FM_pretrained\.pth"):
        from_settings({}, tmp_path, "cpu", "fp32")
