from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from histpred.core.errors import BundleError
from histpred.encoders import build


def spec(kind="kmer", dimension=10, **settings):
    return SimpleNamespace(kind=kind, settings=settings or {"k": [2]}, dimension=dimension)


def test_builds_the_encoder_that_is_named(tmp_path):
    assert build(spec(), tmp_path).embed([b"ACGT"]).vectors.shape == (1, 10)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (spec(kind="oracle"), "unknown encoder 'oracle'"),
        (spec(dimension=11), "gives 10 numbers a window, bundle.json says 11"),
        (spec(k=[99]), "cannot be built: k must be"),
    ],
)
def test_what_cannot_be_built_is_a_bundle_error(wrong, message, tmp_path):
    with pytest.raises(BundleError, match=message):
        build(wrong, tmp_path)


def test_the_registry_imports_no_encoder_until_one_is_built():
    code = (
        "import sys, histpred.encoders; "
        "sys.exit(any(name.startswith('histpred.encoders.') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
