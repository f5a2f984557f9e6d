"""Make the checkout's virtual environment, once for any number of callers, and run a command of it.

    environment.py CHECKOUT FOLDER EXTRAS COMMAND [ARGUMENT...]

environment.sh runs it with any Python 3.11 or newer; it uses only the standard library. Its rules:

- FOLDER/ready exists only while the environment is complete: it is written under another name and
  renamed last. If it is missing, or if its digest is not that of pyproject.toml and
  constraints.txt, the environment is made from scratch. Its time is the start of the installation,
  so any later change of those files is newer.
- FOLDER/histpred.lock is locked while FOLDER changes. It also shows that histpred made FOLDER and
  may empty it. pip inherits the lock: if its parent is killed, a running pip still holds it, and no
  other process installs at the same time.
- stdin belongs to COMMAND; nothing here reads it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

MADE_FROM = ("pyproject.toml", "constraints.txt")
LOCK, LOG, READY = "histpred.lock", "install.log", "ready"
SHOWN_LINES = 12
FOREIGN_SETTINGS = (  # these would change which packages are installed, or where
    "PIP_CONSTRAINT",
    "PIP_PREFIX",
    "PIP_REQUIREMENT",
    "PIP_ROOT",
    "PIP_TARGET",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHOME",
    "PYTHONPATH",
)


class EnvironmentFailure(Exception):
    """The environment cannot be made; the message says why and what to do."""


class Stamp(NamedTuple):
    """The content of FOLDER/ready."""

    root: str
    extras: frozenset[str]
    digest: str

    @classmethod
    def read(cls, folder: Path) -> Stamp | None:
        try:
            root, extras, digest = os.fsdecode((folder / READY).read_bytes()).splitlines()
        except (OSError, ValueError):
            return None
        return cls(root, frozenset(extras.split()), digest)

    def write(self, path: Path) -> None:
        lines = (self.root, " ".join(sorted(self.extras)), self.digest)
        path.write_bytes(os.fsencode("".join(f"{line}\n" for line in lines)))


def say(message: str) -> None:
    print(f"histpred: {message}", file=sys.stderr, flush=True)


def digest(root: Path) -> str:
    contents = (hashlib.sha256((root / name).read_bytes()).hexdigest() for name in MADE_FROM)
    return hashlib.sha256(" ".join(contents).encode()).hexdigest()


def is_whole(folder: Path, wanted: Stamp) -> bool:
    """True if the environment is ready, matches these files, and its Python finds its packages."""
    found = Stamp.read(folder)
    if found is None or (found.root, found.digest) != (wanted.root, wanted.digest):
        return False
    check = [folder / "bin" / "python", "-I", "-c", "import pip"]
    try:
        return subprocess.run(check, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0
    except OSError:
        return False


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Hold FOLDER's lock, waiting for it if necessary; yield its file descriptor."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.listdir(folder) and not (folder / LOCK).exists():
            raise EnvironmentFailure(
                f"{folder} is there already and was not made by histpred\n"
                "  move it away, or set HISTPRED_VENV to another folder, which need not exist"
            )
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise EnvironmentFailure(
            f"cannot make a virtual environment in {folder}: {error.strerror}\n"
            "  set HISTPRED_VENV to a folder that can be written, which need not exist"
        ) from error

    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that is preparing {folder}")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def empty(folder: Path, keep: tuple[str, ...]) -> None:
    """Empty `folder`, the stamp first, so that what is left never looks complete."""
    (folder / READY).unlink(missing_ok=True)
    for entry in folder.iterdir():
        if entry.name in keep:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)


def run_logged(command: list[str | Path], folder: Path, cwd: Path, lock: int, what: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in FOREIGN_SETTINGS}
    environment |= {"PIP_USER": "0", "PYTHONNOUSERSITE": "1"}
    with (folder / LOG).open("ab") as log:
        child = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[lock],
        )
        try:
            status = child.wait()
        except BaseException:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(10)
            child.kill()
            child.wait()
            raise
    if status != 0:
        lines = (folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
        shown = "".join(f"\n    {line}" for line in lines[-SHOWN_LINES:])
        raise EnvironmentFailure(
            f"{what} failed; its last lines:{shown}\n"
            f"  all of them are in {folder / LOG}\n"
            "  check the network, the proxy and pip's own settings, then run the same again"
        )


def make(root: Path, folder: Path, lock: int) -> None:
    # Use the real path of Python: a link such as python3 may later point to another version.
    base = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    run_logged([base, "-I", "-m", "venv", folder], folder, root, lock, "python -m venv")


def pip_install(root: Path, folder: Path, extras: frozenset[str], lock: int, *options: str) -> None:
    """Install the package, editable, with its dependencies."""
    command = [
        folder / "bin" / "python",
        "-I",
        "-m",
        "pip",
        "install",
        "--no-input",
        "--no-compile",
    ]
    command += ["--disable-pip-version-check", "--progress-bar", "off", *options]
    command += ["--constraint", root / "constraints.txt", "--editable"]
    command += [f".[{','.join(sorted(extras))}]" if extras else "."]
    run_logged(command, folder, root, lock, "pip install")


def uncover_gpu(root: Path, folder: Path, lock: int) -> None:
    """Install onnxruntime-gpu again: onnxruntime's files lie over its files, in one folder."""
    command = [folder / "bin" / "python", "-I", "-m", "pip", "install", "--no-input"]
    command += ["--no-compile", "--disable-pip-version-check", "--progress-bar", "off"]
    command += ["--force-reinstall", "--no-deps", "--constraint", root / "constraints.txt"]
    run_logged([*command, "onnxruntime-gpu"], folder, root, lock, "pip install")


