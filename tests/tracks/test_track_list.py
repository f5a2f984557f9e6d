"""trackDb.txt: a stanza for each track, and what UCSC's browser shows at first."""

from __future__ import annotations

import pytest

from histpred.core.marks import by_class
from histpred.tracks.track import ANNOTATION, CALLED, Track, class_tracks, mark_tracks
from histpred.tracks.track_list import track_list

YEAST = ("H3K4me3", "H3K9ac", "H4K16ac", "H3K36me3", "H3K79me3", "H3K14ac", "H4K8ac", "H3S10ph")
YEAST = (*YEAST, "H2AS129ph", "Htz1", "H4R3me")


def stanzas(text: str) -> dict[str, dict[str, str]]:
    """The settings of each track."""
    found = [
        dict(line.split(" ", 1) for line in stanza.splitlines()) for stanza in text.split("\n\n")
    ]
    assert len({one["track"] for one in found}) == len(found)
    return {one["track"]: one for one in found}


def tracks_of(marks, signal: bool = False, **calls: int) -> list[Track]:
    made = mark_tracks(by_class(marks), calls, "g", signal)
    items = [Track(kind, f"g/{kind}.bb", kind) for kind in (ANNOTATION, CALLED)]
    return [*items, *class_tracks(made, "g"), *made]


@pytest.mark.parametrize("signal", [True, False])
def test_six_marks_are_shown_and_the_others_are_there(signal):
    listed = stanzas(track_list(tracks_of(YEAST, signal), "title"))
    of_marks = {name: one for name, one in listed.items() if one["shortLabel"] in YEAST}
    composites = {name: one for name, one in listed.items() if "compositeTrack" in one}
    assert len(of_marks) == len(YEAST)
    shown = [
        one["shortLabel"]
        for one in of_marks.values()
        if one["parent"].endswith(" on")
        and composites[one["parent"].split()[0]]["visibility"] != "hide"
    ]
    # Two core marks, the most called of four more classes; all have 0 calls.
    assert shown == ["H3K4me3", "H3K36me3", "H3K14ac", "H3S10ph", "Htz1", "H4R3me"]
    assert all(
        one["type"] == ("bigWig 0 1" if signal else "bigBed 9 +") for one in of_marks.values()
    )
    assert listed["histpredMeans"]["visibility"] == ("full" if signal else "dense")
    means = [one for one in listed.values() if one.get("parent") == "histpredMeans on"]
    assert [one["shortLabel"] for one in means] == [
        *("active promoter", "transcribed", "acetylation", "phosphorylation"),
    ]


def test_a_class_of_which_no_mark_is_shown_is_hidden_with_its_marks_on():
    marks = ("H3K4me3", "H3K27ac", "H3K4me1", "H3K36me3", "H3K27me3", "H3K9me3", "Htz1", "H2AFZ")
    listed = stanzas(track_list(tracks_of(marks), "title"))
    assert listed["histpredVariant"]["visibility"] == "hide"
    members = [
        one for one in listed.values() if one.get("parent", "").startswith("histpredVariant")
    ]
    assert [one["parent"] for one in members] == ["histpredVariant on"] * 2


def test_marks_of_odd_names_are_told_apart():
    listed = stanzas(track_list(tracks_of(("H2A.Z", "H2AZ")), "title"))
    assert [one["shortLabel"] for one in listed.values()][-2:] == ["H2A.Z", "H2AZ"]
    assert all(name.isalnum() for name in listed)
