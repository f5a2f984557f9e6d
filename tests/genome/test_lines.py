from __future__ import annotations

import gzip
import hashlib
import io
import os
import sys
import threading
import time
import tracemalloc
from contextlib import suppress
from types import SimpleNamespace

import pysam
import pytest

from histpred.core.errors import InputError
from histpred.genome.lines import open_lines
from support.annotations import write

TEXT = b"".join(b"chr1\t%d\t%d\tname%d\n" % (i, i + 10, i) for i in range(5000))
ROWS = list(enumerate(TEXT.decode().splitlines(), 1))
SMALL = b"chr1\t0\t10\nchr1\t5\t20\n"


def bgzip(content: bytes, path) -> bytes:
    with pysam.BGZFile(str(path), "wb") as target:
        target.write(content)
    return path.read_bytes()


def read(path) -> list[tuple[int, str]]:
    with open_lines(path) as lines:
        return list(lines)


def feed(pipe: str | int, chunks: list[bytes], pause: float = 0) -> threading.Thread:
    """Write into a pipe from another thread, chunk by chunk."""

    def work():
        with suppress(BrokenPipeError), open(pipe, "wb", buffering=0) as target:
            for chunk in chunks:
                target.write(chunk)
                time.sleep(pause)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("suffix", ["txt", "gz"])
@pytest.mark.parametrize("wrap", ["plain", "gzip", "gzip members", "bgzip"])
@pytest.mark.parametrize("ends", ["LF", "CRLF", "no last"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "BOM"])
def test_the_same_lines_whatever_the_wrapping(tmp_path, suffix, wrap, ends, mark):
    content = TEXT.replace(b"\n", b"\r\n") if ends == "CRLF" else TEXT
    content = mark + (content[:-1] if ends == "no last" else content)
    stored = {
        "plain": lambda: content,
        "gzip": lambda: gzip.compress(content),
        "gzip members": lambda: gzip.compress(content[:70_000]) + gzip.compress(content[70_000:]),
        "bgzip": lambda: bgzip(content, tmp_path / "bgzip"),
    }[wrap]()
    path = write(tmp_path / f"rows.{suffix}", stored)
    with open_lines(path) as lines:
        assert list(lines) == ROWS
        assert lines.digest == hashlib.sha256(stored).hexdigest()
        assert lines.name == str(path)


def test_the_digest_is_of_the_whole_file_even_if_only_a_part_is_read(tmp_path):
    path = write(tmp_path / "rows.gz", gzip.compress(TEXT))
    with open_lines(path) as lines:
        assert next(iter(lines)) == ROWS[0]
        lines.drain()
        assert lines.digest == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("stored", [TEXT, gzip.compress(TEXT)], ids=["plain", "gzip"])
def test_standard_input(monkeypatch, stored):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stored)))
    with open_lines("-") as lines:
        assert lines.name == "<stdin>"
        assert list(lines) == ROWS


@pytest.mark.parametrize("stored", [TEXT, gzip.compress(TEXT)], ids=["plain", "gzip"])
def test_a_named_pipe(tmp_path, stored):
    os.mkfifo(tmp_path / "pipe")
    feed(str(tmp_path / "pipe"), [stored])
    assert read(tmp_path / "pipe") == ROWS


def test_dev_fd():
    reading, writing = os.pipe()
    feed(writing, [TEXT])
    try:
        assert read(f"/dev/fd/{reading}") == ROWS
    finally:
        os.close(reading)


@pytest.mark.parametrize("first", [1, 2, 5, 10], ids=lambda size: f"{size} bytes first")
@pytest.mark.parametrize("wrap", ["CRLF", "gzip", "bgzip"])
def test_a_pipe_that_begins_with_a_few_bytes(tmp_path, wrap, first):
    stored = {
        "CRLF": lambda: SMALL.replace(b"\n", b"\r\n"),
        "gzip": lambda: gzip.compress(SMALL),
        "bgzip": lambda: bgzip(SMALL, tmp_path / "bgzip"),
    }[wrap]()
    reading, writing = os.pipe()
    feed(writing, [stored[:first], stored[first:]], pause=0.05)
    try:
        assert read(f"/dev/fd/{reading}") == list(enumerate(SMALL.decode().splitlines(), 1))
    finally:
        os.close(reading)


