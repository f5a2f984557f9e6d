"""What `histpred train` can be told, and every default.

The command line, the Python API and, through the command line, the pipeline's schema read the
defaults here. The module imports no package but histpred, so that `histpred --help` stays fast.
"""

from __future__ import annotations

from typing import NamedTuple

from histpred.genome.regions import BLOCK

MODELS = ("mlp", "spectra", "deephistone", "deephistone-adapted")
MLP, SPECTRA, DEEPHISTONE, DEEPHISTONE_ADAPTED = MODELS
WEIGHTED, UNDERSAMPLED, NNPU, PLAIN = LOSSES = ("weighted", "undersampled", "nnpu", "plain")

TRAINING_PRECISION = "training precision"
"""The key of a manifest's recipe for the precision of training, if it was asked for."""

PAPER_HIDDEN = (2048, 1024, 768, 512, 256)
"""The paper gives five hidden layers and about 5 M parameters, but no widths. With these widths the
network has 5.1 M parameters for DNABERT-2's 768 numbers and 50 one-hot marks."""
PAPER_DROPOUT = 0.2


class Settings(NamedTuple):
    """How a network is trained.

    The defaults are the paper's, except for the batch, which it does not give.
    batch: rows per step, each with all its marks. patience: epochs in a row without improvement
    that are tolerated, as torch counts them: after one more, the learning rate is multiplied by
    `factor`. stop: epochs in a row without improvement after which training ends.
    """

    epochs: int = 50
    batch: int = 64
    learning_rate: float = 2e-4
    weight_decay: float = 1e-3
    patience: int = 3
    factor: float = 0.1
    stop: int = 5
    seed: int = 0


class Recipe(NamedTuple):
    """What is trained, and how. The bundle's manifest records all of it.

    members: number of networks, which differ in their seed and are averaged. mark_dimension: length
    of the trainable mark vectors; None for one-hot vectors. loss, prior: see
    `histpred.training.losses`. split and the fields after it: see `histpred.labels.splitting`.
    marks: the marks to train on; all if empty. calls: see
    `histpred.bundle.calls.wanted_precision`. parent: name or folder of the bundle whose networks
    the training goes on from; it fixes model, members, hidden and mark_dimension.
    """

    model: str = MLP
    hidden: tuple[int, ...] = PAPER_HIDDEN
    dropout: float = PAPER_DROPOUT
    members: int = 1
    mark_dimension: int | None = None
    loss: str = WEIGHTED
    prior: str | None = None
    split: str = "random"
    block: int = BLOCK
    test_chromosomes: tuple[str, ...] = ()
    validation_chromosomes: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    calls: str | None = None
    parent: str | None = None
    settings: Settings = Settings()


class About(NamedTuple):
    """What the user says about the bundle; None means what the annotation and the FASTA say."""

    name: str
    summary: str = ""
    licence: str = "not stated"
    species: str | None = None
    taxon_id: int | None = None
    assembly: str | None = None
