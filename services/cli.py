"""The command line. Commands load when they are called, so that `--help` and small ones start at once."""

from __future__ import annotations

import importlib
import sys

import click

from monitor.errors import MonitorError
from services.errors import ServiceError
from services.extras import needed

FAILED = 3
COMMANDS = {
    "up": "up",
    "ingest": "ingest",
    "verdict": "verdict",
    "alerts": "alerts",
    "facts": "facts",
    "quarantine": "quarantine",
    "plan": "plan",
    "doctor": "doctor",
    "schema": "schema",
    "db": "database",
    "shadow": "shadow",
    "stream": "stream",
    "topics": "topics",
    "assess": "assess",
    "api": "api",
    "intake": "intake",
    "dispatch": "dispatch",
    "dashboard": "dashboard",
    "demo": "demo",
}


class Commands(click.Group):
    """The commands, each in a module of its own, imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"services.commands.{COMMANDS[cmd_name]}")
        command: click.Command = module.command
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="quantwatch")
def quantwatch() -> None:
    """Watch a quantized language model in production, against its full-precision reference.

    \b
    quantwatch demo                      see it find real drift on this machine
    quantwatch ingest requests.jsonl     take a log into the store
    quantwatch verdict my-int4           may this build go on serving?
    quantwatch up                        run everything as one service

    Exit codes: 0 done (verdict: pass), 1 verdict fail, 2 verdict hold, 3 could not be done.
    """


def main() -> None:
    """The entry point: errors are one clear line on standard error, and exit code 3."""
    try:
        code = quantwatch.main(standalone_mode=False)
    except click.exceptions.Abort:
        _stop("stopped")
    except click.ClickException as error:
        _stop(error.format_message())
    except (ServiceError, MonitorError) as error:
        _stop(str(error))
    except ModuleNotFoundError as error:
        said = needed(error)
        if said is None:
            raise
        _stop(said)
    except BrokenPipeError:
        sys.exit(0)
    except KeyboardInterrupt:
        _stop("stopped")
    sys.exit(code if isinstance(code, int) else 0)


def _stop(message: str) -> None:
    click.echo(f"quantwatch: {' '.join(message.split())}", err=True)
    sys.exit(FAILED)
