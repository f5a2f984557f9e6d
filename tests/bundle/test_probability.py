from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from histpred.bundle.folder import load_bundle, shipped_bundles
from histpred.bundle.manifest import SCHEMA_VERSION
from histpred.bundle.mark_spec import Calibration
from histpred.bundle.probability import probabilities_of
from histpred.core.errors import BundleError

STEPS = Calibration(
    logits=(-1.0, 0.0, 2.0), probabilities=(0.1, 0.5, 0.6), method="isotonic", slope=3.0
)


def test_each_mark_has_its_own_calibration():
    logits = np.array([[-1.5, -1.5, -1.5], [0.5, 0.5, 0.5], [3.0, 3.0, 3.0]], np.float32)
    found = probabilities_of(
        logits, [Calibration(slope=2.0, intercept=1.0), STEPS, Calibration(slope=0.5)]
    )
    assert found.dtype == np.float64
    for row, logit in enumerate((-1.5, 0.5, 3.0)):
        assert found[row, 0] == pytest.approx(1 / (1 + math.exp(-(2 * logit + 1))), rel=1e-12)
        assert found[row, 2] == pytest.approx(1 / (1 + math.exp(-(0.5 * logit))), rel=1e-12)
    np.testing.assert_allclose(found[:, 1], [0.1, 0.525, 0.6], rtol=1e-12)


def test_at_knots_and_far_out():
    logits = np.array([[-1.0], [0.0], [2.0], [-3e38], [3e38]], np.float32)
    assert probabilities_of(logits, [STEPS])[:, 0].tolist() == [0.1, 0.5, 0.6, 0.1, 0.6]
    assert probabilities_of(logits[3:], [Calibration()])[:, 0].tolist() == [0.0, 1.0]


def test_one_knot_is_a_constant():
    flat = Calibration(logits=(0.3,), probabilities=(0.2,))
    assert probabilities_of(np.array([[-5.0], [5.0]]), [flat])[:, 0].tolist() == [0.2, 0.2]


def test_no_rows():
    assert probabilities_of(np.empty((0, 2)), [STEPS, Calibration()]).shape == (0, 2)


def test_neither_sklearn_nor_pydantic_is_needed():
    code = (
        "import sys, histpred.bundle.probability; "
        "sys.exit(bool({'sklearn', 'scipy', 'torch', 'pydantic'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# What a bundle may hold


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"logits": [0, 1], "probabilities": [0.5]}, "2 logits for 1 probabilities"),
        ({"logits": [], "probabilities": [0.5]}, "0 logits for 1 probabilities"),
        ({"logits": [1, 0], "probabilities": [0.1, 0.5]}, "the logits do not ascend"),
        ({"logits": [1, 1], "probabilities": [0.1, 0.5]}, "the logits do not ascend"),
        ({"logits": [0, 1], "probabilities": [0.5, 0.4]}, "the probabilities descend"),
        ({"logits": [0, 1], "probabilities": [0.5, 1.1]}, "less than or equal to 1"),
        ({"logits": [0, 1], "probabilities": [-0.1, 1]}, "greater than or equal to 0"),
        ({"logits": [0, math.inf], "probabilities": [0.5, 1]}, "finite number"),
        ({"method": "by eye"}, "Input should be 'temperature'"),
        ({"knots": [1]}, "Extra inputs are not permitted"),
    ],
)
def test_calibrations_that_are_none(fields, message, bundle_folder):
    with pytest.raises(ValidationError, match=message):
        Calibration.model_validate(fields)
    path = bundle_folder / "bundle.json"
    manifest = json.loads(path.read_text())
    manifest["marks"][1]["calibration"] = fields
    path.write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=r"marks\.1\.calibration"):
        load_bundle(bundle_folder)


def test_knots_come_back_from_a_bundle_to_the_last_bit(bundle_folder):
    path = bundle_folder / "bundle.json"
    manifest = json.loads(path.read_text())
    knots = {"logits": [-1 / 3, 0.1, 1e-1 + 2e-16], "probabilities": [1 / 7, 1 / 7, 0.9]}
    manifest["marks"][1]["calibration"] = {**knots, "method": "isotonic"}
    manifest["schema_version"] = SCHEMA_VERSION
    path.write_text(json.dumps(manifest))
    calibration = load_bundle(bundle_folder).manifest.marks[1].calibration
    assert calibration.logits == (-1 / 3, 0.1, 1e-1 + 2e-16)
    assert calibration.probabilities == (1 / 7, 1 / 7, 0.9)
    again = Calibration.model_validate_json(calibration.model_dump_json())
    assert again == calibration


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6"])
def test_bundles_of_every_minor_version_load(bundle_folder, version):
    path = bundle_folder / "bundle.json"
    path.write_text(path.read_text().replace('"1.0"', f'"{version}"', 1))
    calibration = load_bundle(bundle_folder).manifest.marks[0].calibration
    assert calibration == Calibration(slope=1.0, intercept=0.0)
    assert (calibration.logits, calibration.probabilities) == ((), ())


@pytest.mark.parametrize("name", shipped_bundles())
def test_shipped_bundles_keep_their_probabilities(name):
    """As the formula of schema 1.0 has them, where there are no knots."""
    marks = [m for m in load_bundle(name).manifest.marks if not m.calibration.logits]
    assert marks
    logits = np.random.default_rng(0).normal(0, 3, (9, len(marks))).astype(np.float32)
    found = probabilities_of(logits, [mark.calibration for mark in marks])
    for i, mark in enumerate(marks):
        slope, intercept = mark.calibration.slope, mark.calibration.intercept
        for row in range(9):
            expected = 1 / (1 + math.exp(-(slope * float(logits[row, i]) + intercept)))
            assert found[row, i] == pytest.approx(expected, rel=1e-12)
