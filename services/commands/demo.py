"""`quantwatch demo`: real drift of a real quantized model, found on this machine."""

from __future__ import annotations

import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from services.commands.options import print_json
from services.errors import ServiceError, UsageError

DEPLOYMENT, GOOD, BAD = "assistant", "small-int8", "small-int4"
PER_SECOND = 7.0


@dataclass(frozen=True, slots=True)
class _Wishes:
    """What the command was told."""

    headless: bool
    seed: int
    port: int
    dashboard_port: int
    kafka: str | None


@click.command("demo")
@click.option("--headless", is_flag=True, help="No dashboard; one JSON line a state change; ends after the rollback.")
@click.option("--seed", default=1, show_default=True, help="Seed of the simulated users.")
@click.option("--port", default=0, help="Port of the API; 0 takes a free one.")
@click.option("--dashboard-port", default=8501, show_default=True)
@click.option("--kafka", metavar="HOST:PORT", help="Send the log through a topic of this Kafka, made for the demo.")
@click.option("--db", metavar="URL", help="An empty database; without it, an SQLite file.")
@click.option("--keep", "folder", metavar="DIR", help="Keep the store and the helpers' logs in this folder.")
def command(
    headless: bool, seed: int, port: int, dashboard_port: int, kafka: str | None, db: str | None, folder: str | None
) -> None:
    """Serve a small model at int8, deploy it at 4 bits, and see quantwatch find what that does.

    \b
    quantwatch demo                 with the dashboard, until stopped
    quantwatch demo --headless      for scripts: exits 0 after the rollback's verdict
    quantwatch demo --kafka localhost:9092 --db postgresql://quantwatch@localhost/empty
    """
    plan = Path(str(files("services.simulate") / "plan.yaml"))
    wishes = _Wishes(headless, seed, port or free_port(), 0 if headless else dashboard_port, kafka)
    with tempfile.TemporaryDirectory(prefix="quantwatch-demo-") as scratch:
        place = Path(folder) if folder else Path(scratch)
        place.mkdir(parents=True, exist_ok=True)
        if db is None and (place / "demo.db").exists():
            raise UsageError(f"{place / 'demo.db'} is there already: give --keep an empty folder")
        if db is not None:
            _refuse_used(db)
        _run(plan, place, db or f"sqlite:///{place / 'demo.db'}", wishes)


def _refuse_used(db: str) -> None:
    """Raises `UsageError` where something lies already: the demo's story begins with the first request."""
    import sqlalchemy as sa

    from services.store.engine import open_engine, upgrade
    from services.store.tables import position

    engine = open_engine(db)
    upgrade(engine)
    with engine.connect() as connection:
        used = connection.execute(sa.select(position.c.source).limit(1)).first() is not None
    engine.dispose()
    if used:
        raise UsageError("the database is in use already: give --db an empty one")


def _run(plan: Path, place: Path, db: str, wishes: _Wishes) -> None:
    from services.bootstrap import generator, scorer
    from services.embedded import Beside, command_line
    from services.planfile import read_plan
    from services.simulate.client import ServiceClient
    from services.simulate.scenario import Scenario
    from services.simulate.traffic import Traffic
    from services.simulate.users import Users

    flags = ["--port", str(wishes.port), "--dashboard-port", str(wishes.dashboard_port)]
    with _topic(wishes.kafka) as topic:
        if topic is not None:
            flags += ["--kafka", str(wishes.kafka), "--requests", topic.name]
        _note(wishes.headless, "starting the service and loading the builds (some seconds)")
        service = Beside([*command_line("up", plan, db), *flags], place / "service.log")
        try:
            client = ServiceClient(f"http://127.0.0.1:{wishes.port}", DEPLOYMENT)
            known = read_plan(str(plan))
            traffic = Traffic(
                Users(DEPLOYMENT, wishes.seed, scorer(known, DEPLOYMENT)),
                generator(known, DEPLOYMENT, plan.parent),
                client.send if topic is None else topic.send,
                GOOD,
                PER_SECOND,
            )
            _wait_until(lambda: client.ready() and (topic is None or client.reads(topic.name)))
            _announce(wishes.headless, wishes.port, wishes.dashboard_port)
            scenario = Scenario(
                DEPLOYMENT,
                GOOD,
                BAD,
                client,
                lambda variant: setattr(traffic, "variant", variant),
                lambda: traffic.served,
                print_json if wishes.headless else _line,
            )
            _play(scenario, traffic, wishes.headless)
        finally:
            service.close()


@contextmanager
def _topic(kafka: str | None) -> Iterator[Any]:
    """A new topic for the log; None where it goes over HTTP."""
    if kafka is None:
        yield None
        return
    from services.simulate.topic import LogTopic

    with closing(LogTopic(kafka)) as topic:
        yield topic


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


def _wait_until(ready: Callable[[], bool]) -> None:
    for _ in range(240):
        if ready():
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
