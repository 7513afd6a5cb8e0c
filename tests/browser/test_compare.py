"""The compare panel in the real App: everything that can be clicked is; screenshots in artifacts/."""

import re
import uuid

import fiftyone as fo
import pytest
from fiftyone import ViewField as F

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.demo.dataset import draw_images
from tests.helpers.browser.compare import ComparePage
from tests.helpers.browser.review import ReviewPage
from tests.helpers.fusion.two_encoders import two_runs
from tests.helpers.worlds.birds import bird_dataset, classify_birds
from tests.helpers.worlds.overview import add, new_run

PAGE_SIZE = 1280, 1000  # as on a small laptop

COUNT, WRONG_EVERY = 72, 9
FUSED = 72
WORKS = 300_000
"""Milliseconds that a fusion, or a triage, takes at most."""


@pytest.fixture(scope="module")
def birds(tmp_path_factory, demo_encoder):
    """A run on drawn birds, every ninth of them labelled wrongly, and on a file that is no image."""
    folder = tmp_path_factory.mktemp("compared")
    pictures = draw_images(folder, count=COUNT, seed=7)
    labels = [
        CLASSES[(CLASSES.index(picture.truth) + 3) % len(CLASSES)] if at % WRONG_EVERY == 0 else picture.truth
        for at, picture in enumerate(pictures)
    ]
    dataset = bird_dataset(pictures, persistent=True, truth=labels)
    broken = folder / "broken.jpg"
    broken.write_bytes(b"no image")
    dataset.add_sample(fo.Sample(filepath=str(broken)))
    dataset.set_values("number", list(range(COUNT + 1)))
    regions = lgca.RegionConfig(crops=14, scale_min=0.15, scale_max=0.6)
    classify_birds(dataset, demo_encoder, regions=regions, ground_truth="truth")
    dataset.save_view("first fifty", dataset.match(F("number") < 50))
    yield dataset
    fo.delete_dataset(dataset.name)


@pytest.fixture
def compare(app):
    return ComparePage(app)


def test_compare__opens_shows_a_part_and_leads_back(compare, birds):
    compare.app.open_dataset(birds.name)
    compare.open()
    compare.has("Do the methods agree?")
    compare.plot(2).locator(".scatterlayer .trace").first.wait_for()
    assert compare.overflow() <= 0
    compare.press("Only WCA differs")
    alone = (F("birds_clip.label") == F("birds_lgca.label")) & (F("birds_wca.label") != F("birds_lgca.label"))
    assert compare.shown("where only WCA differs")[1] == len(birds.match(alone))
    compare.back()
    compare.grid_has(COUNT + 1)


