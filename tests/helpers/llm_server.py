"""A language model's server on this machine: real HTTP, OpenAI's chat-completions protocol, scripted replies.

It answers ``POST /v1/chat/completions`` and ``GET /v1/models`` with a :class:`Reply`: the next of ``server.script``, or
the one of the class in the prompt, or ``server.default``, which is a good answer::

    with running_llm_server(["duck", "grey heron"]) as server:
        server.script = [RATE_LIMITED, RATE_LIMITED]
        ...
        assert server.requested == ["duck", "duck", "duck", "grey heron"]
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "small-model"
CLASSES = ("duck", "grey heron", "tern", "coot", "gull")
KEY = "sk-test-2f7c81d0"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A reply of the server.

    Attributes:
        content: the message's text; None makes a good answer for the class in the prompt
        status: the HTTP status
        message: the error's message, for a status other than 200
        code: the error's code, for a status other than 200
        headers: further headers of the answer
        raw: the whole body, instead of a chat completion or an error
        delay: seconds before the answer; cut short when the server stops
        silent: close the connection without an answer
        cut: close the connection in the middle of the body
        finish_reason: why the model stopped
        extra: text before and after the JSON of a good answer
    """

    content: str | None = None
    status: int = 200
    message: str = ""
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    delay: float = 0.0
    silent: bool = False
    cut: bool = False
    finish_reason: str = "stop"
    extra: tuple[str, str] = ("", "")


GOOD = Reply()
FENCED = Reply(extra=("Here they are:\n```json\n", "\n```\nTell me if you need more."))
AT_ONCE = {"retry-after-ms": "1"}  # so that the client repeats a request without a pause
RATE_LIMITED = Reply(status=429, message="Rate limit reached for requests", code="rate_limit_exceeded", headers=AT_ONCE)
OUT_OF_QUOTA = Reply(
    status=429,
    message="You exceeded your current quota, please check your plan and billing details.",
    code="insufficient_quota",
    headers=AT_ONCE,
)
SERVER_ERROR = Reply(status=500, message="The server had an error while processing your request", headers=AT_ONCE)
KEY_REFUSED = Reply(status=401, message="Incorrect API key provided", code="invalid_api_key")
NO_SUCH_MODEL = Reply(status=404, message="The model does not exist", code="model_not_found")
BAD_REQUEST = Reply(status=400, message="The request is not valid")
MALFORMED = Reply(content="I am sorry, but I would rather talk about the weather.")
NOT_A_LIST = Reply(content='{"descriptions": {"a": 1}}')
EMPTY_LIST = Reply(content='{"descriptions": []}')
CUT_OFF = Reply(content='{"descriptions": ["a bird with a', finish_reason="length")
NO_CHOICES = Reply(raw=b'{"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": []}')
NOT_JSON = Reply(raw=b"<html><body>It works!</body></html>", headers={"Content-Type": "text/html"})
HANG = Reply(delay=5.0, silent=True)
CLOSED = Reply(silent=True)
CLOSED_MIDWAY = Reply(cut=True)


@dataclass(frozen=True)
class Request:
    """A request that arrived: its headers with names in lower case, its JSON, and the class its prompt names."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    name: str | None = None

    @property
    def prompt(self):
        """All the text of the request's messages."""
        return prompt_of(self.body or {})


class LlmServer:
    """A language model's server; :func:`running_llm_server` starts one and stops it.

    Args:
        classes: names to look for in prompts, the longest first; without them a prompt's first quoted text is the name

    Attributes:
        requests: every :class:`Request` that arrived
        script: replies to the next chat requests
        replies: class name to the reply that it always gets
        default: the reply to all other chat requests
        models: names that ``GET /v1/models`` lists; any other is answered with a 404, unless the list is empty
        key: the key that requests must have, if any
        refuses: keys of a request's body that are answered with a 400
        most_at_once: maximum number of chat requests that were open at one time
    """

    def __init__(self, classes: Sequence[str] = ()) -> None:
        self.classes = sorted(classes, key=len, reverse=True)
        self.requests: list[Request] = []
        self.script: list[Reply] = []
        self.replies: dict[str, Reply] = {}
        self.default = GOOD
        self.models = [MODEL]
        self.key: str | None = None
        self.refuses: tuple[str, ...] = ()
        self.most_at_once = 0
        self._open = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"llm": self}))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def base_url(self):
        """The address for clients."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    @property
    def requested(self) -> list[str | None]:
        """The class of each chat request, in the order of arrival."""
        return [request.name for request in self.requests if request.method == "POST"]

    def start(self):
        """Starts to reply."""
        self._thread.start()

    def stop(self):
        """Stops to reply, also to open requests; further connections are refused."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._http.shutdown()
            self._thread.join()
            self._http.server_close()

    def class_in(self, prompt):
        """Returns the class that a prompt names, if any."""
        for name in self.classes:
            if name.casefold() in prompt.casefold() or name.replace("_", " ").casefold() in prompt.casefold():
                return name
        quoted = re.search(r"[\"'`]([^\"'`]+)[\"'`]", prompt)
        return None if self.classes or not quoted else quoted[1]

    def _reply(self, request):
        with self._lock:
            self.requests.append(request)
            if request.method != "POST":
                return GOOD
            if self.script:
                return self.script.pop(0)
            return self.replies.get(request.name, self.default)

    @contextlib.contextmanager
    def _counted(self):
        with self._lock:
            self._open += 1
            self.most_at_once = max(self.most_at_once, self._open)
        try:
            yield
        finally:
            with self._lock:
                self._open -= 1


