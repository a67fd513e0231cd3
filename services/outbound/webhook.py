"""Signed webhooks: JSON by POST, any 2xx is success, 410 means never again, everything else is tried anew."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
import xxhash

from monitor.plan import Plan, WebhookRule
from services.errors import UsageError
from services.outbound.destination import Delivery
from services.outbound.signing import secret_key, sign

TIMEOUT_SECONDS = 10.0
LONGEST_WAIT = 86_400.0


def webhook_name(rule: WebhookRule) -> str:
    """The name of a webhook in the outbox: of its address only the hash, since addresses may hold secrets."""
    return f"webhook:{xxhash.xxh3_64_hexdigest(rule.url.encode())}"


def open_webhooks(plan: Plan, environment: Mapping[str, str], timeout: float = TIMEOUT_SECONDS) -> dict[str, Webhook]:
    """The plan's webhooks by their names; `UsageError` if a secret is missing or is none."""
    found = {}
    for rule in plan.webhooks:
        try:
            key = secret_key(environment[rule.secret_env])
        except KeyError:
            raise UsageError(f"the webhook's secret is not set: {rule.secret_env}") from None
        except ValueError as error:
            raise UsageError(f"{rule.secret_env}: {error}") from None
        found[webhook_name(rule)] = Webhook(rule.url, key, timeout)
    return found


class Webhook:
    """One receiver. Redirects are not followed: a signed body goes where the plan says and nowhere else."""

    def __init__(self, url: str, key: bytes, timeout: float = TIMEOUT_SECONDS) -> None:
        self.url = url
        self.key = key
        self._http = httpx.Client(timeout=timeout, trust_env=False, follow_redirects=False)

    def deliver(self, key: str, body: bytes, now: float) -> Delivery:
        """One attempt. The answer's body is not read."""
        headers = {
            "content-type": "application/json",
            "user-agent": "quantwatch",
            **sign(self.key, key, int(now), body),
        }
        try:
            with self._http.stream("POST", self.url, content=body, headers=headers) as response:
                return _delivery(response, now)
        except httpx.TimeoutException:
            return Delivery(False, "no answer in time")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Delivery(False, type(error).__name__)

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()


def _delivery(response: httpx.Response, now: float) -> Delivery:
    if response.is_success:
        return Delivery(True)
    wait = _retry_after(response.headers.get("retry-after", ""), now)
    return Delivery(False, f"status {response.status_code}", wait, final=response.status_code == 410)


def _retry_after(said: str, now: float) -> float | None:
    """The seconds in a `Retry-After`, which may be a number or a date; at most a day."""
    if said.isascii() and said.isdigit():
        return min(float(said), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - datetime.fromtimestamp(now, UTC)).total_seconds()), LONGEST_WAIT)
