"""Embeddings on disk: a chunk that was embedded once is read, not computed again.

A store has a subfolder for each encoder, named by a digest of everything that fixes a vector, which
its `encoder.json` lists. It holds a Parquet file, a shard, for each call of the encoder: `piece`
(digest of the chunk, 16 bytes), `tokens`, `vector`. A shard is named by the sha256 of its content,
appears when it is complete, and never changes: runs may share a store, and a killed run continues.
Small shards are joined to larger ones. A run whose shards another run has joined reads the folder
again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib
import io
import json
import os
import threading
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypedDict

import numpy as np

from histpred.core.errors import OutputError
from histpred.core.journal import file_digest, publish
from histpred.core.output import NO_ROOM
from histpred.encoders import INSTALL_ENCODERS, Embedded, Encoder, EncoderSpec

if TYPE_CHECKING:
    import pyarrow as arrow
    from pydantic import JsonValue

FORMAT = 1
DESCRIPTION = "encoder.json"
SUFFIX = ".parquet"
PARTIAL = ".partial"
NAME_LENGTH = 32
JOINED = 1024  # chunks; smaller shards are joined when they hold as many together
JOINING = ".joining"  # the lock of the run that joins shards
ATTEMPTS = 5  # to read a folder whose shards another run is joining
KEPT_OPEN = 8  # shards in memory; windows come in the order in which their chunks were stored
LEFT_BEHIND = 24 * 3600  # seconds after which no run still writes a partial file


class Identity(TypedDict):
    """Everything that fixes a chunk's vector, to the last digit on one type of device."""

    format: int
    kind: str
    settings: dict[str, JsonValue]
    files: dict[str, str]
    device: str
    precision: str
    dimension: int


class Shard(NamedTuple):
    """A shard in memory: keys uint8 [n, 16], vectors float32 [n, dimension], tokens int64 [n]."""

    keys: np.ndarray
    vectors: np.ndarray
    tokens: np.ndarray


def chunk_key(sequence: bytes) -> bytes:
    """The key of a chunk in a store: 16 bytes of BLAKE2b of its bases."""
    return hashlib.blake2b(sequence, digest_size=16).digest()


def encoder_identity(spec: EncoderSpec, encoder: Encoder) -> Identity:
    """The identity of an encoder that was built from `spec`."""
    return {
        "format": FORMAT,
        "kind": spec.kind,
        "settings": dict(sorted(spec.settings.items())),
        "files": {path.name: file_digest(path) for path in sorted(encoder.files)},
        "device": encoder.device.partition(":")[0],
        "precision": encoder.precision,
        "dimension": encoder.dimension,
    }


