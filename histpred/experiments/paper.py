"""What the paper prints: its Tables 1 and 2 and the numbers in the text and in its captions.

N. Sharma, M. A. Quamar and P. Xie, Decoding Histone Modification Signatures of Non-Coding RNAs via
Foundation Models, NeurIPS 2025 workshop. Its figures are pictures without printed values, except
for the numbers here.
"""

from __future__ import annotations

RNAFM, DNABERT2 = "RNA-FM", "DNABERT2"
VANILLA, ADAPTED = "DeepHistone (Vanilla)", "DeepHistone (Adapted)"
ROWS = (VANILLA, ADAPTED, RNAFM, DNABERT2)
"""The rows of the paper's tables, which a configuration can name with its key `paper`."""

TABLE_1 = {
    RNAFM: {
        "accuracy": 0.7425,
        "precision": 0.6496,
        "recall": 0.9051,
        "f1": 0.7563,
        "mcc": 0.5298,
        "auroc": 0.86,
    },
    DNABERT2: {
        "accuracy": 0.8594,
        "precision": 0.7837,
        "recall": 0.9379,
        "f1": 0.8539,
        "mcc": 0.7314,
        "auroc": 0.95,
    },
}
"""Micro-averaged figures on the test set, by row and metric."""

TABLE_2 = {
    VANILLA: {"macro": 0.49, "micro": 0.78},
    ADAPTED: {"macro": 0.89, "micro": 0.94},
    RNAFM: {"macro": 0.85, "micro": 0.86},
    DNABERT2: {"macro": 0.92, "micro": 0.95},
}
"""Macro- and micro-averaged AUROC on the test set, by row."""

CATEGORIES = {"lncRNA": 0.647, "pseudogene": 0.120, "miRNA": 0.089, "others": 0.082}
"""Shares of the entries of RNAInter by kind of RNA (Extended Data Fig. 2)."""

SIMILARITY_MEAN, SIMILARITY_SD = 0.0047, 0.4001
STRONGER_THAN, STRONG_SHARE = 0.25, 0.511
"""Cosine similarity of different marks' vectors: mean, standard deviation, and the share of pairs
beyond +-0.25 (Extended Data Fig. 3 and appendix E, where the threshold is printed as '10.25l')."""

FIGURES = {
    "accuracy_by_mark": "Fig. 2",
    "classes": "Extended Data Fig. 1",
    "categories": "Extended Data Fig. 2",
    "mark_similarity": "Extended Data Fig. 3",
    "auroc_by_mark": "Extended Data Fig. 4",
    "co_targeting": "Extended Data Fig. 5",
}
"""The paper's figure that each of ours stands for."""
