"""Examples of a class: typical, undoubted, and near to the picture in question."""

import numpy as np
import pytest

from lgca_plugin.errors import ConfigError
from lgca_plugin.workflows.decisions.queue import Triage
from lgca_plugin.workflows.review import pools
from lgca_plugin.workflows.review.examples import class_examples
from tests.helpers.worlds.review import CLASSES, review_run


@pytest.fixture
def world():
    """Makes runs, whose datasets are deleted in the end."""
    made = []

    def make(rows, **options):
        run, ids = review_run(rows, **options)
        made.append(run.dataset)
        return run, ids

    yield make
    for dataset in made:
        dataset.delete()


def around(angle, *, given="tern", **values):
    """A sample whose vector lies at an angle, in degrees."""
    turn = np.deg2rad(angle)
    return {"given": given, "vector": [np.cos(turn), np.sin(turn), 0.3], "quality": 0.9, **values}


def found(run, label, near=None):
    examples = class_examples(run, label, near)
    assert all(one.label == label for one in examples)
    assert all(one.filepath == run.dataset[one.sample_id].filepath for one in examples)
    return [one.sample_id for one in examples if not one.nearest], [one.sample_id for one in examples if one.nearest]


def together(lists):
    return {id_ for ids in lists for id_ in ids}


def test_class_examples__are_the_central_ones_and_the_nearest(world):
    angles = [0, 20, 40, 60, 90]  # the mean direction is at 41.6 degrees
    suspect = around(88, given="swan", suggested="tern", quality=0.01)
    run, ids = world([*map(around, angles), suspect])
    assert found(run, "tern") == ([ids[2], ids[3], ids[1]], [])
    typical, nearest = found(run, "tern", ids[5])
    assert nearest == [ids[4]]
    assert typical == [ids[2], ids[3], ids[1]]


def test_class_examples__no_label_that_anybody_doubts_is_shown(world):
    run, ids = world(
        [
            around(40),
            around(41, suggested="swan", quality=0.01),
            around(42, answers=["tern", "swan", "tern"]),
            around(43, given="swan"),
            around(44),
            around(45),
        ]
    )
    assert together(found(run, "tern")) == {ids[0], ids[4], ids[5]}
    triage = Triage.of(run)
    triage.decide(ids[4], "bad image")
    triage.decide(ids[5], "accepted", label="gull")
    assert found(run, "tern") == ([ids[0]], [])
    triage.decide(ids[4], "label right")
    assert together(found(run, "tern")) == {ids[0], ids[4]}


def test_class_examples__follow_deletions_and_edited_labels(world):
    run, ids = world([around(angle) for angle in (0, 30, 60, 90)])
    assert len(found(run, "tern")[0]) == 3
    run.dataset.delete_samples([ids[1]])
    run.dataset.select(ids[2]).set_values("labels.label", ["gull"])
    assert set(found(run, "tern")[0]) == {ids[0], ids[3]}


def test_class_examples__are_not_the_picture_itself(world):
    run, ids = world([around(0), around(50)])
    assert found(run, "tern", ids[0]) == ([], [ids[1]])


def test_class_examples__of_a_class_without_any_are_none(world):
    run, ids = world([around(0), around(10)])
    assert class_examples(run, "gull", ids[0]) == ()
    assert class_examples(run, "no class", ids[0]) == ()


def test_class_examples__without_stored_vectors_are_any_three(world):
    rows = [{name: value for name, value in around(10 * at).items() if name != "vector"} for at in range(5)]
    run, ids = world(rows)
    typical, nearest = found(run, "tern", ids[0])
    assert len(typical) == 3
    assert set(typical) <= set(ids[1:])
    assert nearest == []


def test_class_examples__without_a_vector_of_the_picture_have_no_nearest(world):
    bare = {name: value for name, value in around(5, given="swan").items() if name != "vector"}
    run, ids = world([around(0), around(40), bare])
    assert found(run, "tern", ids[2])[1] == []
    assert len(found(run, "tern", ids[2])[0]) == 2


def test_class_examples__of_one_class_and_without_given_labels(world):
    run, ids = world([around(angle) for angle in (0, 40, 80)], classes=["tern", "swan"], ground_truth=None)
    assert together(found(run, "tern", ids[0])) == {ids[1], ids[2]}


def test_class_examples__of_a_large_class_come_from_a_part_of_it(world, monkeypatch):
    monkeypatch.setattr(pools, "POOL_SIZE", 4)
    run, ids = world([around(angle) for angle in range(0, 90, 6)])
    pool = pools.class_pools(run, ["tern"])["tern"]
    assert len(pool.ids) == 4
    assert together(found(run, "tern", ids[0])) <= set(pool.ids)


def test_class_pools__are_the_same_one_by_one_together_and_ahead(world):
    rows = [around(7 * at, given=CLASSES[at % 3]) for at in range(12)]
    run, ids = world(rows)

    def listed(*calls):
        pools.POOLS.clear()
        pools.LISTED.clear()
        found: dict[str, pools.Pool] = {}
        for labels, ahead in calls:
            found |= pools.class_pools(run, labels, ahead=ahead)
        return {label: set(pool.ids) for label, pool in found.items()}

    expected = {label: {id_ for at, id_ in enumerate(ids) if CLASSES[at % 3] == label} for label in CLASSES}
    assert listed((["tern"], ()), (["swan"], ()), (["gull"], ())) == expected
    assert listed((CLASSES, ())) == expected
    assert listed((["tern"], ["swan", "gull"]), (["swan"], ()), (["gull"], ())) == expected
    assert listed((["swan", "tern"], ["swan", "no class"]), (["no class"], ()))["no class"] == set()


def test_class_examples__of_a_run_that_was_not_triaged_are_refused(world):
    run, _ = world([around(0)])
    run.results.pop("triage")
    with pytest.raises(ConfigError, match="not been triaged"):
        class_examples(run, CLASSES[0])
