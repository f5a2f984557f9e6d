"""The paper's figures, drawn anew from the results of an experiment.

Fig. 2 and Extended Data Figs. 1 to 5, by the code that draws those of an evaluation. Figures by the
paper's rule where they depend on thresholds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas

from histpred.evaluation.result import ModelResult, Result
from histpred.experiments import paper
from histpred.experiments.results import Trained
from histpred.experiments.tables import similarity_of
from histpred.reports.evaluation_figures import co_targeting, mark_similarity
from histpred.reports.figures import Draft, Drawing, drawn
from histpred.reports.label_figures import biotype_counts, category_counts, class_counts
from histpred.reports.model_figures import accuracy_by_mark, auroc_by_mark
from histpred.reports.page import listed
from histpred.reports.readings import PAPER

MOST = 7  # configurations that a figure can tell apart
IN_FIG_2 = (paper.DNABERT2, paper.RNAFM)
PRINTED = {
    "auroc_by_mark": "The paper prints as macro averages "
    + listed(f"{paper.TABLE_2[row]['macro']} ({row})" for row in (paper.DNABERT2, paper.RNAFM))
    + f" and, for the adapted DeepHistone, {paper.TABLE_2[paper.ADAPTED]['macro']}.",
    "categories": "The paper prints "
    + listed(f"{share:.1%} {name}" for name, share in paper.CATEGORIES.items())
    + ".",
    "mark_similarity": "The paper prints a mean over pairs of different marks of "
    f"{paper.SIMILARITY_MEAN:+.4f} with a standard deviation of {paper.SIMILARITY_SD:.4f}.",
}
"""What the paper prints of a figure, as a sentence."""
IN_ED_FIG_4 = (paper.DNABERT2, paper.RNAFM, paper.ADAPTED)


def draw_split(split: str, done: Sequence[Trained]) -> dict[str, Drawing]:
    """The figures of one split, called 'SPLIT-KEY' with the keys of `paper.FIGURES`.

    Figures without data are left out.
    """
    if not done:
        return {}
    with_vectors = vectors_of(done)
    drawers: dict[str, Callable[[], Draft | None]] = {
        "accuracy_by_mark": partial(_accuracy, _shown(done, IN_FIG_2)),
        "auroc_by_mark": partial(_auroc, _shown(done, IN_ED_FIG_4)),
        "mark_similarity": partial(_similarity, with_vectors),
        "co_targeting": partial(_co_targeting, done[0], with_vectors),
    }
    return drawn(
        {f"{split}-{name}": partial(_named, name, one, split) for name, one in drawers.items()}
    )


def draw_data(genes: pandas.DataFrame, categories: pandas.DataFrame | None) -> dict[str, Drawing]:
    """The figures of the genes of an experiment: columns id and biotype, then one for each mark.

    categories: entries of RNAInter by kind of RNA, if they are known.
    """
    marks = [name for name in genes.columns if name not in ("id", "biotype")]
    labels = genes[marks].to_numpy(np.float32)
    drawers: dict[str, Callable[[], Draft | None]] = {
        "classes": lambda: class_counts(marks, labels, "genes"),
        "categories": lambda: category_counts(categories),
        "biotypes": lambda: biotype_counts(genes["biotype"], "genes"),
    }
    return drawn({name: partial(_named, name, one) for name, one in drawers.items()})


def _named(name: str, drawer: Callable[[], Draft | None], split: str = "") -> Draft | None:
    """A figure with split and the paper's name of it in its title, and what the paper prints."""
    draft = drawer()
    if draft is None:
        return None
    title = f"{draft.title}, split {split}" if split else draft.title
    if name in paper.FIGURES:
        title += f" (the paper's {paper.FIGURES[name]})"
    caption = f"{draft.caption} {PRINTED.get(name, '')}".strip()
    return draft._replace(title=title, caption=caption)


def vectors_of(done: Sequence[Trained]) -> Trained | None:
    """The configuration whose mark vectors are shown: with the longest ones, the first of them."""
    with_vectors = [one for one in done if one.similarity() is not None]
    return max(with_vectors, key=lambda one: one.dimension or 0, default=None)


def _shown(done: Sequence[Trained], rows: Sequence[str]) -> list[Trained]:
    """The configurations of a figure: those that stand for `rows`, else the first of them."""
    found = [one for row in rows for one in done if one.configuration.paper == row]
    return found or list(done[:MOST])


def _result(shown: Sequence[Trained], **others: pandas.DataFrame | None) -> Result:
    """What the figures of an evaluation take, with the paper's reading of each configuration."""
    first = shown[0]
    models: dict[str, ModelResult] = {one.name: one.model(PAPER) for one in shown}
    empty = pandas.DataFrame()
    labels = np.empty((0, len(first.marks)))
    known = {"similarity": None, "co_targeting": None} | others
    return Result(
        *("", {}, [], first.marks, empty, labels, models, empty),
        known["similarity"],
        known["co_targeting"],
        None,
    )


def _accuracy(shown: Sequence[Trained]) -> Draft:
    draft = accuracy_by_mark(_result(shown))
    return draft._replace(
        caption="Test accuracy of each mark at the threshold with the highest Youden's J on the "
        f"validation rows, sorted by that of {shown[0].name}. Line across: the accuracy of always "
        "calling the mark's more common class.",
    )


def _auroc(shown: Sequence[Trained]) -> Draft:
    draft = auroc_by_mark(_result(shown))
    return draft._replace(
        caption="Test AUROC of each mark, of raw scores, and the mean over the marks (macro), "
        f"sorted by that of {shown[0].name}. Broken line: chance. Marks with only one class have "
        "no AUROC.",
    )


def _similarity(one: Trained | None) -> Draft | None:
    if one is None:
        return None
    draft, spread = mark_similarity(_result([one], similarity=one.similarity())), similarity_of(one)
    return draft and draft._replace(
        caption=f"Cosine similarity of the trained mark vectors of {one.name}, ordered by "
        f"average-linkage clustering. Over {spread['pairs']:,} pairs of different marks, its mean "
        f"is {spread['mean']:+.4f} and its standard deviation {spread['sd']:.4f}.",
    )


def _co_targeting(one: Trained, with_vectors: Trained | None) -> Draft | None:
    order = with_vectors.similarity() if with_vectors else None
    return co_targeting(_result([one], co_targeting=one.co_targeting(), similarity=order))
