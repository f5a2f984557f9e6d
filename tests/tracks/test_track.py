from __future__ import annotations

from pathlib import Path

import pytest

from histpred.bundle.mark_spec import RESERVED
from histpred.core.marks import CORE_MARKS, MARKS, by_class
from histpred.tracks.track import CLASS, class_tracks, mark_tracks, shown_marks


def test_no_mark_has_the_file_of_a_class():
    """The track of a mark class-acetylation would take the place of that of the class."""
    tracks = class_tracks(mark_tracks(MARKS, {}, "hg19", signal=True), "hg19")
    assert {Path(track.path).stem for track in tracks} <= set(RESERVED)
    assert len({track.path for track in tracks}) == len(tracks) > 5


@pytest.mark.parametrize(
    ("marks", "calls", "expected"),
    [
        (MARKS, {"H4K8ac": 99}, set(CORE_MARKS)),
        ((), {}, set()),
        (("H3K4me3", "H3K9ac"), {}, {"H3K4me3", "H3K9ac"}),
        (
            # Yeast: three core marks, then the most called mark of each other class.
            ("H3K4me3", "H3K27ac", "H3K36me3", "H3K9ac", "H3K14ac", "H4K8ac", "H3S10ph", "Htz1"),
            {"H3K9ac": 90, "H3K14ac": 50, "H4K8ac": 60, "H3S10ph": 1, "Htz1": 2},
            {"H3K4me3", "H3K27ac", "H3K36me3", "H4K8ac", "H3S10ph", "Htz1"},
        ),
        (
            # One class only: the most called.
            ("H4K5ac", "H4K8ac", "H4K12ac", "H4K91ac", "H3K4ac", "H3K14ac", "H3K18ac", "H3K23ac"),
            {"H3K23ac": 9, "H3K18ac": 8, "H3K14ac": 7, "H3K4ac": 6, "H4K91ac": 5, "H4K12ac": 4},
            {"H3K23ac", "H3K18ac", "H3K14ac", "H3K4ac", "H4K91ac", "H4K12ac"},
        ),
    ],
)
def test_six_marks_are_shown_at_first(marks, calls, expected):
    assert shown_marks(marks, calls) == expected


def test_classes_of_several_marks_have_a_track():
    marks = by_class(["H3K4me3", "H3K9ac", "H3K27ac", "H3K14ac", "H4K8ac", "Htz1"])
    tracks = class_tracks(mark_tracks(marks, {}, "hg38", signal=True), "hg38")
    assert [(track.name, track.members) for track in tracks] == [
        ("active promoter (2 marks)", ("H3K4me3", "H3K9ac")),
        ("acetylation (2 marks)", ("H3K14ac", "H4K8ac")),
    ]
    assert {track.kind for track in tracks} == {CLASS}
    assert tracks[0].path == "hg38/class-active-promoter.bw"
    assert all(track.shown for track in tracks)
