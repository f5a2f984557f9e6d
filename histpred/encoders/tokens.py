"""Chunks as tokens, for encoders that run on torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import tokenizers


class Tokens(NamedTuple):
    """A chunk as a network reads it.

    ids: the tokens, int64 [n]; counted: True for tokens that count in the mean, bool [n].
    """

    ids: np.ndarray
    counted: np.ndarray


def letters_table(alphabet: str, other: str = "N") -> bytes:
    """A table for bytes.translate: bases in either case to `alphabet`, all else to `other`.

    The alphabet is ACGT or ACGU; both T and U become its last letter.
    """
    table = bytearray(other.encode() * 256)
    for letter, base in zip(b"ACGTU", (alphabet + alphabet[-1]).encode(), strict=True):
        table[letter] = table[letter + 32] = base
    return bytes(table)


def open_tokenizer(path: Path) -> tokenizers.Tokenizer:
    """The tokenizer in a tokenizer.json; it neither pads nor truncates."""
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
