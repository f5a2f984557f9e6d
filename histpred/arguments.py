"""The arguments of `histpred.api` in the terms of `histpred.verbs`: requests, paths and names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from histpred.bundle.encoding import EncoderChoice, bundle_encoder
from histpred.bundle.folder import Bundle
from histpred.bundle.outputs import window_of_regions, window_of_sequences
from histpred.core.cores import limited_threads
from histpred.core.errors import UsageError
from histpred.genome.regions import INTERVAL
from histpred.genome.request import FILE, REGIONS, SEQUENCES, Request
from histpred.scoring.frames import (
    annotation_file,
    output_path,
    path_text,
    regions_text,
    sequences_file,
)

if TYPE_CHECKING:
    import pandas

    AnyPath: TypeAlias = str | os.PathLike[str]
    Annotation: TypeAlias = AnyPath | pandas.DataFrame | Sequence[str]
    Sequences: TypeAlias = Mapping[str, str]


class Inputs(NamedTuple):
    """An annotation and its FASTA, as a user gave them.

    annotation: the text of regions, or anything that `annotation_file` or `sequences_file` takes.
    fasta: None: the annotation is the FASTA. source: see `Request`.
    """

    annotation: Annotation | Sequences
    fasta: AnyPath | None
    source: str

    def window(self, bundle: Bundle | None, wanted: str | None) -> str | None:
        """The kind of window that is meant, if none is wanted; None: the usual one."""
        if wanted or self.source == FILE:
            return wanted
        if bundle is None:
            return INTERVAL
        return window_of_regions(bundle) if self.source == REGIONS else window_of_sequences(bundle)

    @contextmanager
    def request(self, selection: Request) -> Iterator[Request]:
        """The request for a selection of the rows; files that it needs are removed at the end."""
        file_of = sequences_file if self.source == SEQUENCES else annotation_file
        with file_of(self.annotation) as rows:
            fasta = rows if self.fasta is None else path_text(self.fasta, "fasta")
            yield selection._replace(annotation=rows, fasta=fasta, source=self.source)


def inputs_of(
    annotation: Annotation | Sequences, fasta: AnyPath | None, tiles: bool = False
) -> Inputs:
    """What a user means by an annotation and a FASTA.

    Without a FASTA, the annotation is sequences; with `tiles`, it is a genome of which all is used.
    """
    regions = regions_text(annotation, fasta)
    if fasta is None and not tiles:
        return Inputs(annotation, fasta, SEQUENCES)
    return Inputs(regions, fasta, REGIONS) if regions else Inputs(annotation, fasta, FILE)


@contextmanager
def opened(
    inputs: Inputs,
    selection: Request,
    threads: int | None,
    out: AnyPath | None,
    name: str = "out",
) -> Iterator[tuple[Request, Path]]:
    """The request and the output of a verb, while its threads are limited; see `output_path`."""
    with (
        threads_of(threads),
        inputs.request(selection) as request,
        output_path(out, name) as path,
    ):
        yield request, path


def selection_of(
    by: str | None,
    biotypes: str | Sequence[str],
    unstranded: bool,
    *,
    genes: str | Sequence[str] = (),
    transcripts: AnyPath | Sequence[AnyPath] = (),
    cache: AnyPath | None = None,
) -> Request:
    """A request without its annotation and FASTA: which rows are used, and how."""
    return Request(
        *("", "", by, names_of(biotypes), unstranded),
        cache=path_of(cache),
        genes=names_of(genes),
        transcripts=paths_of(transcripts),
    )


def choice_of(
    bundle: Bundle,
    window: str | None,
    weights: AnyPath | None,
    marks: str | Sequence[str],
    tile: int | None = None,
) -> EncoderChoice:
    """The encoder of a bundle, for a kind of window or for tiles, and the marks that are meant."""
    return bundle_encoder(bundle, window, tile, path_of(weights))._replace(marks=names_of(marks))


def threads_of(threads: int | None) -> AbstractContextManager[None]:
    """Limit the threads of the calculation; UsageError for fewer than one."""
    if threads is not None and threads < 1:
        raise UsageError(f"threads={threads}", "give 1 or more; None: all that are allowed")
    return limited_threads(threads)


def path_of(path: AnyPath | None) -> Path | None:
    """A path, if one is given."""
    return None if path is None else Path(path)


def text_of(path: AnyPath | None) -> str | None:
    """The text of a path or a name, if one is given."""
    return None if path is None else os.fspath(path)


def paths_of(paths: AnyPath | Sequence[AnyPath]) -> tuple[str, ...]:
    """The texts of one path or several."""
    some = (paths,) if isinstance(paths, str | os.PathLike) else paths
    return tuple(os.fspath(path) for path in some)


def names_of(names: str | Sequence[str]) -> tuple[str, ...]:
    """One name or several."""
    return (names,) if isinstance(names, str) else tuple(names)
