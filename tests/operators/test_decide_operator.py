"""The decision operators as FiftyOne executes them: forms, results, messages to the App, and refusals."""

import base64
import csv
import getpass
import io
import json
import traceback

import pytest
from bson import ObjectId

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from tests.helpers.app.operators import DECIDE, EXPORT, UNDO
from tests.helpers.worlds.queue import GIVEN, OTHER, SUGGESTED


@pytest.fixture
def ids(triage):
    return triage.run.dataset.values("id")


def form(operator, dataset, request=None, **params):
    """The form once the App has given every empty field its default, and the message of each that is not valid."""
    return operator.form(dataset, request, **operator.filled(dataset, request, **params))


def choices(prop):
    return [choice.value for choice in prop.view.choices]


def test_decide_form__shows_the_selected_samples(triage, ids):
    properties, found = form(DECIDE, triage.run.dataset, {"selected": ids[4:7]})
    assert found == {"label": "1 of 3 have no suggestion: name one class for all, or select others"}
    rows = properties["rows_of_zs_selected"]
    assert rows.type.element_type is not None and rows.view.label == "3 samples"
    assert [row["suggested"] for row in rows.default] == [f"{SUGGESTED} (86%)", f"{SUGGESTED} (85%)", "-"]
    assert [row["given"] for row in rows.default] == [GIVEN] * 3
    assert choices(properties["decision"]) == ["accepted", "label right", "bad crop", "bad image", "skipped"]
    assert properties["decision"].default == "accepted"
    assert properties["by"].default == getpass.getuser()
    assert "run" not in properties and "samples" not in properties
    _, found = form(DECIDE, triage.run.dataset, {"selected": ids[4:7]}, label=OTHER)
    assert found == {}
    properties, found = form(DECIDE, triage.run.dataset, {"selected": ids[4:7]}, decision="bad crop")
    assert found == {} and "label" not in properties
    rows = form(DECIDE, triage.run.dataset, {"selected": ids})[0]["rows_of_zs_selected"]
    assert rows.view.label == "12 samples, the first 8 of them" and len(rows.default) == 8


def test_decide_form__a_class_that_is_new_is_asked_about(triage, ids):
    for options, found in (
        ({}, {"label": "'puffin' is no class of the run: tick to take it, or choose another"}),
        ({"allow_new_class": True}, {}),
    ):
        assert form(DECIDE, triage.run.dataset, {"selected": ids[:1]}, label="puffin", **options)[1] == found


def test_decide_form__asks_which_where_a_sample_is_open_and_others_are_selected(triage, ids):
    dataset = triage.run.dataset
    properties, _ = form(DECIDE, dataset, {"selected": ids[:3], "current_sample": ids[5]})
    assert properties["samples"].default == "open"
    assert len(properties["rows_of_zs_open"].default) == 1
    properties, _ = form(DECIDE, dataset, {"selected": ids[:3], "current_sample": ids[5]}, samples="selected")
    assert len(properties["rows_of_zs_selected"].default) == 3
    properties, _ = form(DECIDE, dataset, {"current_sample": ids[5]})
    assert "samples" not in properties


def test_forms__say_why_nothing_can_be_done(triage, dataset, ids):
    for operator in (DECIDE, UNDO, EXPORT):
        assert "No run of this dataset has been triaged yet" in form(operator, dataset)[1]["refusal"]
    assert form(DECIDE, triage.run.dataset)[1] == {"refusal": "Select samples in the grid first, or open one."}
    gone = form(DECIDE, triage.run.dataset, {"selected": [ids[0], str(ObjectId())]})[1]["refusal"]
    assert "1 of 2 selected samples are not in this dataset" in gone
    assert form(UNDO, triage.run.dataset)[1] == {
        "refusal": "Nothing is decided about this run, so there is nothing to undo."
    }
    with pytest.raises(ValueError, match="select samples in the grid first"):
        DECIDE.run_at_once(triage.run.dataset, decision="skipped")
    with pytest.raises(ValueError, match="decision must be one of 'accepted'"):
        DECIDE.run_at_once(triage.run.dataset, {"selected": ids[:1]})
    with pytest.raises(ValueError, match="no run of this dataset has been triaged"):
        EXPORT.run_at_once(dataset)


