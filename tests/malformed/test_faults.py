"""E4 60-64 of the field's reference: what a machine, a shell or a second run can do to a run."""

from __future__ import annotations

import contextlib
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support import random_bed_rows, random_genome, write_bed, write_fasta
from support.command_line import (
    FILES,
    command,
    contents,
    environment,
    histpred,
    process,
    said_well,
    tables,
    tree,
    with_file_limit,
)

WORK = ".histpred-work"
SOME = 50_000  # bytes: more than the genome's copy takes, less than scores and ledger do


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> tuple[Path, Path]:
    """1,500 rows on 120 kb; the FASTA is gzip, so that a private copy has to be made, too."""
    folder = tmp_path_factory.mktemp("inputs")
    rng = random.Random(60)
    genome = random_genome(rng, {"chr1": 80_000, "chr2": 40_000})
    write_fasta(folder / "genome.fa", genome)
    rows = random_bed_rows(rng, genome, 1500)
    return (
        write_bed(folder / "rows.bed", rows),
        write_fasta(folder / "genome.fa.gz", genome, gzip=True),
    )


@pytest.fixture(scope="module")
def finished(inputs, tmp_path_factory) -> Path:
    """The folder of a run that nothing disturbed. Tests only read it."""
    out = tmp_path_factory.mktemp("finished") / "out"
    assert histpred("predict", *inputs, "-o", out).code == 0
    return out


@pytest.fixture(scope="module")
def unbroken(finished) -> dict[str, bytes]:
    """The bytes of that run."""
    return tables(finished)


@pytest.fixture(scope="module")
def few(inputs, tmp_path_factory) -> tuple[Path, Path]:
    """200 of the rows, where it does not matter how long a run takes."""
    rows = inputs[0].read_text().splitlines(keepends=True)[:200]
    path = tmp_path_factory.mktemp("few") / "rows.bed"
    path.write_text("".join(rows))
    return path, inputs[1]


@pytest.fixture(scope="module")
def few_unbroken(few, tmp_path_factory) -> dict[str, bytes]:
    """The bytes of a run on those that nothing disturbed."""
    out = tmp_path_factory.mktemp("few") / "out"
    assert histpred("predict", *few, "-o", out).code == 0
    return tables(out)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def wait_for(condition, seconds: float = 100) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.002)


