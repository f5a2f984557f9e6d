"""A random DNABERT-2 of any size, in the published format, and the same network in plain numpy.

It shares no code with histpred's encoders, whose oracle it is: tensors are named and the equations
written out here a second time. It needs torch and tokenizers; `write_dnabert2` is for benchmarks
too. The published sizes are the defaults of `Sizes`.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tokenizers
import torch

SPECIAL_TOKENS = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]

# ALiBi's slopes of 12 heads: eight powers of two, then the four halfway between the first of them.
SLOPES_OF_12_HEADS = (
    0.5,
    0.25,
    0.125,
    0.0625,
    0.03125,
    0.015625,
    0.0078125,
    0.00390625,
    0.7071067811865476,
    0.35355339059327384,
    0.17677669529663692,
    0.08838834764831849,
)

State = dict[str, torch.Tensor]


class Sizes(NamedTuple):
    """Sizes of the network. The defaults are those of the published one."""

    vocabulary: int = 4096
    width: int = 768
    layers: int = 12
    heads: int = 12
    inner: int = 3072


TINY = Sizes(vocabulary=200, width=48, layers=2, heads=12, inner=112)
PUBLISHED = Sizes()


def write_dnabert2(
    folder: Path,
    sizes: Sizes = TINY,
    *,
    seed: int = 0,
    scale: float = 0.02,
    weights: str = "pytorch_model.bin",
    tokenizer: Path | None = None,
) -> State:
    """Write weights, config.json and tokenizer.json into `folder`; the weights, backbone and head.

    Parameters
    ----------
    scale
        Standard deviation of the matrices; 0.02 is what such a network starts its training from.
    weights
        'pytorch_model.bin' or 'model.safetensors'.
    tokenizer
        A tokenizer.json to copy; without it one is trained on random DNA.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = random_state(sizes, seed, scale)
    write_weights(folder / weights, state)
    (folder / "config.json").write_text(json.dumps(published_config(sizes), indent=2))
    if tokenizer is None:
        random_tokenizer(sizes.vocabulary).save(str(folder / "tokenizer.json"))
    else:
        (folder / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    return state


def write_weights(path: Path, state: State) -> None:
    """Save `state` in the format of the suffix. A .bin stores the head's tied matrix once."""
    if path.suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file({name: tensor.clone() for name, tensor in state.items()}, path)
    else:
        torch.save(state, path)


def random_state(sizes: Sizes = TINY, seed: int = 0, scale: float = 0.02) -> State:
    """Return the tensors of the published file: `bert.*` and the masked-language head `cls.*`."""
    generator = torch.Generator().manual_seed(seed)

    def matrix(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator) * scale

    def norm(name: str) -> State:
        return {
            f"{name}.weight": 1 + 0.1 * torch.randn(sizes.width, generator=generator),
            f"{name}.bias": 0.1 * torch.randn(sizes.width, generator=generator),
        }

    width = sizes.width
    state = {
        "bert.embeddings.word_embeddings.weight": matrix(sizes.vocabulary, width),
        "bert.embeddings.token_type_embeddings.weight": matrix(2, width),
        **norm("bert.embeddings.LayerNorm"),
    }
    for layer in range(sizes.layers):
        stem = f"bert.encoder.layer.{layer}"
        state |= {
            f"{stem}.attention.self.Wqkv.weight": matrix(3 * width, width),
            f"{stem}.attention.self.Wqkv.bias": matrix(3 * width),
            f"{stem}.attention.output.dense.weight": matrix(width, width),
            f"{stem}.attention.output.dense.bias": matrix(width),
            **norm(f"{stem}.attention.output.LayerNorm"),
            f"{stem}.mlp.gated_layers.weight": matrix(2 * sizes.inner, width),
            f"{stem}.mlp.wo.weight": matrix(width, sizes.inner),
            f"{stem}.mlp.wo.bias": matrix(width),
            **norm(f"{stem}.mlp.layernorm"),
        }
    return {
        **state,
        "cls.predictions.transform.dense.weight": matrix(width, width),
        "cls.predictions.transform.dense.bias": matrix(width),
        **norm("cls.predictions.transform.LayerNorm"),
        "cls.predictions.decoder.weight": state["bert.embeddings.word_embeddings.weight"],
        "cls.predictions.decoder.bias": matrix(sizes.vocabulary),
    }


def published_config(sizes: Sizes = TINY) -> dict[str, object]:
    """Return config.json as published, with other sizes."""
    return {
        "_name_or_path": "zhihan1996/DNABERT-2-117M",
        "alibi_starting_size": 512,
        "architectures": ["BertForMaskedLM"],
        "attention_probs_dropout_prob": 0.0,
        "auto_map": {
            "AutoConfig": "configuration_bert.BertConfig",
            "AutoModel": "bert_layers.BertModel",
            "AutoModelForMaskedLM": "bert_layers.BertForMaskedLM",
            "AutoModelForSequenceClassification": "bert_layers.BertForSequenceClassification",
        },
        "classifier_dropout": None,
        "gradient_checkpointing": False,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": sizes.width,
        "initializer_range": 0.02,
        "intermediate_size": sizes.inner,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": 512,
        "model_type": "bert",
        "num_attention_heads": sizes.heads,
        "num_hidden_layers": sizes.layers,
        "position_embedding_type": "absolute",
        "torch_dtype": "float32",
        "transformers_version": "4.28.0",
        "type_vocab_size": 2,
        "use_cache": True,
        "vocab_size": sizes.vocabulary,
    }


def random_dna(rng: random.Random, length: int) -> bytes:
    """Return random bases."""
    return "".join(rng.choices("ACGT", k=length)).encode()


def random_tokenizer(vocabulary: int, seed: int = 0) -> tokenizers.Tokenizer:
    """Write byte pairs of random DNA, with the published special tokens, splitter and template.

    The published vocabulary of 4096 would take long to train: above 1000 tokens there are 1000.
    """
    rng = random.Random(seed)
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=min(vocabulary, 1000), special_tokens=SPECIAL_TOKENS, show_progress=False
    )
    tokenizer.train_from_iterator((random_dna(rng, 200).decode() for _ in range(300)), trainer)
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return tokenizer


