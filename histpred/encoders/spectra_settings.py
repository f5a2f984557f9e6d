"""The settings of an encoder of spectra: bins, stretches and places, checked."""

from __future__ import annotations

from collections.abc import Mapping

from histpred.encoders import Sharing, check_settings
from histpred.genome.regions import LONGEST_REACH

SETTINGS = {
    "bin_length": int,
    "stretches": list,
    "both_strands": bool,
    "frames": bool,
    "places": list,
}
MOST_STRETCHES, MOST_PLACES = 1_000, 1_000  # more than any network has


def sharing_of(settings: Mapping[str, object]) -> Sharing:
    """What such an encoder shares; ValueError for settings that it does not have."""
    check_settings(settings, SETTINGS)
    length, stretches = stretches_of(settings)
    reach = max(max(-start, end) for start, end in stretches)
    mirrored = {(-end, -start) for start, end in stretches} == set(stretches)
    frames = bool(settings.get("frames"))
    symmetric = mirrored and bool(settings.get("both_strands")) and not frames
    # An open reading frame reaches beyond its bin, and ends where its window ends.
    alone = frames or bool(places_of(settings, length))
    return Sharing(None if alone else length, reach, symmetric)


def places_of(settings: Mapping[str, object], length: int) -> list[int]:
    """The places, none if the middle is the only one; ValueError unless whole bins lie between."""
    places = settings.get("places", [])
    if not isinstance(places, list) or len(places) > MOST_PLACES:
        raise ValueError(f"'places' must be a list of at most {MOST_PLACES} numbers")
    for place in places:
        if type(place) is not int or abs(place) > LONGEST_REACH or place % length:
            raise ValueError(
                f"a place must be whole bins of {length} bp from the middle: {place!r}"
            )
    if places and settings.get("frames"):
        raise ValueError("'places' and 'frames' do not go together")
    return places


def stretches_of(settings: Mapping[str, object]) -> tuple[int, list[tuple[int, int]]]:
    """The length of a bin and the stretches; ValueError unless these consist of whole bins."""
    length, stretches = settings.get("bin_length"), settings.get("stretches")
    if not isinstance(length, int) or not is_length(length) or not isinstance(stretches, list):
        raise ValueError("settings must have 'bin_length' (1 bp or more) and 'stretches'")
    if not 0 < len(stretches) <= MOST_STRETCHES:
        raise ValueError(f"{len(stretches)} stretches, where 1 to {MOST_STRETCHES} are possible")
    found = []
    for ends in stretches:
        if not (isinstance(ends, list) and [type(end) for end in ends] == [int, int]):
            raise ValueError(f"a stretch must be two whole numbers, found {ends!r}")
        if not -LONGEST_REACH <= ends[0] < ends[1] <= LONGEST_REACH:
            raise ValueError(f"no stretch within {LONGEST_REACH} bp: {ends}")
        found.append((ends[0], ends[1]))
    reach = max(max(-start, end) for start, end in found)
    if any((reach + end) % length for ends in found for end in (*ends, reach)):
        raise ValueError(f"the stretches do not consist of whole bins of {length} bp")
    return length, found


def is_length(value: object = None) -> bool:
    return type(value) is int and 0 < value <= LONGEST_REACH