@contextmanager
def started(*arguments, **options) -> Iterator[subprocess.Popen]:
    """A histpred of its own that is killed in the end, if it still runs."""
    child = subprocess.Popen(
        command(*arguments),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        encoding="utf-8",
        env=environment(),
        **options,
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        child.stderr.close()


def is_ready(child: subprocess.Popen) -> bool:
    """True once histpred handles SIGTERM; before, it is Python that starts."""
    with open(f"/proc/{child.pid}/status") as status:
        (caught,) = (line.split()[1] for line in status if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> signal.SIGTERM - 1 & 1)


@contextmanager
def held(folder: Path, annotation: Path, **options) -> Iterator[tuple[subprocess.Popen, callable]]:
    """A run stopped in the middle: it has read half of the annotation; call the second to go on."""
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    content = annotation.read_bytes()
    go_on = threading.Event()

    def write() -> None:
        with contextlib.suppress(BrokenPipeError), open(pipe, "wb", buffering=0) as target:
            target.write(content[: len(content) // 2])
            go_on.wait(60)
            target.write(content[len(content) // 2 :])

    writer = threading.Thread(target=write)
    with started("predict", pipe, *options.pop("more"), **options) as child:
        writer.start()
        try:
            yield child, go_on.set
        finally:
            go_on.set()
            child.kill()
            if writer.is_alive():  # opened by nobody: open it, so that the writer ends
                with contextlib.suppress(OSError):
                    os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))
            writer.join(10)


# 60: a full disk


@pytest.mark.parametrize("suffix", ["", ".gz"], ids=["plain", "gzip"])
@pytest.mark.parametrize("size", [0, 1_000, SOME, "one byte too few"])
def test_60_no_room_at_any_write(size, suffix, inputs, unbroken, tmp_path):
    """A limit on the size of files stands for a full disk; larger ones let the run get further."""
    out, inputs = tmp_path / "out", (inputs[0], inputs[1].with_suffix(suffix))
    if size == "one byte too few":
        size = max(map(len, unbroken.values())) - 1
    done = with_file_limit(size, "predict", *inputs, "-o", out)
    assert done.code == 75, done.err
    assert said_well(done.err), done.err
    assert "disk is full or over quota" in done.err
    assert not list(tmp_path.iterdir())

    assert histpred("predict", *inputs, "-o", out).code == 0
    assert tables(out) == unbroken


def test_60_no_room_under_overwrite_leaves_the_old_result(inputs, tmp_path):
    annotation = write_bed(tmp_path / "rows.bed", [("chr1", 5, 500, "a", 0, "+")])
    out = tmp_path / "out"
    assert histpred("predict", annotation, inputs[1], "-o", out).code == 0
    before = tree(out)
    done = with_file_limit(SOME, "predict", *inputs, "-o", out, "--overwrite")
    assert done.code == 75, done.err
    assert tree(out) == before


def test_60_windows_says_it_too(inputs, tmp_path):
    done = with_file_limit(SOME, "windows", *inputs, "-o", tmp_path / "out.fa")
    assert done.code == 75, done.err
    assert said_well(done.err)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".h5ad", ".parquet"])
def test_60_no_room_for_a_converted_table(suffix, finished, tmp_path):
    for package in ("anndata", "pyarrow"):
        pytest.importorskip(package, reason="needs the extra anndata")
    out = tmp_path / f"a{suffix}"
    assert histpred("convert", finished, "-o", out).code == 0
    whole = out.stat().st_size
    assert whole > SOME
    out.unlink()
    for size in (0, SOME, whole - 1):
        done = with_file_limit(size, "convert", finished, "-o", out)
        assert done.code == 75, done.err
        assert said_well(done.err), done.err
        assert "disk is full or over quota" in done.err
        assert not list(tmp_path.iterdir())


# 61: killed

STOPS = {
    "at once": lambda work: True,
    "the genome's copy": lambda work: any(work.glob("*-*.gz")),
    "the ledger": lambda work: (work / "ledger.sqlite").exists(),
    "the scores": lambda work: (work / "scores.tsv.gz").exists(),
    "the end": lambda work: any(
        (work.parent / name).exists() for name in (f"{WORK}/ledger.tsv", "ledger.tsv")
    ),
}


@pytest.mark.parametrize("stop", STOPS)
def test_61_kill_9_and_the_same_command_again(stop, inputs, unbroken, tmp_path):
    out = tmp_path / "out"
    with started("predict", *inputs, "-o", out) as child:
        wait_for(lambda: out.exists() and STOPS[stop](out / WORK))
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    finished = names(out) >= FILES
    assert finished or not names(out) & FILES or WORK in names(out)

    assert histpred("predict", *inputs, "-o", out).code == 0
    assert names(out) == FILES
    assert tables(out) == unbroken


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("stop", ["the ledger", "the scores"])
def test_61_a_polite_signal_sweeps_up(stop, number, inputs, unbroken, tmp_path):
    out = tmp_path / "out"
    with started("predict", *inputs, "-o", out) as child:
        wait_for(lambda: STOPS[stop](out / WORK))
        child.send_signal(number)
        _, err = child.communicate()
    assert child.returncode == 130, err
    assert "interrupted; nothing unfinished was published" in err
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())

    assert histpred("predict", *inputs, "-o", out).code == 0
    assert tables(out) == unbroken


def test_61_kill_9_while_reading_the_annotation(inputs, unbroken, tmp_path):
    out = tmp_path / "out"
    with held(tmp_path, inputs[0], more=(inputs[1], "-o", out)) as (child, _):
        wait_for(lambda: (out / WORK / "ledger.sqlite").exists())
        child.kill()
        child.wait()
    assert names(out) == {WORK}
    assert histpred("predict", *inputs, "-o", out).code == 0
    assert tables(out) == unbroken
    assert names(out) == FILES


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_61_kill_9_at_random_moments(inputs, unbroken, tmp_path):
    """Never a moment with a finished folder that is not whole."""
    rng = random.Random(61)
    for attempt in range(5):
        out = tmp_path / f"out{attempt}"
        with started("predict", *inputs, "-o", out) as child:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(rng.uniform(0.3, 1.6))
            child.kill()
            child.wait()
        if out.exists() and "run.json" in names(out):
            assert tables(out) == unbroken
        assert histpred("predict", *inputs, "-o", out).code == 0
        assert tables(out) == unbroken
        assert names(out) == FILES


