"""A receiver of webhooks that honours idempotency keys: what comes again under a known key is taken for a copy."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "whsec_" + "c2VjcmV0IG9mIHRoZSBraWxsIHRlc3QsIDMyIGJ5dGVzISE="


class Receiver:
    """Listens until it is closed. `told` are the notifications by key, in the bodies of all attempts.

    It answers after `delay` seconds, so that a sender may die between its acceptance and the answer.
    """

    def __init__(self, delay: float) -> None:
        self.told: dict[str, list[bytes]] = defaultdict(list)
        lock, told = threading.Lock(), self.told

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with lock:
                    told[self.headers["webhook-id"]].append(body)
                time.sleep(delay)
                try:
                    self.send_response(204)
                    self.end_headers()
                except ConnectionError:
                    pass  # the sender was killed

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
