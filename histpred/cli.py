"""The command line: the verbs, and the one place where errors become messages and exit codes.

0 done, 1 data or runtime error, 2 usage, 3 rows skipped under --strict, 75 temporary (memory,
disk), 130 interrupted.
"""

from __future__ import annotations

import importlib
import logging
import signal
import sys
from collections.abc import Sequence

import click

from histpred.core.errors import (
    EXIT_DATA,
    EXIT_INTERRUPTED,
    EXIT_TEMPORARY,
    EXIT_USAGE,
    HistpredError,
)
from histpred.core.log import set_up
from histpred.core.version import __version__

logger = logging.getLogger("histpred")

VERBS = (
    "demo",
    "predict",
    "scatter",
    "gather",
    "windows",
    "embed",
    "labels",
    "train",
    "evaluate",
    "tracks",
    "report",
    "convert",
    "summary",
    "bundle",
    "encoders",
    "doctor",
)


class Verbs(click.Group):
    """A group whose verbs live in `histpred.commands`, each imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order a newcomer needs them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's own module, imported now."""
        if cmd_name not in VERBS:
            return None
        return getattr(importlib.import_module(f"histpred.commands.{cmd_name}"), cmd_name)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="histpred", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def histpred(debug: bool) -> None:
    """Predict the histone marks of non-coding RNA genes from sequence alone.

    First time here: histpred demo
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    debug = "--debug" in arguments
    set_up(quiet="-q" in arguments or "--quiet" in arguments, debug=debug)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return histpred.main(arguments, prog_name="histpred", standalone_mode=False) or 0
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except (KeyboardInterrupt, click.Abort):
        logger.error("interrupted; nothing unfinished was published")
        return EXIT_INTERRUPTED
    except SystemExit:  # click found that nobody reads on (| head)
        return 0
    except MemoryError:
        logger.error("out of memory\n  give more memory and run the same command again")
        return EXIT_TEMPORARY
    except HistpredError as error:
        logger.error(error, exc_info=debug)
        return error.exit_code
    except OSError as error:
        logger.error(error, exc_info=debug)
        return EXIT_DATA
    except Exception as error:
        logger.error(
            "%s: %s\n  this is a fault of histpred; the traceback is shown by: histpred --debug %s",
            type(error).__name__,
            error,
            " ".join(arguments),
            exc_info=debug,
        )
        return EXIT_DATA


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
