"""Task times from the traces of Nextflow: what `benchmarks/cluster.py` measures, not assumes."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from histpred.core.errors import InputError

BUNDLE, SCATTER, PREDICT, GATHER, SUMMARY = "BUNDLE", "SCATTER", "PREDICT", "GATHER", "SUMMARY"
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
NAME = r"^(?:[^(]*:)?(?P<process>[^:( ]+)(?: \((?P<tag>.*)\))?$"
SHARD_TAG = r"^(?P<sample>.+) \d+/(?P<shards>\d+) (?P<bases>\d+) bp$"


class Line(NamedTuple):
    """Seconds = fixed + a_base x bases."""

    fixed: float
    a_base: float


class Measurements(NamedTuple):
    """Task times from traces.

    launch: seconds to start a task, beside its own. sigma: standard deviation of the logarithm of
    PREDICT's times around its line. notes: what the traces cannot tell.
    """

    tasks: int
    failed: int
    launch: float
    lines: dict[str, Line]
    sigma: float
    notes: list[str]


def measure(paths: list[str]) -> Measurements:
    """Read task times from Nextflow's traces. Raise InputError if they hold none."""
    tasks = pd.concat([read_trace(path) for path in paths], ignore_index=True)
    if "hash" in tasks:  # a task that another trace shows as cached is the same task
        tasks = tasks[~tasks.duplicated("hash") | tasks["hash"].isna()]
    done = tasks[tasks["status"].isin(["COMPLETED", "CACHED"])].dropna(subset=["seconds"])
    shards = done[(done["process"] == PREDICT) & done["bases"].notna()]
    # Shards of a sample have about the same size, and a trace may lack some of them.
    of_sample = shards.groupby(["trace", "sample"])
    totals = of_sample["bases"].mean() * of_sample["shards"].first()
    lines, notes = {}, []
    for process in (BUNDLE, SCATTER, PREDICT, GATHER, SUMMARY):
        rows = shards if process == PREDICT else done[done["process"] == process]
        if process in (SCATTER, GATHER):
            keys = pd.MultiIndex.from_frame(rows[["trace", "tag"]])
            rows = rows.assign(bases=totals.reindex(keys).to_numpy())
        if process in (SCATTER, PREDICT, GATHER):
            if rows.empty:
                raise InputError(
                    paths[0],
                    f"no completed {process} with its time among {len(tasks)} tasks",
                    "give the trace of a pipeline run with --mode predict",
                )
            if not tells_apart(rows["bases"]):
                notes.append(f"{process}: sizes are too similar to see growth; all time is fixed")
        lines[process] = fit(rows["seconds"], rows["bases"])
    sigma = _spread(shards, lines[PREDICT], notes)
    beside = (done["duration"] - done["seconds"]).clip(lower=0).dropna()
    launch = float(beside.quantile(0.1)) if len(beside) else 0.0
    failed = int((tasks["status"] == "FAILED").sum())
    return Measurements(len(done), failed, launch, lines, sigma, notes)


def _spread(shards: pd.DataFrame, line: Line, notes: list[str]) -> float:
    """Return Measurements.sigma, and add to `notes` what limits it."""
    ratio = np.log(shards["seconds"] / (line.fixed + line.a_base * shards["bases"]))
    if len(ratio) <= 2:
        notes.append("PREDICT: too few shards to measure a spread; it is taken as 0")
        return 0.0
    if shards["seconds"].median() < 10:
        notes.append(
            "PREDICT: tasks of a few seconds spread more than long tasks: sigma is pessimistic"
        )
    # The line took two degrees of freedom.
    return float(np.sqrt((ratio**2).sum() / (len(ratio) - 2)))


def read_trace(path: str) -> pd.DataFrame:
    """Return the tasks of a trace.

    Columns: process (last name, up to '_'), tag, status; hash if the trace has it; sample, bases
    and number of shards if the tag is that of a shard; duration and realtime in seconds.
    """
    try:
        rows = pd.read_csv(path, sep="\t", dtype=str, na_values=["-"])
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(path, f"cannot be read: {error}", "give a file of -with-trace") from None
    if missing := {"name", "status", "duration", "realtime"} - set(rows):
        raise InputError(
            path,
            f"no column {', '.join(sorted(missing))} among {', '.join(rows)}",
            "give a file of -with-trace with its default fields",
        )
    names = rows["name"].fillna("").str.extract(NAME)
    shard = names["tag"].str.extract(SHARD_TAG)
    return pd.DataFrame(
        {
            "trace": path,
            "process": names["process"].str.split("_").str[0],
            "tag": names["tag"],
            "sample": shard["sample"],
            "bases": pd.to_numeric(shard["bases"]),
            "shards": pd.to_numeric(shard["shards"]),
            "status": rows["status"],
            "duration": rows["duration"].map(seconds),
            "seconds": rows["realtime"].map(seconds),
        }
        | ({"hash": rows["hash"]} if "hash" in rows else {})
    )


def seconds(text: object) -> float:
    """Return a duration of Nextflow in seconds, or NaN if `text` is not a duration.

    Bare numbers are milliseconds, as with `trace.raw`.

    >>> seconds("1m 2s"), seconds("350ms"), seconds("1500")
    (62.0, 0.35, 1.5)
    """
    parts = str(text).split()
    found = [re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?", part) for part in parts]
    if not parts or None in found or (len(parts) > 1 and not all(part[2] for part in found)):
        return float("nan")
    return sum(float(part[1]) * UNITS[part[2] or "ms"] for part in found)


def tells_apart(bases: pd.Series) -> bool:
    """Return True if the sizes differ enough to see which seconds grow with size."""
    known = bases.dropna()
    return len(known) > 1 and known.max() >= 1.5 * known.min()


def fit(times: pd.Series, bases: pd.Series) -> Line:
    """Return the line of least relative error, with no negative part.

    If sizes are too similar, all time is fixed.
    """
    if times.empty:
        return Line(0.0, 0.0)
    if not tells_apart(bases):
        return Line(float(times.median()), 0.0)
    known = bases.notna()
    times, bases = times[known].clip(lower=0.001), bases[known]
    scale = bases.max()
    columns = np.column_stack([1 / times, bases / scale / times])
    (fixed, growing), _ = nnls(columns, np.ones(len(times)))
    return Line(float(fixed), float(growing / scale))