VERBS = {
    "predict": ("out", "--tracks"),
    "scatter": ("out", "--bundle", "human-promoter"),
    "windows": ("out.fa", "--window", "context"),
    "report": ("out.html",),
    "tracks": ("hub",),
    "convert": ("out.parquet",),
    "summary": ("summary",),
}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("verb", VERBS)
def test_61_a_signal_ends_every_verb_within_five_seconds(verb, number, inputs, finished, tmp_path):
    if verb in ("predict", "scatter", "windows"):
        files = inputs
    else:
        files = (finished, inputs[1]) if verb == "tracks" else (finished,)
    rng = random.Random(verb)
    place, *options = VERBS[verb]
    for attempt in range(2):
        out = tmp_path / str(attempt) / place
        out.parent.mkdir()
        with started(verb, *files, "-o", out, *options) as child:
            wait_for(lambda child=child: is_ready(child))
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(rng.uniform(0, 1.5))
            child.send_signal(number)
            begin = time.monotonic()
            _, said = child.communicate(timeout=60)
        assert time.monotonic() - begin < 5
        assert child.returncode in (0, 130)
        assert "Traceback" not in said
        assert child.returncode != 130 or "error: interrupted" in said


def test_61_what_a_killed_run_left_beside_a_file_is_swept_up(inputs, tmp_path):
    left = tmp_path / ".out.tsv.histpred-work"
    left.mkdir()
    (left / "ledger.sqlite").write_bytes(b"half")
    assert histpred("windows", *inputs, "-o", tmp_path / "out.tsv").code == 0
    assert names(tmp_path) == {"out.tsv", "out.tsv.ledger.tsv"}


@pytest.mark.parametrize("verb", ["predict", "scatter"])
def test_61_what_is_put_into_the_folder_of_a_killed_run_is_not_replaced(verb, inputs, tmp_path):
    out = tmp_path / "out"
    (out / WORK).mkdir(parents=True)
    (out / "ledger.tsv").write_text("mine")
    more = ["--bundle", "human-promoter"] if verb == "scatter" else []
    done = histpred(verb, *inputs, "-o", out, *more, "--overwrite")
    assert done.code == 1
    assert said_well(done.err)
    assert f"{out / 'ledger.tsv'} exists" in done.err
    assert contents(out) == {"ledger.tsv": b"mine"}


def test_61_what_is_put_where_a_killed_run_would_have_written_is_not_replaced(inputs, tmp_path):
    (tmp_path / ".out.tsv.histpred-work").mkdir()
    (tmp_path / "out.tsv").write_text("mine")
    done = histpred("windows", *inputs, "-o", tmp_path / "out.tsv")
    assert done.code == 1
    assert f"{tmp_path / 'out.tsv'} exists" in done.err
    assert contents(tmp_path) == {"out.tsv": b"mine"}


# 62: something is there already


@pytest.mark.parametrize("suffix", ["tsv", "bed", "fa"])
def test_62_windows_again_has_nothing_to_do_unless_something_differs(suffix, inputs, tmp_path):
    out = tmp_path / f"out.{suffix}"
    arguments = ("windows", *inputs, "-o", out, "--unstranded")
    assert histpred(*arguments).code == 0
    before = tree(tmp_path)
    again = histpred(*arguments)
    assert again.code == 0
    assert f"{out} holds this output already: nothing to do" in again.err
    other = histpred(*arguments, "--window", "body")
    assert other.code == 1
    assert f"{out} exists" in other.err
    assert said_well(other.err)
    assert tree(tmp_path) == before
    out.with_name(f"{out.name}.ledger.tsv").write_text("mine")
    changed = tree(tmp_path)
    assert histpred(*arguments).code == 1
    assert tree(tmp_path) == changed


@pytest.mark.parametrize("there", ["out.tsv", "out.tsv.ledger.tsv"])
def test_62_windows_replaces_no_file_unasked(there, inputs, tmp_path):
    (tmp_path / there).write_text("mine")
    done = histpred("windows", *inputs, "-o", tmp_path / "out.tsv")
    assert done.code == 1
    assert f"{tmp_path / there} exists" in done.err
    assert said_well(done.err)
    assert contents(tmp_path) == {there: b"mine"}