@pytest.mark.thorough
def test_compare__everything_that_can_be_clicked(compare, birds):
    page, app, total = compare.page, compare.app, COUNT + 1
    for _ in range(2):  # the App may keep the panel and what it remembers, but no picture
        app.open_dataset(birds.name)
        compare.open()
        compare.has("Do the methods agree?")
        compare.plot(2).locator(".scatterlayer .trace .point").first.wait_for()
    assert compare.overflow() <= 0
    assert page.get_by_role("button", name="Keep the label").count() == 0
    page.get_by_text("Nobody has looked for them yet").first.scroll_into_view_if_needed()
    app.screenshot("compare_untriaged")

    compare.press("Triage this run")  # of the labels; that of misleading crops stands below
    page.get_by_text("CLIP, WCA and LGCA are compared on").wait_for()
    app.submit("Triage")
    page.get_by_text("samples triaged in").first.wait_for(timeout=120_000)
    app.close_dialog()
    compare.has("Or select samples in the grid")  # the panel has followed
    triage = lgca.load_run(birds, "birds").last_triage()
    suspects = triage.suspects().values("id")
    compare.grid_has(len(suspects))  # the triage shows its queue, which is not the user's view
    compare.has(f"The figures below are over all {total} samples.")
    compare.has(f"Measured against truth, {COUNT} labels")
    compare.back()
    compare.grid_has(total)
    compare.has(f"Measured against truth, {COUNT} labels")
    page.get_by_text("Labels to compare with").scroll_into_view_if_needed()
    compare.settled()
    app.screenshot("compare")

    # Numbers, chips and lists: each shows as many samples as it says.
    compare.press("Show", at=-1)
    assert compare.shown("that failed in the run")[1] == 1
    compare.press("Only CLIP differs")
    alone = compare.shown("where only CLIP differs")[1]
    assert alone == len(
        birds.match((F("birds_wca.label") == F("birds_lgca.label")) & (F("birds_clip.label") != F("birds_lgca.label")))
    )
    compare.settled()
    app.screenshot("compare_part")
    compare.back()
    compare.grid_has(total)
    wrong = page.get_by_role("button", name=re.compile(r"^\d+ differ$")).first
    count = int(wrong.inner_text().split()[0])
    wrong.click()
    assert compare.shown("where CLIP differs from truth")[1] == count

    # Pictures.
    compare.click_at(lambda: compare.area(0)(0.02, 0.1))
    assert "where all agree" in compare.shown("where all agree")[0]
    compare.plot(1)
    compare.settled()
    app.screenshot("compare_flow")
    compare.click_at(lambda: compare.a_cell(1)[1])
    assert compare.shown("CLIP predicts")[1] == compare.a_cell(1)[0]
    compare.click_at(lambda: compare.a_point(2))
    assert compare.shown("that you have clicked on")[1] == 1
    area = compare.area(2)
    corners = [area(x, y) for x, y in ((0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99), (0.01, 0.01))]
    compare.draw_around(corners)
    assert COUNT / 2 < compare.shown("that you have drawn around")[1] <= COUNT
    compare.settled()
    app.screenshot("compare_margins")

    # Lists.
    rows = page.get_by_role("button", name="Show", exact=True)
    page.get_by_text("Labels that look wrong").last.scroll_into_view_if_needed()
    compare.settled()
    app.screenshot("compare_lists")
    rows.first.click()
    assert compare.shown("of the list")[1] == 1
    compare.press("Next", at=0)
    compare.has(f"6 to {min(10, len(suspects))} of {len(suspects)}")
    compare.press("Previous", at=0)
    compare.has(f"1 to 5 of {len(suspects)}")
    compare.press(f"Show the {len(suspects)} undecided")
    assert compare.shown("looks wrong")[1] == len(suspects)

    # Decisions about the selected samples of the queue, which leave it.
    compare.select(0)
    compare.has("1 sample selected")
    compare.settled()
    app.screenshot("compare_selected")
    compare.press("Keep the label")
    assert compare.shown(f"{len(suspects) - 1} samples whose label looks wrong")[1] == len(suspects) - 1
    compare.has(f"Show the {len(suspects) - 1} undecided")
    assert [row.sample_id for row in triage.decisions()] == suspects[:1]
    compare.press("Undo “kept” on 1")
    compare.grid_has(len(suspects))
    assert triage.decisions() == []
    compare.select(1)
    compare.has("1 sample selected")
    compare.press("Other…")
    page.get_by_role("dialog").get_by_text("Right class").wait_for()
    app.close_dialog()
    compare.back()
    compare.grid_has(total)

    # Choices and operators.
    compare.press("Swap")
    assert compare.chosen("Answers of") == "LGCA"
    compare.choose("Answers of", "WCA")
    page.locator(".js-plotly-plot").nth(1).get_by_text("WCA says").wait_for()
    assert compare.chosen("Answers of") == "WCA"
    compare.choose("Labels to compare with", "no labels")
    compare.has("Choose labels to compare with above.")
    compare.choose("Labels to compare with", "truth")
    compare.has(f"Measured against truth, {COUNT} labels")
    for label, title in (
        ("Classify", "Classify zero-shot"),
        ("Rescore", "Rescore a zero-shot run"),
        ("Evaluate", "Evaluate a zero-shot run"),
    ):
        compare.press(label)
        page.get_by_role("dialog").get_by_text(title).first.wait_for()
        app.close_dialog()
    compare.press("Read again")
    compare.has("Do the methods agree?")
    page.get_by_role("button", name="Only WCA differs").press("Space")  # the App keeps Enter to itself
    compare.shown("where only WCA differs")
    assert compare.overflow() <= 0
    page.get_by_title("Light mode").or_(page.get_by_title("Dark mode")).first.click()
    compare.settled()
    app.screenshot("compare_light")


