"""The verbs as functions: paths or DataFrames in, DataFrames out."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from histpred.bundle.folder import DEFAULT_BUNDLE, load_bundle
from histpred.bundle.outputs import window_for
from histpred.core.errors import HistpredError, UsageError
from histpred.scoring.record import Options

if TYPE_CHECKING:
    import anndata
    import numpy
    import pandas

TEXT_COLUMNS = dict.fromkeys(("#chrom", "name", "strand", "gene_id", "biotype"), str)


def predict(
    annotation: str | os.PathLike[str] | pandas.DataFrame,
    fasta: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    bundle: str | os.PathLike[str] = DEFAULT_BUNDLE,
    biotypes: str | Sequence[str] = (),
    by: str | None = None,
    window: str | None = None,
    tile: int | None = None,
    unstranded: bool = False,
    device: str = "auto",
    precision: str = "auto",
    weights: str | os.PathLike[str] | None = None,
    store: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    tracks: bool = False,
) -> pandas.DataFrame:
    """The probabilities of scores.tsv.gz: a row for each window, sorted by position.

    Parameters
    ----------
    annotation
        BED, GTF or GFF3; or a DataFrame whose columns are those of a BED, in order; with `tile`,
        the FASTA itself for all its contigs.
    fasta
        The genome of the same assembly.
    out
        Folder for the files that `histpred predict` writes; None: they are not kept.
    bundle, biotypes, by, window, tile, unstranded, device, precision, weights, store, overwrite,
    tracks
        As the options of `histpred predict`.

    Returns
    -------
    pandas.DataFrame
        Columns chrom, start, end (0-based half-open), name, strand, gene_id, biotype, n_fraction,
        then a probability for each mark.

    Raises
    ------
    HistpredError
        For inputs that cannot be used; nothing is written then.
    """
    from histpred.scoring import predict as stage
    from histpred.scoring.derived import FOLDER, hub_is_due, refuse_other_hub
    from histpred.tracks.hub import write_hub

    loaded = load_bundle(bundle)
    options = Options(window_for(loaded, window, tile), by, _names(biotypes), unstranded, precision)
    if tracks:
        if out is None:
            raise UsageError("tracks need a folder", "give out=")
        refuse_other_hub(Path(out))
    with _as_file(annotation) as path, tempfile.TemporaryDirectory() as scratch:
        folder = Path(out) if out is not None else Path(scratch) / "out"
        result = stage.predict(
            path,
            os.fspath(fasta),
            folder,
            loaded,
            options,
            device=device,
            weights=_path(weights),
            store=_path(store),
            overwrite=overwrite,
        )
        if tracks and hub_is_due(folder, result.fresh):
            write_hub(folder, os.fspath(fasta), folder / FOLDER, overwrite=True)
        return _read(folder / "scores.tsv.gz")


def windows(
    annotation: str | os.PathLike[str] | pandas.DataFrame,
    fasta: str | os.PathLike[str],
    *,
    bundle: str | os.PathLike[str] = DEFAULT_BUNDLE,
    biotypes: str | Sequence[str] = (),
    by: str | None = None,
    window: str | None = None,
    unstranded: bool = False,
) -> pandas.DataFrame:
    """The windows that `predict` would score: its arguments, and its columns but for the marks."""
    from histpred.genome.extract import extract

    spec = window_for(load_bundle(bundle), window)
    with _as_file(annotation) as path, tempfile.TemporaryDirectory() as scratch:
        table = Path(scratch) / "windows.tsv"
        extract(
            path,
            os.fspath(fasta),
            table,
            spec,
            level=by,
            biotypes=_names(biotypes),
            unstranded=unstranded,
        )
        return _read(table).drop(columns="blocks")


def embed(
    annotation: str | os.PathLike[str] | pandas.DataFrame,
    fasta: str | os.PathLike[str],
    *,
    bundle: str | os.PathLike[str] | None = None,
    encoder: str | None = None,
    weights: str | os.PathLike[str] | None = None,
    chunks: str | None = None,
    biotypes: str | Sequence[str] = (),
    by: str | None = None,
    window: str | None = None,
    unstranded: bool = False,
    device: str = "auto",
    precision: str = "auto",
    store: str | os.PathLike[str] | None = None,
) -> tuple[pandas.DataFrame, numpy.ndarray]:
    """Windows and their embeddings, sorted by position; arguments as options of `histpred embed`.

    Returns
    -------
    windows : pandas.DataFrame
        Columns chrom, start, end (0-based half-open), name, strand, gene_id, biotype, n_fraction.
    vectors : numpy.ndarray
        float32 [windows, dimension].

    Raises
    ------
    HistpredError
        For inputs, weights and devices that cannot be used.
    """
    from histpred.bundle.encoding import choose_encoder
    from histpred.encoders import embed as stage

    opened, spec, cut, reach = choose_encoder(
        None if bundle is None else os.fspath(bundle),
        encoder,
        chunks,
        window,
        device,
        precision,
        _path(weights),
    )
    with _as_file(annotation) as path, tempfile.TemporaryDirectory() as scratch:
        table = Path(scratch) / "windows.parquet"
        stage.embed(
            path,
            os.fspath(fasta),
            opened,
            spec,
            cut,
            reach,
            store=_path(store) or Path(scratch) / "store",
            out=table,
            level=by,
            biotypes=_names(biotypes),
            unstranded=unstranded,
        )
        return stage.read_table(table)


def train(
    annotation: str | os.PathLike[str] | pandas.DataFrame,
    fasta: str | os.PathLike[str],
    labels: str | os.PathLike[str] | pandas.DataFrame,
    out: str | os.PathLike[str],
    *,
    name: str | None = None,
    bundle: str | os.PathLike[str] | None = None,
    encoder: str | None = None,
    weights: str | os.PathLike[str] | None = None,
    chunks: str | None = None,
    biotypes: str | Sequence[str] = (),
    by: str | None = None,
    window: str | None = None,
    unstranded: bool = False,
    device: str = "auto",
    precision: str = "auto",
    store: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    epochs: int = 50,
    batch: int = 64,
    learning_rate: float = 2e-4,
    seed: int = 0,
    **recipe: Any,
) -> Path:
    """Train a bundle; returns its folder, which `predict` and `evaluate` take.

    Parameters
    ----------
    labels
        A table that `histpred train` reads, or a DataFrame of the same columns: an id, then a
        column of 1, 0 or NaN for each mark.
    out
        The bundle's folder.
    recipe
        Fields of `histpred.training.train.Recipe`: model, hidden, dropout, mark_dimension, loss,
        prior, split, block, test_chromosomes, validation_chromosomes, marks.

    The others are as the options of `histpred train`. Raises HistpredError for inputs that cannot
    be used; nothing is written then.
    """
    from histpred.genome.request import Request
    from histpred.training import recipe as recipes
    from histpred.training import train as stage
    from histpred.training.fitting import Settings

    settings = Settings(epochs=epochs, batch=batch, learning_rate=learning_rate, seed=seed)
    chosen = recipes.Recipe(**recipe, settings=settings)
    source = None
    if chosen.model == recipes.MLP:
        source = recipes.open_source(
            None if bundle is None else os.fspath(bundle),
            encoder,
            chunks,
            window,
            device,
            precision,
            _path(weights),
        )
    folder = Path(out)
    with _as_file(annotation) as rows, _as_table(labels) as table:
        stage.train(
            Request(rows, os.fspath(fasta), by, _names(biotypes), unstranded),
            table,
            folder,
            chosen,
            recipes.About(name or folder.resolve().name),
            source,
            device=device,
            store=_path(store),
            overwrite=overwrite,
        )
    return folder


def evaluate(
    bundle: str | os.PathLike[str],
    annotation: str | os.PathLike[str] | pandas.DataFrame,
    fasta: str | os.PathLike[str],
    labels: str | os.PathLike[str] | pandas.DataFrame,
    out: str | os.PathLike[str] | None = None,
    *,
    beside: Sequence[str | os.PathLike[str]] = (),
    rows: str = "test",
    marks: str | Sequence[str] = (),
    biotypes: str | Sequence[str] = (),
    by: str | None = None,
    unstranded: bool = False,
    seed: int = 0,
    device: str = "auto",
    weights: str | os.PathLike[str] | None = None,
    store: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """What metrics.json holds (see `histpred.reports.evaluation.metrics_of`).

    `labels` as for `train`; `out` is a folder for the tables, figures and report, None: they are
    not kept. The others are as the options of `histpred evaluate`.
    """
    from histpred.genome.request import Request
    from histpred.reports import evaluate as stage

    with (
        _as_file(annotation) as path,
        _as_table(labels) as table,
        tempfile.TemporaryDirectory() as scratch,
    ):
        return stage.evaluate(
            load_bundle(bundle),
            Request(path, os.fspath(fasta), by, _names(biotypes), unstranded),
            table,
            Path(out) if out is not None else Path(scratch) / "out",
            beside=[load_bundle(other) for other in beside],
            rows=rows,
            marks=_names(marks),
            seed=seed,
            device=device,
            weights=_path(weights),
            store=_path(store),
            overwrite=overwrite,
        )


def to_anndata(
    scores: str | os.PathLike[str], embeddings: str | os.PathLike[str] | None = None
) -> anndata.AnnData:
    """A finished prediction as AnnData, as `histpred convert` writes it; needs the extra anndata.

    Parameters
    ----------
    scores
        The folder of `predict`.
    embeddings
        A table that `histpred embed` wrote with the options of the prediction; None: no vectors.

    See `histpred.reports.convert.to_anndata` for what is in it and what is raised.
    """
    from histpred.reports import convert as stage

    return stage.to_anndata(Path(scores), _path(embeddings))


@contextmanager
def _as_table(labels: str | os.PathLike[str] | pandas.DataFrame) -> Iterator[Path]:
    if isinstance(labels, str | os.PathLike):
        yield Path(labels)
        return
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "labels.tsv"
        labels.to_csv(path, sep="\t", index=False)
        yield path


def _path(path: str | os.PathLike[str] | None) -> Path | None:
    return None if path is None else Path(path)


def _names(biotypes: str | Sequence[str]) -> tuple[str, ...]:
    return (biotypes,) if isinstance(biotypes, str) else tuple(biotypes)


@contextmanager
def _as_file(annotation: str | os.PathLike[str] | pandas.DataFrame) -> Iterator[str]:
    if isinstance(annotation, str | os.PathLike):
        yield os.fspath(annotation)
        return
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "annotation.bed")
        annotation.to_csv(path, sep="\t", header=False, index=False, quoting=csv.QUOTE_NONE)
        try:
            yield path
        except HistpredError as error:
            error.message = error.message.replace(path, "<DataFrame>")
            raise


def _read(path: Path) -> pandas.DataFrame:
    import pandas

    table = pandas.read_csv(
        path,
        sep="\t",
        dtype=TEXT_COLUMNS,
        keep_default_na=False,
        quoting=csv.QUOTE_NONE,
    )
    texts = {*TEXT_COLUMNS, "blocks"}
    types = {name: float for name in table.columns if name not in texts}
    return table.astype(types | {"start": int, "end": int}).rename(columns={"#chrom": "chrom"})
