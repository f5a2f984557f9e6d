from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from histpred.core.errors import OutputError
from histpred.core.extras import how_to_install
from histpred.encoders import Embedded
from histpred.encoders.store import Store, chunk_key, encoder_identity
from support.command_line import environment

REASON = "needs the extra encoders: HISTPRED_EXTRAS=encoders bin/test"
arrow = pytest.importorskip("pyarrow", reason=REASON)
parquet = pytest.importorskip("pyarrow.parquet", reason=REASON)

DIMENSION = 5
IDENTITY = {"kind": "fake", "precision": "fp32", "dimension": DIMENSION}


def keys_of(numbers) -> list[bytes]:
    return [chunk_key(b"%d" % number) for number in numbers]


def embedded(numbers, dimension: int = DIMENSION) -> Embedded:
    """Vectors that are told apart by their last bits, NaN-free, some subnormal and some huge."""
    rows = [np.random.default_rng(number).standard_normal(dimension) for number in numbers]
    vectors = np.array(rows, np.float32).reshape(-1, dimension)
    vectors[:, 0] *= 1e-40
    vectors[:, 1] *= 1e37
    return Embedded(vectors, np.array([3 * number for number in numbers], np.int64))


def fill(store: Store, *shards) -> None:
    for numbers in shards:
        store.add(keys_of(numbers), embedded(numbers))


def holds(store: Store, numbers) -> None:
    """That the store has these pieces, to the last bit."""
    found = store.find(keys_of(numbers))
    assert set(found) == set(keys_of(numbers))
    expected = embedded(numbers)
    for key, vector, tokens in zip(keys_of(numbers), *expected, strict=True):
        stored_vector, stored_tokens = found[key]
        assert stored_vector.dtype == np.float32
        assert stored_vector.tobytes() == vector.tobytes()
        assert stored_tokens == tokens


def shards(store: Store) -> list[Path]:
    return sorted(store.folder.glob("*.parquet"))


# There and back


def test_what_is_added_is_found_to_the_last_bit(tmp_path):
    store = Store(tmp_path, IDENTITY)
    fill(store, range(20))
    holds(store, range(20))
    assert len(store) == 20
    assert set(store.find(keys_of(range(15, 30)))) == set(keys_of(range(15, 20)))


def test_an_empty_store_has_nothing(tmp_path):
    store = Store(tmp_path / "new" / "deep", IDENTITY)
    assert store.find(keys_of(range(5))) == {}
    assert store.find([]) == {}
    store.add([], embedded([]))
    assert len(store) == 0
    assert not shards(store)


def test_a_store_is_reopened(tmp_path):
    fill(Store(tmp_path, IDENTITY), range(20), range(20, 23))
    store = Store(tmp_path, IDENTITY)
    assert len(store) == 23
    holds(store, range(23))
    assert store.find(keys_of([99])) == {}


@pytest.mark.parametrize("reopened", [False, True])
def test_many_shards_more_than_stay_open(reopened, tmp_path):
    store = Store(tmp_path, IDENTITY)
    fill(store, *(range(start, start + 7) for start in range(0, 210, 7)))
    assert len(shards(store)) == 30
    if reopened:
        store = Store(tmp_path, IDENTITY)
    order = np.random.default_rng(0).permutation(210).tolist()
    holds(store, order)
    for number in order[:40]:
        holds(store, [number])


def test_a_store_sees_what_another_added_when_it_is_opened(tmp_path):
    first, second = Store(tmp_path, IDENTITY), Store(tmp_path, IDENTITY)
    fill(first, range(4))
    assert second.find(keys_of(range(4))) == {}
    fill(second, range(2, 6))
    holds(first, range(4))
    holds(second, range(2, 6))
    holds(Store(tmp_path, IDENTITY), range(6))


def test_the_same_pieces_twice_are_one_file(tmp_path):
    store = Store(tmp_path, IDENTITY)
    fill(store, range(9), range(9))
    assert len(shards(store)) == 1
    assert len(store) == 9
    holds(store, range(9))


