"""``lgca_cancel_run`` and the menu's entry for it, while something is at work on a run; and what is refused then."""

import itertools

import pytest

import lgca_plugin as lgca
from lgca_plugin.runs.lease import Lease
from tests.helpers.app.operators import CANCEL, CLASSIFY, DELETE, AppOperator, progress, shown
from tests.helpers.worlds.classify import LIGHT, add_birds, typed

MENU = AppOperator("lgca_menu")


@pytest.fixture
def birds(dataset, demo_images):
    return add_birds(dataset, demo_images)


@pytest.fixture
def params(demo_images):
    return typed(*sorted({image.truth for image in demo_images})[:3], run_key="zs", **LIGHT)


def offers_cancelling(dataset):
    return "Cancel a run" in str(MENU.operator.resolve_type(MENU.context(dataset), "inputs").to_json())


def test_cancel__is_offered_while_something_is_at_work_and_stops_it(dataset):
    assert CANCEL.errors(dataset) == {"refusal": "Nothing is at work on this dataset, so there is nothing to cancel."}
    assert not offers_cancelling(dataset)
    with Lease.take(dataset, "zs", "find") as lease:
        lease.progress = "3 of 8 images"
        lease.start()
        assert offers_cancelling(dataset)
        properties, found = CANCEL.form(dataset)
        assert found == {}
        (choice,) = properties["run_key"].view.choices
        assert (choice.value, properties["run_key"].default) == ("zs", "zs")
        notice = properties["kept"].view
        assert notice.label == "3 of 8 images"
        assert notice.description.startswith("Being searched for wrong labels since 2")
        result, messages = CANCEL.run_at_once(dataset, run_key="zs")
        assert (result["run_key"], result["counts"]) == ("zs", {"at work": 1})
        said = str(dict(messages)["show_output"])
        assert "Run 'zs' is being cancelled" in said and "'open': 'lgca_find_wrong_labels'" in said
        lease.renew()
        with pytest.raises(lgca.RunCancelledError, match="cancelled by somebody in the App"):
            lease.check()


def test_classify__shows_its_progress_with_a_button_that_cancels_it(birds, params):
    ctx = CLASSIFY.context(birds, params)
    messages = []
    for message in CLASSIFY.begin(ctx):
        messages.append(message.body)
        if len(messages) == 1:  # while the model is loaded, long before the last image
            lgca.cancel_run(birds, "zs", by="ann")
    assert progress(messages)
    shows = [message.params for message in messages if message.operator_uri.endswith("lgca_show_progress")]
    assert "lgca_cancel_run" in str(shows[0]) and "'run_key': 'zs'" in str(shows[0])
    assert len({one["work"] for one in shows}) == 1  # what the user has closed stays closed
    end = next(message.params for message in reversed(messages) if message.operator_uri == "show_output")
    assert "Run 'zs' was cancelled by ann; what is done is kept: the same settings go on with it" in str(end)
    assert "'open': 'lgca_classify'" in str(end)
    assert ("lgca_delete_run" in str(end)) == ("zs" in lgca.list_runs(birds))
    birds.reload()
    assert lgca.runs_at_work(birds) == {}


def test_classify__goes_on_when_its_page_is_closed(birds, params):
    steps = CLASSIFY.begin(CLASSIFY.context(birds, params))
    list(itertools.islice(steps, 2))
    assert "zs" in lgca.runs_at_work(birds)
    steps.close()
    while lgca.runs_at_work(birds):
        pass
    birds.reload()
    assert lgca.load_run(birds, "zs").state.name == "completed"
    assert birds.count("zs_lgca") == len(birds)


def test_refused__while_a_run_is_at_work_in_the_words_of_the_app(birds, params):
    CLASSIFY.run(birds, **params)
    held = "run 'zs' is being triaged by .*: wait until that has ended, or cancel it in the menu “Wrong labels”"
    with Lease.take(birds, "zs", "triage"):
        messages, error = CLASSIFY.run_to_error(birds, **{**params, "overwrite": True})
        assert type(error).__name__ == "RunHeldError"
        assert "or cancel it in the menu" in str(shown(messages))
        with pytest.raises(Exception, match=held):
            DELETE.run_at_once(birds, run_key="zs", confirm=True)
    assert lgca.load_run(birds, "zs").state.name == "completed"
