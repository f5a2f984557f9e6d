"""The network of DNABERT-2 (Zhou 2023, arXiv:2306.15006): ALiBi, GEGLU, post-layer-norm.

It is written out here, with the tensor names of the published file. That file's own code
(`bert_layers.py` at Hugging Face, zhihan1996/DNABERT-2-117M) no longer runs: it needs remote code
and an old triton. Stock BERT classes must not load the file: they leave most of the network random.
"""

from __future__ import annotations

import math
import threading
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

ALIGNMENT = 8


class Shape(NamedTuple):
    """Sizes of the network; the published one: 12 layers of 768, 12 heads, inner 3072."""

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
        sums = self.word_embeddings(ids) + self.token_type_embeddings.weight[0]
        return cast(Tensor, self.LayerNorm(sums))


class SelfAttention(nn.Module):
    """All heads at once; `bias` [1 or batch, heads, n, n] is added to the scores."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.Wqkv = nn.Linear(shape.width, 3 * shape.width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        batch, length, width = x.shape
        # Rows of Wqkv: queries, keys, values; each of them head by head.
        parts = self.Wqkv(x).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=bias.expand(batch, -1, -1, -1)
        )
        return mixed.transpose(1, 2).reshape(batch, length, width)


class SelfOutput(nn.Module):
    """The dense layer after the heads; the residual is added before the norm."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.dense = nn.Linear(shape.width, shape.width)
        self.LayerNorm = nn.LayerNorm(shape.width, shape.epsilon)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return cast(Tensor, self.LayerNorm(self.dense(x) + residual))


class Attention(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.self = SelfAttention(shape)
        self.output = SelfOutput(shape)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        return cast(Tensor, self.output(self.self(x, bias), x))


class GatedLinearUnits(nn.Module):
    """GEGLU (Shazeer 2020, arXiv:2002.05202) with its residual; the gate comes first."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gated_layers = nn.Linear(shape.width, 2 * shape.inner, bias=False)
        self.wo = nn.Linear(shape.inner, shape.width)
        self.layernorm = nn.LayerNorm(shape.width, shape.epsilon)

    def forward(self, x: Tensor) -> Tensor:
        gate, linear = self.gated_layers(x).chunk(2, dim=-1)
        return cast(Tensor, self.layernorm(self.wo(functional.gelu(gate) * linear) + x))


class Layer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attention = Attention(shape)
        self.mlp = GatedLinearUnits(shape)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        return cast(Tensor, self.mlp(self.attention(x, bias)))


class Layers(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Layer(shape) for _ in range(shape.layers))

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        for layer in self.layer:
            x = layer(x, bias)
        return x


class Dnabert2(nn.Module):
    """The backbone: tokens int64 [batch, n] to hidden states [batch, n, width].

    `mask` [batch, n] is False at padding, which must follow the tokens; None if there is none.
    Hidden states at padding are meaningless.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embeddings = Embeddings(shape)
        self.encoder = Layers(shape)
        self._slopes = alibi_slopes(shape.heads)
        self._last = threading.local()  # bias of the last length, which sorted batches use again

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.embeddings(ids)
        length = ids.shape[1]
        bias = self._alibi(length, x)
        if mask is not None:
            mask = functional.pad(mask, (0, bias.shape[-1] - length), value=True)
            bias = bias.masked_fill(~mask[:, None, None, :], -math.inf)
        return cast(Tensor, self.encoder(x, bias[..., :length]))

    def _alibi(self, length: int, like: Tensor) -> Tensor:
        """-slope * distance, [1, heads, n, n] (Press 2021, arXiv:2108.12409, both directions).

        Each row is filled up to a multiple of 8, as CUDA's memory-efficient attention requires.
        Otherwise torch would copy the bias for every layer and chunk.
        """
        bias: Tensor | None = getattr(self._last, "bias", None)
        if bias is None or bias.shape[-2] != length or bias.dtype != like.dtype:
            whole = -(-length // ALIGNMENT) * ALIGNMENT
            positions = torch.arange(whole, device=like.device, dtype=torch.float32)
            distances = (positions[:length, None] - positions[None, :]).abs()
            slopes = torch.tensor(self._slopes, device=like.device)
            bias = (-slopes[:, None, None] * distances)[None].to(like.dtype)
            self._last.bias = bias
        return bias


def alibi_slopes(heads: int) -> list[float]:
    """The slope of each head: powers of two, then powers of their roots for the remaining heads.

    >>> alibi_slopes(4)
    [0.25, 0.0625, 0.015625, 0.00390625]
    >>> [round(slope, 4) for slope in alibi_slopes(12)[-4:]]
    [0.7071, 0.3536, 0.1768, 0.0884]
    """
    power = 2 ** math.floor(math.log2(heads))
    slopes = [2 ** (-8 * (i + 1) / power) for i in range(power)]
    between = [2 ** (-4 * (i + 1) / power) for i in range(2 * power)]
    return slopes + between[::2][: heads - power]
