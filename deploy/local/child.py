"""Servers end with whoever started them, however that comes about."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def end_with_us(number: int) -> Callable[[], None]:
    """For a new child, after it changed its user: asks the kernel for this signal when its parent ends (Linux)."""

    def ask() -> None:
        prctl = getattr(ctypes.CDLL(None), "prctl", None)
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, number)

    return ask
