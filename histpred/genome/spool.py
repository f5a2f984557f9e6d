"""A temporary SQLite file for rows that are reordered without being held in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from histpred.genome.regions import Blocks

CACHE_KIB = 4096


def open_spool(path: Path, schema: str) -> sqlite3.Connection:
    """Create a database for one run, without journal or fsync: it is not read after a crash.

    Queries must sort along an index, because SQLite does any other sort in memory.
    """
    path.unlink(missing_ok=True)
    database = sqlite3.connect(path, isolation_level=None)
    database.executescript(
        "pragma journal_mode=off; pragma synchronous=off; pragma locking_mode=exclusive;"
        f"pragma cache_size=-{CACHE_KIB}; pragma temp_store=memory; {schema}; begin"
    )
    return database


def pack_blocks(blocks: Iterable[tuple[int, int]]) -> str:
    """Blocks as text for one column; a start may be negative.

    >>> pack_blocks([(1, 5), (7, 9)]), unpack_blocks("-1-5,7-9")
    ('1-5,7-9', ((-1, 5), (7, 9)))
    """
    return ",".join(f"{start}-{end}" for start, end in blocks)


def unpack_blocks(packed: str) -> Blocks:
    """The inverse of `pack_blocks`."""
    pairs = (block.rpartition("-") for block in packed.split(","))
    return tuple((int(start), int(end)) for start, _, end in pairs)
