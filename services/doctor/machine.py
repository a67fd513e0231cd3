"""This machine: the interpreter, what is installed of the project, and room on the disks."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from services.doctor.result import Result, fail, ok

_GIB = 2**30


def install() -> Result:
    """The version that runs, and that its requirements are there in versions that fit."""
    try:
        own = importlib.metadata.distribution("quantwatch")
    except importlib.metadata.PackageNotFoundError:
        return fail("install", "quantwatch is not installed in this Python", "make install, or pip install quantwatch")
    missing = [name for name in _needed(own.requires or ()) if not _there(name)]
    said = f"quantwatch {own.version} on Python {platform.python_version()}"
    if missing:
        return fail("install", f"{said} lacks {', '.join(missing)}", f"pip install {' '.join(missing)}")
    extras = [name for name, package in (("dashboard", "streamlit"), ("shadow", "torch")) if _there(package)]
    return ok("install", f"{said}; extras: {', '.join(extras) or 'none'}")


def _needed(requires: list[str] | tuple[str, ...]) -> Iterator[str]:
    """Names of the requirements that belong to no extra."""
    for line in requires:
        if "extra ==" not in line:
            yield re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]


def _there(package: str) -> bool:
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def disk(url: str, least: float) -> Iterator[Result]:
    """Room where the store lies and where temporary files go; `least` in GiB."""
    places = {"temporary files": Path(tempfile.gettempdir())}
    try:
        parsed = sa.engine.make_url(url)
    except sa.exc.ArgumentError:
        parsed = None
    if parsed is not None and parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
        places["the store"] = Path(str(parsed.database)).absolute().parent
    for name, place in places.items():
        if place.is_dir():
            yield _room(name, place, least)


def _room(name: str, place: Path, least: float) -> Result:
    free = shutil.disk_usage(place).free / _GIB
    said = f"{free:,.1f} GiB free for {name} in {place}"
    if free < least:
        return fail("disk", f"{said}, less than {least:g}", "make room, keep texts for a shorter time, or --free")
    if not os.access(place, os.W_OK):
        return fail("disk", f"{place} cannot be written to", "give this user the right to write there")
    return ok("disk", said)
