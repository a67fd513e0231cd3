"""Webhooks against a real receiver: the signature as a receiver checks it, and every way to fail."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
from collections.abc import Iterator
from email.utils import formatdate

import pytest

from monitor.plan import Plan, WebhookRule
from services.errors import UsageError
from services.outbound.webhook import Webhook, open_webhooks, webhook_name
from tests.integration.outbound.conftest import Receiver

KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
NOW = 1_773_325_620.5
BODY = '{"type":"alert.opened","data":{"sentence":"größer"}}'.encode()


@pytest.fixture
def webhook(receiver: Receiver) -> Iterator[Webhook]:
    plan = Plan(webhooks=(WebhookRule(receiver.url, "HOOK_SECRET"),))
    (found,) = open_webhooks(plan, {"HOOK_SECRET": SECRET}, timeout=0.5).values()
    yield found
    found.close()


def test_a_receiver_can_verify_it(receiver: Receiver, webhook: Webhook) -> None:
    assert webhook.deliver("abc_opened", BODY, NOW).delivered
    ((headers, body),) = receiver.got
    assert body == BODY
    assert headers["content-type"] == "application/json"
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("abc_opened", "1773325620")
    signed = b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body))
    version, signature = headers["webhook-signature"].split(",")
    assert version == "v1"
    assert base64.b64decode(signature) == hmac.new(base64.b64decode(SECRET[6:]), signed, hashlib.sha256).digest()


def test_the_published_example_of_the_standard() -> None:
    """The test vector of the Standard Webhooks reference libraries."""
    from services.outbound.signing import secret_key, sign

    key = secret_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("status", "headers", "error", "wait", "final"),
    [
        (500, {}, "status 500", None, False),
        (429, {"retry-after": "30"}, "status 429", 30.0, False),
        (503, {"retry-after": formatdate(NOW + 60, usegmt=True)}, "status 503", 59.5, False),
        (503, {"retry-after": "soon"}, "status 503", None, False),
        (503, {"retry-after": "99999999"}, "status 503", 86_400.0, False),
        (302, {"location": "http://127.0.0.1:1/"}, "status 302", None, False),
        (404, {}, "status 404", None, False),
        (410, {}, "status 410", None, True),
        (0, {}, "no answer in time", None, False),
    ],
)
def test_what_counts_as_failure(
    status: int,
    headers: dict[str, str],
    error: str,
    wait: float | None,
    final: bool,
    receiver: Receiver,
    webhook: Webhook,
) -> None:
    receiver.answers.append((status, headers))
    outcome = webhook.deliver("abc_opened", BODY, NOW)
    assert (outcome.delivered, outcome.error, outcome.retry_after, outcome.final) == (False, error, wait, final)


def test_nobody_listening(webhook: Webhook) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = Webhook(f"http://127.0.0.1:{free.getsockname()[1]}/", KEY, timeout=0.5)
        outcome = closed.deliver("abc_opened", BODY, NOW)
        closed.close()
    assert (outcome.delivered, outcome.error, outcome.final) == (False, "ConnectError", False)


@pytest.mark.parametrize("environment", [{}, {"S": "plain"}, {"S": "whsec_***"}, {"S": "whsec_c2hvcnQ="}])
def test_a_wrong_secret_is_one_line_without_the_secret(environment: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        open_webhooks(Plan(webhooks=(WebhookRule("http://hook", "S"),)), environment)
    assert "S" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert environment.get("S", "nothing") not in str(caught.value)


def test_the_name_hides_the_address() -> None:
    name = webhook_name(WebhookRule("http://hook/secret-path", "S"))
    assert name.startswith("webhook:")
    assert "secret" not in name