def test_a_bgzip_pipe_that_begins_with_a_few_bytes_is_still_checked_for_its_end(tmp_path):
    stored = bgzip(SMALL, tmp_path / "bgzip")[:-28]
    reading, writing = os.pipe()
    feed(writing, [stored[:5], stored[5:]], pause=0.05)
    try:
        with pytest.raises(InputError, match="truncated"):
            read(f"/dev/fd/{reading}")
    finally:
        os.close(reading)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"BZh91AY&SY", "compressed with bzip2"),
        (b"\xfd7zXZ\0", "compressed with xz"),
        (b"\x28\xb5\x2f\xfd\x04", "compressed with zstd"),
        (b"PK\x03\x04\x14\0", "a zip archive or an Excel sheet"),
        (gzip.compress(b"BAM\x01\0\0", mtime=0), "a BAM file"),
        (gzip.compress(b"##fileformat=VCFv4.2\n", mtime=0), "a VCF file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git-LFS pointer"),
        (b"\xeb\xf2\x89\x87\x04\0", "a bigBed file"),
        (b"<!DOCTYPE html>\n", "a web page or XML"),
        (b">chr1 Homo sapiens\nACGT\n", "the order is ANNOTATION FASTA"),
        ("chr1\t0\t10\n".encode("utf-16"), "UTF-16 text"),
        ("chr1\t0\t10\n".encode("utf-16-le"), "not text: it contains NUL bytes"),
        (SMALL.replace(b"\n", b"\r"), "lines end in CR only"),
        (SMALL + b"chr1\t0\t10\tna\xefve\n", r":3: not UTF-8 text \(byte 0xef\)"),
        (gzip.compress(gzip.compress(SMALL, mtime=0), mtime=0), "not text|not UTF-8"),
    ],
)
def test_what_is_no_annotation_is_called_by_its_name(tmp_path, content, message):
    path = write(tmp_path / "rows.bed", content)
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("wrap", ["gzip", "bgzip"])
@pytest.mark.parametrize("kept", [2, 10, 17, 1000, -29, -8, -1])
def test_a_truncated_file_is_no_shorter_file(tmp_path, wrap, kept):
    stored = gzip.compress(TEXT) if wrap == "gzip" else bgzip(TEXT, tmp_path / "bgzip")
    path = write(tmp_path / "rows.gz", stored[:kept])
    with pytest.raises(InputError, match=r"rows\.gz.*truncated") as caught:
        read(path)
    assert "download or copy the file again" in caught.value.hint


def test_a_bgzip_file_cut_between_two_blocks_is_truncated(tmp_path):
    stored = bgzip(TEXT, tmp_path / "bgzip")
    path = write(tmp_path / "rows.gz", stored[: -len(bgzip(b"", tmp_path / "empty"))])
    assert gzip.decompress(path.read_bytes()) == TEXT
    with pytest.raises(InputError, match="without its end-of-file block"):
        read(path)


HALF = 70_000


@pytest.mark.parametrize("order", ["bgzip gzip", "gzip bgzip", "bgzip gzip gzip", "bgzip bgzip"])
def test_gzip_and_bgzip_files_joined(tmp_path, order):
    """As cat makes them: each part is complete, so the whole is."""
    kinds = order.split()
    parts = [TEXT[:HALF], TEXT[HALF:]] if len(kinds) == 2 else [TEXT[:HALF], TEXT[HALF:], b""]
    stored = b"".join(
        gzip.compress(part) if kind == "gzip" else bgzip(part, tmp_path / "bgzip")
        for kind, part in zip(kinds, parts, strict=True)
    )
    assert read(write(tmp_path / "rows.gz", stored)) == ROWS


@pytest.mark.parametrize("last", ["gzip", "bgzip", "bgzip between blocks"])
def test_joined_files_whose_last_part_is_truncated(tmp_path, last):
    first = gzip.compress(TEXT[:HALF])
    if last == "gzip":
        first = bgzip(TEXT[:HALF], tmp_path / "first")
        stored = gzip.compress(TEXT[HALF:])[:-9]
    else:
        cut = -28 if last.endswith("blocks") else -29
        stored = bgzip(TEXT[HALF:], tmp_path / "bgzip")[:cut]
    with pytest.raises(InputError, match="truncated"):
        read(write(tmp_path / "rows.gz", first + stored))


@pytest.mark.parametrize("wrap", ["plain", "gzip"])
def test_a_line_without_end_is_not_read_whole(tmp_path, wrap):
    """16 MiB are kept of a file that would be a gigabyte."""
    opened = gzip.open if wrap == "gzip" else open
    with opened(tmp_path / "rows", "wb") as target:
        target.write(SMALL)
        for _ in range(64):
            target.write(b"ACGT" * (1 << 18))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"rows:3: the line is longer than 16 MiB"):
            read(tmp_path / "rows")
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
    finally:
        tracemalloc.stop()


def test_a_long_line_is_still_a_line(tmp_path):
    row = b"chr1\t0\t10\t" + b"n" * 15_000_000
    assert [len(line) for _, line in read(write(tmp_path / "rows", row + b"\n" + row))] == [
        *(len(row), len(row)),
    ]


@pytest.mark.parametrize("damage", ["byte in the middle", "checksum", "garbage behind"])
def test_a_damaged_file(tmp_path, damage):
    stored = bytearray(gzip.compress(TEXT))
    if damage == "garbage behind":
        stored += b"garbage"
    else:
        stored[len(stored) // 2 if damage == "byte in the middle" else -6] ^= 0xFF
    with pytest.raises(InputError, match=r"truncated or damaged|not UTF-8"):
        read(write(tmp_path / "rows.gz", bytes(stored)))


def test_a_file_truncated_in_its_unread_rest(tmp_path):
    """As in the ##FASTA tail of a GFF3."""
    path = write(tmp_path / "rows.gz", gzip.compress(TEXT)[:-1000])
    with open_lines(path) as lines:
        next(iter(lines))
        with pytest.raises(InputError, match="truncated"):
            lines.drain()


@pytest.mark.parametrize("name", ["missing.bed", ".", "file/below"])
def test_what_cannot_be_opened(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be read|is a directory"):
        read(tmp_path / name)
