"""bgzip files as the SAM specification (4.1) has them; what cannot be written is one exception."""

from __future__ import annotations

import gzip
import random
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pysam
import pytest

from histpred.core.hts import BgzipWriter
from support.command_line import environment

BLOCK = 0xFF00  # bytes of text in a block, as bgzip cuts it
EMPTY = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
NOISE = random.Random(0).randbytes(3 * BLOCK)  # nothing can compress it
ROWS = "".join(f"chr1\t{i}\t{i + 9}\tw{i}\n" for i in range(20_000)).encode()

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
    assert "file.gz cannot be written" in done.stdout
    assert "the disk is full" in done.stdout
    assert done.stderr == ""


def written(path: Path, *pieces: bytes) -> bytes:
    with BgzipWriter(path) as file:
        for piece in pieces:
            file.write(piece)
    return path.read_bytes()


def blocks(stored: bytes) -> Iterator[bytes]:
    """The text of each block, read with the fields of the specification."""
    while stored:
        assert stored[:16] == bytes.fromhex("1f8b08040000000000ff060042430200")
        size = int.from_bytes(stored[16:18], "little") + 1
        text = zlib.decompress(stored[18 : size - 8], wbits=-15)
        check, length = stored[size - 8 : size - 4], stored[size - 4 : size]
        assert (int.from_bytes(check, "little"), int.from_bytes(length, "little")) == (
            zlib.crc32(text),
            len(text),
        )
        yield text
        stored = stored[size:]


@pytest.mark.parametrize("length", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
@pytest.mark.parametrize("content", [ROWS, NOISE], ids=["rows", "noise"])
def test_full_blocks_and_an_empty_one_at_the_end(content, length, tmp_path):
    stored = written(tmp_path / "file.gz", content[:length])
    assert stored.endswith(EMPTY)
    *full, last = blocks(stored.removesuffix(EMPTY)) if length else [b""]
    assert b"".join([*full, last]) == content[:length] == gzip.decompress(stored)
    assert {len(text) for text in full} <= {BLOCK}
    assert len(last) <= BLOCK


def test_the_same_text_is_the_same_bytes_however_it_is_written(tmp_path):
    whole = written(tmp_path / "whole.gz", ROWS)
    pieces = [ROWS[i : i + 997] for i in range(0, len(ROWS), 997)]
    assert written(tmp_path / "pieces.gz", *pieces, b"") == whole
    assert written(tmp_path / "again.gz", ROWS[:5], ROWS[5:]) == whole


def test_htslib_reads_and_indexes_it(tmp_path):
    path = tmp_path / "rows.bed.gz"
    written(path, ROWS)
    with pysam.BGZFile(str(path), "rb", None) as file:
        assert file.read(len(ROWS) + 1) == ROWS
    pysam.tabix_index(str(path), preset="bed")
    with pysam.TabixFile(str(path)) as table:
        assert list(table.fetch("chr1", 15_000, 15_001))[-1] == "chr1\t15000\t15009\tw15000"


@pytest.mark.skipif(not shutil.which("bgzip"), reason="needs bgzip")
@pytest.mark.parametrize("content", [b"", ROWS, NOISE], ids=["nothing", "rows", "noise"])
def test_bgzip_reads_it(content, tmp_path):
    path = tmp_path / "file.gz"
    written(path, content)
    subprocess.run(["bgzip", "-t", path], check=True)
    shown = subprocess.run(["bgzip", "-dc", path], check=True, capture_output=True)
    assert shown.stdout == content


def test_rows_take_no_more_room_than_bgzip_gives_them(tmp_path):
    path = tmp_path / "theirs.gz"
    with pysam.BGZFile(str(path), "wb", None) as file:
        file.write(ROWS)
    assert len(written(tmp_path / "ours.gz", ROWS)) <= path.stat().st_size


def test_a_failed_run_leaves_no_file_that_looks_whole(tmp_path):
    path = tmp_path / "file.gz"
    with suppress(ZeroDivisionError), BgzipWriter(path) as file:
        file.write(ROWS)
        raise ZeroDivisionError
    assert len(path.read_bytes()) > 0
    assert not path.read_bytes().endswith(EMPTY)