@pytest.mark.parametrize("name", ["rows.bed", "genome.fa"])
def test_62_an_input_is_never_replaced_by_the_output(name, inputs, tmp_path):
    for path in (inputs[0], inputs[1].with_suffix("")):
        shutil.copy(path, tmp_path)
    before = tree(tmp_path)
    arguments = (tmp_path / "rows.bed", tmp_path / "genome.fa", "-o", tmp_path / name)
    done = histpred("windows", *arguments, "--overwrite")
    assert done.code in (1, 2)
    assert tree(tmp_path) == before


# 63: two at once


def test_63_a_second_run_on_the_same_output_is_refused(inputs, unbroken, tmp_path):
    out = tmp_path / "out"
    with held(tmp_path, inputs[0], more=(inputs[1], "-o", out)) as (child, go_on):
        wait_for(lambda: (out / WORK / "ledger.sqlite").exists())
        second = histpred("predict", *inputs, "-o", out)
        assert second.code == 1
        assert f"{out} is being written by another histpred" in second.err
        assert said_well(second.err)
        go_on()
        _, err = child.communicate()
    assert child.returncode == 0, err
    assert tables(out) == unbroken


def test_63_two_runs_share_a_cache(inputs, unbroken, tmp_path):
    outs, cache = [tmp_path / name for name in "ab"], tmp_path / "cache"
    with contextlib.ExitStack() as stack:
        children = [
            stack.enter_context(started("predict", *inputs, "-o", out, "--cache", cache))
            for out in outs
        ]
        for child in children:
            _, err = child.communicate()
            assert child.returncode == 0, err
    assert [tables(out) for out in outs] == [unbroken] * 2
    assert not [name for name in names(cache) if "partial" in name]


# 64: shells and machines


def test_64_a_reader_that_goes_away(tmp_path):
    """`histpred bundle show | head -1`, and a pipe that is closed before anything is written."""
    shell = ["bash", "-c", f"{shlex.join(command('bundle', 'show'))} | head -1; echo $PIPESTATUS"]
    done = subprocess.run(shell, capture_output=True, encoding="utf-8", env=environment())
    assert (done.stdout.splitlines()[-1], done.stderr) == ("0", "")

    read, write = os.pipe()
    os.close(read)
    child = subprocess.run(
        command("bundle", "show", "--json"), stdout=write, stderr=subprocess.PIPE, env=environment()
    )
    os.close(write)
    assert (child.returncode, child.stderr) == (0, b"")


# fmt: off
SURROUNDINGS = {
    "LC_ALL=C": ([], {"LC_ALL": "C", "LANG": None, "PYTHONUTF8": "0"}),
    "LC_ALL=POSIX without coercion": ([], {"LC_ALL": "POSIX", "PYTHONUTF8": "0",
                                           "PYTHONCOERCECLOCALE": "0"}),
    "LC_ALL=tr_TR.UTF-8": ([], {"LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu"}),
    "HOME unset": ([], {"HOME": None, "USER": None, "LOGNAME": None, "PATH": os.defpath}),
    "TMPDIR with spaces": ([], {"TMPDIR": "{folder}/a b/'c"}),
    "TMPDIR that is not there": ([], {"TMPDIR": "{folder}/nowhere"}),
    "ulimit -n 64": (["bash", "-c", 'ulimit -n 64; exec "$@"', "-"], {}),
    "one CPU": (["taskset", "-c", "{cpu}"], {}),
    "python -O": ([], {"PYTHONOPTIMIZE": "2"}),
    "warnings are errors": ([], {"PYTHONWARNINGS": "error,ignore::DeprecationWarning"}),
}
# fmt: on


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_64_surroundings_change_no_byte(name, few, few_unbroken, tmp_path):
    prefix, changes = SURROUNDINGS[name]
    (tmp_path / "a b" / "'c").mkdir(parents=True)
    cpu = min(os.sched_getaffinity(0))
    prefix = [part.format(cpu=cpu) if part.startswith("{") else part for part in prefix]
    changes = {
        variable: value and value.format(folder=tmp_path) for variable, value in changes.items()
    }
    out = tmp_path / "out"
    done = process("predict", *few, "-o", out, prefix=prefix, changes=changes)
    assert done.code == 0, done.err
    assert tables(out) == few_unbroken


