"""For tests of what `histpred doctor` finds: files of a machine, and findings by their subject."""

from __future__ import annotations

from pathlib import Path

from histpred.commands.machine import Finding


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def by_what(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.what: finding for finding in findings}
