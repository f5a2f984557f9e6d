"""A bundle that is open for a run: its encoder, its scorer and the store of its embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from histpred.bundle.encoding import EncoderChoice
from histpred.bundle.mark_spec import MarkSpec
from histpred.bundle.outputs import interval_output
from histpred.core.execution import Execution
from histpred.core.output import RESUME
from histpred.encoders import Encoder
from histpred.encoders.store import Identity, Store, encoder_identity
from histpred.scoring.provenance import Tools, tools_of
from histpred.scoring.scorer import Scorer

NO_GPU = "no GPU could be used: the encoder ran on the CPU"


class OpenBundle(NamedTuple):
    """What a choice stands for, open; `identity` is that of the encoder."""

    choice: EncoderChoice
    encoder: Encoder
    scorer: Scorer
    identity: Identity
    store: Store | None

    @property
    def marks(self) -> tuple[MarkSpec, ...]:
        """The marks that the scorer scores, in its order."""
        return self.choice.scored

    @property
    def device(self) -> str:
        """Where the encoder runs or, if that encoder is always on the CPU, the scorer."""
        return self.encoder.device if self.choice.is_expensive else self.scorer.device

    @property
    def tools(self) -> Tools:
        """What records say of the encoder and of packages."""
        return tools_of(self.encoder, self.choice, self.identity["files"])

    def device_warnings(self, execution: Execution) -> list[str]:
        """The warning that no GPU was found; it was logged when the device was chosen."""
        missed = self.choice.is_expensive and execution.device == "auto" and self.device == "cpu"
        return [NO_GPU] if missed else []


def scorer_of(choice: EncoderChoice, device: str) -> Scorer:
    """Open the scorer of the chosen marks on a device.

    Beside an expensive encoder it is on the CPU, because it takes hardly any of the time.
    """
    bundle = choice.required_bundle
    names = [mark.name for mark in choice.scored]
    own = "cpu" if choice.is_expensive else device
    return Scorer(bundle, own, None, interval_output(bundle, choice.window), names)


def open_bundle(
    choice: EncoderChoice, scorer: Scorer, execution: Execution, out: Path | None = None
) -> OpenBundle:
    """Open the encoder of a choice, beside its open scorer.

    out: output folder, which keeps the embeddings of an expensive encoder until the run succeeds
    if the execution names no store; None: they are not kept.
    """
    encoder = choice.open(execution.device, execution.precision)
    identity = encoder_identity(choice.spec, encoder)
    folder = execution.store
    if out and choice.is_expensive:
        folder = folder or out / RESUME
    store = Store(folder, identity) if folder else None
    return OpenBundle(choice, encoder, scorer, identity, store)
