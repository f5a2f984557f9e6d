"""The parts that are gathered: each shard has one, and all were made alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from histpred.core.errors import InputError, UsageError, first_few
from histpred.core.finished import differences

Made = Mapping[str, str | None]
"""What must be the same for all parts, in words."""


class Kind(NamedTuple):
    """Words of messages. verb: that makes a part; what: a part is; inputs: what was scattered.

    options: those that all parts must have alike, as the end of a sentence.
    """

    verb: str
    what: str
    inputs: str
    options: str


def in_order(
    scattered: Path,
    shards: Sequence[tuple[str, str]],
    parts: Mapping[Path, tuple[str, Made]],
    expected: Made,
    kind: Kind,
) -> list[Path]:
    """The folders in the order of their shards, after checking that they belong together.

    shards: file and sha256 of each. parts: the sha256 of what each was made of, and how it was
    made. Shards with the same bytes, of rows that repeat, share their parts. Raises UsageError if a
    shard has no part or several, InputError for a part of something else or made otherwise.
    """
    files = {digest: file for file, digest in shards}
    wanted = Counter(digest for _, digest in shards)
    found: dict[str, list[Path]] = {}
    for folder, (digest, made) in parts.items():
        if digest not in files:
            problem = f"not a {kind.what} of a shard in {scattered}"
            hint = f"scatter, {kind.verb} and gather the same {kind.inputs}"
            raise InputError(folder, problem, hint)
        same = found.setdefault(digest, [])
        same.append(folder)
        if len(same) > wanted[digest]:
            problem = f"{' and '.join(map(str, same))} are both of {files[digest]}"
            raise UsageError(problem, f"give each shard's {kind.what} once")
        if different := differences(made, expected):
            problem = f"does not belong to the other parts; what differs: {'; '.join(different)}"
            raise InputError(folder, problem, f"make this part again, with {kind.options}")
    if missing := [file for digest, file in files.items() if digest not in found]:
        hint = f"run histpred {kind.verb} on each of {scattered / 'shards'}"
        raise UsageError(f"no part is the {kind.what} of {first_few(missing)}", hint)
    return [found[digest][0] for _, digest in shards]
