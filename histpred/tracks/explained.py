"""An explanation and, if it is wanted, the hub in its folder."""

from __future__ import annotations

from pathlib import Path

from histpred.bundle.encoding import EncoderChoice
from histpred.core.errors import UsageError
from histpred.core.execution import Execution, Progress
from histpred.genome.request import SEQUENCES, Request
from histpred.scoring import explain as stage
from histpred.scoring.derived import FOLDER, HUB, is_hub, refuse_other_hub
from histpred.scoring.explain_record import Explanation


def explain(
    request: Request,
    choice: EncoderChoice,
    out: Path,
    execution: Execution = Execution(),
    resolution: int | None = None,
    bases: str = "",
    tracks: Progress | None = None,
) -> Explanation:
    """Write an explanation; see `histpred.scoring.explain.explain`.

    tracks: also write a hub into its folder, if it is not there yet; called with the number of
    tracks written, and of all.
    """
    if tracks and request.source == SEQUENCES:
        raise UsageError("--tracks needs a genome, and --sequences has none", "omit --tracks")
    if tracks:
        refuse_other_hub(out)
    result = stage.explain(request, choice, out, execution, resolution, bases)
    hub = out / FOLDER
    if tracks and (result.fresh or not is_hub(hub / HUB)):
        from histpred.tracks.contributions import write_contributions

        write_contributions(
            out, request.fasta, hub, cache=request.cache, overwrite=True, progress=tracks
        )
    return result
