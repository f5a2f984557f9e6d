"""DNA as upper-case bytes over A, C, G, T and N.

Soft-masking carries no meaning here, and an ambiguity code (IUPAC: R, Y, S, W, K, M, B, D, H, V)
says too little to be scored: it becomes N. RNA letters, protein and gaps are no DNA and are never
guessed at.
"""

from __future__ import annotations

BASES = b"ACGTN"
AMBIGUOUS = b"RYSWKMBDHV"
FOREIGN = b"?"


def _cleaning_table() -> bytes:
    table = bytearray(FOREIGN * 256)
    for letters, meaning in ((BASES, BASES), (AMBIGUOUS, b"N" * len(AMBIGUOUS))):
        for letter, base in zip(letters, meaning, strict=True):
            table[letter] = table[letter + 32] = base
    return bytes(table)


_CLEAN = _cleaning_table()
_COMPLEMENT = bytes.maketrans(b"ACGT", b"TGCA")


def clean(raw: bytes) -> bytes:
    """`raw` in upper case with ambiguity codes as N; what is no DNA becomes '?'.

    >>> clean(b"acgtRn-U")
    b'ACGTNN??'
    """
    return raw.translate(_CLEAN)


def reverse_complement(sequence: bytes) -> bytes:
    """The other strand of a cleaned sequence, 5' to 3'.

    >>> reverse_complement(b"AACGN")
    b'NCGTT'
    """
    return sequence.translate(_COMPLEMENT)[::-1]


def n_fraction(sequence: bytes) -> float:
    """Share of N in a cleaned sequence; 1.0 for an empty one, which says nothing either.

    >>> n_fraction(b"ACNN"), n_fraction(b"")
    (0.5, 1.0)
    """
    return sequence.count(b"N") / len(sequence) if sequence else 1.0
