"""The simulated cluster of benchmarks/cluster.py, against schedules that can be worked out."""

from __future__ import annotations

import heapq
import math
import sys
from collections import deque
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("scipy", reason="needs the extra train")
pytest.importorskip("matplotlib", reason="needs the extra train")

from histpred.core.errors import InputError
from support.command_line import ROOT
from support.scripts import load_script

SUBMIT = "2026-11-25 03:10:00.123"
HEADER = "task_id\thash\tname\tstatus\texit\tsubmit\tduration\trealtime\t%cpu"


cluster = load_script("benchmarks/cluster.py")
simulation, tables, trace = (
    sys.modules[name] for name in ("cluster_simulation", "cluster_tables", "cluster_trace")
)
# Nothing but the tasks themselves takes time.
BARE = {
    "queue_size": 10**6, "scatter_array": 1, "poll": 0.0, "sbatch": 0.0, "scheduling": 0.0,
    "release": 0.0, "slow": 0.0, "killed": 0.0, "lost": 0.0,
}  # fmt: skip


def bare(**settings: Any) -> Any:
    return cluster.Cluster(**(BARE | settings))


def planned(
    shards: list[list[float]],
    cpu_seconds: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0),
    fixed: float = 0.0,
) -> Any:
    """Return a plan of genomes whose shards take these seconds, fixed seconds included.

    cpu_seconds: time of BUNDLE, a SCATTER, a GATHER and SUMMARY.
    """
    bundle, scatter, gather, summary = cpu_seconds
    genomes = len(shards)
    seconds = [bundle, *[scatter] * genomes, *[gather] * genomes, summary, *chain(*shards)]
    genome = np.repeat(np.arange(genomes), [len(own) for own in shards])
    return simulation.Plan(genome, np.array(seconds), fixed, 0.0)


def makespan(made: Any, settings: Any, seed: int = 0) -> float:
    return cluster.simulate(made, settings, seed).makespan


@pytest.mark.parametrize(("tasks", "gpus"), [(1, 1), (10, 3), (12, 3), (13, 3), (5, 8), (400, 100)])
def test_equal_tasks_take_whole_rounds(tasks: int, gpus: int) -> None:
    made = planned([[7.0] * tasks])
    assert makespan(made, bare(gpus=gpus)) == pytest.approx(math.ceil(tasks / gpus) * 7)


def test_one_gpu_takes_the_sum() -> None:
    shards = [[1.5, 2.0], [4.25], [0.5, 0.5, 8.0]]
    assert makespan(planned(shards), bare(gpus=1)) == pytest.approx(16.75)


shard_seconds = st.lists(
    st.lists(st.floats(0.01, 100), min_size=1, max_size=8), min_size=1, max_size=12
)


@given(shard_seconds, st.integers(1, 20))
def test_the_makespan_is_that_of_list_scheduling(shards: list[list[float]], gpus: int) -> None:
    found = makespan(planned(shards), bare(gpus=gpus))
    times = list(chain(*shards))
    assert found <= sum(times) / gpus + max(times) + 1e-6
    assert found >= max(sum(times) / gpus, max(times)) - 1e-6

    free = [0.0] * gpus
    for time in times:
        heapq.heapreplace(free, free[0] + time)
    assert found == pytest.approx(max(free))


@given(shard_seconds)
def test_a_queue_of_one_does_one_task_at_a_time(shards: list[list[float]]) -> None:
    made = planned(shards, (1.0, 2.0, 3.0, 4.0))
    assert makespan(made, bare(gpus=50, queue_size=1)) == pytest.approx(made.seconds.sum())


def test_polls_and_passes_by_hand() -> None:
    # BUNDLE is submitted at 0, starts at 3, ends at 4, is seen at 5; SCATTER 6, 8, 10;
    # PREDICT 12, 16, 20; GATHER 21, 22, 25; SUMMARY 27, 28, 30.
    made = planned([[4.0]], (1.0, 2.0, 1.0, 1.0))
    assert makespan(made, bare(gpus=1, poll=5.0, scheduling=3.0)) == pytest.approx(30)


def test_a_gpu_is_given_away_after_its_release() -> None:
    made = planned([[4.0, 4.0, 4.0]])
    assert makespan(made, bare(gpus=1, release=2.0)) == pytest.approx(4 + 2 + 4 + 2 + 4)


