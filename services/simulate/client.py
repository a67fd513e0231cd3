"""The demo's way to the running service: over HTTP, as any producer and any deployment controller."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx

from monitor.model import Event
from monitor.wire import encode
from services.errors import Unavailable


class ServiceClient:
    """Sends logs and asks for verdicts and alerts of one deployment."""

    def __init__(self, api: str, deployment: str) -> None:
        self._http = httpx.Client(base_url=api, timeout=30.0, trust_env=False)
        self._deployment = deployment

    def ready(self) -> bool:
        """Whether the service answers yet."""
        try:
            return self._http.get("/v1/health/ready").status_code == 200
        except httpx.HTTPError:
            return False

    def reads(self, topic: str) -> bool:
        """Whether a stream worker holds partitions of a topic yet, as the metrics say."""
        try:
            return f"/{topic}/" in self._http.get("/metrics").text
        except httpx.HTTPError:
            return False

    def send(self, events: list[Event]) -> None:
        """Sends a batch of events; returns after their durable write."""
        try:
            answer = self._http.post("/v1/events", content=b"\n".join(encode(event) for event in events))
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise Unavailable(f"the intake did not take the log ({type(error).__name__})") from None

    def verdict(self, variant: str) -> dict[str, Any]:
        """The verdict on a variant."""
        return self._get(f"/v1/verdict/{quote(variant, safe='')}")

    def alerts(self) -> list[dict[str, Any]]:
        """All alerts."""
        return list(self._get("/v1/alerts")["alerts"])

    def _get(self, path: str) -> dict[str, Any]:
        try:
            answer = self._http.get(path, params={"deployment": self._deployment})
            return dict(answer.json())
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable(f"the service did not answer ({type(error).__name__})") from None
