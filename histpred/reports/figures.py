"""What all figures share: one look, marks in the colours of their classes, SVG for pages."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch
from matplotlib.transforms import ScaledTranslation

from histpred.core.marks import CLASS_COLOURS, mark

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
HORIZONTAL_NAMES = 10  # marks up to which their names fit side by side


class Drawing(NamedTuple):
    """A figure as the report shows it: `svg` is one <svg> element without a prolog."""

    name: str
    title: str
    caption: str
    svg: str


class Draft(NamedTuple):
    """A figure before it is written."""

    title: str
    caption: str
    figure: Figure


def figure_of(width: float, height: float) -> Figure:
    """An empty figure of this size in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def mark_axis(axes: Axes, marks: Sequence[str], which: str, upright: bool = False) -> None:
    """Names of marks along an axis, each with a square of its class's colour."""
    places = np.arange(len(marks))
    along_x = which == "x"
    turned = along_x and (upright or len(marks) > HORIZONTAL_NAMES)
    size = 8 if len(marks) > 25 else 9
    names = wrapped(marks)
    getattr(axes, f"set_{which}ticks")(places, names, fontsize=size, rotation=90 if turned else 0)
    axes.tick_params(axis=which, length=0, pad=10)
    shift = (0, -6 * POINT) if along_x else (-6 * POINT, 0)
    offset = ScaledTranslation(*shift, axes.figure.dpi_scale_trans)
    transform = (axes.get_xaxis_transform() if along_x else axes.get_yaxis_transform()) + offset
    zeros = np.zeros(len(marks))
    points = (places, zeros) if along_x else (zeros, places)
    axes.scatter(
        *points,
        26,
        color=[mark_rgb(name) for name in marks],
        marker="s",
        linewidths=0,
        transform=transform,
        clip_on=False,
    )


def legend(figure: Figure, handles: Iterable, names: Sequence[str], where: str) -> None:
    """Names with their handles in as many columns as fit; `where` as matplotlib has it."""
    names = wrapped(names)
    longest = max(len(line) for name in names for line in name.split("\n"))
    # In points: a letter is about 5 wide, handle and gaps are 32.
    columns = max(1, int((figure.get_figwidth() / POINT - 20) / (5 * longest + 32)))
    figure.legend(
        list(handles),
        names,
        loc=where,
        ncols=min(columns, len(names)),
        handlelength=1.4,
        columnspacing=1.5,
    )


def class_legend(
    figure: Figure, marks: Iterable[str], handles: Sequence = (), names: Sequence[str] = ()
) -> None:
    """What the colours of `marks` mean, below the figure."""
    found = {mark(name).mark_class for name in marks}
    classes = [name for name in CLASS_COLOURS if name in found]
    patches = [Patch(color=scaled(CLASS_COLOURS[name])) for name in classes]
    legend(figure, [*patches, *handles], [*classes, *names], "outside lower left")


def colour_bar(figure: Figure, axes: Axes, image: AxesImage, title: str, **shape: float) -> Axes:
    """What the colours of a heat map mean, beside it; `shape` as matplotlib has it."""
    bar = figure.colorbar(image, ax=axes, pad=0.02, **shape)
    bar.set_label(title)
    bar.outline.set_visible(False)
    return bar.ax


def mark_rgb(name: str) -> tuple[float, float, float]:
    """The colour of a mark's class, red, green and blue from 0 to 1."""
    return scaled(mark(name).colour)


def scaled(colour: tuple[int, int, int]) -> tuple[float, float, float]:
    """A colour of 0 to 255 as one of 0 to 1."""
    red, green, blue = (part / 255 for part in colour)
    return red, green, blue


def wrapped(names: Iterable[str]) -> list[str]:
    """Names as labels of at most 44 letters a line."""
    # matplotlib passes over a label that begins with '_'.
    lines = ("\n".join(textwrap.wrap(str(name), 44)) or " " for name in names)
    return [f"\u200b{name}" if name.startswith("_") else name for name in lines]


def svg_element(figure: Figure, name: str) -> tuple[str, str]:
    """A figure that has been laid out as an SVG file, and as an element for a page of several."""
    figure.set_layout_engine("none")  # the same layout, not worked out again
    stream = io.StringIO()
    nothing = dict.fromkeys(["Date", "Creator", "Format", "Type"])
    figure.savefig(stream, format="svg", dpi=DPI, metadata=nothing)
    return stream.getvalue(), _element(stream.getvalue(), name)


def _element(svg: str, name: str) -> str:
    """The <svg> element alone; its ids, where anything refers to them, are made its own."""
    svg = svg[svg.index("<svg") :]
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", svg)
    for reference in ('id="', "url(#", 'href="#'):
        svg = svg.replace(reference, f"{reference}{name}-")
    # matplotlib's rule is for every element of the page otherwise.
    svg = svg.replace('<style type="text/css">*{', f'<style type="text/css">.{name} *{{')
    return svg.replace("<svg ", f'<svg class="{name}" ', 1)
