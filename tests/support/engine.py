"""A small real model server that speaks OpenAI's chat protocol over HTTP, well or badly.

    with Engine(lambda body: "hello", model="small") as engine:
        httpx.post(f"{engine.url}/chat/completions", json={"model": "small", "messages": [...]})

`answer` gets a request's body and gives the answer: a text, or a message such as `{"content": ..., "tool_calls":
[call("find", "{}")], "finish_reason": ...}`. Nothing is random; tokens are words and marks.
"""

from __future__ import annotations

import json
import re
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from tests.support.faults import Body, Cut, Fault, Hang, OtherModel, Refuse, Status, Trickle

Json = dict[str, Any]
Answer = Callable[[Json], Json | str]
Scores = Callable[[Sequence[str], str], dict[str, float]]
"""(the tokens before, the token that comes) -> log-probabilities of some tokens, the one that comes among them."""


def pieces(text: str) -> list[str]:
    """The tokens of a text: words with the space before them, and single marks."""
    return re.findall(r"\s?\w+|\s?[^\w\s]|\s", text)


def token_id(piece: str) -> int:
    """A token's id, the same in every engine."""
    return zlib.crc32(piece.encode()) % 100_000


def call(name: str, arguments: str = "{}", number: int = 1) -> Json:
    """A tool call as an answer holds it."""
    return {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": arguments}}


def rendered(messages: Sequence[Json], tools: Sequence[Json] = ()) -> list[str]:
    """The tokens of a prompt under the engine's chat template."""
    found = ["<tools>", *pieces(json.dumps(tools))] if tools else []
    for message in messages:
        found += [f"<{message['role']}>", *pieces(message.get("content") or json.dumps(message.get("tool_calls")))]
    return [*found, "<assistant>"]


class Engine:
    """The server, from `with` to its end.

    `faults` are used up in order, one a chat request, None for none; or a function decides for each body, or None.
    `requests` and `headers` are those of the chat requests that came, in order; `peak` is how many were answered
    at once. `log` is a file that gets a line `{"request", "response"}` for every answered chat request that was
    no replay (by its user agent), as a gateway would write it. `token` must be sent where it is given. `context`
    is the longest prompt with its answer. `scores` makes it answer `prompt_logprobs` as vLLM does; without
    `logprobs` it knows none at all and fails when asked for them, as llama-cpp-python does. `port` 0 takes a free one.
    """

    def __init__(
        self,
        answer: Answer,
        *,
        model: str = "small",
        faults: Sequence[Fault | None] | Callable[[Json], Fault | None] = (),
        token: str | None = None,
        log: Path | None = None,
        context: int = 8_192,
        logprobs: bool = True,
        scores: Scores | None = None,
        tokenizer: Callable[[str], list[str]] = pieces,
        delay: float = 0.0,
        clock: Callable[[], float] = time.time,
        port: int = 0,
    ) -> None:
        self.answer = answer
        self.model = model
        self.faults = faults if callable(faults) else list(faults)
        self.token = token
        self.log = log
        self.context = context
        self.logprobs = logprobs
        self.scores = scores
        self.tokenizer = tokenizer
        self.delay = delay
        self.clock = clock
        self.requests: list[Json] = []
        self.headers: list[dict[str, str]] = []
        self.peak = 0
        self.stopping = threading.Event()
        self._words: dict[int, str] = {}
        self._busy = 0
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self._port = port

    @property
    def url(self) -> str:
        """The base address, as OpenAI's clients take it; it stays the same after `stop` and `start`."""
        return f"http://127.0.0.1:{self._port}/v1"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listens, again on the port it had."""
        self.stopping.clear()
        self._server = _Server(("127.0.0.1", self._port), _handler(self))
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Ends; whoever calls now is refused."""
        self.stopping.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def took(self, body: Json, headers: dict[str, str]) -> Fault | None:
        """Notes a chat request and says what is to go wrong with it."""
        with self._lock:
            self.requests.append(body)
            self.headers.append(headers)
            self._busy += 1
            self.peak = max(self.peak, self._busy)
            if callable(self.faults):
                return self.faults(body)
            return self.faults.pop(0) if self.faults else None

    def done(self) -> None:
        """A chat request has been answered."""
        with self._lock:
            self._busy -= 1

    def complete(self, body: Json) -> Json:
        """The answer to a chat request."""
        said = self.answer(body)
        message: Json = {"content": said} if isinstance(said, str) else dict(said)
        prompt = self.words(rendered(body["messages"], body.get("tools") or ()))
        tokens = self.words(self.tokenizer(message.get("content") or ""))
        limit = body.get("max_tokens") or body.get("max_completion_tokens") or 2**31
        reason = message.pop("finish_reason", "tool_calls" if message.get("tool_calls") else "stop")
        if len(tokens) > limit:
            tokens, reason = tokens[:limit], "length"
            message["content"] = "".join(tokens)
        choice: Json = {"index": 0, "message": {"role": "assistant", "content": None} | message}
        choice["finish_reason"] = reason
        if body.get("logprobs"):
            choice["logprobs"] = {"content": [_likely(token) for token in tokens]}
        counts = {"prompt_tokens": len(prompt), "completion_tokens": len(tokens) or 1}
        return self._reply("chat.completion", choice, counts | {"total_tokens": sum(counts.values())})

    def continued(self, body: Json) -> Json:
        """The answer to `/v1/completions` on token ids, with `prompt_logprobs` in vLLM's form."""
        tokens = [self._words.get(number, "?") for number in body["prompt"]]
        choice: Json = {"index": 0, "text": "", "finish_reason": "length"}
        if body.get("prompt_logprobs") is not None and self.scores is not None:
            scores, kept = self.scores, body["prompt_logprobs"]
            rows = [_row(scores(tokens[:n], tokens[n]), tokens[n], kept) for n in range(1, len(tokens))]
            choice["prompt_logprobs"] = [None, *rows]
        return self._reply("text_completion", choice, {"prompt_tokens": len(tokens), "completion_tokens": 1})

    def tokenized(self, body: Json) -> Json:
        """The answer to `/tokenize`, in vLLM's form."""
        found = rendered(body["messages"]) if "messages" in body else self.tokenizer(body["prompt"])
        tokens = [token_id(piece) for piece in self.words(found)]
        return {"count": len(tokens), "max_model_len": self.context, "tokens": tokens}

    def words(self, found: list[str]) -> list[str]:
        """Remembers what its ids spell."""
        with self._lock:
            self._words |= {token_id(piece): piece for piece in found}
        return found

    def models(self) -> Json:
        """The answer to `/v1/models`."""
        known = {"id": self.model, "object": "model", "owned_by": "tests", "max_model_len": self.context}
        return {"object": "list", "data": [known]}

    def write(self, body: Json, reply: Json) -> None:
        """A line of the gateway's log."""
        if self.log is not None:
            with self._lock, self.log.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"request": body, "response": reply}) + "\n")

    def refusal(self, body: Json) -> Status | None:
        """Why a chat request cannot be answered: another model, too long, or log-probabilities."""
        if body.get("model") != self.model:
            return Status(404, message=f"The model `{body.get('model')}` does not exist.")
        if body.get("logprobs") and not self.logprobs:
            return Status(500, message="logprobs is not supported for models created with logits_all=False")
        if len(rendered(body["messages"], body.get("tools") or ())) >= self.context:
            return Status(400, message=f"This model's maximum context length is {self.context} tokens.")
        return None

    def _reply(self, kind: str, choice: Json, usage: Json) -> Json:
        with self._lock:
            number = len(self.requests)
        return {
            "id": f"{'chatcmpl' if kind.startswith('chat') else 'cmpl'}-{number}",
            "object": kind,
            "created": int(self.clock()),
            "model": self.model,
            "choices": [choice],
            "usage": usage,
        }


