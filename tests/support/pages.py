"""What the pages of the documentation show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

COMMAND = re.compile(r"^(?:[A-Z_]+=(?:\"[^\"]*\"|\S+) )*(?:bin/)?histpred ([a-z].*)$")


def commands(page: Path) -> Iterator[str]:
    """What follows 'histpred' in the lines of code of a page, with continued lines joined."""
    text = re.sub(r"\\\n\s+", "", page.read_text(encoding="utf-8"))
    fenced = "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE))
    indented = "\n".join(re.findall(r"^ {4,}(\S.*)$", text, flags=re.MULTILINE))
    for line in f"{fenced}\n{indented}".splitlines():
        if found := COMMAND.match(line.strip()):
            yield found[1]
