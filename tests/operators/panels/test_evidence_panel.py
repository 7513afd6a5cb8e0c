"""The evidence panel's events on a real run: it shows what the run and its evidence hold."""

from pathlib import Path

import numpy as np
import pytest

from lgca_plugin.demo.classes import CLASSES
from tests.helpers.app.panels import PanelSession, stages
from tests.helpers.worlds.birds import METHODS, misled, small_crops_run, state_of

pytestmark = pytest.mark.usefixtures("module_store")

URI = "@lgca/zero-shot/lgca_evidence"
MINUS = "\u2212"


@pytest.fixture(scope="module")
def run(images, demo_encoder):
    made = small_crops_run(images, demo_encoder)
    yield made
    made.dataset.delete()


@pytest.fixture(scope="module")
def case(run):
    """The evidence on a sample on which few crops mislead WCA."""
    return misled(run)[0]


@pytest.fixture
def opened(run, case):
    session = PanelSession(URI, run.dataset, case.sample_id)
    return session, session.send("on_load")


def rivals(session):
    return state_of(session, "first"), state_of(session, "second")


def number(text):
    return float(text.replace(MINUS, "-"))


def rows(table, key):
    return [row[key] for row in table]


# What it shows


def test_load__shows_what_each_method_says(run, case, opened):
    _, shown = opened
    sample = run.dataset[case.sample_id]
    table = shown.tables["answers"]
    assert rows(table, "method") == ["CLIP", "WCA", "LGCA", "decisive LGCA"]
    for row, name in zip(table, METHODS, strict=True):
        field = sample[f"zs_{name}"]
        assert row["label"] == field.label
        assert row["confidence"] == f"{field.confidence:.1%}"
        assert float(row["margin"]) == pytest.approx(field.margin, abs=6e-5)
        assert row["stability"] == f"{case.stability[name]:.1%}"
    explained = shown.tooltips["answers"]
    assert [explained[1, place].partition(":")[0] for place in (2, 3, 4)] == ["Confidence", "Margin", "Stability"]
    assert f"Given label: {CLASSES[0]}" in shown.texts
    assert Path(sample.filepath).name in shown.texts
    assert not shown.notes
    assert f"Without {case.case.size} crop" in shown.words


def test_load__the_strip_and_the_map_show_the_evidence_in_pictures(case, opened):
    session, shown = opened
    strip = shown.plots["strip"]
    ids = [int(r) for r in strip["data"][0]["ids"]]
    assert set(np.flatnonzero(case.misleading)[:3].tolist()) & set(ids)
    a, b = case.misleading_pair
    shares = case.contributions("lgca", a, b)
    assert [row[3] for row in strip["data"][0]["customdata"]] == pytest.approx(shares[ids].tolist())
    pictures = [one["source"] for one in strip["layout"]["images"]]
    assert len(pictures) == len(ids) + len({row[0] for row in strip["data"][0]["customdata"]})
    assert all(one.startswith("data:image/jpeg;base64,") for one in pictures)
    assert sorted(shown.plots["map"]["data"][0]["ids"]) == sorted(map(str, ids))
    assert shown.plots["descriptions"]["height"] == f"{shown.plots['descriptions']['layout']['height']}px"
    assert (*rivals(session), state_of(session, "method")) == (a, b, "lgca")
    assert shown.bytes < 1_500_000
    assert shown.lists["first"] == shown.lists["second"] == list(CLASSES)
    assert shown.lists["method"] == ["wca", "lgca", "lgca_d"]


def test_choose__rivals_change_and_swap(case, opened):
    session, shown = opened
    a, b = case.misleading_pair
    third = next(name for name in CLASSES if name not in (a, b))
    session.send("click_frame", id="0")
    shown = session.send("pick_first", value=third)
    assert rivals(session) == (third, b)
    assert number(shown.tables["leads"][1]["before"]) == pytest.approx(case.margin("wca", third, b), abs=6e-5)
    session.send("pick_second", value=third)  # is the first already: they change places
    assert rivals(session) == (b, third)
    session.send("pick_first", value=b)  # what is chosen already
    assert rivals(session) == (b, third)
    shown = session.send("pick_method", value="wca")
    ids = [int(r) for r in shown.plots["strip"]["data"][0]["ids"]]
    weights = [row[2] for row in shown.plots["strip"]["data"][0]["customdata"]]
    assert weights == pytest.approx(case.without([0]).weights["wca"][ids].tolist())


def test_choose__more_chains_and_few_again(case, opened):
    session, shown = opened
    few = len(shown.plots["strip"]["data"][0]["ids"])
    used = set(case.chain[(case.weights["lgca"] > 0) | case.misleading].tolist())
    shown = session.press(f"Show {min(15, len(used))} of {len(used)} crops")
    chains = {row[0] for row in shown.plots["strip"]["data"][0]["customdata"]}
    assert len(chains) == min(15, len(used)) and chains <= used
    shown = session.press("Show fewer crops")
    assert len(shown.plots["strip"]["data"][0]["ids"]) == few


# What if


def check_what_if(case, shown, out):
    if not len(out):
        assert "leads" not in shown.tables and "Put all back" not in shown.buttons
        return
    left = case.without(out)
    a, b = case.misleading_pair
    for row, name in zip(shown.tables["leads"], METHODS, strict=True):
        assert number(row["before"]) == pytest.approx(case.margin(name, a, b), abs=6e-5)
        assert number(row["after"]) == pytest.approx(left.margin(name, a, b), abs=6e-5)
        assert row["says"].startswith(left.labels[name])
        assert ("was" in row["says"]) == (left.labels[name] != case.labels[name])


