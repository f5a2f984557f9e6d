from __future__ import annotations

import itertools
import json
import os
import random
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

REASON = "needs the extra encoders: HISTPRED_EXTRAS=encoders bin/test"
torch = pytest.importorskip("torch", reason=REASON)
tokenizers = pytest.importorskip("tokenizers", reason=REASON)
transformers = pytest.importorskip("transformers", reason=REASON)
safetensors_torch = pytest.importorskip("safetensors.torch", reason=REASON)

from histpred.core.errors import ModelError, UsageError, WeightsError  # noqa: E402
from histpred.encoders import devices  # noqa: E402
from histpred.encoders.batching import CHUNKS_AT_ONCE  # noqa: E402
from histpred.encoders.hf import from_settings  # noqa: E402

SPECIAL = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "pad_token_id": 3,
}

State = dict[str, torch.Tensor]


# Folders as published, with random weights


def byte_pairs(known: str = "ACGT", size: int = 60) -> tokenizers.Tokenizer:
    """Byte pairs of random sequences of `known`, as those of GROVER."""
    rng = random.Random(0)
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size, special_tokens=SPECIAL, show_progress=False
    )
    tokenizer.train_from_iterator(("".join(rng.choices(known, k=200)) for _ in range(50)), trainer)
    return framed(tokenizer)


def single_bases(letters: str) -> tokenizers.Tokenizer:
    """A token for each of `letters`, which blanks must part, as that of SpliceBERT."""
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *letters])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    return framed(tokenizer)


