"""The outputs of a bundle: the windows it was trained on and the marks that it scores."""

from __future__ import annotations

from histpred.bundle.folder import Bundle
from histpred.bundle.manifest import IntervalOutput, MarkSpec
from histpred.core.errors import UsageError
from histpred.genome.regions import INTERVAL, PROMOTER
from histpred.genome.windows import WindowSpec, parse_window


def window_for(bundle: Bundle, wanted: str | None = None, tile: int | None = None) -> WindowSpec:
    """The window that the bundle was trained on, or the one `wanted` (see `parse_window`); its
    intervals cut into tiles of `tile` bp.

    Raises UsageError for tiles of another kind of window.
    """
    if tile:
        wanted = wanted or INTERVAL
        if wanted.partition(":")[0] != INTERVAL:
            raise UsageError(
                f"--tile is for {INTERVAL} windows, not for {wanted}", "leave --window out"
            )
    trained = _trained(bundle)
    kind = wanted or bundle.manifest.window.kind
    if kind in trained:
        window = trained[kind]
    else:
        window = parse_window(kind)
        like = trained.get(window.kind, trained[bundle.manifest.window.kind])
        window = window._replace(
            max_n_fraction=like.max_n_fraction,
            whole=like.whole if window.kind == PROMOTER else window.whole,
        )
    return window._replace(tile=tile or 0)


def was_trained_on(bundle: Bundle, window: WindowSpec) -> bool:
    """Whether the bundle's probabilities are of such windows."""
    return window._replace(tile=0) in _trained(bundle).values()


def interval_output(bundle: Bundle, window: WindowSpec) -> IntervalOutput | None:
    """The bundle's output for intervals, if it has one and such are the windows."""
    return bundle.manifest.interval if window.kind == INTERVAL else None


def marks_of(bundle: Bundle, window: WindowSpec) -> tuple[MarkSpec, ...]:
    """The marks of the output that scores such windows."""
    return (interval_output(bundle, window) or bundle.manifest).marks


def _trained(bundle: Bundle) -> dict[str, WindowSpec]:
    """The windows that a bundle was trained on, by kind."""
    specs = [bundle.manifest.window]
    if bundle.manifest.interval:
        specs.append(bundle.manifest.interval.window)
    return {spec.kind: WindowSpec(**spec.model_dump()) for spec in specs}
