"""Class descriptions from a language model: one request for each class whose answer is not cached.

The endpoint is any with OpenAI's chat protocol, on the user's own machine or elsewhere. It receives the names of the
classes and the topic, in the words of :func:`prompt_for`, and nothing else.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import NOT_IN_NAMES, check_distinct
from ..errors import ConfigError, DescribeError, shown
from ..progress import Progress
from .answers import AnswerCache, AnswerError, parse_answer, prompt_for, write_json
from .endpoint import Endpoint, EndpointError, RefusedError, StoppedError, check_base_url, find_key

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

logger = logging.getLogger(__name__)

DEFAULT_BASE_URL = "https://api.openai.com/v1"
DEFAULT_PER_CLASS = 8
MAX_PER_CLASS = 50
MAX_NAME_LENGTH = 200

_MAX_TRIES = 3
"""Maximum number of requests about a class whose answers can't be parsed."""
_MAX_REFUSED = 3
"""Number of refused requests, without an answer before them, after which all are given up."""


@dataclass(frozen=True, kw_only=True)
class Described:
    """A language model's descriptions of classes.

    Attributes:
        descriptions: class name to its texts, in the order of the classes; ready for :func:`lgca_plugin.classify`
        failed: class name to the reason why it has no descriptions
        cached: number of classes whose answers were cached by an earlier call
    """

    descriptions: dict[str, tuple[str, ...]]
    failed: dict[str, str]
    cached: int

    def save(self, path: str | Path) -> Path:
        """Writes the descriptions as a JSON file, an argument of :func:`lgca_plugin.classify`, and returns its path.

        Args:
            path: the file; an existing one is replaced

        Raises:
            ConfigError: if it can't be written, or no class was described
        """
        if not self.descriptions:
            raise ConfigError("there is nothing to save: no class was described")
        file = Path(path)
        try:
            write_json(file, self.descriptions)
        except OSError as error:
            raise ConfigError(f"descriptions can't be saved as {str(path)!r}: {error.strerror or error}") from error
        return file


def check_describe(
    classes: Any,
    *,
    model: Any,
    base_url: Any = DEFAULT_BASE_URL,
    per_class: Any = DEFAULT_PER_CLASS,
    topic: Any = None,
    api_key: Any = None,
    concurrency: Any = 4,
    timeout: Any = 60.0,
    from_environment: bool = True,
) -> tuple[str, ...]:
    """Returns the classes, stripped; raises a :class:`ConfigError` if an argument of :func:`iter_describe` is wrong."""
    if isinstance(classes, str) or not hasattr(classes, "__iter__"):
        raise ConfigError(f"classes must be a list of names, got {shown(classes)}")
    names = [_check_line(name, f"class {position} of classes") for position, name in enumerate(classes, 1)]
    if not names:
        raise ConfigError("classes is empty; name at least one class to describe")
    check_distinct(names)
    _check_line(model, "model")
    check_base_url(base_url)
    _check_count(per_class, "per_class", MAX_PER_CLASS)
    if topic is not None and topic != "":
        _check_line(topic, "topic")
    find_key(api_key, from_environment=from_environment)
    _check_count(concurrency, "concurrency", 64)
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout < math.inf:
        raise ConfigError(f"timeout must be a number of seconds above 0, got {shown(timeout)}")
    return tuple(names)


def iter_describe(
    classes: Sequence[str],
    *,
    model: str,
    base_url: str = DEFAULT_BASE_URL,
    api_key: str | None = None,
    per_class: int = DEFAULT_PER_CLASS,
    topic: str | None = None,
    cache: Path | None,
    concurrency: int = 4,
    timeout: float = 60.0,
    from_environment: bool = True,
) -> Generator[Progress, None, Described]:
    """Requests descriptions of classes, as a generator that yields :class:`Progress`, whose ``done`` counts classes.

    Up to its first yield the generator checks its arguments and reads the cache; the first request is sent when it is
    advanced past that. When it is closed, requests under way end, and no other is sent.

    Arguments and errors are those of :func:`lgca_plugin.describe_classes`, but ``cache=None`` caches nothing, and with
    ``from_environment=False`` nothing is sent that the environment's variables hold, a key least of all. Answers
    that came before a :class:`DescribeError` are in the cache and in the error's ``descriptions``.
    """
    names = check_describe(
        classes,
        model=model,
        base_url=base_url,
        per_class=per_class,
        topic=topic,
        api_key=api_key,
        concurrency=concurrency,
        timeout=timeout,
        from_environment=from_environment,
    )
    model, topic, base_url = model.strip(), (topic or "").strip() or None, check_base_url(base_url)
    prompts = {name: prompt_for(name, per_class=per_class, topic=topic) for name in names}
    answers = None if cache is None else AnswerCache(Path(cache), base_url, model)
    found: dict[str, tuple[str, ...]] = {}
    for name, prompt in prompts.items():
        if answers is not None and (texts := answers.load(name, prompt)):
            found[name] = texts
    cached = len(found)
    todo = {name: prompt for name, prompt in prompts.items() if name not in found}
    label = f"Asking {model} at {base_url} about {len(todo)} of {len(names)} classes"
    yield Progress(cached, len(names), label if todo else "Every class has its descriptions already")
    failed: dict[str, str] = {}
    if todo:
        if answers is not None:
            answers.prepare()
        stop = threading.Event()
        endpoint = Endpoint(
            model=model,
            base_url=base_url,
            api_key=api_key,
            timeout=timeout,
            stop=stop,
            from_environment=from_environment,
        )
        threads = RequestThreads(endpoint, per_class, answers, stop)
        try:
            for name, outcome in threads.outcomes(todo, min(concurrency, len(todo))):
                if isinstance(outcome, tuple):
                    found[name] = outcome
                elif isinstance(outcome, AnswerError):
                    failed[name] = str(outcome)
                elif isinstance(outcome, EndpointError):
                    raise DescribeError(f"{outcome}{_answered_label(len(found), cache)}", found)
                else:
                    raise outcome
                done = len(found) + len(failed)
                without = f", {len(failed)} without an answer that can be used" if failed else ""
                yield Progress(done, len(names), f"{done} of {len(names)} classes{without}")
        finally:
            stop.set()
    return Described(descriptions={name: found[name] for name in names if name in found}, failed=failed, cached=cached)


