"""The cache of results in memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest

from lgca_plugin.cache import ResultCache


def test_get__the_least_recently_used_result_goes_first_and_failures_are_not_cached() -> None:
    cache: ResultCache[object] = ResultCache(2)
    made: list[int] = []

    def make(value: int) -> int:
        made.append(value)
        return value

    for value in (1, 2, 1, 3, 1, 2):  # 3 takes the place of 2, which is made again and takes that of 3
        assert cache.get(value, partial(make, value)) == value
    assert made == [1, 2, 3, 2] and len(cache) == 2
    with pytest.raises(ZeroDivisionError):
        cache.get(9, lambda: 1 // 0)
    assert cache.get(9, lambda: "now") == "now"
    cache.clear()
    assert len(cache) == 0


def test_get__many_threads_get_the_results_of_their_keys() -> None:
    cache: ResultCache[int] = ResultCache(4)

    def count_wrong(_: int) -> int:
        return sum(cache.get(at % 7, partial(int, at % 7)) != at % 7 for at in range(2000))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(count_wrong, range(8))) == 0
    assert len(cache) <= 4


def test_get__threads_that_make_one_result_at_once_share_the_first() -> None:
    cache: ResultCache[object] = ResultCache(1)
    both = Barrier(2)

    def make() -> object:
        both.wait(10)
        return object()

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: cache.get("key", make), range(2))
    assert one is other
