"""Runs the page's commands as a reader would, in one folder, on an installation that has no torch."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.first_hour.blocks import Change, Command

ROOT = Path(__file__).parents[2]
FOLDER = "/home/you/hour"
"""What the page calls the folder in which it was run."""
WITHOUT = ("torch", "torchao", "torchvision", "transformers", "safetensors", "tokenizers", "huggingface_hub")
"""What the extra `shadow` would bring."""
_BLIND = f"""
import sys
from importlib.machinery import PathFinder

WITHOUT = {WITHOUT!r}

class Blind(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in WITHOUT else PathFinder.find_spec(name, path, target)

    @staticmethod
    def find_distributions(*context):
        named = [(each.name or "").replace("-", "_") in WITHOUT for each in context]
        return iter(()) if any(named) else PathFinder.find_distributions(*context)

sys.meta_path[sys.meta_path.index(PathFinder)] = Blind
"""
_DEFAULTS = {"-m tests.first_hour.engines": "--ports 8001 8002", "quantwatch up": "--port 8321 --dashboard-port 8501"}
"""Ports that the page's commands take without naming them."""
_PATIENCE, _SILENCE, _LONGEST = 60.0, 5.0, 120.0


class Shell:
    """A folder with the commands that were run in it. `ports` maps those of the page to those that are free."""

    def __init__(self, folder: Path, ports: Mapping[int, int] | None = None) -> None:
        self.folder = folder / "hour"
        self.ports = dict(ports or {})
        self._running: list[subprocess.Popen[bytes]] = []
        self._blind = folder / "blind"
        self._home = folder / "home"

    def __enter__(self) -> Self:
        for each in (self.folder, self._blind, self._home):
            each.mkdir()
        (self._blind / "sitecustomize.py").write_text(_BLIND, encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._running):
            process.terminate()
        for process in reversed(self._running):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)

    def run(self, command: Command) -> str:
        """What a command prints, then its exit code if that is not 0; of one that goes on (`&`), its first lines."""
        line = self._ported(command.line)
        if line.endswith(" &"):
            return self._shown(self._start(line.removesuffix(" &"), command.printed.count("\n")))
        words, both = ["bash", "-c", line], subprocess.PIPE
        done = subprocess.run(
            words, cwd=self.folder, env=self._environment, stdout=both, stderr=subprocess.STDOUT, timeout=_LONGEST
        )
        said = done.stdout.decode()
        said += "\n" if said and not said.endswith("\n") else ""
        code = f"(exit code {done.returncode})\n" if done.returncode else ""
        return self._shown(said) + code

    def change(self, change: Change) -> None:
        """Changes a file."""
        file = self.folder / change.file
        text = Change(self._ported(change.body)).applied(file.read_text(encoding="utf-8"))
        file.write_text(text, encoding="utf-8")

    def _start(self, line: str, lines: int) -> str:
        """Starts a command that goes on; waits for so many lines, or for silence where nobody knows how many."""
        log = self.folder.parent / f"{len(self._running)}.log"
        words, env = ["bash", "-c", f"exec {line}"], self._environment
        with log.open("wb") as sink:
            self._running.append(
                subprocess.Popen(
                    words, cwd=self.folder, env=env, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True
                )
            )
        said, since, started = "", time.monotonic(), time.monotonic()
        while time.monotonic() - started < _PATIENCE:
            time.sleep(0.05)
            now = log.read_text(encoding="utf-8")
            since = time.monotonic() if now != said else since
            said = now
            if said and (said.count("\n") >= lines > 0 or (not lines and time.monotonic() - since > _SILENCE)):
                break
        return "".join(said.splitlines(keepends=True)[: lines or None])

    @property
    def _environment(self) -> dict[str, str]:
        """A fresh user's, with this Python first, and no torch for it or any process that it starts."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("QUANTWATCH_", "PYTHON"))}
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        modules = os.pathsep.join((str(self._blind), str(ROOT)))
        return kept | {"PATH": path, "PYTHONPATH": modules, "HOME": str(self._home), "LC_ALL": "C.UTF-8"}

    def _ported(self, text: str) -> str:
        """A command or a file with the ports that are free."""
        for command, options in _DEFAULTS.items():
            text = text.replace(command, f"{command} {options}") if self.ports else text
        return _numbers(text, {str(page): str(real) for page, real in self.ports.items()})

    def _shown(self, text: str) -> str:
        """What was printed, as the page shows it."""
        text = text.replace(str(self.folder), FOLDER)
        return _numbers(text, {str(real): str(page) for page, real in self.ports.items()})


def _numbers(text: str, others: Mapping[str, str]) -> str:
    """The text with some whole numbers replaced."""
    if not others:
        return text
    return re.sub(rf"\b({'|'.join(others)})\b", lambda found: others[found[0]], text)
