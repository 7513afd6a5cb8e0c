"""The evidence panel in the real App: everything that can be clicked is, and what it does is looked at; screenshots."""

import re

import fiftyone as fo
import pytest

from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.workflows.decisions.decisions import Decision
from tests.helpers.browser.app import NO_APP
from tests.helpers.browser.evidence import EvidencePage
from tests.helpers.worlds.birds import SMALL, bird_dataset, classify_birds, draw_misleading, misled


@pytest.fixture(scope="module")
def made(tmp_path_factory, demo_encoder):
    """A triaged run, another one, and samples in every state. Persistent, since the App's server is another process."""
    folder = tmp_path_factory.mktemp("birds")
    pictures = draw_misleading(folder)
    dataset = bird_dataset(pictures, persistent=True, labels=[picture.truth for picture in pictures])
    broken = folder / "broken.jpg"
    broken.write_bytes(b"no picture")
    dataset.add_sample(fo.Sample(filepath=str(broken), labels=fo.Classification(label=CLASSES[0])))
    classify_birds(dataset, demo_encoder, regions=SMALL, run_key="plain", methods=("clip", "wca"))
    run = classify_birds(dataset, demo_encoder, regions=SMALL, ground_truth="labels")
    case, others = misled(run)
    others = others[:2]
    for id_, label in ((case.sample_id, case.labels["wca"]), *((other, CLASSES[0]) for other in others)):
        sample = dataset[id_]
        sample["labels"] = fo.Classification(label=label)
        sample.save()
    run.triage(progress=False)
    suggest(dataset, [case.sample_id, *others], case.labels["lgca"])
    yield run, case, others
    fo.delete_dataset(dataset.name)


def suggest(dataset, ids, label):
    """Makes these samples the suspects, in this order, whatever the triage of so few samples has found."""
    order = {id_: at for at, id_ in enumerate(ids)}
    everything = dataset.values("id")
    suggestions = [
        fo.Classification(label=label, confidence=0.9, given="") if id_ in order else None for id_ in everything
    ]
    dataset.set_values("birds_suggestion", suggestions)
    dataset.set_values("birds_label_quality", [0.01 * order.get(id_, 50) for id_ in everything])


@pytest.fixture
def panel(app, made):
    return EvidencePage(app, made[0].dataset)


def leads(panel):
    return panel.numbers(1, 2)


@pytest.mark.thorough
def test_panel__shows_the_strip_beside_the_image_and_takes_a_region_out(panel, made):
    case = made[1]
    panel.open(case.sample_id, split=True)
    panel.says("How crops grow")
    a, b = case.misleading_pair
    assert {row[0]: row[1] for row in panel.rows(0)[1:]} == {"CLIP": case.labels["clip"], "WCA": a, "LGCA": b}
    assert panel.sticks_out() == []
    panel.button(re.compile(r"^Take out the \d")).click()
    panel.says(re.compile(f"{re.escape(b)} \\(was {re.escape(a)}\\)"))


@pytest.mark.thorough
def test_panel__follows_the_user_answers_what_if_and_writes_decisions(panel, made):
    run, case, others = made
    page, (a, b) = panel.page, case.misleading_pair
    panel.open(case.sample_id, split=True)
    panel.says("How crops grow")
    panel.picture("dark")
    answers = {row[0]: row[1] for row in panel.rows(0)[1:]}
    assert answers == {"CLIP": case.labels["clip"], "WCA": a, "LGCA": b}
    assert (panel.shown("First rival (blue)"), panel.shown("Second rival (orange)")) == (a, b)
    panel.body.locator("td span").filter(has_text=f"{case.stability['wca']:.1%}").last.hover()
    page.get_by_role("tooltip").get_by_text("200 bootstrap draws").wait_for()

    # What if: a click on a picture, on the map, in the list, and the buttons.
    first = panel.strip_ids()[0]
    panel.frames(0).first.click(force=True)
    panel.says("Without 1 region")
    assert leads(panel) == pytest.approx([case.without([first]).margin(m, a, b) for m in case.methods], abs=6e-5)
    panel.picture("taken_out")
    panel.press("Put all back")
    panel.button("Put all back").wait_for(state="detached")
    panel.frames(1).last.click(force=True)
    panel.says("Without 1 region")
    panel.press(re.compile("Take out all"))
    panel.says(re.compile(r"Without \d\d? regions"))
    panel.press(re.compile(r"Take out the \d"))
    panel.says(f"Without {case.case.size} regions")
    panel.says(f"{b} (was {a})")
    assert leads(panel) == pytest.approx(
        [case.without(case.case.crops).margin(m, a, b) for m in case.methods], abs=6e-5
    )
    panel.picture("what_if")
    panel.press("Put all back")
    panel.button("Put all back").wait_for(state="detached")
    grown = next(text for text in panel.options("Take out or put back") if "grown 1 time" in text)
    panel.choose("Take out or put back", grown)
    panel.says("Without 1 region")

    # Other rivals, another method, more crops, another run, another sample.
    third = next(name for name in CLASSES if name not in (a, b))
    panel.choose("First rival (blue)", third)
    panel.says(f"Lead of {third}")
    panel.choose("Weights of", "WCA")
    panel.says(re.compile("under WCA"))
    count = panel.frames(0).count()
    panel.press(re.compile(r"Show \d+ of"))
    panel.button("Show fewer crops").wait_for()
    assert panel.frames(0).count() > count
    panel.press("Show fewer crops")
    panel.button(re.compile(r"Show \d+ of")).wait_for()
    panel.choose("Run", "plain")
    panel.says("To decide about labels, triage the run first.")
    assert [row[0] for row in panel.rows(0)[1:]] == ["CLIP", "WCA"]
    panel.press("Triage this run")
    page.get_by_role("dialog").get_by_text("Triage a zero-shot run").first.wait_for()
    panel.cancel()
    panel.choose("Run", "birds")
    panel.says("Given label")

    # Decisions.
    decide_and_undo(panel, run, case, others)
    follow(panel, run.dataset)


