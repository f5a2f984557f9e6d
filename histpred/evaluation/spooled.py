"""Rows of numbers in a temporary file, for arrays that are larger than memory should be."""

from __future__ import annotations

from pathlib import Path

import numpy as np

AT_ONCE = 1 << 22  # bytes that are read at once


class SpooledRows:
    """An array [n, ...] that grows in a file; all its rows have one shape and one type.

    The file is in a private folder, and is left to who made the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.count = path, 0
        self.shape: tuple[int, ...] = ()
        self.dtype = np.dtype(np.uint8)
        path.unlink(missing_ok=True)

    def append(self, rows: np.ndarray) -> None:
        """Append rows [m, ...]."""
        if not self.count:
            self.shape, self.dtype = rows.shape[1:], rows.dtype
        elif (rows.shape[1:], rows.dtype) != (self.shape, self.dtype):
            raise ValueError(
                f"rows of {rows.dtype} {rows.shape[1:]}, not {self.dtype} {self.shape}"
            )
        with open(self.path, "ab") as file:
            file.write(np.ascontiguousarray(rows).data)
        self.count += len(rows)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, numbers: np.ndarray) -> np.ndarray:
        """A copy of the rows with some numbers, int [m], in ascending order."""
        found = np.empty((len(numbers), *self.shape), self.dtype)
        size = int(np.prod(self.shape, dtype=np.int64))  # numbers in a row
        many, begin = max(AT_ONCE // max(size * self.dtype.itemsize, 1), 1), 0
        while begin < len(numbers):
            first = int(numbers[begin])
            end = int(np.searchsorted(numbers, first + many))
            count, offset = int(numbers[end - 1]) + 1 - first, first * size * self.dtype.itemsize
            block = np.fromfile(self.path, self.dtype, count * size, offset=offset)
            found[begin:end] = block.reshape(count, *self.shape)[numbers[begin:end] - first]
            begin = end
        return found

    def mapped(self) -> np.ndarray:
        """All rows, mapped: the system reads and drops them as memory allows.

        What is written into the array does not reach the file.
        """
        if not self.count:
            return np.empty((0, *self.shape), self.dtype)
        return np.asarray(np.memmap(self.path, self.dtype, "c", shape=(self.count, *self.shape)))
