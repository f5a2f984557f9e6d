"""What the record of a prediction says of its marks: what their calls promise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict

from histpred.bundle.calls import NEVER, expected_of
from histpred.bundle.mark_spec import MarkSpec


class Part(BaseModel):
    """A part of a record."""

    model_config = ConfigDict(populate_by_name=True, frozen=True)


class Result(Part):
    """How a run went; all have a field `fresh`."""

    def of_before(self) -> Self:
        """The result of a run that found its output in the folder."""
        return self.model_copy(update={"fresh": False})


class MarkRecord(Part):
    """What a call of a mark promises.

    threshold: the lowest probability of a call; None if the mark is never called. precision,
    recall: expected of the calls, from held-out windows; None if the bundle does not state them.
    unpredicted: why the mark's probabilities are NA; '' if they are not.
    """

    name: str
    threshold: float | None
    precision: float | None
    recall: float | None
    unpredicted: str = ""


def mark_records(marks: Sequence[MarkSpec]) -> tuple[MarkRecord, ...]:
    """What the record says of marks."""
    records = []
    for mark in marks:
        precision, recall = expected_of(mark)
        records.append(
            MarkRecord(
                name=mark.name,
                threshold=mark.threshold if mark.threshold < NEVER else None,
                precision=precision,
                recall=recall,
                unpredicted=mark.unpredicted,
            )
        )
    return tuple(records)
