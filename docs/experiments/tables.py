"""Print the tables of docs/experiments/README.md from the outputs of run.sh.

python docs/experiments/tables.py WORK
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas

from histpred.evaluation.analysis import off_diagonal_summary

METRICS = ("accuracy", "precision", "recall", "f1", "mcc", "auroc", "auprc")


def read(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())


def interval(figure: dict) -> str:
    return f"{figure['value']:.3f} ({figure['low']:.3f}-{figure['high']:.3f})"


def number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def table(rows: list[list[str]], *header: str) -> None:
    for row in (list(header), ["---"] * len(header), *rows):
        print("| " + " | ".join(row) + " |")
    print()


def print_evaluation(folder: Path) -> None:
    """Print the metrics of an evaluation in the layout of the paper's Tables 1 and 2."""
    metrics = read(folder)
    print(f"### {folder.name}: {metrics['windows']:,} rows, {len(metrics['marks'])} marks\n")
    rows = []
    for name, model in metrics["models"].items():
        micro, macro = model["figures"]["micro"], model["figures"]["macro"]
        rows.append(
            [name, interval(macro["auroc"]), number(macro["auprc"]["value"])]
            + [number(micro[metric]["value"]) for metric in METRICS]
            + [number(micro["ece"]["value"])]
        )
    heads = ("Accuracy", "Precision", "Recall", "F1", "MCC", "micro AUROC", "micro AUPRC", "ECE")
    table(rows, "configuration", "macro AUROC (95 %)", "macro AUPRC", *heads)


def print_mark_vectors(folders: list[Path]) -> None:
    """Print how the trained mark vectors of runs relate to one another (paper, appendix E)."""
    rows = []
    for folder in folders:
        metrics = read(folder.with_name(f"{folder.name}-evaluation"))
        history = pandas.read_csv(folder / "training.tsv", sep="\t")
        similarity = pandas.DataFrame(metrics["similarity"])
        summary = off_diagonal_summary(similarity)
        figures = next(iter(metrics["models"].values()))["figures"]
        rows.append(
            [
                folder.name,
                f"{history['validation_loss'].min():.4f}",
                interval(figures["macro"]["auroc"]),
                f"{summary['mean']:+.3f} ± {summary['sd']:.3f}",
                f"{summary['share_above_quarter']:.0%}",
                number(metrics["correlation"]["spearman"]),
            ]
        )
    table(
        rows,
        *("run", "validation loss", "macro AUROC (95 %)", "cosine of two marks", "beyond 0.25"),
        "Spearman with co-targeting",
    )


def main() -> None:
    work = Path(sys.argv[1])
    for folder in sorted(work.glob("*/metrics.json")):
        print_evaluation(folder.parent)
    runs = [work / f"marks-{size}" for size in (50, 32, 16, 8, 4, 2)]
    runs += [
        work / name for name in ("marks-50-undersampled", "loss-weighted", "loss-undersampled")
    ]
    print_mark_vectors([run for run in runs if run.with_name(f"{run.name}-evaluation").exists()])


if __name__ == "__main__":
    main()
