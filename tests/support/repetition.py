"""Which quick tests .ci/run need not repeat with all extras.

It runs the quick tests in the environment of a fresh clone, then all tests with all extras.
Versions are the same in both. So a test gives the same result if it looked for no package that the
first environment lacks, and started no process, which might look for one. The first run notes the
tests that passed in this way, and the second leaves them out:

    HISTPRED_NOTE=FILE         note them in FILE
    HISTPRED_LEAVE_OUT=FILE    leave out those in FILE
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

WITHOUT_PYTHON = {"bedtools", "bgzip", "samtools", "tabix"}
"""Programs that tests compare with. They look for no package."""


class Looks(MetaPathFinder):
    """Notices a search for a module that is nowhere, and the start of a process.

    Python asks the finders of sys.meta_path in turn, so the last one hears of what is missing.
    """

    def __init__(self) -> None:
        self.happened = False
        sys.meta_path.append(self)
        sys.addaudithook(self._hear)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find nothing, and remember that somebody looked."""
        self.happened = True
        return None

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "subprocess.Popen":
            program = os.path.basename(os.fspath(arguments[0]))  # type: ignore[arg-type]
            self.happened |= program not in WITHOUT_PYTHON
        elif event in ("os.fork", "os.forkpty", "os.posix_spawn", "os.system"):
            self.happened = True


class Notes:
    """A plugin of pytest that writes the tests that passed without a look."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.looks = Looks()
        self.looked_in: set[str] = set()  # collected files and folders
        self.fixtures: set[str] = set()  # of which several tests have the value
        self.failed: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Iterator[None]:
        self.looks.happened = False
        report = yield
        if self.looks.happened:
            self.looked_in.add(collector.nodeid)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> Iterator[None]:
        before, self.looks.happened = self.looks.happened, False
        try:
            return (yield)
        finally:
            if self.looks.happened and fixturedef.scope != "function":
                self.fixtures.add(fixturedef.argname)
            self.looks.happened |= before

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[None]:
        report = yield
        if not report.passed:
            self.failed.add(item.nodeid)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.looks.happened = False
        done = yield
        looked = (
            self.looks.happened
            or self.looked_in & {node.nodeid for node in item.listchain()}
            or self.fixtures & {*getattr(item, "fixturenames", ())}
        )
        if not looked and item.nodeid not in self.failed:
            with self.path.open("a", encoding="utf-8") as notes:  # workers of xdist share it
                notes.write(f"{item.nodeid}\n")
        return done


def leave_out(path: Path, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests that are noted in a file."""
    noted = set(path.read_text(encoding="utf-8").splitlines())
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in noted])
    items[:] = [item for item in items if item.nodeid not in noted]
