"""The queue's operators as FiftyOne executes them: forms, results, what the App is told, and refusals."""

import base64
import csv
import getpass
import io
import json

import fiftyone.operators as foo
import pytest
from bson import ObjectId
from fiftyone.operators.executor import ExecutionContext, ExecutionError, Executor, ValidationContext

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.workflows.decisions.queue import Triage
from tests.helpers.worlds.queue import GIVEN, OTHER, SUGGESTED, triaged_birds

DECIDE, UNDO, EXPORT = (f"@lgca/zero-shot/lgca_{name}" for name in ("decide", "undo_decision", "export_decisions"))


@pytest.fixture(scope="module")
def original(demo_encoder, demo_images):
    dataset = triaged_birds(demo_images, demo_encoder)
    yield dataset
    dataset.delete()


@pytest.fixture
def triage(original):
    copy = original.clone()
    yield Triage.of(lgca.load_run(copy, "zs"))
    copy.delete()


@pytest.fixture
def ids(triage):
    return triage.run.dataset.values("id")


def context(dataset, uri, params, **request):
    request = {"dataset_name": None if dataset is None else dataset.name, "params": params, **request}
    return ExecutionContext(request_params=request, executor=Executor(), operator_uri=uri)


def form(dataset, uri, params=None, **request):
    """The form's fields, filled with their defaults as the App does, and the message of each that is not valid."""
    operator, params = foo.get_operator(uri), dict(params or {})
    while True:
        ctx = context(dataset, uri, params, **request)
        inputs = operator.resolve_type(ctx, "inputs")
        fields = inputs.type.properties.items()
        defaults = {name: field.default for name, field in fields if field.default is not None and name not in params}
        if not defaults:
            break
        params.update(defaults)
    json.dumps(inputs.to_json())
    properties = inputs.type.properties
    found = {name: prop.error_message for name, prop in properties.items() if prop.invalid}
    assert ValidationContext(ctx, inputs, operator).invalid == bool(found)
    return properties, found


def run_it(dataset, uri, params, **request):
    """Executes an operator; returns its result, and what the App is told."""
    operator = foo.get_operator(uri)
    ctx = context(dataset, uri, params, **request)
    result = operator.execute(ctx)
    json.dumps(result)
    dataset.reload()
    told = [(message.operator_uri.rpartition("/")[2], message.params) for message in ctx.executor._requests]
    return result, told


def choices(prop):
    return [choice.value for choice in prop.view.choices]


def test_decide_form__shows_the_selected_samples(triage, ids):
    properties, found = form(triage.run.dataset, DECIDE, selected=ids[4:7])
    assert found == {"label": "1 of 3 have no suggestion: name one class for all, or select others"}
    rows = properties["rows_of_zs_selected"]
    assert rows.type.element_type is not None and rows.view.label == "3 samples"
    assert [row["suggested"] for row in rows.default] == [f"{SUGGESTED} (86%)", f"{SUGGESTED} (85%)", "-"]
    assert [row["given"] for row in rows.default] == [GIVEN] * 3
    assert choices(properties["decision"]) == ["accepted", "label right", "bad crop", "bad image", "skipped"]
    assert properties["decision"].default == "accepted"
    assert properties["by"].default == getpass.getuser()
    assert "run" not in properties and "samples" not in properties
    _, found = form(triage.run.dataset, DECIDE, {"label": OTHER}, selected=ids[4:7])
    assert found == {}
    properties, found = form(triage.run.dataset, DECIDE, {"decision": "bad crop"}, selected=ids[4:7])
    assert found == {} and "label" not in properties


def test_decide_form__a_long_selection_is_summed_up(triage, ids):
    properties, _ = form(triage.run.dataset, DECIDE, selected=ids)
    rows = properties["rows_of_zs_selected"]
    assert rows.view.label == "12 samples, the first 8 of them" and len(rows.default) == 8


def test_decide_form__a_class_that_is_new_is_asked_about(triage, ids):
    _, found = form(triage.run.dataset, DECIDE, {"label": "puffin"}, selected=ids[:1])
    assert found == {"label": "'puffin' is no class of the run: tick to accept it, or choose another"}
    _, found = form(triage.run.dataset, DECIDE, {"label": "puffin", "allow_new_class": True}, selected=ids[:1])
    assert found == {}


