"""The progress bar: its pace, the time that is left, and messages that come between."""

from __future__ import annotations

import io
import re
import sys

import pytest

from histpred.bundle.encoding import bundle_encoder
from histpred.bundle.folder import load_bundle
from histpred.commands.progress import Progress
from histpred.core.execution import Execution
from histpred.core.log import logger, messages
from histpred.genome.request import Request
from histpred.scoring.predict import predict


class Terminal(io.StringIO):
    """Standard error of a user who looks at it."""

    def isatty(self) -> bool:
        return True

    def lines(self) -> list[str]:
        """What was shown at any time, each line once it was complete."""
        return [line.rstrip() for line in re.split(r"[\r\n]+", self.getvalue()) if line.strip()]


def watch(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Put a terminal in the place of standard error; not in a fixture, after which pytest does."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "80")
    return terminal


@pytest.fixture
def clock() -> list[float]:
    return [100.0]


def test_the_bar_moves_with_the_work_and_the_rest_falls(clock, monkeypatch) -> None:
    terminal = watch(monkeypatch)
    with Progress("scoring", False, lambda: clock[0]) as progress:
        for done in range(0, 1001, 50):
            progress(done, 1000)
            clock[0] += 1
    shown = terminal.lines()
    assert [int(re.search(r"(\d+)%", line)[1]) for line in shown] == list(range(0, 101, 5))
    rests = [re.search(r", (\d+):(\d\d) left", line) for line in shown]
    seconds = [int(rest[1]) * 60 + int(rest[2]) for rest in rests if rest]
    assert seconds == list(range(18, 0, -1))
    assert terminal.getvalue().endswith("\r")  # the bar is gone in the end


def test_what_was_done_before_the_first_call_does_not_count_for_the_pace(
    clock, monkeypatch
) -> None:
    """The first batch may take long, or a store may hold most of the windows."""
    terminal = watch(monkeypatch)
    with Progress("scoring", False, lambda: clock[0]) as progress:
        progress(900, 1000)
        clock[0] += 10
        progress(910, 1000)
    assert terminal.lines()[-1].endswith(" 91%, 1:30 left")


def test_it_is_drawn_seldom_enough(clock, monkeypatch) -> None:
    terminal = watch(monkeypatch)
    with Progress("scoring", False, lambda: clock[0]) as progress:
        for done in range(1, 1001):
            progress(done, 1000)
            clock[0] += 0.001
    assert len(terminal.lines()) <= 12


def test_a_message_does_not_stand_in_the_line_of_the_bar(clock, monkeypatch) -> None:
    terminal = watch(monkeypatch)
    with messages(quiet=False, debug=False), Progress("scoring", False) as progress:
        progress(1, 2)
        logger.warning("memory is short")
        progress(2, 2)
    assert "warning: memory is short" in terminal.lines()
    last = terminal.getvalue().split("\n")[0].rsplit("\r", 1)[-1]
    assert last == "warning: memory is short"


def test_a_narrow_terminal_gets_one_line(monkeypatch) -> None:
    terminal = watch(monkeypatch)
    monkeypatch.setenv("COLUMNS", "20")
    with Progress("scoring windows", False) as progress:
        progress(1, 2)
    assert max(map(len, terminal.lines())) == 19


@pytest.mark.parametrize("done", [0, 5])
def test_nothing_to_do_shows_nothing(done, monkeypatch) -> None:
    terminal = watch(monkeypatch)
    with Progress("scoring", False) as progress:
        progress(done, 0)
    assert terminal.lines() == []


def test_quiet_and_logs_of_batch_systems_show_nothing(monkeypatch) -> None:
    terminal = watch(monkeypatch)
    with Progress("scoring", quiet=True) as progress:
        progress(1, 2)
    assert terminal.getvalue() == ""
    before = logger.handlers[:]
    with Progress("scoring", quiet=False):
        assert len(logger.handlers) == len(before) + 1
    assert logger.handlers == before


@pytest.mark.parametrize("window", ["interval", "promoter"])
def test_windows_of_n_make_no_jump(window, tmp_path) -> None:
    """A chromosome begins with megabases of N, whose windows are skipped at once."""
    (tmp_path / "genome.fa").write_text(">chr1\n" + "N" * 400_000 + "ACGTTGCA" * 50_000 + "\n")
    rows = [f"chr1\t{at}\t{at + 200}\tr{at}\t0\t+\n" for at in range(20_000, 800_000, 400)]
    (tmp_path / "rows.bed").write_text("".join(rows))
    told: list[tuple[int, int]] = []
    tile = 200 if window == "interval" else None
    files = [str(tmp_path / name) for name in ("rows.bed", "genome.fa")]
    if tile:
        files[0] = files[1]
    choice = bundle_encoder(load_bundle(), None, tile)
    execution = Execution(progress=lambda done, total: told.append((done, total)))
    result = predict(Request(*files), choice, tmp_path / "out", execution)
    shares = [done / total for done, total in told]
    assert shares == sorted(shares)
    assert told[-1] == (result.scored, result.scored)
    steps = [after - before for before, after in zip([0, *shares], shares, strict=False)]
    assert max(steps) < (0.3 if tile else 0.6)
