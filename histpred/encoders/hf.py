"""Encoders that transformers runs with classes of its own: BERT, ESM, ModernBERT and their like.

Of published ones: GROVER, Nucleotide Transformer (version 1), ModernGENA, SpliceBERT, RNAErnie.
Nothing but the folder is read and none of its code runs: a model that needs its own code, as
DNABERT-2 does, would be left half random by transformers, and is refused.

Where the tokenizer knows N, an unknown base is N, a token like others. Where it does not, a run of
N parts the sequence: the parts are tokenised one by one, and are one input.
"""

from __future__ import annotations

import inspect
import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tokenizers
import torch
from torch import Tensor, nn
from transformers import MODEL_MAPPING, AutoConfig, AutoTokenizer, PreTrainedModel
from transformers.utils import logging as transformers_logging

from histpred.core.errors import ModelError, WeightsError, first_few, first_line
from histpred.encoders import Embedded, check_settings
from histpred.encoders.batching import CHUNKS_AT_ONCE, Batcher, Tokens
from histpred.encoders.devices import DTYPES, choose_device, choose_precision
from histpred.encoders.quantised import quantise
from histpred.encoders.weights import GET_AGAIN, find_file, refuse

LOCAL = {"local_files_only": True, "trust_remote_code": False}
HEADS = ("cls.", "lm_head.", "classifier.", "pooler.", "decoder.", "head.")
UNUSED = ("pooler.", "contact_head.")  # of the network, but no hidden state comes from them
UNSTEADY = ("big_bird",)  # its attention depends on the inputs that it had before
ALPHABETS = {"dna": "ACGT", "rna": "ACGU"}
BASES = frozenset("ACGTUN")

READ = (".json", ".txt", ".model", ".safetensors", ".bin")
"""Suffixes of what transformers may read in a folder."""


class Tokenizer(NamedTuple):
    """encode: texts, and whether to add special tokens -> tokens; before, after: the special ones
    around the others; unknown: what text gets that has no token, None if there is no such one.
    """

    encode: Callable[[list[str], bool], list[list[int]]]
    before: list[int]
    after: list[int]
    vocabulary: Mapping[str, int]
    unknown: int | None


