"""Asking an endpoint about many classes at a time."""

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

_ASKED = 3  # tries for a class whose answers can't be read
_REFUSED = 3  # requests, from the first on, whose refusal is taken to be about all of them


class Asker:
    """Asks about classes from several threads, and keeps each answer as soon as it is there.

    The threads are daemons: neither a server that hangs nor a wait between two tries keeps Python from ending.

    Args:
        endpoint: it is closed when the last thread ends
        per_class: how many texts of an answer are taken
        kept: where answers are stored, if anywhere
        stop: set it to stop asking; it is also set when the endpoint can't be used
    """

    def __init__(self, endpoint: Endpoint, per_class: int, kept: AnswerCache | None, stop: threading.Event):
        self._endpoint = endpoint
        self._per_class = per_class
        self._kept = kept
        self._stop = stop
        self._lock = threading.Lock()
        self._workers = 0
        self._answered = False
        self._refused = 0

    def outcomes(self, todo: dict[str, str], concurrency: int) -> Iterator[tuple[str, tuple[str, ...] | Exception]]:
        """Yields each class with its texts, or with what came in between, in the order in which they are settled.

        Args:
            todo: class name to the message about it
            concurrency: number of threads
        """
        waiting: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        settled: queue.SimpleQueue[tuple[str, tuple[str, ...] | Exception]] = queue.SimpleQueue()
        for question in todo.items():
            waiting.put(question)
        self._workers = concurrency
        for number in range(concurrency):
            threading.Thread(
                target=self._work, args=(waiting, settled), name=f"lgca-describe-{number}", daemon=True
            ).start()
        for _ in todo:
            yield settled.get()

    def _work(
        self,
        waiting: queue.SimpleQueue[tuple[str, str]],
        settled: queue.SimpleQueue[tuple[str, tuple[str, ...] | Exception]],
    ) -> None:
        try:
            while not self._stop.is_set():
                try:
                    name, prompt = waiting.get_nowait()
                except queue.Empty:
                    return
                try:
                    settled.put((name, self._ask(name, prompt)))
                except Exception as error:  # noqa: BLE001 (the caller's thread raises it)
                    settled.put((name, error))
                    if not isinstance(error, AnswerError):
                        self._stop.set()  # no later request would fare better
        finally:
            with self._lock:
                self._workers -= 1
                last = not self._workers
            if last:
                self._endpoint.close()

    def _ask(self, name: str, prompt: str) -> tuple[str, ...]:
        for tries_left in reversed(range(_ASKED)):
            if self._stop.is_set():
                raise StoppedError
            try:
                answer = self._endpoint.ask(prompt)
                self._answered = True
                texts = parse_answer(name, answer, per_class=self._per_class)
            except RefusedError as error:
                self._count_refusal(error)
                raise
            except AnswerError as error:
                if not tries_left:
                    raise AnswerError(f"{error} (asked {_ASKED} times)") from None
            else:
                self._keep(name, prompt, texts)
                return texts
        raise AssertionError("the last try returns or raises")

    def _count_refusal(self, error: RefusedError) -> None:
        with self._lock:
            self._refused += 1
            if not self._answered and self._refused >= _REFUSED:
                raise EndpointError(f"the first {_REFUSED} requests all failed: {error}; check model and base_url")

    def _keep(self, name: str, prompt: str, texts: tuple[str, ...]) -> None:
        if self._kept is not None:
            try:
                self._kept.store(name, prompt, texts)
            except OSError as error:
                logger.warning("The descriptions of %r can't be kept in the cache: %s", name, error)
