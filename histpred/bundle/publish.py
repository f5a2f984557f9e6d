"""Writing a bundle, and its card from what it holds."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from histpred.bundle.calls import NEVER, expected_of, first_words, meanings_of, promise_of
from histpred.bundle.figures import Evaluation, MarkPerformance
from histpred.bundle.folder import CARD, MANIFEST, SCORER, Bundle, load_bundle
from histpred.bundle.manifest import Manifest, WindowSpec
from histpred.bundle.mark_spec import MarkSpec
from histpred.bundle.organisms import Species


def write_bundle(
    directory: Path,
    manifest: Manifest,
    scorer: bytes,
    notes: str,
    others: Mapping[str, bytes] | None = None,
) -> Bundle:
    """Write scorer.onnx, card.md and bundle.json, in this order, and load the bundle.

    Files of these names are replaced. The manifest's `files` are filled in here. notes: Markdown
    for the card: what only the author knows. others: further files by name, such as an encoder.
    """
    card = render_card(manifest, notes).encode()
    contents = {**(others or {}), SCORER: scorer, CARD: card}
    files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    complete = manifest.model_copy(update={"files": files})
    directory.mkdir(parents=True, exist_ok=True)
    contents[MANIFEST] = complete.model_dump_json(indent=1).encode() + b"\n"
    for name, content in contents.items():
        partial = directory / f".{name}.partial"
        partial.write_bytes(content)
        os.replace(partial, directory / name)
    return load_bundle(directory)


def render_card(manifest: Manifest, notes: str) -> str:
    """card.md: what the bundle is, what it was trained on, how well it does, in Markdown."""
    species, window, encoder = manifest.species, manifest.window, manifest.encoder
    outputs = {"": manifest.marks}
    facts = {
        **_species(species),
        "window": _window(window),
        "N allowed": f"{window.max_n_fraction:.0%} of a window",
    }
    further: list[str] = []
    if interval := manifest.interval:
        outputs = {f" of {window.kind}s": manifest.marks, " of intervals": interval.marks}
        allowed = f"N allowed in {interval.window.max_n_fraction:.0%} of its bases"
        reach = f"{_window(interval.window)}; of the {interval.resolution} bp there; {allowed}"
        facts["intervals"] = reach
        further = [mark.name for mark in interval.marks if mark.name not in manifest.mark_names]
    facts["encoder"] = f"{encoder.kind} {encoder.settings}, {encoder.dimension} numbers"
    if encoder.chunks:
        facts["chunks"] = f"{encoder.chunks.policy}, {encoder.chunks.length} bp"
    facts["marks"] = ", ".join(manifest.mark_names)
    if further:
        facts["marks of intervals only"] = ", ".join(further)
    facts["licence of the weights"] = manifest.licence
    training = [
        *manifest.training.data,
        *(f"{name}: {stretch}" for name, stretch in manifest.training.splits.items()),
        *(f"{name}: {count:,}" for name, count in manifest.training.counts.items()),
        f"seed: {manifest.training.seed}",
    ]
    sections = [
        f"# {manifest.name} {manifest.version}\n\n{manifest.summary}",
        *first_words(manifest, manifest.marks),
        "\n".join(f"- **{name}**: {value}" for name, value in facts.items()),
        notes.strip(),
        "## Training\n\n" + "\n".join(f"- {item}" for item in training),
    ]
    for of_what, marks in outputs.items():
        sections.append(f"## Thresholds and calibration{of_what}")
        sections += meanings_of(marks) if marks is not manifest.marks else []
        sections.append(_threshold_table(marks))
    for name, evaluation in manifest.metrics.items():
        sections.append(f"## Performance: {name}\n\n{_evaluation_section(evaluation)}")
    return "\n\n".join(sections) + "\n"


def _species(species: Sequence[Species]) -> dict[str, str]:
    """The organism, or that of each genome."""
    return {
        f"genome {one.genome}" if one.genome else "species": f"{one.name}{one.taxon}, "
        f"{one.assembly}"
        for one in species
    }


def _evaluation_section(evaluation: Evaluation) -> str:
    """A sentence on what was evaluated, and a table of marks with the baselines beside."""
    marks = evaluation.marks
    baselines = list(next(iter(marks.values())).baselines)
    header = ["mark", "positives", "prevalence", "AUROC", "AUPRC", "ECE"]
    for baseline in baselines:
        header += [f"{baseline} AUROC", f"{baseline} AUPRC"]
    rows = []
    for name, figures in marks.items():
        ranks = _performance([figures], baselines, "{:.3f}", "{:.4f}")
        rows.append([name, str(figures.positives), f"{figures.prevalence:.4f}", *ranks])
    every = list(marks.values())
    prevalence = sum(figures.prevalence for figures in every) / len(every)
    mean = _performance(every, baselines, "**{:.3f}**", "**{:.3f}**")
    rows.append(["**mean**", "", f"**{prevalence:.3f}**", *mean])
    return f"{evaluation.description}\n\n{_table(header, rows)}"


def _performance(
    marks: Sequence[MarkPerformance], baselines: Sequence[str], layout: str, ece_layout: str
) -> list[str]:
    """Cells with the mean figures of some marks: of the model, its ECE, then of each baseline."""

    def mean(values: list[float]) -> float:
        return sum(values) / len(values)

    models = [mark.model for mark in marks]
    errors = [model.ece for model in models if model.ece is not None]
    cells = []
    for figures in (models, *([mark.baselines[name] for mark in marks] for name in baselines)):
        cells.append(layout.format(mean([each.auroc for each in figures])))
        cells.append(layout.format(mean([each.auprc for each in figures])))
    cells.insert(2, ece_layout.format(mean(errors)) if errors else "")
    return cells


def _window(window: WindowSpec) -> str:
    middle = " of the middle" if window.kind == "interval" else ""
    whole = ", N beyond the contig" if window.whole else ""
    if window.shown:
        whole += f"; of the {window.shown} bp to each side of the start"
    reach = f"{window.upstream} bp upstream, {window.downstream} bp downstream"
    return f"{window.kind}, {reach}{middle}{whole}"


def _threshold_table(marks: Sequence[MarkSpec]) -> str:
    stated = any(mark.calls for mark in marks)
    header = ["mark", "called from probability"]
    header += ["precision", "recall"] if stated else []
    header += ["calibration", "slope", "intercept"]
    rows = []
    for mark in marks:
        calibration = mark.calibration
        row = [mark.name, "NA" if mark.unpredicted else f"{mark.threshold:.4f}"]
        if stated:
            row += [f"{value:.2f}" if value is not None else "" for value in expected_of(mark)]
        if mark.unpredicted:
            row += ["none", "", ""]
        elif calibration.logits:
            row += [f"isotonic, {len(calibration.logits)} knots", "", ""]
        else:
            method = calibration.method.replace("platt", "Platt")
            row += [method, f"{calibration.slope:.3f}", f"{calibration.intercept:.3f}"]
        rows.append(row)
    measured = "Precision and recall are those of the calls, expected from held-out windows."
    sentences = [measured] if stated else []
    explained = (mark for mark in marks if mark.calls or mark.unpredicted)
    sentences += [f"{promise_of(mark)}." for mark in explained if mark.threshold >= NEVER]
    return "".join(f"{sentence}\n\n" for sentence in sentences) + _table(header, rows)


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
