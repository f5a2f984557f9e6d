"""Train a bundle from an annotation, a genome and labels.

The steps are: embed, split, fit, calibrate, export, describe. Validation rows choose the epoch, the
thresholds and the calibration. Test rows choose nothing; they only give the figures on the card.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import torch
from pydantic import JsonValue

from histpred.bundle.calls import wanted_precision
from histpred.bundle.encoding import EncoderChoice
from histpred.bundle.folder import (
    CARD,
    HISTORY,
    MANIFEST,
    MARK_VECTORS,
    SCORER,
    SPLIT,
    Bundle,
    load_bundle,
    parse_manifest,
)
from histpred.bundle.outputs import window_for
from histpred.bundle.probability import probabilities_of
from histpred.bundle.publish import write_bundle
from histpred.core.errors import BundleError, OutputError
from histpred.core.execution import Execution
from histpred.core.finished import refuse_other
from histpred.core.graph import BINS, GRAPH, HEADS
from histpred.core.output import (
    RESUME,
    output_folder,
    refuse_inputs,
    refuse_streams,
    sweep,
    temporary_faults,
)
from histpred.encoders.devices import BF16, choose_device, choose_training_precision
from histpred.evaluation.calibration import calibrate
from histpred.genome.genomes import GenomeInput, all_files, with_cache
from histpred.genome.regions import INTERVAL
from histpred.labels.genomes import absent_marks, read_genome_labels
from histpred.labels.loci import locus_numbers
from histpred.labels.splits import TEST, VALIDATION, write_split
from histpred.training.checkpoint import fixing, warn_of_faults
from histpred.training.data import WINDOWS, gather
from histpred.training.describe import TrainingRun, describe
from histpred.training.export import CHECKED, export, history_table, known_answer
from histpred.training.fitting import Epoch, logits_of, reproducible
from histpred.training.members import Network, fit_members, trained_part
from histpred.training.parent import describe_parent, parent_first
from histpred.training.recipe import Source, check, files_of, identify
from histpred.training.settings import TRAINING_PRECISION, About, Recipe

logger = logging.getLogger(__name__)

OUTPUTS = (SCORER, CARD, GRAPH, BINS, HEADS, SPLIT, HISTORY, MARK_VECTORS, MANIFEST)


def train(
    genomes: Sequence[GenomeInput],
    out: Path,
    recipe: Recipe,
    about: About,
    choice: EncoderChoice | None,
    execution: Execution = Execution(),
    progress: Callable[[Epoch], None] = lambda epoch: None,
) -> Bundle:
    """Train a bundle and write it into the folder `out`.

    Every genome has labels. `choice` is the encoder for the model 'mlp', None for models that read
    bases. The device of `execution` is that of encoder and training; its precision is the
    encoder's, and bf16 is that of training too (`choose_training_precision`); its progress counts
    embedded windows, `progress` epochs. Raises HistpredError for inputs, labels and settings that
    cannot be used; nothing is published then.
    """
    files = all_files(genomes)
    refuse_streams(files)
    check(recipe, about, genomes)
    refuse_inputs([out / name for name in OUTPUTS], (*files, *files_of(recipe).values()))
    source = choice and Source(choice, choice.open(execution.device, execution.precision))
    window = choice.window if choice else WINDOWS[recipe.model]
    labels = read_genome_labels(genomes, recipe.marks)
    parent = load_bundle(recipe.parent) if recipe.parent else None
    if parent:
        window = window_for(parent)
        labels = read_genome_labels(genomes, parent_first(labels[0].marks, parent))
    for absent in absent_marks(genomes, labels):
        logger.warning(absent)
    device = choose_device(execution.device)
    precision = choose_training_precision(device, execution.precision)
    with temporary_faults(), reproducible(), ExitStack() as stack:
        identity = identify(genomes, recipe, about, source, window)
        if execution.precision == BF16:  # CUDA trains in it in any case
            identity[TRAINING_PRECISION] = precision
        if not execution.overwrite and (known := _finished(out, identity)):
            sweep(out)
            return known
        ships = [path.name for path in (source.ships if source else ())]
        names = (*(name for name in ships if name not in OUTPUTS), *OUTPUTS)
        work = stack.enter_context(output_folder(out, names, _is_ours))
        resume = out / RESUME
        warn_of_faults(resume, fixing(identity, device))
        expensive = choice is not None and choice.is_expensive
        kept = execution.store or (resume / "store" if expensive else None)
        how = execution._replace(store=kept)
        genomes = with_cache(genomes, work / ".genome")
        dataset = gather(genomes, window, source, work, how, recipe, labels)
        told = describe_parent(parent, dataset) if parent else None
        run = TrainingRun(recipe, about, window, identity, dataset, genomes, told)
        network, histories = fit_members(
            *(dataset.examples, dataset.marks, recipe, device, precision),
            *(resume, identity, progress),
        )
        _write(run, source, network, histories, work)
    return load_bundle(out.resolve())


def _write(
    run: TrainingRun,
    source: Source | None,
    network: Network,
    histories: list[list[Epoch]],
    work: Path,
) -> None:
    """Calibrate the network and write its bundle into the folder `work`."""
    examples, marks, seed = run.dataset.examples, run.dataset.marks, run.recipe.settings.seed
    part, logits = trained_part(network), {}
    for name in (VALIDATION, TEST):
        numbers = torch.from_numpy(examples.numbers(name))
        logits[name] = logits_of(part, torch.from_numpy(examples.inputs), numbers).cpu().numpy()
    network.cpu()
    validation = examples.numbers(VALIDATION)
    loci = locus_numbers(examples.windows.iloc[validation].reset_index(drop=True))
    wanted = wanted_precision(run.recipe.calls, run.window.kind == INTERVAL)
    calibrated = calibrate(logits[VALIDATION], examples.labels[validation], loci, seed, wanted)
    calibrations = [mark.calibration for mark in calibrated]
    never = [m for m, c in zip(marks, calibrated, strict=True) if c.threshold >= 1]
    if never:
        logger.warning(
            "%d marks are never called, because the validation rows show no skill for them%s: %s",
            len(never),
            " or no threshold of that precision" if wanted else "",
            ", ".join(never),
        )

    check_rows = examples.inputs[validation[:CHECKED]]
    encoder, scorer, others = export(network, source, run.window, marks, check_rows)
    write_split(work / SPLIT, examples.windows, examples.units.tolist(), examples.sets)
    probabilities = {name: probabilities_of(rows, calibrations) for name, rows in logits.items()}
    known = known_answer(network, source, run.window, marks, calibrations, seed)
    manifest, notes = describe(run, histories, probabilities, calibrated, encoder, known)
    others |= {SPLIT: (work / SPLIT).read_bytes(), HISTORY: history_table(histories)}
    write_bundle(work, manifest, scorer, notes, others)


def _finished(out: Path, identity: dict[str, JsonValue]) -> Bundle | None:
    """The bundle in the folder `out`, None if there is none; OutputError if it is another one."""
    if not (out / MANIFEST).exists():
        return None
    try:
        bundle = load_bundle(out.resolve())
    except BundleError as error:
        raise OutputError(
            f"{out} holds a bundle that is damaged: {error.message}",
            "choose another folder for -o, or add --overwrite to replace it",
        ) from error
    refuse_other(out, "another bundle", bundle.manifest.training.recipe, identity, {})
    logger.info("%s holds this bundle already: nothing to do", out)
    return bundle


def _is_ours(path: Path) -> bool:
    try:
        parse_manifest(path.read_bytes(), path)
    except (OSError, BundleError):
        return False
    return True
