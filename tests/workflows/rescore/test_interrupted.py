"""Rescorings that are interrupted, or meet another one, a deletion or a classification of the same run."""

import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.runs.stored_texts import known_texts
from lgca_plugin.workflows.rescore.request import Changes, check_rescore
from lgca_plugin.workflows.rescore.rescore import iter_rescore
from tests.helpers.runs import steps_of

FEWER = CLASSES[3:9]


def test_rescore__in_place_by_two_at_once_refuses_the_second_and_the_first_one_ends(run):
    first = iter_rescore(check_rescore(run, Changes(classes=FEWER)))
    next(first)
    with pytest.raises(lgca.RunHeldError, match="run 'zs' is being rescored by"):
        lgca.load_run(run.dataset, "zs").rescore(classes=FEWER[:3], progress=False)
    list(first)
    rescored = lgca.load_run(run.dataset, "zs")
    assert rescored.config.classes == FEWER
    assert (rescored.state.name, rescored.state.task) == ("completed", "rescore")
    assert rescored.rescore(image_scale=2.0, progress=False).summary()["predicted"] == 8


def test_rescore__of_a_run_that_was_rescored_since_it_was_loaded_writes_nothing(run):
    late = check_rescore(run, Changes(classes=FEWER[:3]))
    lgca.load_run(run.dataset, "zs").rescore(classes=FEWER, progress=False)
    with pytest.raises(lgca.LgcaError):
        list(iter_rescore(late))
    assert lgca.load_run(run.dataset, "zs").config.classes == FEWER


@pytest.mark.parametrize("change", [{"image_scale": 3.0}, {"classes": FEWER}], ids=["weights", "classes"])
def test_rescore__broken_off_in_place_loses_nothing_and_can_be_repeated(run, change):
    steps = iter_rescore(check_rescore(run, Changes(**change)), images_at_once=2)
    while next(steps).done < 2:
        pass
    steps.close()

    broken = lgca.load_run(run.dataset, "zs")
    assert broken.summary()["status"] == "interrupted"
    assert set(known_texts(broken)) == set(CLASSES)
    again = broken.rescore(**change, progress=False)
    summary = again.summary()
    assert (summary["status"], summary["predicted"], summary["pending"], summary["failed"]) == ("done", 8, 0, 0)
    whole = again.rescore(classes=CLASSES, image_scale=4.0, progress=False)
    assert whole.summary()["predicted"] == 8
    assert whole.descriptions == run.descriptions


def test_rescore__of_a_run_that_is_deleted_meanwhile_is_complete(run):
    steps = iter_rescore(check_rescore(run, Changes(classes=FEWER), run_key="re"))
    while not next(steps).total:
        pass
    run.delete()
    list(steps)
    summary = lgca.load_run(run.dataset, "re").summary()
    assert (summary["status"], summary["predicted"], summary["pending"]) == ("done", 8, 0)


def test_rescore__of_a_run_that_is_being_classified_is_refused(run, demo_encoder, options):
    given = {"classes": CLASSES, "descriptions": DESCRIPTIONS, **options}
    steps = steps_of(run.dataset, encoder=demo_encoder, run_key="zs", **given)
    next(steps)
    with pytest.raises(lgca.RunHeldError, match="run 'zs' is being classified by"):
        run.rescore(classes=FEWER, progress=False)
    list(steps)
    assert set(lgca.load_run(run.dataset, "zs").descriptions) == set(CLASSES)