def _likely(token: str) -> Json:
    logprob = -0.01 * (token_id(token) % 100)
    each = {"token": token, "logprob": logprob, "bytes": list(token.encode())}
    return each | {"top_logprobs": [each]}


def _row(scores: dict[str, float], token: str, kept: int) -> Json:
    """One position's `prompt_logprobs`: the likeliest tokens by rank, and the one that stands there."""
    ranked = sorted(scores, key=lambda piece: -scores[piece])
    chosen = [*ranked[:kept], *([] if token in ranked[:kept] else [token])]
    return {
        str(token_id(piece)): {"logprob": scores[piece], "rank": ranked.index(piece) + 1, "decoded_token": piece}
        for piece in chosen
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hung up is no news."""


def _handler(engine: Engine) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        pass

    Handler.engine = engine
    return Handler


class _Handler(BaseHTTPRequestHandler):
    engine: Engine
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        if not self._allowed():
            return
        if self.path == "/v1/models":
            self._send(200, self.engine.models())
        else:
            self._fail(Status(404, message="Not Found"))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
        if not self._allowed():
            return
        if self.path == "/v1/chat/completions":
            self._chat(body)
        elif self.path == "/v1/completions":
            self._send(200, self.engine.continued(body))
        elif self.path == "/tokenize" and self.engine.scores is not None:
            self._send(200, self.engine.tokenized(body))
        else:
            self._fail(Status(404, message="Not Found"))

    def _allowed(self) -> bool:
        wanted = self.engine.token
        if wanted is None or self.headers.get("authorization") == f"Bearer {wanted}":
            return True
        self._fail(Status(401, message="Invalid API key"))
        return False

    def _chat(self, body: Json) -> None:
        fault = self.engine.took(body, {name.lower(): value for name, value in self.headers.items()})
        try:
            self._answer(body, fault)
        finally:
            self.engine.done()

    def _answer(self, body: Json, fault: Fault | None) -> None:
        engine = self.engine
        engine.stopping.wait(fault.seconds if isinstance(fault, Hang) else engine.delay)
        refusal = fault if isinstance(fault, Status) else engine.refusal(body)
        if refusal is not None:
            self._fail(refusal)
            return
        if isinstance(fault, Refuse):
            self.close_connection = True
            return
        if isinstance(fault, Body):
            self._write(200, fault.data)
            return
        reply = engine.complete(body)
        if isinstance(fault, OtherModel):
            reply["model"] = fault.name
        if isinstance(fault, Cut | Trickle):
            self._badly(json.dumps(reply).encode(), fault)
            return
        self._send(200, reply)
        if not self.headers.get("user-agent", "").startswith("quantwatch"):
            engine.write(body, reply)

    def _badly(self, data: bytes, fault: Cut | Trickle) -> None:
        self._head(200, len(data))
        self.close_connection = True
        if isinstance(fault, Cut):
            self.wfile.write(data[: len(data) // 2])
            return
        with suppress(OSError):
            for byte in data:
                if self.engine.stopping.wait(fault.pause):
                    break
                self.wfile.write(bytes([byte]))

    def _fail(self, status: Status) -> None:
        error = {"message": status.message, "type": "error", "param": None, "code": status.code}
        self._write(status.code, json.dumps({"error": error}).encode(), status)

    def _send(self, code: int, body: Json) -> None:
        self._write(code, json.dumps(body).encode())

    def _write(self, code: int, data: bytes, status: Status | None = None) -> None:
        self._head(code, len(data), status)
        self.wfile.write(data)

    def _head(self, code: int, length: int, status: Status | None = None) -> None:
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(length))
        if status is not None and status.retry_after is not None:
            self.send_header("retry-after", status.retry_after)
        if status is not None and status.location is not None:
            self.send_header("location", status.location)
        self.end_headers()
