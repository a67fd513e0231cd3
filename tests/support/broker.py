"""Where an Apache Kafka broker can be had on this machine, and one that runs in a folder of its own.

In this order: `KAFKA_BOOTSTRAP_SERVERS` names one that runs; a `kafka-server-start.sh` lies on the PATH; Java and the
broker's jars are here, or Maven to fetch them (`deploy/kafka/pom.xml`).
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path
from typing import Final

VARIABLE: Final = "KAFKA_BOOTSTRAP_SERVERS"
_PR_SET_PDEATHSIG: Final = 1
POM: Final = Path(__file__).parents[2] / "deploy/kafka/pom.xml"
JARS: Final = Path(os.environ.get("QUANTWATCH_KAFKA_JARS") or Path.home() / ".cache/quantwatch-kafka")
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
    """One node in KRaft mode on this machine, with its data in a folder. It can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        port, controller = _free_ports(2)
        self.bootstrap = f"127.0.0.1:{port}"
        self._properties = folder / "server.properties"
        self._properties.write_text(_PROPERTIES.format(port=port, controller=controller, folder=folder))
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        _run(_command("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._properties)), folder)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Starts it and waits until it takes connections."""
        log = (self._folder / "broker.log").open("ab")
        self._process = subprocess.Popen(
            _command("kafka.Kafka", str(self._properties)),
            cwd=self._folder,
            env=_environment(self._folder),
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=_end_with_us,
        )
        log.close()
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            host, port = self.bootstrap.split(":")
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
                return
            time.sleep(0.1)
        raise RuntimeError(f"the broker did not start; see {self._folder}/broker.log")

    def kill(self) -> None:
        """Ends it as a crash does."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


def _end_with_us() -> None:
    """In a new child: asks the kernel to end it when the tests end, however that comes about (Linux)."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _command(main: str, *arguments: str) -> list[str]:
    """A tool of the broker's: by its script where one is installed, else from the jars."""
    script = shutil.which("kafka-server-start.sh")
    if script:
        name = {"kafka.Kafka": "kafka-server-start.sh", "kafka.tools.StorageTool": "kafka-storage.sh"}[main]
        return [str(Path(script).with_name(name)), *arguments]
    if not _jars():
        _fetch()
    return ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", f"{JARS}/*", main, *arguments]


def _environment(folder: Path) -> dict[str, str]:
    return os.environ | {"LOG_DIR": str(folder), "KAFKA_HEAP_OPTS": "-Xmx512m"}


def prepare() -> None:
    """Fetches what the tests need, if they need it: they ask for no network themselves."""
    given = os.environ.get(VARIABLE) or shutil.which("kafka-server-start.sh")
    if not given and not _jars() and shutil.which("mvn"):
        _fetch()


def _jars() -> bool:
    return any(JARS.glob("kafka_*.jar"))


def _fetch() -> None:
    """Gets the jars from the repository that Maven is set to; 54 MB, once."""
    JARS.mkdir(parents=True, exist_ok=True)
    goal = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={JARS}"]
    _run(goal, JARS)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, env=_environment(folder), capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()[-500:]}")


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


if __name__ == "__main__":
    prepare()
