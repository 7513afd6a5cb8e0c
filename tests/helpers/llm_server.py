"""A language model's server on this machine: real HTTP, OpenAI's chat-completions protocol, scripted replies.

It answers ``POST /v1/chat/completions`` with a :class:`Reply`: the next of ``server.script``, or the one of the class
in the prompt, or ``server.default``, which is a good answer::

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
    """A reply of the server, with ``message`` for a status other than 200."""

    content: str | None = None  # the message's text; None makes a good answer for the class in the prompt
    status: int = 200
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None  # the whole body, instead of a chat completion or an error
    delay: float = 0.0  # seconds before the answer; cut short when the server stops
    silent: bool = False  # the connection is closed without an answer
    cut: bool = False  # the connection is closed in the middle of the body


GOOD = Reply()
AT_ONCE = {"retry-after-ms": "1"}  # so that the client repeats a request without a pause
RATE_LIMITED = Reply(status=429, message="Rate limit reached for requests", headers=AT_ONCE)
OUT_OF_QUOTA = Reply(
    status=429, message="You exceeded your current quota, please check your plan and billing details.", headers=AT_ONCE
)
SERVER_ERROR = Reply(status=500, message="The server had an error while processing your request", headers=AT_ONCE)
KEY_REFUSED = Reply(status=401, message="Incorrect API key provided")
NO_SUCH_MODEL = Reply(status=404, message="The model does not exist")
BAD_REQUEST = Reply(status=400, message="The request is not valid")
MALFORMED = Reply(content="I am sorry, but I would rather talk about the weather.")
NOT_A_LIST = Reply(content='{"descriptions": {"a": 1}}')
EMPTY_LIST = Reply(content='{"descriptions": []}')
CUT_OFF = Reply(content='{"descriptions": ["a bird with a')
NO_CHOICES = Reply(raw=b'{"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": []}')
NOT_JSON = Reply(raw=b"<html><body>It works!</body></html>", headers={"Content-Type": "text/html"})
HANG = Reply(delay=5.0, silent=True)
CLOSED = Reply(silent=True)
CLOSED_MIDWAY = Reply(cut=True)


@dataclass(frozen=True)
class Request:
    """A request that arrived: its headers with names in lower case, its JSON, its prompt and the class named there."""

    path: str
    headers: dict[str, str]
    body: Any
    prompt: str
    name: str


class LlmServer:
    """A language model's server; :func:`running_llm_server` starts one and stops it.

    It looks for the classes in prompts, the longest first; without any, a prompt's first quoted text is the name.
    """

    def __init__(self, classes: Sequence[str] = (), port: int = 0) -> None:
        self.classes = sorted(classes, key=len, reverse=True)
        self.requests: list[Request] = []
        self.script: list[Reply] = []  # replies to the next requests
        self.replies: dict[str, Reply] = {}  # class name to the reply that it always gets
        self.default = GOOD  # the reply to all other requests
        self.models = [MODEL]  # any other is answered with a 404, unless the list is empty
        self.key: str | None = None  # the key that requests must have, if any
        self.refuses: tuple[str, ...] = ()  # keys of a request's body that are answered with a 400
        self.most_at_once = 0  # maximum number of requests that were open at one time
        self.stopping = threading.Event()
        self._open = 0
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (_Handler,), {"llm": self}))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def base_url(self) -> str:
        """The address for clients."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    @property
    def requested(self) -> list[str]:
        """The class of each request, in the order of arrival."""
        return [request.name for request in self.requests]

    def stop(self) -> None:
        """Stops to reply, also to open requests; further connections are refused."""
        if not self.stopping.is_set():
            self.stopping.set()
            self._http.shutdown()
            self._thread.join()
            self._http.server_close()

    def class_in(self, prompt: str) -> str:
        """Returns the class that a prompt names, "" if none."""
        for name in self.classes:
            if name.casefold() in prompt.casefold() or name.replace("_", " ").casefold() in prompt.casefold():
                return name
        quoted = re.search(r"[\"'`]([^\"'`]+)[\"'`]", prompt)
        return "" if self.classes or not quoted else quoted[1]

    @contextlib.contextmanager
    def replying(self, request: Request) -> Iterator[Reply]:
        """Records a request, and counts it as open while it is replied to."""
        with self._lock:
            self.requests.append(request)
            reply = self.script.pop(0) if self.script else self.replies.get(request.name, self.default)
            self._open += 1
            self.most_at_once = max(self.most_at_once, self._open)
        try:
            yield reply
        finally:
            with self._lock:
                self._open -= 1


@contextlib.contextmanager
def running_llm_server(classes: Sequence[str] = (), port: int = 0) -> Iterator[LlmServer]:
    """Runs an :class:`LlmServer` on a port, 0 for a free one."""
    server = LlmServer(classes, port)
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


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    llm: LlmServer

    def log_message(self, *_args: object) -> None:
        """Logs nothing: the requests are recorded."""

    def do_POST(self) -> None:
        document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = "\n".join(message["content"] for message in document["messages"])
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.path, headers, document, prompt, self.llm.class_in(prompt))
        with self.llm.replying(request) as reply:
            self.llm.stopping.wait(reply.delay)
            if reply.silent:
                self.close_connection = True
            else:
                self._send(self._refusal(request) or reply, request)

    def _refusal(self, request: Request) -> Reply | None:
        """Returns what the server answers to a request that it refuses whatever is scripted."""
        if request.path != "/v1/chat/completions":
            return Reply(status=404, message=f"no such page {request.path}")
        if self.llm.key is not None and request.headers.get("authorization") != f"Bearer {self.llm.key}":
            return KEY_REFUSED
        if self.llm.models and request.body["model"] not in self.llm.models:
            return NO_SUCH_MODEL
        refused = [name for name in self.llm.refuses if name in request.body]
        return Reply(status=400, message=f"Unrecognized request argument supplied: {refused[0]}") if refused else None

    def _completion(self, request: Request, content: str | None) -> dict[str, Any]:
        if content is None:
            name = request.name or "thing"
            number = re.search(r"\b\d+\b", request.prompt.replace(name, " "))
            content = json.dumps({"descriptions": good_texts(name, int(number[0] if number else 8))})
        message = {"role": "assistant", "content": content, "refusal": None}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": request.body["model"],
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30},
        }

    def _send(self, reply: Reply, request: Request) -> None:
        error = {"error": {"message": reply.message, "type": "error", "param": None, "code": None}}
        document = self._completion(request, reply.content) if reply.status == 200 else error
        data = json.dumps(document).encode() if reply.raw is None else reply.raw
        with contextlib.suppress(ConnectionError):  # a client that has given up
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if reply.cut else data)
            self.close_connection = self.close_connection or reply.cut