def test_a_piece_in_two_shards_is_found(tmp_path):
    store = Store(tmp_path, IDENTITY)
    fill(store, range(9), range(5, 14))
    holds(store, range(14))
    holds(Store(tmp_path, IDENTITY), range(14))


@pytest.mark.parametrize("together", [False, True], ids=["two shards", "one shard"])
def test_keys_with_the_same_first_half_are_never_mixed_up(together, tmp_path):
    keys = [b"samehalf" + rest for rest in (b"AAAAAAAA", b"BBBBBBBB")] + keys_of([7])
    values = embedded([1, 2, 7])
    store = Store(tmp_path, IDENTITY)
    rows = [[0, 1, 2]] if together else [[0], [1], [2]]
    for some in rows:
        store.add([keys[i] for i in some], Embedded(values.vectors[some], values.tokens[some]))
    for opened in (store, Store(tmp_path, IDENTITY)):
        asked = [*keys, b"samehalf" + b"CCCCCCCC"]
        found = opened.find(asked)
        # One of the two is found; the other is computed again.
        assert len(found) >= 2
        assert keys[2] in found
        for key, (vector, tokens) in found.items():
            row = keys.index(key)
            assert vector.tobytes() == values.vectors[row].tobytes()
            assert tokens == values.tokens[row]


def test_shards_are_plain_parquet_named_by_their_content(tmp_path):
    store = Store(tmp_path, IDENTITY)
    fill(store, range(3))
    (path,) = shards(store)
    assert path.stem == hashlib.sha256(path.read_bytes()).hexdigest()[:32]
    table = parquet.read_table(path)
    assert table.column_names == ["piece", "tokens", "vector"]
    assert table["piece"].to_pylist() == keys_of(range(3))
    assert table["tokens"].to_pylist() == [0, 3, 6]
    vectors = np.array(table["vector"].to_pylist(), np.float32)
    np.testing.assert_array_equal(vectors, embedded(range(3)).vectors)


def test_the_index_takes_16_bytes_a_piece(tmp_path):
    store = Store(tmp_path, IDENTITY)
    fill(store, range(1000), range(1000, 1500))
    kept = [value for value in vars(store).values() if isinstance(value, np.ndarray)]
    assert sum(array.nbytes for array in kept) == 16 * 1500


def test_few_shards_stay_in_memory(tmp_path):
    store = Store(tmp_path, IDENTITY)
    fill(store, *([number] for number in range(40)))
    holds(store, range(40))
    assert 0 < store._load.cache_info().currsize <= 8


# Damage


def damaged_file(tmp_path) -> tuple[Path, bytes]:
    """A store of two shards, 0 to 5 and 6 to 11; the path and content of the first of them."""
    store = Store(tmp_path, IDENTITY)
    fill(store, range(6))
    (first,) = shards(store)
    fill(store, range(6, 12))
    return first, first.read_bytes()


def everything(tmp_path) -> None:
    """Read the whole store: right, or an OutputError; KeyError where a piece is missing."""
    store = Store(tmp_path, IDENTITY)
    found = store.find(keys_of(range(12)))
    for number, key in enumerate(keys_of(range(12))):
        assert found[key][0].tobytes() == embedded([number]).vectors[0].tobytes()


@pytest.mark.parametrize("part", range(4))
def test_a_flipped_bit_anywhere_is_found_out(part, tmp_path):
    """Either when the store is opened, or when a piece of the shard is read."""
    path, content = damaged_file(tmp_path)
    wrong = []
    for place in range(part, len(content), 16):
        broken = bytearray(content)
        broken[place] ^= 1 << (place % 8)
        path.write_bytes(broken)
        try:
            everything(tmp_path)
            wrong.append((place, "nothing"))
        except OutputError as error:
            if not str(error).startswith(str(path)) or "remove this file" not in error.hint:
                wrong.append((place, str(error)))
        except Exception as error:
            wrong.append((place, repr(error)))
    assert not wrong


