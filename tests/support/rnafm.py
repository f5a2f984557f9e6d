"""A random RNA-FM of any size, in the authors' published format.

It needs torch and shares no code with histpred's encoder, which it tests. `write_official` is for
benchmarks too. The published sizes are the defaults of `Sizes`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import torch

TOKENS = 25
HEAD_WIDTH = 32

State = dict[str, torch.Tensor]


class Sizes(NamedTuple):
    """Sizes of the network. The defaults are those of the published one."""

    width: int = 640
    layers: int = 12
    inner: int = 5120
    positions: int = 1026


TINY = Sizes(width=64, layers=3, inner=96)
PUBLISHED = Sizes()


def random_state(sizes: Sizes = TINY, scale: float = 0.2) -> State:
    """The tensors of RNA-FM_pretrained.pth, heads too, without the prefix of their names.

    scale: standard deviation of the numbers.
    """
    generator = torch.Generator().manual_seed(7)
    width = sizes.width

    def matrix(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator) * scale

    def norm(name: str) -> State:
        return {f"{name}.weight": 1 + matrix(width), f"{name}.bias": matrix(width)}

    def linear(name: str, into: int, out_of: int) -> State:
        return {f"{name}.weight": matrix(into, out_of), f"{name}.bias": matrix(into)}

    words = matrix(TOKENS, width)
    state = {
        "embed_tokens.weight": words,
        "embed_positions.weight": matrix(sizes.positions, width),
        **norm("emb_layer_norm_before"),
        **norm("emb_layer_norm_after"),
    }
    for layer in range(sizes.layers):
        stem = f"layers.{layer}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            state |= linear(f"{stem}.self_attn.{name}", width, width)
        state |= norm(f"{stem}.self_attn_layer_norm") | norm(f"{stem}.final_layer_norm")
        state |= linear(f"{stem}.fc1", sizes.inner, width)
        state |= linear(f"{stem}.fc2", width, sizes.inner)
    return {
        **state,
        **linear("lm_head.dense", width, width),
        **norm("lm_head.layer_norm"),
        "lm_head.weight": words,
        "lm_head.bias": matrix(TOKENS),
        **linear("contact_head.regression", 1, sizes.layers * width // HEAD_WIDTH),
    }


def write_official(folder: Path, state: State, prefix: str = "encoder.encoder.") -> Path:
    """Write the weights as published: the arguments of the training beside the tensors."""
    path = folder / "RNA-FM_pretrained.pth"
    arguments = argparse.Namespace(arch="roberta_large", max_positions=1024)
    model = {prefix + name: tensor for name, tensor in state.items()}
    torch.save({"args": arguments, "model": model}, path)
    return path
