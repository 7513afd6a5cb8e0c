"""``lgca_menu``: the one button above the grid, what its menu offers when, and what an entry opens."""

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone.operators import types

from tests.helpers.app.operators import AppOperator
from tests.helpers.worlds.overview import CLASSES, new_run

MENU = AppOperator("lgca_menu")
GRID = {"samples-grid-actions", "samples-grid-secondary-actions"}
FIND, DELETE = "Find wrong labels", "Delete a run …"
WITHOUT_A_RUN = [FIND, "Classify", "Describe classes"]
CLOSER = ["Compare methods", "Search and map", "Report"]
STEPS = ["Classify", "Check labels", "Rescore", "Evaluate", "Describe classes"]
EXPORT, UNDO = "Export decisions", "Undo decisions …"


def buttons(dataset):
    """The menu's buttons, from top to bottom: label to the entry's operator."""
    found = {}

    def walk(prop):
        if isinstance(prop.view, types.Button):
            found[prop.view.label] = prop.view.params["open"]
        for child in getattr(prop.type, "properties", {}).values():
            walk(child)

    walk(MENU.operator.resolve_type(MENU.context(dataset), "inputs"))
    return found


def test_menu__is_the_plugins_only_button_above_the_grid(triage):
    dataset = triage.run.dataset
    placed: dict[str | None, set[str]] = {}
    for operator in foo.list_operators():
        if not operator.uri.startswith("@lgca/"):
            continue
        for request in ({}, {"current_sample": dataset.first().id}):
            placement = operator.resolve_placement(AppOperator(operator.name).context(dataset, **request))
            placed.setdefault(placement and placement.to_json()["place"], set()).add(operator.name)
    assert {name for place, names in placed.items() if place in GRID for name in names} == {"lgca_menu"}
    view = MENU.operator.resolve_placement(MENU.context(dataset)).to_json()["view"]
    assert view["label"] == "Wrong labels" and "icon" not in view  # the App shows an icon's words as a tooltip only


def test_menu__offers_what_makes_sense(dataset, triage):
    assert list(buttons(None)) == []
    dataset.add_sample(fo.Sample(filepath="/images/a.jpg"))
    assert list(buttons(dataset)) == WITHOUT_A_RUN
    new_run(CLASSES, dataset=dataset)
    assert list(buttons(dataset)) == [FIND, *CLOSER, *STEPS, DELETE]
    assert list(buttons(triage.run.dataset)) == [FIND, "Review labels", *CLOSER, EXPORT, *STEPS, UNDO, DELETE]


def test_menu__no_form_greets_with_an_error(triage):
    """A notice that says why there is nothing to do is none."""
    notices, found = (types.Notice, types.Warning, types.Error, types.HiddenView), {}
    for name in [name for name in (*buttons(triage.run.dataset).values(), "lgca_decide") if "_open_" not in name]:
        properties, _ = AppOperator(name).form(triage.run.dataset)
        red = {field: prop.error_message for field, prop in properties.items() if prop.invalid}
        found[name] = {field: red[field] for field in red if not isinstance(properties[field].view, notices)}
        found[name].update({field: "required" for field, prop in properties.items() if prop.required})
    without = found.pop("lgca_rescore")  # the run of this fixture has no stored embeddings, which is said
    assert list(without) == ["run"] and "are not stored on this machine" in without["run"]
    assert {name: red for name, red in found.items() if red} == {}


def test_menu__an_entry_opens_its_operator(triage):
    offered = buttons(triage.run.dataset)
    known = {operator.uri for operator in foo.list_operators()}
    for name in offered.values():
        ctx = MENU.context(triage.run.dataset, {"open": name, "path": "menu.x.open", "panel_state": {}})
        MENU.operator.execute(ctx)
        (request,) = ctx.executor.to_json()["requests"]
        assert request["operator_uri"] == "prompt_user_for_operation"
        assert request["params"]["operator_uri"] in known
        assert not request["params"].get("params")  # none of the button's own
    ctx = MENU.context(triage.run.dataset)
    MENU.operator.execute(ctx)
    assert ctx.executor.to_json()["requests"] == []
    with pytest.raises(ValueError, match="no entry 'lgca_decide'"):
        MENU.operator.execute(MENU.context(triage.run.dataset, {"open": "lgca_decide"}))
