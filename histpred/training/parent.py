"""The bundle that a training goes on from: what it fixes, and what it has seen of the new rows."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas

from histpred.bundle.encoding import EncoderChoice, bundle_encoder
from histpred.bundle.folder import SPLIT, Bundle, load_bundle
from histpred.bundle.manifest import Parent
from histpred.bundle.organisms import Species
from histpred.bundle.outputs import assembly_of
from histpred.core.errors import UsageError, first_few
from histpred.encoders.chunks import parse_chunks
from histpred.genome.genomes import local_name
from histpred.genome.naming import chromosome
from histpred.genome.windows import parse_window
from histpred.labels.loci import overlapping
from histpred.labels.matrix import without_version
from histpred.labels.splits import TEST, TRAIN, VALIDATION
from histpred.labels.table import read_records
from histpred.training.settings import MLP, SPECTRA, Recipe

if TYPE_CHECKING:
    from histpred.scoring.embed import Genome
    from histpred.training.data import Dataset

logger = logging.getLogger(__name__)

FIXED = ("model", "members", "hidden", "mark_dimension")
"""Fields of a recipe that are the parent's."""
PLACE = ["chrom", "start", "end"]
INSTEAD = "train without --from; --bundle NAME trains a new perceptron on the encoder of a bundle"


def like_parent(recipe: Recipe, given: Mapping[str, object]) -> Recipe:
    """The recipe with what its parent fixes; unchanged if it has no parent.

    given: the fields of the recipe that the user chose. Raises UsageError if one of them disagrees
    with the parent, or if a training cannot go on from that bundle.
    """
    if recipe.parent is None:
        return recipe
    parent = load_bundle(recipe.parent)
    trained = _trained_recipe(parent)
    fixed = {name: trained[name] for name in FIXED}
    for name in FIXED if trained["model"] == MLP else FIXED[:2]:
        wanted, value = _shown(given.get(name, fixed[name])), _shown(fixed[name])
        if wanted != value:
            option = f"--{name.replace('_', '-')}"
            what = f"{option} {wanted}: {parent.manifest.name} has {value}"
            raise UsageError(what, f"leave {option} out: it is the parent's")
    if "dropout" not in given:
        fixed["dropout"] = trained["dropout"]
    return recipe._replace(**fixed)


def choose_source_of(
    parent: Bundle,
    model: str,
    bundle: str | None,
    name: str | None,
    chunks: str | None,
    window: str | None,
    weights: Path | None,
) -> EncoderChoice | None:
    """The parent's encoder; None for a model that reads bases.

    Raises UsageError if one of the options disagrees with the parent.
    """
    choice = bundle_encoder(parent, weights=weights)
    spec = parent.manifest.encoder
    named = parent.manifest.name
    if bundle is not None:
        raise UsageError("--bundle and --from are given", f"leave --bundle out: {named} has both")
    if name is not None and (model != MLP or name not in (spec.kind, spec.published)):
        hint = "leave --encoder out: it is the parent's"
        raise UsageError(f"--encoder {name}: {named} has {spec.published or spec.kind}", hint)
    if chunks is not None and (choice.chunks is None or parse_chunks(chunks) != choice.chunks):
        hint = "leave --chunks out: they are the parent's"
        raise UsageError(f"--chunks {chunks}: {named} has {choice.chunks or 'none'}", hint)
    if window is not None and str(parse_window(window)) != str(choice.window):
        hint = "leave --window out: it is the parent's"
        raise UsageError(f"--window {window}: {named} has {choice.window}", hint)
    if model == MLP:
        return choice
    if weights is not None:
        raise UsageError(f"{model} reads bases: it takes no weights", "leave --weights out")
    return None


