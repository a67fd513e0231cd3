"""Errors of the dashboard.

ApiError    show: the API gave no usable answer; the message says to a person what to check
"""

from __future__ import annotations


class ApiError(Exception):
    """No usable answer from the API. `missing` is true where it says that the thing asked for does not exist."""

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing
