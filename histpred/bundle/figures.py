"""The parts of bundle.json that say how well a bundle does, as pydantic models."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0, le=1)]


class Record(BaseModel):
    """A part of the manifest: immutable, without unknown fields and NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Performance(Record):
    """Ranking and calibration error on one set of windows."""

    auroc: Fraction
    auprc: Fraction
    ece: Fraction | None = None


class MarkPerformance(Record):
    """A mark's figures and those of the baselines on the same windows."""

    positives: int
    prevalence: Fraction
    model: Performance
    baselines: dict[str, Performance]


class Evaluation(Record):
    """One evaluation: a description, the number of windows, and the figures of each mark."""

    description: str
    windows: int
    marks: Annotated[dict[str, MarkPerformance], Field(min_length=1)]

    @model_validator(mode="after")
    def _baselines_agree(self) -> Evaluation:
        if len({frozenset(figures.baselines) for figures in self.marks.values()}) > 1:
            raise ValueError("its marks have other baselines than each other")
        return self
