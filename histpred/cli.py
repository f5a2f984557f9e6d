"""The command line: its verbs, and the one place that turns errors into messages and exit codes.

0 done, 1 data or runtime error, 2 usage, 3 rows skipped under --strict, 75 temporary (memory,
disk), 130 interrupted.
"""

from __future__ import annotations

import importlib
import io
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from histpred.core import errors
from histpred.core.log import logger, messages
from histpred.core.text import say, visible_line
from histpred.core.version import __version__

VERBS = (
    *("demo", "predict", "scatter", "gather", "windows", "embed", "labels", "train", "evaluate"),
    *("tracks", "report", "convert", "summary", "bundle", "encoders", "doctor"),
)


class Verbs(click.Group):
    """The verbs of `histpred.commands`; the module of a verb is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order in which a new user needs them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a verb, or None if there is no such verb."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"histpred.commands.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="histpred", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def histpred(debug: bool) -> None:
    """Predict the histone marks of non-coding RNA genes from sequence alone.

    First time here: histpred demo
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; logging and signal handlers are restored."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    debug = "--debug" in arguments
    with messages(quiet="-q" in arguments or "--quiet" in arguments, debug=debug), _interruptible():
        try:
            return histpred.main(arguments, prog_name="histpred", standalone_mode=False) or 0
        except click.exceptions.Exit as exit_:
            return exit_.exit_code
        except click.ClickException as error:
            words = io.StringIO()
            error.show(words)
            say(words.getvalue().rstrip("\n"), err=True)
            return errors.EXIT_USAGE
        except (KeyboardInterrupt, click.Abort):
            logger.error("interrupted; nothing unfinished was published")
            return errors.EXIT_INTERRUPTED
        except SystemExit:  # click noticed that the reader of a pipe has gone (| head)
            return 0
        except (MemoryError, ImportError) as error:
            if not errors.is_memory(error):
                return _unknown(error, arguments, debug)
            logger.error("out of memory\n  give more memory and run the same command again")
            return errors.EXIT_TEMPORARY
        except errors.HistpredError as error:
            logger.error(error, exc_info=debug)
            return error.exit_code
        except OSError as error:
            logger.error(error, exc_info=debug)
            return errors.EXIT_DATA
        except Exception as error:
            return _unknown(error, arguments, debug)


def _unknown(error: Exception, arguments: Sequence[str], debug: bool) -> int:
    """Report an exception that nobody expected, and return the exit code."""
    again = f"histpred --debug {' '.join(arguments)}"
    bug = f"this is a bug in histpred; to see the traceback, run: {again}"
    what = visible_line(f"{type(error).__name__}: {error}")
    logger.error(f"{what}\n  {visible_line(bug)}", exc_info=debug)
    return errors.EXIT_DATA


@contextmanager
def _interruptible() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C, so that an interrupted run removes its temporary files."""
    if threading.current_thread() is not threading.main_thread():  # Python allows no handlers there
        yield
        return
    # Python's own handler of SIGINT raises KeyboardInterrupt.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        if before is not None:  # None: a handler that was not installed from Python
            signal.signal(signal.SIGTERM, before)