def decide_and_undo(panel, run, case, others):
    page, dataset = panel.page, run.dataset
    triage = run.last_triage()

    def decided():
        dataset.reload()
        return {row.sample_id: row.decision.value for row in triage.decisions()}

    panel.press(re.compile("^Change to "))
    page.get_by_text(re.compile("Changed: 1 sample")).first.wait_for(state="attached")
    page.wait_for_url(f"**id={others[0]}*")
    assert decided() == {case.sample_id: "accepted"}
    panel.says(dataset[others[0]].filepath.rpartition("/")[2])
    panel.picture("next_suspect")
    with page.expect_response(lambda response: "operators/execute" in response.url):
        panel.body.locator("input[type=checkbox]").click(force=True)  # stay here from now on
    for label, decision in (
        (re.compile("^Keep “"), "label right"),
        ("Keep it: bad crop", "bad crop"),
        ("Bad image", "bad image"),
        ("Can't tell", "skipped"),
    ):
        panel.press(label)
        panel.says(f"Decided: {Decision(decision).word}")
        assert decided()[others[0]] == decision
    assert others[0] in page.url
    panel.press("Undo")
    panel.says("Decided: bad image")
    panel.press("Another label …")
    page.get_by_role("dialog").get_by_text("1 sample").first.wait_for()
    panel.cancel()


def follow(panel, dataset):
    """Pages through the samples from the grid; one that was opened by its address has no neighbours."""
    page = panel.page
    panel.app.open_dataset(dataset.name)
    page.locator("[data-cy=looker]").first.click()
    for at, key in enumerate((None, "ArrowRight", "ArrowRight")):
        page.keyboard.press(key) if key else None
        panel.says(dataset.skip(at).first().filepath.rpartition("/")[2])
        panel.says("How crops grow")


@pytest.mark.thorough
def test_panel__light_full_width_and_states(panel, made):
    run, case, _ = made
    page, dataset = panel.page, run.dataset
    page.goto(f"{panel.app.address}/{NO_APP}")
    page.evaluate("localStorage.setItem('mui-mode', 'light')")
    panel.open(case.sample_id, split=True)
    panel.says("How crops grow")
    panel.picture("light")
    failed = next(iter(run.failures))
    panel.open(failed)
    panel.says("This image failed")
    panel.picture("failed")
    panel.press("Classify zero-shot")
    page.get_by_role("dialog").get_by_text("Run key").first.wait_for()
    panel.cancel()
    added = dataset.add_sample(fo.Sample(filepath=dataset.first().filepath))
    panel.open(added)
    panel.says("Not part of this run")
    panel.picture("added_since")


def test_panel__without_a_run_it_says_what_to_do(panel, app, images_only):
    panel.dataset = images_only
    panel.open(images_only.first().id, split=True)
    panel.says("No zero-shot run yet")
    panel.picture("no_run")
    panel.press("Classify zero-shot")
    app.page.get_by_role("dialog").get_by_text("Run key").first.wait_for()


@pytest.fixture
def images_only(demo_images):
    dataset = bird_dataset(demo_images[:1], persistent=True)
    yield dataset
    fo.delete_dataset(dataset.name)
