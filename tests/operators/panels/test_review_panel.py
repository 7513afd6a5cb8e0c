"""The review panel's events on a triaged run: what a person reads, decides, and finds written."""

import fiftyone as fo
import fiftyone.operators as foo
import pytest

import lgca_plugin as lgca
from lgca_plugin.workflows.decisions.queue import Triage
from lgca_plugin.workflows.review.queue import ReviewQueue
from tests.helpers.app.panels import PanelSession
from tests.helpers.app.review import EVENTS, URI, click_picture, decisions, file_of, pictures, press_again
from tests.helpers.worlds.queue import GIVEN, OTHER, SUGGESTED, SUSPECTS, corrected, ids_of

FOLLOW, WRITTEN = "@lgca/zero-shot/lgca_follow_review", "@lgca/zero-shot/lgca_show_written"
CHANGE, KEEP = f"Change to {SUGGESTED}", f"Keep {GIVEN}"


@pytest.fixture
def panel(triage):
    return PanelSession(URI, triage.run.dataset).load(EVENTS)


@pytest.fixture
def queue(triage):
    """The ids of the suspects, in the order of the review."""
    return list(ReviewQueue.of(triage.run).ids)


# The card


def test_open__the_operator_opens_the_panel_beside_the_grid(triage):
    from tests.helpers.app.operators import context

    uri = "@lgca/zero-shot/lgca_open_review"
    ctx = context(triage.run.dataset, uri=uri)
    foo.get_operator(uri).execute(ctx)
    (request,) = ctx.executor.to_json()["requests"]
    assert (request["operator_uri"], request["params"]["name"]) == ("open_panel", "lgca_review")


def test_card__says_what_is_given_what_is_suggested_and_how_sure(triage, panel, queue):
    shown = panel.shown
    confidence = triage.run.dataset[queue[0]].zs_suggestion.confidence
    assert f"0 of {SUSPECTS} reviewed, 0 changed" in shown.texts
    assert {GIVEN, SUGGESTED, f"Suggested label, {confidence:.0%} sure"} <= set(shown.texts)
    assert {CHANGE, KEEP, "Another class …", "Can't tell", "Bad image"} <= set(shown.buttons)
    assert "Undo" not in shown.buttons
    assert file_of(triage, queue[0]) in pictures(shown)


def test_card__of_a_label_outside_the_classes_shows_the_nearest_class(triage, panel, queue):
    triage.run.dataset.select(queue[0]).set_values("labels.label", [OTHER.title()])
    shown = panel.load(EVENTS).shown
    said = f"“{OTHER.title()}” is not among the classes of this run; nearest: “{OTHER}”."
    assert any(text.startswith(said) for text in shown.texts) and OTHER.title() in shown.texts
    assert {f"{SUGGESTED} looks like this", f"{OTHER} looks like this"} <= set(shown.texts)
    assert f"{OTHER.title()} looks like this" not in shown.texts
    panel.press("Another class …")
    panel.press(f"Change to {OTHER}")
    assert decisions(triage) == {queue[0]: ("accepted", OTHER)}


def test_card__shows_the_picture_that_is_nearly_the_same_and_its_label_as_it_is_now(triage, panel, queue):
    dataset, twin = triage.run.dataset, ids_of(triage)[-1]
    assert twin not in queue
    for path, value in (("near_duplicate", twin), ("unlike", True)):
        dataset.select(queue[0]).set_values(f"zs_suggestion.{path}", [value])
    dataset.select(twin).set_values("labels.label", [OTHER])
    shown = panel.load(EVENTS).shown
    assert f"Nearly the same picture, labelled {OTHER}" in shown.texts
    (reason,) = (text for text in shown.texts if text.startswith("Nearly the same picture is"))
    assert f"labelled “{OTHER}”: usually one of the two is wrong." in reason and "unlike every other" in reason
    assert file_of(triage, twin) in pictures(shown)
    click_picture(panel, file_of(triage, twin))
    assert panel.sent[0] == "open_sample"
    Triage.of(triage.run).decide(twin, "accepted", label=GIVEN)
    shown = panel.load(EVENTS).shown
    assert not any("early the same picture" in text for text in shown.texts)


