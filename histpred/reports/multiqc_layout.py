"""How sections of MultiQC look: the chapter, colours, columns, and bars of what became of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape  # MultiQC reads names as HTML
from typing import Any

CHAPTER = {
    "parent_id": "histpred",
    "parent_name": "histpred",
    "parent_description": "predicts the histone marks of non-coding RNA genes from sequence.",
}
SCORED = "scored"
SCORED_COLOUR = "#3b7dae"
REASON_COLOURS = (  # in turn: more reasons than these are rarely in one plot
    *("#e0a13c", "#b5533c", "#7b6aa8", "#6f9e5a", "#8c8c8c"),
    *("#c98fb5", "#4fa3a0", "#8a6d3b", "#d8c24a", "#4a4a6a"),
)
UNWANTED_COLOUR = "#d9d9d9"

COUNT: dict[str, Any] = {"format": "{:,d}"}
FRACTION: dict[str, Any] = {"min": 0, "max": 1, "format": "{:,.3f}"}
PERCENTAGE: dict[str, Any] = {"min": 0, "max": 100, "suffix": "%", "format": "{:,.1f}"}

Section = dict[str, Any]


def plot(name: str, title: str, **layout: str | bool) -> Section:
    """The settings that all plots have."""
    return {"id": f"histpred_{name}", "title": f"histpred: {title}", **layout}


def column(title: str, text: str, scale: str | bool = False, **layout: str | float) -> Section:
    """A column of a table; `text`: what it holds."""
    return {"title": title, "description": text, **layout, "scale": scale}


def fates(
    data: Mapping[str, Mapping[str, int]], what: str, title: str, unwanted: Sequence[str] = ()
) -> Section:
    """A bar for each sample: how many of `what` were scored, and skipped by reason.

    unwanted: reasons that stand for no loss.
    """
    reasons = sorted({reason for row in data.values() for reason in row} - {SCORED, *unwanted})
    layout = {"ylab": what, "cpswitch_counts_label": what.capitalize()}
    categories = {SCORED: {"name": SCORED, "color": SCORED_COLOUR}}
    for number, reason in enumerate(reasons):
        colour = REASON_COLOURS[number % len(REASON_COLOURS)]
        categories[reason] = {"name": escape(reason), "color": colour}
    there = [reason for reason in unwanted if any(reason in row for row in data.values())]
    categories |= {reason: {"name": reason, "color": UNWANTED_COLOUR} for reason in there}
    return {
        "plot_type": "bargraph",
        "categories": categories,
        "pconfig": plot(f"{what}_plot", title, **layout),
        "data": data,
    }
