"""`python -m deploy.local`: a command with a broker and a database, from servers that run already."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg
import pytest
import sqlalchemy as sa

from tests.support import postgres
from tests.support.kafka import Kafka
from tests.support.processes import ROOT

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]


def local(kafka: Kafka, *words: str) -> subprocess.CompletedProcess[str]:
    """What it does where the environment names the tests' own servers."""
    given = {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap, "DATABASE_URL": postgres.url()}
    command = [sys.executable, "-m", "deploy.local", *words]
    return subprocess.run(command, cwd=ROOT, env=os.environ | given, capture_output=True, text=True, timeout=60)


def test_a_command_gets_both_addresses_and_a_database_of_its_own_which_goes_with_it(kafka: Kafka) -> None:
    done = local(kafka, "sh", "-c", 'echo "$QUANTWATCH_KAFKA $QUANTWATCH_DB"')
    bootstrap, url = done.stdout.split()
    name = sa.make_url(url).database

    assert bootstrap == kafka.bootstrap
    assert name != sa.make_url(postgres.url()).database
    with psycopg.connect(postgres.url()) as connection:
        assert connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None


def test_it_ends_as_its_command_ends(kafka: Kafka) -> None:
    assert local(kafka, "sh", "-c", "exit 7").returncode == 7


def test_where_no_server_can_be_had_one_line_says_what_to_install() -> None:
    bare = {"PATH": "/nowhere", "HOME": "/nowhere", "QUANTWATCH_KAFKA_JARS": "/nowhere"}
    command = [sys.executable, "-m", "deploy.local", "true"]
    done = subprocess.run(command, cwd=ROOT, env=bare, capture_output=True, text=True, timeout=60)

    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("deploy.local: no Kafka: install ")
    assert "Traceback" not in done.stderr
