"""The note in the header of a part of a VCF: what was judged for all of it, and with what.

It is a line of the header, so that a part is one file. `histpred scatter` writes it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, ValidationError

from histpred.core.errors import InputError
from histpred.core.strict_json import parse

PREFIX = "##histpred_shard="
SCATTER_AGAIN = "use the files as histpred scatter wrote them, or scatter again"


class ShardNote(BaseModel):
    """A part of a VCF, and what it was made with.

    first: the number of its first record among all records. annotation_sha256: of the windows that
    its alleles can change. bundle: name, version and digest. window: how windows are cut. contigs:
    the FASTA's name of those that have another one there, None if it has no such contig. windows,
    tiles: those in which the whole VCF measures what the bundle resolves; rows of a table of
    windows, and contig and start of tiles.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    histpred: str
    first: int
    annotation_sha256: str
    fasta_sha256: str
    bundle: str
    window: str
    contigs: dict[str, str | None]
    windows: tuple[str, ...]
    tiles: tuple[tuple[str, int], ...]

    def line(self) -> str:
        """The note as a line of a header, without a line break."""
        return PREFIX + json.dumps(self.model_dump(mode="json"))


def split_header(name: str, header: Sequence[str]) -> tuple[list[str], ShardNote | None]:
    """The lines of a header without the note, and the note, if there is one.

    Raises InputError if it is damaged, or if there are several.
    """
    notes = [line for line in header if line.startswith(PREFIX)]
    if not notes:
        return list(header), None
    if len(notes) > 1:
        found = f"{len(notes)} lines {PREFIX}...: parts of a VCF that were joined"
        raise InputError(name, found, "join the outputs of its parts: histpred gather")
    try:
        note = ShardNote.model_validate(parse(notes[0].removeprefix(PREFIX)))
    except (ValueError, ValidationError) as error:
        found = f"the line {PREFIX}... of its header is not that of histpred scatter"
        number = list(header).index(notes[0]) + 1
        raise InputError(name, found, SCATTER_AGAIN, number) from error
    return [line for line in header if line not in notes], note
