"""The page that describes the tracks of a hub: what the calls of each mark promise.

UCSC's browser shows it below a track's settings
(https://genome.ucsc.edu/goldenPath/help/hgTrackHubHelp.html, setting html).
"""

from __future__ import annotations

from html import escape

from histpred.core.marks import by_class
from histpred.scoring.record import RunRecord

HEADS = ("mark", "called from", "expected precision", "expected recall", "note")


def description(run: RunRecord, title: str) -> str:
    """The page as HTML; '' if the record has nothing to say that is not on the tracks."""
    marks = {mark.name: mark for mark in run.marks}
    stated = any(mark.precision is not None or mark.unpredicted for mark in run.marks)
    if not (stated or run.result.first_words):
        return ""
    rows = []
    for name in by_class(tuple(marks)):
        mark = marks[name]
        figures = (mark.threshold, mark.precision, mark.recall)
        texts = ["" if figure is None else f"{figure:.3f}" for figure in figures]
        note = "never called" if mark.threshold is None else ""
        if mark.unpredicted:
            note = f"not predicted, so it has no track: {mark.unpredicted}"
        rows.append((name, *texts, note))
    cells = [f"<th>{head}</th>" for head in HEADS]
    lines = ["".join(cells), *("".join(f"<td>{escape(text)}</td>" for text in row) for row in rows)]
    sentences = "".join(f"<p>{escape(each)}</p>\n" for each in run.result.first_words)
    table = "".join(f"<tr>{line}</tr>\n" for line in lines)
    return (
        f"<h2>Histone marks predicted from sequence ({escape(title)})</h2>\n"
        f"{sentences}"
        "<p>A mark is called where its probability reaches the threshold. Precision and recall are "
        "those of the calls, expected from held-out windows.</p>\n"
        f"<table>\n{table}</table>\n"
    )
