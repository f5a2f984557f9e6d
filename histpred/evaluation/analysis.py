"""How similar marks are, by the vectors of a model and by the genes that have them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from scipy.stats import pearsonr, spearmanr
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.metrics.pairwise import cosine_similarity

from histpred.evaluation.result import Correlation

STRONG = 0.25  # appendix E of the paper counts pairs of marks with a stronger similarity


def cosine_similarity_of(vectors: np.ndarray, marks: Sequence[str]) -> pandas.DataFrame:
    """Cosine similarity of the marks' vectors [marks, d], as a table [marks, marks].

    The paper's Extended Data Fig. 3. The diagonal is 1; a vector of zeros has similarity 0 to any
    other.
    """
    similarity = cosine_similarity(np.asarray(vectors, np.float64)).clip(-1, 1)
    np.fill_diagonal(similarity, 1)
    return pandas.DataFrame(similarity, index=list(marks), columns=list(marks))


def co_targeting(labels: np.ndarray, marks: Sequence[str]) -> pandas.DataFrame:
    """Cosine similarity of the marks' TF-IDF-weighted labels [n, marks], as a table [marks, marks].

    The paper's Extended Data Fig. 5: rows (RNAs) are the documents, marks the terms. A label weighs
    ln((1 + n) / (1 + rows with the mark)) + 1, and each row is scaled to length 1 (scikit-learn's
    TfidfTransformer). Without the scaling, the weight of a mark would cancel in its cosines; with
    it, ubiquitous marks count less beside rare ones in the rows that have both.

    Unlabelled pairs (NaN) count as absent. A mark without a positive has similarity 0 to any other.
    There must be at least one row.
    """
    weighted = TfidfTransformer().fit_transform(np.nan_to_num(np.asarray(labels, np.float64)))
    return cosine_similarity_of(weighted.T.toarray(), marks)


def hierarchical_linkage(similarity: pandas.DataFrame) -> np.ndarray:
    """Average linkage of marks on 1 - similarity, as scipy's array [marks - 1, 4].

    Neighbouring leaves are as similar as the tree allows (Bar-Joseph et al. 2001). Empty with fewer
    than two marks.
    """
    if len(similarity) < 2:
        return np.empty((0, 4))
    distances = 1 - similarity.to_numpy(np.float64)
    condensed = squareform((distances + distances.T) / 2, checks=False).clip(min=0)
    tree: np.ndarray = linkage(condensed, "average", optimal_ordering=True)
    return tree


def hierarchical_order(similarity: pandas.DataFrame) -> list[int]:
    """The positions of the marks, in the order of the leaves of `hierarchical_linkage`."""
    tree = hierarchical_linkage(similarity)
    return [int(leaf) for leaf in leaves_list(tree)] if len(tree) else [*range(len(similarity))]


def correlate(a: pandas.DataFrame, b: pandas.DataFrame) -> Correlation:
    """Correlation of two similarity tables over the pairs of different marks in `a`.

    NaN with fewer than two pairs, or if one of the tables is constant.
    """
    pairs = [_pairs(a), _pairs(b.loc[a.index, a.columns])]
    count = len(pairs[0])
    if count < 2 or min(np.ptp(values) for values in pairs) < 1e-12:
        return Correlation(np.nan, np.nan, count)
    return Correlation(float(pearsonr(*pairs).statistic), float(spearmanr(*pairs).statistic), count)


def off_diagonal_summary(similarity: pandas.DataFrame) -> dict[str, float]:
    """Mean, population s.d. and share beyond +-0.25 of the pairs of marks (paper, appendix E)."""
    pairs = _pairs(similarity)
    if not len(pairs):  # fewer than two marks
        return dict.fromkeys(("mean", "sd", "share_above_quarter"), np.nan)
    return {
        "mean": float(pairs.mean()),
        "sd": float(pairs.std()),
        "share_above_quarter": float((abs(pairs) > STRONG).mean()),
    }


def _pairs(similarity: pandas.DataFrame) -> np.ndarray:
    """The values above the diagonal."""
    values: np.ndarray = similarity.to_numpy(np.float64)[np.triu_indices(len(similarity), 1)]
    return values
