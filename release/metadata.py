"""The addresses of the package, and a README whose links lead to the repository.

hatchling runs this when it builds. The addresses of the repository and of its authors stand in
pyproject.toml, at [tool.hatch.metadata.hooks.custom], and nowhere else.
"""

from __future__ import annotations

import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"(?P<image>!?)(?P<text>\[[^\]]*\])\((?![a-z]+:|#)(?P<path>[^)\s]+)\)")


def urls(address: str) -> dict[str, str]:
    """The addresses that a package index shows."""
    return {
        "Homepage": address,
        "Documentation": f"{address}/blob/main/docs/index.md",
        "Repository": address,
        "Changelog": f"{address}/blob/main/CHANGELOG.md",
        "Issues": f"{address}/issues",
    }


def absolute(readme: str, address: str, version: str) -> str:
    """The README with the addresses of its files and pictures in the tag of a version."""

    def link(found: re.Match[str]) -> str:
        kind = "raw" if found["image"] else "blob"
        target = f"{address}/{kind}/v{version}/{found['path']}"
        return f"{found['image']}{found['text']}({target})"

    return LINK.sub(link, readme)


class Metadata(MetadataHookInterface):
    """Adds `authors`, `urls` and `readme`, which pyproject.toml calls dynamic."""

    def update(self, metadata: dict) -> None:
        """Add the fields."""
        address = self.config["address"]
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["authors"] = [{"name": "The histpred developers", "email": self.config["email"]}]
        metadata["urls"] = urls(address)
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": absolute(text, address, metadata["version"]),
        }
