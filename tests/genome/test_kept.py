"""Private files in a folder that runs share: what is read back is checked."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from histpred.genome import kept as module
from histpred.genome.kept import SETTLED, private_files, remembered_digest
from histpred.genome.request import Request, request_identity
from support import random_genome, write_bed, write_fasta
from support.annotations import write
from support.command_line import command, environment, histpred

GENOME = random_genome(random.Random(3), {"chr1": 3000, "chr2": 2000})
OTHER = random_genome(random.Random(4), {"chr1": 3000, "chr2": 2000})
KEY = hashlib.sha256(b"the file that the others are made from").hexdigest()


@pytest.fixture
def settled(tmp_path, monkeypatch) -> Path:
    """A file that has lain there for a while, as far as the clock says."""
    path = write(tmp_path / "genome.fa", ">a\nACGT\n")
    now = time.time
    monkeypatch.setattr(module.time, "time", lambda: now() + SETTLED + 60)
    (tmp_path / "cache").mkdir()
    return path


def count_reads(monkeypatch) -> list[Path]:
    """The files that are read for their digest from now on, as by a new process."""
    module._read_once.cache_clear()
    reads: list[Path] = []

    def spy(path):
        reads.append(Path(path))
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()

    monkeypatch.setattr(module, "file_digest", spy)
    return reads


def test_a_digest_is_worked_out_once(settled, monkeypatch):
    reads = count_reads(monkeypatch)
    expected = hashlib.sha256(settled.read_bytes()).hexdigest()
    link = settled.with_name("link.fa")
    link.symlink_to(settled)
    for path in (settled, settled, link):
        module._read_once.cache_clear()  # as in another process
        assert remembered_digest(path, settled.parent / "cache") == expected
    assert reads == [settled]
    (kept,) = (settled.parent / "cache").iterdir()
    assert kept.read_text()[:64] == expected


def test_the_record_of_a_run_takes_the_digest_of_the_genome_from_the_cache(settled, monkeypatch):
    """An experiment asks for it once for each training and each evaluation."""
    reads = count_reads(monkeypatch)
    rows = write(settled.with_name("rows.bed"), "a\t0\t2\n")
    rna = write(settled.with_name("rna.fa"), ">t\nGG\n")
    request = Request(str(rows), str(settled), transcripts=(str(rna),))
    expected = request_identity(request, "spliced")
    assert sorted(reads) == [settled, rna]
    reads.clear()
    for cache in (settled.parent / "cache", settled.parent / "none"):
        for _ in range(2):
            module._read_once.cache_clear()  # as in another process
            assert request_identity(request._replace(cache=cache), "spliced") == expected
    assert sorted(reads) == sorted(3 * [settled, rna])  # twice where there is no cache
    assert not (settled.parent / "none").exists()
    write(settled, ">a\nACGTACGT\n")
    cached = request._replace(cache=settled.parent / "cache")
    assert request_identity(cached, "spliced") == request_identity(request, "spliced") != expected


def test_a_process_reads_a_file_once_while_it_stays_the_same(settled, monkeypatch):
    reads = count_reads(monkeypatch)
    first = hashlib.sha256(settled.read_bytes()).hexdigest()
    assert [module.known_digest(settled) for _ in range(2)] == [first, first]
    assert len(reads) == 1
    write(settled, ">a\nACGTACGT\n")
    assert module.known_digest(settled) == hashlib.sha256(settled.read_bytes()).hexdigest()
    assert len(reads) == 2


def test_other_bytes_of_the_same_size_and_time_are_noticed(settled, monkeypatch):
    """Whoever puts the time of modification back cannot put back that of the change (ctime)."""
    cache = settled.parent / "cache"
    first = remembered_digest(settled, cache)
    before = settled.stat()
    time.sleep(0.02)  # a clock that ticks each 4 ms stamps files
    settled.write_text(">a\nTGCA\n")
    os.utime(settled, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = settled.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    second = remembered_digest(settled, cache)
    assert second == hashlib.sha256(settled.read_bytes()).hexdigest() != first


@pytest.mark.parametrize("stamp", ["modified", "changed"])
@pytest.mark.parametrize(("age", "is_remembered"), [(0, False), (2, False), (2.25, True)])
def test_a_digest_is_remembered_if_the_file_is_older_than_two_seconds(
    tmp_path, monkeypatch, stamp, age, is_remembered
):
    """A clock of two seconds (FAT) gives an earlier change the same time."""
    path = write(tmp_path / "genome.fa", ">a\nACGT\n")
    (tmp_path / "cache").mkdir()
    if stamp == "changed":  # the time of modification is long ago, that of the change is now
        os.utime(path, (0, 0))
    changed = path.stat().st_ctime
    assert (path.stat().st_mtime == 0) == (stamp == "changed")
    monkeypatch.setattr(module.time, "time", lambda: changed + age)
    remembered_digest(path, tmp_path / "cache")
    assert bool(list((tmp_path / "cache").iterdir())) == is_remembered


def test_a_file_that_may_still_change_is_not_remembered(tmp_path):
    path = write(tmp_path / "genome.fa", ">a\nACGT\n")
    (tmp_path / "cache").mkdir()
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert remembered_digest(path, tmp_path / "cache") == expected
    assert not list((tmp_path / "cache").iterdir())
    os.utime(path, (0, time.time() + 9999))  # nor one of the future
    assert remembered_digest(path, tmp_path / "cache") == expected
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\x00", b"A" * 64, b"a" * 63, "é".encode() * 32, b"a" * 64, b"a" * 64 + b"\n"],
)
def test_what_is_no_digest_in_the_cache_is_not_believed(content, settled, monkeypatch):
    cache = settled.parent / "cache"
    expected = remembered_digest(settled, cache)
    (kept,) = cache.iterdir()
    kept.write_bytes(content)
    reads = count_reads(monkeypatch)
    assert remembered_digest(settled, cache) == expected
    assert reads == [settled]
    assert kept.read_text()[:64] == expected


def forbidden(*arguments: object, **options: object) -> None:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize(("who", "what"), [("Path", "write_text"), ("os", "replace")])
def test_a_cache_that_cannot_be_written_only_costs_time(who, what, settled, monkeypatch):
    """A folder of prepared genomes may be read-only, or another run may be quicker."""
    monkeypatch.setattr(getattr(module, who), what, forbidden)
    expected = hashlib.sha256(settled.read_bytes()).hexdigest()
    assert remembered_digest(settled, settled.parent / "cache") == expected
    assert not list((settled.parent / "cache").iterdir())


def test_what_cannot_be_read_in_the_cache_only_costs_time(settled, monkeypatch):
    expected = remembered_digest(settled, settled.parent / "cache")
    monkeypatch.setattr(module.Path, "read_text", forbidden)
    assert remembered_digest(settled, settled.parent / "cache") == expected


def made(folder: Path, texts: dict[str, str], calls: list[Path]) -> module.Kept:
    def make(stem: Path) -> None:
        calls.append(stem)
        for suffix, text in texts.items():
            Path(f"{stem}{suffix}").write_text(text)

    return private_files(folder, KEY, tuple(texts), make)


def test_private_files_are_made_once(tmp_path):
    calls: list[Path] = []
    texts = {".fai": "index", ".gzi": "blocks"}
    first = made(tmp_path, texts, calls)
    assert made(tmp_path, texts, calls) == first
    assert len(calls) == 1
    assert first.warning == ""
    assert first.digest == hashlib.sha256(b"index").hexdigest()
    assert [path.read_text() for path in first.paths] == ["index", "blocks"]
    assert sorted(tmp_path.iterdir()) == sorted(first.paths)


@pytest.mark.parametrize("suffix", [".fai", ".gzi"])
@pytest.mark.parametrize("content", [b"", b"inde", b"block", b"\xff" * 40, None])
def test_a_damaged_private_file_is_made_again(suffix, content, tmp_path):
    calls: list[Path] = []
    texts = {".fai": "index", ".gzi": "blocks"}
    first = made(tmp_path, texts, calls)
    (path,) = tmp_path.glob(f"*{suffix}")
    path.unlink() if content is None else path.write_bytes(content)
    again = made(tmp_path, texts, calls)
    assert len(calls) == 2
    assert (str(path) in again.warning) is (content is not None)
    assert again.paths == first.paths
    assert [path.read_text() for path in again.paths] == ["index", "blocks"]


def altered(path: Path) -> None:
    """The bases of another genome, compressed as well as the right ones."""
    write_fasta(path, OTHER, bgzip=True)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def one_contig(path: Path) -> None:
    path.write_text(path.read_text().splitlines(keepends=True)[0])


def moved(path: Path) -> None:
    name, length, offset, *rest = path.read_text().splitlines()[0].split("\t")
    second = path.read_text().splitlines()[1]
    path.write_text("\t".join([name, length, str(int(offset) + 7), *rest]) + f"\n{second}\n")


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [
        ("gz", altered), ("gz", truncated), ("gz", emptied), ("fai", truncated), ("fai", emptied),
        ("fai", one_contig), ("fai", moved), ("gzi", truncated), ("gzi", emptied),
    ],
)  # fmt: skip
def test_what_is_damaged_in_the_cache_changes_no_window(suffix, damage, tmp_path):
    fasta = write_fasta(tmp_path / "genome.fa.gz", GENOME, gzip=True)
    rows = [(name, 700, 1900, name, 0, "-") for name in GENOME]
    annotation, cache = write_bed(tmp_path / "rows.bed", rows), tmp_path / "cache"
    arguments = ("windows", annotation, fasta, "--cache", cache, "--window", "body", "-o")
    assert histpred(*arguments, tmp_path / "one.fa").code == 0
    (path,) = cache.glob(f"*.{suffix}")
    damage(path)
    done = histpred(*arguments, tmp_path / "two.fa", "--strict")
    assert done.code == 0, done.err
    assert f"{path} is damaged" in done.err
    assert (tmp_path / "two.fa").read_bytes() == (tmp_path / "one.fa").read_bytes()
    done = histpred(*arguments, tmp_path / "three.fa")
    assert "is damaged" not in done.err


def test_a_cache_that_cannot_be_made_is_named(tmp_path):
    fasta = write_fasta(tmp_path / "genome.fa", GENOME)
    annotation = write_bed(tmp_path / "rows.bed", [("chr1", 1, 9, "a", 0, "+")])
    cache = write(tmp_path / "file", "") / "cache"
    done = histpred("windows", annotation, fasta, "-o", tmp_path / "out.fa", "--cache", cache)
    assert done.code == 1
    assert f"{cache} cannot be made a folder for indexes" in done.err
    assert "--cache" in done.err


def test_a_kill_leaves_nothing_in_the_temporary_folder(tmp_path):
    """htslib is stopped in the middle: the FASTA is large, and the process is killed at once."""
    fasta = tmp_path / "genome.fa"
    fasta.write_text(">chr1\n" + ("ACGTTGCAGT" * 6 + "\n") * 2_000_000)
    annotation = write_bed(tmp_path / "rows.bed", [("chr1", 1, 9, "a", 0, "+")])
    temporary, cache = tmp_path / "temporary", tmp_path / "cache"
    temporary.mkdir()
    running = subprocess.Popen(
        command("windows", annotation, fasta, "-o", tmp_path / "out.fa", "--cache", cache),
        env=environment({"TMPDIR": str(temporary)}),
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    while not list(cache.glob(".histpred-work-*/*.fa")) and time.monotonic() < until:
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    assert not list(temporary.iterdir())
    assert not list(cache.glob("*.fai"))
