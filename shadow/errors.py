"""Errors of the shadow, as a tree. Each class answers what the caller does. None carries any text of a request.

ShadowError
├── Retry          retry: the queue did not answer now; what was leased comes back when its lease expires
├── NotReplayable  go on: this request has no replay; the arm is missing with reason `not_replayable`
└── BackendError   stop: a build that cannot be loaded, because of its folder, its name or a missing library
"""

from __future__ import annotations


class ShadowError(Exception):
    """Any error of the shadow."""


class Retry(ShadowError):
    """The queue could not take or give anything now; the same call may succeed later."""


class NotReplayable(ShadowError):
    """A request that cannot be answered again. `reason` is a short constant, never any of the request's text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BackendError(ShadowError):
    """A build that cannot be opened; the message says what is wrong and what is allowed."""
