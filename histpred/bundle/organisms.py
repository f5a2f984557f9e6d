"""The organisms that a bundle was trained on, as its manifest records them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer

from histpred.bundle.figures import Record

LONGEST_CHROMOSOME = 1 << 40  # bp; the longest that is known has 2^35

Length = Annotated[int, Field(gt=0, le=LONGEST_CHROMOSOME)]


class Species(Record):
    """An organism trained on; `chromosome_lengths` (bp), by assembly, identify its genomes.

    genome: the name of its genome if the bundle was trained on a sheet of genomes. Ids of the split
    begin with it then: see `histpred.labels.genomes`.
    """

    name: str
    taxon_id: int | None
    assembly: str
    chromosome_lengths: dict[str, tuple[Length, ...]] = Field(default_factory=dict)
    genome: str = ""

    @property
    def taxon(self) -> str:
        """The taxon in brackets, with a blank before it; empty if it is unknown."""
        return "" if self.taxon_id is None else f" ({self.taxon_id})"


def _listed(given: Any) -> Any:
    return given if isinstance(given, list | tuple) else (given,)


def _without_list(species: tuple[Species, ...]) -> Any:
    return species if len(species) > 1 else species[0]


SpeciesList = Annotated[
    tuple[Species, ...],
    Field(min_length=1),
    BeforeValidator(_listed),
    PlainSerializer(_without_list),
]
"""One species for each genome; bundle.json has a single one without a list around it."""


def in_words(species: Sequence[Species], text: str = "{0.name}") -> str:
    """The species of a bundle, each in the format `text`, once each.

    >>> in_words([Species(name=name, taxon_id=None, assembly="") for name in ("A", "B", "A")])
    'A and B'
    """
    *others, last = dict.fromkeys(text.format(one) for one in species)
    return f"{', '.join(others)} and {last}" if others else last