def framed(tokenizer: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.enable_padding(pad_id=3, pad_token="[PAD]", length=64)
    tokenizer.enable_truncation(8)  # neither may have an effect
    return tokenizer


def bert_config(**changes: object) -> transformers.PretrainedConfig:
    return transformers.BertConfig(
        **{**SIZES, "vocab_size": 60, "max_position_embeddings": 40, **changes}
    )


def modern_config(**changes: object) -> transformers.PretrainedConfig:
    return transformers.ModernBertConfig(
        **{**SIZES, "vocab_size": 60, "max_position_embeddings": 40, "local_attention": 8},
        **dict.fromkeys(["bos_token_id", "cls_token_id"], 1),
        **dict.fromkeys(["eos_token_id", "sep_token_id"], 2),
    )


def esm_config(**changes: object) -> transformers.PretrainedConfig:
    """As Nucleotide Transformer's, where <pad> is 1 and an input is scaled by token dropout."""
    standard = {"vocab_size": 60, "mask_token_id": 4, "max_position_embeddings": 40}
    settings = {**SIZES, **standard, "token_dropout": True, "emb_layer_norm_before": False}
    return transformers.EsmConfig(**settings | changes)


def write(
    folder: Path,
    config: transformers.PretrainedConfig,
    *,
    tokenizer: tokenizers.Tokenizer | None = None,
    weights: str = "model.safetensors",
    change=lambda state: state,
    scale: float = 8.0,
) -> Path:
    """config.json, the weights of a model with its masked-language head, tokenizer.json.

    Matrices are `scale` times what a training starts with: attention decides something.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    network = transformers.AutoModelForMaskedLM.from_config(config)
    state = {
        name: tensor * scale if tensor.ndim == 2 else tensor
        for name, tensor in network.state_dict().items()
    }
    state = {name: tensor.clone().contiguous() for name, tensor in change(state).items()}
    if weights.endswith(".safetensors"):
        safetensors_torch.save_file(state, folder / weights, metadata={"format": "pt"})
    else:
        torch.save(state, folder / weights)
    (folder / "config.json").write_text(config.to_json_string())
    (tokenizer or byte_pairs()).save(str(folder / "tokenizer.json"))
    return folder


def by_hand(folder: Path, *inputs: list[int]) -> list[np.ndarray]:
    """The hidden states [tokens, width] that transformers gives for each list of tokens."""
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        return [model(torch.tensor([ids])).last_hidden_state[0].numpy() for ids in inputs]


def random_pieces(lengths=(60, 3, 1, 25, 44, 25), letters="ACGT") -> list[bytes]:
    rng = random.Random(5)
    return ["".join(rng.choices(letters, k=length)).encode() for length in lengths]


MODELS = {
    "bert": bert_config,
    "esm": lambda: esm_config(position_embedding_type="absolute"),
    "esm-rotary": lambda: esm_config(position_embedding_type="rotary"),
    "modernbert": modern_config,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("hf")
    return {name: write(root / name, config()) for name, config in MODELS.items()}


@pytest.fixture(scope="module")
def bert(folders):
    return from_settings({}, folders["bert"], "cpu", "fp32")


# What it computes


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("special_tokens", [True, False])
def test_vectors_are_the_means_of_what_transformers_gives(name, special_tokens, folders):
    pieces = random_pieces()
    encoder = from_settings({"special_tokens": special_tokens}, folders[name], "cpu", "fp32")
    vectors, counts = encoder.embed(pieces)
    tokenizer = byte_pairs()
    tokenizer.no_padding()
    tokenizer.no_truncation()
    inputs = [tokenizer.encode(piece.decode()).ids for piece in pieces]
    states = by_hand(folders[name], *inputs)
    for hidden, vector, count in zip(states, vectors, counts, strict=True):
        expected = hidden if special_tokens else hidden[1:-1]
        assert count == len(expected)
        np.testing.assert_allclose(vector, expected.mean(axis=0), atol=1e-5)


def test_special_tokens_count_unless_said_otherwise(folders, bert):
    pieces = random_pieces()
    expected = from_settings({"special_tokens": True}, folders["bert"], "cpu", "fp32").embed(pieces)
    np.testing.assert_array_equal(bert.embed(pieces).vectors, expected.vectors)


def test_what_it_says_of_itself(bert):
    assert (bert.dimension, bert.longest) == (32, None)
    assert bert.chunks_at_once == CHUNKS_AT_ONCE["cpu"]
    assert (bert.device, bert.precision) == ("cpu", "fp32")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"special_tokens": 1}, "must be bool"),
        ({"spaced": "yes"}, "must be bool"),
        ({"alphabet": "protein"}, "is 'dna' or 'rna', found 'protein'"),
        ({"pooling": "mean"}, "found 'pooling'"),
    ],
)
def test_wrong_settings_are_refused(settings, message, folders):
    with pytest.raises(ValueError, match=message):
        from_settings(settings, folders["bert"], "cpu", "fp32")


def test_hidden_states_of_all_layers_are_not_asked_for(tmp_path, folders, bert):
    # SpliceBERT's config.json asks for them.
    write(tmp_path, bert_config(output_hidden_states=True))
    encoder = from_settings({}, tmp_path, "cpu", "fp32")
    assert not encoder._model.config.output_hidden_states
    expected = bert.embed(random_pieces()).vectors
    np.testing.assert_array_equal(encoder.embed(random_pieces()).vectors, expected)


# Batches


@pytest.mark.parametrize("name", MODELS)
def test_order_and_company_change_nothing(name, folders):
    encoder = from_settings({}, folders[name], "cpu", "fp32")
    pieces = random_pieces()
    together = encoder.embed(pieces)
    np.testing.assert_array_equal(encoder.embed(pieces[::-1]).vectors, together.vectors[::-1])
    for i, piece in enumerate(pieces):
        np.testing.assert_array_equal(encoder.embed([piece]).vectors[0], together.vectors[i])


@pytest.mark.parametrize("name", MODELS)
def test_padding_changes_nothing(name, folders):
    encoder = from_settings({}, folders[name], "cpu", "fp32")
    pieces = random_pieces()
    expected = encoder.embed(pieces)
    encoder._batcher._alone = False
    found = encoder.embed(pieces)
    np.testing.assert_allclose(found.vectors, expected.vectors, atol=1e-5)
    np.testing.assert_array_equal(found.tokens, expected.tokens)


def test_several_threads_may_embed(bert):
    pieces = random_pieces()
    expected = bert.embed(pieces).vectors
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: bert.embed(pieces).vectors, range(8)))
    for result in results:
        np.testing.assert_array_equal(result, expected)


def test_nothing_gives_nothing(bert):
    vectors, counts = bert.embed([])
    assert vectors.shape == (0, 32)
    assert counts.shape == (0,)


@pytest.mark.parametrize("name", MODELS)
def test_int8_is_near(name, folders):
    pieces = random_pieces()
    expected = from_settings({}, folders[name], "cpu", "fp32").embed(pieces).vectors
    quantised = from_settings({}, folders[name], "cpu", "int8")
    assert quantised.precision == "int8"
    found = quantised.embed(pieces).vectors
    lengths = np.linalg.norm(expected, axis=1) * np.linalg.norm(found, axis=1)
    assert ((expected * found).sum(axis=1) / lengths).min() > 0.97
    assert not np.array_equal(expected, found)


@pytest.mark.parametrize("name", MODELS)
def test_bf16_is_nearer_than_int8(name, folders, monkeypatch):
    monkeypatch.setattr(devices, "why_no_bf16", lambda: "")
    pieces = random_pieces()
    expected = from_settings({}, folders[name], "cpu", "fp32").embed(pieces).vectors
    drift = {}
    for precision in ("int8", "bf16"):
        rounded = from_settings({}, folders[name], "cpu", precision)
        assert rounded.precision == precision
        drift[precision] = np.linalg.norm(rounded.embed(pieces).vectors - expected, axis=1)
    assert (drift["bf16"] > 0).all()
    assert (drift["bf16"] < 0.05 * np.linalg.norm(expected, axis=1)).all()
    assert drift["bf16"].mean() < drift["int8"].mean()


def test_half_precision_is_not_for_the_cpu(folders):
    with pytest.raises(UsageError, match="fp16"):
        from_settings({}, folders["bert"], "cpu", "fp16")


@pytest.mark.parametrize("name", ["esm-rotary", "modernbert"])
def test_frequencies_stay_in_single_precision_when_weights_are_halved(name, folders):
    from histpred.encoders.hf import load_model

    model = load_model(folders[name], torch.float16)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float16}
    frequencies = [t for n, t in model.named_buffers() if n.endswith("inv_freq")]
    assert frequencies
    assert {tensor.dtype for tensor in frequencies} == {torch.float32}


# Letters and tokens


def test_u_and_lower_case_are_t(bert):
    vectors, _ = bert.embed([b"GATTACAT", b"GAUUACAU", b"gattacat", b"gaUuacat"])
    for vector in vectors[1:]:
        np.testing.assert_array_equal(vector, vectors[0])


def test_an_rna_alphabet_writes_u(tmp_path):
    write(tmp_path, bert_config(), tokenizer=byte_pairs("ACGU"))
    encoder = from_settings({"alphabet": "rna"}, tmp_path, "cpu", "fp32")
    (dna, rna), _ = encoder.embed([b"GATTACAT", b"GAUUACAU"])
    np.testing.assert_array_equal(dna, rna)
    ids = byte_pairs("ACGU").encode("GAUUACAU").ids[:8]
    assert encoder.tokenise([b"GATTACAT"])[0].ids.tolist()[:4] == ids[:4]


def test_another_alphabet_than_the_tokenizers_is_refused(tmp_path, folders):
    with pytest.raises(WeightsError, match="has no token for U"):
        from_settings({"alphabet": "rna"}, folders["bert"], "cpu", "fp32")
    write(tmp_path, bert_config(), tokenizer=byte_pairs("ACGU"))
    with pytest.raises(WeightsError, match="has no token for T"):
        from_settings({}, tmp_path, "cpu", "fp32")


def test_spaced_bases_have_a_token_each(tmp_path):
    write(tmp_path, bert_config(), tokenizer=single_bases("NACGT"))
    encoder = from_settings({"spaced": True}, tmp_path, "cpu", "fp32")
    (tokens,) = encoder.tokenise([b"ACGNtt"])
    assert tokens.ids.tolist() == [1, 6, 7, 8, 5, 9, 9, 2]
    (hidden,) = by_hand(tmp_path, tokens.ids.tolist())
    found = encoder.embed([b"ACGNtt"]).vectors[0]
    np.testing.assert_allclose(found, hidden.mean(axis=0), atol=1e-5)


def test_a_piece_with_an_unknown_token_is_refused(tmp_path):
    write(tmp_path, bert_config(), tokenizer=single_bases("NACGT"))
    encoder = from_settings({}, tmp_path, "cpu", "fp32")
    with pytest.raises(ModelError, match=r"no token for a part of ACGT\.\.\.\n.*'spaced'"):
        encoder.embed([b"ACGT"])


def test_n_parts_a_sequence_where_the_tokenizer_does_not_know_it(bert):
    together, left, right = bert.tokenise([b"NNACGGTACCNRN-TTGACANN", b"ACGGTACC", b"TTGACA"])
    assert together.ids.tolist() == [*left.ids[:-1], *right.ids[1:]]
    assert together.counted.all()


def test_n_is_a_token_where_the_tokenizer_knows_it(tmp_path):
    write(tmp_path, bert_config(), tokenizer=byte_pairs("ACGTN"))
    encoder = from_settings({}, tmp_path, "cpu", "fp32")
    known = byte_pairs("ACGTN")
    known.no_padding()
    known.no_truncation()
    for text in ("ACNNGT", "NNNNACGTN"):
        assert encoder.tokenise([text.encode()])[0].ids.tolist() == known.encode(text).ids
    assert encoder.tokenise([b"ACRyGT"])[0].ids.tolist() == known.encode("ACNNGT").ids


@pytest.mark.parametrize("letters", ["ACGT", "ACGTN"])
@pytest.mark.parametrize("special_tokens", [True, False])
def test_a_piece_without_a_base_is_zeros_of_no_token(letters, special_tokens, tmp_path):
    write(tmp_path, bert_config(), tokenizer=byte_pairs(letters))
    encoder = from_settings({"special_tokens": special_tokens}, tmp_path, "cpu", "fp32")
    vectors, counts = encoder.embed([b"NNN", b"", b"A"])
    assert not vectors[:2].any()
    assert vectors[2].any()
    assert counts.tolist() == [0, 0, 1 + 2 * special_tokens]


def test_a_tokenizer_without_special_tokens_will_do(tmp_path):
    tokenizer = byte_pairs()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(single="$A")
    write(tmp_path, bert_config(), tokenizer=tokenizer)
    for special_tokens in (True, False):
        encoder = from_settings({"special_tokens": special_tokens}, tmp_path, "cpu", "fp32")
        assert encoder.embed([b"A"]).tokens.tolist() == [1]


@pytest.fixture(scope="module")
def nucleotide_transformer(tmp_path_factory):
    """Six-mers and single letters in a vocab.txt, <cls> before and nothing behind."""
    folder = tmp_path_factory.mktemp("nucleotide_transformer")
    tokens = ["<unk>", "<pad>", "<mask>", "<cls>", "<eos>", "<bos>"]
    tokens += map("".join, itertools.product("ATCG", repeat=6))
    tokens += "ATCGN"
    write(folder, esm_config(vocab_size=len(tokens), pad_token_id=1, mask_token_id=2))
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("\n".join(tokens))
    classes = {"tokenizer_class": "EsmTokenizer", "eos_token": None, "bos_token": None}
    (folder / "tokenizer_config.json").write_text(json.dumps(classes))
    return folder, tokens


def test_nucleotide_transformer_has_one_special_token(nucleotide_transformer):
    folder, tokens = nucleotide_transformer
    pieces = [b"ACGTACGGATTCNNA", b"AC", b"acguac"]
    expected = [
        ["<cls>", "ACGTAC", "GGATTC", "N", "N", "A"],
        ["<cls>", "A", "C"],
        ["<cls>", "ACGTAC"],
    ]
    encoder = from_settings({"special_tokens": False}, folder, "cpu", "fp32")
    for found, names in zip(encoder.tokenise(pieces), expected, strict=True):
        assert [tokens[number] for number in found.ids] == names
        assert found.counted.tolist() == [False] + [True] * (len(names) - 1)
    vectors, counts = encoder.embed(pieces)
    assert counts.tolist() == [5, 2, 1]
    (hidden,) = by_hand(folder, encoder.tokenise(pieces)[0].ids.tolist())
    np.testing.assert_allclose(vectors[0], hidden[1:].mean(axis=0), atol=1e-5)


def test_nucleotide_transformer_gives_zeros_for_nothing(nucleotide_transformer):
    encoder = from_settings({}, nucleotide_transformer[0], "cpu", "fp32")
    assert encoder.embed([]).tokens.tolist() == []
    assert encoder.embed([b"", b"NNN"]).tokens.tolist() == [0, 0]


# Length


@pytest.mark.parametrize(("name", "most"), [("bert", 40), ("esm", 36)])
def test_more_tokens_than_positions_are_refused(name, most, tmp_path):
    # ESM's positions begin behind that of <pad>, which is 3 here.
    write(tmp_path, MODELS[name](), tokenizer=single_bases("NACGT"))
    encoder = from_settings({"spaced": True}, tmp_path, "cpu", "fp32")
    assert encoder.embed([b"A" * (most - 2)]).tokens.tolist() == [most]
    message = rf"of {most - 1} bases has {most + 1} tokens, the encoder takes at most {most}"
    with pytest.raises(ModelError, match=message):
        encoder.embed([b"A" * (most - 1)])


@pytest.mark.parametrize("name", ["esm-rotary", "modernbert"])
def test_rotary_positions_have_no_limit(name, folders):
    encoder = from_settings({}, folders[name], "cpu", "fp32")
    assert encoder.embed(random_pieces([900])).tokens[0] > 200


# Files


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_both_formats_of_weights_are_read(weights, bert, tmp_path):
    write(tmp_path, bert_config(), weights=weights)
    found = from_settings({}, tmp_path, "cpu", "fp32").embed(random_pieces())
    np.testing.assert_array_equal(found.vectors, bert.embed(random_pieces()).vectors)


def test_weights_without_a_head_and_with_a_pooler_are_read(bert, tmp_path):
    def backbone(state: State) -> State:
        bare = {
            name.removeprefix("bert."): tensor
            for name, tensor in state.items()
            if name.startswith("bert.")
        }
        return bare | {"pooler.dense.weight": torch.eye(32), "pooler.dense.bias": torch.ones(32)}

    write(tmp_path, bert_config(), change=backbone)
    found = from_settings({}, tmp_path, "cpu", "fp32").embed(random_pieces())
    np.testing.assert_array_equal(found.vectors, bert.embed(random_pieces()).vectors)


def test_esm_without_its_contact_head_is_read(folders, tmp_path):
    write(
        tmp_path,
        MODELS["esm"](),
        change=lambda state: {n: t for n, t in state.items() if "contact_head" not in n},
    )
    expected = from_settings({}, folders["esm"], "cpu", "fp32").embed(random_pieces())
    found = from_settings({}, tmp_path, "cpu", "fp32").embed(random_pieces())
    np.testing.assert_array_equal(found.vectors, expected.vectors)


def dnabert2_names(state: State) -> State:
    """The published tensors of DNABERT-2 where they differ from BERT's, and its config's names."""
    changed = {}
    for name, tensor in state.items():
        stem = name.removesuffix(".attention.self.query.weight")
        if stem != name:
            changed[f"{stem}.attention.self.Wqkv.weight"] = torch.cat([tensor] * 3)
        elif ".attention.self." not in name and "position_embeddings" not in name:
            changed[name] = tensor
    return changed


def test_dnabert_2_is_refused(tmp_path):
    write(tmp_path, bert_config(), change=dnabert2_names, weights="pytorch_model.bin")
    config = json.loads((tmp_path / "config.json").read_text())
    config["auto_map"] = {
        "AutoConfig": "configuration_bert.BertConfig",
        "AutoModel": "bert_layers.BertModel",
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "bert_layers.py").write_text("raise SystemExit('this must not run')")
    with pytest.raises(WeightsError) as caught:
        from_settings({}, tmp_path, "cpu", "fp32")
    assert "13 tensors are missing: embeddings.position_embeddings.weight" in str(caught.value)
    assert "'dnabert2'" in caught.value.hint


def test_the_names_of_code_of_its_own_do_no_harm_to_a_whole_model(bert, tmp_path):
    write(tmp_path, bert_config())
    config = json.loads((tmp_path / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "modelling.Model", "AutoTokenizer": "modelling.Tokenizer"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "modelling.py").write_text("raise SystemExit('this must not run')")
    found = from_settings({}, tmp_path, "cpu", "fp32").embed(random_pieces())
    np.testing.assert_array_equal(found.vectors, bert.embed(random_pieces()).vectors)


def test_a_model_type_that_transformers_does_not_know_is_refused(folders, tmp_path):
    write(tmp_path, bert_config())
    code = {"AutoConfig": "code.Config", "AutoModel": "code.Model"}
    unknown = {"model_type": "caduceus", "auto_map": code}
    (tmp_path / "config.json").write_text(json.dumps(unknown))
    with pytest.raises(WeightsError, match=r"cannot load it: [\s\S]*code of its own"):
        from_settings({}, tmp_path, "cpu", "fp32")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda state: state | {"bert.encoder.layer.1.pre_attention_ln.weight": torch.ones(32)},
            "1 tensors are left over: encoder.layer.1.pre_attention_ln.weight",
        ),
        (
            lambda state: {n: t for n, t in state.items() if "layer.1.output.dense.bias" not in n},
            "1 tensors are missing: encoder.layer.1.output.dense.bias",
        ),
        (
            lambda state: state | {"bert.embeddings.word_embeddings.weight": torch.ones(59, 32)},
            r"another shape: embeddings.word_embeddings.weight \[59, 32\] instead of \[60, 32\]",
        ),
    ],
)
def test_weights_of_another_network_are_refused(change, message, tmp_path):
    # The first is what GENA-LM's folder does.
    write(tmp_path, bert_config(), change=change)
    with pytest.raises(WeightsError, match=message):
        from_settings({}, tmp_path, "cpu", "fp32")


@pytest.mark.parametrize("kind", [transformers.T5Config, transformers.BigBirdConfig])
def test_what_is_no_encoder_is_refused(kind, tmp_path):
    write(tmp_path, bert_config())
    (tmp_path / "config.json").write_text(kind().to_json_string())
    with pytest.raises(WeightsError, match="not an encoder of single sequences"):
        from_settings({}, tmp_path, "cpu", "fp32")


def test_a_tokenizer_with_more_tokens_than_the_weights_is_refused(tmp_path):
    write(tmp_path, bert_config(vocab_size=50))
    with pytest.raises(WeightsError, match="10 tokens are not among the 50 of the weights"):
        from_settings({}, tmp_path, "cpu", "fp32")


@pytest.mark.parametrize("token", ["", "<eos>"])
def test_a_token_beyond_the_weights_that_no_sequence_makes_is_no_reason_to_refuse(token, tmp_path):
    """GROVER's tokenizer has an empty one, Nucleotide Transformer's <eos> and <bos>."""
    folder = write(tmp_path, bert_config(vocab_size=60))
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    content["model"]["vocab"][token] = 60
    path.write_text(json.dumps(content))
    encoder = from_settings({}, folder, "cpu", "fp32")
    assert np.isfinite(encoder.embed([b"ACGTTGCA" * 3]).vectors).all()


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_a_truncated_file_is_refused(weights, tmp_path):
    write(tmp_path, bert_config(), weights=weights)
    content = (tmp_path / weights).read_bytes()
    (tmp_path / weights).write_bytes(content[: len(content) // 2])
    with pytest.raises(WeightsError, match="cannot load it"):
        from_settings({}, tmp_path, "cpu", "fp32")


class Code:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_code_in_a_file_is_refused_and_does_not_run(tmp_path):
    write(tmp_path, bert_config())
    (tmp_path / "model.safetensors").unlink()
    ran = tmp_path / "ran"
    torch.save({"weight": Code(f"touch {ran}")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="cannot load it"):
        from_settings({}, tmp_path, "cpu", "fp32")
    assert not ran.exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config.json", r"holds no configuration: none of config\.json"),
        ("model.safetensors", "cannot load it"),
        ("tokenizer.json", "tokenizer"),
    ],
)
def test_a_folder_with_a_file_missing_is_refused(name, message, tmp_path):
    write(tmp_path, bert_config())
    (tmp_path / name).unlink()
    with pytest.raises(WeightsError, match=message):
        from_settings({}, tmp_path, "cpu", "fp32")


def test_a_damaged_tokenizer_is_refused(tmp_path):
    write(tmp_path, bert_config())
    (tmp_path / "tokenizer.json").write_text('{"version": "1.0", "mod')
    with pytest.raises(WeightsError, match="its tokenizer cannot be read"):
        from_settings({}, tmp_path, "cpu", "fp32")


# Silence


def test_no_network_is_used(folders, nucleotide_transformer, monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for folder in [*folders.values(), nucleotide_transformer[0]]:
        assert from_settings({}, folder, "cpu", "fp32").embed([b"ACGT"]).vectors.any()


def test_nothing_is_said(folders, nucleotide_transformer, tmp_path, capfd):
    logging = transformers.utils.logging
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    write(tmp_path, bert_config(), change=dnabert2_names)
    capfd.readouterr()
    for folder in [*folders.values(), nucleotide_transformer[0]]:
        from_settings({}, folder, "cpu", "fp32").embed([b"ACGT" * 5])
    from_settings({}, folders["modernbert"], "cpu", "fp32").embed([b"ACGT" * 500])
    with pytest.raises(WeightsError):
        from_settings({}, tmp_path, "cpu", "fp32")
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