@contextlib.contextmanager
def running_llm_server(classes: Sequence[str] = ()) -> Iterator[LlmServer]:
    """Runs an :class:`LlmServer` on a free port."""
    server = LlmServer(classes)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def good_texts(name: str, count: int = 8) -> tuple[str, ...]:
    """Returns the texts of a good answer."""
    return tuple(f"a {name.replace('_', ' ')} with mark number {number}." for number in range(1, count + 1))


def chain(error: BaseException | None) -> str:
    """Returns an exception with all its causes and contexts as text."""
    texts = []
    while error is not None:
        texts += [str(error), repr(error), repr(vars(error))]
        error = error.__cause__ or error.__context__
    return " ".join(texts)


def dead_address() -> str:
    """Returns an address on this machine where nothing answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


def prompt_of(body):
    """Returns all the text of a chat request's messages, whether as one text or in parts."""
    texts = []
    for message in body.get("messages", []):
        content = message.get("content") or ""
        parts = [content] if isinstance(content, str) else [part.get("text", "") for part in content]
        texts.extend(parts)
    return "\n".join(texts)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    llm: LlmServer

    def log_message(self, *_args):
        """Logs nothing: the requests are recorded."""

    def do_GET(self):
        self._arrived("GET")
        if self.path.rstrip("/") != "/v1/models":
            return self._send_error(Reply(status=404, message=f"no such page {self.path}"))
        models = [{"id": name, "object": "model", "created": 1, "owned_by": "tests"} for name in self.llm.models]
        return self._send(200, {"object": "list", "data": models})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        reply = self._arrived("POST", document)
        if self.path != "/v1/chat/completions":
            return self._send_error(Reply(status=404, message=f"no such page {self.path}"))
        if not isinstance(document, dict) or not document.get("messages") or not document.get("model"):
            return self._send_error(BAD_REQUEST)
        with self.llm._counted():
            return self._answer(document, reply)

    def _arrived(self, method, document=None):
        headers = {name.lower(): value for name, value in self.headers.items()}
        name = self.llm.class_in(prompt_of(document)) if isinstance(document, dict) else None
        return self.llm._reply(Request(method, self.path, headers, document, name))

    def _answer(self, document, reply):
        if reply.delay:
            self.llm._stopping.wait(reply.delay)
        if reply.silent:
            self.close_connection = True
            return None
        if self.llm.key is not None and self.headers.get("Authorization") != f"Bearer {self.llm.key}":
            return self._send_error(KEY_REFUSED)
        if self.llm.models and document["model"] not in self.llm.models:
            return self._send_error(NO_SUCH_MODEL)
        for name in self.llm.refuses:
            if name in document:
                return self._send_error(Reply(status=400, message=f"Unrecognized request argument supplied: {name}"))
        if reply.status != 200:
            return self._send_error(reply)
        if reply.raw is not None:
            return self._send(200, reply.raw, reply)
        return self._send(200, self._completion(document, reply), reply)

    def _completion(self, document, reply):
        content = reply.content
        if content is None:
            prompt = prompt_of(document)
            name = self.llm.class_in(prompt) or "thing"
            number = re.search(r"\b\d+\b", prompt.replace(name, " "))
            content = json.dumps({"descriptions": good_texts(name, int(number[0] if number else 8))}).join(reply.extra)
        message = {"role": "assistant", "content": content, "refusal": None}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": document["model"],
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30},
        }

    def _send_error(self, reply):
        error = {"message": reply.message, "type": "error", "param": None, "code": reply.code}
        self._send(reply.status, {"error": error} if reply.raw is None else reply.raw, reply)

    def _send(self, status, document, reply=GOOD):
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        with contextlib.suppress(ConnectionError):  # a client that has given up
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if reply.cut else data)
            self.close_connection = self.close_connection or reply.cut
