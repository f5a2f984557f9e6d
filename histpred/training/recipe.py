"""Checks of a recipe, and the identity that a bundle's manifest records."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import JsonValue

from histpred.bundle.calls import wanted_precision
from histpred.bundle.encoding import EncoderChoice, choose_encoder
from histpred.bundle.folder import MANIFEST, find_bundle, load_bundle
from histpred.bundle.mark_spec import NAME_PATTERN
from histpred.core.errors import InputError, UsageError, first_few
from histpred.core.journal import file_digest
from histpred.core.version import __version__
from histpred.encoders import Encoder
from histpred.genome.genomes import ASSEMBLY, SPECIES, TAXON, GenomeInput
from histpred.genome.windows import WindowSpec
from histpred.labels.genomes import genomes_identity
from histpred.labels.splits import CHROMOSOME, METHODS
from histpred.labels.splitting import refuse_unknown
from histpred.training.parent import choose_source_of
from histpred.training.settings import MLP, NNPU, SPECTRA, About, Recipe

ABOUT_GENOME = (SPECIES, TAXON, ASSEMBLY)
"""Columns of a sheet of genomes, and fields of About for a genome without a sheet."""


class Source(NamedTuple):
    """Source of a perceptron's embeddings: the chosen encoder, and the same encoder opened."""

    choice: EncoderChoice
    encoder: Encoder

    @property
    def ships(self) -> tuple[Path, ...]:
        """The encoder's own files, if they travel with the bundle."""
        bundle = self.choice.bundle
        return () if bundle is None or bundle.manifest.encoder.files else self.encoder.files

    def exact(self) -> Encoder:
        """The encoder as `histpred bundle verify` opens it: on the CPU, in full precision."""
        same = self.encoder.device == "cpu" and self.encoder.precision == "fp32"
        return self.encoder if same else self.choice.open("cpu", "fp32")


def choose_source(
    recipe: Recipe,
    bundle: str | None = None,
    name: str | None = None,
    chunks: str | None = None,
    window: str | None = None,
    weights: Path | None = None,
) -> EncoderChoice | None:
    """The encoder that a model is trained on, k-mers if none is named; None if it reads bases.

    If the recipe has a parent, it is the parent's. Raises UsageError if an encoder is named for a
    model that reads bases, or another than the parent's.
    """
    if recipe.parent:
        parent = load_bundle(recipe.parent)
        return choose_source_of(parent, recipe.model, bundle, name, chunks, window, weights)
    if recipe.model == MLP:
        named = name if bundle or name else "kmer"
        return choose_encoder(bundle, named, chunks, window, weights)
    if bundle or name or chunks or window or weights:
        what = f"{recipe.model} reads bases: it takes no encoder, chunks or window"
        raise UsageError(what, "leave them out")
    return None


def check(recipe: Recipe, about: About, genomes: Sequence[GenomeInput] = ()) -> None:
    """Raise UsageError if a recipe cannot be trained or a bundle cannot have its name.

    The species of genomes with a name are in their sheet, so `about` must not state them.
    """
    if not re.fullmatch(NAME_PATTERN, about.name):
        raise UsageError(
            f"{about.name!r} cannot be the name of a bundle",
            "give --name: letters, digits and . _ + -, beginning with a letter or digit",
        )
    stated = ABOUT_GENOME if any(genome.name for genome in genomes) else ()
    if twice := [column for column in stated if getattr(about, column) is not None]:
        options = first_few(f"--{column.replace('_', '-')}" for column in twice)
        hint = f"put the column {first_few(twice)} into the sheet, with a value for each genome"
        raise UsageError(f"{options} is for one genome, and there is a sheet of genomes", hint)
    refuse_unknown(recipe.split)
    if recipe.split != CHROMOSOME and (recipe.test_chromosomes or recipe.validation_chromosomes):
        what = f"chromosomes are named, but the split is {recipe.split!r}"
        raise UsageError(what, f"add --split {CHROMOSOME}")
    if both := sorted(set(recipe.test_chromosomes) & set(recipe.validation_chromosomes)):
        raise UsageError(f"{first_few(both)} cannot both test and validate", "name it once")
    if recipe.loss == NNPU:
        prior_share(recipe.prior)
    elif recipe.prior is not None:
        raise UsageError(f"--prior is not for --loss {recipe.loss}", f"it is for --loss {NNPU}")
    if recipe.mark_dimension is not None and recipe.model != MLP:
        raise UsageError(f"{recipe.model} has no mark vectors", "leave --mark-dimension out")
    if recipe.members > 1 and recipe.model not in (MLP, SPECTRA):
        raise UsageError(
            f"--members {recipe.members}: {recipe.model} is too large for that",
            f"it is for --model {MLP} and {SPECTRA}",
        )
    try:
        wanted_precision(recipe.calls, False)
    except ValueError:
        hint = "give youden, or precision:SHARE with a share above 0 and up to 1"
        raise UsageError(f"--calls {recipe.calls} is no rule for thresholds", hint) from None
    if not (math.isfinite(recipe.settings.learning_rate) and 0 <= recipe.dropout < 1):
        given = f"a learning rate of {recipe.settings.learning_rate}, a dropout of {recipe.dropout}"
        raise UsageError(given, "give numbers; the dropout must be below 1")


def prior_share(given: str | None) -> float | None:
    """The share of true positives that are labelled; None if `given` is a table of priors.

    Raises UsageError if nothing is given or a number is no such share, and InputError if there is
    no such table.
    """
    if given is None:
        raise UsageError(
            f"--loss {NNPU} needs to know how common the marks are",
            "give --prior: the share of true positives that are labelled (0.5, say), or a "
            "tab-separated table with the columns mark and prior",
        )
    try:
        share = float(given)
    except ValueError:
        if Path(given).is_file():
            return None
        hint = "--prior is a number above 0 and up to 1, or a table with the columns mark and prior"
        raise InputError(given, "cannot be read: no such file", hint) from None
    if not 0 < share <= 1:
        raise UsageError(
            f"--prior {given}: no share of true positives that are labelled",
            "give a number above 0 and up to 1, or a table of priors",
        )
    return share


def files_of(recipe: Recipe) -> dict[str, Path]:
    """Files that a recipe names: the split, the priors, and the manifest of the parent."""
    named = {"prior": Path(recipe.prior or "")}
    if recipe.split not in METHODS:
        named["split"] = Path(recipe.split)
    if recipe.parent:
        named["parent"] = find_bundle(recipe.parent) / MANIFEST
    return {what: path for what, path in named.items() if path.is_file()}


def identify(
    genomes: Sequence[GenomeInput],
    recipe: Recipe,
    about: About,
    source: Source | None,
    window: WindowSpec,
) -> dict[str, JsonValue]:
    """Everything that fixes a bundle, with digests in place of paths."""
    files = files_of(recipe)
    options = recipe._asdict() | {"settings": recipe.settings._asdict()}
    identity: dict[str, Any] = {
        "histpred": __version__,
        **genomes_identity(genomes, window.kind),
        "window": str(window),
        "about": about._asdict(),
        "recipe": options | {what: file_digest(path) for what, path in files.items()},
    }
    if source:
        identity["encoder"] = {
            "kind": source.choice.spec.kind,
            "settings": dict(source.choice.spec.settings),
            "chunks": str(source.choice.chunks) if source.choice.chunks else None,
            "files": {path.name: file_digest(path) for path in source.encoder.files},
            "precision": source.encoder.precision,
        }
    known: dict[str, JsonValue] = json.loads(json.dumps(identity))
    return known
