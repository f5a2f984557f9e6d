"""RO-Crates as roc-validator reads them, offline (https://pypi.org/project/roc-validator).

Its packages disagree with those of histpred's environment, so it has an environment of its own.
"""

from __future__ import annotations

import fcntl
import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

VALIDATOR = "roc-validator==0.13.0"
SCRIPT = Path(__file__).with_name("validate_crate.py")


@functools.cache
def validator() -> Path:
    """Return a Python with the validator, or skip the test where no package registry answers.

    Its environment is kept in the folder for temporary files. Tests in other processes wait for it.
    """
    folder = Path(tempfile.gettempdir()) / f"histpred-{VALIDATOR.replace('==', '-')}-{os.getuid()}"
    python, ready = folder / "bin" / "python", folder / "ready"
    with Path(f"{folder}.lock").open("w") as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        if not ready.exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            install = [python, "-m", "pip", "install", "--quiet", "--retries=1", VALIDATOR]
            done = subprocess.run(install, capture_output=True, encoding="utf-8", check=False)
            if done.returncode:
                pytest.skip(f"pip cannot install {VALIDATOR}: {done.stderr.strip()[-200:]}")
            ready.touch()
    return python


def problems(folder: Path) -> list[str]:
    """Return where a folder is no Process Run Crate."""
    done = subprocess.run(
        [validator(), SCRIPT, folder], capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