@pytest.mark.parametrize("settings", [{"sbatch": 0.5}, {"submissions": 2.0}])
def test_submissions_go_one_after_another(settings: dict[str, float]) -> None:
    # The BUNDLE goes at 0, the SCATTER at 0.5, shards at 1.0, 1.5, ... 10.5, the GATHER at 11.0.
    made = planned([[0.1] * 20])
    assert makespan(made, bare(gpus=100, **settings)) == pytest.approx(11.5)


def test_arrays_submit_scatter_tasks_together() -> None:
    made = planned([[0.0]] * 20)
    one = makespan(made, bare(gpus=100, sbatch=1.0))
    assert one - makespan(made, bare(gpus=100, sbatch=1.0, scatter_array=20)) == pytest.approx(
        20 - 20 / 20
    )


def test_cpus_are_bounded() -> None:
    made = planned([[0.0]] * 9, (0.0, 5.0, 0.0, 0.0))
    assert makespan(made, bare(gpus=100, cpus=3)) == pytest.approx(15)


def test_a_slow_gpu_is_slow() -> None:
    assert makespan(planned([[5.0]]), bare(gpus=1, slow=1.0, slowness=1.5)) == pytest.approx(7.5)


@pytest.mark.parametrize(("fixed", "embedding"), [(2.0, 3.0), (3.0, 3.0), (0.0, 1.0)])
def test_two_tasks_of_a_gpu_embed_in_turns(fixed: float, embedding: float) -> None:
    made = planned([[fixed + embedding] * 9], fixed=fixed)
    assert makespan(made, bare(gpus=1)) == pytest.approx(9 * (fixed + embedding))
    # Only the first task's start is not hidden behind another's embedding.
    assert makespan(made, bare(gpus=1, tasks_per_gpu=2)) == pytest.approx(fixed + 9 * embedding)


def test_the_time_limit_grows_with_the_attempt() -> None:
    run = cluster.simulate(planned([[25.0]]), bare(gpus=1, walltime=10.0), 0)
    assert run.makespan == pytest.approx(10 + 20 + 25)
    assert (run.attempts, run.given_up) == (4 + 3, 0)
    run = cluster.simulate(planned([[35.0]]), bare(gpus=1, walltime=10.0), 0)
    assert run.makespan == pytest.approx(10 + 20 + 30)
    assert (run.attempts, run.given_up) == (4 + 3, 1)


def test_a_lost_node_is_noticed_late() -> None:
    # All attempts at a shard of a million hours are lost, at a rate of one in an hour.
    made = planned([[3.6e9]])
    settings = bare(gpus=1, lost=1.0, exit_timeout=1e6, walltime=math.inf)
    run = cluster.simulate(made, settings, 0)
    assert run.given_up == 1
    assert run.attempts == 4 + 3
    assert 3e6 < run.makespan < 3e6 + 100 * 3600


def test_retries_are_as_many_as_expected() -> None:
    share, made = 0.1, planned([[1.0] * 10] * 400)
    run = cluster.simulate(made, bare(gpus=50, killed=share), 1)
    tasks = len(made.seconds)
    # A task is tried a second time with the chance p, a third time with p^2.
    expected = tasks * (share + share**2)
    deviation = math.sqrt(tasks * (share + 3 * share**2))
    assert abs(run.attempts - tasks - expected) < 5 * deviation + 10 * run.given_up
    assert run.given_up <= tasks * share**3 + 5 * math.sqrt(tasks * share**3)
    assert run.attempts > tasks


@given(
    shard_seconds,
    st.integers(1, 12),
    st.integers(1, 3),
    st.integers(1, 40),
    st.sampled_from([0.0, 3.0]),
    st.sampled_from([0.0, 0.3]),
    st.integers(0, 5),
)
def test_shares_add_up(
    shards: list[list[float]],
    gpus: int,
    tasks: int,
    queue: int,
    submissions: float,
    killed: float,
    seed: int,
) -> None:
    made = planned([[2 + time for time in own] for own in shards], (1.0, 2.0, 3.0, 4.0), fixed=2.0)
    settings = cluster.Cluster(
        gpus=gpus, tasks_per_gpu=tasks, queue_size=queue, submissions=submissions, killed=killed
    )
    run = cluster.simulate(made, settings, seed)
    ideal = sum(map(sum, shards))
    if not run.makespan or run.given_up:
        return
    found = cluster.shares(run, made, gpus, ideal)
    parts = [found[name] for name in ("efficiency", *tables.LOSSES)]
    assert sum(parts) == pytest.approx(1)
    assert min(parts) >= -1e-9
    assert 0 < found["efficiency"] <= 1
    assert found["retries"] == run.attempts - len(made.seconds) >= 0
    assert found["tasks"] == 2 + 2 * len(shards) + sum(map(len, shards))


