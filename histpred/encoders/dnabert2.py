"""DNABERT-2 (Zhou 2023, arXiv:2306.15006): byte-pair tokens, ALiBi, GEGLU, post-layer-norm.

The network is written out here, with the tensor names of the published file, which its own code
(`bert_layers.py` at Hugging Face, zhihan1996/DNABERT-2-117M) can no longer be run from: it needs
remote code and an old triton. Stock BERT classes must not load that file: they leave most of the
network random.

A run of N parts the sequence before it is tokenised, so that no token spans it and no base is
unknown; it stays one input.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from histpred.core.errors import ModelError, WeightsError
from histpred.encoders import Embedded, check_settings
from histpred.encoders.batching import CHUNKS_AT_ONCE, Batcher, Tokens
from histpred.encoders.devices import DTYPES, choose_device, choose_precision
from histpred.encoders.quantised import quantise
from histpred.encoders.weights import (
    GET_AGAIN,
    fill,
    find_file,
    read_json,
    read_state,
    without_prefixes,
)

logger = logging.getLogger(__name__)

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
ALIGNMENT = 8
HEADS = ("cls.", "bert.pooler.", "pooler.", "classifier.")
SPECIAL = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "[PAD]": 3, "[MASK]": 4}

KNOWN_SEQUENCE = "ACGTAGCATCGGATCTATCTATCGACACTTGGTTATCGATCTACGAGCATCTCGTTAGC"
KNOWN_TOKENS = [1, 5, 194, 32, 757, 1239, 2092, 294, 24, 359, 88, 93, 32, 75, 77, 19, 2]
"""What the published tokenizer makes of it (TACC's course on DNABERT-2)."""

_LETTERS = bytearray(b" " * 256)
for _base in b"ACGT":
    _LETTERS[_base] = _LETTERS[_base + 32] = _base
_LETTERS[ord("U")] = _LETTERS[ord("u")] = ord("T")
_LETTERS_TABLE = bytes(_LETTERS)


class Shape(NamedTuple):
    """Sizes of the network; those of the published one: 12 layers of 768, 12 heads, 3072, 4096."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    inner: int
    types: int
    epsilon: float


class Embeddings(nn.Module):
    """Tokens [batch, n] to vectors [batch, n, width]; there are no positions."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(shape.vocabulary, shape.width)
        self.token_type_embeddings = nn.Embedding(shape.types, shape.width)
        self.LayerNorm = nn.LayerNorm(shape.width, shape.epsilon)

    def forward(self, ids: Tensor) -> Tensor:
        return self.LayerNorm(self.word_embeddings(ids) + self.token_type_embeddings.weight[0])


class SelfAttention(nn.Module):
    """All heads at once; `bias` [1 or batch, heads, n, n] is added to the scores."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.Wqkv = nn.Linear(shape.width, 3 * shape.width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        batch, length, width = x.shape
        # Rows of Wqkv are queries, keys, values, and within each head by head.
        parts = self.Wqkv(x).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=bias.expand(batch, -1, -1, -1)
        )
        return mixed.transpose(1, 2).reshape(batch, length, width)


class SelfOutput(nn.Module):
    """What follows the heads; the residual is added before the norm."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.dense = nn.Linear(shape.width, shape.width)
        self.LayerNorm = nn.LayerNorm(shape.width, shape.epsilon)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return self.LayerNorm(self.dense(x) + residual)


class Attention(nn.Module):
    """Self-attention with its residual."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.self = SelfAttention(shape)
        self.output = SelfOutput(shape)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        return self.output(self.self(x, bias), x)


class GatedLinearUnits(nn.Module):
    """GEGLU (Shazeer 2020, arXiv:2002.05202) with its residual; the gate's half comes first."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gated_layers = nn.Linear(shape.width, 2 * shape.inner, bias=False)
        self.wo = nn.Linear(shape.inner, shape.width)
        self.layernorm = nn.LayerNorm(shape.width, shape.epsilon)

    def forward(self, x: Tensor) -> Tensor:
        gate, linear = self.gated_layers(x).chunk(2, dim=-1)
        return self.layernorm(self.wo(functional.gelu(gate) * linear) + x)


class Layer(nn.Module):
    """One transformer layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attention = Attention(shape)
        self.mlp = GatedLinearUnits(shape)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        return self.mlp(self.attention(x, bias))


class Layers(nn.Module):
    """All layers, one after the other."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Layer(shape) for _ in range(shape.layers))

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        for layer in self.layer:
            x = layer(x, bias)
        return x


class Dnabert2(nn.Module):
    """The backbone: tokens int64 [batch, n] to hidden states [batch, n, width].

    `mask` [batch, n] is False at padding, which must follow the tokens; None where there is none.
    Hidden states at padding mean nothing.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embeddings = Embeddings(shape)
        self.encoder = Layers(shape)
        self._slopes = alibi_slopes(shape.heads)
        self._last = threading.local()  # bias of the last length: sorted batches ask for it again

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.embeddings(ids)
        length = ids.shape[1]
        bias = self._alibi(length, x)
        if mask is not None:
            mask = functional.pad(mask, (0, bias.shape[-1] - length), value=True)
            bias = bias.masked_fill(~mask[:, None, None, :], -math.inf)
        return self.encoder(x, bias[..., :length])

    def _alibi(self, length: int, like: Tensor) -> Tensor:
        """-slope * distance, [1, heads, n, n] (Press 2021, arXiv:2108.12409, both directions).

        Each row is filled up to a multiple of 8, as CUDA's memory-efficient attention wants them:
        it would copy the bias for every layer and piece otherwise.
        """
        bias = getattr(self._last, "bias", None)
        if bias is None or bias.shape[-2] != length or bias.dtype != like.dtype:
            whole = -(-length // ALIGNMENT) * ALIGNMENT
            positions = torch.arange(whole, device=like.device, dtype=torch.float32)
            distances = (positions[:length, None] - positions[None, :]).abs()
            slopes = torch.tensor(self._slopes, device=like.device)
            bias = (-slopes[:, None, None] * distances)[None].to(like.dtype)
            self._last.bias = bias
        return bias


def alibi_slopes(heads: int) -> list[float]:
    """The slope of each head: powers of two, and for other numbers of heads those between.

    >>> alibi_slopes(4)
    [0.25, 0.0625, 0.015625, 0.00390625]
    >>> [round(slope, 4) for slope in alibi_slopes(12)[-4:]]
    [0.7071, 0.3536, 0.1768, 0.0884]
    """
    power = 2 ** math.floor(math.log2(heads))
    slopes = [2 ** (-8 * (i + 1) / power) for i in range(power)]
    between = [2 ** (-4 * (i + 1) / power) for i in range(2 * power)]
    return slopes + between[::2][: heads - power]


class Dnabert2Encoder:
    """DNABERT-2 as an encoder; `special_tokens`: [CLS] and [SEP] count in the mean."""

    longest = None  # ALiBi has no limit

    def __init__(
        self, folder: Path, device: str, precision: str, *, special_tokens: bool = True
    ) -> None:
        target = choose_device(device)
        self.device = str(target)
        self.precision = choose_precision(target, precision)
        self.chunks_at_once = CHUNKS_AT_ONCE[target.type]
        self._tokenizer = load_tokenizer(find_file(folder, [TOKENIZER], "tokenizer"))
        self._special_tokens = special_tokens
        named = ((WEIGHTS, "weights"), ([CONFIG], "configuration"), ([TOKENIZER], "tokenizer"))
        self.files = tuple(find_file(folder, names, what) for names, what in named)

        model = load_model(folder)
        vocabulary = self._tokenizer.get_vocab_size()
        if vocabulary > model.embeddings.word_embeddings.num_embeddings:
            raise WeightsError(
                f"{folder / TOKENIZER}: has {vocabulary} tokens, the weights have "
                f"{model.embeddings.word_embeddings.num_embeddings}",
                "the two do not belong together",
            )
        if self.precision == "int8":
            quantise(model.encoder)
        self.dimension = model.embeddings.word_embeddings.embedding_dim
        model = model.to(target, DTYPES[self.precision])
        self._batcher = Batcher(model, self.dimension, target, pad=SPECIAL["[PAD]"])

    def embed(self, pieces: Sequence[bytes]) -> Embedded:
        """The mean hidden state of the last layer over each piece's tokens."""
        return self._batcher.means(self.tokenise(pieces))

    def tokenise(self, pieces: Sequence[bytes]) -> list[Tokens]:
        """[CLS], the tokens, [SEP] for each piece; nothing counts in a piece without a base.

        Lower case is read as upper case, U as T; what else is no A, C, G or T parts the sequence.
        """
        texts = [piece.translate(_LETTERS_TABLE).decode("ascii") for piece in pieces]
        tokens = []
        for number, encoding in enumerate(self._tokenizer.encode_batch_fast(texts)):
            ids = np.array(encoding.ids, np.int64)
            if SPECIAL["[UNK]"] in ids:
                raise ModelError(
                    f"the tokenizer does not know a part of {pieces[number][:60].decode()}...",
                    f"its {TOKENIZER} is not that of a DNA model; {GET_AGAIN}",
                )
            counted = np.full(len(ids), len(ids) > 2)
            if not self._special_tokens:
                counted[[0, -1]] = False
            tokens.append(Tokens(ids, counted))
        return tokens


def from_settings(
    settings: Mapping[str, object], directory: Path, device: str = "auto", precision: str = "auto"
) -> Dnabert2Encoder:
    """DNABERT-2 from a folder with its weights, config.json and tokenizer.json.

    Settings: `special_tokens`, whether [CLS] and [SEP] count in the mean; true if left out, as in
    the authors' example.
    """
    check_settings(settings, {"special_tokens": bool})
    special_tokens = settings.get("special_tokens", True) is True
    return Dnabert2Encoder(directory, device, precision, special_tokens=special_tokens)


def load_model(folder: Path) -> Dnabert2:
    """The network in fp32 on the CPU, from a `.bin` or `.safetensors` with the published names.

    Heads (`cls.`, `pooler.`, `classifier.`) are dropped. Raises WeightsError for a tensor that is
    missing, left over or of another shape: 136 tensors, 116,477,952 numbers in the published sizes.
    """
    shape = read_shape(find_file(folder, [CONFIG], "configuration"))
    path = find_file(folder, WEIGHTS, "weights")
    state = without_prefixes(read_state(path), HEADS, ["bert."])
    with torch.device("meta"):
        model = Dnabert2(shape)
    fill(model, state, path)
    return model.eval().requires_grad_(False)


def read_shape(path: Path) -> Shape:
    """The sizes in the published config.json."""
    config = read_json(path)
    names = {
        "vocab_size": int,
        "hidden_size": int,
        "num_hidden_layers": int,
        "num_attention_heads": int,
        "intermediate_size": int,
        "type_vocab_size": int,
        "layer_norm_eps": float,
    }
    missing = [name for name in names if type(config.get(name)) not in (int, float)]
    if missing:
        raise WeightsError(f"{path}: lacks {', '.join(missing)}", GET_AGAIN)
    shape = Shape(*(kind(config[name]) for name, kind in names.items()))  # type: ignore[operator]
    if min(shape[:6]) < 1 or shape.width % shape.heads:
        raise WeightsError(f"{path}: impossible sizes: {shape}", GET_AGAIN)
    return shape


def load_tokenizer(path: Path):
    """The tokenizer, after a look at its special tokens and whether it makes DNA tokens."""
    import tokenizers

    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises Exception itself
        raise WeightsError(f"{path}: cannot be read as a tokenizer: {error}", GET_AGAIN) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    wrong = [token for token, number in SPECIAL.items() if tokenizer.token_to_id(token) != number]
    if wrong:
        raise WeightsError(
            f"{path}: not DNABERT-2's: {', '.join(wrong)} missing or under another number",
            GET_AGAIN,
        )
    made = tokenizer.encode("A C G T").tokens
    if made != ["[CLS]", "A", "C", "G", "T", "[SEP]"]:
        raise WeightsError(
            f"{path}: not DNABERT-2's: it makes {' '.join(made) or 'nothing'} of A C G T", GET_AGAIN
        )
    return tokenizer


def known_answer(tokenizer: object) -> bool:
    """Whether a tokenizer gives the published one's answer."""
    return tokenizer.encode(KNOWN_SEQUENCE).ids == KNOWN_TOKENS  # type: ignore[attr-defined]