class RequestThreads:
    """Sends requests about classes from several threads, and caches each answer when it arrives.

    The threads are daemons: neither a server that hangs nor a wait between two tries keeps Python from ending. Set
    ``stop`` to send no more; it is also set when the endpoint can't be used. The last thread closes the endpoint.
    """

    def __init__(self, endpoint: Endpoint, per_class: int, cache: AnswerCache | None, stop: threading.Event):
        self._endpoint = endpoint
        self._per_class = per_class
        self._cache = cache
        self._stop = stop
        self._lock = threading.Lock()
        self._workers = 0
        self._waiting: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[str, tuple[str, ...] | Exception]] = queue.SimpleQueue()
        self._answered = False
        self._refused = 0

    def outcomes(self, todo: dict[str, str], concurrency: int) -> Iterator[tuple[str, tuple[str, ...] | Exception]]:
        """Yields each class of ``todo``, class to prompt, with its texts or an error, in the order of arrival."""
        for item in todo.items():
            self._waiting.put(item)
        self._workers = concurrency
        for number in range(concurrency):
            threading.Thread(target=self._work, name=f"lgca-describe-{number}", daemon=True).start()
        for _ in todo:
            yield self._done.get()

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    name, prompt = self._waiting.get_nowait()
                except queue.Empty:
                    return
                try:
                    self._done.put((name, self._request(name, prompt)))
                except Exception as error:  # noqa: BLE001 (the caller's thread raises it)
                    self._done.put((name, error))
                    if not isinstance(error, AnswerError):
                        self._stop.set()  # no later request would fare better
        finally:
            with self._lock:
                self._workers -= 1
                last = not self._workers
            if last:
                self._endpoint.close()

    def _request(self, name: str, prompt: str) -> tuple[str, ...]:
        for tries_left in reversed(range(_MAX_TRIES)):
            if self._stop.is_set():
                raise StoppedError
            try:
                answer = self._endpoint.complete(prompt)
                self._answered = True
                texts = parse_answer(name, answer, per_class=self._per_class)
            except RefusedError as error:
                self._count_refusal(error)
                raise
            except AnswerError as error:
                if not tries_left:
                    raise AnswerError(f"{error} (asked {_MAX_TRIES} times)") from None
            else:
                self._write(name, prompt, texts)
                return texts
        raise AssertionError("the last try returns or raises")

    def _count_refusal(self, error: RefusedError) -> None:
        with self._lock:
            self._refused += 1
            if not self._answered and self._refused >= _MAX_REFUSED:
                raise EndpointError(f"the first {_MAX_REFUSED} requests all failed: {error}; check model and base_url")

    def _write(self, name: str, prompt: str, texts: tuple[str, ...]) -> None:
        if self._cache is not None:
            try:
                self._cache.store(name, prompt, texts)
            except OSError as error:
                logger.warning("The descriptions of %r can't be cached: %s", name, error)


def _check_line(text: Any, what: str) -> str:
    """Returns a text stripped; refuses what is not one line."""
    if not isinstance(text, str):
        raise ConfigError(f"{what} must be text, got {shown(text)}")
    stripped = text.strip()
    if not stripped:
        raise ConfigError(f"{what} is blank")
    if any(unicodedata.category(char) in NOT_IN_NAMES for char in stripped):
        raise ConfigError(f"{what} holds a line break or control character, which is not sent: {text[:80]!r}")
    if len(stripped) > MAX_NAME_LENGTH:
        raise ConfigError(f"{what} has {len(stripped)} characters; the limit is {MAX_NAME_LENGTH}")
    return stripped


def _check_count(value: Any, what: str, limit: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= limit:
        raise ConfigError(f"{what} must be a whole number from 1 to {limit}, got {shown(value)}")


def _answered_label(count: int, cache: Path | None) -> str:
    if not count:
        return " (no class has been answered yet)"
    classes = "1 class" if count == 1 else f"{count} classes"
    if cache is None:
        return f" (the answers for {classes} are in the error's descriptions)"
    return f" (the answers for {classes} are cached; the next call requests only the rest)"
