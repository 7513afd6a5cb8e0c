"""Rescorings that are interrupted, or meet another one, a deletion or a classification of the same run."""

import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.runs.stored_texts import known_texts
from lgca_plugin.workflows.rescore import rescore as rescore_module
from lgca_plugin.workflows.rescore.plan import Changes, check_rescore, prepare_rescore
from lgca_plugin.workflows.rescore.rescore import iter_rescore
from tests.helpers.runs import steps_of

FEWER = CLASSES[3:9]


def test_rescore__in_place_by_two_at_once_leaves_the_first_ones_answer(run):
    late = iter_rescore(check_rescore(run, Changes(classes=FEWER[:3])))
    next(late)
    first = lgca.load_run(run.dataset, "zs").rescore(classes=FEWER, progress=False)
    labels = run.dataset.values("zs_lgca.label")
    with pytest.raises(lgca.LgcaError):
        list(late)
    assert run.dataset.values("zs_lgca.label") == labels
    assert first.rescore(image_scale=2.0, progress=False).summary()["predicted"] == 8


def test_rescore__after_the_plan_is_made_still_sees_that_the_run_has_changed(run, monkeypatch):
    def slowly(*arguments, **options):
        plan = prepare_rescore(*arguments, **options)
        monkeypatch.setattr(rescore_module, "prepare_rescore", prepare_rescore)
        lgca.load_run(run.dataset, "zs").rescore(classes=FEWER, progress=False)
        return plan

    monkeypatch.setattr(rescore_module, "prepare_rescore", slowly)
    with pytest.raises(lgca.LgcaError, match="was deleted or started again elsewhere"):
        run.rescore(classes=FEWER[:3], progress=False)
    assert lgca.load_run(run.dataset, "zs").config.classes == FEWER
    assert lgca.load_run(run.dataset, "zs").rescore(image_scale=2.0, progress=False).summary()["predicted"] == 8


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


def test_classify__that_goes_on_with_a_run_sees_that_it_was_rescored_meanwhile(run, demo_encoder, options):
    given = {"classes": CLASSES, "descriptions": DESCRIPTIONS, **options}
    steps = steps_of(run.dataset, encoder=demo_encoder, run_key="zs", **given)
    next(steps)
    run.rescore(classes=FEWER, progress=False)
    with pytest.raises(lgca.LgcaError):
        list(steps)
    assert lgca.load_run(run.dataset, "zs").config.classes == FEWER
    assert set(lgca.load_run(run.dataset, "zs").descriptions) == set(FEWER)
