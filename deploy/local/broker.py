"""An Apache Kafka broker in KRaft mode, one node, its data in a folder."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path
from typing import Final

from deploy.local.child import end_with_us
from deploy.local.errors import NoServer
from deploy.local.jars import command, environment, run

VARIABLE: Final = "KAFKA_BOOTSTRAP_SERVERS"
"""Names a broker that runs already, which is used instead."""

_PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={folder}/data
num.partitions=1
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
log.retention.check.interval.ms=500
log.cleaner.backoff.ms=200
log.initial.task.delay.ms=100
"""


class Broker:
    """One node on this machine. It can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        port, controller = _free_ports(2)
        self.bootstrap = f"127.0.0.1:{port}"
        self._properties = folder / "server.properties"
        self._properties.write_text(_PROPERTIES.format(port=port, controller=controller, folder=folder))
        name = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        cluster = name.replace("-", "A")  # one that begins with a dash is taken for an option
        run(command("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._properties)), folder)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def pid(self) -> int:
        """Its process; 0 while there is none."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Starts it and waits until it takes connections."""
        log = (self._folder / "broker.log").open("ab")
        self._process = subprocess.Popen(
            command("kafka.Kafka", str(self._properties)),
            cwd=self._folder,
            env=environment(self._folder),
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=end_with_us(signal.SIGKILL),
        )
        log.close()
        host, port = self.bootstrap.split(":")
        until = time.monotonic() + 60
        while time.monotonic() < until and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
                return
            time.sleep(0.1)
        raise NoServer(f"the broker did not start; see {self._folder}/broker.log")

    def kill(self) -> None:
        """Ends it as a crash does."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