def parent_first(marks: tuple[str, ...], parent: Bundle) -> tuple[str, ...]:
    """The marks of new labels in the parent's order, then those that the parent does not have."""
    known = [mark for mark in parent.manifest.mark_names if mark in marks]
    new = [mark for mark in marks if mark not in known]
    left = [mark for mark in parent.manifest.mark_names if mark not in marks]
    name = parent.manifest.name
    logger.info("marks that go on from %s: %s", name, first_few(known) or "none")
    if new:
        logger.info("marks that start anew: %s", first_few(new))
    if left:
        logger.info("marks of %s without labels, which are left out: %s", name, first_few(left))
    return (*known, *new)


def shared_marks(marks: tuple[str, ...], parent: Bundle) -> list[tuple[int, int]]:
    """The number of each mark that both have, here and in the parent."""
    theirs = parent.manifest.mark_names
    return [(i, theirs.index(mark)) for i, mark in enumerate(marks) if mark in theirs]


def describe_parent(parent: Bundle, dataset: Dataset) -> Parent:
    """What a manifest says of the parent; a warning says what it has seen of the test rows.

    A test row was seen if the parent was trained or validated on a row of its id or, in the same
    assembly, on one that shares a base with it. A parent without a split.tsv whose recipe names its
    test chromosomes has seen the others.
    """
    manifest, examples = parent.manifest, dataset.examples
    shared = tuple(mark for mark in dataset.marks if mark in manifest.mark_names)
    record = Parent(
        name=manifest.name, version=manifest.version, sha256=parent.digest, marks=shared
    )
    compared = _compared(dataset.genomes, manifest.species)
    if SPLIT in manifest.files:
        path = parent.directory / SPLIT
        _warn_of_other_assemblies(parent, dataset.genomes, compared)
        rows = (row for _, row in read_records(path, ("id", "set")))
        learned = [row for row in rows if row["set"] in (TRAIN, VALIDATION)]
        named = [*dataset.genomes, *(one.genome for one in manifest.species)]
        ids = {_bare(row["id"], named) for row in learned}
        by_id = np.array([_bare(unit, named) in ids for unit in examples.units], bool)
        by_place = _seen_places(examples.windows, compared, learned)
        how = f"To keep its sets, give --split {path}"
    elif (tested := _test_chromosomes(parent)) and compared:
        by_place = _on_other_chromosomes(examples.windows, compared, tested)
        by_id = np.zeros_like(by_place)
        how = (
            f"It has no {SPLIT}, and its recipe says that all chromosomes but {first_few(tested)} "
            "were for training and validation. To keep to that, give --split chromosome and "
            "--test-chromosomes"
        )
    else:
        logger.warning(
            "%s has no %s, so it is not known which of the test rows it was trained on",
            manifest.name,
            SPLIT,
        )
        return record
    test, validation = (examples.sets == name for name in (TEST, VALIDATION))
    seen = by_id | by_place
    counts = {
        "test_rows_seen": int((seen & test).sum()),
        "seen_by_id": int((by_id & test).sum()),
        "seen_by_place": int((by_place & test).sum()),
        "validation_rows_seen": int((seen & validation).sum()),
    }
    if (seen & (test | validation)).any():
        logger.warning(
            "%s was trained or validated on %d of the %d test rows (%d by their id, %d by their "
            "place) and on %d of the %d validation rows: their figures flatter the model, and its "
            "probabilities may be too sure. %s",
            *(manifest.name, counts["test_rows_seen"], test.sum(), counts["seen_by_id"]),
            *(counts["seen_by_place"], counts["validation_rows_seen"], validation.sum(), how),
        )
    return record.model_copy(update=counts)


def _trained_recipe(parent: Bundle) -> dict[str, Any]:
    """The recipe in the parent's manifest; UsageError if no training can go on from it."""
    name, trained = parent.manifest.name, parent.manifest.training.recipe.get("recipe")
    if not isinstance(trained, dict) or "model" not in trained:
        what = f"a training cannot go on from {name}: histpred train did not make it"
        raise UsageError(what, INSTEAD.replace("NAME", name))
    if trained["model"] not in (MLP, SPECTRA):
        what = f"a training cannot go on from {name}: its model is {trained['model']}"
        raise UsageError(what, f"give a bundle of --model {MLP} or {SPECTRA}, or leave --from out")
    recipe = {**Recipe()._asdict(), **trained}  # earlier releases had fewer fields
    return {**recipe, "hidden": tuple(recipe["hidden"])}


