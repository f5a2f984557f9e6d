"""The command line: its verbs, and the one place that turns errors into messages and exit codes.

0 done, 1 data or runtime error, 2 usage, 3 rows skipped under --strict, 75 temporary (memory,
disk), 130 interrupted.
"""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Sequence

import click

from histpred.commands.help_pages import VerbGroup
from histpred.core import errors
from histpred.core.interruption import (
    EXIT_INTERRUPTED,
    INTERRUPTED,
    Interruptible,
    end_at_once,
    what_next,
)
from histpred.core.log import logger, messages
from histpred.core.text import say, visible_line
from histpred.core.version import __version__

NOT_VERBOSE = (
    "  histpred says what it does unless you add --quiet; -V prints its version, and --debug shows "
    "the traceback of an error"
)

SECTIONS = {
    "First steps": {
        "demo": "Score real genes of human chromosome 22 and show the results.",
        "doctor": "Check this machine: versions, devices, known answers.",
        "help": "Show the help of a command.",
        "completion": "Print a script that completes commands in your shell.",
    },
    "Predict": {
        "predict": "Score genes or intervals: from annotation and genome to marks.",
        "variants": "Score what each allele of a VCF changes.",
        "windows": "Write the windows that predict reads, without scoring them.",
        "explain": "Show which DNA of its window a prediction comes from.",
        "scatter": "Split one prediction into shards that run side by side.",
        "gather": "Join the predictions of all shards.",
    },
    "Look at a prediction": {
        "report": "Write one HTML page about a prediction.",
        "tracks": "Write a track hub for UCSC, IGV and JBrowse.",
        "convert": "Write a prediction as AnnData or Parquet, for Python.",
        "summary": "Write MultiQC sections for predictions and evaluations.",
    },
    "Train your own": {
        "labels": "Label genes from ChIP-seq peaks or from RNAInter.",
        "embed": "Compute embeddings once, for later runs.",
        "train": "Train a bundle on labels.",
        "evaluate": "Evaluate a bundle on labels, beside baselines.",
        "experiment": "Compare configurations on the same genes, as the paper does.",
    },
    "Bundles and encoders": {
        "bundle": "List, show, verify and identify bundles.",
        "encoders": "List, get and verify encoders.",
    },
}
"""Section of the help -> verb -> what it does. A line of the help has room for 64 characters."""

VERBS = [verb for verbs in SECTIONS.values() for verb in verbs]


class Verbs(VerbGroup):
    """The verbs of `histpred.commands`; the module of a verb is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order in which a new user needs them."""
        return VERBS

    def sections(self, ctx: click.Context) -> dict[str, dict[str, str]]:
        """The verbs without their modules, so that the help is fast."""
        return SECTIONS

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a verb, or None if there is no such verb."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"histpred.commands.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="histpred %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def histpred(debug: bool) -> None:
    """Predict the histone marks of non-coding RNA genes from sequence alone.

    First time here: histpred demo
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; logging and signal handlers are restored."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        return _run(arguments)
    except KeyboardInterrupt:  # while the handlers of signals were set or restored
        end_at_once()


def _run(arguments: Sequence[str]) -> int:
    debug = "--debug" in arguments
    quiet = "-q" in arguments or "--quiet" in arguments
    with messages(quiet, debug), Interruptible() as signals:
        try:
            return histpred.main(arguments, prog_name="histpred", standalone_mode=False) or 0
        except SystemExit:  # click noticed that the reader of a pipe has gone (| head)
            return 0
        except click.exceptions.Exit as exit_:
            return exit_.exit_code
        except BaseException as error:
            # A library may turn the interruption into an error of its own.
            # To click, an EOFError means that a user typed Ctrl-D.
            if isinstance(error, click.Abort) and isinstance(error.__cause__, EOFError):
                error = error.__cause__
            interrupted = signals.interrupted or isinstance(error, KeyboardInterrupt | click.Abort)
            if interrupted:
                logger.error(f"{INTERRUPTED}\n  {what_next(error)}")
                return EXIT_INTERRUPTED
            return _failed(error, arguments, debug)


def _failed(error: BaseException, arguments: Sequence[str], debug: bool) -> int:
    """Say what went wrong, and return the exit code."""
    from histpred.core.output import temporary

    error = temporary(error) or error
    if isinstance(error, click.ClickException):
        if isinstance(error, click.NoSuchOption) and error.option_name in ("-v", "--verbose"):
            error = click.UsageError(
                f"no such option: {error.option_name}\n{NOT_VERBOSE}", error.ctx
            )
        words = io.StringIO()
        error.show(words)
        say(words.getvalue().rstrip("\n"), err=True)
        return errors.EXIT_USAGE
    if isinstance(error, errors.HistpredError):
        logger.error(error, exc_info=debug)
        return error.exit_code
    if isinstance(error, EOFError):
        what = f"a compressed file is truncated or damaged ({error})"
        logger.error(f"{what}\n  download or copy the input again", exc_info=debug)
        return errors.EXIT_DATA
    if isinstance(error, OSError):
        logger.error(error, exc_info=debug)
        return errors.EXIT_DATA
    again = f"histpred --debug {' '.join(arguments)}"
    bug = f"this is a bug in histpred; to see the traceback, run: {again}"
    what = visible_line(f"{type(error).__name__}: {error}")
    logger.error(f"{what}\n  {visible_line(bug)}", exc_info=debug)
    return errors.EXIT_DATA
