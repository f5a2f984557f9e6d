"""What TAB offers for arguments that name something: bundles, marks, biotypes, encoders.

A completer takes a command's context, a parameter and the beginning of a word, as click has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem

from histpred.bundle.folder import DEFAULT_BUNDLE, MANIFEST, find_bundle, shipped_bundles
from histpred.core.errors import HistpredError
from histpred.core.marks import MARKS
from histpred.core.strict_json import parse
from histpred.genome.biotypes import GROUPS

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def one_of(names: Iterable[str], kind: str | None = None) -> Completer:
    """A completer of `names`; kind: 'file' or 'dir', if a path can stand there too."""

    def complete(
        context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return _items(names, incomplete, kind)

    return complete


def bundles(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The shipped bundles, and folders."""
    return _items(shipped_bundles(), incomplete, "dir")


def encoders(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The published encoders and, for an option, the kinds of encoders."""
    from histpred.encoders import ENCODERS
    from histpred.encoders.published import PUBLISHED

    kinds = ENCODERS if isinstance(parameter, click.Option) else ()
    return _items([*(encoder.name for encoder in PUBLISHED), *kinds], incomplete)


def biotypes(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The groups of biotypes and their members, after the last comma."""
    members = (name for group in GROUPS.values() for name in group)
    return _after_comma([*GROUPS, "protein_coding", *members], incomplete)


def marks(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The marks of the bundle that the command names, or all known ones, after the last comma."""
    named = context.params.get("bundle")
    if named is None and "labels" not in {one.name for one in context.command.params}:
        named = DEFAULT_BUNDLE
    return _after_comma(_marks_of(str(named)) if named else list(MARKS), incomplete)


def _marks_of(bundle: str) -> list[str]:
    """The marks in a bundle's manifest, which is not checked; none if it cannot be read."""
    try:
        fields: Any = parse((find_bundle(bundle) / MANIFEST).read_bytes())
        found = [*fields["marks"], *(fields.get("interval") or {"marks": []})["marks"]]
        return list(dict.fromkeys(str(mark["name"]) for mark in found))
    except (HistpredError, OSError, ValueError, KeyError, TypeError):
        return []


def _after_comma(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    before, comma, begun = incomplete.rpartition(",")
    rest = [name for name in names if name not in before.split(",")]
    return [CompletionItem(f"{before}{comma}{item.value}") for item in _items(rest, begun)]


def _items(names: Iterable[str], begun: str, kind: str | None = None) -> list[CompletionItem]:
    """The names that begin so, in any case; files or folders come first, as bash needs it."""
    paths = [CompletionItem(begun, type=kind)] if kind else []
    found = (name for name in dict.fromkeys(names) if name.lower().startswith(begun.lower()))
    return [*paths, *map(CompletionItem, found)]