def _bare(unit: str, genomes: Collection[str]) -> str:
    """A unit without the genome before it, and without the version of its id."""
    genome, colon, rest = unit.partition(":")
    return without_version(rest if colon and genome in genomes else unit)


def _test_chromosomes(parent: Bundle) -> tuple[str, ...]:
    """The chromosomes that tested a bundle, if its recipe names them."""
    recipe = parent.manifest.training.recipe.get("recipe")
    named = recipe.get("test_chromosomes") if isinstance(recipe, dict) else None
    return tuple(map(str, named)) if isinstance(named, list) else ()


def _compared(
    genomes: Mapping[str, Genome], species: Sequence[Species]
) -> list[tuple[str, Species]]:
    """The names of the genomes that have an assembly in common with a species, and that species."""
    return [
        (name, one)
        for name, genome in genomes.items()
        for one in species
        if assembly_of(genome.lengths, [one])
    ]


def _warn_of_other_assemblies(
    parent: Bundle, genomes: Mapping[str, Genome], compared: list[tuple[str, Species]]
) -> None:
    """Warn of genomes that are not of another species, and whose places are not compared."""
    taxa = {one.taxon_id for one in parent.manifest.species}
    for name in sorted(genomes.keys() - {name for name, _ in compared}):
        taxon = genomes[name].taxon_id
        if taxon is None or None in taxa or taxon in taxa:
            logger.warning(
                "%s has no contig length in common with those that %s was trained on: test rows "
                "that it has seen are known by their id only",
                f"genome {name}" if name else "the genome",
                parent.manifest.name,
            )


def _seen_places(
    windows: pandas.DataFrame,
    compared: list[tuple[str, Species]],
    learned: list[dict[str, str]],
) -> np.ndarray:
    """True, bool [n], for windows that share a base with a row of the parent's split."""
    rows = [(row.get("chrom", ""), row.get("start"), row.get("end")) for row in learned]
    places = [
        (chrom, int(start), int(end))
        for chrom, start, end in rows
        if start and end and start.isdecimal() and end.isdecimal()
    ]
    theirs = pandas.DataFrame(places, columns=PLACE)
    ours = windows[PLACE].reset_index(drop=True)
    seen = np.zeros(len(ours), bool)
    for name, one in compared:
        here = _of_genome(ours, name)
        seen[here.index] |= _overlapping(here, _of_genome(theirs, one.genome))
    return seen


def _on_other_chromosomes(
    windows: pandas.DataFrame, compared: list[tuple[str, Species]], tested: Sequence[str]
) -> np.ndarray:
    """True, bool [n], for windows on chromosomes of the parent's genomes that did not test it."""
    ours = windows[PLACE].reset_index(drop=True)
    seen = np.zeros(len(ours), bool)
    for name, one in compared:
        here = _of_genome(ours, name)
        names = (local_name(one.genome, contig) for contig in tested)
        held_out = {chromosome(contig) for contig in names if contig is not None}
        seen[here.index] |= ~here["chrom"].isin(held_out).to_numpy()
    return seen


def _of_genome(places: pandas.DataFrame, genome: str) -> pandas.DataFrame:
    """The places of a genome, on chromosomes as `histpred.genome.naming.chromosome` writes them."""
    contigs = [local_name(genome, contig) for contig in places["chrom"]]
    own = places.assign(chrom=contigs).dropna(subset="chrom")
    return own.assign(chrom=own["chrom"].map(chromosome))


def _overlapping(here: pandas.DataFrame, there: pandas.DataFrame) -> np.ndarray:
    """True, bool [n], for the places here that share a base with one there."""
    both = pandas.concat([here, there], ignore_index=True)
    found: np.ndarray = overlapping(both, np.arange(len(both)) >= len(here))[: len(here)]
    return found


def _shown(value: object) -> str:
    """A value of an option as it is typed."""
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
