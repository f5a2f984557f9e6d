"""Reads weights: tensors only, never code, with none missing or left over.

`.bin`, `.pt` and `.pth` are loaded with weights_only; `.safetensors` holds tensors only.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from histpred.core.errors import WeightsError, first_few, first_line
from histpred.core.shipped import LFS_POINTER
from histpred.core.strict_json import parse

GET_AGAIN = "get the file again: histpred encoders get"

FEW_LAYERS = 1_000_000  # layers times their width

State = dict[str, Tensor]


def find_file(folder: Path, names: Sequence[str], what: str) -> Path:
    """The first of `names` that is in `folder`, which may also be that file itself."""
    if folder.is_file():
        return folder
    if not folder.exists():
        hint = "give the folder with the weights; 'histpred encoders list' shows where they belong"
        raise WeightsError(f"{folder}: no such file or folder", hint)
    for name in names:
        if (folder / name).is_file():
            return folder / name
    hint = "give the folder that was downloaded, with all its files"
    raise WeightsError(f"{folder}: holds no {what}: none of {', '.join(names)}", hint)


def read_state(path: Path) -> State:
    """The tensors of a weights file, on the CPU, by name.

    Of a file with {"model": tensors, ...}, the tensors of "model" are returned. Raises WeightsError
    for a file that is truncated, a Git-LFS pointer, or holds anything but tensors.
    """
    with open(path, "rb") as stream:
        if stream.read(len(LFS_POINTER)) == LFS_POINTER:
            hint = "run git lfs pull in its repository"
            raise WeightsError(f"{path}: a Git-LFS pointer, not the file itself", hint)
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        # RNA-FM's file keeps its training arguments beside the tensors.
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip and safetensors raise exceptions of their own
        raise WeightsError(
            f"{path}: cannot be read as weights: {first_line(error)}",
            f"it is damaged, truncated, or holds more than tensors; {GET_AGAIN}",
        ) from error
    state = content.get("model", content) if isinstance(content, dict) else content
    if not isinstance(state, Mapping) or not all(isinstance(t, Tensor) for t in state.values()):
        raise WeightsError(f"{path}: holds no named tensors", "check that this is a weights file")
    return dict(state)


def read_json(path: Path) -> dict[str, object]:
    """A JSON file beside the weights, such as config.json."""
    try:
        content = parse(path.read_bytes())
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: cannot be read as JSON: {error}", GET_AGAIN) from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path}: is not a JSON object", GET_AGAIN)
    return content


def check_layers(path: Path, layers: float, width: float, weights: Sequence[Path]) -> None:
    """Raise WeightsError for more layers than weights files can hold, before any is built.

    path: the configuration. A layer has at least as many bytes as it is wide; few layers are built
    in any case, because weights that are cut short have a message of their own.
    """
    size = sum(file.stat().st_size for file in weights)
    if layers * width > max(size, FEW_LAYERS):
        what = f"{path}: {layers:,} layers of width {width:,}, the weights have {size:,} bytes"
        raise WeightsError(what, GET_AGAIN)


def fill(model: nn.Module, state: State, path: Path, dtype: torch.dtype = torch.float32) -> None:
    """Load `state` as `dtype` into a model on the meta device; WeightsError if it does not fit."""
    wanted = model.state_dict()
    refuse(path, "tensors are missing", sorted(set(wanted) - set(state)))
    refuse(path, "tensors do not belong to this encoder", sorted(set(state) - set(wanted)))
    misshapen = [
        f"{name} {list(state[name].shape)} instead of {list(wanted[name].shape)}"
        for name in wanted
        if state[name].shape != wanted[name].shape
    ]
    refuse(path, "tensors have another shape", misshapen)
    model.load_state_dict({name: t.to(dtype) for name, t in state.items()}, assign=True)


def refuse(path: Path, what: str, names: Sequence[str]) -> None:
    """Raise WeightsError if there are any `names`."""
    if names:
        hint = "these are not the weights of this encoder, or some are missing"
        raise WeightsError(f"{path}: {len(names)} {what}: {first_few(names)}", hint)
