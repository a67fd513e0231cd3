"""How to start the dashboard as a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from dashboard.theme import OPTIONS

APP = Path(__file__).parent / "app.py"


def command(port: int, api: str, address: str = "127.0.0.1") -> list[str]:
    """The command line that serves the dashboard on `port` as a client of the API at `api`.

    A bearer token is never on the command line: the process reads it from `QUANTWATCH_TOKEN`.
    """
    options = {"server.address": address, "server.port": str(port), **OPTIONS}
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "streamlit", "run", str(APP), *flags, "--", f"--api={api}"]
