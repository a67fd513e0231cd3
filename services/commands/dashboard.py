"""`quantwatch dashboard`: the dashboard, in a process of its own, as a client of an API."""

from __future__ import annotations

import importlib.util
import os
import sys

import click

from services.errors import UsageError


@click.command("dashboard")
@click.option(
    "--api", "api", default="http://127.0.0.1:8321", show_default=True, metavar="URL", help="The API it asks."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Whoever reaches it may do there what it can.")
@click.option("--port", default=8501, show_default=True)
def command(api: str, host: str, port: int) -> None:
    """Serve the dashboard on this machine, until stopped. It asks the API, with QUANTWATCH_TOKEN if that is set.

    It asks nobody who they are: on another address, put a proxy in front that does.

    \b
    quantwatch dashboard
    QUANTWATCH_TOKEN=... quantwatch dashboard --api http://quantwatch.internal:8321
    """
    if importlib.util.find_spec("streamlit") is None:
        raise UsageError("the dashboard needs quantwatch[dashboard]")
    if not api.startswith(("http://", "https://")):
        raise UsageError(f"--api {api!r} is no address; write one like http://127.0.0.1:8321")
    click.echo(f"dashboard  http://{host}:{port}", err=True)
    os.execv(sys.executable, [sys.executable, "-m", "dashboard", str(port), api, host])
