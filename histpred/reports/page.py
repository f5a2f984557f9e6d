"""Pages of HTML that load nothing: one look, tables that sort by a click and can be searched.

Also numbers and lists as their sentences and tables write them.
"""

from __future__ import annotations

import hashlib
import math
from base64 import b64encode
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import NamedTuple

import jinja2
from markupsafe import Markup

from histpred.core.marks import hex_colour, mark
from histpred.core.text import counted
from histpred.core.version import __version__


class Cell(NamedTuple):
    """A cell of a table: `value` to sort by, None for text; `note` in small letters below.

    kind: a class of the page's style, here and in rows.
    """

    text: str
    value: float | None = None
    note: str = ""
    best: bool = False
    kind: str = ""


class Row(NamedTuple):
    """A row of a table; one of a `mark` gets a square in the colour of its class.

    place: a locus for the page's browser as JSON, '' for none.
    """

    name: str
    cells: Sequence[Cell]
    mark: bool = False
    kind: str = ""
    place: str = ""


MOST_GROUPS = 60  # that a figure can hold, or a table before it gets a box of its own


class Table(NamedTuple):
    """A table of a page: `heads` start with that of the rows' names; `name` is its element's id.

    tall: it scrolls in a box of its own.
    """

    caption: str
    heads: Sequence[str]
    rows: Sequence[Row]
    name: str = ""
    tall: bool = False


def figure(value: float, note: str = "", best: bool = False) -> Cell:
    """A figure with three decimals; undefined ones sort below all others."""
    return Cell(number(value), _sortable(value), note, best)


def signed(value: float) -> Cell:
    """A figure with three decimals and its sign."""
    return Cell(number(value, sign=True), _sortable(value))


def share(value: float) -> Cell:
    """A share from 0 to 1, as a percentage."""
    return Cell(percent(value), _sortable(value))


def count(value: int) -> Cell:
    """A whole number, with commas."""
    return Cell(f"{value:,}", value)


def render(template: str, scripts: Sequence[str] = (), **values: object) -> str:
    """Fill in a template, named by its path in the package, that extends reports/page.html.j2.

    A value that the template names but was not given is an error. The same values give the same
    page. The page runs page.js, then `scripts`, and nothing else: its content policy lists their
    digests, so that a name which is read as HTML somewhere still cannot run anything.
    """
    scripts = [script_text("page.js"), *scripts]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("histpred", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"counted": counted, "hex_colour": hex_colour, "mark": mark}
    return environment.get_template(template).render(
        version=__version__,
        scripts=[Markup(script) for script in scripts],
        style=Markup(script_text("page.css")),
        digests=Markup(" ".join(map(_policy_source, scripts))),
        **values,
    )


def script_text(name: str) -> str:
    """A script or a style sheet of this folder."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _policy_source(script: str) -> str:
    """A script as a content policy allows it (https://www.w3.org/TR/CSP3/#grammardef-hash-source)."""
    return f"'sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _sortable(value: float) -> float:
    return -2.0 if math.isnan(value) else round(float(value), 6)  # below every figure


def decimals(value: float, digits: int = 2) -> str:
    """Format a figure in ASCII; 'undefined' for NaN."""
    return "undefined" if math.isnan(value) else f"{value:.{digits}f}"


def number(value: float, sign: bool = False) -> str:
    """Format a figure with three decimals and, if need be, a minus sign; 'undefined' for NaN.

    >>> number(0.12345), number(float("nan")), number(0.5, sign=True)
    ('0.123', 'undefined', '+0.500')
    """
    plus = "+" if sign and value >= 0 else ""
    return plus + decimals(value, 3).replace("-", "\N{MINUS SIGN}")


def percent(share: float) -> str:
    """Format a share from 0 to 1 as a percentage; 'undefined' for NaN."""
    return "undefined" if math.isnan(share) else f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def listed(names: Iterable[object]) -> str:
    """One or more names as a phrase.

    >>> listed(["A", "B", "C"])
    'A, B and C'
    """
    *most, last = map(str, names)
    return f"{', '.join(most)} and {last}" if most else last