def test_losses_by_hand() -> None:
    # Two GPUs, shards of 2 + 8, 2 + 8 and 2 + 3 s, no shard before 5 s (SCATTER), a GATHER of 4 s:
    # until 5, 15, 20 and 24 s.
    made = planned([[10.0, 10.0, 5.0]], (0.0, 5.0, 4.0, 0.0), fixed=2.0)
    run = cluster.simulate(made, bare(gpus=2), 0)
    found = cluster.shares(run, made, 2, 19.0)
    assert found["makespan"] == pytest.approx(24)
    seconds = {"efficiency": 19, "start-up": 6, "scatter": 10, "queueing": 0, "variation": 0}
    seconds["tail"] = 5 + 2 * 4
    for name, value in seconds.items():
        assert found[name] == pytest.approx(value / 48, abs=1e-12), name


def test_the_same_seed_gives_the_same_run() -> None:
    made = planned([[3.0, 4.0]] * 30)._replace(sigma=0.3)
    times = [makespan(made, bare(gpus=5), seed) for seed in (1, 1, 2)]
    assert times[0] == times[1] != times[2]


def test_spread_leaves_the_mean_alone() -> None:
    made = planned([[1.0] * 5000])._replace(sigma=0.5)
    assert makespan(made, bare(gpus=1)) == pytest.approx(5000, rel=0.03)


@given(st.lists(st.integers(), unique=True, max_size=9), st.integers(0, 9), st.integers(0, 40))
def test_the_finger_goes_round(tasks: list[int], at: int, steps: int) -> None:
    at = min(at, len(tasks))
    behind, ahead = deque(tasks[:at]), deque(tasks[at:])
    simulation._turn(ahead, behind, steps)
    assert [*behind, *ahead] == tasks
    if tasks:
        assert len(behind) % len(tasks) == (at + steps) % len(tasks)


def test_genomes_have_the_stated_sizes() -> None:
    sizes = cluster.genome_bases(0, 4000)
    assert np.array_equal(sizes, cluster.genome_bases(0, 4000))
    assert sizes.min() >= 12e6 * (1 - 1e-9)
    assert sizes.max() <= 4e9 * (1 + 1e-9)
    inside = (sizes > 12.01e6) & (sizes < 3.99e9)
    assert 0.94 < inside.mean() < 0.96
    assert np.median(sizes) == pytest.approx(math.sqrt(12e6 * 4e9), rel=0.1)


def test_a_plan_is_what_the_trace_and_the_options_say() -> None:
    lines = {
        "BUNDLE": trace.Line(1, 0),
        "SCATTER": trace.Line(2, 1e-8),
        "PREDICT": trace.Line(3, 9),
        "GATHER": trace.Line(4, 1e-9),
        "SUMMARY": trace.Line(5, 0),
    }
    measured = cluster.Measurements(0, 0, 0.5, lines, 0.2, [])
    case = cluster.Case(np.array([100e6, 250e6]), 100e6, bare(), 1e6, 10.0)
    made = cluster.plan(case, measured)
    assert made.genome.tolist() == [0, 1, 1, 1]
    assert made.fixed == pytest.approx(13.5)
    assert made.seconds == pytest.approx(
        [1.5, 3.5, 5.0, 4.6, 4.75, 5.5, 113.5, *[13.5 + 250 / 3] * 3]
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1m 2s", 62.0), ("350ms", 0.35), ("1.1s", 1.1), ("1d 2h 3m 4s", 93784.0), ("1500", 1.5)],
)
def test_durations_are_read(text: str, expected: float) -> None:
    assert trace.seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["-", "", "soon", "1m soon", "1 2", "-3s", float("nan"), None])
def test_what_is_no_duration_is_nan(text: object) -> None:
    assert math.isnan(trace.seconds(text))


