"""One OpenAI-compatible endpoint: requests through the ``openai`` client, and its errors as advice to the user."""

from __future__ import annotations

import ipaddress
import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..errors import ConfigError, ModelUnavailableError, shown
from .answers import AnswerError

if TYPE_CHECKING:
    from threading import Event

KEY_VARIABLE = "OPENAI_API_KEY"
MAX_RETRIES = 3  # after the first try; the client waits longer each time, or as long as the server demands
TEMPERATURE = 0.7

_NO_KEY = "none"  # local servers need no key, but the client insists on one
_MAX_SHOWN = 200
_PLAIN_HEADERS = {"accept", "accept-encoding", "connection", "content-length", "content-type", "host", "user-agent"}
_WHOLE_CALL = (402, 405, 407)  # these mean the same for every class; other 4xx may be about one class


class EndpointError(Exception):
    """No request can succeed; the message says why and what to do."""


class RefusedError(AnswerError):
    """The endpoint refused this one request."""


class StoppedError(Exception):
    """The caller has stopped, so no request is sent."""


def check_base_url(base_url: Any) -> str:
    """Returns an endpoint's address, http or https, without a trailing slash; refuses a password or a query in it."""
    expected = 'base_url must be an address like "http://localhost:11434/v1"'
    if not isinstance(base_url, str) or not re.fullmatch(r"[!-~]+", base_url.strip()):
        raise ConfigError(f"{expected}, got {shown(base_url)}")
    url = base_url.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"{expected}, got {shown(base_url)}")
    if "@" in parts.netloc:
        raise ConfigError("base_url must not hold a user name or password; pass the key as api_key")
    if parts.query or parts.fragment:
        raise ConfigError(f"base_url must end with its path and have no ? or #, got {shown(base_url)}")
    return url


def find_key(api_key: Any, *, from_environment: bool = True) -> tuple[str, str]:
    """Returns the key to use, and the name of the argument or variable that it comes from; no error shows the key."""
    given = api_key is not None and api_key != ""
    variable = os.environ.get(KEY_VARIABLE, "") if from_environment else ""
    key, origin = (api_key, "api_key") if given else (variable, KEY_VARIABLE)
    if not isinstance(key, str) or not re.fullmatch(r"[!-~]*", key.strip()):
        raise ConfigError(f"{origin} is not a key that can be sent: it must be one line of plain ASCII characters")
    return (key.strip(), origin) if key.strip() else (_NO_KEY, "")


