"""Hooks of mkdocs: pages from outside docs/, the notebook as a page, and the links to both.

In the repository, links lead to files. In the site, those files are pages of other names.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = "docs/notebook.ipynb"
PAGES = {
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "KNOWN_ISSUES.md": "project/known-issues.md",
    "README.md": "index.md",
    "RELEASING.md": "project/releasing.md",
    "SECURITY.md": "project/security.md",
    "benchmarks/README.md": "project/benchmarks.md",
    "containers/README.md": "containers.md",
    NOTEBOOK: "notebook.md",
}
"""A file of the repository -> its page in the site."""
COMMANDS = "reference/commands/index.md"
PICTURES = {"benchmarks/cluster.svg": "project/cluster.svg"}
LINK = re.compile(r"(?<=\]\()([^)#:\s]+)(?=[)#])")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
HTML_STYLE = re.compile(r"<style.*?</style>", re.DOTALL)


def on_config(config: MkDocsConfig) -> None:
    """Put the page of each command into the navigation, below the page that lists them."""
    text = (ROOT / "docs" / COMMANDS).read_text(encoding="utf-8")
    listed = [
        posixpath.join("reference/commands", name) for name in re.findall(r"\((\w+\.md)\)", text)
    ]
    (reference,) = (part["Reference"] for part in config.nav if "Reference" in part)
    (commands,) = (item for item in reference if item.get("Commands") == COMMANDS)
    commands["Commands"] = [{"All commands": COMMANDS}, *listed]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside docs/, and the notebook."""
    for source, page in {**PAGES, **PICTURES}.items():
        if source == NOTEBOOK:
            files.append(File.generated(config, page, content=notebook(ROOT / source)))
        elif files.get_file_from_path(page) is None:
            files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead the links between files to the pages that those files are."""
    sources = {target: source for source, target in PAGES.items() if source != "README.md"}
    here = page.file.src_uri
    return in_site(markdown, sources.get(here, f"docs/{here}"), here)


def in_site(markdown: str, source: str, page: str) -> str:
    """Return the text of a file with its relative links as they are in its page."""

    def target(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link[1]))
        found = {**PAGES, **PICTURES}.get(path, path.removeprefix("docs/"))
        inside = path in PAGES or path in PICTURES or path.startswith("docs/")
        return os.path.relpath(found, posixpath.dirname(page) or ".") if inside else link[1]

    fences = FENCE.findall(markdown)
    pieces = [LINK.sub(target, piece) for piece in FENCE.split(markdown)]
    return "".join(a + b for a, b in zip(pieces, [*fences, ""], strict=True))


def notebook(path: Path) -> str:
    """Return a notebook as Markdown: its words, code and outputs."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        parts.extend(filter(None, map(shown, cell["outputs"])))
    return "\n\n".join(parts) + "\n"


def shown(output: dict[str, object]) -> str:
    """Return an output of a cell: printed text, a picture, a table or a value."""
    if output["output_type"] == "stream":
        return f"```text\n{''.join(output['text']).rstrip()}\n```"
    data = output["data"]
    if "image/png" in data:
        picture = "".join(data["image/png"]).replace("\n", "")
        return f'<img alt="The figure that the cell draws" src="data:image/png;base64,{picture}">'
    if "text/html" in data:
        table = HTML_STYLE.sub("", "".join(data["text/html"]))
        return table.replace('<table border="1" class="dataframe">', "<table>")
    return f"```text\n{''.join(data['text/plain'])}\n```"