def test_card__goes_forward_and_back_without_a_decision(triage, panel, queue):
    names = []
    for _ in range(SUSPECTS):
        names.append(pictures(panel.shown)[0])
        if panel.shown.buttons["\u203a"]["disabled"]:
            break
        panel.press("\u203a")
    assert names == [file_of(triage, id_) for id_ in queue]
    panel.press("\u2039")
    assert pictures(panel.shown)[0] == file_of(triage, queue[-2])
    assert decisions(triage) == {}


# Decisions


def test_decide__each_button_writes_what_it_says_and_shows_the_next(triage, panel, queue):
    for at, (label, written) in enumerate(
        [
            (CHANGE, ("accepted", SUGGESTED)),
            (KEEP, ("label right", None)),
            ("Can't tell", ("skipped", None)),
            ("Bad image", ("bad image", None)),
        ]
    ):
        panel.press(label)
        assert decisions(triage)[queue[at]] == written
        assert pictures(panel.shown)[0] == file_of(triage, queue[at + 1])
    assert corrected(triage, queue[0]) == SUGGESTED
    assert f"4 of {SUSPECTS} reviewed, 1 changed" in panel.shown.texts


def test_decide__the_app_has_the_next_card_before_it_loads_what_has_changed(panel, queue):
    panel.press(CHANGE)
    assert panel.sent.index("show_panel_output") < panel.sent.index("reload_dataset")  # it has the new field then
    shown = panel.press(KEEP)
    assert panel.sent.index("show_panel_output") < panel.sent.index(WRITTEN)
    assert not {"reload_dataset", "reload_samples"} & {*panel.sent}
    assert shown.requests[WRITTEN] == {"samples": [queue[1]], "now": False}
    assert shown.requests[FOLLOW] == {"sample": queue[2], "focus": False}
    panel.filters = {"labels.label": {"values": [GIVEN]}}  # the grid may show other samples after a decision
    assert panel.press("Can't tell").requests[WRITTEN]["now"]


def test_decide__a_second_click_on_a_button_decides_nothing_more(triage, panel, queue):
    button = panel.shown.buttons[CHANGE]
    panel.press(CHANGE)
    shown = press_again(panel, button)
    assert set(decisions(triage)) == {queue[0]}
    assert len(triage.decisions(history=True)) == 1
    assert pictures(shown)[0] == file_of(triage, queue[1])
    assert panel.notified == []


def test_decide__what_another_person_has_decided_meanwhile_stays(triage, panel, queue):
    triage.decide(queue[0], "label right", by="anna")
    shown = panel.press(CHANGE)
    assert decisions(triage) == {queue[0]: ("label right", None)}
    ((kind, message),) = panel.notified
    assert (kind, "decided by anna meanwhile" in message) == ("warning", True)
    assert f"Decided: kept “{GIVEN}”, by anna" in shown.texts


def test_decide__events_with_the_state_from_before_do_not_lead_back(triage, panel, queue):
    before = dict(panel.state)
    panel.press(CHANGE)
    now, panel.state = panel.state, before
    shown = panel.send("on_change_view")
    assert pictures(shown)[0] == file_of(triage, queue[1])
    panel.state = now


def test_decide__a_decided_card_says_so_and_can_be_decided_anew(triage, panel, queue):
    panel.press(CHANGE)
    shown = panel.press("\u2039")
    assert any(line.startswith(f"Decided: changed to “{SUGGESTED}”") for line in shown.texts)
    panel.press(KEEP)
    assert decisions(triage) == {queue[0]: ("label right", None)}
    assert pictures(panel.shown)[0] == file_of(triage, queue[1])
    panel.press("\u2039")
    panel.press("Take back")
    assert decisions(triage)[queue[0]] == ("accepted", SUGGESTED)  # the decision before


