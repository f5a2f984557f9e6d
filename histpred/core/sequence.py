"""DNA as upper-case bytes over A, C, G, T and N.

Soft-masking is ignored. IUPAC ambiguity codes (R, Y, S, W, K, M, B, D, H, V) become N. RNA,
protein and gap characters are not DNA, and histpred never guesses what they might mean.
"""

from __future__ import annotations

BASES = b"ACGTN"
AMBIGUOUS = b"RYSWKMBDHV"
FOREIGN = b"?"

_MEANING = {base: base for base in BASES} | dict.fromkeys(AMBIGUOUS, ord("N"))
_CLEAN = bytes(_MEANING.get(letter, FOREIGN[0]) for letter in bytes(range(256)).upper())
_COMPLEMENT = bytes.maketrans(b"ACGT", b"TGCA")


def clean(raw: bytes) -> bytes:
    """`raw` in upper case, with N for ambiguity codes and '?' for characters that are not DNA.

    >>> clean(b"acgtRn-U")
    b'ACGTNN??'
    """
    return bytes(_translated(raw, _CLEAN))


def reverse_complement(sequence: bytes) -> bytes:
    """The reverse complement of a cleaned sequence.

    >>> reverse_complement(b"AACGN")
    b'NCGTT'
    """
    return bytes(_translated(sequence, _COMPLEMENT)[::-1])


def count_n(sequence: bytes) -> int:
    """Number of N in a cleaned sequence; most have none, and finding that out is much faster.

    >>> count_n(b"ACNN"), count_n(b"ACGT")
    (2, 0)
    """
    return sequence.count(b"N") if b"N" in sequence else 0


def n_fraction(sequence: bytes) -> float:
    """Fraction of N in a cleaned sequence, 0 to 1; 1.0 for an empty sequence.

    >>> n_fraction(b"ACNN"), n_fraction(b"")
    (0.5, 1.0)
    """
    return count_n(sequence) / len(sequence) if sequence else 1.0


def _translated(sequence: bytes, table: bytes) -> bytearray:
    # The method of bytes also finds out if any byte changes, which takes as long again.
    return bytearray(sequence).translate(table)
