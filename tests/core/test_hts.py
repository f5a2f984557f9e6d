"""What htslib cannot write is one exception, wherever it notices."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support.command_line import environment

SCRIPT = """
import random, resource, sys
from pathlib import Path
from histpred.core.errors import TemporaryError
from histpred.core.hts import BgzipWriter, quiet_htslib
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
noise = random.Random(0).randbytes(int(sys.argv[2]))
try:
    with quiet_htslib(), BgzipWriter(Path(sys.argv[1])) as file:
        file.write(noise)
except TemporaryError as error:
    print(error)
"""


@pytest.mark.parametrize("size", [5_000, 500_000], ids=["when closed", "when written"])
def test_a_full_disk_is_one_error_and_no_noise(size, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "file.gz"), str(size)],
        capture_output=True,
        encoding="utf-8",
        env=environment(),
        check=True,
    )
    assert "the disk is full" in done.stdout
    assert done.stderr == ""