@pytest.mark.parametrize("length", [0, 1, 4, 0.5, -4, -1])
def test_a_shard_cut_short_is_named_and_can_be_removed(length, tmp_path):
    path, content = damaged_file(tmp_path)
    path.write_bytes(content[: int(length * len(content)) if 0 < length < 1 else length])
    with pytest.raises(OutputError, match=path.name) as raised:
        everything(tmp_path)
    assert "remove this file" in raised.value.hint

    path.unlink()
    store = Store(tmp_path, IDENTITY)
    assert set(store.find(keys_of(range(12)))) == set(keys_of(range(6, 12)))
    fill(store, range(6))
    assert path.read_bytes() == content
    holds(Store(tmp_path, IDENTITY), range(12))


@pytest.mark.parametrize(
    "columns",
    [
        {"other": [1]},
        {"piece": ["text"]},
        {"piece": [b"short"]},
        {"piece": [None]},
        {"piece": [5]},
        {"piece": keys_of([0])},
    ],
    ids=["no column", "text", "short", "null", "number", "no vector"],
)
def test_a_strangers_parquet_file_is_named(columns, tmp_path):
    store = Store(tmp_path, IDENTITY)
    path = store.folder / "mine.parquet"
    parquet.write_table(arrow.table(columns), path)
    with pytest.raises(OutputError, match=r"mine\.parquet"):
        Store(tmp_path, IDENTITY).find(keys_of(range(5)))


def test_the_chunks_of_a_shard_that_vanishes_under_a_run_are_not_there(tmp_path):
    """They are computed again."""
    path, _ = damaged_file(tmp_path)
    store = Store(tmp_path, IDENTITY)
    path.unlink()
    assert store.find(keys_of([0])) == {}
    holds(store, range(6, 12))


def test_a_store_whose_shards_keep_vanishing_is_told(tmp_path, monkeypatch):
    fill(Store(tmp_path, IDENTITY), range(3))

    def vanished(path):
        raise FileNotFoundError(path)

    monkeypatch.setattr("histpred.encoders.store._read_keys", vanished)
    with pytest.raises(OutputError, match="vanish while they are read"):
        Store(tmp_path, IDENTITY)


# Joining small shards


@pytest.fixture
def joined_at_ten(monkeypatch):
    monkeypatch.setattr("histpred.encoders.store.JOINED", 10)


def sizes(store: Store) -> list[int]:
    return sorted(parquet.read_metadata(path).num_rows for path in shards(store))


@pytest.mark.usefixtures("joined_at_ten")
def test_small_shards_are_joined_when_they_hold_enough(tmp_path):
    store = Store(tmp_path, IDENTITY)
    fill(store, range(4), range(4, 8))
    assert sizes(store) == [4, 4]
    fill(store, range(8, 12), range(12, 16), range(16, 40))
    assert sizes(store) == [4, 12, 24]
    holds(store, range(40))
    fill(store, range(40, 46))
    assert sizes(store) == [10, 12, 24]
    holds(store, range(46))
    holds(Store(tmp_path, IDENTITY), range(46))
    assert len(Store(tmp_path, IDENTITY)) == 46


def test_the_small_shards_of_an_earlier_release_are_joined_when_a_store_is_opened(
    tmp_path, monkeypatch
):
    fill(Store(tmp_path, IDENTITY), *([number] for number in range(35)))
    monkeypatch.setattr("histpred.encoders.store.JOINED", 10)
    store = Store(tmp_path, IDENTITY)
    assert sizes(store) == [1] * 5 + [10] * 3
    holds(store, range(35))
    joined = [path for path in shards(store) if parquet.read_metadata(path).num_rows == 10]
    pieces = {key.as_py() for path in joined for key in parquet.read_table(path)["piece"]}
    assert pieces == set(keys_of(range(30)))  # the oldest


@pytest.mark.usefixtures("joined_at_ten")
def test_a_run_finds_what_another_one_joined(tmp_path):
    fill(Store(tmp_path, IDENTITY), range(4), range(4, 8))
    reading, writing = (Store(tmp_path, IDENTITY) for _ in range(2))
    fill(writing, range(8, 12))
    assert sizes(writing) == [12]
    holds(reading, range(12))
    fill(reading, range(12, 22))
    holds(writing, range(12))  # it does not know of the others
    holds(Store(tmp_path, IDENTITY), range(22))


