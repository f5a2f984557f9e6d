"""The sentences that open a prediction's page: what was found, and how far to trust it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from histpred.bundle.calls import NEVER, expected_of, why_never
from histpred.bundle.mark_spec import MarkSpec
from histpred.core.marks import by_class
from histpred.core.text import counted
from histpred.genome.request import SEQUENCES
from histpred.genome.windows import WindowSpec
from histpred.reports.landscape import Landscape
from histpred.reports.page import listed

MOST_NAMED = 6  # marks in a sentence; more are counted


def unit_of(window: WindowSpec, level: str, annotation_format: str) -> str:
    """What a window is of, as a noun: 'tile', 'gene', 'transcript', 'sequence' or 'region'."""
    if window.tile:
        return "tile"
    if annotation_format == SEQUENCES:
        return "sequence"
    return level if annotation_format.startswith(("GTF", "GFF")) else "region"


def found(landscape: Landscape, marks: Sequence[MarkSpec], unit: str) -> list[str]:
    """What was found, in one or two sentences."""
    some = landscape.with_calls
    if not some:
        return [f"No mark is called at {_every(landscape.windows, unit)}."]
    verb, each = "has" if some == 1 else "have", landscape.called.sum() / landscape.windows
    every = counted(landscape.windows, unit)
    whose = f"All {every}" if some == landscape.windows else f"{some:,} of {every}"
    what = f"{whose} {verb} at least one called mark; the average is {each:.1f}"
    names = [name for name in by_class(landscape.marks) if _count(landscape, name)]
    if landscape.windows == 1:
        return [f"{named(names)} {'is' if len(names) == 1 else 'are'} called at this {unit}."]
    if len(landscape.marks) == 1:
        return [f"{names[0]} is called at {whose.lower()}."]
    return [f"{what}.", *_most_called(landscape, marks, unit)]


def _most_called(landscape: Landscape, marks: Sequence[MarkSpec], unit: str) -> Iterator[str]:
    """Which marks are called most often, and which at none although they could be."""
    order = sorted(by_class(landscape.marks), key=lambda name: -_count(landscape, name))
    called = [name for name in order if _count(landscape, name)]
    most = _count(landscape, called[0])
    first = [name for name in called if _count(landscape, name) == most]
    others = called[len(first) :]
    if called == first[:1]:
        yield f"Only {called[0]} is called."
        return
    verb, each = ("is", "") if len(first) == 1 else ("are", " each")
    sentence = f"{named(first)} {verb} called most often, at {counted(most, unit)}{each}"
    if others:
        shown = [f"{name} ({_count(landscape, name):,})" for name in others[:2]]
        sentence += f", then {listed(shown)}"
    could = [one.name for one in marks if one.threshold < NEVER and not one.unpredicted]
    absent = [name for name in by_class(could) if name not in called]
    if absent:
        sentence += f"; {named(absent)} at none"
    yield f"{sentence}."


def trust(landscape: Landscape, marks: Sequence[MarkSpec]) -> Iterator[str]:
    """What the calls promise, which marks cannot be called, and which are not predicted."""
    yield from _precision(landscape, marks)
    never: dict[str, list[str]] = {}
    unpredicted: dict[str, list[str]] = {}
    for one in marks:
        if one.unpredicted:
            unpredicted.setdefault(one.unpredicted, []).append(one.name)
        elif one.threshold >= NEVER:
            never.setdefault(why_never(one), []).append(one.name)
    for reason, names in never.items():
        yield f"{_are(names)} never called{': ' if reason else ''}{reason}."
    for reason, names in unpredicted.items():
        yield f"{_are(names)} not predicted (NA): {reason}."


def _are(names: Sequence[str]) -> str:
    """The names with their verb."""
    return f"{named(names)} {'is' if len(names) == 1 else 'are'}"


def _precision(landscape: Landscape, marks: Sequence[MarkSpec]) -> Iterator[str]:
    precisions = {one.name: expected_of(one)[0] for one in marks}
    called = {name: _count(landscape, name) for name in landscape.marks}
    made = [name for name, count in called.items() if count]
    known = [name for name in made if precisions[name] is not None]
    if not made:
        return
    if not known:
        yield (
            "The bundle does not state the precision of its calls: how many of them are right is "
            "unknown."
        )
        return
    calls = sum(called[name] for name in known)
    right = sum(called[name] * (precisions[name] or 0) for name in known)
    whose = "" if len(known) == len(made) else f" of {named(known)}"
    yield (
        f"Of the {counted(calls, 'call')}{whose}, about {right:,.0f} ({right / calls:.0%}) are "
        "expected to be right, by the precision on held-out windows."
    )
    if len(known) < len(made):
        others = [name for name in made if name not in known]
        yield f"The bundle does not state the precision of calls of {named(others)}."


def named(names: Sequence[str]) -> str:
    """Names as a phrase, or their number if there are many.

    >>> named(["H3K4me3", "H3K27ac"])
    'H3K4me3 and H3K27ac'
    """
    return listed(names) if len(names) <= MOST_NAMED else f"{len(names)} marks"


def _every(count: int, unit: str) -> str:
    return f"this {unit}" if count == 1 else f"any of the {counted(count, unit)}"


def _count(landscape: Landscape, name: str) -> int:
    return int(landscape.called[landscape.marks.index(name)])
