"""The tests, on the installed wheel, with the oldest and the newest dependencies.

    release/matrix.py                                              # each Python that is found here
    release/matrix.py --python python3.12 --dependencies oldest -- tests/core
    release/matrix.py --extra labels --extra anndata -- tests/labels tests/reports

Each environment is made from scratch in a temporary folder and has no checkout on its path. The
oldest dependencies are the lower bounds of pyproject.toml, or the first release with a wheel for
that Python. What the tests themselves need is installed in its newest version that fits. Needs uv
and a package index.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
TEST_PACKAGES = ("hypothesis", "pybigtools", "pyfaidx", "pytest", "pytest-timeout", "pyyaml")
QUICK = ("tests/core", "tests/scoring", "tests/tracks", "tests/golden", "tests/malformed")
QUICK += ("tests/test_api.py", "tests/test_cli.py", "tests/test_main.py")


def uv(*arguments: str | Path) -> None:
    subprocess.run(["uv", *arguments], check=True)


def found_pythons() -> list[str]:
    """The interpreters on the PATH that start; pyenv puts names there that do not."""
    names = [f"python{number}" for number in PYTHONS if shutil.which(f"python{number}")]
    works = [
        subprocess.run([name, "-c", ""], capture_output=True).returncode == 0 for name in names
    ]
    return [name for name, starts in zip(names, works, strict=True) if starts]


def environment(
    folder: Path, python: str, dependencies: str, extras: Sequence[str], wheel: Path
) -> Path:
    """Make an environment with the wheel, its dependencies and extras; return its Python."""
    base = subprocess.check_output([python, "-c", "import sys; print(sys.executable)"], text=True)
    uv("venv", "--quiet", "--python", base.strip(), folder)
    binary = folder / "bin" / "python"
    pins = folder / "pins.txt"
    resolution = "lowest-direct" if dependencies == "oldest" else "highest"
    options = ["--quiet", "--python", binary, "--only-binary", ":all:"]
    compiled = ["pip", "compile", *options, "--resolution", resolution, "--output-file", pins]
    uv(*compiled, *(f"--extra={name}" for name in extras), ROOT / "pyproject.toml")
    uv("pip", "install", *options, "--requirements", pins)
    uv("pip", "install", *options, "--no-deps", wheel)
    uv("pip", "install", *options, "--constraints", pins, *TEST_PACKAGES)
    return binary


def versions(python: Path, extras: Sequence[str] = ()) -> str:
    """The versions of the packages that pyproject.toml names, and those of extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = list(project["dependencies"])
    for name in extras:
        requirements += project["optional-dependencies"][name]
    names = sorted({re.split(r"[>\[]", requirement)[0] for requirement in requirements})
    code = "import sys; from importlib.metadata import version as v; "
    code += "print(*(f'{name} {v(name)}' for name in sys.argv[1:]), sep=', ')"
    return subprocess.check_output([python, "-c", code, *names], text=True).strip()


def tests(python: Path, dependencies: str, arguments: Sequence[str]) -> bool:
    """Run tests on the installed package; they may not import the checkout.

    Old packages meet newer ones that they depend on. What those call deprecated is no fault here.
    """
    settings = {**os.environ, "PATH": f"{python.parent}:{os.environ['PATH']}"}
    for name in ("PYTHONPATH", "HISTPRED_NO_SKIP"):
        settings.pop(name, None)
    where = "import histpred; print(histpred.__file__)"
    place = subprocess.check_output([python, "-P", "-c", where], env=settings, cwd=ROOT, text=True)
    if not Path(place.strip()).is_relative_to(python.parents[1]):
        raise SystemExit(f"tests would import {place.strip()}, not the installed package")
    # -P: the current folder, which is the checkout, stays off the path
    command = [python, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow"]
    command += ["-W", "default::DeprecationWarning"] if dependencies == "oldest" else []
    return subprocess.run([*command, *arguments], cwd=ROOT, env=settings).returncode == 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", action="append", help="an interpreter (default: all found)")
    parser.add_argument("--dependencies", choices=["oldest", "newest"], help="(default: both)")
    parser.add_argument("--extra", action="append", default=[], help="an extra (default: none)")
    parser.add_argument("tests", nargs="*", default=QUICK, help="what pytest gets")
    given = parser.parse_args(arguments)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="histpred-matrix-") as name:
        folder = Path(name)
        uv("build", "--quiet", "--wheel", "--out-dir", folder, ROOT)
        (wheel,) = folder.glob("*.whl")
        for python in given.python or found_pythons():
            for dependencies in (
                [given.dependencies] if given.dependencies else ["oldest", "newest"]
            ):
                started = time.monotonic()
                place = folder / f"{Path(python).name}-{dependencies}"
                binary = environment(place, python, dependencies, given.extra, wheel)
                print(f"== {python}, {dependencies}: {versions(binary, given.extra)}", flush=True)
                passed = tests(binary, dependencies, given.tests)
                failed += not passed
                verdict = "passed" if passed else "FAILED"
                print(f"== {verdict} after {time.monotonic() - started:.0f} s", flush=True)
                shutil.rmtree(place)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
