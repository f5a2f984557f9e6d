"""Write bigBed and bigWig (Kent et al. 2010, doi:10.1093/bioinformatics/btq351) of any genome.

A draft genome has a contig for almost every window. Libraries that write these formats open files
for each contig, or cannot name more than 65,535. Here a block of rows is of one contig; one of a
zoom level may span several, as in UCSC's own files.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

BIGBED, BIGWIG, CONTIG_TREE, INDEX = 0x8789F2EB, 0x888FFC26, 0x78CA8C91, 0x2468ACE0
HEAD = struct.Struct("<HHQQQHHQQIQ")  # after the magic number
ZOOM, TOTAL, COUNT = struct.Struct("<IIQQ"), struct.Struct("<Qdddd"), struct.Struct("<Q")
INDEX_HEAD, NODE_HEAD = struct.Struct("<IIQIIIIQII"), struct.Struct("<BBH")
ROW, WIG_HEAD, ENTRY = struct.Struct("<III"), struct.Struct("<IIIIIBBH"), struct.Struct("<4I2Q")
LOW = (1 << 32) - 1
LEVELS, STEP = 10, 4  # zoom levels at most; each is this much coarser than the one before
FIRST_LEVEL = 10  # x the mean width of the first rows
NODE = 256  # children of a node of a tree
ITEMS, AT_ONCE = 512, 1 << 14  # rows of a block, and of a batch
SMALL = 1 << 12  # bytes; for a block up to this long, zlib's usual buffers cost most of the time
BED_FIELDS = 9  # of the fields in the autoSql, those that BED defines

SUMMARY = np.dtype(
    [(name, "<u4") for name in ("contig", "start", "end", "count")]
    + [(name, "<f4") for name in ("least", "most", "sum", "squares")]
)
"""A row of a zoom level: bases covered, and their values."""
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
        data, levels, count, total = _write_data(file, batches, bool(fields))
        index_at, zooms = data.write_index(), []
        for width, level in levels:
            at = file.tell()
            file.write(struct.pack("<I", len(level)))
            blocks = Blocks(file)
            for first in range(0, len(level), ITEMS):
                some = level[first : first + ITEMS]
                bounds = (some[0]["contig"], some[0]["start"], some[-1]["contig"], some[-1]["end"])
                blocks.add(some.tobytes(), bounds)
            zooms.append((width, 0, at, blocks.write_index()))
            data.largest = max(data.largest, blocks.largest)
        file.write(magic)  # it ends as it begins
        file.seek(0)
        head = (4, len(zooms), contigs_at, data_at, index_at, columns, min(columns, BED_FIELDS))
        file.write(magic + HEAD.pack(*head, text_at, total_at, data.largest, 0))
        file.writelines(ZOOM.pack(*zoom) for zoom in zooms)
        file.seek(total_at)
        file.write(TOTAL.pack(*total))
        file.seek(data_at)
        file.write(COUNT.pack(count))


def _write_data(
    file: BinaryIO, batches: Iterable[Batch], bed: bool
) -> tuple[Blocks, list[tuple[int, np.ndarray]], int, tuple[float, ...]]:
    """Write the rows; returns their blocks, the zoom levels, the number of rows and the total."""
    blocks, width, count, finest = Blocks(file), 0, 0, []
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
        finest.append(_coarser(_summaries(stretches, width), width))
    return blocks, _levels(finest, width), count, total


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


def _summaries(stretches: Sequence[np.ndarray], width: int) -> np.ndarray:
    """One summary for each stretch, cut at the multiples of `width`."""
    pieces = (stretches[2] - 1) // width - stretches[1] // width + 1
    contigs, starts, ends, values = (np.repeat(each, pieces) for each in stretches)
    number = np.arange(len(starts)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    cut = (starts // width + number) * width
    result = np.empty(len(starts), SUMMARY)
    result["contig"], result["least"], result["most"] = contigs, values, values
    result["start"], result["end"] = np.maximum(starts, cut), np.minimum(ends, cut + width)
    result["count"] = result["end"] - result["start"]
    result["sum"], result["squares"] = result["count"] * values, result["count"] * values**2
    return result


def _coarser(summaries: np.ndarray, width: int) -> np.ndarray:
    """The summaries of all that lies in the same `width` bp of a contig."""
    place = summaries["contig"].astype(np.int64) << 32 | summaries["start"] // width
    firsts = np.flatnonzero(np.diff(place, prepend=-1))
    result = summaries[firsts]
    result["end"] = summaries["end"][[*(firsts[1:] - 1), -1]]
    result["least"] = np.minimum.reduceat(summaries["least"], firsts)
    result["most"] = np.maximum.reduceat(summaries["most"], firsts)
    for name in ("count", "sum", "squares"):
        result[name] = np.add.reduceat(summaries[name], firsts, dtype=float)
    return result


def _levels(parts: list[np.ndarray], width: int) -> list[tuple[int, np.ndarray]]:
    """The zoom levels: bp to a summary, and the summaries; each is at most half of the last."""
    if not parts:
        return []
    level = _coarser(np.concatenate(parts), width)
    levels = [(width, level)]
    while len(levels) < LEVELS and (width := width * STEP) <= LOW:
        level = _coarser(level, width)
        if 2 * len(level) <= len(levels[-1][1]):
            levels.append((width, level))
    return levels


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
