"""The bearer token: everything but `/v1/health/live` needs it, where one is set."""

from __future__ import annotations

import hmac

from starlette.types import ASGIApp, Receive, Scope, Send

from services.api.reply import refuse

OPEN = ("/v1/health/live",)


class Bearer:
    """Refuses requests without the token before anything reads their body."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self.expected = f"bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN or self._allows(scope):
            await self.app(scope, receive, send)
            return
        await refuse(scope, 401, "unauthorized", "a bearer token is needed")(scope, receive, send)

    def _allows(self, scope: Scope) -> bool:
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, token = given.partition(b" ")
        return hmac.compare_digest(scheme.lower() + b" " + token.strip(), self.expected)
