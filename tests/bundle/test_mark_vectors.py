"""The vectors of a bundle's marks, by name, and tables that are none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from histpred.bundle.folder import MARK_VECTORS, Bundle, load_bundle
from histpred.bundle.mark_vectors import mark_vectors_of
from histpred.core.errors import BundleError


def bundle_with(folder: Path, text: str) -> Bundle:
    (folder / MARK_VECTORS).write_text(text)
    return replace(load_bundle("yeast"), directory=folder)


def test_vectors_are_in_the_order_of_the_marks(tmp_path: Path) -> None:
    bundle = bundle_with(tmp_path, "b\t0\t2.5\na\t-1\t1e-3\nc\t1\t1\n")
    np.testing.assert_array_equal(mark_vectors_of(bundle, ["a", "b"]), [[-1, 0.001], [0, 2.5]])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\t1\n", "has no vector of b"),
        ("", "has no vector of a"),
        ("a\t1\nb\t1\t2\n", "not vectors of one length"),
        ("a\t1\nb\tx\n", "could not convert string to float: 'x'"),
        ("a\t1\nb\tnan\n", "a number that is not finite"),
        ("a\t1\nb\t\0\n", "not vectors of one length"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BundleError, match=rf"{MARK_VECTORS}.*{words}"):
        mark_vectors_of(bundle_with(tmp_path, text), ["a", "b"])


def test_a_bundle_without_the_table_is_refused(tmp_path: Path) -> None:
    bundle = replace(load_bundle("yeast"), directory=tmp_path)
    with pytest.raises(BundleError, match="No such file"):
        mark_vectors_of(bundle, ["a"])
