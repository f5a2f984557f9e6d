"""The schema of bundle.json, as pydantic models.

Version 1.6. Added in: 1.1 `chunks`, `published` and `files` of the encoder; 1.2 `method`,
`logits` and `probabilities` of a calibration, `recipe` of the training, a `taxon_id` that may be
unknown; 1.3 `interval`, `whole` of a window, `meaning` of a mark; 1.4 the encoder `spectra`; 1.5
`calls`, `unpredicted` and `needed_samples` of a mark, and `caveats`; 1.6 `rows` of calls, a list
of `species`, each with its `genome`, and `parent` of the training. A reader accepts its own major
version only; an unknown field is an error, since it may change what a score means.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue, model_validator

from histpred.bundle.figures import Evaluation, Fraction, Record
from histpred.bundle.mark_spec import RESERVED, Marks, Name
from histpred.bundle.organisms import Species as Species  # a part of the manifest
from histpred.bundle.organisms import SpeciesList
from histpred.genome.regions import LONGEST_REACH

SCHEMA_VERSION = "1.6"
LARGEST_DIMENSION = 1 << 20

Reach = Annotated[int, Field(ge=0, le=LONGEST_REACH)]
Stretch = Annotated[int, Field(gt=0, le=2 * LONGEST_REACH)]

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class WindowSpec(Record):
    """The window that the scorer was trained on; lengths in bp.

    shown: bp to each side of the TSS that a whole promoter's probability describes, which are its
    window; 0: all of it. An interval is read as it is or, if it has a reach, whole and around its
    middle: see `histpred.genome.windows`.
    """

    kind: Literal["context", "body", "promoter", "spliced", "interval"]
    upstream: Reach = 0
    downstream: Reach = 0
    max_n_fraction: Fraction
    whole: bool = False  # always read in full length, with N beyond the contig
    shown: Reach = 0

    @model_validator(mode="after")
    def _has_bases(self) -> WindowSpec:
        reach = self.upstream + self.downstream
        if self.kind == "promoter" and not reach:
            raise ValueError("a promoter window needs bases upstream or downstream")
        if self.whole and self.kind not in ("promoter", "interval"):
            raise ValueError(f"a {self.kind} window is not read whole")
        if self.shown and not (self.kind == "promoter" and self.whole):
            raise ValueError("only a promoter that is read whole shows less than is read")
        if self.kind == "interval" and self.whole != bool(reach):
            raise ValueError("an interval is whole where it has a reach, and only there")
        return self


class ChunkSpec(Record):
    """How a window is cut for its encoder, `length` in bp: see `histpred.encoders.chunks`."""

    policy: Literal["window", "grid"]
    length: Stretch


class EncoderSpec(Record):
    """The frozen encoder; without `chunks` it sees windows whole."""

    kind: Name
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    dimension: Annotated[int, Field(gt=0, le=LARGEST_DIMENSION)]
    chunks: ChunkSpec | None = None
    published: Name | None = None  # its name in `histpred encoders list`
    # sha256 by name, if users get them elsewhere
    files: dict[Name, Digest] = Field(default_factory=dict)


class IntervalOutput(Record):
    """The output for intervals, from the same encoder as the output for genes.

    Its marks may differ from those of genes, and have their own thresholds.
    """

    window: WindowSpec
    resolution: Stretch  # bp around an interval's middle that a probability describes
    scorer: str = "scorer.onnx"  # the bundle's file that scores intervals
    marks: Marks  # in the order of that scorer's output

    @model_validator(mode="after")
    def _is_of_intervals(self) -> IntervalOutput:
        if not self.window.whole or self.window.kind != "interval":
            raise ValueError("the window of the interval output is no interval with a reach")
        return self


class Parent(Record):
    """The bundle whose networks a training went on from; `sha256` is that of its bundle.json.

    marks: those whose outputs went on. test_rows_seen, validation_rows_seen: rows of these sets
    that the parent was trained or validated on, by their id or their place; seen_by_id and
    seen_by_place: how many test rows by either. None if the parent does not say.
    """

    name: Name
    version: str
    sha256: Digest
    marks: tuple[Name, ...]
    test_rows_seen: int | None = None
    seen_by_id: int | None = None
    seen_by_place: int | None = None
    validation_rows_seen: int | None = None


class Training(Record):
    data: tuple[str, ...]
    splits: dict[str, str]
    seed: int
    counts: dict[str, int]  # windows in each split
    # inputs' digests and all options of `histpred train`
    recipe: dict[str, JsonValue] = Field(default_factory=dict)
    parent: Parent | None = None


class KnownAnswer(Record):
    """A sequence as the encoder sees it and its probabilities, for `histpred bundle verify`.

    Marks that are not predicted have none.
    """

    sequence: Annotated[str, Field(pattern=r"^[ACGTN]+$")]
    probabilities: dict[str, Fraction]


class Manifest(Record):
    """All of bundle.json. `files`: the sha256 of every other file, by its path in the folder.

    caveats: sentences that a user must read first; see `histpred.bundle.calls.first_words`.
    """

    schema_version: str
    name: Name
    version: str
    summary: str
    caveats: tuple[str, ...] = ()
    licence: str
    species: SpeciesList
    window: WindowSpec
    encoder: EncoderSpec
    marks: Marks
    interval: IntervalOutput | None = None
    files: dict[str, Digest]
    training: Training
    metrics: dict[str, Evaluation]
    known_answer: KnownAnswer

    @model_validator(mode="after")
    def _parts_agree(self) -> Manifest:
        chunks = self.encoder.chunks
        if chunks and chunks.policy == "grid" and self.window.kind == "spliced":
            raise ValueError("spliced windows do not lie on a grid")
        for marks in (self.marks, self.interval.marks if self.interval else ()):
            names = [mark.name for mark in marks]
            if len(set(names)) != len(names):
                raise ValueError("the same mark is listed twice")
            if taken := sorted(set(RESERVED).intersection(names)):
                raise ValueError(f"no mark may be called {taken[0]!r}")
        predicted = {mark.name for mark in self.marks if not mark.unpredicted}
        if set(self.known_answer.probabilities) != predicted:
            raise ValueError("known_answer does not cover exactly the marks that are predicted")
        return self

    @property
    def mark_names(self) -> tuple[str, ...]:
        """The marks in the order of the scorer's output."""
        return tuple(mark.name for mark in self.marks)
