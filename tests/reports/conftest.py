"""Evaluations of made-up models on made-up rows, as fixtures."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from histpred.evaluation.result import Result
from support.evaluations import MARKS, make, undefined


@pytest.fixture
def make_result() -> Callable[..., Result]:
    return make


@pytest.fixture(scope="session")
def result() -> Result:
    """Eight marks, two models, three baselines."""
    return make()


@pytest.fixture(scope="session")
def undefined_result() -> Result:
    return undefined(make(MARKS[:3], rows=40))
