"""histpred bundle: list, show and verify bundles."""

from __future__ import annotations

from pathlib import Path

import click

from histpred.bundle.folder import DEFAULT_BUNDLE
from histpred.commands import completers, options
from histpred.commands.help_pages import VerbGroup
from histpred.core.text import say

_name = click.argument(
    "name", metavar="NAME|DIR", default=DEFAULT_BUNDLE, shell_complete=completers.bundles
)


@click.group(cls=VerbGroup)
def bundle() -> None:
    """List, show, verify and identify bundles."""


@bundle.command(
    "list",
    examples=[
        ("See what is shipped", "histpred bundle list"),
    ],
)
def list_bundles() -> None:
    """List the bundles shipped with histpred."""
    from histpred.bundle.folder import load_bundle, shipped_bundles

    for name in shipped_bundles():
        manifest = load_bundle(name).manifest
        default = " (default)" if name == DEFAULT_BUNDLE else ""
        say(f"{name} {manifest.version}{default}\t{manifest.summary}")


@bundle.command(
    examples=[
        ("Read the card of the bundle for yeast", "histpred bundle show yeast"),
    ],
)
@_name
@click.option("--json", is_flag=True, help="Print the manifest (bundle.json) instead of the card.")
def show(name: str, json: bool) -> None:
    """Show the card of a bundle: training data, performance and limits."""
    from histpred.bundle.folder import load_bundle

    loaded = load_bundle(name)
    if json:
        say(loaded.manifest.model_dump_json(indent=2))
    else:
        say(loaded.card_path.read_text(encoding="utf-8").rstrip())


@bundle.command(
    examples=[
        ("Print what identifies a bundle of your own", "histpred bundle digest ./mine"),
    ],
)
@_name
def digest(name: str) -> None:
    """Print the sha256 that identifies a bundle and its content, and the bundle's name."""
    from histpred.bundle.folder import load_bundle

    loaded = load_bundle(name)
    say(f"{loaded.digest}  {loaded.manifest.name} {loaded.manifest.version}")


@bundle.command(
    examples=[
        ("Check the default bundle", "histpred bundle verify"),
    ],
)
@_name
@options.weights
@options.threads
def verify(name: str, weights: Path | None) -> None:
    """Check every digest of a bundle, run it, and compare the result with the published one."""
    from histpred.bundle.folder import load_bundle
    from histpred.scoring.verify import verify as run

    loaded = load_bundle(name)
    worst = run(loaded, weights)
    say(
        f"{loaded.manifest.name} {loaded.manifest.version}: {len(loaded.manifest.files)} files as "
        f"published, known answer within {worst:.1g}\nsha256 {loaded.digest}"
    )