@pytest.mark.thorough
def test_compare__saved_views_many_classes_and_nothing(compare, birds):
    page, app = compare.page, compare.app
    page.goto(f"{app.address}/datasets/{birds.name}?view=first-fifty", wait_until="domcontentloaded")
    compare.grid_has(50)
    compare.open()
    compare.has("Do the methods agree?")
    compare.press("Only WCA differs")
    compare.shown("where only WCA differs")
    compare.back()
    compare.grid_has(50)
    page.wait_for_url("**view=first-fifty*")
    page.locator("[data-cy=btn-clear-view-bar]").click()
    compare.grid_has(COUNT + 1)

    many = new_run([f"a species with a rather long name, number {at}" for at in range(200)], status="interrupted")
    pictures = birds.limit(40).values("filepath")
    rows = [
        {
            "answers": [many.config.classes[(7 * at * k) % 200] for k in (1, 1 + at % 2, 2)],
            "truth": many.config.classes[7 * at % 200],
        }
        for at in range(40)
    ]
    add(many, [{**row, "filepath": path} for row, path in zip(rows, pictures, strict=True)])
    many.dataset.persistent = True
    bare = fo.Dataset(f"bare-{uuid.uuid4().hex[:8]}", persistent=True)
    bare.add_sample(fo.Sample(filepath=pictures[0]))
    try:
        app.open_dataset(many.dataset.name)
        compare.open()
        compare.has("This run is not finished (interrupted)")
        compare.plot(1)
        compare.settled()
        assert compare.overflow() <= 0
        app.screenshot("compare_200_classes")
        app.open_dataset(bare.name)
        compare.open()
        compare.has("No zero-shot run yet")
        app.screenshot("compare_no_run")
        compare.press("Classify zero-shot")
        page.get_by_role("dialog").get_by_text("Classify zero-shot").first.wait_for()
    finally:
        fo.delete_dataset(many.dataset.name)
        fo.delete_dataset(bare.name)


@pytest.fixture
def two_models(tmp_path, demo_encoder):
    """Two runs of two models on drawn birds."""
    pictures = draw_images(tmp_path, count=FUSED, seed=7)
    labels = [picture.label for picture in pictures]
    dataset = bird_dataset(pictures, persistent=True, ground_truth=labels)
    two_runs(dataset, lgca.load_encoder("demo-vit"), demo_encoder)
    yield dataset
    fo.delete_dataset(dataset.name)


@pytest.mark.thorough
def test_fuse__from_the_compare_panel_to_the_review(app, two_models):
    compare, page = ComparePage(app), app.page
    app.open_dataset(two_models.name)
    compare.open()
    compare.has("Other models on the same pictures")
    page.get_by_text("Which classes turn into which?").scroll_into_view_if_needed()
    compare.settled()
    app.screenshot("fuse_offer")
    compare.press("Fuse runs")
    page.get_by_text(re.compile(f"^It learns from {FUSED} labels")).wait_for()
    app.wait_until_ready("Fuse")
    app.screenshot("fuse_form")
    app.submit("Fuse")
    page.get_by_role("button", name="Cancel the run").wait_for()
    app.screenshot("fuse_work")
    dialog = page.get_by_role("dialog").last
    dialog.get_by_text(re.compile("^HADA (is right|and)")).wait_for(timeout=WORKS)
    compare.settled()
    app.screenshot("fuse_done")

    run = lgca.load_run(two_models, "fused")
    assert run.config.fusion is not None and run.config.fusion.labels == FUSED
    assert two_models.count("fused_hada.fold") == FUSED
    dialog.get_by_role("button", name="Find wrong labels").click()
    page.get_by_text("HADA judges the labels.").first.wait_for()
    app.screenshot("fuse_triage")
    app.submit("Triage")
    page.get_by_role("button", name="Review labels").last.wait_for(timeout=WORKS)
    app.screenshot("fuse_triaged")
    page.get_by_role("dialog").last.get_by_role("button", name="Review labels").click()
    review = ReviewPage(app)
    review.button(re.compile("^Change to")).wait_for()
    compare.settled()
    app.screenshot("fuse_review")
    review.button(re.compile("^Change to")).click()
    review.says(re.compile("1 of .* reviewed, 1 changed"))
