"""Write bigBed and bigWig (Kent et al. 2010, doi:10.1093/bioinformatics/btq351) of any genome.

A draft genome has a contig for almost every window. Libraries that write these formats open files
for each contig, or cannot name more than 65,535. Here a block of rows is of one contig; one of a
zoom level may span several, as in UCSC's own files.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from histpred.tracks.zoom import LEVELS, Level, Zoom

BIGBED, BIGWIG, CONTIG_TREE, INDEX = 0x8789F2EB, 0x888FFC26, 0x78CA8C91, 0x2468ACE0
HEAD = struct.Struct("<HHQQQHHQQIQ")  # after the magic number
ZOOM, TOTAL, COUNT = struct.Struct("<IIQQ"), struct.Struct("<Qdddd"), struct.Struct("<Q")
INDEX_HEAD, NODE_HEAD = struct.Struct("<IIQIIIIQII"), struct.Struct("<BBH")
ROW, WIG_HEAD, ENTRY = struct.Struct("<III"), struct.Struct("<IIIIIBBH"), struct.Struct("<4I2Q")
LOW = (1 << 32) - 1
FIRST_LEVEL = 10  # x the mean width of the first rows
NODE = 256  # children of a node of a tree
ITEMS, AT_ONCE = 512, 1 << 14  # rows of a block, and of a batch
SMALL = 1 << 12  # bytes; for a block up to this long, zlib's usual buffers cost most of the time
BED_FIELDS = 9  # of the fields in the autoSql, those that BED defines

BOUNDS = [(name, "<u4") for name in ("contig", "start", "last_contig", "end")]
LEAF = np.dtype([*BOUNDS, ("offset", "<u8"), ("size", "<u8")])
INNER = np.dtype([*BOUNDS, ("offset", "<u8")])
ITEM = np.dtype([("start", "<u4"), ("end", "<u4"), ("value", "<f4")])


class Blocks:
    """Compressed blocks that are written one after another, and their index."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._at = file, file.tell()
        self.count = self.largest = 0
        self._entries = bytearray()  # as `LEAF` has them: a draft genome has millions

    def add(self, raw: bytes, bounds: tuple[int, ...]) -> None:
        """Append a block; `bounds`: first contig and start, last contig and end."""
        bits, memory = (12, 4) if len(raw) <= SMALL else (15, 8)
        packer = zlib.compressobj(6, zlib.DEFLATED, bits, memory)
        packed = packer.compress(raw) + packer.flush()
        self._file.write(packed)
        self._entries += ENTRY.pack(*bounds, self._at, len(packed))
        self._at += len(packed)
        self.count += 1
        self.largest = max(self.largest, len(raw))

    def write_index(self) -> int:
        """Append the index of the blocks; returns its place in the file."""
        whole = leaves = np.frombuffer(self._entries, LEAF)
        while len(whole) > 1:
            whole = _parents(whole)
        bounds = [int(whole[0][name]) for name, _ in BOUNDS] if len(leaves) else [0] * 4
        head = INDEX_HEAD.pack(INDEX, NODE, len(leaves), *bounds, self._at, ITEMS, 0)
        self._file.write(head + _tree(leaves, _parents, self._at + len(head)))
        return self._at


class Batch(NamedTuple):
    """Rows that overlap no others: number of the contig, interval, text or value."""

    contigs: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    rest: Any


