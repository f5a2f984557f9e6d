from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

REASON = "needs the extra encoders: HISTPRED_EXTRAS=encoders bin/test"
torch = pytest.importorskip("torch", reason=REASON)
tokenizers = pytest.importorskip("tokenizers", reason=REASON)
pytest.importorskip("safetensors", reason=REASON)

from histpred.core.errors import ModelError, UsageError, WeightsError  # noqa: E402
from histpred.encoders import devices  # noqa: E402
from histpred.encoders.dnabert2 import (  # noqa: E402
    KNOWN_SEQUENCE,
    KNOWN_TOKENS,
    check_tokenizer,
    from_settings,
    load_model,
    load_tokenizer,
    read_shape,
)
from histpred.encoders.dnabert2_network import Dnabert2, Shape, alibi_slopes  # noqa: E402
from support.dnabert2 import (  # noqa: E402
    PUBLISHED,
    SLOPES_OF_12_HEADS,
    SPECIAL_TOKENS,
    TINY,
    hidden_states,
    published_config,
    random_dna,
    random_state,
    random_tokenizer,
    write_dnabert2,
    write_weights,
)

SCALE = 0.3  # of the tiny network's matrices: 48 inputs instead of 768, and attention that decides
TOKENIZER_SHA256 = "5d178e8ce2ba55df97fff197f4b30f40133b95d7096be398c2df6b526c5d8cd3"


def random_pieces(seed=0, lengths=(700, 12, 1, 90, 33, 400, 90, 2)):
    rng = random.Random(seed)
    return [random_dna(rng, length) for length in lengths]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder with a tiny network, and its tensors."""
    folder = tmp_path_factory.mktemp("tiny")
    return folder, write_dnabert2(folder, scale=SCALE)


@pytest.fixture(scope="module")
def encoder(tiny):
    return from_settings({}, tiny[0], "cpu", "fp32")


@pytest.fixture
def copy(tmp_path):
    """A folder of this test's own, to break."""
    write_dnabert2(tmp_path, scale=SCALE)
    return tmp_path


@pytest.fixture
def packing(tiny):
    """The tiny network as on a GPU: several pieces in a batch."""
    encoder = from_settings({}, tiny[0], "cpu", "fp32")
    encoder._batcher._alone = False
    return encoder


# The network


def test_hidden_states_are_those_of_the_equations(tiny):
    folder, state = tiny
    ids = random.Random(1).choices(range(TINY.vocabulary), k=70)
    with torch.inference_mode():
        (found,) = load_model(folder)(torch.tensor([ids]))
    np.testing.assert_allclose(found, hidden_states(state, ids), atol=1e-5)


def test_a_vector_is_the_mean_of_the_hidden_states_of_all_tokens(tiny, encoder):
    for piece in random_pieces():
        ids = encoder.tokenise([piece])[0].ids
        vectors, (count,) = encoder.embed([piece])
        assert count == len(ids)
        np.testing.assert_allclose(vectors[0], hidden_states(tiny[1], ids).mean(axis=0), atol=1e-5)


def test_without_special_tokens_the_mean_leaves_out_the_first_and_the_last(tiny):
    encoder = from_settings({"special_tokens": False}, tiny[0], "cpu", "fp32")
    for piece in random_pieces():
        ids = encoder.tokenise([piece])[0].ids
        vectors, (count,) = encoder.embed([piece])
        assert count == len(ids) - 2
        expected = hidden_states(tiny[1], ids)[1:-1].mean(axis=0)
        np.testing.assert_allclose(vectors[0], expected, atol=1e-5)


def test_special_tokens_count_unless_said_otherwise(tiny):
    piece = random_pieces()[0]
    expected = from_settings({"special_tokens": True}, tiny[0], "cpu", "fp32").embed([piece])
    found = from_settings({}, tiny[0], "cpu", "fp32").embed([piece])
    np.testing.assert_array_equal(found.vectors, expected.vectors)
    assert found.tokens == expected.tokens


