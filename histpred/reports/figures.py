"""Parts that all figures share: one look, marks in the colours of their classes, SVG for pages."""

from __future__ import annotations

import io
import re
import textwrap
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Literal, NamedTuple

import matplotlib.style
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch
from matplotlib.transforms import ScaledTranslation

from histpred.core.marks import CLASS_COLOURS, hex_colour, html_colour, mark

STYLE = {
    "axes.axisbelow": True,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "histpred",
    "text.parse_math": False,  # a '$' in a name is a '$'
}
DPI = 150
POINT = 1 / 72  # inches
HORIZONTAL_NAMES = 10  # up to this many marks, their names fit side by side
# Okabe and Ito 2008, in an order in which neighbours differ; the bundle has the first.
MODEL_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#882255")


class Draft(NamedTuple):
    """A figure before it is written."""

    title: str
    caption: str
    figure: Figure


class Drawing(NamedTuple):
    """A figure as a page shows it: `svg` is one <svg> element without a prolog."""

    title: str
    caption: str
    svg: str


@contextmanager
def styled() -> Iterator[None]:
    """Draw in histpred's style; matplotlib's settings and warning filters are restored after it."""
    with matplotlib.style.context(["default", STYLE]), warnings.catch_warnings():
        # Names in a script that the font lacks are drawn as boxes in the PNG.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


def drawn(
    drawers: Mapping[str, Callable[[], Draft | None]], folder: Path | None = None
) -> dict[str, Drawing]:
    """Draw figures by name, without those that are None.

    With a `folder`, also write NAME.png (150 dpi) and NAME.svg of each there.
    """
    drawings = {}
    with styled():
        for name, drawer in drawers.items():
            if draft := drawer():
                svg = _write(draft, name, folder)
                drawings[name] = Drawing(draft.title, draft.caption, svg)
    return drawings


def empty_figure(width: float, height: float) -> Figure:
    """A figure without axes, of this size in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def figure_of(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with one pair of axes, of this size in inches."""
    figure = empty_figure(width, height)
    return figure, figure.subplots()


def mark_figure(marks: int, height: float) -> tuple[Figure, Axes]:
    """A figure with room for one column per mark; `height` in inches."""
    width = float(np.clip(1.2 + 0.75 * marks, 6, 8.5 if marks < 25 else 13))
    figure, axes = figure_of(width, height)
    axes.set_xlim(-0.6, marks - 0.4)
    return figure, axes


def mark_axis(
    axes: Axes, marks: Sequence[str], which: Literal["x", "y"], upright: bool = False
) -> None:
    """Name marks along an axis ('x' or 'y'), each with a square in the colour of its class."""
    places = np.arange(len(marks))
    along_x = which == "x"
    turned = along_x and (upright or len(marks) > HORIZONTAL_NAMES)
    size = 8 if len(marks) > 25 else 9
    names = wrapped(marks)
    getattr(axes, f"set_{which}ticks")(places, names, fontsize=size, rotation=90 if turned else 0)
    axes.tick_params(axis=which, length=0, pad=10)
    down, left = (-6 * POINT, 0) if along_x else (0, -6 * POINT)
    offset = ScaledTranslation(left, down, axes.figure.dpi_scale_trans)
    transform = (axes.get_xaxis_transform() if along_x else axes.get_yaxis_transform()) + offset
    zeros, colours = np.zeros(len(marks)), [*map(hex_colour, marks)]
    across, up = (places, zeros) if along_x else (zeros, places)
    axes.scatter(
        across, up, 26, color=colours, marker="s", linewidths=0, transform=transform, clip_on=False
    )


def legend(
    figure: Figure,
    handles: Iterable[Artist],
    names: Sequence[str],
    where: Literal["outside upper left", "outside lower left"],
) -> None:
    """Add a legend in as many columns as fit."""
    labels = wrapped(names)
    longest = max(len(line) for label in labels for line in label.split("\n"))
    # In points: a letter is about 5 wide, handle and gaps take 32.
    most = max(1, int((figure.get_figwidth() / POINT - 20) / (5 * longest + 32)))
    columns = min(most, len(labels))
    figure.legend(
        list(handles), labels, loc=where, ncols=columns, handlelength=1.4, columnspacing=1.5
    )


