"""Errors of the services, as a tree. Each class answers what the caller does; the command line shows one line.

ServiceError
├── UsageError      stop: the caller asked for something that is not there
├── StoreError      stop: the database cannot be opened or used
├── GapError        stop: the log no longer holds the stored position; recorded, never skipped
├── FenceError      retry: another worker moved the position; forget, restore, read again
└── Unavailable     retry: a peer did not answer
"""

from __future__ import annotations


class ServiceError(Exception):
    """Any error of the services; its text is one line for people."""


class UsageError(ServiceError):
    """Something named by the caller does not exist or cannot be read."""


class StoreError(ServiceError):
    """The database cannot be opened or used."""


class GapError(ServiceError):
    """The source no longer holds the position that the store remembers."""


class FenceError(ServiceError):
    """The position was moved by somebody else since this run was read."""


class Unavailable(ServiceError):
    """A peer (server, queue, destination) did not answer in time."""
