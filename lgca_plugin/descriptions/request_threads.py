"""Threads that send the requests about many classes to an endpoint."""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING

from .answers import AnswerCache, AnswerError, parse_answer
from .endpoint import Endpoint, EndpointError, RefusedError, StoppedError

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

_MAX_TRIES = 3
"""Maximum number of requests about a class whose answers can't be parsed."""
_MAX_REFUSED = 3
"""Number of refused requests, without an answer before them, after which all are given up."""


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
