"""A view that the plugin shows is never taken for the user's own: the figures stay those of the user's view."""

import pytest
from fiftyone import ViewField as F

from lgca_plugin.workflows.decisions.queue import Triage
from tests.helpers.app.operators import TRIAGE, messages_of
from tests.helpers.app.panels import PanelSession, as_json, stages
from tests.helpers.worlds.compared import URI, compared


@pytest.fixture
def run(made):
    found = compared()
    made.append(found.dataset)
    return found


@pytest.fixture
def figures(run):
    whole = PanelSession(URI, run.dataset).load().shown.texts
    return [text for text in whole if text != "All figures are over all 60 samples."]


def test_saved_view__of_a_run_is_recognized_by_its_name_and_by_its_stages(run, figures):
    names = Triage.of(run).save_views()
    assert len(names) == 4
    for name in names:
        view = run.dataset.load_saved_view(name)
        for given in (name, None):
            panel = PanelSession(URI, run.dataset, view=stages(view))
            panel.view_name = given
            panel.load()
            assert panel.shown.number("samples") == "60"
            line = next(text for text in panel.shown.texts if text.startswith("Showing"))
            basis = "The figures below are over all 60 samples."
            assert line.startswith(f"Showing {len(view)} samples")
            assert basis in panel.shown.texts
            assert [text for text in panel.shown.texts if text not in (line, basis)] == figures
            panel.press("Back to your view (60 samples)")
            assert (panel.view, panel.view_name) == ([], None)


def test_saved_view__of_the_users_own_is_the_users_view(run):
    run.dataset.save_view("zs: mine", run.dataset.limit(7))
    run.dataset.save_view("zs: decided", run.dataset.limit(9), description="under a name that a run's could have")
    for name, count in (("zs: mine", "7"), ("zs: decided", "9")):
        panel = PanelSession(URI, run.dataset, view=stages(run.dataset.load_saved_view(name)))
        panel.view_name = name
        assert panel.load().shown.number("samples") == count


@pytest.mark.parametrize("narrow", [False, True])
def test_triage__its_queue_lies_on_the_users_view_where_that_holds_it(run, narrow):
    """In the place of the whole dataset where it does not."""
    suspects = Triage.of(run).suspects()
    assert 1 < len(suspects) < 60
    own = stages(run.dataset.limit(20) if narrow else run.dataset.match(F("number") < 60))
    counts = {"suspects": len(suspects), "judged": 48, "counts": {"triaged": 48, "total": 60}, "misleading": {}}
    run.results["triage"] |= {**counts, "warnings": [], "seconds": 0.1}
    run.save()
    sent, error = messages_of(run.dataset, TRIAGE.operator.show(TRIAGE.context(run.dataset, view=own), Triage.of(run)))
    assert error is None
    (view,) = (as_json(message.params["view"]) for message in sent if message.operator_uri == "set_view")
    panel = PanelSession(URI, run.dataset, view=view).load()
    assert panel.current().values("id") == suspects.values("id")
    assert panel.shown.number("samples") == "60"
    panel.press("Back to your view (60 samples)")
    assert panel.view == ([] if narrow else own)


def test_part__of_a_run_is_not_counted_for_another(run):
    from tests.helpers.worlds.overview import CLASSES, answer, new_run

    panel = PanelSession(URI, run.dataset).load()
    panel.press(next(label for label in panel.shown.buttons if label.startswith("Show the")))
    line = next(text for text in panel.shown.texts if text.startswith("Showing"))
    other = new_run(CLASSES, key="other", dataset=run.dataset)
    run.dataset.set_values("other_clip", [answer("tern")] * 60)
    panel.send("pick_run", value=other.key)
    assert line in panel.shown.texts


def test_accuracy__against_nothing_but_suspected_labels_is_not_shown(run):
    """A view of the user's own may pick them out, too; the methods disagree with each of these labels."""
    suspects = run.dataset.match(F("zs_suggestion.label") != None)  # noqa: E711
    panel = PanelSession(URI, run.dataset, view=stages(suspects.limit(9))).load()
    assert "All figures are over your view, 9 of 60 samples." in panel.shown.texts
    assert "measures nothing" in panel.shown.words
    assert not [text for text in panel.shown.texts if text.startswith("0.0%")]
    panel.send("pick_labels", value="-")
    assert "measures nothing" not in panel.shown.words
