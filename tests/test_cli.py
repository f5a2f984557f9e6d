"""The command line itself: help, exit codes, and the one place where errors become messages."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import click
import pytest

import histpred as package
from histpred.bundle import folder as bundle
from histpred.cli import VERBS, main
from histpred.core.errors import (
    BundleError,
    DeviceError,
    InputError,
    ModelError,
    OutputError,
    StrictError,
    TemporaryError,
    UsageError,
)
from histpred.core.extras import how_to_install
from support.command_line import environment, histpred, process, read_scores
from support.state import unchanged_state

HEAVY = ("numpy", "onnxruntime", "pandas", "pydantic", "pysam", "sqlite3", "torch")
COMMANDS = [
    [],
    *[[verb] for verb in VERBS],
    *[["bundle", v] for v in ("list", "show", "digest", "verify")],
]


@pytest.mark.parametrize("verb", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_of_every_verb(verb, flag):
    done = histpred(*verb, flag)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: {' '.join(['histpred', *verb])}")
    assert "  -h, --help" in done.out


@pytest.mark.parametrize("verb", ["predict", "windows"])
def test_every_option_is_explained_with_its_default(verb):
    command = getattr(__import__(f"histpred.commands.{verb}").commands, verb)
    options = [option for option in getattr(command, verb).params if option.opts[0][0] == "-"]
    assert len(options) > 8
    for option in options:
        assert option.help, option.name
        shown = option.is_flag or option.required or option.show_default
        assert shown or "[default: " in option.help or "see" in option.help, option.name


def test_no_verb_shows_the_help_and_is_a_usage_error():
    done = histpred()
    assert done.code == 2
    assert "First time here: histpred demo" in done.out + done.err


def test_version():
    assert histpred("--version") == (0, f"histpred {package.__version__}\n", "")


USAGE = [
    ["nonsense"],
    ["--nonsense"],
    ["predict"],
    ["predict", "a.bed", "g.fa"],
    ["predict", "a.bed", "g.fa", "-o", "out", "--nonsense"],
    ["predict", "a.bed", "g.fa", "-o", "out", "--window", "gene"],
    ["predict", "a.bed", "g.fa", "-o", "out", "--by", "exon"],
    ["predict", "a.bed", "g.fa", "-o", "out", "--biotype", ","],
    ["predict", "a.bed", "g.fa", "extra", "-o", "out"],
    ["windows", "a.bed", "g.fa", "-o", "out.tsv", "--upstream", "-1"],
    ["windows", "a.bed", "g.fa", "-o", "out.tsv", "--upstream", "1kb"],
    ["windows", "a.bed", "g.fa", "-o", "out.tsv", "--upstream", "0", "--downstream", "0"],
    ["windows", "a.bed", "g.fa", "-o", "out.tsv", "--max-n", "1.5"],
    ["windows", "a.bed", "g.fa", "-o", "out.gtf"],
    ["windows", "a.bed", "g.fa", "-o", "out.tsv", "--window", "body", "--upstream", "9"],
    ["windows", "a.bed", "g.fa", "-o", "out.tsv", "--window", "context", "--downstream", "9"],
    ["scatter", "a.bed", "g.fa", "-o", "out"],
    ["scatter", "a.bed", "g.fa", "-o", "out", "--encoder", "kmer", "--shard-bases", "0"],
    ["scatter", "a.bed", "g.fa", "-o", "out", "--encoder", "kmer", "--chunks", "100"],
    ["scatter", "a.bed", "g.fa", "-o", "out", "--encoder", "kmer", "--bundle", "human-promoter"],
    ["gather", "."],
    ["gather", ".", "-o", "out"],
    ["gather", ".", "missing", "-o", "out"],
    ["bundle", "nonsense"],
    ["bundle", "show", "a", "b"],
]


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_usage_errors(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = histpred(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["--help"], *[[*verb, "--help"] for verb in COMMANDS[1:]]])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys; from histpred.cli import main; code = main(sys.argv[2:]);"
        "sys.exit(' '.join(set(sys.argv[1].split()) & set(sys.modules)) or code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, " ".join(HEAVY), *arguments],
        capture_output=True,
        encoding="utf-8",
        env=environment(),
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: histpred" in done.stdout


def test_importing_the_package_imports_nothing_heavy():
    code = f"import sys, histpred; sys.exit(' '.join(set({HEAVY}) & set(sys.modules)) or 0)"
    subprocess.run([sys.executable, "-c", code], check=True, env=environment())


@pytest.mark.slow
def test_help_is_quick():
    """The goal is 0.3 s; a busy machine is no failure, so the best of five counts."""
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        assert process("--help").code == 0
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.3


INTERRUPTED = (
    "error: interrupted; nothing unfinished was published\n"
    "  run the same command again: it starts from the beginning\n"
)
MORE = "give more memory and run the same command again"
# fmt: off
ERRORS = [
    (InputError("a.bed", "is odd", "mend it", 7), 1, "error: a.bed:7: is odd\n  mend it\n"),
    (BundleError("b: is odd", "mend it"), 1, "error: b: is odd\n  mend it\n"),
    (ModelError("NaN"), 1, "error: NaN\n"),
    (DeviceError("no CUDA", "buy one"), 1, "error: no CUDA\n  buy one\n"),
    (OutputError("in use", "wait"), 1, "error: in use\n  wait\n"),
    (UsageError("not both", "choose"), 2, "error: not both\n  choose\n"),
    (StrictError("skipped", "look"), 3, "error: skipped\n  look\n"),
    (TemporaryError("full", "make room"), 75, "error: full\n  make room\n"),
    (KeyboardInterrupt(), 130, INTERRUPTED),
    (click.Abort(), 130, INTERRUPTED),
    (EOFError("ended early"), 1, "error: a compressed file is truncated or damaged (ended early)\n"
     "  download or copy the input again\n"),
    (OSError(28, "No space left"), 75, "make room and run the same command again\n"),
    (MemoryError(), 75, "give more memory and run the same command again\n"),
    (PermissionError(13, "denied", "x"), 1, "error: [Errno 13] denied: 'x'\n"),
    (click.UsageError("no such thing"), 2, "no such thing\n"),
    (MemoryError(), 75, f"error: out of memory\n  {MORE}\n"),
    (
        ImportError("libopenblas.so: failed to map segment from shared object"),
        75,
        f"error: out of memory\n  {MORE}\n",
    ),
]
# fmt: on


def raising(error: BaseException):
    def load_bundle(name):
        raise error

    return load_bundle


@pytest.mark.parametrize(("error", "code", "message"), ERRORS, ids=lambda x: type(x).__name__)
def test_an_error_becomes_a_message_and_an_exit_code(error, code, message, monkeypatch):
    monkeypatch.setattr(bundle, "load_bundle", raising(error))
    done = histpred("bundle", "show", "%s")
    assert (done.code, done.out) == (code, "")
    assert done.err.endswith(message)
    assert "Traceback" not in done.err


def test_a_bug_in_histpred_says_so_and_how_to_see_the_traceback(monkeypatch):
    monkeypatch.setattr(bundle, "load_bundle", raising(ZeroDivisionError("by zero")))
    done = histpred("bundle", "show", "100%")
    assert done.code == 1
    assert done.err == (
        "error: ZeroDivisionError: by zero\n  this is a bug in histpred; to see the "
        "traceback, run: histpred --debug bundle show 100%\n"
    )


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), BundleError("odd", "mend")])
def test_debug_shows_the_traceback(error, monkeypatch):
    monkeypatch.setattr(bundle, "load_bundle", raising(error))
    done = histpred("--debug", "bundle", "show")
    assert done.code == 1
    assert "Traceback" in done.err
    assert type(error).__name__ in done.err


def test_main_returns_the_code_and_raises_nothing(capsys):
    assert main(["--version"]) == 0
    assert main(["nonsense"]) == 2
    assert capsys.readouterr().out.startswith("histpred ")


@pytest.mark.parametrize(
    "arguments", [["--version"], ["nonsense"], ["bundle", "verify"], ["--debug", "bundle", "show"]]
)
def test_main_leaves_the_process_of_its_caller_as_it_was(arguments, capsys):
    with unchanged_state():
        main(arguments)


def test_main_restores_the_process_after_an_error(monkeypatch, capsys):
    monkeypatch.setattr(bundle, "load_bundle", raising(ZeroDivisionError("by zero")))
    with unchanged_state():
        assert main(["bundle", "show"]) == 1


def test_main_runs_outside_the_main_thread(capsys):
    """Python lets only the main thread install signal handlers."""
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(main(["--version"])))
    with unchanged_state():
        thread.start()
        thread.join()
    assert codes == [0]


def test_sigterm_interrupts_a_verb(monkeypatch):
    def terminate(name):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    monkeypatch.setattr(bundle, "load_bundle", terminate)
    done = histpred("bundle", "show")
    assert done.code == 130
    assert done.err.strip() == INTERRUPTED.strip()


def test_an_error_that_a_library_makes_of_the_interruption_is_none(monkeypatch):
    def terminate(name):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        except KeyboardInterrupt:
            raise sqlite3.OperationalError("interrupted") from None

    monkeypatch.setattr(bundle, "load_bundle", terminate)
    done = histpred("bundle", "show")
    assert done.code == 130
    assert done.err == INTERRUPTED


def test_through_the_real_entry_point(tmp_path):
    assert process("--version").out == f"histpred {package.__version__}\n"
    assert process("nonsense").code == 2
    done = process("predict", "no.bed", "no.fa", "-o", tmp_path / "out", cwd=tmp_path)
    assert done.code == 1
    assert done.err == "error: no.bed: no such file\n  check the path\n"
    assert not list(tmp_path.iterdir())


def test_the_digest_of_a_bundle_is_that_of_its_manifest():
    loaded = bundle.load_bundle()
    content = (loaded.directory / "bundle.json").read_bytes()
    expected = f"{hashlib.sha256(content).hexdigest()}  {loaded.manifest.name} "
    done = histpred("bundle", "digest")
    assert (done.code, done.out) == (0, f"{expected}{loaded.manifest.version}\n")
    assert histpred("bundle", "digest", loaded.directory) == done
    assert histpred("bundle", "digest", "nonsense").code == 1


def test_messages_go_to_standard_error_and_quiet_means_quiet(tmp_path):
    (tmp_path / "rows.bed").write_text("chr1\t20000\t20050\ta\t0\t+\n")
    (tmp_path / "genome.fa").write_text(">chr1\n" + "ACGTTGCA" * 5000 + "\n")
    arguments = ("predict", tmp_path / "rows.bed", tmp_path / "genome.fa", "-o")
    said = histpred(*arguments, tmp_path / "one")
    assert said.out == ""
    assert "1 of 1 row scored" in said.err
    assert "\r" not in said.err  # a progress bar is for terminals
    assert histpred(*arguments, tmp_path / "two", "--quiet") == (0, "", "")


def test_demo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = histpred("demo")
    assert done.code == 0, done.err
    table = [line.split() for line in done.out.splitlines()[3:8]]
    assert table[0][:3] == ["gene", "biotype", "H3K4me3"]
    assert [row[:2] for row in table[1:]] == [
        ["RANBP1", "protein_coding"],
        ["MIR1306", "miRNA"],
        ["LINC00896", "lncRNA"],
        ["FAM230J", "lncRNA"],
    ]
    scores = {
        row["name"]: row for row in read_scores(tmp_path / "histpred-demo/scores.tsv.gz").rows
    }
    for gene, _, *cells in table[1:]:
        for mark, cell in zip(table[0][2:], cells, strict=True):
            assert float(cell.rstrip("*")) == pytest.approx(float(scores[gene][mark]), abs=0.00501)
            threshold = {one.name: one.threshold for one in bundle.load_bundle().manifest.marks}[
                mark
            ]
            assert cell.endswith("*") == (float(scores[gene][mark]) >= threshold)
    assert "histpred predict genes.gtf.gz genome.fa" in done.out
    assert "28 of 28 rows scored" in done.err
    again = histpred("demo")
    assert (again.code, again.out) == (0, done.out)
    assert "already holds this prediction" in again.err


@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_a_verb_whose_packages_are_missing_says_which_and_how(verb, tmp_path, monkeypatch):
    """Before any work, and whatever else is wrong."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    labels = tmp_path / "labels.tsv"
    labels.write_text("id\tH3K4me3\na\t1\n")
    files = ("genes.bed", "genome.fa", labels)
    arguments = ("mine", *files) if verb == "evaluate" else files
    done = histpred(verb, *arguments, "-o", tmp_path / "out")
    assert done.code == 2
    assert "torch, sklearn, scipy and 4 more, which is not installed" in done.err
    assert how_to_install("train") in done.err


STEERING = "a\x1b[31m\x9b2J\u202e"


def test_text_of_a_file_or_a_path_never_steers_the_terminal(tmp_path):
    (tmp_path / "g.fa").write_text(">chr1\n" + "ACGT" * 500 + "\n")
    (tmp_path / "r.bed").write_text(f"chr1\t1\t9\tgood\t0\t+\n{STEERING}\t1\t9\ta\t0\t+\n")
    odd = tmp_path / f"{STEERING}\nerror: all is lost.bed"
    odd.write_text("chr1\t9\t1\ta\t0\t+\n")
    runs = [
        ("windows", tmp_path / "r.bed", tmp_path / "g.fa", "-o", tmp_path / "out.tsv"),
        ("windows", odd, tmp_path / "g.fa", "-o", tmp_path / "out2.tsv"),
        ("bundle", "show", STEERING),
        (STEERING,),
        ("predict", STEERING, "-o", "out"),
    ]
    for arguments in runs:
        done = histpred(*arguments)
        # click spells it out its own way; names of rows have blanks in its place
        assert re.search(r"(\\x1b|\\u001b| )\[31m", done.err)
        assert not re.search("[\x1b\x9b\u202e]", done.out + done.err)
        assert "\nerror: all is lost" not in done.err
