"""Errors of the shadow, as a tree. Each class answers what the caller does. None carries any text of a request.

ShadowError
├── Retry          retry: the queue did not answer now; what was leased comes back when its lease expires
├── NotReplayable  go on: this request has no replay; the arm is missing with reason `not_replayable`
├── EngineFault    give back: a server failed on this request; after too many attempts it is quarantined
├── Later          wait: not asked yet, for want of time, tokens, money or a server that is up; no attempt
└── BackendError   stop: a build that cannot be opened, because of its folder, its name, its server or a library
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


class EngineFault(ShadowError):
    """A server that failed on a request. `reason` is a short constant such as `engine_timeout`.

    `again` says that the same request may succeed, `after` in how many seconds the server wants it, if it said so.
    `billed` says that the server may have done, and charged for, the work all the same.
    """

    def __init__(self, reason: str, *, again: bool = True, after: float | None = None, billed: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.again = again
        self.after = after
        self.billed = billed


class Later(ShadowError):
    """A request that was not asked yet; it may be in `seconds`. `reason` is a short constant."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.seconds = seconds


class BackendError(ShadowError):
    """A build that cannot be opened; the message says what is wrong and what is allowed."""


Unanswered = NotReplayable | EngineFault | Later
"""Why one request of several has no answer: a value, since the others have theirs."""