def _rows(sample: str, shards: int, bases: int) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield hash, name, status, duration and realtime of a sample's tasks.

    SCATTER takes 2 s + 10 s/Gbp, PREDICT 5 s + 500 s/Gbp, GATHER 1 s. Each takes half a second more
    to start.
    """
    total = shards * bases
    scatter, predict = 2000 + round(total / 1e5), 5000 + round(bases / 2e3)
    yield f"s-{sample}", f"A:SCATTER ({sample})", "COMPLETED", f"{scatter + 500}ms", f"{scatter}ms"
    for number in range(1, shards + 1):
        name = f"A:B:PREDICT ({sample} {number}/{shards} {bases} bp)"
        time = f"{predict // 1000}s {predict % 1000}ms"
        yield f"p-{sample}{number}", name, "COMPLETED", f"{predict + 500}ms", time
    yield f"g-{sample}", f"A:B:GATHER ({sample})", "COMPLETED", "1.5s", "1s"


def _write(path: Path, rows: list[tuple[str, str, str, str, str]]) -> str:
    lines = [
        f"{number}\t{digest}\t{name}\t{status}\t0\t{SUBMIT}\t{duration}\t{realtime}\t-"
        for number, (digest, name, status, duration, realtime) in enumerate(rows, 1)
    ]
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return str(path)


SAMPLES = [
    *_rows("yeast", 2, 6_000_000),
    *_rows("fly (old)", 3, 50_000_000),
    *_rows("b:c", 1, 10_000_000),
]


def test_a_trace_gives_its_lines_back(tmp_path: Path) -> None:
    others = [
        ("b", "BUNDLE (--bundle human-promoter)", "COMPLETED", "1m 1s", "400ms"),  # it queued
        ("m", "SUMMARY", "COMPLETED", "35s", "300ms"),
        ("f", "A:B:PREDICT (yeast 1/2 6000000 bp)", "FAILED", "99s", "98s"),
        ("x", "A:B:PREDICT (yeast 2/2 6000000 bp)", "ABORTED", "-", "-"),
    ]
    measured = cluster.measure([_write(tmp_path / "trace.txt", [*others, *SAMPLES])])
    assert (measured.tasks, measured.failed) == (2 + 12, 1)
    assert [note for note in measured.notes if "sigma is pessimistic" not in note] == []
    assert measured.launch == pytest.approx(0.5)
    assert measured.sigma == pytest.approx(0, abs=1e-6)
    lines = measured.lines
    assert lines["PREDICT"] == pytest.approx((5, 5e-7))
    assert lines["SCATTER"] == pytest.approx((2, 1e-8))
    assert lines["GATHER"] == pytest.approx((1, 0), abs=1e-12)
    assert lines["BUNDLE"] == pytest.approx((0.4, 0))
    assert lines["SUMMARY"] == pytest.approx((0.3, 0))


def test_cached_tasks_count_once(tmp_path: Path) -> None:
    # The first run ended after the yeast's first shard; the second took over what was there.
    first = _write(tmp_path / "first.txt", SAMPLES[:2])
    cached = [(row[0], row[1], "CACHED", *row[3:]) for row in SAMPLES[:2]]
    second = _write(tmp_path / "second.txt", [*cached, *SAMPLES[2:]])
    both, alone = cluster.measure([first, second]), cluster.measure([second])
    assert both.tasks == alone.tasks == 12
    for process in ("SCATTER", "PREDICT", "GATHER"):
        assert both.lines[process] == pytest.approx(alone.lines[process])
    assert both.lines["SCATTER"] == pytest.approx((2, 1e-8))


def test_columns_may_be_more_and_in_any_order(tmp_path: Path) -> None:
    rows = ["realtime\tqueue\tstatus\tname\tduration"]
    rows += [f"{row[4]}\tgpu\t{row[2]}\t{row[1]}\t{row[3]}" for row in SAMPLES]
    (tmp_path / "trace.txt").write_text("\n".join(rows) + "\n")
    measured = cluster.measure([str(tmp_path / "trace.txt")])
    assert measured.lines["PREDICT"] == pytest.approx((5, 5e-7))


def test_shards_of_one_size_cannot_tell_what_grows(tmp_path: Path) -> None:
    measured = cluster.measure(
        [_write(tmp_path / "trace.txt", list(_rows("yeast", 3, 10_000_000)))]
    )
    assert measured.lines["PREDICT"] == pytest.approx((10, 0))
    assert [note.split(":")[0] for note in measured.notes] == ["SCATTER", "PREDICT", "GATHER"]


def test_the_spread_is_found(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = list(_rows("one", 1, 1_000_000))
    for number, bases in enumerate(rng.integers(1_000_000, 100_000_000, 400)):
        time = round(1000 * (5 + bases / 2e6) * math.exp(rng.normal(0, 0.1)))
        name = f"PREDICT (many {number + 1}/400 {bases} bp)"
        rows.append((f"m{number}", name, "COMPLETED", f"{time}ms", f"{time}ms"))
    measured = cluster.measure([_write(tmp_path / "trace.txt", rows)])
    assert measured.sigma == pytest.approx(0.1, rel=0.15)
    assert measured.lines["PREDICT"].a_base == pytest.approx(5e-7, rel=0.05)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("", "cannot be read"),
        ("name\tstatus\nA\tCOMPLETED\n", "no column duration, realtime among name, status"),
        (f"{HEADER}\n1\th\tSCATTER (a)\tCOMPLETED\t0\t-\t2s\t1s\t-\n", "no completed PREDICT"),
    ],
)
def test_what_is_no_trace_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "trace.txt"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        cluster.measure([str(path)])


def test_tables_and_plot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster, "GPUS", (10, 100))
    monkeypatch.setattr(cluster, "REPEATS", 1)
    monkeypatch.setattr(cluster, "LOADS", (5.0,))
    monkeypatch.setattr(cluster, "genome_bases", lambda seed: np.full(20, 200e6))
    path, plot = _write(tmp_path / "trace.txt", SAMPLES), tmp_path / "cluster.svg"
    monkeypatch.setattr(sys, "argv", ["cluster.py", path, "--rate", "1e6", "--out", str(plot)])
    cluster.main()
    printed = capsys.readouterr().out
    assert "PREDICT: 5.00 s before it embeds" in printed
    assert "a GPU embeds 1 Mbp/s and loads its model in 10 s" in printed
    rows = [line for line in printed.splitlines() if line.startswith("| 2 | 100 | 10 |")]
    assert 1 <= len(rows) <= 2  # it may be the best of its number of GPUs, too
    assert rows[0].split(" | ")[3] == f"{2 + 2 * 20 + 20 * 20}"
    assert plot.read_text().rstrip().endswith("</svg>")


def test_measured_takes_rate_and_start_from_the_traces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster, "GPUS", (100,))
    monkeypatch.setattr(cluster, "REPEATS", 1)
    cases = []
    plan = cluster.plan
    monkeypatch.setattr(cluster, "plan", lambda *case: cases.append(case[0]) or plan(*case))
    monkeypatch.setattr(cluster, "genome_bases", lambda seed: np.full(20, 200e6))
    path = _write(tmp_path / "trace.txt", SAMPLES)
    monkeypatch.setattr(sys, "argv", ["cluster.py", path, "--measured"])
    cluster.main()
    printed = capsys.readouterr().out
    assert "PREDICT: 5.00 s before it embeds" in printed
    assert "; 2,000,000 bp/s\n" in printed
    assert "not used" not in printed
    assert "nodes like the one that was measured" in printed
    assert {(round(case.rate), case.load) for case in cases} == {(2_000_000, 0.0)}

    one_size = _write(tmp_path / "one.txt", list(_rows("yeast", 3, 10_000_000)))
    monkeypatch.setattr(sys, "argv", ["cluster.py", one_size, "--measured"])
    with pytest.raises(SystemExit, match="shards of different sizes"):
        cluster.main()


@pytest.mark.parametrize("options", [["--rate", "0"], ["--queue-size", "0"], ["--out", "a.txt"]])
def test_options_that_make_no_sense_are_refused(
    options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["cluster.py", "trace.txt", *options])
    with pytest.raises(SystemExit) as ended:
        cluster.main()
    assert ended.value.code == 2
    assert options[0] in capsys.readouterr().err


def test_the_cluster_s_settings_are_those_of_the_slurm_profile() -> None:
    profile = (ROOT / "nextflow" / "conf" / "slurm.config").read_text(encoding="utf-8")
    settings = cluster.Cluster(gpus=1)
    assert f"queueSize    = {settings.queue_size}\n" in profile
    assert f"pollInterval = '{settings.poll:g} sec'" in profile