@pytest.mark.parametrize(
    "settings", [{"special_tokens": 1}, {"special_tokens": "no"}, {"pooling": "mean"}]
)
def test_wrong_settings_are_refused(settings, tiny):
    with pytest.raises(ValueError, match="setting"):
        from_settings(settings, tiny[0], "cpu", "fp32")


def test_slopes_of_12_heads_are_the_published_ones():
    np.testing.assert_allclose(alibi_slopes(12), SLOPES_OF_12_HEADS, rtol=1e-12)


def test_slopes_of_a_power_of_two_are_powers_of_two():
    assert alibi_slopes(8) == [2.0**-i for i in range(1, 9)]
    assert alibi_slopes(1) == [2.0**-8]


def test_the_published_sizes_have_136_tensors_and_116_477_952_parameters(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(published_config(PUBLISHED)))
    with torch.device("meta"):
        model = Dnabert2(read_shape(tmp_path / "config.json"))
    state = model.state_dict()
    assert len(state) == 136
    assert sum(tensor.numel() for tensor in state.values()) == 116_477_952


def test_hidden_states_of_tokens_do_not_depend_on_padding(tiny):
    model = load_model(tiny[0])
    ids = torch.randint(TINY.vocabulary, (1, 20), generator=torch.Generator().manual_seed(1))
    padded = torch.cat([ids, torch.full((1, 13), 3)], dim=1)
    with torch.inference_mode():
        found = model(padded, torch.arange(33)[None] < 20)
        np.testing.assert_allclose(found[0, :20], model(ids)[0], atol=1e-5)
        unmasked = model(padded)
    assert (found[0, :20] - unmasked[0, :20]).abs().max() > 0.01


def test_lengths_may_change_and_come_back(tiny):
    model = load_model(tiny[0])
    short, long = torch.tensor([[1, 9, 2]]), torch.tensor([[1, 9, 10, 11, 2]])
    with torch.inference_mode():
        first, _, third = model(short), model(long), model(short)
    np.testing.assert_array_equal(first, third)


# The same piece, the same vector


def test_the_rest_of_the_batch_and_its_order_change_not_a_bit(encoder):
    pieces = random_pieces()
    together = encoder.embed(pieces).vectors
    alone = np.vstack([encoder.embed([piece]).vectors for piece in pieces])
    np.testing.assert_array_equal(together, alone)

    order = np.random.default_rng(0).permutation(len(pieces))
    shuffled = encoder.embed([pieces[i] for i in order]).vectors
    np.testing.assert_array_equal(shuffled, together[order])


@pytest.mark.parametrize("tokens_at_once", [1, 50, 400, 1000, 100_000])
def test_padded_batches_give_what_pieces_give_alone(encoder, packing, tokens_at_once):
    pieces = random_pieces(lengths=(700, 12, 1, 90, 33, 400, 90, 2, 701, 702, 0))
    packing._batcher.tokens_at_once = tokens_at_once
    found, expected = packing.embed(pieces), encoder.embed(pieces)
    np.testing.assert_allclose(found.vectors, expected.vectors, atol=1e-5)
    np.testing.assert_array_equal(found.tokens, expected.tokens)


def test_pieces_of_one_length_are_packed_without_padding(encoder, packing):
    pieces = [random_pieces()[3]] * 5
    masks = []
    forward = packing._batcher._forward

    def watch(ids, mask):
        masks.append((len(ids), mask))
        return forward(ids, mask)

    packing._batcher._forward = watch
    found = packing.embed(pieces).vectors
    assert masks == [(5, None)]
    np.testing.assert_allclose(found, encoder.embed(pieces).vectors, atol=1e-5)


def test_four_threads_at_once_get_what_one_gets(encoder):
    batches = [random_pieces(seed) for seed in range(16)]
    expected = [encoder.embed(batch).vectors for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda batch: encoder.embed(batch).vectors, batches))
    np.testing.assert_array_equal(found, expected)


def test_no_pieces_have_no_vectors(encoder):
    vectors, tokens = encoder.embed([])
    assert vectors.shape == (0, TINY.width)
    assert (vectors.dtype, tokens.dtype, len(tokens)) == (np.float32, np.int64, 0)


# Precision and device


