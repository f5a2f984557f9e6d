"""The page of an experiment as a reader has it: on a laptop or a phone, light or dark."""

from __future__ import annotations

import pytest

from support.browsers import AXE, PHONE, SCREEN, assert_accessible

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    for package in ("torch", "matplotlib", "sklearn", "yaml"):
        pytest.importorskip(package, reason="needs the extra train")
    from support.experiments import finished_experiment

    made = finished_experiment(tmp_path_factory)
    assert made.done.code == 0, made.done.err
    return made.out / "report.html"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", [SCREEN, PHONE], ids=["laptop", "phone"])
@pytest.mark.skipif(not AXE.is_file(), reason="needs what tests/browsers/get.sh fetches")
def test_axe_finds_no_fault_and_nothing_scrolls_sideways(path, chromium, screen, theme):
    assert_accessible(chromium, path, screen, theme)
