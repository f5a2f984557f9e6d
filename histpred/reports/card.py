"""The card of a bundle as HTML, and its pictures.

Anybody can write a bundle: HTML, links and pictures in its card are shown as text or left out.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable

from markdown_it import MarkdownIt
from markupsafe import Markup

from histpred.bundle.folder import Bundle


def chapter(card: str, title: str) -> Markup:
    """A chapter of a card as HTML; '' if the card lacks it."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", card, re.MULTILINE | re.DOTALL)
    return as_html(found[1]) if found else Markup("")


def as_html(text: str) -> Markup:
    """Markdown as HTML, its heads two levels down."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "link"])
    page = parser.render(text)
    page = re.sub(r"<(/?)h([1-4])>", lambda found: f"<{found[1]}h{int(found[2]) + 2}>", page)
    page = page.replace("<table>", '<div class="wide"><table class="plain">')
    return Markup(page.replace("</table>", "</table></div>"))


def pictures(bundle: Bundle, evaluations: Iterable[str]) -> dict[str, str]:
    """The bundle's calibration pictures of these evaluations, as data URLs by evaluation."""
    return {
        name: "data:image/svg+xml;base64,"
        + base64.b64encode((bundle.directory / path).read_bytes()).decode()
        for name in evaluations
        if (path := f"calibration-{name}.svg") in bundle.manifest.files
    }
