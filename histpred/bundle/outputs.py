"""What a bundle is for: the species and windows that it was trained on, the marks it scores."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from histpred.bundle.calls import in_tiles, refuse_unpredicted, with_precision
from histpred.bundle.folder import Bundle
from histpred.bundle.manifest import EncoderSpec, IntervalOutput, Manifest
from histpred.bundle.mark_spec import MarkSpec
from histpred.bundle.organisms import Species
from histpred.core.errors import UsageError, first_few
from histpred.core.spelling import did_you_mean
from histpred.genome.regions import INTERVAL, PROMOTER
from histpred.genome.windows import WindowSpec, parse_window

UNSPECIFIED = "unspecified organism"


def window_for(bundle: Bundle, wanted: str | None = None, tile: int | None = None) -> WindowSpec:
    """The window that a bundle scores.

    wanted: a window as `parse_window` reads it; None: the one that the bundle was trained on. tile:
    length in bp of the tiles that intervals are cut into; None: they are not cut. Raises UsageError
    for tiles of another kind of window than intervals.
    """
    if tile:
        wanted = wanted or INTERVAL
        if wanted.partition(":")[0] != INTERVAL:
            what = f"--tile is for {INTERVAL} windows, not for {wanted}"
            raise UsageError(what, "leave --window out")
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


def window_of_regions(bundle: Bundle) -> str:
    """The window kind of typed regions; UsageError for a bundle that scores no intervals."""
    manifest = bundle.manifest
    kind = manifest.window.kind
    if not manifest.interval and kind != INTERVAL:
        raise UsageError(
            f"the bundle {manifest.name} scores {kind} windows of genes, and no regions",
            "give an annotation of genes; or, if regions begin at a TSS, give each its strand "
            f"(chr22:20,100,000-20,104,000:+) and the window {kind}",
        )
    return INTERVAL


def window_of_sequences(bundle: Bundle) -> str:
    """The window kind of sequences without a genome: intervals, if the bundle scores them."""
    return INTERVAL if bundle.manifest.interval else bundle.manifest.window.kind


def was_trained_on(bundle: Bundle, window: WindowSpec) -> bool:
    """Return True if the bundle's probabilities are calibrated for such windows."""
    return window._replace(tile=0) in _trained(bundle).values()


def interval_output(bundle: Bundle, window: WindowSpec) -> IntervalOutput | None:
    """The bundle's output for intervals, if the windows are intervals and it has one."""
    return bundle.manifest.interval if window.kind == INTERVAL else None


def encoder_for(manifest: Manifest, interval: IntervalOutput | None) -> EncoderSpec:
    """A bundle's encoder, as it embeds intervals or else genes.

    If that of genes embeds several `places` of a window, that of intervals embeds the middle.
    """
    spec = manifest.encoder
    settings = dict(spec.settings)
    places = settings.pop("places", None)
    if interval is None or not isinstance(places, list) or not places:
        return spec
    dimension = spec.dimension // len(places)
    return spec.model_copy(update={"settings": settings, "dimension": dimension})


def marks_of(
    bundle: Bundle,
    window: WindowSpec,
    names: Collection[str] = (),
    call_precision: float | None = None,
) -> tuple[MarkSpec, ...]:
    """The marks that are scored for such windows: all, or those called so; in the bundle's order.

    call_precision: choose each threshold for it; None: the bundle's thresholds. Windows that the
    bundle was not trained on have no stated precision. In tiles, marks whose calls were measured on
    other windows are never called. Raises UsageError for a name that the bundle
    does not score, if it predicts none of the marks, and for a precision that cannot be chosen.
    """
    marks = (interval_output(bundle, window) or bundle.manifest).marks
    known = [mark.name for mark in marks]
    if unknown := [name for name in names if name not in known]:
        what = f"the bundle {bundle.manifest.name} does not score {first_few(unknown)} for {window}"
        hint = did_you_mean(unknown, known, f"it scores {', '.join(known)}")
        raise UsageError(f"{what} windows", hint)
    chosen = tuple(mark for mark in marks if mark.name in names) if names else marks
    refuse_unpredicted(chosen, bundle.manifest.name)
    if not was_trained_on(bundle, window):
        chosen = tuple(mark.model_copy(update={"calls": None}) for mark in chosen)
    if call_precision is not None:
        if not 0 < call_precision <= 1:
            what = f"no precision of calls: {call_precision}"
            raise UsageError(what, "give a number from 0 to 1")
        chosen = tuple(with_precision(mark, call_precision) for mark in chosen)
    return tuple(map(in_tiles, chosen)) if window.tile else chosen


def _trained(bundle: Bundle) -> dict[str, WindowSpec]:
    """The windows that the bundle was trained on, by kind."""
    specs = [bundle.manifest.window]
    if bundle.manifest.interval:
        specs.append(bundle.manifest.interval.window)
    return {spec.kind: WindowSpec(**spec.model_dump()) for spec in specs}


def assembly_of(contig_lengths: Collection[int], species: Sequence[Species]) -> str | None:
    """The assembly that shares most chromosome lengths (bp) with the contigs; None if none does."""
    shared = {
        assembly: len(set(lengths).intersection(contig_lengths))
        for one in species
        for assembly, lengths in one.chromosome_lengths.items()
    }
    best = max(shared, key=lambda assembly: shared[assembly], default=None)
    return best if best and shared[best] else None