def hidden_states(
    state: Mapping[str, torch.Tensor], ids: Sequence[int], heads: int = 12
) -> np.ndarray:
    """Return the last layer's hidden states [tokens, width] of one token list, in float64."""
    assert heads == len(SLOPES_OF_12_HEADS), "the table is for 12 heads"
    n = len(ids)
    distance = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    layers = 1 + max(
        int(name.split(".")[3]) for name in state if name.startswith("bert.encoder.layer.")
    )

    def get(name: str) -> np.ndarray:
        return state[f"bert.{name}"].double().numpy()

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(axis=1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-12)
        return scaled * get(f"{name}.weight") + get(f"{name}.bias")

    word = get("embeddings.word_embeddings.weight")[list(ids)]
    x = norm(word + get("embeddings.token_type_embeddings.weight")[0], "embeddings.LayerNorm")
    width = x.shape[1]
    size = width // heads
    for layer in range(layers):
        stem = f"encoder.layer.{layer}"
        qkv = x @ get(f"{stem}.attention.self.Wqkv.weight").T
        qkv += get(f"{stem}.attention.self.Wqkv.bias")
        mixed = np.empty_like(x)
        for head in range(heads):
            mine = slice(head * size, (head + 1) * size)
            query, key, value = (qkv[:, i * width : (i + 1) * width][:, mine] for i in range(3))
            scores = query @ key.T / math.sqrt(size) - SLOPES_OF_12_HEADS[head] * distance
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            mixed[:, mine] = weights / weights.sum(axis=1, keepdims=True) @ value
        dense = mixed @ get(f"{stem}.attention.output.dense.weight").T
        dense += get(f"{stem}.attention.output.dense.bias")
        x = norm(dense + x, f"{stem}.attention.output.LayerNorm")

        both = x @ get(f"{stem}.mlp.gated_layers.weight").T
        gate, linear = np.split(both, 2, axis=1)
        activated = gate * 0.5 * (1 + _erf(gate / math.sqrt(2)))
        out = (activated * linear) @ get(f"{stem}.mlp.wo.weight").T + get(f"{stem}.mlp.wo.bias")
        x = norm(out + x, f"{stem}.mlp.layernorm")
    return x


_erf = np.vectorize(math.erf, otypes=[np.float64])