def write(
    path: Path, lengths: Mapping[str, int], batches: Iterable[Batch], fields: str = ""
) -> None:
    """Write a bigBed with these autoSql `fields`, or a bigWig without.

    `lengths`: of the contigs that have rows, in bp and in their order; see `batches_of`.
    """
    magic, columns = struct.pack("<I", BIGBED if fields else BIGWIG), fields.count(";")
    with open(path, "wb") as file:
        file.write(bytes(len(magic) + HEAD.size + LEVELS * ZOOM.size))
        text_at = file.tell() if fields else 0
        file.write(fields.encode() + b"\0" * bool(fields))
        total_at = file.tell()
        file.write(bytes(TOTAL.size))
        contigs_at = file.tell()
        file.write(_contig_tree(lengths, contigs_at))
        data_at = file.tell()
        file.write(bytes(COUNT.size))
        with ExitStack() as stack:
            zoom = Zoom(path.parent, stack)
            data, count, total = _write_data(file, batches, bool(fields), zoom)
            index_at = data.write_index()
            zooms = [_write_level(file, level, data) for level in zoom.finish()]
        file.write(magic)  # it ends as it begins
        file.seek(0)
        head = (4, len(zooms), contigs_at, data_at, index_at, columns, min(columns, BED_FIELDS))
        file.write(magic + HEAD.pack(*head, text_at, total_at, data.largest, 0))
        file.writelines(ZOOM.pack(*zoom) for zoom in zooms)
        file.seek(total_at)
        file.write(TOTAL.pack(*total))
        file.seek(data_at)
        file.write(COUNT.pack(count))


def _write_level(file: BinaryIO, level: Level, data: Blocks) -> tuple[int, int, int, int]:
    """Append a zoom level; returns what the head of the file says of it."""
    at = file.tell()
    file.write(struct.pack("<I", level.count))
    blocks = Blocks(file)
    for some in level.parts(ITEMS):
        bounds = (some[0]["contig"], some[0]["start"], some[-1]["contig"], some[-1]["end"])
        blocks.add(some.tobytes(), bounds)
    data.largest = max(data.largest, blocks.largest)
    return level.width, 0, at, blocks.write_index()


def _write_data(
    file: BinaryIO, batches: Iterable[Batch], bed: bool, zoom: Zoom
) -> tuple[Blocks, int, tuple[float, ...]]:
    """Write the rows and add them to the zoom levels; returns blocks, number of rows and total."""
    blocks, width, count = Blocks(file), 0, 0
    total = (0, np.inf, -np.inf, 0.0, 0.0)
    for batch in batches:
        for raw, (contig, start, end) in (_bed_blocks if bed else _wig_blocks)(batch):
            blocks.add(raw, (contig, start, contig, end))
        count = count + len(batch.starts) if bed else blocks.count
        width = width or FIRST_LEVEL * max(1, int((batch.ends - batch.starts).mean()))
        stretches = _depths(batch) if bed else _values(batch)
        _, starts, ends, values = stretches
        bases, values = ends - starts, values.astype(float)
        total = (
            total[0] + int(bases.sum()),
            min(total[1], values.min()),
            max(total[2], values.max()),
            total[3] + (bases * values).sum(),
            total[4] + (bases * values**2).sum(),
        )
        zoom.add(stretches, width)
    return blocks, count, total


def batches_of(rows: Iterable[tuple[Any, ...]], contigs: Iterable[str]) -> Iterator[Batch]:
    """The rows in parts of some `AT_ONCE`, none of which overlaps the next.

    `rows`: contig, start, end (0-based half-open), a bigBed's other columns or a bigWig's value.
    """
    numbers = {contig: number for number, contig in enumerate(contigs)}
    part: list[tuple[Any, ...]] = []
    contig, reach = "", 0
    for row in rows:
        if row[0] != contig or row[1] >= reach:
            if len(part) >= AT_ONCE:
                yield _batch(part, numbers)
                part = []
            reach = row[2]
        contig, reach = row[0], max(reach, row[2])
        part.append(row)
    if part:
        yield _batch(part, numbers)


def _batch(part: Sequence[tuple[Any, ...]], numbers: Mapping[str, int]) -> Batch:
    contigs, starts, ends, rest = zip(*part, strict=True)
    known = [numbers[contig] for contig in contigs]
    return Batch(np.array(known), np.array(starts), np.array(ends), rest)


def _runs(batch: Batch) -> Iterator[tuple[int, int, tuple[int, int, int]]]:
    """First and last row (exclusive) of each block, and its one contig, start and furthest end."""
    contigs, starts, ends = (each.tolist() for each in batch[:3])
    edges = [0, *(np.flatnonzero(np.diff(batch.contigs)) + 1).tolist(), len(contigs)]
    for begin, end in pairwise(edges):
        for first in range(begin, end, ITEMS):
            last = min(first + ITEMS, end)
            yield first, last, (contigs[first], starts[first], max(ends[first:last]))