def test_decide_form__asks_which_where_a_sample_is_open_and_others_are_selected(triage, ids):
    dataset = triage.run.dataset
    properties, _ = form(dataset, DECIDE, selected=ids[:3], current_sample=ids[5])
    assert properties["samples"].default == "open"
    assert len(properties["rows_of_zs_open"].default) == 1
    properties, _ = form(dataset, DECIDE, {"samples": "selected"}, selected=ids[:3], current_sample=ids[5])
    assert len(properties["rows_of_zs_selected"].default) == 3
    properties, _ = form(dataset, DECIDE, current_sample=ids[5])
    assert "samples" not in properties


def test_forms__say_why_nothing_can_be_done(triage, dataset, ids):
    for uri in (DECIDE, UNDO, EXPORT):
        assert "Open a dataset first" in form(None, uri)[1]["refusal"]
        assert "No run of this dataset has been triaged yet" in form(dataset, uri)[1]["refusal"]
    assert form(triage.run.dataset, DECIDE)[1] == {"refusal": "Select samples in the grid first, or open one."}
    gone = form(triage.run.dataset, DECIDE, selected=[ids[0], str(ObjectId())])[1]["refusal"]
    assert "1 of 2 selected samples are not in this dataset" in gone
    assert form(triage.run.dataset, UNDO)[1] == {
        "refusal": "Nothing is decided about this run, so there is nothing to undo."
    }
    with pytest.raises(ValueError, match="select samples in the grid first"):
        run_it(triage.run.dataset, DECIDE, {"decision": "skipped"})
    with pytest.raises(ValueError, match="decision must be one of 'accepted'"):
        run_it(triage.run.dataset, DECIDE, {}, selected=ids[:1])
    with pytest.raises(ValueError, match="no run of this dataset has been triaged"):
        run_it(dataset, EXPORT, {})


def test_decide__writes_and_tells_the_app(triage, ids):
    dataset = triage.run.dataset
    params = {"decision": "accepted", "note": " thin bill ", "by": "anna", "label": ""}
    result, told = run_it(dataset, DECIDE, params, selected=ids[:2])
    assert result["samples"] == 2 and result["left"]["undecided"] == 4
    assert [name for name, _ in told] == ["clear_selected_samples", "reload_dataset", "notify"]
    assert told[-1][1]["message"] == "Accepted: 2 samples. 4 of 6 suspects left to decide"
    rows = triage.decisions()
    assert [(row.corrected, row.by, row.note) for row in rows] == [(SUGGESTED, "anna", "thin bill")] * 2


def test_decide__opens_the_next_of_the_queue(triage, ids):
    dataset = triage.run.dataset
    queue = triage.suspects().values("id")
    for at, expected in ((1, 2), (2, 3), (5, 0)):
        _, told = run_it(dataset, DECIDE, {"decision": "skipped"}, current_sample=queue[at], selected=ids[:1])
        assert ("close_sample", {}) in [(name, params or {}) for name, params in told]
        assert [params["id"] for name, params in told if name == "open_sample"] == [queue[expected]]
        assert "clear_selected_samples" not in [name for name, _ in told]
    _, told = run_it(dataset, DECIDE, {"decision": "bad image"}, current_sample=ids[9])
    assert [params["id"] for name, params in told if name == "open_sample"] == [ids[9]]


def test_undo__of_an_action_and_of_samples(triage, ids):
    dataset = triage.run.dataset
    first = triage.decide(ids[:3], "accepted", by="anna", note="all thin")
    triage.decide(ids[4], "skipped", by="ben")
    properties, found = form(dataset, UNDO)
    assert found == {} and "what" not in properties
    assert choices(properties["action"])[1] == first.action
    assert properties["action"].view.choices[1].label.startswith("accepted: 3 samples, by anna, ")
    properties, _ = form(dataset, UNDO, {"action": first.action})
    assert properties[f"note_of_{first.action}"].view.label == "Note: all thin"
    properties, _ = form(dataset, UNDO, {"what": "selected"}, selected=ids[:1])
    assert [row["decided"] for row in properties["rows_of_zs_selected"].default] == ["accepted"]

    result, _ = run_it(dataset, UNDO, {"what": "selected"}, selected=ids[:1])
    assert result["outcome"] == "undone: 1 sample"
    _, told = run_it(dataset, UNDO, {"what": "latest", "action": first.action, "by": "carl"}, selected=ids[:1])
    assert told[-1][1]["message"] == "Undone: 2 samples. 5 of 6 suspects left to decide"
    assert triage.decisions(history=True)[-1].by == "carl"
    run_it(dataset, UNDO, {})
    with pytest.raises(ValueError, match="nothing to undo"):
        run_it(dataset, UNDO, {})