class HfEncoder:
    """A folder's model as an encoder; for the settings see `from_settings`."""

    longest = None  # the limit is one of tokens

    def __init__(
        self, folder: Path, device: str, precision: str, settings: Mapping[str, object]
    ) -> None:
        target = choose_device(device)
        self.device = str(target)
        self.precision = choose_precision(target, precision)
        self.chunks_at_once = CHUNKS_AT_ONCE[target.type]
        self._special_tokens = settings.get("special_tokens", True)
        self._between = " " if settings.get("spaced", False) else ""
        alphabet = ALPHABETS[str(settings.get("alphabet", "dna"))]
        self._letters = letters_table(alphabet)

        folder = find_file(folder, ["config.json"], "configuration").parent
        self.files = tuple(path for path in sorted(folder.iterdir()) if path.suffix in READ)
        self._tokenizer = load_tokenizer(folder, alphabet)
        model = load_model(folder, DTYPES[self.precision])
        rows = model.get_input_embeddings().num_embeddings
        # Published tokenizers have tokens that no sequence makes and no weights are for: GROVER an
        # empty one, Nucleotide Transformer <eos> and <bos>.
        added = {*self._tokenizer.before, *self._tokenizer.after}
        beyond = [
            token
            for token, n in self._tokenizer.vocabulary.items()
            if n >= rows and (n in added or BASES.intersection(token))
        ]
        refuse(folder, f"tokens are not among the {rows:,} of the weights", beyond)
        self._most_tokens = most_tokens(model)
        if self.precision == "int8":
            quantise(model)
        self.dimension = model.config.hidden_size
        self._model = model.to(target)
        pad = model.config.pad_token_id or 0  # ESM and RoBERTa count positions from it
        self._batcher = Batcher(self._hidden, self.dimension, target, pad=pad)

    def embed(self, pieces: Sequence[bytes]) -> Embedded:
        """The mean hidden state of the last layer over each piece's tokens."""
        return self._batcher.means(self.tokenise(pieces))

    def tokenise(self, pieces: Sequence[bytes]) -> list[Tokens]:
        """Each piece's tokens among the special ones; nothing counts in a piece without a base.

        Lower case is read as upper case. Raises ModelError for a part that has no token, and for
        more tokens than the network has positions.
        """
        texts = [piece.translate(self._letters).decode("ascii") for piece in pieces]
        parts = [self._parts(text) for text in texts]
        encoded = iter(self._tokenizer.encode(list(chain.from_iterable(parts)), False))
        before, after = self._tokenizer.before, self._tokenizer.after
        tokens = []
        for text, own in zip(texts, parts, strict=True):
            ids = [*before, *chain.from_iterable(next(encoded) for _ in own), *after]
            self._check(text, ids)
            counted = np.full(len(ids), bool(text.strip("N")))
            if not self._special_tokens:
                counted[: len(before)] = counted[len(ids) - len(after) :] = False
            tokens.append(Tokens(np.array(ids, np.int64), counted))
        return tokens

    def _parts(self, text: str) -> list[str]:
        parts = [text] if "N" in self._tokenizer.vocabulary else re.split("N+", text)
        return [self._between.join(part) for part in parts if part]

    def _check(self, text: str, ids: list[int]) -> None:
        if self._tokenizer.unknown in ids:
            raise ModelError(
                f"the tokenizer has no token for a part of {text[:60]}...",
                "does the encoder want the setting 'spaced', or another 'alphabet'?",
            )
        if self._most_tokens is not None and len(ids) > self._most_tokens:
            raise ModelError(
                f"a piece of {len(text):,} bases makes {len(ids):,} tokens, the encoder takes at "
                f"most {self._most_tokens:,}",
                "the bundle must cut its windows into shorter chunks",
            )

    def _hidden(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        # Some models guess a mask, or complain, if there is none.
        mask = torch.ones_like(ids) if mask is None else mask.long()
        return self._model(input_ids=ids, attention_mask=mask)[0]


def from_settings(
    settings: Mapping[str, object], directory: Path, device: str = "auto", precision: str = "auto"
) -> HfEncoder:
    """An encoder from a folder with config.json, weights and tokenizer.

    Settings: `special_tokens`, whether they count in the mean (true if left out); `alphabet`, 'dna'
    or 'rna', whether the tokenizer wants T or U ('dna'); `spaced`, whether it wants blanks between
    bases (false).
    """
    check_settings(settings, {"special_tokens": bool, "alphabet": str, "spaced": bool})
    if settings.get("alphabet", "dna") not in ALPHABETS:
        raise ValueError(f"setting 'alphabet' is 'dna' or 'rna', found {settings['alphabet']!r}")
    return HfEncoder(directory, device, precision, settings)


def letters_table(alphabet: str) -> bytes:
    """For bytes.translate: bases to upper case and `alphabet`, all else to N."""
    table = bytearray(b"N" * 256)
    for letter, base in zip(b"ACGTU", (alphabet + alphabet[-1]).encode(), strict=True):
        table[letter] = table[letter + 32] = base
    return bytes(table)


def load_tokenizer(folder: Path, alphabet: str) -> Tokenizer:
    """The tokenizer of a folder, after a look whether it knows the bases of `alphabet`."""
    try:
        encode, vocabulary, unknown = read_tokenizer(folder)
        plain, (full,) = encode(list(alphabet), False), encode([alphabet[0]], True)
    except Exception as error:  # tokenizers raises Exception itself
        raise WeightsError(
            f"{folder}: its tokenizer cannot be read: {first_line(error)}", GET_AGAIN
        ) from error
    strange = [base for base, ids in zip(alphabet, plain, strict=True) if not ids or unknown in ids]
    if strange:
        raise WeightsError(
            f"{folder}: its tokenizer has no token for {', '.join(strange)}",
            "does the encoder want another setting 'alphabet'?",
        )
    # Not by the mask of special tokens: that of transformers' EsmTokenizer is one too long where
    # there is no <eos>, as in Nucleotide Transformer.
    size = len(plain[0])
    start = next(i for i in range(len(full)) if full[i : i + size] == plain[0])
    return Tokenizer(encode, full[:start], full[start + size :], vocabulary, unknown)


def read_tokenizer(folder: Path) -> tuple[Callable, dict[str, int], int | None]:
    """`encode`, `vocabulary` and `unknown` of `Tokenizer`."""
    if (folder / "tokenizer.json").is_file():
        # AutoTokenizer may build another one than the file's: BERT's word pieces for byte pairs.
        fast = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        fast.no_padding()
        fast.no_truncation()

        def encode(texts: list[str], special: bool) -> list[list[int]]:
            return [e.ids for e in fast.encode_batch_fast(texts, add_special_tokens=special)]

        vocabulary = fast.get_vocab()
        return encode, vocabulary, vocabulary.get(getattr(fast.model, "unk_token", None))

    with quiet():
        slow = AutoTokenizer.from_pretrained(folder, **LOCAL)
    slow.model_max_length = sys.maxsize  # it would warn; the limit is checked here

    def encode_slowly(texts: list[str], special: bool) -> list[list[int]]:
        return slow(texts, add_special_tokens=special)["input_ids"] if texts else []

    return encode_slowly, slow.get_vocab(), slow.unk_token_id


def load_model(folder: Path, dtype: torch.dtype) -> PreTrainedModel:
    """The network on the CPU, without its heads; WeightsError for anything but a whole one.

    It is loaded in `dtype`, not converted: the frequencies of rotary positions must stay in fp32.
    """
    try:
        with quiet():
            config = AutoConfig.from_pretrained(folder, **LOCAL)
            config.output_hidden_states = False
            kind = MODEL_MAPPING[type(config)]
            if config.is_encoder_decoder or config.model_type in UNSTEADY:
                raise ValueError(f"{config.model_type} is no encoder for single sequences")
            options = {"attn_implementation": "sdpa" if kind._supports_sdpa else "eager"}
            if "add_pooling_layer" in inspect.signature(kind.__init__).parameters:
                options["add_pooling_layer"] = False
            # Other shapes do not raise here, so that the report names them.
            options |= {"output_loading_info": True, "ignore_mismatched_sizes": True}
            model, report = kind.from_pretrained(
                folder, config=config, dtype=dtype, weights_only=True, **LOCAL, **options
            )
    except Exception as error:  # transformers, torch and safetensors each raise their own kinds
        raise WeightsError(
            f"{folder}: transformers cannot load it: {first_line(error)}",
            f"it needs code of its own, or is no encoder, or is damaged; {GET_AGAIN}",
        ) from error
    check_report(folder, kind.base_model_prefix, report)
    return model.requires_grad_(False)


def check_report(folder: Path, prefix: str, report: Mapping[str, Iterable]) -> None:
    """WeightsError for tensors that are missing, left over or of another shape.

    transformers makes up what is missing and ignores the rest: vectors would come from another
    network, as they do with DNABERT-2 and GENA-LM.
    """
    bare = [name.removeprefix(f"{prefix}.") for name in report["unexpected_keys"]]
    wrong = {
        "are missing": [name for name in report["missing_keys"] if not name.startswith(UNUSED)],
        "are left over": [name for name in bare if not name.startswith(HEADS)],
        "have another shape": [
            f"{name} {list(found)} instead of {list(wanted)}"
            for name, found, wanted in report["mismatched_keys"]
        ],
    }
    for what, names in wrong.items():
        if names:
            raise WeightsError(
                f"{folder}: {len(names)} tensors {what}: {first_few(sorted(names))}",
                "transformers' own classes make another network of it; is it DNABERT-2, whose kind "
                "is 'dnabert2', or does it need code of its own?",
            )


def most_tokens(model: PreTrainedModel) -> int | None:
    """How many tokens there are learned positions for; None if they are rotary, or none."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            # ESM and RoBERTa begin behind the position of padding.
            unused = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - unused
    return None


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' notices and progress bars; ours say what is wrong."""
    verbosity = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.CRITICAL)
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
