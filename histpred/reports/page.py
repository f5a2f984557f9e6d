"""Pages of HTML that load nothing: one look, tables that sort by a click and can be searched."""

from __future__ import annotations

from importlib import resources
from typing import Any

import jinja2

from histpred.core.version import __version__


def render(template: str, **values: Any) -> str:
    """The page of a template, named by its path in the package, that extends reports/page.html.j2.

    A value that the template names and that is not given is an error. The same values give the same
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
    return environment.get_template(template).render(version=__version__, **values)


def counted(count: int, word: str) -> str:
    """A number of things.

    >>> counted(1, "window"), counted(1_200, "window")
    ('1 window', '1,200 windows')
    """
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def _source(name: str) -> str:
    return resources.files("histpred").joinpath(name).read_text(encoding="utf-8")
