"""Equal rows, against comparing all with all."""

from __future__ import annotations

import numpy as np
import pytest

from lgca_plugin.method.core.equal_rows import equal_rows


def by_hand(vectors: np.ndarray, tolerance: float) -> list[tuple[int, int]]:
    pairs = []
    for second in range(len(vectors)):
        equal = [first for first in range(second) if np.linalg.norm(vectors[first] - vectors[second]) <= tolerance]
        pairs += [(equal[0], second)] if equal else []
    return sorted(pairs)


@pytest.mark.parametrize("seed", range(4))
def test_equal_rows__are_found_whatever_lies_between_them(seed: int) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(60, 8))
    for first, second in ((3, 17), (17, 40), (5, 6), (0, 59)):
        vectors[second] = vectors[first] + random.normal(size=8) * 1e-8
    vectors[30] = vectors[29] + 1e-4
    found = equal_rows(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    assert found == [(0, 59), (3, 17), (3, 40), (5, 6)]


def test_equal_rows__at_many_distances_are_those_of_comparing_all_with_all() -> None:
    vectors = np.round(np.random.default_rng(5).normal(size=(80, 2)), 1)
    for tolerance in (1e-6, 0.15, 0.5):
        first_of = {second for _, second in equal_rows(vectors, tolerance=tolerance)}
        assert first_of == {second for _, second in by_hand(vectors, tolerance)}
    assert equal_rows(np.ones((4, 3), np.float32)) == [(0, 1), (0, 2), (0, 3)]
    assert equal_rows(np.eye(2)) == []
