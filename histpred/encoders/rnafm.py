"""RNA-FM (Chen 2022, arXiv:2204.00300): single nucleotides, 12 pre-norm layers, learned positions.

RNA-FM is ESM-1b with another alphabet, so transformers' EsmModel runs it once the tensors have that
model's names. Two published files are read and told apart by their tensor names: the authors'
RNA-FM_pretrained.pth (ml4bio/RNA-FM) and multimolecule's model.safetensors (multimolecule/rnafm),
whose vocabulary has another order. What no tensor shows (no token dropout, epsilon of 1e-5, heads
of 32, erf GELU) is taken from the authors' code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor
from transformers import EsmConfig, EsmModel

from histpred.core.errors import ModelError, WeightsError
from histpred.encoders import check_settings
from histpred.encoders.batching import Tokens, TorchEncoder, letters_table
from histpred.encoders.weights import State, fill, find_file, read_state, refuse

WEIGHTS = ("RNA-FM_pretrained.pth", "model.safetensors", "pytorch_model.bin")
HEAD_WIDTH = 32  # 20 heads in a width of 640
FIRST_POSITION = 2  # of <cls>: fairseq begins after the number of <pad>, which is 1
LAYER = re.compile(r"encoder\.layer\.(\d+)\.")


class Dialect(NamedTuple):
    """The names and tokens in a published file."""

    mark: str  # ending of a tensor name by which the file is recognised
    prefix: re.Pattern[str]  # removed from every name
    heads: tuple[str, ...]  # beginnings of names that are dropped
    names: Mapping[str, str]  # patterns and their replacements, which lead to EsmModel's names
    alphabet: str  # in order, with ^ for <cls>, $ for <eos>, _ for <pad> and ? for unused ones
    sizes: range  # possible sizes of the vocabulary, including tokens that follow


OFFICIAL = Dialect(  # RNA-FM_pretrained.pth of ml4bio/RNA-FM
    mark="embed_tokens.weight",
    prefix=re.compile(r"^(?:(?:encoder|sentence_encoder)\.)+"),
    heads=("lm_head.", "contact_head."),
    names={
        r"^embed_tokens\.": "embeddings.word_embeddings.",
        r"^embed_positions\.": "embeddings.position_embeddings.",
        r"^emb_layer_norm_before\.": "embeddings.layer_norm.",
        r"^emb_layer_norm_after\.": "encoder.emb_layer_norm_after.",
        r"^layers\.": "encoder.layer.",
        r"\.self_attn\.q_proj\.": ".attention.self.query.",
        r"\.self_attn\.k_proj\.": ".attention.self.key.",
        r"\.self_attn\.v_proj\.": ".attention.self.value.",
        r"\.self_attn\.out_proj\.": ".attention.output.dense.",
        r"\.self_attn_layer_norm\.": ".attention.LayerNorm.",
        r"\.fc1\.": ".intermediate.dense.",
        r"\.fc2\.": ".output.dense.",
        r"\.final_layer_norm\.": ".LayerNorm.",
    },
    alphabet="^_$?ACGURYKMSWBDHVN",
    sizes=range(25, 26),
)

MULTIMOLECULE = Dialect(  # model.safetensors of multimolecule/rnafm, versions 0.0.1 to 0.1
    mark="embeddings.word_embeddings.weight",
    prefix=re.compile(r"^(?:model|rnafm)\."),
    heads=("lm_head.", "ss_head.", "contact_head.", "pretrain.", "pretrain_head.", "pooler."),
    names={
        r"^encoder\.layer_norm\.": "encoder.emb_layer_norm_after.",
        r"^(encoder\.layer\.\d+\.(?:attention\.)?)layer_norm\.": r"\1LayerNorm.",
    },
    alphabet="_^$???ACGUN",
    sizes=range(25, 64),  # versions differ after N; mRNA-FM has more tokens, for codons
)


class RnaFmEncoder(TorchEncoder):
    """RNA-FM from its weights file, or the folder that holds it.

    Settings: `special_tokens`, true if <cls> and <eos> count in the mean; the default is false, as
    the authors' extraction cuts both off.
    """

    longest: int

    def __init__(
        self, settings: Mapping[str, object], folder: Path, device: str, precision: str
    ) -> None:
        check_settings(settings, {"special_tokens": bool})
        super().__init__(device, precision)
        self._special_tokens = settings.get("special_tokens", False)
        self.files = (find_file(folder, WEIGHTS, "weights"),)
        self._model, alphabet = load_model(folder, self._dtype)
        letters = letters_table("ACGU").decode("ascii")
        self._ids = np.array([alphabet.index(letter) for letter in letters], np.int64)  # of bytes
        self._ends = [alphabet.index("^")], [alphabet.index("$")]
        self._unknown = alphabet.index("N")
        self.dimension = self._model.config.hidden_size
        # 1,022 of 1,026 positions: the first two are unused, <cls> and <eos> take two more.
        self.longest = self._model.config.max_position_embeddings - FIRST_POSITION - 2
        self._start(self._model, self._hidden, self._model.encoder, alphabet.index("_"))

    def tokenise(self, chunks: Sequence[bytes]) -> list[Tokens]:
        """<cls>, one token for each base, <eos>; nothing counts in a chunk without a base.

        Lower case is read as upper case, T as U. Other letters are read as N, which the network
        sees but the mean leaves out. Raises ModelError for a chunk above `longest`.
        """
        tokens = []
        for chunk in chunks:
            if len(chunk) > self.longest:
                limit = f"chunks of at most {self.longest:,} nt"
                hint = f"the bundle must cut its windows into {limit}"
                raise ModelError(f"RNA-FM takes {limit}, found one of {len(chunk):,} nt", hint)
            residues = self._ids[np.frombuffer(chunk, np.uint8)]
            known = residues != self._unknown
            end = bool(self._special_tokens and known.any())
            ids = np.concatenate([self._ends[0], residues, self._ends[1]])
            tokens.append(Tokens(ids, np.concatenate([[end], known, [end]])))
        return tokens

    def _hidden(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        # EsmModel would count positions from the number of <pad>, which is not 1 in multimolecule's
        # vocabulary. Positions at padding do not matter.
        stop = FIRST_POSITION + ids.shape[1]
        positions = torch.arange(FIRST_POSITION, stop, device=ids.device).expand(ids.shape)
        return cast(
            Tensor, self._model(input_ids=ids, attention_mask=mask, position_ids=positions)[0]
        )


from_settings = RnaFmEncoder


def load_model(folder: Path, dtype: torch.dtype) -> tuple[EsmModel, str]:
    """The network on the CPU, and its alphabet.

    Heads are dropped. Raises WeightsError for a tensor that is missing, left over or of another
    shape; the message uses EsmModel's names.
    """
    path = find_file(folder, WEIGHTS, "weights")
    published = read_state(path)
    for dialect in (OFFICIAL, MULTIMOLECULE):
        if any(name.endswith(dialect.mark) for name in published):
            break
    else:
        raise WeightsError(
            f"{path}: is not RNA-FM: holds neither {OFFICIAL.mark} nor {MULTIMOLECULE.mark}",
            "give RNA-FM_pretrained.pth, or the model.safetensors of multimolecule/rnafm",
        )
    state = rename(published, dialect, path)
    config = read_sizes(state, dialect, path)
    with torch.device("meta"):
        model = EsmModel(config, add_pooling_layer=False)
    del model.contact_head  # hidden states do not come from it
    fill(model, state, path, dtype)
    # Not among the tensors, and still on the meta device.
    model.embeddings.position_ids = torch.arange(config.max_position_embeddings)[None]
    return model.eval().requires_grad_(False), dialect.alphabet


def rename(state: State, dialect: Dialect, path: Path) -> State:
    """`state` with EsmModel's names and no heads; WeightsError if two tensors get the same name."""
    renamed: State = {}
    for published, tensor in state.items():
        name = dialect.prefix.sub("", published)
        if not name.startswith(dialect.heads):
            for pattern, replacement in dialect.names.items():
                name = re.sub(pattern, replacement, name)
            refuse(path, "tensors occur twice", [name] if name in renamed else [])
            renamed[name] = tensor
    return renamed


