"""Standard Webhooks signatures (https://www.standardwebhooks.com, version 1.0.0): HMAC-SHA256 over id.time.body."""

from __future__ import annotations

import base64
import binascii
import hmac

PREFIX = "whsec_"


def secret_key(secret: str) -> bytes:
    """The key in a `whsec_…` secret; ValueError with what is wrong, never with the secret."""
    if not secret.startswith(PREFIX):
        raise ValueError(f"a webhook secret begins with {PREFIX}")
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("a webhook secret is base64 behind its prefix") from None
    if len(key) < 24:
        raise ValueError("a webhook secret has at least 24 bytes")
    return key


def sign(key: bytes, identity: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers that a receiver verifies."""
    signed = f"{identity}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return {"webhook-id": identity, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{signature}"}
