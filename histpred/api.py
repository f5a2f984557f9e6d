"""The verbs as functions: paths or DataFrames in, DataFrames out; see `histpred.verbs` too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

from histpred import verbs
from histpred.arguments import (
    choice_of,
    inputs_of,
    names_of,
    opened,
    path_of,
    selection_of,
    text_of,
    threads_of,
)
from histpred.bundle.encoding import choose_encoder
from histpred.bundle.folder import DEFAULT_BUNDLE, load_bundle
from histpred.bundle.outputs import window_for
from histpred.core.errors import UsageError
from histpred.core.execution import Execution, Progress, no_progress
from histpred.genome.regions import BLOCK
from histpred.genome.request import REGIONS
from histpred.scoring.frames import data_set, output_path, path_text, read_frame, read_prediction
from histpred.training.settings import About, Recipe, Settings

SETTINGS = Settings()

if TYPE_CHECKING:
    import anndata
    import numpy
    import pandas

    from histpred.arguments import Annotation, AnyPath, Sequences
    from histpred.genome.genomes import GenomeInput


class PredictOptions(TypedDict, total=False):
    """The options of `predict` that do not change what it returns, for type checkers."""

    bundle: AnyPath
    biotypes: str | Sequence[str]
    genes: str | Sequence[str]
    by: str | None
    window: str | None
    tile: int | None
    transcripts: AnyPath | Sequence[AnyPath]
    unstranded: bool
    device: str
    precision: str
    weights: AnyPath | None
    store: AnyPath | None
    overwrite: bool
    tracks: bool
    marks: str | Sequence[str]
    call_precision: float | None
    threads: int | None


@overload
def predict(
    annotation: Annotation | Sequences,
    fasta: AnyPath | None = None,
    out: AnyPath | None = None,
    *,
    calls: Literal[False] = False,
    **options: Unpack[PredictOptions],
) -> pandas.DataFrame: ...


@overload
def predict(
    annotation: Annotation | Sequences,
    fasta: AnyPath | None = None,
    out: AnyPath | None = None,
    *,
    calls: Literal[True],
    **options: Unpack[PredictOptions],
) -> tuple[pandas.DataFrame, pandas.DataFrame]: ...


def predict(
    annotation: Annotation | Sequences,
    fasta: AnyPath | None = None,
    out: AnyPath | None = None,
    *,
    bundle: AnyPath = DEFAULT_BUNDLE,
    biotypes: str | Sequence[str] = (),
    genes: str | Sequence[str] = (),
    by: str | None = None,
    window: str | None = None,
    tile: int | None = None,
    transcripts: AnyPath | Sequence[AnyPath] = (),
    unstranded: bool = False,
    device: str = "auto",
    precision: str = "auto",
    weights: AnyPath | None = None,
    store: AnyPath | None = None,
    overwrite: bool = False,
    tracks: bool = False,
    marks: str | Sequence[str] = (),
    call_precision: float | None = None,
    threads: int | None = None,
    calls: bool = False,
) -> pandas.DataFrame | tuple[pandas.DataFrame, pandas.DataFrame]:
    """The probabilities of scores.tsv.gz: a row for each window, sorted by position.

    Parameters
    ----------
    annotation
        BED, GTF or GFF3; a DataFrame whose columns are those of a BED, in order; or a list of
        regions, 1-based with both ends, such as "chr22:20,100,000-20,104,000:+", which are
        intervals; with `tile`, the FASTA itself for all its contigs.
    fasta
        The genome of the same assembly. None: `annotation` is a FASTA of sequences without a
        genome, or a mapping of names to sequences; with `tile`, it is the genome.
    out
        Folder for the files that `histpred predict` writes; None: they are not kept.
    genes
        Names or IDs of the genes to use; empty: all.
    bundle, biotypes, by, window, tile, transcripts, unstranded, device, precision, weights, store,
    overwrite, tracks, marks, call_precision, threads
        As the options of `histpred predict`.
    calls
        Return the calls too.

    Returns
    -------
    scores : pandas.DataFrame
        Columns chrom, start, end (0-based half-open), name, strand, gene_id, biotype, n_fraction,
        known_fraction, then a probability for each mark, NaN if the bundle does not predict it.
        `attrs` has the keys of `histpred.scoring.frames.attributes_of`: bundle, thresholds,
        promises, unpredicted, first_words and warnings.
    calls : pandas.DataFrame
        With `calls`: a row for each window and mark that is called. Columns chrom, start, end,
        name, strand, gene_id, biotype, mark and probability; `attrs` as of the scores.

    Raises
    ------
    HistpredError
        For inputs that cannot be used; nothing is written then.
    """
    if tracks and out is None:
        raise UsageError("tracks need a folder", "give out=")
    loaded, inputs = load_bundle(bundle), inputs_of(annotation, fasta, tiles=bool(tile))
    window = window if tile else inputs.window(loaded, window)
    choice = choice_of(loaded, window, weights, marks, tile)
    choice = choice._replace(call_precision=call_precision)
    execution = Execution(device, precision, path_of(store), overwrite)
    rows = selection_of(by, biotypes, unstranded, genes=genes, transcripts=transcripts)
    with opened(inputs, rows, threads, out) as (request, folder):
        verbs.predict(request, choice, folder, execution, tracks)
        scores, called = read_prediction(folder)
        return (scores, called) if calls else scores


class ExplainOptions(TypedDict, total=False):
    """The options of `explain` that do not change what it returns, for type checkers."""

    bundle: AnyPath
    biotypes: str | Sequence[str]
    genes: str | Sequence[str]
    by: str | None
    window: str | None
    unstranded: bool
    resolution: int | None
    device: str
    precision: str
    weights: AnyPath | None
    store: AnyPath | None
    overwrite: bool
    marks: str | Sequence[str]
    threads: int | None


@overload
def explain(
    annotation: Annotation | Sequences,
    fasta: AnyPath | None = None,
    out: AnyPath | None = None,
    *,
    bases: None = None,
    **options: Unpack[ExplainOptions],
) -> pandas.DataFrame: ...


@overload
def explain(
    annotation: Annotation | Sequences,
    fasta: AnyPath | None = None,
    out: AnyPath | None = None,
    *,
    bases: str | Sequence[str],
    **options: Unpack[ExplainOptions],
) -> tuple[pandas.DataFrame, pandas.DataFrame]: ...


def explain(
    annotation: Annotation | Sequences,
    fasta: AnyPath | None = None,
    out: AnyPath | None = None,
    *,
    bundle: AnyPath = DEFAULT_BUNDLE,
    biotypes: str | Sequence[str] = (),
    genes: str | Sequence[str] = (),
    by: str | None = None,
    window: str | None = None,
    unstranded: bool = False,
    resolution: int | None = None,
    bases: str | Sequence[str] | None = None,
    device: str = "auto",
    precision: str = "auto",
    weights: AnyPath | None = None,
    store: AnyPath | None = None,
    overwrite: bool = False,
    marks: str | Sequence[str] = (),
    threads: int | None = None,
) -> pandas.DataFrame | tuple[pandas.DataFrame, pandas.DataFrame]:
    """What each stretch of a window contributes to each mark: contributions.tsv.gz.

    Parameters
    ----------
    annotation, fasta, out, genes
        As for `predict`; `out` is the folder for the files that `histpred explain` writes.
    bases
        Regions in which each base is replaced by the three others; None: none.
    bundle, biotypes, by, window, unstranded, resolution, device, precision, weights, store,
    overwrite, marks, threads
        As the options of `histpred explain`.

    Returns
    -------
    contributions : pandas.DataFrame
        Columns chrom, start, end (0-based half-open), window, mark and contribution, sorted by
        position. `attrs`: `scales`, 'calibrated' or 'raw' for each mark; `windows`, the windows
        with their probabilities as a list of dictionaries; `bundle` and `warnings`.
    effects : pandas.DataFrame
        With `bases`: columns chrom, start, end, window, mark, ref, alt and effect.

    Raises
    ------
    HistpredError
        For inputs that cannot be used; nothing is written then.
    """
    from histpred.scoring.explain_frames import read_explanation
    from histpred.scoring.substitutions import bases_text

    loaded, inputs = load_bundle(bundle), inputs_of(annotation, fasta)
    choice = choice_of(loaded, inputs.window(loaded, window), weights, marks)
    execution = Execution(device, precision, path_of(store), overwrite)
    rows = selection_of(by, biotypes, unstranded, genes=genes)
    with opened(inputs, rows, threads, out) as (request, folder):
        replaced = bases_text(" ".join(names_of(bases or ())), request.fasta)
        verbs.explain(request, choice, folder, execution, resolution, replaced)
        contributions, effects = read_explanation(folder)
        return contributions if effects is None else (contributions, effects)


def variants(
    vcf: AnyPath,
    annotation: Annotation,
    fasta: AnyPath,
    out: AnyPath | None = None,
    *,
    bundle: AnyPath = DEFAULT_BUNDLE,
    background: int | None = None,
    anyway: bool = False,
    biotypes: str | Sequence[str] = (),
    genes: str | Sequence[str] = (),
    by: str | None = None,
    window: str | None = None,
    unstranded: bool = False,
    device: str = "auto",
    precision: str = "auto",
    weights: AnyPath | None = None,
    store: AnyPath | None = None,
    overwrite: bool = False,
    marks: str | Sequence[str] = (),
    threads: int | None = None,
) -> pandas.DataFrame:
    """The effects of the alleles of a VCF or BCF, as `histpred variants` writes them.

    A row for each allele and window, in the order of the VCF: the columns of effects.tsv.gz, with
    `chrom` the FASTA's name and `pos` as in the VCF. What a window lacks is NaN. `attrs` has what
    `histpred.scoring.frames.read_effects` says.

    `annotation` may be a list of regions and `genes` names of genes, as for `predict`. out: a
    folder for the files that `histpred variants` writes; None: they are not kept. background:
    number of random substitutions; None: the usual one. The others are as its options. Raises
    HistpredError for inputs that cannot be used; nothing is written then.
    """
    from histpred.scoring.frames import read_effects
    from histpred.scoring.variants import BACKGROUND, VariantOptions

    loaded, inputs = load_bundle(bundle), inputs_of(annotation, path_text(fasta, "fasta"))
    choice = choice_of(loaded, inputs.window(loaded, window), weights, marks)
    options = VariantOptions(BACKGROUND if background is None else background, anyway)
    execution = Execution(device, precision, path_of(store), overwrite)
    rows = selection_of(by, biotypes, unstranded, genes=genes)
    with opened(inputs, rows, threads, out) as (request, folder):
        verbs.variants(path_text(vcf, "vcf"), request, choice, folder, options, execution)
        return read_effects(folder)


def windows(
    annotation: Annotation,
    fasta: AnyPath,
    *,
    bundle: AnyPath = DEFAULT_BUNDLE,
    biotypes: str | Sequence[str] = (),
    genes: str | Sequence[str] = (),
    by: str | None = None,
    window: str | None = None,
    transcripts: AnyPath | Sequence[AnyPath] = (),
    unstranded: bool = False,
) -> pandas.DataFrame:
    """The windows that `predict` would score: its arguments, and its columns but for the marks."""
    loaded, inputs = load_bundle(bundle), inputs_of(annotation, path_text(fasta, "fasta"))
    spec = window_for(loaded, inputs.window(loaded, window))
    rows = selection_of(by, biotypes, unstranded, genes=genes, transcripts=transcripts)
    with inputs.request(rows) as request, output_path(None, "windows.tsv") as table:
        verbs.windows(request, spec, table)
        return read_frame(table).drop(columns=["blocks", "outside"])


def embed(
    annotation: Annotation,
    fasta: AnyPath,
    *,
    bundle: AnyPath | None = None,
    encoder: str | None = None,
    weights: AnyPath | None = None,
    chunks: str | None = None,
    biotypes: str | Sequence[str] = (),
    genes: str | Sequence[str] = (),
    by: str | None = None,
    window: str | None = None,
    transcripts: AnyPath | Sequence[AnyPath] = (),
    unstranded: bool = False,
    device: str = "auto",
    precision: str = "auto",
    store: AnyPath | None = None,
    threads: int | None = None,
) -> tuple[pandas.DataFrame, numpy.ndarray]:
    """Windows and their embeddings, sorted by position.

    `annotation` may be a list of regions and `genes` names of genes, as for `predict`; the others
    are as the options of `histpred embed`.

    Returns
    -------
    windows : pandas.DataFrame
        Columns chrom, start, end (0-based half-open), name, strand, gene_id, biotype, n_fraction,
        known_fraction.
    vectors : numpy.ndarray
        float32 [windows, dimension].

    Raises
    ------
    HistpredError
        For inputs, weights and devices that cannot be used.
    """
    from histpred.scoring.embed import read_table

    inputs = inputs_of(annotation, path_text(fasta, "fasta"))
    loaded = load_bundle(bundle) if bundle and inputs.source == REGIONS else None
    window = inputs.window(loaded, window)
    choice = choose_encoder(text_of(bundle), encoder, chunks, window, path_of(weights))
    rows = selection_of(by, biotypes, unstranded, genes=genes, transcripts=transcripts)
    with opened(inputs, rows, threads, None, "windows.parquet") as (request, table):
        folder = path_of(store) or table.with_name("store")
        verbs.embed(request, choice, table, Execution(device, precision, folder))
        return read_table(table)


def train(
    annotation: Annotation | Sequence[GenomeInput],
    fasta: AnyPath | None = None,
    labels: Annotation | None = None,
    out: AnyPath | None = None,
    *,
    name: str | None = None,
    bundle: AnyPath | None = None,
    encoder: str | None = None,
    weights: AnyPath | None = None,
    chunks: str | None = None,
    biotypes: str | Sequence[str] = (),
    by: str | None = None,
    window: str | None = None,
    transcripts: AnyPath | Sequence[AnyPath] = (),
    unstranded: bool = False,
    device: str = "auto",
    precision: str = "auto",
    store: AnyPath | None = None,
    overwrite: bool = False,
    epochs: int = SETTINGS.epochs,
    batch: int = SETTINGS.batch,
    learning_rate: float = SETTINGS.learning_rate,
    seed: int = SETTINGS.seed,
    threads: int | None = None,
    **recipe: Any,
) -> Path:
    """Train a bundle; returns its folder, which `predict` and `evaluate` take.

    Raises HistpredError for inputs that cannot be used; nothing is written then. What is not
    listed is as the options of `histpred train`.

    Parameters
    ----------
    annotation
        As for `predict`; or a sheet of genomes, as one path or as a sequence of
        `histpred.genome.genomes.GenomeInput`, without fasta and labels.
    labels
        A table that `histpred train` reads, or a DataFrame of the same columns: an id, then a
        column of 1, 0 or NaN for each mark.
    out
        The bundle's folder; always needed.
    recipe
        Fields of `histpred.training.settings.Recipe`: model, parent (`--from`), hidden, dropout,
        members, mark_dimension, loss, prior, split, block, test_chromosomes,
        validation_chromosomes, marks, calls.
    """
    from histpred.training.parent import like_parent
    from histpred.training.recipe import choose_source

    settings = Settings(epochs=epochs, batch=batch, learning_rate=learning_rate, seed=seed)
    chosen = like_parent(Recipe(**recipe, settings=settings), recipe)
    if out is None:
        raise UsageError("a bundle needs a folder", "give out=")
    folder = Path(out)
    choice = choose_source(chosen, text_of(bundle), encoder, chunks, window, path_of(weights))
    execution = Execution(device, precision, path_of(store), overwrite)
    about = About(name or folder.resolve().name)
    selection = selection_of(by, biotypes, unstranded, transcripts=transcripts)
    with threads_of(threads), data_set(annotation, fasta, labels, selection) as genomes:
        verbs.train(genomes, folder, chosen, about, choice, execution)
    return folder


def evaluate(
    bundle: AnyPath,
    annotation: Annotation | Sequence[GenomeInput],
    fasta: AnyPath | None = None,
    labels: Annotation | None = None,
    out: AnyPath | None = None,
    *,
    beside: Sequence[AnyPath] = (),
    rows: str = "test",
    marks: str | Sequence[str] = (),
    biotypes: str | Sequence[str] = (),
    by: str | None = None,
    window: str | None = None,
    tile: int | None = None,
    transcripts: AnyPath | Sequence[AnyPath] = (),
    unstranded: bool = False,
    block: int = BLOCK,
    seed: int = 0,
    device: str = "auto",
    weights: AnyPath | None = None,
    store: AnyPath | None = None,
    overwrite: bool = False,
    cache: AnyPath | None = None,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """The figures of a bundle on labelled rows: what metrics.json holds.

    `annotation` and `labels` as for `train`; `out` is a folder for the tables, figures and report,
    None: they are not kept. The others are as the options of `histpred evaluate`. For the keys, see
    `histpred.reports.evaluation.metrics_of`.
    """
    from histpred.evaluation.rows import EvaluationOptions
    from histpred.evaluation.scores import Target

    others = tuple(load_bundle(other) for other in beside)
    target = Target(window, tile or 0)
    options = EvaluationOptions(others, rows, names_of(marks), seed, target, block)
    execution = Execution(device, "auto", path_of(store), overwrite, progress)
    selection = selection_of(by, biotypes, unstranded, transcripts=transcripts, cache=cache)
    given = data_set(annotation, fasta, labels, selection)
    with threads_of(threads), given as genomes, output_path(out, "out") as folder:
        loaded = load_bundle(bundle)
        return verbs.evaluate(loaded, genomes, folder, options, execution, path_of(weights))


def experiment(
    sheet: AnyPath,
    out: AnyPath,
    *,
    genomes: AnyPath | None = None,
    only: str | Sequence[str] = (),
    device: str = "auto",
    precision: str = "auto",
    store: AnyPath | None = None,
    overwrite: bool = False,
    cache: AnyPath | None = None,
) -> dict[str, str]:
    """Run an experiment into the folder `out`; returns why configurations are missing, by name.

    sheet: a YAML file, or a shipped one ('paper', 'smoke'). genomes: a samplesheet in place of the
    sheet's genomes. The others are as the options of `histpred experiment`. For the files, see
    `histpred.experiments.report.write_report`. Raises HistpredError for a sheet or inputs that
    cannot be used, and if no configuration can be evaluated.
    """
    from histpred.experiments.run import Stage

    execution = Execution(device, precision, path_of(store), overwrite)
    stage = Stage(names_of(only))
    outcome = verbs.experiment(
        Path(sheet), path_of(genomes), Path(out), stage, execution, path_of(cache)
    )
    return outcome.missing


def to_anndata(scores: AnyPath, embeddings: AnyPath | None = None) -> anndata.AnnData:
    """A finished prediction as AnnData, as `histpred convert` writes it; needs the extra anndata.

    scores: the folder of `predict`. embeddings: a table that `histpred embed` wrote with the
    options of the prediction; None: no vectors. See `histpred.reports.convert.to_anndata` for what
    is in it and what is raised.
    """
    from histpred.reports import convert as stage

    return stage.to_anndata(Path(scores), path_of(embeddings))
