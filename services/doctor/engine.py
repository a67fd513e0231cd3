"""What a model server says of itself: whether it is there, its models, tokens, template and limits.

Only questions that change nothing: lists, tokenizations, templates, and answers of a single token. vLLM and SGLang
have `/tokenize`, llama.cpp's server `/props` and `/apply-template`; a server that has none is asked for what a probe
costs in prompt tokens, which every one says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import httpx
import msgspec

from monitor.model import Message
from monitor.plan import ArmRule, seconds
from services.settings import secret

PATIENCE = 10.0
"""Seconds for a question that costs a server nothing; never more than the arm's own time-out."""
Asked = TypeVar("Asked")
Probes = Sequence[Sequence[Message]]
"""Short conversations of plain text."""


class Engine:
    """One server, asked in short. Use it with `with`. Every method gives None where it cannot be asked."""

    def __init__(self, rule: ArmRule) -> None:
        self.rule = rule
        self.url = rule.url.rstrip("/")
        token = secret(rule.token_env) if rule.token_env is not None else None
        headers = {"user-agent": "quantwatch-shadow"} | ({"authorization": f"Bearer {token}"} if token else {})
        self._client = httpx.Client(headers=headers, timeout=seconds(rule.timeout), trust_env=False)

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def trouble(self) -> tuple[str, str] | None:
        """Why nothing can be asked, and what to mend; None where the server answers, whatever it says."""
        try:
            self._client.get(f"{self.url}/models", timeout=min(PATIENCE, seconds(self.rule.timeout)))
        except (httpx.ConnectError, httpx.UnsupportedProtocol, httpx.InvalidURL):
            return f"nothing answers at {self.url}", "start the engine, or mend the arm's `url`"
        except httpx.TimeoutException:
            return f"{self.url} does not answer in time", "look at the engine's own log: it hangs, or is overloaded"
        except httpx.HTTPError as error:
            return f"{self.url} ends the connection ({type(error).__name__})", "is `url` http or https?"
        return None

    def context(self) -> int | None:
        """The longest prompt with its answer, in tokens."""
        listed = self._json("GET", f"{self.url}/models")
        for model in _list(listed, "data"):
            if isinstance(model, dict) and isinstance(length := model.get("max_model_len"), int):
                return length
        found = _at(self._props(), "default_generation_settings", "n_ctx")
        return found if isinstance(found, int) else None

    def counts(self, probes: Probes) -> tuple[int, ...] | None:
        """Prompt tokens of each probe, as an answer of one token bills them."""
        return _all(self._count(turns) for turns in probes)

    def ids(self, probes: Probes) -> tuple[tuple[int, ...], ...] | None:
        """The token ids of each probe's last text."""
        return _all(self._ids(turns[-1].content or "") for turns in probes)

    def rendered(self, probes: Probes) -> tuple[str, ...] | None:
        """Each probe as the chat template writes it."""
        return _all(self._rendered(turns) for turns in probes)

    def template(self) -> str | None:
        """The chat template's text."""
        found = _at(self._props(), "chat_template")
        return found if isinstance(found, str) and found else None

    def stop(self) -> str | None:
        """The token that ends an answer."""
        found = _at(self._props(), "eos_token")
        return found if isinstance(found, str) and found else None

    def _count(self, turns: Sequence[Message]) -> int | None:
        body = {"model": self.rule.model, "messages": _plain(turns), "max_tokens": 1, "temperature": 0}
        found = _at(self._json("POST", f"{self.url}/chat/completions", body), "usage", "prompt_tokens")
        return found if isinstance(found, int) else None

    def _ids(self, text: str) -> tuple[int, ...] | None:
        asked = {"model": self.rule.model, "prompt": text, "content": text, "add_special_tokens": False}
        found = _list(self._json("POST", self._root("/tokenize"), asked), "tokens")
        return tuple(found) if found and all(isinstance(token, int) for token in found) else None

    def _rendered(self, turns: Sequence[Message]) -> str | None:
        found = _at(self._json("POST", self._root("/apply-template"), {"messages": _plain(turns)}), "prompt")
        return found if isinstance(found, str) else None

    def _props(self) -> Any:
        return self._json("GET", self._root("/props"))

    def _root(self, path: str) -> str:
        return self.url.removesuffix("/v1") + path

    def _json(self, method: str, address: str, body: object = None) -> Any:
        """The JSON of a 200, else None."""
        try:
            answer = self._client.request(method, address, json=body)
            return msgspec.json.decode(answer.content) if answer.status_code == 200 else None
        except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None


def _plain(turns: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": turn.role, "content": turn.content or ""} for turn in turns]


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _list(value: Any, key: str) -> list[Any]:
    found = _at(value, key)
    return found if isinstance(found, list) else []


def _all(found: Iterable[Asked | None]) -> tuple[Asked, ...] | None:
    """All answers, or None where one is missing; nothing more is asked after the first that is."""
    each: list[Asked] = []
    for one in found:
        if one is None:
            return None
        each.append(one)
    return tuple(each)