def test_decide__writes_and_updates_the_app(triage, ids):
    dataset = triage.run.dataset
    params = {"decision": "accepted", "note": " thin bill ", "by": "anna", "label": ""}
    result, messages = DECIDE.run_at_once(dataset, {"selected": ids[:2]}, **params)
    assert result["samples"] == 2 and result["left"]["undecided"] == 4
    assert [name for name, _ in messages] == ["clear_selected_samples", "reload_dataset", "notify"]
    assert messages[-1][1]["message"] == "Changed: 2 samples. 4 of 6 suspects left to decide"
    rows = triage.decisions()
    assert [(row.corrected, row.by, row.note) for row in rows] == [(SUGGESTED, "anna", "thin bill")] * 2


@pytest.mark.parametrize("operator", [DECIDE, UNDO])
def test_refusals__are_in_the_words_of_the_app(triage, ids, operator):
    """The App shows the words of an error's causes, too."""
    dataset = triage.run.dataset
    triage.decide(ids[:2], "accepted")
    dataset.rename_sample_field("labels_corrected", "labels_v2")
    with pytest.raises(ValueError, match=r"was renamed to 'labels_v2'.* rename it back, or find wrong labels") as found:
        operator.run_at_once(dataset, {"selected": ids[:1]}, decision="accepted", what="selected")
    assert "dataset.rename_sample_field" not in "".join(traceback.format_exception(found.value))


def test_decide__opens_the_next_of_the_queue(triage, ids):
    dataset = triage.run.dataset
    queue = triage.suspects().values("id")
    for at, expected in ((1, 2), (2, 3), (5, 0)):
        request = {"current_sample": queue[at], "selected": ids[:1]}
        _, messages = DECIDE.run_at_once(dataset, request, decision="skipped")
        assert ("close_sample", {}) in [(name, params or {}) for name, params in messages]
        assert [params["id"] for name, params in messages if name == "open_sample"] == [queue[expected]]
        assert "clear_selected_samples" not in [name for name, _ in messages]
    _, messages = DECIDE.run_at_once(dataset, {"current_sample": ids[9]}, decision="bad image")
    assert [params["id"] for name, params in messages if name == "open_sample"] == [ids[9]]


def test_undo__of_an_action_and_of_samples(triage, ids):
    dataset = triage.run.dataset
    first = triage.decide(ids[:3], "accepted", by="anna", note="all thin")
    triage.decide(ids[4], "skipped", by="ben")
    properties, found = form(UNDO, dataset)
    assert found == {} and "what" not in properties
    assert choices(properties["action"])[1] == first.action
    assert properties["action"].view.choices[1].label.startswith("changed: 3 samples, by anna, ")
    properties, _ = form(UNDO, dataset, action=first.action)
    assert properties[f"note_of_{first.action}"].view.label == "Note: all thin"
    properties, _ = form(UNDO, dataset, {"selected": ids[:1]}, what="selected")
    assert [row["decided"] for row in properties["rows_of_zs_selected"].default] == ["changed"]

    result, _ = UNDO.run_at_once(dataset, {"selected": ids[:1]}, what="selected")
    assert result["outcome"] == "undone: 1 sample"
    _, messages = UNDO.run_at_once(dataset, {"selected": ids[:1]}, what="latest", action=first.action, by="carl")
    assert messages[-1][1]["message"] == "Undone: 2 samples. 5 of 6 suspects left to decide"
    assert triage.decisions(history=True)[-1].by == "carl"
    UNDO.run_at_once(dataset)
    with pytest.raises(ValueError, match="nothing to undo"):
        UNDO.run_at_once(dataset)


