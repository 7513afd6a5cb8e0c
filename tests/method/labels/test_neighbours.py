"""Near duplicates and outliers: against loops over all pairs, and against labels drawn as the mixture says."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from lgca_plugin.method.labels.calibration import Temperature, shuffled
from lgca_plugin.method.labels.expected_errors import error_probabilities
from lgca_plugin.method.labels.label_errors import find_label_errors
from lgca_plugin.method.labels.neighbours import Neighbours, contradicted_rows, find_neighbours, with_neighbours

NONE, NEVER = np.zeros(0, np.int64), np.zeros(0, dtype=bool)


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def pictures(seed, n, copies):
    """Vectors of n pictures, the last ones nearly those of the first."""
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(n, 8)) + 1.5
    vectors[n - copies :] = vectors[:copies] + 1e-3 * random.normal(size=(copies, 8))
    return unit(vectors)


def reader(vectors, size=7, without=()):
    rows = np.array([row for row in np.random.default_rng(1).permutation(len(vectors)) if row not in without])
    return lambda: ((rows[at : at + size], vectors[rows[at : at + size]]) for at in range(0, len(rows), size))


def slow_distances(vectors):
    return [[1 - sum(x * y for x, y in zip(a, b, strict=True)) for b in vectors.tolist()] for a in vectors.tolist()]


@pytest.mark.parametrize("seed", range(6))
def test_find_neighbours__are_those_of_a_loop_over_all_pairs(seed):
    n, copies = 40 + 5 * seed, 4
    vectors = pictures(seed, n, copies)
    found = find_neighbours(reader(vectors), n, NONE)
    distances = slow_distances(vectors)
    nearest = sorted(min(d for other, d in enumerate(own) if other != row) for row, own in enumerate(distances))
    limit = 0.25 * float(np.median(nearest))
    pairs = {(a, b) for a in range(n) for b in range(n) if a != b and distances[a][b] < limit}
    assert set(zip(found.row.tolist(), found.other.tolist(), strict=True)) == pairs
    assert {(at, n - copies + at) for at in range(copies)} <= pairs
    of_ten = [np.mean(sorted(own)[1:11]) for own in distances]  # the first is its own
    first, third = np.quantile(of_ten, [0.25, 0.75])
    assert found.unlike.tolist() == [row for row in range(n) if of_ten[row] > third + 1.7 * (third - first)]


def test_find_neighbours__a_picture_far_from_all_others_is_unlike_them():
    vectors = pictures(0, 50, 0)
    vectors[17] = -vectors[17]
    assert 17 in find_neighbours(reader(vectors), 50, NONE).unlike
    assert find_neighbours(reader(vectors[:29]), 29, NONE).unlike.tolist() == []  # too few for quartiles


def test_find_neighbours__looks_at_the_rows_asked_for_and_the_random_choice_as_far_as_comparisons_go():
    n, copies = 90, 20
    vectors = pictures(3, n, copies)
    every = find_neighbours(reader(vectors), n, NONE)
    chosen = shuffled(n)[:50]
    asked = np.array([row for row in range(n) if row not in chosen])
    some = find_neighbours(reader(vectors), n, asked, sampled=50, comparisons=55 * n)
    assert set(some.row[~some.sampled].tolist()) <= set(asked[:5].tolist())
    assert set(some.row[some.sampled].tolist()) == set(every.row.tolist()) & set(chosen.tolist())
    assert asked[0] in some.row  # one of the copies


def test_find_neighbours__exact_copies_of_all_pictures_are_found():
    vectors = np.repeat(pictures(4, 20, 0), 2, axis=0)
    found = find_neighbours(reader(vectors), 40, NONE)
    assert found.other.tolist() == [row ^ 1 for row in range(40)]


@pytest.mark.thorough
def test_find_neighbours__of_thousands_of_equal_pictures_few_pairs_are_kept_in_memory():
    n = 60_000  # each is a near duplicate of all others: 12 million pairs with those of the choice, 240 MB
    vectors = np.repeat(pictures(6, 1, 0), n, axis=0)
    tracemalloc.start()
    found = find_neighbours(lambda: [(np.arange(n), vectors)], n, NONE, sampled=200)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.bincount(found.row)[found.row].tolist() == [20] * 20 * 200 and peak < 350e6


def test_find_neighbours__without_vectors_or_with_some_missing():
    vectors = pictures(5, 40, 4)
    found = find_neighbours(reader(vectors, without=(0, 37)), 40, np.arange(40))
    assert not {0, 37} & {*found.row.tolist(), *found.other.tolist()} and 2 in found.row
    assert len(find_neighbours(lambda: (), 40, np.arange(40)).row) == 0


def judged(probabilities, labels, wrong_share):
    """The findings of one method whose probabilities are right."""
    found = find_label_errors({"one": np.log(probabilities).astype(np.float32).copy}, labels, classes=4, fixed=["one"])
    return replace(found, ensemble=Temperature(value=1.0, wrong_share=wrong_share, n=len(labels)))


def test_with_neighbours__labels_are_as_often_wrong_as_it_says():
    """Two pictures each of a thing, their labels drawn as the calibration assumes."""
    random, e, n = np.random.default_rng(0), 0.2, 8000
    probabilities = random.dirichlet([0.5, 0.5, 0.5, 0.5], size=n).clip(1e-4)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    truth = (probabilities.cumsum(axis=1) > random.random((n, 1))).argmax(axis=1).repeat(2)
    labels = np.where(random.random(2 * n) < e, random.integers(4, size=2 * n), truth)
    errors = judged(probabilities.repeat(2, axis=0), labels, e)
    rows = np.arange(2 * n)
    pairs = Neighbours(row=rows, other=rows ^ 1, sampled=np.ones(2 * n, bool), unlike=NONE)
    found = with_neighbours(errors, labels, pairs, classes=4)
    lowered = np.flatnonzero(found.quality < errors.quality)
    assert len(lowered) > 500
    said = error_probabilities(found.quality, wrong_share=e, classes=4)[lowered]
    wrong = (labels != truth)[lowered]
    for low, high in ((0, 0.5), (0.5, 0.8), (0.8, 0.95), (0.95, 1)):
        part = (said > low) & (said <= high)
        spread = 3 * np.sqrt(0.25 / part.sum())
        assert part.sum() > 30 and wrong[part].mean() == pytest.approx(said[part].mean(), abs=spread)
    likely = lowered[said >= 0.5]
    assert found.twin is not None
    assert found.suspect[likely].all() and (found.twin[likely] == likely ^ 1).all()
    assert sum(count for *_, count in found.joint.pairs) == found.suspect.sum()
    before, after = ((of.suggestion == truth)[likely].mean() for of in (errors, found))
    assert after > before


def few(labels):
    """Forty pictures of one class, for sure, and a pair; labels of the pair."""
    probabilities = np.full((42, 4), 0.02)
    probabilities[:, 0] = 0.94
    probabilities[40:] = [0.6, 0.2, 0.15, 0.05]
    given = np.array([0] * 40 + list(labels))
    return judged(probabilities, given, 0.05), given


def test_with_neighbours__labels_that_agree_say_nothing():
    errors, given = few([1, 1])
    pairs = Neighbours(row=np.array([40, 41]), other=np.array([41, 40]), sampled=np.ones(2, bool), unlike=NONE)
    found = with_neighbours(errors, given, pairs, classes=4)
    assert found.quality.tolist() == errors.quality.tolist()
    assert found.twin is not None and found.twin.tolist() == [-1] * 42


def test_with_neighbours__a_likely_label_of_the_copy_is_suggested_rather_than_the_ensembles():
    errors, given = few([1, 2])
    assert contradicted_rows(errors, given).tolist() == [41, 40]
    pairs = Neighbours(row=np.array([40, 41]), other=np.array([41, 40]), sampled=np.zeros(2, bool), unlike=NONE)
    found = with_neighbours(errors, given, pairs, classes=4)
    assert found.twin is not None and found.twin[40:].tolist() == [41, 40]
    assert found.quality[41] < errors.quality[41] and found.suspect[41]
    assert not found.suspect[:40].any()
    # without e: p(1) = 0.2, p(2) = 0.15 and nothing else
    e = 0.05
    odds = np.array([0.6, 0.2 * (1 + 4 * (1 - e) / e), 0.15 * (1 + 4 * (1 - e) / e), 0.05])
    p, s = odds / odds.sum(), 4 / 5
    alone = error_probabilities(errors.quality, wrong_share=e, classes=4)[41]
    said = error_probabilities(found.quality, wrong_share=e, classes=4)[41]
    assert said == pytest.approx(s * (1 - p[2]) + (1 - s) * alone)
    assert found.suggestion[41] == (1 if s * p[1] > 0.5 else 0)


def test_with_neighbours__pairs_that_show_other_classes_are_believed_less():
    errors, given = few([1, 2])
    row, other = np.array([40, 41]), np.array([41, 40])
    rare = np.arange(30)  # pairs of the random choice, of different labels
    given[:15] = 3
    pairs = {
        believed: Neighbours(
            row=np.append(rare, row),
            other=np.append((rare + by) % 30, other),
            sampled=np.append(np.ones(30, bool), [False, False]),
            unlike=NONE,
        )
        for believed, by in ((True, 30), (False, 15))
    }
    quality = {name: with_neighbours(errors, given, one, classes=4).quality[41] for name, one in pairs.items()}
    assert quality[True] < quality[False] <= errors.quality[41]


def test_with_neighbours__only_suspects_are_marked_as_unlike_all_others():
    errors, given = few([1, 2])
    found = with_neighbours(
        errors, given, Neighbours(row=NONE, other=NONE, sampled=NEVER, unlike=np.array([3, 41])), classes=4
    )
    assert found.suspect.tolist() == errors.suspect.tolist()
    assert found.unlike is not None
    assert found.unlike.tolist() == [row in (3, 41) and bool(errors.suspect[row]) for row in range(42)]
