"""Ending a process by SIGINT or SIGTERM, soon and without a traceback.

A signal interrupts the run, which then removes its temporary files. Python notices a signal only
between two steps of its own. If a library does not return in time, or cleaning up takes too long,
the process ends anyway, and the next run cleans up. A process imports this module first, so it
imports little itself.
"""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

EXIT_INTERRUPTED = 130
INTERRUPTED = "interrupted; nothing unfinished was published"
AGAIN = "run the same command again"
AFRESH = f"{AGAIN}: it starts from the beginning"
SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE = 3.0  # seconds from the first signal until the run has cleaned up
LINGER = 1.0  # seconds more, for the threads of libraries


def end_at_once(number: int = 0, frame: FrameType | None = None) -> NoReturn:
    """End the process with a message; a handler of signals."""
    try:
        os.write(2, f"error: {INTERRUPTED}\n  {AGAIN}\n".encode())
    finally:
        os._exit(EXIT_INTERRUPTED)


def ignore_signals() -> None:
    """Let the process end with the exit code that it has; call this last.

    Python resets the handlers before it has taken everything down. A signal in these moments would
    make a run that is finished look killed.
    """
    for one in SIGNALS:
        signal.signal(one, signal.SIG_IGN)


def end_soon() -> None:
    """End the process after `LINGER` seconds, if it does not end by itself before."""
    import threading

    # If an interruption has left text that was executed (as namedtuple does), and none was since,
    # `python -m` ends by SIGINT, whatever the exit code: unhandled_keyboard_interrupt of CPython.
    exec("")

    timer = threading.Timer(LINGER, os._exit, [EXIT_INTERRUPTED])
    timer.daemon = True
    timer.start()


def goes_on_with(kept: str) -> str:
    """What a run that ends early says of finished work that the next run uses.

    It is a note on the exception that ends the run.
    """
    return f"{AGAIN}: it goes on with {kept}"


def what_next(error: BaseException) -> str:
    """What happens if the command is run again after `error` has ended it.

    >>> what_next(KeyboardInterrupt())
    'run the same command again: it starts from the beginning'
    """
    seen: BaseException | None = error
    while seen is not None:
        for note in getattr(seen, "__notes__", ()):
            if note.startswith(AGAIN):
                return str(note)
        seen = seen.__cause__ or seen.__context__
    return AFRESH


class Interruptible:
    """Context manager that raises KeyboardInterrupt at SIGINT and SIGTERM.

    The process ends `GRACE` seconds later, or at the next signal, if the block has not ended by
    then. The handlers are restored at the end. Outside the main thread Python allows no handlers,
    and nothing is done. interrupted: True once a signal has come.
    """

    def __init__(self) -> None:
        import threading

        self.interrupted = False
        self._active = threading.current_thread() is threading.main_thread()
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Interruptible:
        if self._active:
            self._reader, self._writer = os.pipe()
            os.set_blocking(self._writer, False)
            self._watcher.start()
            self._handlers = {one: signal.signal(one, self._interrupt) for one in SIGNALS}
            self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        return self

    def __exit__(self, *raised: object) -> None:
        if self._active:
            self._over.set()
            signal.set_wakeup_fd(self._wakeup)
            for one, handler in self._handlers.items():
                if handler is not None:  # None: a handler that was not installed from Python
                    signal.signal(one, handler)
            os.close(self._writer)
            self._watcher.join()
            os.close(self._reader)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.interrupted = True
        for one in SIGNALS:
            signal.signal(one, end_at_once)
        raise KeyboardInterrupt

    def _watch(self) -> None:
        """End the process if a signal does not."""
        while number := os.read(self._reader, 1):
            if number[0] in SIGNALS and not self._over.wait(GRACE):
                end_at_once()
