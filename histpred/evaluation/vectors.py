"""The vectors by which a bundle's network tells the marks apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas

from histpred.bundle.folder import MARK_VECTORS, Bundle
from histpred.bundle.mark_vectors import mark_vectors_of
from histpred.evaluation.analysis import cosine_similarity_of

PERCEPTRON = "mlp"  # the model whose marks are one-hot or have vectors
ONE_HOT = (
    "The bundle tells marks apart by one-hot vectors, which are equally far from each other, so "
    "the similarity of mark vectors is not drawn. Train with --mark-dimension N (such as 8) to get "
    "vectors that are learned."
)


def similarity_of(bundle: Bundle, marks: Sequence[str]) -> pandas.DataFrame | None:
    """Cosine similarity of the bundle's mark vectors, [marks, marks]; None if it learned none."""
    if MARK_VECTORS not in bundle.manifest.files or why_no_vectors(bundle):
        return None
    return cosine_similarity_of(mark_vectors_of(bundle, marks), marks)


def why_no_vectors(bundle: Bundle) -> str:
    """A sentence if the bundle's marks are one-hot, else ''.

    Earlier releases wrote weights of the first layer as vectors of one-hot marks. They hardly
    differ from their random start, so their similarity is noise.
    """
    recipe = bundle.manifest.training.recipe.get("recipe")
    known = recipe if isinstance(recipe, Mapping) else {}
    one_hot = known.get("model") == PERCEPTRON and known.get("mark_dimension") is None
    return ONE_HOT if one_hot else ""
