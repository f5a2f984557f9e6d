"""The command line as a process: `python -m histpred` and the command `histpred`."""

from __future__ import annotations

import atexit
import os
import signal
import sys

from histpred.core.interruption import (
    EXIT_INTERRUPTED,
    SIGNALS,
    end_at_once,
    end_soon,
    ignore_signals,
)


def main() -> int:
    """Run the command line. A signal ends the process without a traceback, however early."""
    for one in SIGNALS:
        signal.signal(one, end_at_once)
    atexit.register(ignore_signals)  # the first to be registered is the last to be called
    open_streams()
    from histpred.cli import main as run

    code = run()
    if code == EXIT_INTERRUPTED:  # Python waits for threads of libraries
        end_soon()
    try:
        sys.stdout.flush()
    except OSError:  # said before; Python would try again and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return code


def open_streams() -> None:
    """Occupy the numbers of standard streams that the caller has closed; files would get them.

    Messages are lost then. Data that cannot be read or written is an error.
    """
    for number, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, flags), True)  # the lowest number that is free
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


if __name__ == "__main__":
    sys.exit(main())
