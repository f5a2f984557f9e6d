"""Whole numbers of the command line, which numpy and onnxruntime can hold too."""

from __future__ import annotations

from typing import Any

import click

from histpred.genome.regions import FARTHEST


class Whole(click.IntRange):
    """A whole number of at least `min`; none that an option takes need be larger than FARTHEST."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number. Python's may be larger than those of the packages that get it."""
        number = int(super().convert(value, param, ctx))
        if number > FARTHEST:
            self.fail(f"a number larger than {FARTHEST:,}", param, ctx)
        return number
