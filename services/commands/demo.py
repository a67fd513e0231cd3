"""`quantwatch demo`: real drift of a real quantized model, found on this machine."""

from __future__ import annotations

import socket
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from services.commands.options import print_json
from services.errors import ServiceError, UsageError

DEPLOYMENT, GOOD, BAD = "assistant", "small-int8", "small-int4"
PER_SECOND = 7.0


@click.command("demo")
@click.option("--headless", is_flag=True, help="No dashboard; one JSON line a state change; ends after the rollback.")
@click.option("--seed", default=1, show_default=True, help="Seed of the simulated users.")
@click.option("--port", default=0, help="Port of the API; 0 takes a free one.")
@click.option("--dashboard-port", default=8501, show_default=True)
@click.option("--keep", "folder", metavar="DIR", help="Keep the store and the helpers' logs in this folder.")
def command(headless: bool, seed: int, port: int, dashboard_port: int, folder: str | None) -> None:
    """Serve a small model at int8, deploy it at 4 bits, and see quantwatch find what that does.

    \b
    quantwatch demo                 with the dashboard, until stopped
    quantwatch demo --headless      for scripts: exits 0 after the rollback's verdict
    """
    plan = Path(str(files("services.simulate") / "plan.yaml"))
    with tempfile.TemporaryDirectory(prefix="quantwatch-demo-") as scratch:
        place = Path(folder) if folder else Path(scratch)
        place.mkdir(parents=True, exist_ok=True)
        _run(plan, place, headless, seed, port or free_port(), 0 if headless else dashboard_port)


def _run(plan: Path, place: Path, headless: bool, seed: int, port: int, dashboard_port: int) -> None:
    from services.bootstrap import generator, scorer
    from services.embedded import Beside, command_line
    from services.planfile import read_plan
    from services.simulate.client import ServiceClient
    from services.simulate.scenario import Scenario
    from services.simulate.traffic import Traffic
    from services.simulate.users import Users

    database = place / "demo.db"
    if database.exists():
        raise UsageError(f"{database} is there already: give --keep an empty folder")
    flags = ["--port", str(port), "--dashboard-port", str(dashboard_port)]
    _note(headless, "starting the service and loading the builds (some seconds)")
    service = Beside([*command_line("up", plan, f"sqlite:///{database}"), *flags], place / "service.log")
    try:
        client = ServiceClient(f"http://127.0.0.1:{port}", DEPLOYMENT)
        known = read_plan(str(plan))
        traffic = Traffic(
            Users(DEPLOYMENT, seed, scorer(known, DEPLOYMENT)),
            generator(known, DEPLOYMENT, plan.parent),
            client.send,
            GOOD,
            PER_SECOND,
        )
        _wait_until_ready(client)
        _announce(headless, port, dashboard_port)
        scenario = Scenario(
            DEPLOYMENT,
            GOOD,
            BAD,
            client,
            lambda variant: setattr(traffic, "variant", variant),
            lambda: traffic.served,
            print_json if headless else _line,
        )
        _play(scenario, traffic, headless)
    finally:
        service.close()


def _play(scenario: Any, traffic: Any, headless: bool) -> None:
    """Traffic without end; the scenario looks twice a second."""
    scenario.begin()
    traffic.restart()
    looked = 0.0
    while not (scenario.done and headless):
        traffic.run_once()
        if time.monotonic() - looked >= 0.5:
            looked = time.monotonic()
            scenario.advance()


def _wait_until_ready(client: Any) -> None:
    for _ in range(240):
        if client.ready():
            return
        time.sleep(0.5)
    raise ServiceError("the service did not start within two minutes; see --keep DIR for its log")


def free_port() -> int:
    """A port of the local address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _announce(headless: bool, port: int, dashboard_port: int) -> None:
    if not headless:
        click.echo(f"API        http://127.0.0.1:{port}/v1/verdict/{GOOD}")
        click.echo(f"dashboard  http://127.0.0.1:{dashboard_port}")


def _note(headless: bool, text: str) -> None:
    click.echo(text, err=headless)


def _line(change: dict[str, Any]) -> None:
    """One state change for people; traffic is a progress line that overwrites itself."""
    minutes, seconds = divmod(int(change["t"]), 60)
    at = f"{minutes:02d}:{seconds:02d}"
    words = {key: value for key, value in change.items() if key not in ("t", "event") and value is not None}
    if change["event"] == "traffic":
        end = "\r" if sys.stdout.isatty() else "\n"
        click.echo(f"{at}  {words['requests']:,} requests served, step {words['step']}   {end}", nl=False)
        return
    sentence = words.pop("sentence", "") or "  ".join(f"{key}: {value}" for key, value in words.items())
    click.echo(f"{at}  {change['event'].upper():<9} {sentence}")