@pytest.fixture(scope="module")
def like_published(tmp_path_factory):
    """A tiny network whose layers magnify as the published one's do at their start."""
    folder = tmp_path_factory.mktemp("like_published")
    write_dnabert2(folder, scale=0.02 * (768 / 48) ** 0.5)
    return folder


def test_int8_is_close_to_fp32(like_published):
    pieces = random_pieces()
    exact = from_settings({}, like_published, "cpu", "fp32").embed(pieces).vectors
    rounded = from_settings({}, like_published, "cpu", "int8").embed(pieces).vectors
    assert not np.array_equal(exact, rounded)
    lengths = np.linalg.norm(exact, axis=1), np.linalg.norm(rounded, axis=1)
    assert (np.linalg.norm(exact - rounded, axis=1) < 0.02 * lengths[0]).all()
    assert ((exact * rounded).sum(axis=1) > 0.999 * lengths[0] * lengths[1]).all()


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "most"), [("fp32", 1e-4), ("fp16", 5e-3), ("bf16", 4e-2)])
def test_a_gpu_gives_what_the_cpu_gives(precision, most, cuda, like_published):
    pieces = random_pieces()
    expected, counts = from_settings({}, like_published, "cpu", "fp32").embed(pieces)
    found, tokens = from_settings({}, like_published, cuda, precision).embed(pieces)
    errors = np.linalg.norm(found - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert errors.max() < most
    assert tokens.tolist() == counts.tolist()


def test_int8_does_not_depend_on_the_batch_either(tiny):
    encoder = from_settings({}, tiny[0], "cpu", "int8")
    pieces = random_pieces()
    alone = np.vstack([encoder.embed([piece]).vectors for piece in pieces])
    np.testing.assert_array_equal(encoder.embed(pieces).vectors, alone)
    np.testing.assert_array_equal(encoder.embed(pieces[::-1]).vectors[::-1], alone)


def test_bf16_is_closer_to_fp32_than_int8(like_published, monkeypatch):
    monkeypatch.setattr(devices, "why_no_bf16", lambda: "")
    pieces = random_pieces()
    vectors = {
        precision: from_settings({}, like_published, "cpu", precision).embed(pieces).vectors
        for precision in ("fp32", "int8", "bf16")
    }
    exact = vectors["fp32"]
    drift = {
        precision: np.linalg.norm(found - exact, axis=1) / np.linalg.norm(exact, axis=1)
        for precision, found in vectors.items()
    }
    assert (drift["bf16"] > 0).all()
    assert (drift["bf16"] < 0.002).all()
    assert (drift["bf16"] < drift["int8"] / 2).all()


def test_bf16_does_not_depend_on_the_batch_either(tiny, monkeypatch):
    monkeypatch.setattr(devices, "why_no_bf16", lambda: "")
    encoder = from_settings({}, tiny[0], "cpu", "bf16")
    assert encoder.precision == "bf16"
    pieces = random_pieces()
    alone = np.vstack([encoder.embed([piece]).vectors for piece in pieces])
    np.testing.assert_array_equal(encoder.embed(pieces).vectors, alone)


@pytest.mark.parametrize("precision", ["fp16", "bf16", "fp64", "", "FP32"])
def test_a_precision_that_the_cpu_has_not_is_a_usage_error(tiny, precision, monkeypatch):
    monkeypatch.setattr(devices, "why_no_bf16", lambda: "this CPU has no bf16 arithmetic")
    with pytest.raises(UsageError, match=r"is not available on the device 'cpu'") as caught:
        from_settings({}, tiny[0], "cpu", precision)
    assert "auto or fp32, int8" in caught.value.hint


def test_what_was_chosen_is_recorded(tiny):
    encoder = from_settings({}, tiny[0], "cpu", "auto")
    assert (encoder.device, encoder.precision) == ("cpu", "fp32")
    assert (encoder.dimension, encoder.longest) == (TINY.width, None)
    assert encoder.chunks_at_once > 0


# The weights


def test_bin_and_safetensors_give_the_same(tiny, copy):
    (copy / "pytorch_model.bin").unlink()
    write_weights(copy / "model.safetensors", tiny[1])
    pieces = random_pieces()
    expected = from_settings({}, tiny[0], "cpu", "fp32").embed(pieces).vectors
    np.testing.assert_array_equal(
        from_settings({}, copy, "cpu", "fp32").embed(pieces).vectors, expected
    )


def rewrite(folder, change, name="pytorch_model.bin"):
    state = random_state(TINY, scale=SCALE)
    change(state)
    write_weights(folder / name, state)


@pytest.mark.parametrize(
    "name",
    [
        "cls.seq_relationship.weight",
        "bert.pooler.dense.weight",
        "pooler.dense.bias",
        "classifier.weight",
    ],
)
def test_heads_of_other_tasks_are_dropped(tiny, copy, name):
    rewrite(copy, lambda state: state.update({name: torch.ones(7, 7)}))
    expected = load_model(tiny[0]).state_dict()
    found = load_model(copy).state_dict()
    assert set(found) == set(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_names_without_the_prefix_are_understood(tiny, copy):
    def strip(state):
        backbone = {n.removeprefix("bert."): t for n, t in state.items() if n.startswith("bert.")}
        state.clear()
        state.update(backbone)

    rewrite(copy, strip)
    expected = load_model(tiny[0]).state_dict()
    found = load_model(copy).state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize(
    "name", sorted(name for name in random_state() if name.startswith("bert."))
)
def test_every_tensor_of_the_backbone_is_needed(copy, name):
    rewrite(copy, lambda state: state.pop(name))
    with pytest.raises(WeightsError, match=f"1 tensors are missing: {name[5:]}"):
        load_model(copy)


@pytest.mark.parametrize(("name", "left"), [("bert.bert.x", r"bert\.x"), ("x.cls.v", r"x\.cls\.v")])
def test_heads_and_the_prefix_are_beginnings_taken_off_once(copy, name, left):
    rewrite(copy, lambda state: state.update({name: torch.ones(1)}))
    with pytest.raises(WeightsError, match=f"1 tensors do not belong to this encoder: {left}"):
        load_model(copy)


def test_a_tensor_too_many_in_the_backbone_is_refused(copy):
    name = "bert.encoder.layer.2.mlp.wo.bias"
    rewrite(copy, lambda state: state.update({name: torch.ones(48)}))
    with pytest.raises(
        WeightsError, match=r"1 tensors do not belong to this encoder: encoder\.layer"
    ):
        load_model(copy)


def test_weights_of_stock_bert_are_refused(copy):
    def stock(state):
        weight = state.pop("bert.encoder.layer.0.attention.self.Wqkv.weight")
        for name, part in zip(("query", "key", "value"), weight.chunk(3), strict=True):
            state[f"bert.encoder.layer.0.attention.self.{name}.weight"] = part.clone()

    rewrite(copy, stock)
    with pytest.raises(WeightsError, match="tensors are missing"):
        load_model(copy)


def test_a_tensor_of_another_shape_is_refused(copy):
    name = "bert.embeddings.token_type_embeddings.weight"
    rewrite(copy, lambda state: state.update({name: torch.ones(3, 48)}))
    with pytest.raises(WeightsError, match=r"weight \[3, 48\] instead of \[2, 48\]"):
        load_model(copy)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors"])
@pytest.mark.parametrize("kept", [0, 7, 1000, -1])
def test_weights_that_are_cut_short_are_refused(copy, name, kept):
    path = copy / name
    rewrite(copy, lambda state: None, name)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(WeightsError, match=f"{name}: cannot be read as weights"):
        load_model(copy)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors"])
def test_a_git_lfs_pointer_is_named_as_such(copy, name):
    (copy / name).write_text(
        "version https://git-lfs.github.com/spec/v1\n"
        "oid sha256:7ff39ec77a484dd01070a41bfd6e95cdd7247bec80fe357ab43a4be33687aeba\n"
        "size 468354983\n"
    )
    with pytest.raises(WeightsError, match="Git-LFS pointer"):
        load_model(copy)


class Bomb:
    """What runs a command when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("write", [pickle.dump, torch.save])
def test_a_pickle_with_code_is_refused_and_does_not_run(copy, write):
    trace = copy / "it ran"
    with open(copy / "pytorch_model.bin", "wb") as stream:
        write(Bomb(trace), stream)
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        load_model(copy)
    assert not trace.exists()

    with open(copy / "pytorch_model.bin", "rb") as stream:  # the bomb is none that cannot go off
        if write is pickle.dump:
            pickle.load(stream)
        else:
            torch.load(stream, weights_only=False)
    assert trace.exists()


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, torch.ones(3), {"model": "x"}])
def test_a_file_without_tensors_is_refused(copy, content):
    torch.save(content, copy / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="holds no named tensors"):
        load_model(copy)


def test_an_empty_file_of_weights_lacks_everything(copy):
    torch.save({}, copy / "pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"26 tensors are missing: .*, .*, .* and 23 more"):
        load_model(copy)


# config.json


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "pytorch_model.bin"])
def test_a_file_that_is_missing_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(WeightsError, match=f"holds no .*{name}"):
        from_settings({}, copy, "cpu", "fp32")


@pytest.mark.parametrize(
    "name",
    [
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "type_vocab_size",
        "layer_norm_eps",
    ],
)
@pytest.mark.parametrize("value", [None, "12", True])
def test_a_configuration_without_a_size_is_refused(tmp_path, name, value):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(published_config() | {name: value}))
    with pytest.raises(WeightsError, match=f"lacks {name}"):
        read_shape(path)


@pytest.mark.parametrize(
    "sizes", [{"num_attention_heads": 7}, {"num_hidden_layers": 0}, {"hidden_size": -48}]
)
def test_sizes_that_cannot_be_are_refused(tmp_path, sizes):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(published_config() | sizes))
    with pytest.raises(WeightsError, match="impossible sizes"):
        read_shape(path)


def test_the_sizes_are_read_from_the_published_names(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(published_config(PUBLISHED)))
    assert read_shape(path) == Shape(4096, 768, 12, 12, 3072, 2, 1e-12)


def test_a_configuration_of_other_sizes_than_the_weights_is_refused(copy):
    (copy / "config.json").write_text(json.dumps(published_config(TINY._replace(layers=3))))
    with pytest.raises(WeightsError, match="11 tensors are missing"):
        load_model(copy)


# The tokenizer


@pytest.mark.parametrize(
    ("order", "wrong"),
    [
        (["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], r"\[UNK\], \[CLS\], \[SEP\], \[PAD\]"),
        (SPECIAL_TOKENS[:4], r"\[MASK\]"),
    ],
)
def test_other_special_tokens_are_refused(tmp_path, order, wrong):
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="[UNK]"))
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=50, special_tokens=order, show_progress=False
    )
    tokenizer.train_from_iterator(["ACGTTGCA" * 9], trainer)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(WeightsError, match=f"not DNABERT-2's: {wrong} missing"):
        load_tokenizer(tmp_path / "tokenizer.json")


@pytest.mark.parametrize("content", ["", "{}", "no JSON"])
def test_a_file_that_is_no_tokenizer_is_refused(tmp_path, content):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(WeightsError, match="cannot be read as a tokenizer"):
        load_tokenizer(tmp_path / "tokenizer.json")


def test_a_tokenizer_that_does_not_add_cls_and_sep_is_refused(tmp_path):
    text = json.loads(random_tokenizer(200).to_str())
    (tmp_path / "tokenizer.json").write_text(json.dumps(text | {"post_processor": None}))
    with pytest.raises(WeightsError, match="not DNABERT-2's"):
        load_tokenizer(tmp_path / "tokenizer.json")


def test_a_tokenizer_of_other_letters_is_refused(tmp_path):
    tokenizer = random_tokenizer(200)
    tokenizer.normalizer = tokenizers.normalizers.Lowercase()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(WeightsError, match="not DNABERT-2's"):
        load_tokenizer(tmp_path / "tokenizer.json")


def test_a_tokenizer_that_lacks_a_base_is_refused(tmp_path):
    text = json.loads(random_tokenizer(200).to_str())
    text["model"]["vocab"] = {t: n for t, n in text["model"]["vocab"].items() if "G" not in t[:2]}
    text["model"]["merges"] = []
    (tmp_path / "tokenizer.json").write_text(json.dumps(text))
    with pytest.raises(
        WeightsError, match=r"its tokens of A C G T are \[CLS\] A C \[UNK\] T \[SEP\]"
    ):
        load_tokenizer(tmp_path / "tokenizer.json")


def test_an_unknown_token_is_never_embedded(copy):
    encoder = from_settings({}, copy, "cpu", "fp32")
    text = json.loads(random_tokenizer(200).to_str())
    text["model"]["merges"] = []
    del text["model"]["vocab"]["T"]
    encoder._tokenizer = tokenizers.Tokenizer.from_str(json.dumps(text))
    with pytest.raises(ModelError, match=r"has no token for a part of ACGT\.\.\."):
        encoder.embed([b"CCC", b"ACGT"])


def test_padding_and_truncation_of_the_file_are_switched_off(tmp_path):
    tokenizer = random_tokenizer(200)
    tokenizer.enable_padding(length=64)
    tokenizer.enable_truncation(10)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    expected = random_tokenizer(200).encode("ACGT" * 90).ids
    assert load_tokenizer(tmp_path / "tokenizer.json").encode("ACGT" * 90).ids == expected


def test_more_tokens_than_the_weights_have_are_refused(copy):
    random_tokenizer(TINY.vocabulary + 1).save(str(copy / "tokenizer.json"))
    with pytest.raises(WeightsError, match="has 201 tokens, the weights have 200"):
        from_settings({}, copy, "cpu", "fp32")


def test_lower_case_is_upper_case_and_u_is_t(encoder):
    piece = random_pieces()[0]
    variants = [piece.lower(), piece.replace(b"T", b"U"), piece.lower().replace(b"t", b"u")]
    vectors = encoder.embed([piece, *variants]).vectors
    assert (vectors == vectors[0]).all()


def test_tokens_are_those_of_the_stretches_between_unknown_bases(tiny, encoder):
    rng = random.Random(4)
    parts = [random_dna(rng, length) for length in (50, 1, 80, 7)]
    piece = b"NN" + parts[0] + b"N" + parts[1] + b"NRYK" + parts[2] + b"nnn" + parts[3] + b"N"
    (tokens,) = encoder.tokenise([piece])
    assert 0 not in tokens.ids
    expected = [int(i) for part in parts for i in encoder.tokenise([part])[0].ids[1:-1]]
    assert tokens.ids.tolist() == [1, *expected, 2]

    np.testing.assert_allclose(
        encoder.embed([piece]).vectors[0],
        hidden_states(tiny[1], [1, *expected, 2]).mean(axis=0),
        atol=1e-5,
    )


@pytest.mark.parametrize("special_tokens", [True, False])
@pytest.mark.parametrize("piece", [b"", b"N", b"N" * 500, b"nnn"])
def test_a_piece_without_a_base_has_no_tokens_and_a_vector_of_zeros(tiny, piece, special_tokens):
    encoder = from_settings({"special_tokens": special_tokens}, tiny[0], "cpu", "fp32")
    vectors, tokens = encoder.embed([b"ACGT", piece])
    assert tokens[0] > 0
    assert tokens[1] == 0
    assert vectors[0].any()
    assert not vectors[1].any()


@pytest.fixture(scope="session")
def real_tokenizer(shared_data):
    return shared_data / "encoders" / "dnabert2-tokenizer.json"


@pytest.fixture
def real(tmp_path, real_tokenizer):
    """A tiny network with the published vocabulary and tokenizer."""
    sizes = TINY._replace(vocabulary=4096)
    write_dnabert2(tmp_path, sizes, tokenizer=real_tokenizer)
    return from_settings({}, tmp_path, "cpu", "fp32")


@pytest.mark.shared
def test_the_real_tokenizer_gives_the_published_answer(real_tokenizer):
    digest = hashlib.sha256(real_tokenizer.read_bytes()).hexdigest()
    assert digest == TOKENIZER_SHA256
    assert load_tokenizer(real_tokenizer).encode(KNOWN_SEQUENCE).ids == KNOWN_TOKENS
    assert check_tokenizer(real_tokenizer).endswith("known answer")


def test_another_tokenizer_does_not_give_the_published_answer(tmp_path):
    random_tokenizer(200).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(WeightsError, match="not those of the published tokenizer"):
        check_tokenizer(tmp_path)


@pytest.mark.shared
def test_the_real_tokenizer_sees_the_known_sequence_through_the_encoder(real):
    assert real.tokenise([KNOWN_SEQUENCE.encode()])[0].ids.tolist() == KNOWN_TOKENS


@pytest.mark.shared
def test_the_real_tokenizer_never_meets_an_unknown_letter(real, real_tokenizer):
    whole = tokenizers.Tokenizer.from_file(str(real_tokenizer))
    rng = random.Random(2)
    for _ in range(200):
        piece = bytes(rng.choices(b"ACGTacgtUuNnRYKM", weights=[9] * 8 + [2] * 8, k=120))
        (tokens,) = real.tokenise([piece])
        spelt = "".join(map(whole.id_to_token, tokens.ids[1:-1].tolist()))
        kept = piece.upper().replace(b"U", b"T").translate(None, b"NRYKM").decode()
        assert spelt == kept


@pytest.mark.parametrize("letter", sorted(set(range(256)) - set(b"ACGTUacgtu")))
def test_every_byte_that_is_no_base_parts_a_sequence(encoder, letter):
    parted, plain = encoder.tokenise([b"ACG" + bytes([letter]) + b"TTA", b"ACGNTTA"])
    assert 0 not in parted.ids
    np.testing.assert_array_equal(parted.ids, plain.ids)


@pytest.mark.shared
def test_no_token_of_the_real_tokenizer_spans_an_unknown_base(real, real_tokenizer):
    whole = tokenizers.Tokenizer.from_file(str(real_tokenizer))
    (tokens,) = real.tokenise([b"TTTTTTNTTTTTT"])
    assert whole.encode("TTTTTTTTTTTT").ids != tokens.ids.tolist()
    half = whole.encode("TTTTTT").ids[1:-1]
    assert tokens.ids.tolist() == [1, *half, *half, 2]


# The published sizes


# Larger matrices magnify what fp32 rounds away: at 0.08 fp32 is 1.7e-4 from float64.
@pytest.fixture(scope="module", params=[0.02, 0.05])
def published(request, tmp_path_factory):
    """The network in its published sizes, and its tensors; at 0.05 its attention decides."""
    folder = tmp_path_factory.mktemp("published")
    state = write_dnabert2(folder, PUBLISHED, scale=request.param)
    encoder = from_settings({}, folder, "cpu", "fp32")
    (folder / "pytorch_model.bin").unlink()  # half a gigabyte
    return encoder, state


def relative_error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.slow
def test_the_published_sizes_give_what_the_equations_give(published):
    encoder, state = published
    (piece,) = random_pieces(seed=3, lengths=(150,))
    (tokens,) = encoder.tokenise([piece])
    expected = hidden_states(state, tokens.ids)
    with torch.inference_mode():
        (found,) = encoder._batcher._forward(torch.from_numpy(tokens.ids)[None])
    assert len(tokens.ids) > 30
    assert relative_error(found.numpy(), expected) < 1e-4
    assert relative_error(encoder.embed([piece]).vectors[0], expected.mean(axis=0)) < 1e-4


@pytest.mark.slow
def test_the_published_sizes_padded_give_what_they_give_alone(published):
    encoder, _ = published
    pieces = random_pieces(seed=3, lengths=(150, 20, 90))
    expected = encoder.embed(pieces).vectors
    try:
        encoder._batcher._alone = False
        found = encoder.embed(pieces).vectors
    finally:
        encoder._batcher._alone = True
    for one, other in zip(found, expected, strict=True):
        assert relative_error(one, other) < 1e-4