class Endpoint:
    """A chat endpoint that several threads can use.

    Its address is as :func:`check_base_url` returns it, one try takes ``timeout`` seconds at most, and once ``stop`` is
    set, no request is sent. Without ``from_environment`` nothing is sent that the variables ``OPENAI_*`` hold: neither
    a key, nor an organization or a project, nor further headers.

    Raises:
        ConfigError: if the key can't be sent
        ModelUnavailableError: if the package ``openai`` is missing
    """

    def __init__(
        self, *, model: str, base_url: str, api_key: str | None, timeout: float, stop: Event, from_environment: bool
    ):
        self._key, self._origin = find_key(api_key, from_environment=from_environment)
        try:
            import openai
        except ImportError:
            raise ModelUnavailableError(
                "asking a language model needs the package openai, which is not installed: pip install openai"
            ) from None
        self._model = model
        self._url = base_url
        self._timeout = timeout
        self._temperature: dict[str, float] = {"temperature": TEMPERATURE}

        def before_sending(request: Any) -> None:
            if stop.is_set():
                raise StoppedError
            if not from_environment:  # the client adds headers from variables of its own
                for name in set(request.headers) - _PLAIN_HEADERS:
                    del request.headers[name]
                request.headers["authorization"] = f"Bearer {self._key}"

        self._client = openai.OpenAI(
            api_key=self._key,
            base_url=base_url,
            timeout=timeout,
            max_retries=MAX_RETRIES,
            http_client=openai.DefaultHttpxClient(
                event_hooks={"request": [before_sending]},
                follow_redirects=False,  # requests go to the address that the user has named, and nowhere else
                trust_env=not is_this_machine(base_url),  # a proxy can't reach this machine's own servers
            ),
        )

    def close(self) -> None:
        """Closes the connections; no request may be under way."""
        self._client.close()

    def complete(self, prompt: str) -> str:
        """Sends one message and returns the answer's text.

        Raises:
            EndpointError: if no other message could succeed
            AnswerError: if this message has no answer; a :class:`RefusedError` if a repetition is of no use
        """
        import openai

        try:
            return self._content(self._create(prompt))
        except openai.APIStatusError as error:
            problem = self._explain_status(error)
        except openai.APITimeoutError:
            problem = EndpointError(
                f"{self._url} has not answered within {self._timeout:g} s, {MAX_RETRIES + 1} times over; check the "
                "server, or pass a longer timeout"
            )
        except openai.APIConnectionError as error:
            problem = EndpointError(
                f"{self._url} can't be reached ({self._one_line(error.__cause__ or error)}); check base_url, and that "
                "the server is running"
            )
        except (openai.OpenAIError, ValueError) as error:
            problem = AnswerError(f"the answer can't be read: {self._one_line(error)}")
        raise problem  # outside of the handlers, so that its context does not hold the request with the key

    def _create(self, prompt: str) -> Any:
        import openai

        sent = dict(self._temperature)
        message: Any = {"role": "user", "content": prompt}
        try:
            return self._client.chat.completions.create(model=self._model, messages=[message], **sent)
        except openai.BadRequestError as error:
            if not sent or "temperature" not in str(error):
                raise
        self._temperature = {}  # some models accept only their own
        return self._client.chat.completions.create(model=self._model, messages=[message])

    def _content(self, answer: Any) -> str:
        if isinstance(answer, str):
            raise EndpointError(
                f"what answers at {self._url} does not speak the OpenAI protocol; check base_url, which mostly ends "
                "in /v1"
            )
        choices = getattr(answer, "choices", None)
        message = getattr(choices[0], "message", None) if isinstance(choices, list) and choices else None
        content = getattr(message, "content", None)
        if isinstance(content, str) and content.strip():
            return content
        refusal = getattr(message, "refusal", None)
        if isinstance(refusal, str) and refusal.strip():
            raise AnswerError(f"the model refused: {self._one_line(refusal)}")
        raise AnswerError("the answer was empty")

    def _explain_status(self, error: Any) -> Exception:
        status = int(error.status_code)
        detail = self._server_message(error)
        if status in (401, 403):
            used = f"refuses the key from {self._origin}" if self._origin else "requires a key, and none was given"
            return EndpointError(
                f"{self._url} {used} (status {status}{detail}); pass a valid api_key, or set {KEY_VARIABLE}"
            )
        if status == 404:
            return EndpointError(
                f"{self._url} has no model {self._model!r}, or no chat completions (status 404{detail}); check model, "
                "and base_url, which mostly ends in /v1"
            )
        if status == 429:
            return EndpointError(
                f"{self._url} limits the rate of requests, also after {MAX_RETRIES + 1} tries{detail}; wait a while, "
                "lower concurrency, or check the account's quota"
            )
        if 300 <= status < 400:
            to = self._one_line(error.response.headers.get("location", ""))
            return EndpointError(f"{self._url} sends requests on to {to!r}; check it, and pass it as base_url")
        if status >= 500 or status in (408, 409):
            return EndpointError(
                f"{self._url} fails with status {status}, also after {MAX_RETRIES + 1} tries{detail}; check the server"
            )
        if status in _WHOLE_CALL:
            return EndpointError(f"{self._url} answers with status {status}{detail}; check base_url and the account")
        return RefusedError(f"the endpoint refused it with status {status}{detail}")

    def _server_message(self, error: Any) -> str:
        body = error.body
        if isinstance(body, dict):
            body = body.get("message") or body.get("detail")
        if not isinstance(body, str) or not body.strip() or body.lstrip().startswith("<"):
            return ""
        return f": {self._one_line(body)}"

    def _one_line(self, value: Any) -> str:
        """Returns a message of another program as one short line, without the key."""
        text = " ".join(str(value).split()) or type(value).__name__
        if self._origin:
            text = text.replace(self._key, "***")
        text = "".join(char for char in text if char.isprintable()).rstrip(". ")
        return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def is_this_machine(base_url: str) -> bool:
    """True if an address is one of this machine."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