@pytest.mark.usefixtures("joined_at_ten")
def test_two_runs_that_join_at_once_lose_nothing(tmp_path):
    stores = [Store(tmp_path, IDENTITY) for _ in range(3)]
    for start in range(0, 120, 3):
        fill(stores[start // 3 % 3], range(start, start + 3))
    holds(Store(tmp_path, IDENTITY), range(120))
    assert max(sizes(stores[0])) >= 10
    assert len(shards(stores[0])) < 20  # of 40 that were written
    for store in stores:
        own = [number for number in range(120) if stores[number // 3 % 3] is store]
        holds(store, own)


@pytest.mark.usefixtures("joined_at_ten")
def test_while_another_run_joins_this_one_leaves_it_to_that(tmp_path):
    store = Store(tmp_path, IDENTITY)
    with open(store.folder / ".joining", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fill(store, range(6), range(6, 12))
        assert sizes(store) == [6, 6]
    fill(store, range(12, 14))
    assert sizes(store) == [2, 12]
    holds(store, range(14))


@pytest.mark.usefixtures("joined_at_ten")
def test_where_nothing_can_be_joined_the_small_shards_stay(tmp_path, monkeypatch):
    """A disk that is nearly full, or a damaged shard; what was embedded counts."""
    store = Store(tmp_path, IDENTITY)
    fill(store, range(6))
    write = store._publish

    def full(name, content):
        if len(shards(store)) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(name, content)

    monkeypatch.setattr(store, "_publish", full)
    fill(store, range(6, 12))
    assert sizes(store) == [6, 6]
    holds(store, range(12))
    monkeypatch.setattr(store, "_publish", write)
    shards(store)[0].write_bytes(b"damaged")
    with contextlib.suppress(OutputError):
        Store(tmp_path, IDENTITY)
    assert len(shards(store)) == 2


# What broken-off writers leave


def test_partial_files_are_not_read_and_go_when_they_are_old(tmp_path):
    store = Store(tmp_path, IDENTITY)
    fill(store, range(3))
    young = store.folder / "0123.parquet.1-1.partial"
    old = store.folder / "4567.parquet.2-2.partial"
    for path in (young, old):
        path.write_bytes(b"half a sha")
    two_days_ago = time.time() - 48 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    reopened = Store(tmp_path, IDENTITY)
    holds(reopened, range(3))
    assert len(reopened) == 3
    assert young.exists()
    assert not old.exists()


def test_a_write_that_fails_leaves_no_file_and_no_entry(tmp_path, monkeypatch):
    store = Store(tmp_path, IDENTITY)
    fill(store, range(3))

    def fail(source, target):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("histpred.core.output.os.replace", fail)
        with pytest.raises(OSError, match="No space left"):
            fill(store, range(3, 6))
    assert {path.suffix for path in store.folder.iterdir()} == {".json", ".parquet"}
    assert store.find(keys_of(range(3, 6))) == {}
    fill(store, range(3, 6))
    holds(store, range(6))


WRITER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_store import IDENTITY, Store, fill, holds
folder, go, first = Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
go.with_name(f"ready{first}").touch()
while not go.exists():
    time.sleep(0.001)
store = Store(folder, IDENTITY)
for start in range(0, 60, 3):
    fill(store, range(start, start + 3), range(first + start, first + start + 3))
    holds(store, range(start + 3))
holds(store, range(first, first + 60))
"""


def test_two_processes_write_the_same_and_different_pieces_at_once(tmp_path):
    store, go = tmp_path / "store", tmp_path / "go"
    here = str(Path(__file__).parent)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, here, store, go, first],
            env=environment({"PYTHONPATH": os.pathsep.join(map(str, PATHS))}),
            stderr=subprocess.PIPE,
            text=True,
        )
        for first in ("1000", "2000")
    ]
    until = time.monotonic() + 30
    while not all((tmp_path / f"ready{first}").exists() for first in (1000, 2000)):
        assert time.monotonic() < until
        time.sleep(0.01)
    go.touch()
    for writer in writers:
        _, said = writer.communicate(timeout=60)
        assert writer.returncode == 0, said

    both = Store(store, IDENTITY)
    holds(both, [*range(60), *range(1000, 1060), *range(2000, 2060)])
    assert len(shards(both)) == 60  # the common ones once
    assert not list(store.rglob("*.partial"))
    assert len(list(store.iterdir())) == 1


PATHS = (Path(__file__).parents[2], Path(__file__).parents[1])  # the package, and support


# Whose vectors they are


class FakeSpec(NamedTuple):
    kind: str
    settings: dict
    dimension: int | None = None


class FakeEncoder(NamedTuple):
    files: tuple[Path, ...]
    device: str = "cpu"
    precision: str = "fp32"
    dimension: int = DIMENSION


def identity(tmp_path, kind="fake", settings=(), content="weights", name="weights.bin", **more):
    path = tmp_path / name
    path.write_text(content)
    return encoder_identity(FakeSpec(kind, dict(settings)), FakeEncoder((path,), **more))


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "other"},
        {"settings": {"k": 2}},
        {"content": "other weights"},
        {"name": "other.bin"},
        {"precision": "int8"},
        {"device": "cuda:0"},
        {"dimension": 4},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_fixes_a_vector_separates_the_stores(change, tmp_path):
    folder = tmp_path / "store"
    store = Store(folder, identity(tmp_path))
    fill(store, range(3))
    other = Store(folder, identity(tmp_path, **change))
    assert other.folder != store.folder
    assert other.find(keys_of(range(3))) == {}
    holds(Store(folder, identity(tmp_path)), range(3))


def test_the_same_encoder_has_the_same_folder_wherever_its_weights_lie(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    first = identity(tmp_path, settings={"a": 1, "b": 2}, device="cuda:0")
    second = identity(tmp_path / "elsewhere", settings={"b": 2, "a": 1}, device="cuda:1")
    assert Store(tmp_path, first).folder == Store(tmp_path, second).folder


def test_a_store_says_whose_vectors_it_has(tmp_path):
    mine = identity(tmp_path, content="abc")
    digest = hashlib.sha256(b"abc").hexdigest()
    text = (Store(tmp_path, mine).folder / "encoder.json").read_text()
    assert all(word in text for word in ("fake", "weights.bin", digest, "fp32"))


# Places that cannot be used


@pytest.mark.parametrize("fault", [13, 30], ids=["permission", "read-only file system"])
def test_a_folder_that_cannot_be_written_is_said(fault, tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise OSError(fault, os.strerror(fault))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match="cannot write to the store") as raised:
        Store(tmp_path / "store", IDENTITY)
    assert os.strerror(fault) in str(raised.value)
    assert "--store" in raised.value.hint


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_file_in_the_place_of_the_folder_is_said(place, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="cannot write to the store"):
        Store(tmp_path / place, IDENTITY)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_full_disk_stays_what_it_is(tmp_path, monkeypatch):
    """It is not the store's fault: `temporary_faults` makes exit code 75 of it."""

    def fail(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="No space left"):
        Store(tmp_path, IDENTITY)


def test_without_pyarrow_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(OutputError, match="pyarrow") as raised:
        Store(tmp_path, IDENTITY)
    assert how_to_install("encoders") in raised.value.hint


def test_a_partial_file_that_is_finished_while_the_store_is_opened(tmp_path, monkeypatch):
    """As another process does between the listing of the folder and the look at its age."""
    store = Store(tmp_path, IDENTITY)
    (store.folder / f"x.{os.getpid()}.partial").touch()
    real = Path.stat

    def gone(path, **options):
        if path.suffix == ".partial":
            path.unlink(missing_ok=True)
        return real(path, **options)

    monkeypatch.setattr(Path, "stat", gone)
    assert len(Store(tmp_path, IDENTITY)) == 0