def test_export__downloads_or_writes(triage, ids, monkeypatch, tmp_path):
    dataset = triage.run.dataset
    triage.decide(ids[:2], "accepted", note="ünter")
    properties, found = form(EXPORT, dataset)
    left = properties["left"].view
    assert found == {} and left.description == "4 of 6 suspects left to decide."
    assert left.label.startswith(
        "A CSV file, for spreadsheets: 2 rows, one for each picture that is decided about. Your"
    )
    assert form(EXPORT, dataset, history=True)[0]["left"].view.label.count("2 rows, one for each decision") == 1
    result, messages = EXPORT.run_at_once(dataset)
    ((name, params),) = messages
    assert name == "browser_download" and params["filename"] == result["path"]
    assert left.label.endswith(f" as {result['path']}")
    assert result["path"].startswith("zs_decisions_") and result["path"].endswith(".csv")
    kind, _, content = params["url"].partition(",")
    assert kind == "data:text/csv;base64"
    rows = list(csv.DictReader(io.StringIO(base64.b64decode(content).decode("utf-8"), newline="")))
    assert [row["note"] for row in rows] == ["ünter"] * 2

    _, found = form(EXPORT, dataset, destination="server")
    assert found == {"path": "give the name of the file to write"}
    monkeypatch.setenv("LGCA_EXPORT_DIR", str(tmp_path))
    path = tmp_path / "out.csv"
    given = {"destination": "server", "path": str(path), "history": True}
    result, messages = EXPORT.run_at_once(dataset, **given)
    assert messages == [] and result["rows"] == 2
    assert path.read_text("utf-8").splitlines()[0].endswith("note,action,undoes")
    with pytest.raises(ValueError, match="tick to replace it"):
        EXPORT.run_at_once(dataset, **given)
    outputs = EXPORT.operator.resolve_type(EXPORT.context(dataset, given), "outputs")
    json.dumps(outputs.to_json())
    assert {name: result[name] for name in outputs.type.properties} == {
        "rows": 2,
        "path": str(path),
        "decided": "2 changed",
        "outlook": "4 of 6 suspects left to decide",
    }


def test_placement__in_the_view_of_a_sample_once_there_is_a_triage(triage, dataset, ids):
    assert DECIDE.placement(dataset, current_sample=ids[0]) is None
    assert DECIDE.placement(triage.run.dataset) is None
    assert DECIDE.placement(triage.run.dataset, current_sample=ids[0]) == "samples-viewer-actions"


def test_several_runs__the_latest_triage_comes_first(triage, ids, demo_encoder):
    dataset = triage.run.dataset
    triage.run.results["triage"]["at"] = "2026-01-02T00:00:00+00:00"
    triage.run.save()
    run = lgca.classify(
        dataset, classes=CLASSES, methods=("clip",), encoder=demo_encoder, run_key="other", progress=False
    )
    run.results["triage"] = {**triage.report, "at": "2026-01-01T00:00:00+00:00", "corrected_field": "other_corrected"}
    run.save()
    properties, found = form(DECIDE, dataset, {"selected": ids[:1]})
    assert choices(properties["run"]) == ["zs", "other"] and properties["run"].default == "zs"
    assert found == {}
    properties, _ = form(DECIDE, dataset, {"selected": ids[:1]}, run="other")
    assert properties["decision"].default == "skipped"  # which has no suggestions


def test_sdk__does_the_same(triage, ids, tmp_path):
    dataset = triage.run.dataset
    done = DECIDE.call(dataset, ids[:2], "accepted", label="puffin", allow_new_class=True, by="anna")
    assert done.result["outcome"] == "changed: 2 samples"
    with pytest.raises(lgca.ConfigError, match="is no class of run 'zs'"):
        DECIDE.call(dataset, ids[:2], "accepted", label="penguin")
    done = EXPORT.call(dataset, tmp_path / "out.csv")
    assert done.result["rows"] == 2
    done = UNDO.call(dataset, sample_ids=ids[0], by="ben")
    assert done.result["samples"] == 1
    done = UNDO.call(dataset, of="anna")
    assert done.result["left"]["undecided"] == 6
    assert dataset.values("labels_corrected.label") == [GIVEN] * 12
