"""Pages of HTML that load nothing: one look, tables that sort by a click and can be searched."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import NamedTuple

import jinja2
import pandas

from histpred.core.marks import hex_colour, mark
from histpred.core.version import __version__
from histpred.reports.words import counted, number, percent


class Cell(NamedTuple):
    """A cell of a page's table.

    value: the number to sort by; None for text. note: shown below in small letters. kind: a class
    of the page's style.
    """

    text: str
    value: float | None = None
    note: str = ""
    best: bool = False
    kind: str = ""


class Row(NamedTuple):
    """A row of a page's table.

    mark: the name is a mark's and gets a square in the colour of its class. kind: a class of the
    page's style. place: a locus for the page's browser as JSON, '' for none.
    """

    name: str
    cells: Sequence[Cell]
    mark: bool = False
    kind: str = ""
    place: str = ""


class Table(NamedTuple):
    """A table of a page. heads: one per column, the first for the names of the rows.

    name: the id of its element; tall: scrolls in a box of its own.
    """

    caption: str
    heads: Sequence[str]
    rows: Sequence[Row]
    name: str = ""
    tall: bool = False


def figure(value: float, note: str = "", best: bool = False) -> Cell:
    """A figure with three decimals; undefined ones sort below all others."""
    return Cell(number(value), _sortable(value), note, best)


def share(value: float) -> Cell:
    """A share from 0 to 1, as a percentage."""
    return Cell(percent(value), _sortable(value))


def count(value: int) -> Cell:
    """A whole number, with commas."""
    return Cell(f"{value:,}", value)


def render(template: str, **values: object) -> str:
    """Fill in a template, named by its path in the package, that extends reports/page.html.j2.

    A value that the template names but was not given is an error. The same values give the same
    page.
    """
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"counted": counted, "hex_colour": hex_colour, "mark": mark}
    return environment.get_template(template).render(version=__version__, **values)


def _sortable(value: float) -> float:
    return -2.0 if pandas.isna(value) else round(float(value), 6)  # below every figure


def _source(name: str) -> str:
    return resources.files("histpred").joinpath(name).read_text(encoding="utf-8")
