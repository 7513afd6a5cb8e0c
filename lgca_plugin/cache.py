"""Thread-safe cache of the most recently used results."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from cachetools import LRUCache

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, MutableMapping

Value = TypeVar("Value")


class ResultCache(Generic[Value]):
    """Results in memory, by key.

    Args:
        max_results: maximum number of results
    """

    def __init__(self, max_results: int) -> None:
        self._results: MutableMapping[Hashable, Value] = LRUCache(max_results)
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Returns the result under a key, or makes and caches it; errors are not cached.

        Threads that make the same result at once all get the one that is cached first.
        """
        with self._lock:
            if key in self._results:
                return self._results[key]
        value = make()  # outside the lock, so that a slow result does not delay the others
        with self._lock:
            return self._results.setdefault(key, value)

    def clear(self) -> None:
        """Empties the cache."""
        with self._lock:
            self._results.clear()

    def __len__(self) -> int:
        return len(self._results)