def compile_packages(root: Path, folder: Path, lock: int) -> None:
    """Compile all packages except the libraries' tests, which would double the time."""
    options = ["-q", "-j", "0", "-x", "/tests/"]
    command = [folder / "bin" / "python", "-I", "-m", "compileall", *options, folder / "lib"]
    with contextlib.suppress(EnvironmentFailure):  # libraries contain templates that are not Python
        run_logged(command, folder, root, lock, "compileall")


def prepare(root: Path, folder: Path, extras: frozenset[str]) -> None:
    """Make the environment, or add the missing extras; return once it is complete."""
    now = time.time()
    wanted = Stamp(str(root), extras, digest(root))
    found = Stamp.read(folder)
    if found and extras <= found.extras and is_whole(folder, wanted):
        with contextlib.suppress(OSError):  # another user owns it: environment.sh asks again
            os.utime(folder / READY, (now, now))
        return

    with locked(folder) as lock:
        started = time.monotonic()
        found = Stamp.read(folder)
        if found and is_whole(folder, wanted):
            if extras <= found.extras:
                return  # another process has made it meanwhile

            wanted = wanted._replace(extras=extras | found.extras)
            added = ", ".join(sorted(extras - found.extras))
            say(f"adding what {added} needs to {folder}: {duration(extras)}, just this once")
            # If a download fails, it fails here, while the environment is still complete.
            pip_install(root, folder, wanted.extras, lock, "--dry-run")
        else:
            wanted = wanted._replace(extras=extras | (found.extras if found else frozenset()))
            why = "making the environment again" if found else "first use"
            say(f"{why}: installing into {folder}: {duration(extras)}, just this once")
            empty(folder, keep=(LOCK,))

        try:
            (folder / READY).unlink(missing_ok=True)
            partial = folder / f"{READY}.partial"
            wanted.write(partial)
            if not (folder / "bin").exists():
                make(root, folder, lock)
            pip_install(root, folder, wanted.extras, lock)
            if "gpu" in wanted.extras:
                uncover_gpu(root, folder, lock)
            compile_packages(root, folder, lock)
            partial.replace(folder / READY)
        except BaseException:
            empty(folder, keep=(LOCK, LOG))
            raise
        say(f"ready after {time.monotonic() - started:.0f} s")


def duration(extras: frozenset[str]) -> str:
    with_torch = extras & {"train", "encoders"}
    return "a few minutes, 2 GB" if with_torch else "about half a minute, 250 MB"


def stop(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def main(arguments: list[str]) -> int:
    root, folder, extras, command, *rest = arguments
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        prepare(Path(root), Path(folder), frozenset(extras.split()))
    except EnvironmentFailure as failure:
        say(str(failure))
        return 1
    except OSError as error:
        say(f"cannot prepare {folder}: {error}")
        return 1
    except SystemExit:
        say("interrupted; the environment will be made from scratch next time")
        raise

    binaries = Path(folder) / "bin"
    os.execv(binaries / "python", [binaries / "python", binaries / command, *rest])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
