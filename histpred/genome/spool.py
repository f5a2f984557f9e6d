"""A temporary SQLite file: the place for rows that must be put in another order without being held
in memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from histpred.genome.regions import Blocks

CACHE_KIB = 4096


def open_spool(path: Path, schema: str) -> sqlite3.Connection:
    """A new file for one run, with `schema`: no journal and no fsync, since nobody reads it after a
    crash.

    Sorting must go along an index: what SQLite sorts otherwise is held in memory.
    """
    path.unlink(missing_ok=True)
    database = sqlite3.connect(path, isolation_level=None)
    database.executescript(
        "pragma journal_mode=off; pragma synchronous=off; pragma locking_mode=exclusive;"
        f"pragma cache_size=-{CACHE_KIB}; pragma temp_store=memory; {schema}; begin"
    )
    return database


def pack_blocks(blocks: Iterable[tuple[int, int]]) -> str:
    """Blocks as one text column; a start may be negative.

    >>> pack_blocks([(1, 5), (7, 9)]), unpack_blocks("-1-5,7-9")
    ('1-5,7-9', ((-1, 5), (7, 9)))
    """
    return ",".join(f"{start}-{end}" for start, end in blocks)


def unpack_blocks(packed: str) -> Blocks:
    """The blocks of `pack_blocks`."""
    pairs = (block.rpartition("-") for block in packed.split(","))
    return tuple((int(start), int(end)) for start, _, end in pairs)