def test_decide__another_class_is_chosen_by_its_name(triage, panel, queue):
    shown = panel.press("Another class …")
    assert CHANGE not in shown.buttons
    panel.send("pick_class", value=OTHER)
    assert decisions(triage) == {queue[0]: ("accepted", OTHER)}
    assert pictures(panel.shown)[0] == file_of(triage, queue[1])
    panel.press("Another class …")
    panel.send("pick_class", value=GIVEN)
    assert decisions(triage)[queue[1]] == ("label right", None)
    panel.press("Another class …")
    panel.send("pick_class", value=None)
    panel.send("pick_class", value="no class of the run")
    assert set(decisions(triage)) == set(queue[:2])
    assert CHANGE in panel.press("Cancel").buttons


def test_undo__takes_the_last_decisions_back_one_after_the_other(triage, panel, queue):
    panel.press(CHANGE)
    panel.press(KEEP)
    undo = panel.shown.buttons["Undo"]
    shown = panel.press("Undo")
    assert set(decisions(triage)) == {queue[0]}
    assert pictures(shown)[0] == file_of(triage, queue[1])
    press_again(panel, undo)
    assert set(decisions(triage)) == {queue[0]}
    shown = panel.press("Undo")
    assert decisions(triage) == {}
    assert (pictures(shown)[0], "Undo" in shown.buttons) == (file_of(triage, queue[0]), False)


# The end of the queue