def class_legend(
    figure: Figure, marks: Iterable[str], handles: Sequence[Artist] = (), names: Sequence[str] = ()
) -> None:
    """Explain the colours of `marks` below the figure, then other handles with their names."""
    found = {mark(name).mark_class for name in marks}
    classes = [name for name in CLASS_COLOURS if name in found]
    patches = [Patch(color=html_colour(CLASS_COLOURS[name])) for name in classes]
    legend(figure, [*patches, *handles], [*classes, *names], "outside lower left")


def colour_bar(
    axes: Axes, image: AxesImage, title: str, shrink: float = 0.5, aspect: float = 25
) -> Axes:
    """Explain the colours of a heat map beside it, and hide the lines around it.

    For `shrink` and `aspect` see `Figure.colorbar`.
    """
    for spine in axes.spines.values():
        spine.set_visible(False)
    bar = axes.figure.colorbar(image, ax=axes, pad=0.02, shrink=shrink, aspect=aspect)
    bar.set_label(title)
    bar.outline.set_visible(False)
    return bar.ax


def cell_numbers(
    axes: Axes, values: np.ndarray, layout: Callable[[float], str], dark: float
) -> None:
    """Write the values of a heat map into its cells, in white where they lie beyond +-`dark`.

    These are no greys to `_element`, since the cells look the same on a dark page.
    """
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            shade = "#fffffe" if abs(value) > dark else "#000001"
            axes.text(column, row, layout(value), ha="center", va="center", fontsize=7, color=shade)


def wrapped(names: Iterable[str]) -> list[str]:
    """Wrap names into labels of at most 44 letters per line."""
    # matplotlib ignores labels that begin with '_'.
    lines = ("\n".join(textwrap.wrap(str(name), 44)) or " " for name in names)
    return [f"\u200b{name}" if name.startswith("_") else name for name in lines]


def _write(draft: Draft, name: str, folder: Path | None) -> str:
    """Write a figure into the folder, if any; returns its SVG as an element for a page."""
    figure = draft.figure
    if folder:
        figure.savefig(folder / f"{name}.png", dpi=DPI, metadata={"Software": None})
    else:
        figure.draw_without_rendering()
    figure.set_layout_engine("none")  # keep the layout
    stream = io.StringIO()
    nothing = dict.fromkeys(["Date", "Creator", "Format", "Type"])
    figure.savefig(stream, format="svg", dpi=DPI, metadata=nothing)
    if folder:
        (folder / f"{name}.svg").write_text(stream.getvalue(), encoding="utf-8")
    return _element(stream.getvalue(), name, draft.title)


def _element(svg: str, name: str, title: str) -> str:
    """Extract the <svg> element; ids that are referred to get the prefix `name`, others go.

    Text has the colour of the page's text, and greys lie between that and the page's background, so
    the figure follows a dark page.
    """
    svg = svg[svg.index("<svg") :]
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", svg)
    for reference in ('id="', "url(#", 'href="#'):
        svg = svg.replace(reference, f"{reference}{name}-")
    # Otherwise matplotlib's rule would apply to every element of the page.
    svg = svg.replace('<style type="text/css">*{', f'<style type="text/css">.{name} *{{')
    svg = re.sub(r"#([0-9a-f]{2})\1\1(?![0-9a-f])", _grey, svg)
    start, end = svg.split(">", 1)
    start = start.replace("<svg ", f'<svg class="{name}" role="img" fill="currentColor" ', 1)
    return f"{start}><title>{escape(title)}</title>{end}"


def _grey(found: re.Match[str]) -> str:
    """A grey as a mixture of the page's colours."""
    ink = 1 - int(found[1], 16) / 255
    return f"color-mix(in srgb, var(--ink) {ink:.1%}, var(--page))"
