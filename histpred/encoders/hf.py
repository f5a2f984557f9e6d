"""Encoders that transformers runs with its own classes: BERT, ESM, ModernBERT and similar models.

Only the folder is read, and none of its code is run. Models that need their own code are refused:
transformers would leave half of such a network random, as it does with DNABERT-2. If the tokenizer
has a token for N, an unknown base is that token. Otherwise a run of N splits the sequence; the
parts are tokenised one by one and stay one input.
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
from typing import NamedTuple, TypedDict, cast

import numpy as np
import torch
from torch import Tensor, nn
from transformers import MODEL_MAPPING, AutoConfig, AutoTokenizer, PreTrainedModel
from transformers.utils import logging as transformers_logging

from histpred.core.errors import ModelError, WeightsError, first_few, first_line
from histpred.encoders import check_settings
from histpred.encoders.batching import Tokens, TorchEncoder, letters_table, open_tokenizer
from histpred.encoders.weights import GET_AGAIN, check_layers, find_file, refuse

LOCAL = {"local_files_only": True, "trust_remote_code": False}
HEADS = ("cls.", "lm_head.", "classifier.", "pooler.", "decoder.", "head.")
UNUSED = ("pooler.", "contact_head.")  # parts of the network that no hidden state depends on
UNSTEADY = ("big_bird",)  # its attention depends on earlier inputs
ALPHABETS = {"dna": "ACGT", "rna": "ACGU"}
BASES = frozenset("ACGTUN")
READ = (".json", ".txt", ".model", ".safetensors", ".bin")  # suffixes that transformers may read

# Texts, and True to add special tokens -> tokens of each text
Encode = Callable[[list[str], bool], list[list[int]]]


class Tokenizer(NamedTuple):
    encode: Encode
    before: list[int]  # the special tokens in front of the others
    after: list[int]
    vocabulary: Mapping[str, int]
    unknown: int | None  # the token of text that has none of its own, if there is one


class HfEncoder(TorchEncoder):
    """An encoder from a folder with config.json, weights and tokenizer.

    Settings: `special_tokens`, true if they count in the mean (default true); `alphabet`, 'dna' if
    the tokenizer expects T, 'rna' if it expects U (default 'dna'); `spaced`, true if it expects a
    blank between bases (default false). Its limit is a number of tokens: `longest` stays None.
    """

    def __init__(
        self, settings: Mapping[str, object], folder: Path, device: str, precision: str
    ) -> None:
        check_settings(settings, {"special_tokens": bool, "alphabet": str, "spaced": bool})
        name = str(settings.get("alphabet", "dna"))
        if name not in ALPHABETS:
            raise ValueError(f"setting 'alphabet' is 'dna' or 'rna', found {name!r}")
        super().__init__(device, precision)
        self._special_tokens = settings.get("special_tokens", True)
        self._between = " " if settings.get("spaced", False) else ""
        alphabet = ALPHABETS[name]
        self._letters = letters_table(alphabet)
        folder = find_file(folder, ["config.json"], "configuration").parent
        self.files = tuple(path for path in sorted(folder.iterdir()) if path.suffix in READ)
        self._tokenizer = load_tokenizer(folder, alphabet)
        self._model = model = load_model(folder, self._dtype)
        rows = len(cast(nn.Embedding, model.get_input_embeddings()).weight)
        # Published tokenizers have tokens without weights, which no sequence contains: an empty one
        # in GROVER, <eos> and <bos> in Nucleotide Transformer.
        added = {*self._tokenizer.before, *self._tokenizer.after}
        beyond = [
            token
            for token, n in self._tokenizer.vocabulary.items()
            if n >= rows and (n in added or BASES.intersection(token))
        ]
        refuse(folder, f"tokens are not among the {rows:,} of the weights", beyond)
        self._most_tokens = most_tokens(model)
        self.dimension = model.config.hidden_size
        pad = model.config.pad_token_id or 0  # ESM and RoBERTa count positions from it
        self._start(model, self._hidden, model, pad)

    def tokenise(self, chunks: Sequence[bytes]) -> list[Tokens]:
        """Each chunk's tokens with the special ones; nothing counts in a chunk without a base.

        Lower case is read as upper case. Raises ModelError for a part that has no token, and for
        more tokens than the network has positions.
        """
        texts = [chunk.translate(self._letters).decode("ascii") for chunk in chunks]
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
            hint = "check the encoder's settings 'spaced' and 'alphabet'"
            raise ModelError(f"the tokenizer has no token for a part of {text[:60]}...", hint)
        if self._most_tokens is not None and len(ids) > self._most_tokens:
            raise ModelError(
                f"a chunk of {len(text):,} bases has {len(ids):,} tokens, the encoder takes at "
                f"most {self._most_tokens:,}",
                "the bundle must cut its windows into shorter chunks",
            )

    def _hidden(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        # Without a mask some models guess one, or warn.
        mask = torch.ones_like(ids) if mask is None else mask.long()
        return cast(Tensor, self._model(input_ids=ids, attention_mask=mask)[0])


from_settings = HfEncoder


def load_tokenizer(folder: Path, alphabet: str) -> Tokenizer:
    """The tokenizer of a folder; WeightsError unless it has tokens for the bases of `alphabet`."""
    try:
        encode, vocabulary, unknown = read_tokenizer(folder)
        plain, (full,) = encode(list(alphabet), False), encode([alphabet[0]], True)
    except Exception as error:  # tokenizers raises bare Exceptions
        what = f"{folder}: its tokenizer cannot be read: {first_line(error)}"
        raise WeightsError(what, GET_AGAIN) from error
    strange = [base for base, ids in zip(alphabet, plain, strict=True) if not ids or unknown in ids]
    if strange:
        what = f"its tokenizer has no token for {', '.join(strange)}"
        raise WeightsError(f"{folder}: {what}", "check the encoder's setting 'alphabet'")
    # The mask of special tokens would not do: transformers' EsmTokenizer returns one token too many
    # if there is no <eos>, as in Nucleotide Transformer.
    size = len(plain[0])
    start = next(i for i in range(len(full)) if full[i : i + size] == plain[0])
    return Tokenizer(encode, full[:start], full[start + size :], vocabulary, unknown)


def read_tokenizer(folder: Path) -> tuple[Encode, dict[str, int], int | None]:
    """`encode`, `vocabulary` and `unknown` of `Tokenizer`."""
    if (folder / "tokenizer.json").is_file():
        # AutoTokenizer may build another one: BERT's WordPiece instead of the file's byte pairs.
        fast = open_tokenizer(folder / "tokenizer.json")

        def encode(texts: list[str], special: bool) -> list[list[int]]:
            return [e.ids for e in fast.encode_batch_fast(texts, add_special_tokens=special)]

        vocabulary = fast.get_vocab()
        unknown: str | None = getattr(fast.model, "unk_token", None)
        return encode, vocabulary, vocabulary.get(unknown) if unknown is not None else None

    with quiet():
        slow = AutoTokenizer.from_pretrained(folder, **LOCAL)
    slow.model_max_length = sys.maxsize  # it would warn; `_check` has the limit

    def encode_slowly(texts: list[str], special: bool) -> list[list[int]]:
        return list(slow(texts, add_special_tokens=special)["input_ids"]) if texts else []

    return encode_slowly, slow.get_vocab(), slow.unk_token_id


def load_model(folder: Path, dtype: torch.dtype) -> PreTrainedModel:
    """The network on the CPU, without its heads; WeightsError if any part is missing."""
    try:
        with quiet():
            config = AutoConfig.from_pretrained(folder, **LOCAL)
            config.output_hidden_states = False
            weights = [path for path in folder.iterdir() if path.suffix in (".safetensors", ".bin")]
            layers = getattr(config, "num_hidden_layers", 0)
            check_layers(folder / "config.json", layers, config.hidden_size, weights)
            model_class = cast(type[PreTrainedModel], MODEL_MAPPING[type(config)])
            if config.is_encoder_decoder or config.model_type in UNSTEADY:
                raise ValueError(f"{config.model_type} is not an encoder of single sequences")
            options: dict[str, object] = dict(LOCAL)
            if "add_pooling_layer" in inspect.signature(model_class).parameters:
                options["add_pooling_layer"] = False
            load = cast(Callable[..., tuple[PreTrainedModel, Report]], model_class.from_pretrained)
            model, report = load(
                folder,
                config=config,
                dtype=dtype,  # not converted: frequencies of rotary positions must stay in fp32
                weights_only=True,
                attn_implementation="sdpa" if model_class._supports_sdpa else "eager",
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # so that the report has them, and not an exception
                **options,
            )
    except WeightsError:
        raise
    except Exception as error:  # transformers, torch and safetensors raise exceptions of their own
        raise WeightsError(
            f"{folder}: transformers cannot load it: {first_line(error)}",
            f"it needs code of its own, is not an encoder, or is damaged; {GET_AGAIN}",
        ) from error
    check_report(folder, model_class.base_model_prefix, report)
    model.requires_grad_(False)
    return model


class Report(TypedDict):
    """The parts of transformers' loading report that are read here."""

    missing_keys: Iterable[str]
    unexpected_keys: Iterable[str]
    mismatched_keys: Iterable[tuple[str, torch.Size, torch.Size]]


def check_report(folder: Path, prefix: str, report: Report) -> None:
    """Raise WeightsError where transformers would ignore tensors, or fill them at random."""
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
                "transformers' own classes build another network from this file; DNABERT-2 has the "
                "kind 'dnabert2', and models that need code of their own cannot be used",
            )


def most_tokens(model: PreTrainedModel) -> int | None:
    """The number of learned positions; None if positions are rotary or absent."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            # ESM and RoBERTa begin after the position of padding.
            unused = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - unused
    return None


@contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' messages and progress bars; histpred reports what is wrong."""
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