def test_end__says_what_changed_and_how_right_the_methods_are_now(triage, panel):
    for at in range(SUSPECTS):
        panel.press(CHANGE if at % 2 else KEEP)
    shown = panel.shown
    assert "All suspects are reviewed" in shown.texts
    assert shown.tables["changes"] == [{"given": GIVEN, "corrected": SUGGESTED, "count": str(SUSPECTS // 2)}]
    dataset = triage.run.dataset
    for row, method in zip(shown.tables["accuracy"], ("clip", "wca", "lgca"), strict=True):
        right = [
            a == b
            for a, b in zip(dataset.values(f"zs_{method}.label"), dataset.values("labels_corrected.label"), strict=True)
        ]
        assert row["after"] == f"{sum(right) / len(right):.1%}"
    assert shown.tables["finds"] == [{"places": f"1 to {SUSPECTS}", "reviewed": "6", "found": "3"}]
    panel.press("Export")
    assert panel.prompted == [("lgca_export_decisions", {"run": "zs"})]


def test_end__shows_the_changes_in_the_grid_and_leads_back(triage, panel, queue):
    panel.press(CHANGE)
    panel.press(KEEP)
    panel.press("Summary")
    panel.press("Show all changes")
    assert panel.current().values("id") == [queue[0]]
    compare = PanelSession("@lgca/zero-shot/lgca_compare", triage.run.dataset, view=panel.view)
    compare.load()
    compare.press("Back to your view (12 samples)")
    assert compare.view == []
    panel.press("Show all pictures")
    assert panel.view == [] and "Show all pictures" not in panel.shown.buttons
    panel.press(f"Review the {SUSPECTS - 2} left")
    assert pictures(panel.shown)[0] == file_of(triage, queue[2])


def test_end__what_could_not_be_told_is_looked_at_again_one_after_the_other(triage, panel, queue):
    for at in range(SUSPECTS):
        panel.press("Can't tell" if at in (1, 3, 4) else KEEP)
    shown = panel.press("Look again at the 3 you could not tell")
    for at, label in ((1, CHANGE), (3, "Can't tell"), (4, KEEP)):
        assert pictures(shown)[0] == file_of(triage, queue[at])
        shown = panel.press(label)
    assert "All suspects are reviewed" in shown.texts
    assert f"{SUSPECTS} of {SUSPECTS} reviewed, 1 changed" in shown.texts
    shown = panel.press("Look again at the one you could not tell")
    assert pictures(shown)[0] == file_of(triage, queue[3])


def test_end__the_review_goes_on_below_the_suspects_with_the_least_certain_labels(triage, panel, queue):
    dataset, others = triage.run.dataset, [id_ for id_ in ids_of(triage) if id_ not in queue]
    quality = dict(zip(ids_of(triage), dataset.values("zs_label_quality"), strict=True))
    below = sorted(others, key=quality.__getitem__)
    for field in ("zs_clip", "zs_wca"):  # most methods see another class in the first of them
        dataset[[below[0]]].set_values(f"{field}.label", [SUGGESTED])
    dataset[[below[0]]].set_values("labels.label", [GIVEN])
    for _ in range(SUSPECTS):
        panel.press(KEEP)
    shown = panel.press("Go on with other labels")
    assert pictures(shown)[0] == file_of(triage, below[0])
    assert "Other labels, the least certain first: 0 reviewed, 0 changed" in shown.words
    shown = panel.press(CHANGE)
    assert pictures(shown)[0] == file_of(triage, below[1])
    assert "first: 1 reviewed, 1 changed" in shown.words
    dataset.reload()
    assert dataset[below[0]]["labels_corrected"].label == SUGGESTED
    assert pictures(panel.press("\u203a"))[0] == file_of(triage, below[2])
    for id_ in (*below[3:], below[1]):  # it goes on after a label that was passed over, and comes back to it at the end
        keep = next(label for label in panel.shown.buttons if label.startswith("Keep "))
        assert pictures(panel.press(keep))[0] == file_of(triage, id_)
    words = panel.press("Summary").words
    assert f"0 | changed | {SUSPECTS} | kept" in words
    assert f"Other labels, which are no suspects: {len(below) - 1} reviewed, 1 changed." in words


# A sample that is open


def test_sample_view__follows_the_open_sample_and_opens_the_next_suspect(triage, queue):
    panel = PanelSession(URI, triage.run.dataset, queue[2]).load(EVENTS)
    assert pictures(panel.shown)[0] == file_of(triage, queue[2])
    shown = panel.press(CHANGE)
    assert shown.requests["open_sample"]["id"] == queue[3]
    assert pictures(panel.turn_to(queue[3]))[0] == file_of(triage, queue[3])


def test_sample_view__a_sample_that_is_no_suspect_can_be_decided_too(triage, queue):
    other = next(id_ for id_ in ids_of(triage) if id_ not in queue)
    panel = PanelSession(URI, triage.run.dataset, other).load(EVENTS)
    assert CHANGE not in panel.shown.buttons
    panel.press("Another class …")
    shown = panel.send("pick_class", value=OTHER)
    assert decisions(triage) == {other: ("accepted", OTHER)}
    assert "open_sample" not in shown.requests
    assert any(line.startswith(f"Decided: changed to “{OTHER}”") for line in shown.texts)


def test_card__opens_the_sample_in_full_size(panel, triage, queue):
    shown = click_picture(panel, file_of(triage, queue[0]))
    assert shown.requests["open_sample"]["id"] == queue[0]


def test_card__why_opens_the_sample_and_then_the_panel_with_the_evidence(panel, queue):
    shown = panel.press("Why?")
    assert shown.requests["open_sample"]["id"] == queue[0] and "open_panel" not in shown.requests
    panel.sample = queue[0]
    assert panel.send("on_change_current_sample").requests["open_panel"]["name"] == "lgca_evidence"
    assert "open_panel" not in panel.send("on_change_current_sample").requests


# Runs


def test_runs__are_listed_where_there_are_several(triage, panel):
    dataset = triage.run.dataset
    assert "run" not in panel.shown.lists
    other = lgca.classify(
        dataset, encoder=lgca.load_encoder("demo"), classes=[GIVEN, SUGGESTED], methods=["clip"], run_key="second",
        progress=False,
    )  # fmt: skip
    other.results["triage"] = {**Triage.of(triage.run).report, "methods": ["clip"], "suspects": 0}
    other.save()
    dataset.add_sample_field("second_suggestion", fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification)
    shown = panel.load(EVENTS).shown
    assert set(shown.lists["run"]) == {"zs", "second"}
    assert "Nothing looks wrong" in panel.send("pick_run", value="second").texts
