"""Values out of the bytes of documents as MongoDB sends them (BSON, https://bsonspec.org), without an object for each.

Of 100,000 samples most values are one of a few labels. The driver makes a dictionary, an id and a string of its own for
each, which takes it several times as long as the database takes to find them; here the same bytes are decoded once.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any

import bson
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_INT32 = Struct("<i")
_ID = b"\x07_id\0"
_FIRST, _ID_END = 4 + len(_ID), 4 + len(_ID) + 12
_BYTES_OF_KIND = {1: 8, 8: 1, 9: 8, 10: 0, 16: 4, 18: 8}
"""Sizes of values by their kind: numbers, truth values, dates and null."""
_BYTES_BEFORE_COUNT = {2: 4, 3: 0, 4: 0}
"""Strings, documents and arrays tell their size in front: a string's is without the four bytes that tell it."""


class _UnknownLayoutError(Exception):
    """A document is built otherwise than is taken apart here."""


class _Reader:
    """Takes documents apart and remembers what their elements say.

    Attributes:
        roots: name of an element to the columns that it is wanted for, each with the rest of the path
        memory: bytes of an element to what it says: columns and values
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.roots: dict[str, list[tuple[int, list[str]]]] = {}
        for at, path in enumerate(paths):
            name, *rest = path.split(".")
            self.roots.setdefault(name, []).append((at, rest))
        self.memory: dict[bytes, list[tuple[int, Any]]] = {}
        self.width = len(paths)

    def says(self, element: bytes) -> list[tuple[int, Any]]:
        """Tells what an element says."""
        found = self.memory.get(element)
        if found is None:
            found = self.of(bson.decode(_INT32.pack(len(element) + 5) + element + b"\0"))
            if all(value is None or isinstance(value, str) for _, value in found):  # numbers seldom come again
                self.memory[element] = found
        return found

    def of(self, document: dict[str, Any]) -> list[tuple[int, Any]]:
        """Tells what a document says, or a part of one."""
        said = []
        for name, value in document.items():
            for column, rest in self.roots.get(name, ()):
                found = value
                for part in rest:
                    found = found.get(part) if isinstance(found, dict) else None
                said.append((column, found))
        return said


def read_raw(batches: Iterable[bytes], paths: Sequence[str]) -> list[list[Any]]:
    """Takes documents apart.

    Args:
        batches: BSON documents, one after the other, as ``find_raw_batches`` gives them
        paths: what is wanted of each, in the manner of ``a.b``

    Returns:
        ids as 12 bytes, then a list for each path; None where a document has no such value
    """
    columns: list[list[Any]] = [[] for _ in range(1 + len(paths))]
    reader = _Reader(paths)
    for batch in batches:
        try:
            found = _taken_apart(batch, reader)
        except _UnknownLayoutError:
            found = _decoded(batch, reader)
        for column, values in zip(columns, found, strict=True):
            column.extend(values)
    return columns


def _taken_apart(batch: bytes, reader: _Reader) -> list[list[Any]]:
    """Takes a batch apart: all documents that are built as the first one at once, the others one by one."""
    int32, size = _INT32.unpack_from, len(batch)
    starts, at = [], 0
    while at < size:
        starts.append(at)
        at += int32(batch, at)[0]
    columns: list[list[Any]] = [[None] * len(starts) for _ in range(reader.width)]
    if not starts:
        return [[], *columns]
    heads = [start + 4 for start in starts]
    if any(batch[head : head + len(_ID)] != _ID for head in heads):
        raise _UnknownLayoutError
    ends = [*starts[1:], size]
    headers = [batch[low:value] for low, value, _ in _elements(batch, starts[0], ends[0])]
    alike, spans = _alike(batch, np.array(starts), np.array(ends), headers)
    rows = np.flatnonzero(alike).tolist()
    known = reader.memory.get
    for lows, highs in spans:
        for row, low, high in zip(rows, lows[alike].tolist(), highs[alike].tolist(), strict=True):
            element = batch[low:high]
            for column, value in known(element) or reader.says(element):
                columns[column][row] = value
    for row in np.flatnonzero(~alike).tolist():
        for low, _, high in _elements(batch, starts[row], ends[row]):
            for column, value in reader.says(batch[low:high]):
                columns[column][row] = value
    return [[batch[start + _FIRST : start + _ID_END] for start in starts], *columns]


def _elements(batch: bytes, start: int, end: int) -> Iterable[tuple[int, int, int]]:
    """Gives where the elements of a document begin, where their values do, and where they end; without its id."""
    at = start + _ID_END
    while at < end - 1:
        kind, value = batch[at], batch.index(0, at + 1) + 1
        if kind in _BYTES_BEFORE_COUNT:
            high = value + _INT32.unpack_from(batch, value)[0] + _BYTES_BEFORE_COUNT[kind]
        elif kind in _BYTES_OF_KIND:
            high = value + _BYTES_OF_KIND[kind]
        else:
            raise _UnknownLayoutError
        yield at, value, high
        at = high


def _alike(batch: bytes, starts: Any, ends: Any, headers: list[bytes]) -> tuple[Any, list[tuple[Any, Any]]]:
    """Tells which documents have elements of these kinds and names, in this order, and where those begin and end."""
    data = np.frombuffer(batch, np.uint8)
    alike, at, spans = np.ones(len(starts), dtype=bool), starts + _ID_END, []
    for header in headers:
        alike &= at + len(header) < ends
        at = np.where(alike, at, 0)
        alike &= (data[at[:, None] + np.arange(len(header))] == np.frombuffer(header, np.uint8)).all(axis=1)
        value = np.where(alike, at + len(header), 0)
        if header[0] in _BYTES_BEFORE_COUNT:
            alike &= value + 4 < ends
            value = np.where(alike, value, 0)
            count = np.ascontiguousarray(data[value[:, None] + np.arange(4)]).view("<i4")[:, 0]
            high = value + count + _BYTES_BEFORE_COUNT[header[0]]
        else:
            high = value + _BYTES_OF_KIND[header[0]]
        spans.append((at, high))
        at = high
    return alike & (at == ends - 1), spans


def _decoded(batch: bytes, reader: _Reader) -> list[list[Any]]:
    """Takes a batch apart with the driver."""
    documents = bson.decode_all(batch)
    columns: list[list[Any]] = [[None] * len(documents) for _ in range(reader.width)]
    for row, document in enumerate(documents):
        for column, value in reader.of(document):
            columns[column][row] = value
    return [[document["_id"].binary for document in documents], *columns]
