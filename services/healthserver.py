"""A small server for processes without an API: alive, ready, metrics. Answers nobody else's questions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from services.errors import UsageError
from services.metrics import TEXT, metrics
from services.ports import Clock


class HealthServer:
    """Listens from the beginning until closed. `stuck` says what does not go on, None while all does."""

    def __init__(self, address: str, engine: Engine, clock: Clock, stuck: Callable[[], str | None]) -> None:
        host, _, port = address.rpartition(":")
        if not port.isdigit():
            raise UsageError(f"--health {address!r} is no address; write one like 127.0.0.1:8322")
        self.engine = engine
        self.clock = clock
        self.stuck = stuck
        try:
            self._server = ThreadingHTTPServer((host or "127.0.0.1", int(port)), _handler(self))
        except OSError as error:
            raise UsageError(f"--health {address}: {error.strerror}") from None
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    def close(self) -> None:
        """Listens no longer."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body for a path."""
        if path == "/v1/health/live":
            stuck = self.stuck()
            return _json(200 if stuck is None else 503, {"live": stuck is None} | ({"reason": stuck} if stuck else {}))
        if path not in ("/v1/health/ready", "/metrics"):
            return _json(404, {"error": {"code": "not_found", "message": "not found"}})
        try:
            with self.engine.connect() as connection:
                text = metrics(connection, self.clock())
        except DBAPIError:
            return _json(503, {"ready": False, "reason": "the store is unavailable"})
        return _json(200, {"ready": True}) if path.endswith("ready") else (200, TEXT, text.encode())


def _json(status: int, body: dict[str, Any]) -> tuple[int, str, bytes]:
    return status, "application/json", msgspec.json.encode(body)


def _handler(server: HealthServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            status, kind, body = server.answer(self.path.partition("?")[0])
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: probes come every second."""

    return Handler
