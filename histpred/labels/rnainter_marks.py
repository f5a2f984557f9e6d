"""The marks among RNAInter's partners of RNAs, and what they are called.

Category2 decides which partner is a histone modification. Where it is not stated, the pattern of
the name decides. Each such partner is a mark of its own: in its usual spelling if the vocabulary
knows it, else under its own name, as far as a bundle can hold that.
"""

from __future__ import annotations

import re
import unicodedata

from histpred.bundle.mark_spec import RESERVED
from histpred.core.marks import canonical, is_mark
from histpred.labels.matrix import CARRIED

HISTONE = "histone"  # how Category2 of a histone modification begins
NOT_AVAILABLE = frozenset({"", "n/a", "na", "nan", "none", "null"})

_NOT_HELD = re.compile(r"[^A-Za-z0-9._+-]+")
_GREEK = re.compile(r"[\u0370-\u03ff]")


class Marks:
    """The marks of a table and their bits; names that differ in case only are one mark.

    names: in the order of the bits; of several spellings, the first in the alphabet.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self._bits: dict[tuple[str, str], int] = {}
        self._numbers: dict[str, int] = {}

    def bit(self, partner: str, kind: str) -> int:
        """The bit of a partner's mark, 0 if it is none; `kind` is its Category2."""
        bit = self._bits.get((partner, kind))
        if bit is None:
            name = mark_name(partner) if is_histone(partner, kind) else ""
            bit = self._bits[partner, kind] = self._new_bit(name) if name else 0
        return bit

    def _new_bit(self, name: str) -> int:
        number = self._numbers.setdefault(name.casefold(), len(self.names))
        if number == len(self.names):
            self.names.append(name)
        self.names[number] = min(self.names[number], name)
        return 1 << number

    def renamed(self) -> list[str]:
        """The partners whose names a bundle cannot hold, with the names of their marks."""
        named = {partner: mark_name(partner) for (partner, _), bit in self._bits.items() if bit}
        return [f"{old} = {new}" for old, new in named.items() if new != canonical(old)]


def is_histone(partner: str, kind: str) -> bool:
    """True if a partner is a histone modification by Category2, or else by its name.

    >>> is_histone("acH3", "Histone modification"), is_histone("H3K4me3", "TF")
    (True, False)
    >>> is_histone("acH3", "N/A"), is_histone("H3K4me3", "N/A")
    (False, True)
    """
    kind = kind.strip().lower()
    return is_mark(partner) if kind in NOT_AVAILABLE else kind.startswith(HISTONE)


def mark_name(partner: str) -> str:
    """The name of a partner's mark: its usual spelling, or its own name as a bundle can hold it.

    Greek letters are spelt out, other characters that no bundle can hold become '_', and what is
    the name of a column gets '_mark'. '' if nothing is left, or the name is not available.

    >>> mark_name("h2a.z"), mark_name("H3K9acS10ph"), mark_name("H3K4me3/H3K27me3")
    ('H2AFZ', 'H3K9acS10ph', 'H3K4me3_H3K27me3')
    >>> mark_name("\u03b3H2AX"), mark_name("name"), mark_name("?"), mark_name("N/A")
    ('gammaH2AX', 'name_mark', '', '')
    """
    if partner.strip().lower() in NOT_AVAILABLE:
        return ""
    spelt = _GREEK.sub(lambda letter: _spelt(letter[0]), canonical(partner))
    name = canonical(_NOT_HELD.sub("_", spelt).strip("._+-"))
    taken = name in RESERVED or name.lower() in ("id", *CARRIED)
    return f"{name}_mark" if taken else name


def _spelt(letter: str) -> str:
    """The name of a Greek letter, such as 'gamma'."""
    return unicodedata.name(letter, "?").rpartition(" ")[2].lower()
