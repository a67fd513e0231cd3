"""llama-cpp-python servers as processes: one a build, on a port of its own, until the block ends."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-engines" / "bin" / "python"
CONTEXT = 512
_READY_WITHIN = 120.0
_PORT = 8101


def command(model: Path, port: int) -> list[str]:
    """How one build is served: its own chat format, greedy log-probabilities, one thread."""
    options = {
        "model": model,
        "model_alias": model.stem,
        "chat_format": "quantwatch-small",
        "n_ctx": CONTEXT,
        "n_threads": 1,
        "n_threads_batch": 1,
        "logits_all": "true",
        "verbose": "false",
        "host": "127.0.0.1",
        "port": port,
    }
    return ["-m", "tests.engines.serve", *(f"--{name}={value}" for name, value in options.items())]


@contextmanager
def serving(models: Sequence[Path], logs: Path) -> Iterator[Mapping[str, str]]:
    """Serves every model; the addresses by the files' stems, once all of them answer."""
    with ExitStack() as stack:
        ports = range(_PORT, _PORT + len(models))
        urls = {
            model.stem: stack.enter_context(_one(model, port, logs))
            for model, port in zip(models, map(_free_port, ports), strict=True)
        }
        for name, url in urls.items():
            _wait(name, url)
        yield urls


@contextmanager
def _one(model: Path, port: int, logs: Path) -> Iterator[str]:
    with (logs / f"{model.stem}.server.txt").open("wb") as said:
        process = subprocess.Popen([PYTHON, *command(model, port)], cwd=ROOT, stdout=said, stderr=subprocess.STDOUT)
        try:
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            process.wait(30)


def _free_port(wanted: int) -> int:
    """The wanted port, or any other where that is taken."""
    with socket.socket() as found:
        try:
            found.bind(("127.0.0.1", wanted))
        except OSError:
            found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _wait(name: str, url: str) -> None:
    until = time.monotonic() + _READY_WITHIN
    while time.monotonic() < until:
        try:
            if httpx.get(f"{url}/models", trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise TimeoutError(f"the server of {name} does not answer; what it said lies beside the logs")
