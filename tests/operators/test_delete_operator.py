"""``lgca_delete_run`` as FiftyOne executes it."""

import re

import pytest
from fiftyone.operators.executor import ExecutionError

import lgca_plugin as lgca
from tests.helpers.app.operators import CLASSIFY, DELETE
from tests.helpers.worlds.classify import LIGHT, add_birds, typed
from tests.helpers.worlds.queue import ids_of


@pytest.fixture
def birds(dataset, demo_images):
    """Birds with two runs, ``one`` and ``two``."""
    add_birds(dataset, demo_images)
    classes = sorted({image.truth for image in demo_images})[:3]
    for key in ("one", "two"):
        CLASSIFY.run(dataset, **typed(*classes, run_key=key, **LIGHT))
    return dataset


def loss(birds):
    return DELETE.form(birds, run_key="one")[0]["loss"].view.description


def refusal(birds):
    properties, found = DELETE.form(birds, run_key="one")
    assert "confirm" not in properties and found
    return properties["refusal"].view.label


def test_form__lists_what_is_deleted_and_must_be_confirmed(birds):
    properties, found = DELETE.form(birds, run_key="one")
    assert found == {"confirm_is_missing": "tick “Delete run 'one' for good”"}
    assert properties["blocked"].view.description == "Tick “Delete run 'one' for good”"
    assert [choice.value for choice in properties["run_key"].view.choices] == ["two", "one"]
    assert loss(birds).startswith(
        "The fields one_clip, one_wca, one_lgca, one_wca_d, one_regions, one_error of 8 predicted"
    )
    assert loss(birds).endswith(
        "evaluations, searches and maps, and its stored embeddings that no other run uses; nothing else."
    )
    with pytest.raises(ExecutionError):
        DELETE.execute(birds, run_key="one")
    birds.reload()
    assert "one_clip" in birds.get_field_schema()


def test_form__counts_what_is_there_now_and_names_a_record_that_cannot_be_read(birds):
    birds.delete_samples(birds.limit(3))
    assert "of 5 predicted samples" in loss(birds)
    birds.clear_sample_field("one_clip")
    assert "of 0 predicted samples" in loss(birds)
    record = birds.get_run_info("one")
    record.config.fields = None
    birds.update_run_config("one", record.config)
    assert refusal(birds) == "The record of run 'one' can't be read by this release."


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"confirm": True}, "run key must name the run to delete; this dataset's runs: two, one"),
        ({"run_key": "nowhere", "confirm": True}, "no zero-shot run 'nowhere'"),
        ({"run_key": "one"}, "confirm=True"),
        ({"run_key": "one", "confirm": "no"}, "confirm=True"),
    ],
)
def test_delete__past_the_form_is_refused(birds, params, words):
    with pytest.raises(Exception, match=re.escape(words)):
        DELETE.run_at_once(birds, **params)
    assert lgca.list_runs(birds) == ["one", "two"]


def test_delete__takes_the_run_and_nothing_else(birds):
    before = set(birds.get_field_schema())
    result = DELETE.call(birds, "one")
    assert lgca.list_runs(birds) == ["two"]
    assert before - set(birds.get_field_schema()) == {
        f"one_{name}" for name in ("clip", "wca", "lgca", "wca_d", "regions", "error")
    }
    assert result.result["run_key"] == "one"
    sent = [request.operator_uri for request in result.executor._requests]
    assert sent == ["notify", "@lgca/zero-shot/lgca_arrange_app", "reload_dataset"]
    DELETE.call(birds, "two")
    assert lgca.store_info().runs == []


def test_form__of_a_run_with_a_read_only_field_says_that_nothing_can_be_deleted(birds):
    field = birds.get_field("one_clip")
    field.read_only = True
    field.save()
    sentence = "field 'one_clip' is read-only, so the run can't be deleted: it has to be made writable first"
    assert refusal(birds) == f"F{sentence[1:]}."
    with pytest.raises(Exception, match=sentence):
        DELETE.run_at_once(birds, run_key="one", confirm=True)
    assert lgca.list_runs(birds) == ["one", "two"]


def test_delete__is_refused_if_decisions_were_made_while_the_form_was_open(triage):
    dataset, ids = triage.run.dataset, ids_of(triage)
    triage.decide(ids[0], "accepted")
    properties, _ = DELETE.form(dataset, run_key="zs")
    assert "1 decision about a label and its tag go with it" in properties["loss"].view.description
    assert "a new search lists these pictures again" in properties["loss"].view.description
    named = properties["decisions_of_zs"].default
    triage.decide(ids[1:3], "skipped")
    with pytest.raises(Exception, match="2 decisions were made about run 'zs' while this form was open"):
        DELETE.run_at_once(dataset, run_key="zs", confirm=True, decisions_of_zs=named)
    assert len(triage.decisions()) == 3
    DELETE.run_at_once(dataset, run_key="zs", confirm=True, decisions_of_zs=3)
    assert lgca.list_runs(dataset) == []
