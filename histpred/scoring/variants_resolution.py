"""What a bundle can resolve: the effects of random substitutions, beside the noise of its numbers.

The rule stands here alone. A bundle resolves nothing if one random substitution in a hundred does
not change the log-odds of any mark by more than `ABOVE_NOISE` times the noise. It hardly sees
single bases if that one changes the odds by less than a tenth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from histpred.core.errors import UsageError
from histpred.core.text import counted
from histpred.encoders.embedder import Embedder
from histpred.genome.reference import Reference
from histpred.genome.windows import Row
from histpred.scoring.alternatives import Alternatives, log_odds
from histpred.scoring.promise import Part
from histpred.scoring.variants_background import substitutions

WINDOWS, SUBSTITUTIONS = 8, 50  # that are measured; a background has as many
PROMISED = 1e-5  # to which scores are the same in any batch
ABOVE_NOISE = 10
HARDLY = math.log(1.1)  # in log-odds


class Resolution(Part):
    """Effects of random substitutions in some windows, in log-odds.

    mark: the one with the largest effects. half: exceeded by half of the substitutions; hundredth:
    by one in a hundred. noise: the largest difference between two ways to compute a score.
    """

    windows: int
    substitutions: int
    mark: str
    half: float = Field(ge=0)
    hundredth: float = Field(ge=0)
    noise: float = Field(ge=0)

    @property
    def resolves(self) -> bool:
        """True if effects exceed the noise."""
        return self.hundredth > ABOVE_NOISE * self.noise

    def sentence(self) -> str:
        """What the bundle can resolve, for the user."""
        measured = (
            f"of {self.substitutions:,} random substitutions in {counted(self.windows, 'window')}, "
            f"half change the odds of {self.mark} by more than {_percent(self.half)}, and one in a "
            f"hundred by more than {_percent(self.hundredth)}"
        )
        if not self.resolves:
            return f"{measured}: this is within the noise of the numbers, so effects mean nothing"
        if self.hundredth < HARDLY:
            return f"{measured}: the bundle hardly sees single bases, so go by the ranks"
        return f"{measured}: read a difference beside its rank"


def resolution_of(
    rows: Sequence[Row], output: Alternatives, reference: Reference
) -> Resolution | None:
    """Measure what a bundle resolves in some windows; None if there are no known bases in them."""
    bundle, marks = output.bundle, output.bundle.marks
    predicted = np.array([not mark.unpredicted for mark in marks])
    effects, noise = [], PROMISED
    embedder = Embedder(bundle.encoder, bundle.choice.chunks, None)
    for row in rows:
        changes = substitutions(row.window, reference, SUBSTITUTIONS)
        if not changes:
            continue
        (logits,) = output.logits([(row, [[change] for change in changes])])
        odds = log_odds(logits, marks)
        effects.append(np.abs(odds[1:] - odds[0])[:, predicted])
        (whole,) = embedder.embed(iter([[row]]), reference)
        again = log_odds(bundle.scorer.logits(whole.vectors), marks)
        noise = max(noise, float(np.abs(again[0] - odds[0])[predicted].max()))
    if not effects:
        return None
    together = np.concatenate(effects)
    half, hundredth = np.quantile(together, [0.5, 0.99], axis=0)
    largest = int(hundredth.argmax())
    names = [mark.name for mark in marks if not mark.unpredicted]
    return Resolution(
        windows=len(effects),
        substitutions=len(together),
        mark=names[largest],
        half=float(half[largest]),
        hundredth=float(hundredth[largest]),
        noise=noise,
    )


def refuse_unresolved(found: Resolution | None, bundle: str, anyway: bool) -> None:
    """Raise UsageError for a bundle that resolves nothing, unless it is to be used `anyway`."""
    if found and not found.resolves and not anyway:
        raise UsageError(
            f"the bundle {bundle} resolves no variant: {found.sentence()}",
            "choose another bundle; or add --anyway, and expect nothing of the effects",
        )


def _percent(odds: float) -> str:
    """A change in log-odds as a change of the odds.

    >>> _percent(0.1), _percent(0.0001), _percent(3)
    ('11 %', '0.01 %', '20-fold')
    """
    change = 100 * math.expm1(odds)
    return f"{change:.2g} %" if change < 100 else f"{math.exp(odds):.2g}-fold"
