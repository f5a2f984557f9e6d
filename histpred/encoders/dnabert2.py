"""DNABERT-2 (Zhou 2023, arXiv:2306.15006) as an encoder: byte-pair tokens of DNA.

A run of N splits the sequence before tokenisation: no token spans it. The parts stay one input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from histpred.core.errors import ModelError, WeightsError
from histpred.encoders import check_settings
from histpred.encoders.batching import Tokens, TorchEncoder, letters_table, open_tokenizer
from histpred.encoders.dnabert2_network import Dnabert2, Shape
from histpred.encoders.weights import (
    GET_AGAIN,
    check_layers,
    fill,
    find_file,
    read_json,
    read_state,
)

if TYPE_CHECKING:
    import tokenizers

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
HEADS = ("cls.", "bert.pooler.", "pooler.", "classifier.")
SPECIAL = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "[PAD]": 3, "[MASK]": 4}
SIZES = (  # of config.json, in the order of `Shape`
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "type_vocab_size",
    "layer_norm_eps",
)

# The published tokenizer's tokens of a sequence (TACC's course on DNABERT-2)
KNOWN_SEQUENCE = "ACGTAGCATCGGATCTATCTATCGACACTTGGTTATCGATCTACGAGCATCTCGTTAGC"
KNOWN_TOKENS = [1, 5, 194, 32, 757, 1239, 2092, 294, 24, 359, 88, 93, 32, 75, 77, 19, 2]

LETTERS = letters_table("ACGT", other=" ")  # the tokenizer splits at blanks


class Dnabert2Encoder(TorchEncoder):
    """DNABERT-2 from a folder with its weights, config.json and tokenizer.json.

    Settings: `special_tokens`, true if [CLS] and [SEP] count in the mean; the default is true, as
    in the authors' example. Chunks may have any length: ALiBi has no limit.
    """

    def __init__(
        self, settings: Mapping[str, object], folder: Path, device: str, precision: str
    ) -> None:
        check_settings(settings, {"special_tokens": bool})
        super().__init__(device, precision)
        tokenizer = find_file(folder, [TOKENIZER], "tokenizer")
        self._tokenizer = load_tokenizer(tokenizer)
        self._special_tokens = settings.get("special_tokens", True)
        weights = find_file(folder, WEIGHTS, "weights")
        self.files = (weights, find_file(folder, [CONFIG], "configuration"), tokenizer)
        model = load_model(folder, self._dtype)
        words = model.embeddings.word_embeddings
        vocabulary = self._tokenizer.get_vocab_size()
        if vocabulary > (rows := words.num_embeddings):
            what = f"{folder / TOKENIZER}: has {vocabulary} tokens, the weights have {rows}"
            raise WeightsError(what, "use the tokenizer and the weights of the same model")
        self.dimension = words.embedding_dim
        self._start(model, model, model.encoder, SPECIAL["[PAD]"])

    def tokenise(self, chunks: Sequence[bytes]) -> list[Tokens]:
        """[CLS], the tokens, [SEP] of each chunk; nothing counts in a chunk without a base.

        Lower case is read as upper case, U as T. All letters but A, C, G and T split the sequence.
        """
        texts = [chunk.translate(LETTERS).decode("ascii") for chunk in chunks]
        tokens = []
        for number, encoding in enumerate(self._tokenizer.encode_batch_fast(texts)):
            ids = np.array(encoding.ids, np.int64)
            if SPECIAL["[UNK]"] in ids:
                part = chunks[number][:60].decode()
                hint = f"its {TOKENIZER} does not belong to a DNA model; {GET_AGAIN}"
                raise ModelError(f"the tokenizer has no token for a part of {part}...", hint)
            counted = np.full(len(ids), len(ids) > 2)
            if not self._special_tokens:
                counted[[0, -1]] = False
            tokens.append(Tokens(ids, counted))
        return tokens


from_settings = Dnabert2Encoder


def load_model(folder: Path, dtype: torch.dtype = torch.float32) -> Dnabert2:
    """The network on the CPU, from a `.bin` or `.safetensors` with the published names.

    Heads (`cls.`, `pooler.`, `classifier.`) are dropped. Raises WeightsError for a tensor that is
    missing, left over or of another shape. The published file has 136 tensors, 116,477,952 numbers.
    """
    config = find_file(folder, [CONFIG], "configuration")
    shape = read_shape(config)
    path = find_file(folder, WEIGHTS, "weights")
    check_layers(config, shape.layers, shape.width, [path])
    state = {
        name.removeprefix("bert."): tensor
        for name, tensor in read_state(path).items()
        if not name.startswith(HEADS)
    }
    with torch.device("meta"):
        model = Dnabert2(shape)
    fill(model, state, path, dtype)
    return model.eval().requires_grad_(False)


def read_shape(path: Path) -> Shape:
    """The sizes in the published config.json."""
    config = read_json(path)
    numbers = {
        name: value
        for name in SIZES
        if isinstance(value := config.get(name), int | float) and not isinstance(value, bool)
    }
    missing = [name for name in SIZES if name not in numbers]
    if missing:
        raise WeightsError(f"{path}: lacks {', '.join(missing)}", GET_AGAIN)
    *sizes, epsilon = numbers.values()
    shape = Shape._make([*map(int, sizes), float(epsilon)])
    if min(shape[:6]) < 1 or shape.width % shape.heads:
        raise WeightsError(f"{path}: impossible sizes: {shape}", GET_AGAIN)
    return shape


def load_tokenizer(path: Path) -> tokenizers.Tokenizer:
    """The tokenizer; WeightsError unless it has the special tokens and makes DNA tokens."""
    try:
        tokenizer = open_tokenizer(path)
    except Exception as error:  # tokenizers raises bare Exceptions
        raise WeightsError(f"{path}: cannot be read as a tokenizer: {error}", GET_AGAIN) from error
    wrong = [token for token, number in SPECIAL.items() if tokenizer.token_to_id(token) != number]
    if wrong:
        what = f"{', '.join(wrong)} missing or under another number"
        raise WeightsError(f"{path}: not DNABERT-2's: {what}", GET_AGAIN)
    made = " ".join(tokenizer.encode("A C G T").tokens)
    if made != "[CLS] A C G T [SEP]":
        what = f"its tokens of A C G T are {made or 'none'}"
        raise WeightsError(f"{path}: not DNABERT-2's: {what}", GET_AGAIN)
    return tokenizer


def check_tokenizer(folder: Path) -> str:
    """For `histpred encoders verify`: raise WeightsError unless the known answer comes out."""
    path = find_file(folder, [TOKENIZER], "tokenizer")
    if load_tokenizer(path).encode(KNOWN_SEQUENCE).ids != KNOWN_TOKENS:
        what = "its tokens of a known sequence are not those of the published tokenizer"
        raise WeightsError(f"{path}: {what}", GET_AGAIN)
    return "its tokenizer gives the published one's known answer"