def test_64_nothing_is_written_elsewhere(few, tmp_path):
    """Neither to the home folder nor to the one for temporary files; onnxruntime would like to."""
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    changes = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), str(elsewhere))
    before = [tree(path.parent) for path in few]
    done = process("predict", *few, "-o", out, changes=changes, cwd=elsewhere)
    assert done.code == 0, done.err
    assert not list(elsewhere.rglob("*"))
    assert [tree(path.parent) for path in few] == before


@pytest.mark.parametrize("most", [10, 11, 12, 13, 14])
def test_64_too_few_files_is_an_error_and_no_crash(most, tmp_path):
    (tmp_path / "rows.bed").write_text("chr1\t5\t50\ta\t0\t+\n")
    (tmp_path / "genome.fa").write_text(">chr1\n" + "ACGTTGCA" * 20 + "\n")
    prefix = ["bash", "-c", f'ulimit -n {most}; exec "$@"', "-"]
    out = tmp_path / "out"
    arguments = (tmp_path / "rows.bed", tmp_path / "genome.fa", "-o", out)
    done = process("predict", *arguments, prefix=prefix)
    assert done.code in (0, 1, 75), done
    if done.code:
        assert "Too many open files" in done.err
        assert not out.exists() or not names(out) & FILES


# fmt: off
ODD_NAMES = ["with space", "quote'\"s", "new\nline", "-dash", "ünï", "a:b|c;d&e$(f)*", "%d%s",
             b"latin-\xe4"]
# fmt: on


@pytest.mark.parametrize("name", ODD_NAMES, ids=repr)
def test_64_odd_paths(name, tmp_path, monkeypatch):
    folder = tmp_path / os.fsdecode(name)
    folder.mkdir()
    genome = random_genome(random.Random(64), {"chr1": 3000})
    write_fasta(folder / f"{os.fsdecode(name)}.fa.gz", genome, gzip=True)
    write_bed(folder / "rows.bed", [("chr1", 5, 500, "a", 0, "+")])
    monkeypatch.chdir(folder)
    before = tree(folder)
    fasta, out = Path(f"{os.fsdecode(name)}.fa.gz"), Path(os.fsdecode(name))
    done = histpred("predict", "rows.bed", "-o", "./" + str(out), "--", f"./{fasta}")
    assert done.code == 0, done.err
    assert names(out) == FILES
    shutil.rmtree(out)
    assert tree(folder) == before


def test_64_512_mb_of_memory(inputs, unbroken, tmp_path):
    """Of address space even; on one CPU, since each of onnxruntime's threads takes its share."""
    prefix = ["prlimit", f"--as={512 << 20}", "taskset", "-c", str(min(os.sched_getaffinity(0)))]
    out = tmp_path / "out"
    done = process("predict", *inputs, "-o", out, prefix=prefix)
    assert done.code == 0, done.err
    assert tables(out) == unbroken


def test_64_no_network(few, few_unbroken, tmp_path):
    """Nothing asks for a socket."""
    code = (
        "import socket, sys\n"
        "def refuse(*args, **kwargs): sys.exit('a socket was asked for')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from histpred.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    out = tmp_path / "out"
    arguments = [sys.executable, "-c", code, "predict", *map(str, few), "-o", str(out)]
    done = subprocess.run(arguments, capture_output=True, encoding="utf-8", env=environment())
    assert done.returncode == 0, done.stderr
    assert tables(out) == few_unbroken


# fmt: off
NO_PLACE = {"file": "is a file", "file/deeper": "cannot write to", "/proc/histpred": "cannot write",
            "link/out": "cannot write to"}
# fmt: on


@pytest.mark.timeout(20)
@pytest.mark.parametrize("out", NO_PLACE)
def test_64_an_output_that_cannot_be_written(out, inputs, tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to("nowhere")
    done = histpred("predict", *inputs, "-o", tmp_path / out)
    assert done.code == 1
    assert NO_PLACE[out] in done.err
    assert said_well(done.err), done.err
    assert names(tmp_path) == {"file", "link"}


@pytest.mark.timeout(20)
def test_64_a_working_folder_that_is_gone(inputs, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    done = histpred("predict", *inputs, "-o", "out")
    monkeypatch.chdir(tmp_path)
    assert done.code == 1
    assert said_well(done.err), done.err
