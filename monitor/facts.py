"""The additive cube: layouts, packed sparse deltas, and how they fold into sealed counts.

A *layout* fixes the order of definitions and slices, so that counts can be packed without names. Open facts are
deltas: sparse counts by (variant, population, membership mask). Sealing folds all deltas of a bucket into one
dense count vector per (variant, population, slice), from which one immutable row per definition is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from monitor.errors import IntegrityError
from monitor.model import Definition, Population

Counts = NDArray[np.int64]
POPULATIONS = (Population.ALL, Population.UNIT)


@dataclass(frozen=True)
class Layout:
    """Definitions and slices in their order. `digest` names it; two layouts with one digest are interchangeable."""

    definitions: tuple[Definition, ...]
    slices: tuple[tuple[str, str], ...]

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """Where each definition's cells start; the last entry is the number of all cells."""
        return np.concatenate(([0], np.cumsum([len(d.cells) for d in self.definitions]))).astype(np.int64)

    @cached_property
    def digest(self) -> str:
        """Sixteen hex digits over everything that gives a packed index its meaning."""
        return xxhash.xxh3_64_hexdigest(msgspec.json.encode((self.slices, [d.digest for d in self.definitions])))

    def encode(self) -> bytes:
        """The layout as JSON, for the store."""
        return msgspec.json.encode({"definitions": self.definitions, "slices": self.slices})

    def series(self, definition: int, slice_index: int) -> str:
        """The `definition` part of the fact key: the signal's and the slice's definition together."""
        return f"{self.definitions[definition].digest}.{self.slices[slice_index][1]}"


class _StoredLayout(msgspec.Struct):
    definitions: tuple[Definition, ...]
    slices: tuple[tuple[str, str], ...]


def decode_layout(body: bytes) -> Layout:
    """The inverse of `Layout.encode`."""
    stored = msgspec.json.decode(body, type=_StoredLayout)
    return Layout(stored.definitions, stored.slices)


class PackedDelta(msgspec.Struct, frozen=True):
    """Sparse counts: `rows[r]` is (variant, population index, mask); entry k adds `n[k]` to cell `at[k] % cells`
    of row `at[k] // cells`. `at` is ascending, so equal counts are equal bytes."""

    variants: tuple[str, ...]
    rows: tuple[tuple[int, int, bytes], ...]
    at: bytes
    n: bytes


_encode = msgspec.msgpack.Encoder()
_decode = msgspec.msgpack.Decoder(PackedDelta)


def pack(rows: Sequence[tuple[str, int, bytes]], dense: Counts) -> bytes:
    """One delta from the counts of shape (len(rows), cells). Row order does not matter to what it means."""
    order = sorted(range(len(rows)), key=lambda r: rows[r])
    variants = tuple(sorted({row[0] for row in rows}))
    index = {name: i for i, name in enumerate(variants)}
    flat = dense[order].reshape(-1)
    at = np.flatnonzero(flat)
    return _encode.encode(
        PackedDelta(
            variants=variants,
            rows=tuple((index[rows[r][0]], rows[r][1], rows[r][2]) for r in order),
            at=at.astype("<u4").tobytes(),
            n=flat[at].astype("<i8").tobytes(),
        )
    )


def pack_rows(
    rows: Sequence[tuple[str, int, bytes]], cells: int, begins: NDArray[np.int64], at: NDArray[np.uint32], n: Counts
) -> bytes:
    """The same from sparse counts: row r has `n[k]` in cell `at[k]` for k from `begins[r]` on. Rows come sorted."""
    variants = tuple(sorted({row[0] for row in rows}))
    index = {name: i for i, name in enumerate(variants)}
    first = np.repeat(np.arange(len(rows)) * cells, np.diff(begins))
    return _encode.encode(
        PackedDelta(
            variants=variants,
            rows=tuple((index[variant], population, mask) for variant, population, mask in rows),
            at=(first + at).astype("<u4").tobytes(),
            n=n.astype("<i8").tobytes(),
        )
    )


def fold(layout: Layout, deltas: Iterable[bytes]) -> dict[tuple[str, Population], Counts]:
    """All deltas of one bucket as counts of shape (slices, cells) per (variant, population). Order-free."""
    slices, cells = len(layout.slices), int(layout.offsets[-1])
    folded: dict[tuple[str, Population], Counts] = {}
    for body in deltas:
        delta = _decode.decode(body)
        dense = np.zeros(len(delta.rows) * cells, dtype=np.int64)
        dense[np.frombuffer(delta.at, "<u4")] = np.frombuffer(delta.n, "<i8")
        for (variant, population, mask), vector in zip(delta.rows, dense.reshape(-1, cells), strict=True):
            key = (delta.variants[variant], POPULATIONS[population])
            if key not in folded:
                folded[key] = np.zeros((slices, cells), dtype=np.int64)
            bits = np.unpackbits(np.frombuffer(mask, np.uint8), count=slices)
            folded[key][bits.astype(bool)] += vector
    return folded


def sealed_rows(
    layout: Layout, folded: dict[tuple[str, Population], Counts]
) -> Iterator[tuple[str, str, str, str, Population, Counts]]:
    """Non-empty (variant, slice, signal, series, population, counts), one per cell of the cube."""
    for (variant, population), counts in sorted(folded.items()):
        for d, definition in enumerate(layout.definitions):
            block = counts[:, layout.offsets[d] : layout.offsets[d + 1]]
            for s in np.flatnonzero(block.any(axis=1)):
                name = layout.slices[s][0]
                yield variant, name, definition.signal, layout.series(d, int(s)), population, block[s]


def pack_counts(counts: Counts) -> bytes:
    """A sealed count vector as bytes: its length, then ascending (cell, count) of those that are not zero."""
    if (counts < 0).any():
        raise IntegrityError("a sealed count is negative")
    at = np.flatnonzero(counts)
    return np.array([len(counts)], "<u4").tobytes() + at.astype("<u4").tobytes() + counts[at].astype("<i8").tobytes()


def unpack_counts(body: bytes) -> Counts:
    """The inverse of `pack_counts`; IntegrityError for what that cannot have made."""
    stored, rest = divmod(len(body) - 4, 12)
    if stored < 0 or rest:
        raise IntegrityError("a sealed row has a broken length")
    size = int(np.frombuffer(body, "<u4", 1)[0])
    at = np.frombuffer(body, "<u4", stored, 4)
    numbers = np.frombuffer(body, "<i8", stored, 4 + 4 * stored)
    if stored and (at.max() >= size or numbers.min() < 0):
        raise IntegrityError("a sealed row contradicts itself")
    counts = np.zeros(size, dtype=np.int64)
    counts[at] = numbers
    return counts
