"""The programs of an Apache Kafka broker: a local installation's scripts, else its jars, which Maven fetches once."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from deploy.local.errors import NoServer

POM: Final = Path(__file__).parents[1] / "kafka/pom.xml"
JARS: Final = Path(os.environ.get("QUANTWATCH_KAFKA_JARS") or Path.home() / ".cache/quantwatch-kafka")
_START: Final = "kafka-server-start.sh"
_SCRIPTS: Final = {"kafka.Kafka": _START, "kafka.tools.StorageTool": "kafka-storage.sh"}


def command(main: str, *arguments: str) -> list[str]:
    """The command line of one of the broker's programs; `NoServer` where it cannot be had."""
    script = shutil.which(_START)
    if script:
        return [str(Path(script).with_name(_SCRIPTS[main])), *arguments]
    fetch()
    return ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", f"{JARS}/*", main, *arguments]


def environment(folder: Path) -> dict[str, str]:
    """What such a program needs: its logs go to this folder."""
    return os.environ | {"LOG_DIR": str(folder), "KAFKA_HEAP_OPTS": "-Xmx512m"}


def fetch() -> None:
    """Gets the jars from the repository that Maven is set to, if they are not there and no script is; 54 MB, once."""
    if shutil.which(_START) or any(JARS.glob("kafka_*.jar")):
        return
    if not (shutil.which("java") and shutil.which("mvn")):
        raise NoServer("no Kafka: install openjdk-17-jre-headless and maven, or set KAFKA_BOOTSTRAP_SERVERS")
    JARS.mkdir(parents=True, exist_ok=True)
    run(["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={JARS}"], JARS)


def run(words: list[str], folder: Path) -> None:
    """Runs a program to its end; `NoServer` with what it said if it fails."""
    done = subprocess.run(words, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise NoServer(f"{Path(words[0]).name} failed: {(done.stderr or done.stdout).strip()[-500:]}")
