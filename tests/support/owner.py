"""A worker that believes it owns a source: `python -m tests.support.owner URL` steps a run, waits, and commits it."""

from __future__ import annotations

import sys

from monitor.step import step
from services.errors import FenceError
from services.store.commit import commit, register
from services.store.engine import open_engine
from services.store.restore import restore
from tests.support.events import CLOCK, plan, random_log
from tests.support.stores import ListSource

LOG = random_log(11, 300)
PLAN = plan()


def main(url: str) -> None:
    engine = open_engine(url)
    source = ListSource(LOG, size=150)
    begin, _ = register(engine, source.name, source.incarnation)
    batch = step(restore(engine, PLAN), next(source.runs(begin)))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    try:
        commit(engine, batch, 1000, CLOCK)
        sys.stdout.write("committed\n")
    except FenceError as error:
        sys.stdout.write(f"refused: {error}\n")


if __name__ == "__main__":
    main(sys.argv[1])
