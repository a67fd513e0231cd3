"""Errors of the services, as a tree. Each class answers what the caller does; the command line shows one line.

ServiceError
├── UsageError      stop: the caller asked for something that is not there
├── StoreError      stop: the database cannot be opened or used
├── GapError        stop: the log no longer holds the stored position; recorded, never skipped
├── RejectsError    stop: one record after the other cannot be taken; the position stays before them
├── ChangedError    retry: a followed file no longer is the log that it was; look at its folder again
├── DamagedError    retry: a compressed file cannot be unpacked, perhaps not yet
├── FenceError      retry: another worker moved the position; forget, restore, read again
└── Unavailable     retry: a peer did not answer
"""

from __future__ import annotations

from services.gap import Gap


class ServiceError(Exception):
    """Any error of the services; its text is one line for people."""


class UsageError(ServiceError):
    """Something named by the caller does not exist or cannot be read."""


class StoreError(ServiceError):
    """The database cannot be opened or used."""


class GapError(ServiceError):
    """The source no longer holds the position that the store remembers; `gap` is what is to be recorded."""

    def __init__(self, text: str, gap: Gap) -> None:
        super().__init__(text)
        self.gap = gap


class RejectsError(ServiceError):
    """So many records in a row cannot be taken that the plan or the topic must be the wrong one."""


class ChangedError(ServiceError):
    """A followed file was cut or written anew; where its log lies now is to be found out."""


class DamagedError(ServiceError):
    """A compressed file ends early or is broken; or it is still being written."""


class FenceError(ServiceError):
    """The position was moved by somebody else since this run was read."""


class Unavailable(ServiceError):
    """A peer (server, queue, destination) did not answer in time."""
