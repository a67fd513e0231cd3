"""Hashes are unsigned 64-bit in the core and signed in the database, which has no other integers."""

from __future__ import annotations


def signed(unsigned: int) -> int:
    """The signed integer with the same 64 bits."""
    return unsigned - (1 << 64) if unsigned >= 1 << 63 else unsigned


def unsigned(stored: int) -> int:
    """The inverse of `signed`."""
    return stored + (1 << 64) if stored < 0 else stored