def _bed_blocks(batch: Batch) -> Iterator[tuple[bytes, tuple[int, int, int]]]:
    rows = zip(*(each.tolist() for each in batch[:3]), batch.rest, strict=True)
    packed = [b"%b%b\0" % (ROW.pack(*place), rest.encode()) for *place, rest in rows]
    for first, last, place in _runs(batch):
        yield b"".join(packed[first:last]), place


def _wig_blocks(batch: Batch) -> Iterator[tuple[bytes, tuple[int, int, int]]]:
    items = np.empty(len(batch.starts), ITEM)
    items["start"], items["end"], items["value"] = batch.starts, batch.ends, batch.rest
    packed, size = items.tobytes(), ITEM.itemsize
    for first, last, place in _runs(batch):
        head = WIG_HEAD.pack(*place, 0, 0, 1, 0, last - first)
        yield head + packed[size * first : size * last], place


def _depths(batch: Batch) -> tuple[np.ndarray, ...]:
    """The covered stretches (contig, start, end) and how many rows cover each."""
    starts, ends = (batch.contigs << 32 | each for each in (batch.starts, batch.ends))
    edges = np.unique(np.concatenate([starts, ends]))
    ended = np.searchsorted(np.sort(ends), edges, "right")
    depths = np.searchsorted(starts, edges, "right") - ended
    (at,) = np.nonzero(depths)  # the last edge has none
    return edges[at] >> 32, edges[at] & LOW, edges[at + 1] & LOW, depths[at]


def _values(batch: Batch) -> tuple[np.ndarray, ...]:
    """The rows as stretches (contig, start, end) and their values, as the file holds them."""
    return batch.contigs, batch.starts, batch.ends, np.array(batch.rest, np.float32)


def _contig_tree(lengths: Mapping[str, int], at: int) -> bytes:
    """The contigs by name, with number and length."""
    names = [contig.encode() for contig in lengths]
    key = ("key", f"S{max(map(len, names), default=1)}")
    leaves = np.zeros(len(names), [key, ("number", "<u4"), ("length", "<u4")])
    leaves["key"], leaves["number"] = names, np.arange(len(names))
    leaves["length"] = list(lengths.values())
    leaves.sort(order="key")

    def parents(level: np.ndarray) -> np.ndarray:
        result = np.zeros(-(-len(level) // NODE), [key, ("offset", "<u8")])
        result["key"] = level["key"][::NODE]
        return result

    size = leaves.dtype["key"].itemsize
    head = struct.pack("<IIIIQQ", CONTIG_TREE, NODE, size, 8, len(names), 0)
    return head + _tree(leaves, parents, at + len(head))


def _parents(level: np.ndarray) -> np.ndarray:
    """The entries of an index one floor up."""
    firsts = np.arange(0, len(level), NODE)
    result = np.zeros(len(firsts), INNER)
    result["contig"], result["start"] = level["contig"][firsts], level["start"][firsts]
    reach = level["last_contig"].astype(np.int64) << 32 | level["end"]
    furthest = np.maximum.reduceat(reach, firsts)
    result["last_contig"], result["end"] = furthest >> 32, furthest & LOW
    return result


def _tree(leaves: np.ndarray, parents: Callable[[np.ndarray], np.ndarray], at: int) -> bytes:
    """A tree, root first, that begins at the offset `at`."""
    floors = [leaves]
    while len(floors[0]) > NODE:
        floors.insert(0, parents(floors[0]))
    written = bytearray()
    for floor, below in zip_longest(floors, floors[1:]):
        places = range(0, max(1, len(floor)), NODE)
        if below is not None:
            begin = at + len(written) + len(places) * NODE_HEAD.size + floor.nbytes
            node = NODE_HEAD.size + NODE * below.itemsize
            floor["offset"] = begin + node * np.arange(len(floor))
        for first in places:
            some = floor[first : first + NODE]
            written += NODE_HEAD.pack(below is None, 0, len(some)) + some.tobytes()
    return bytes(written)