class Store:
    """The shards of one encoder in the store at `folder`, which is created if missing. Thread-safe.

    Memory: 16 bytes for each stored chunk, and a few shards.
    """

    def __init__(self, folder: Path, identity: Identity) -> None:
        try:
            importlib.import_module("pyarrow")
        except ModuleNotFoundError as error:
            what = f"a store of embeddings needs the package {error.name}, which is not installed"
            raise OutputError(what, INSTALL_ENCODERS) from error
        description = json.dumps(identity, indent=1, sort_keys=True) + "\n"
        digest = hashlib.sha256(description.encode()).hexdigest()[:NAME_LENGTH]
        self.folder = folder / f"{identity['kind']}-{digest}"
        self._dimension = identity["dimension"]
        self._lock = threading.Lock()
        self._joins = True
        self._load = lru_cache(KEPT_OPEN)(partial(_read_shard, dimension=self._dimension))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not (self.folder / DESCRIPTION).exists():
                self._publish(DESCRIPTION, description.encode())
            for left in self.folder.glob(f"*{PARTIAL}"):
                with contextlib.suppress(FileNotFoundError):  # another run just finished it
                    if time.time() - left.stat().st_mtime > LEFT_BEHIND:
                        left.unlink()
        except OSError as error:
            if error.errno in NO_ROOM:  # for `temporary_faults`
                raise
            what = f"cannot write to the store {folder}: {error.strerror}"
            raise OutputError(what, "choose another --store") from error
        self._scan()
        self._join()

    def __len__(self) -> int:
        return len(self._halves)

    def find(self, keys: Sequence[bytes]) -> dict[bytes, tuple[np.ndarray, int]]:
        """Vector [dimension] and number of tokens of each stored key among `keys`."""
        with self._lock:
            for _ in range(ATTEMPTS):
                with contextlib.suppress(FileNotFoundError):  # another run has joined shards
                    return self._find(keys)
                self._scan()
        raise self._unsteady()

    def _find(self, keys: Sequence[bytes]) -> dict[bytes, tuple[np.ndarray, int]]:
        wanted = _halves(_as_array(keys))
        at = np.searchsorted(self._halves, wanted)
        there = np.flatnonzero(at < len(self._halves))
        there = there[self._halves[at[there]] == wanted[there]]
        places = self._places[at[there]]
        found = {}
        for number in np.argsort(places[:, 0], kind="stable"):  # shard by shard
            shard_number, row = (int(value) for value in places[number])
            shard, key = self._load(self._shards[shard_number]), keys[there[number]]
            if shard.keys[row].tobytes() == key:
                found[key] = (shard.vectors[row], int(shard.tokens[row]))
        return found

    def add(self, keys: Sequence[bytes], embedded: Embedded) -> None:
        """Write one shard; on return it is on disk."""
        if not keys:
            return
        path = self._write(keys, embedded)
        with self._lock:
            if path not in self._shards[-KEPT_OPEN:]:
                self._enter(path, _as_array(keys))
            self._join()

    def _write(self, keys: Sequence[bytes], embedded: Embedded) -> Path:
        """Write a shard and return its path."""
        import pyarrow as arrow
        from pyarrow import parquet

        pieces = arrow.array(list(keys), arrow.binary(16))
        values = arrow.array(embedded.vectors.reshape(-1))
        vectors = arrow.FixedSizeListArray.from_arrays(values, self._dimension)
        table = arrow.table({"piece": pieces, "tokens": embedded.tokens, "vector": vectors})
        content = io.BytesIO()
        parquet.write_table(
            table, content, compression="none", use_dictionary=False, write_statistics=False
        )
        name = hashlib.sha256(content.getbuffer()).hexdigest()[:NAME_LENGTH] + SUFFIX
        self._publish(name, content.getvalue())
        return self.folder / name

    def _publish(self, name: str, content: bytes) -> None:
        unfinished = self.folder / f"{name}.{os.getpid()}-{threading.get_ident()}{PARTIAL}"
        try:
            unfinished.write_bytes(content)
            publish(unfinished, self.folder / name)
        finally:
            unfinished.unlink(missing_ok=True)

    def _scan(self) -> None:
        """Make the index from the shards in the folder, in the order in which they came."""
        for _ in range(ATTEMPTS):
            self._shards: list[Path] = []
            self._small: dict[int, int] = {}  # chunks of the shards to join, by number
            # Sorted by the first half of the key; the whole key is checked in the shard.
            self._halves = np.zeros(0, np.uint64)
            self._places = np.zeros((0, 2), np.int32)  # shard and row
            with contextlib.suppress(FileNotFoundError):  # another run has joined shards
                found = self.folder.glob(f"*{SUFFIX}")
                for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name)):
                    self._enter(path, _read_keys(path))
                return
        raise self._unsteady()

    def _unsteady(self) -> OutputError:
        what = f"the shards of {self.folder} vanish while they are read"
        return OutputError(what, "run the same command again")

    def _join(self) -> None:
        """Join small shards that hold enough chunks; if that fails, this run joins no more."""
        while self._joins and sum(self._small.values()) >= JOINED:
            numbers, count = [], 0
            for number, chunks in self._small.items():
                numbers.append(number)
                if (count := count + chunks) >= JOINED:
                    break
            try:
                with open(self.folder / JOINING, "w") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._join_these(numbers)
            except BlockingIOError:  # another run is joining
                return
            except FileNotFoundError:  # another run has joined some of these
                self._scan()
            except (OSError, OutputError):
                self._joins = False

    def _join_these(self, numbers: list[int]) -> None:
        """Replace some shards by one that holds their chunks, on disk and in the index."""
        paths = [self._shards[number] for number in numbers]
        parts = [_read_shard(path, self._dimension) for path in paths]
        keys, vectors, tokens = map(np.concatenate, zip(*parts, strict=True))
        joined = self._write([key.tobytes() for key in keys], Embedded(vectors, tokens))
        first = 0
        for number, part in zip(numbers, parts, strict=True):
            here = self._places[:, 0] == number
            self._places[here] = np.column_stack(
                [np.full(here.sum(), len(self._shards)), self._places[here, 1] + first]
            )
            first += len(part.keys)
            del self._small[number]
        self._shards.append(joined)
        for path in paths:
            path.unlink(missing_ok=True)

    def _enter(self, path: Path, keys: np.ndarray) -> None:
        """Add the chunks of a shard to the index, after those of earlier shards."""
        if len(keys) < JOINED:
            self._small[len(self._shards)] = len(keys)
        halves = _halves(keys)
        places = np.empty((len(halves), 2), np.int32)
        places[:, 0], places[:, 1] = len(self._shards), np.arange(len(halves))
        halves = np.concatenate([self._halves, halves])
        order = np.argsort(halves, kind="stable")
        self._halves = halves[order]
        self._places = np.concatenate([self._places, places])[order]
        self._shards.append(path)


def _as_array(keys: Sequence[bytes]) -> np.ndarray:
    """Keys as uint8 [n, 16]."""
    return np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 16)


def _halves(keys: np.ndarray) -> np.ndarray:
    """The first half of each key, uint64 [n]."""
    return np.ascontiguousarray(keys[:, :8]).view(np.uint64)[:, 0]


def _read_keys(path: Path) -> np.ndarray:
    with _damage_named(path):
        return _as_array(read_parquet(path, ["piece"])["piece"].to_pylist())


def _read_shard(path: Path, dimension: int) -> Shard:
    with _damage_named(path):
        content = path.read_bytes()
        if not path.name.startswith(hashlib.sha256(content).hexdigest()[:NAME_LENGTH]):
            raise ValueError("its name is not its digest")
        table = read_parquet(io.BytesIO(content)).combine_chunks()
        vectors = table["vector"].chunk(0).flatten().to_numpy().reshape(-1, dimension)
        keys = _as_array(table["piece"].to_pylist())
        return Shard(keys, vectors, table["tokens"].to_numpy())


def read_parquet(source: Path | io.BytesIO, columns: list[str] | None = None) -> arrow.Table:
    """Read a Parquet file in this thread: shards are small, and arrow's threads cost time."""
    from pyarrow import parquet

    with parquet.ParquetFile(source) as file:
        return file.read(columns, use_threads=False)


@contextlib.contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    from pyarrow import ArrowException

    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, ArrowException, KeyError, TypeError, ValueError) as error:
        hint = "remove this file: its embeddings are computed again"
        raise OutputError(f"{path}: a damaged shard of the store of embeddings", hint) from error
