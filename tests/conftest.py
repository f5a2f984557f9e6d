"""Fixtures for all tests, and HISTPRED_NO_SKIP=1, which makes a skipped test fail."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from support import browsers, repetition

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parent.parent
NO_SKIP = os.environ.get("HISTPRED_NO_SKIP") == "1"
MAY_BE_SKIPPED = (
    "apptainer",
    "browser",
    "drill",
    "gpu",
    "nextflow",
    "podman",
    "scanpy",
    "shared",
    "slurm",
)

# Tests run in parallel: more threads in each only slow the others down.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No deadline, since machines may be slow. The same examples each time, so failures are repeatable.
hypothesis.settings.register_profile("histpred", deadline=None, derandomize=True)
hypothesis.settings.load_profile("histpred")


def pytest_configure(config: pytest.Config) -> None:
    note = os.environ.get("HISTPRED_NOTE")
    if note:
        config.pluginmanager.register(repetition.Notes(Path(note)))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    noted = os.environ.get("HISTPRED_LEAVE_OUT")
    if noted:
        repetition.leave_out(Path(noted), config, items)


def forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"{report.nodeid}: nothing may be skipped here (HISTPRED_NO_SKIP=1): {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    allowed = any(map(item.get_closest_marker, MAY_BE_SKIPPED)) or hasattr(report, "wasxfail")
    if NO_SKIP and report.skipped and not allowed:
        forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    report = yield
    if NO_SKIP and report.skipped:
        forbid_skip(report)
    return report


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def demo_data() -> Path:
    """test-data's real megabase: genome.fa.gz, genes.gtf.gz, genes.bed."""
    return ROOT / "test-data" / "human-chr22-20M"


@pytest.fixture
def cuda() -> str:
    """The first CUDA device, for tests marked gpu."""
    torch = pytest.importorskip("torch", reason="needs torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return "cuda:0"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data that developers keep beside the checkout and that is not part of it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the folder shared/data beside the checkout")
    return folder


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A browser; one for each process, since playwright cannot be started twice in it."""
    reason = browsers.why_no_browser()
    if reason:
        pytest.skip(reason)
    with browsers.chromium() as browser:
        yield browser


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """An empty page; what goes wrong in it fails the test (`browsers.watched_page`)."""
    with browsers.watched_page(chromium) as page:
        yield page
