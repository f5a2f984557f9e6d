"""What a user may have meant by a name that is unknown."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MOST = 3
ALIKE = 0.6  # smallest share of letters in common, as difflib counts them
MARGIN = 0.1  # by which a share may be below the best


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The known names that are most like `name`, at most three, the best first.

    Case counts for nothing. Names that begin with `name` come before others.

    >>> nearest("h3k4me", ["H3K4me3", "H3K9me3", "H2AFZ"])
    ['H3K4me3']
    >>> nearest("predcit", ["predict", "train"])
    ['predict']
    """
    wanted = name.lower()
    by_lower = {one.lower(): one for one in known}
    if begun := sorted(one for one in by_lower if len(wanted) > 1 and one.startswith(wanted)):
        return [by_lower[one] for one in begun[:MOST]]
    alike = difflib.get_close_matches(wanted, by_lower, MOST, ALIKE)
    shares = [difflib.SequenceMatcher(None, one, wanted).ratio() for one in alike]
    near = (one for one, share in zip(alike, shares, strict=True) if share > shares[0] - MARGIN)
    return [by_lower[one] for one in near]


def did_you_mean(names: Iterable[str], known: Iterable[str], otherwise: str = "") -> str:
    """A hint for unknown names: what is nearest to them, if anything is, and then `otherwise`.

    >>> did_you_mean(["yaest"], ["human-promoter", "yeast"], "histpred bundle list names all")
    'did you mean yeast? histpred bundle list names all'
    >>> did_you_mean(["mouse"], ["human-promoter", "yeast"])
    ''
    """
    known = list(known)
    found = list(dict.fromkeys(one for name in names for one in nearest(name, known)))[:MOST]
    question = f"did you mean {' or '.join(found)}?" if found else ""
    return " ".join(filter(None, (question, otherwise)))
