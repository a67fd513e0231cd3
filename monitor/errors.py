"""Errors of the core, as a tree. Each class answers what the caller does.

MonitorError
├── Reject          quarantine: this record cannot be taken; go on with the next
├── PlanError       stop: the plan is wrong; carries line, key and what is allowed
└── IntegrityError  stop: stored sums contradict themselves; never guess on
"""

from __future__ import annotations


class MonitorError(Exception):
    """Any error of the core."""


class Reject(MonitorError):
    """A record that cannot be taken. `reason` is a short constant, never any of the record's text."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class PlanError(MonitorError):
    """A plan that is refused. `line` is 1-based in the file, where known."""

    def __init__(self, message: str, *, key: str = "", line: int | None = None) -> None:
        super().__init__(message)
        self.key = key
        self.line = line


class IntegrityError(MonitorError):
    """Facts that cannot be true: sums that shrink, more harm than pairs, a bucket of another layout."""