def test_what_if__a_click_takes_a_region_out_and_another_puts_it_back(case, opened):
    session, shown = opened
    region = shown.plots["strip"]["data"][0]["ids"][0]
    assert "Put all back" not in shown.buttons
    shown = session.send("click_frame", id=region)
    check_what_if(case, shown, [int(region)])
    assert sum(one["opacity"] < 1 for one in shown.plots["strip"]["layout"]["images"]) == 1
    other = shown.plots["map"]["data"][0]["ids"][0]
    shown = session.send("toggle_region", value=other)
    check_what_if(case, shown, {int(region), int(other)})
    shown = session.send("click_frame", id=region)
    check_what_if(case, shown, [int(other)])
    check_what_if(case, session.press("Put all back"), [])


@pytest.mark.parametrize("id_", [None, "", "x", "99999", "-1"])
def test_what_if__a_click_beside_the_pictures_changes_nothing(case, opened, id_):
    session, _ = opened
    check_what_if(case, session.send("click_frame", id=id_), [])


def test_what_if__all_misleading_crops_or_the_fewest_that_do_it(case, opened):
    session, shown = opened
    (label,) = [one for one in shown.buttons if one.startswith("Take out all")]
    shown = session.press(label)
    check_what_if(case, shown, np.flatnonzero(case.misleading))
    assert shown.buttons[label]["disabled"]
    (fewest,) = [one for one in shown.buttons if one.startswith("Take out the ")]
    shown = session.press(fewest)
    check_what_if(case, shown, case.case.crops)
    says = dict(zip(METHODS, rows(shown.tables["leads"], "says"), strict=True))
    assert says["wca"] == f"{case.labels['lgca']} (was {case.labels['wca']})"


def test_what_if__nothing_left_is_no_answer(case, opened):
    session, _ = opened
    session.state["out"] = " ".join(map(str, range(len(case.step))))
    shown = session.send("pick_method", value="lgca")
    says = dict(zip(METHODS, rows(shown.tables["leads"], "says"), strict=True))
    assert says["wca"].startswith("no label: no region is left")
    assert says["clip"] == case.labels["clip"]


# Following


def test_follow__another_sample_is_shown_and_nothing_is_taken_out_of_it(run, case, opened):
    session, shown = opened
    session.send("click_frame", id=shown.plots["strip"]["data"][0]["ids"][0])
    session.send("pick_first", value=next(name for name in CLASSES if name not in case.misleading_pair))
    session.send("pick_method", value="wca")
    other = next(id_ for id_ in run.dataset.exists("zs_wca").values("id") if id_ != case.sample_id)
    shown = session.turn_to(other)
    seen = run.evidence(other)
    assert Path(run.dataset[other].filepath).name in shown.texts
    assert rows(shown.tables["answers"], "label") == [seen.labels[name] for name in METHODS]
    assert "Put all back" not in shown.buttons
    assert state_of(session, "method") == "wca"  # a choice about the screen stays
    if seen.misleading_pair:
        assert rivals(session) == seen.misleading_pair
    else:
        assert state_of(session, "first") == seen.labels["lgca"]
    again = session.turn_to(case.sample_id)
    assert rows(again.tables["answers"], "label") == [case.labels[name] for name in METHODS]


def test_follow__an_event_that_comes_twice_changes_nothing(opened):
    session, shown = opened
    shown = session.send("click_frame", id=shown.plots["strip"]["data"][0]["ids"][0])
    for event in ("on_change_current_sample", "on_change_group_slice", "on_load", "set_go_on"):
        assert session.send(event).tables == shown.tables
    for event, value in (("pick_run", "zs"), ("pick_first", state_of(session, "first")), ("toggle_region", None)):
        assert session.send(event, value=value).tables == shown.tables


def test_state__of_release_0_1_0_is_read(run, case):
    third = next(name for name in CLASSES if name not in case.misleading_pair)
    session = PanelSession(URI, run.dataset, case.sample_id)
    session.state = {"sample": case.sample_id, "key": "zs", "rival_a": third, "rival_b": case.labels["wca"]}
    session.state |= {"weights": "wca", "more": True, "out": "0 2", "page": {"go_on": False}}
    shown = session.send("on_load")
    assert rivals(session) == (third, case.labels["wca"])
    assert state_of(session, "method") == "wca"
    assert session.state["page"]["go_on"] is False
    leads = [case.without([0, 2]).margin(name, third, case.labels["wca"]) for name in METHODS]
    assert [number(row["after"]) for row in shown.tables["leads"]] == pytest.approx(leads, abs=6e-5)
    assert "Show fewer crops" in shown.buttons


@pytest.mark.parametrize(
    "state",
    [
        {"out": "1 x -3 99999", "key": 7, "rival_a": [], "weights": "gone", "more": None, "page": {"go_on": "yes"}},
        {"out": None, "rival_a": "gone", "rival_b": "gone", "page": {}},
    ],
)
def test_state__what_can_not_be_read_is_replaced(run, case, opened, state):
    session = PanelSession(URI, run.dataset, case.sample_id)
    session.state = {"sample": case.sample_id, **state}
    session.send("set_go_on")
    assert rivals(session) == case.misleading_pair
    assert session.send("put_back").tables == opened[1].tables


def test_follow__a_patch_shows_the_sample_that_it_was_cut_from(run, case):
    patches = run.dataset.to_patches("zs_regions")
    patch = dict(zip(*patches.values(["sample_id", "id"]), strict=True))[case.sample_id]
    assert patch != case.sample_id
    session = PanelSession(URI, run.dataset, patch, view=stages(patches))
    shown = session.send("on_load")
    assert rows(shown.tables["answers"], "label") == [case.labels[name] for name in METHODS]