def read_sizes(state: State, dialect: Dialect, path: Path) -> EsmConfig:
    """The network's sizes, from the shapes of its tensors."""
    vocabulary, width = matrix_shape(state, "embeddings.word_embeddings.weight", path)
    positions, _ = matrix_shape(state, "embeddings.position_embeddings.weight", path)
    inner, _ = matrix_shape(state, "encoder.layer.0.intermediate.dense.weight", path)
    if vocabulary not in dialect.sizes or width % HEAD_WIDTH or positions < FIRST_POSITION + 3:
        raise WeightsError(
            f"{path}: is not RNA-FM: {vocabulary} tokens, width {width}, {positions} positions",
            "RNA-FM has 25 tokens, a width of 640 and 1,026 positions; mRNA-FM reads codons",
        )
    return EsmConfig(
        vocab_size=vocabulary,
        pad_token_id=dialect.alphabet.index("_"),
        hidden_size=width,
        num_hidden_layers=len({match[1] for match in map(LAYER.match, state) if match}),
        num_attention_heads=width // HEAD_WIDTH,
        intermediate_size=inner,
        max_position_embeddings=positions,
        position_embedding_type="absolute",
        emb_layer_norm_before=True,
        token_dropout=False,
        layer_norm_eps=1e-5,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        tie_word_embeddings=False,
    )


def matrix_shape(state: State, name: str, path: Path) -> torch.Size:
    """Rows and columns of a tensor; WeightsError if it is missing or not a matrix."""
    refuse(path, "tensors are missing", [] if name in state else [name])
    shape = state[name].shape
    refuse(path, "tensors are not matrices", [] if len(shape) == 2 else [f"{name} {list(shape)}"])
    return shape