def test_export__downloads_or_writes(triage, ids, tmp_path):
    dataset = triage.run.dataset
    triage.decide(ids[:2], "accepted", note="ünter")
    properties, found = form(dataset, EXPORT)
    assert found == {} and properties["left"].view.label == "4 of 6 suspects left to decide"
    result, told = run_it(dataset, EXPORT, {})
    ((name, params),) = told
    assert name == "browser_download" and params["filename"] == result["path"]
    assert result["path"].startswith("zs_decisions_") and result["path"].endswith(".csv")
    kind, _, content = params["url"].partition(",")
    assert kind == "data:text/csv;base64"
    rows = list(csv.DictReader(io.StringIO(base64.b64decode(content).decode("utf-8"), newline="")))
    assert [row["note"] for row in rows] == ["ünter"] * 2

    _, found = form(dataset, EXPORT, {"destination": "server"})
    assert found == {"path": "give the path of the file to write"}
    path = tmp_path / "out.csv"
    given = {"destination": "server", "path": str(path), "history": True}
    result, told = run_it(dataset, EXPORT, given)
    assert told == [] and result["rows"] == 2
    assert path.read_text("utf-8").splitlines()[0].endswith("note,action,undoes")
    with pytest.raises(ValueError, match="overwrite=True"):
        run_it(dataset, EXPORT, given)
    operator = foo.get_operator(EXPORT)
    ctx = context(dataset, EXPORT, given)
    outputs = operator.resolve_type(ctx, "outputs")
    json.dumps(outputs.to_json())
    assert {name: result[name] for name in outputs.type.properties} == {
        "rows": 2,
        "path": str(path),
        "decided": "2 accepted",
        "outlook": "4 of 6 suspects left to decide",
    }


def test_placements__above_the_grid_and_in_the_modal_once_there_is_a_triage(triage, dataset, ids):
    for uri, in_modal in ((DECIDE, True), (UNDO, True), (EXPORT, False)):
        operator = foo.get_operator(uri)
        assert operator.resolve_placement(context(dataset, uri, {})) is None
        place = operator.resolve_placement(context(triage.run.dataset, uri, {})).to_json()["place"]
        assert place == "samples-grid-secondary-actions"
        place = operator.resolve_placement(context(triage.run.dataset, uri, {}, current_sample=ids[0])).to_json()
        assert place["place"] == ("samples-viewer-actions" if in_modal else "samples-grid-secondary-actions")


def test_several_runs__the_latest_triage_comes_first(triage, ids, demo_encoder):
    dataset = triage.run.dataset
    triage.run.results["triage"]["at"] = "2026-01-02T00:00:00+00:00"
    triage.run.save()
    run = lgca.classify(
        dataset,
        classes=CLASSES,
        descriptions=DESCRIPTIONS,
        methods=("clip",),
        encoder=demo_encoder,
        run_key="other",
        progress=False,
    )
    run.results["triage"] = {**triage.report, "at": "2026-01-01T00:00:00+00:00", "corrected_field": "other_corrected"}
    run.save()
    properties, found = form(dataset, DECIDE, selected=ids[:1])
    assert choices(properties["run"]) == ["zs", "other"] and properties["run"].default == "zs"
    assert found == {}
    properties, _ = form(dataset, DECIDE, {"run": "other"}, selected=ids[:1])
    assert properties["decision"].default == "skipped"  # which has no suggestions


def test_sdk__does_the_same(triage, ids, tmp_path):
    dataset = triage.run.dataset
    done = foo.get_operator(DECIDE)(dataset, ids[:2], "accepted", label="puffin", allow_new_class=True, by="anna")
    assert done.result["outcome"] == "accepted: 2 samples"
    with pytest.raises(ExecutionError, match="is no class of the run"):
        foo.get_operator(DECIDE)(dataset, ids[:2], "accepted", label="penguin")
    done = foo.get_operator(EXPORT)(dataset, tmp_path / "out.csv")
    assert done.result["rows"] == 2
    done = foo.get_operator(UNDO)(dataset, sample_ids=ids[0], by="ben")
    assert done.result["samples"] == 1
    done = foo.get_operator(UNDO)(dataset, of="anna")
    assert done.result["left"]["undecided"] == 6
    dataset.reload()
    assert dataset.values("labels_corrected.label") == [GIVEN] * 12
