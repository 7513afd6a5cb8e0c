"""Describing classes in the real App, with a language model's server on this machine; screenshots in artifacts/."""

import json

import fiftyone as fo
import pytest

from tests.helpers import llm_server as llm
from tests.helpers.llm_server import running_llm_server
from tests.helpers.worlds.birds import bird_dataset

CLASSES = ("blue tit", "caspian tern", "grey heron")


@pytest.fixture
def birds(demo_images):
    dataset = bird_dataset(demo_images[:3], persistent=True, ground_truth=CLASSES)
    yield dataset
    fo.delete_dataset(dataset.name)


@pytest.mark.thorough
def test_describe__from_the_form_to_texts_that_classify_offers(app, server, birds):
    page = app.page
    with running_llm_server(CLASSES, server.llm_port) as model:
        app.open_dataset(birds.name)
        app.open_operator("Describe classes with a language model")
        page.get_by_text("The distinct labels of 'ground_truth' are sent to https://api.openai.com/v1").first.wait_for()
        app.field("Address of the server").fill(model.base_url)
        app.field("Model").fill(llm.MODEL)
        app.field("Topic (optional)").fill("birds")
        line = f"The distinct labels of 'ground_truth' and the topic are sent to {model.base_url}; images are not."
        page.get_by_text(line).first.wait_for()
        page.get_by_text("Tick “Send the class names", exact=False).first.wait_for()
        app.wait_until_refused("Describe")
        app.screenshot("describe_form")
        page.get_by_role("checkbox").last.check()
        page.get_by_text("Tick “Send the class names", exact=False).first.wait_for(state="detached")
        assert model.requests == []

        model.replies["grey heron"] = llm.Reply(delay=1.0)
        with app.bringing_up("of 3 classes"):
            app.submit("Describe")
        app.screenshot("describe_progress")
        page.get_by_text("3 classes described").first.wait_for()
        shown = page.get_by_role("dialog").locator("pre").last
        shown.wait_for()
        app.screenshot("describe_done")
        copied = shown.evaluate("pre => { getSelection().selectAllChildren(pre); return getSelection().toString(); }")
        assert sorted(map(str, model.requested)) == sorted(CLASSES)

        birds.reload()
        assert json.loads(copied) == birds.info["lgca_descriptions"]
        assert {name: len(texts) for name, texts in birds.info["lgca_descriptions"].items()} == dict.fromkeys(
            CLASSES, 8
        )
        app.close_dialog()

    app.open_operator("Classify zero-shot (CLIP, WCA, LGCA)")
    page.get_by_role("tab", name="Demo model").click()
    page.get_by_role("tab", name="Saved on the dataset").click()
    page.get_by_text("Descriptions of 3 classes, saved in dataset.info['lgca_descriptions']").first.wait_for()
    app.screenshot("classify_saved_descriptions")
    app.wait_until_ready("Classify")
    app.close_dialog()

    app.open_operator("Describe classes with a language model")  # the server is gone by now
    app.field("Address of the server").fill(model.base_url)
    app.field("Model").fill(llm.MODEL)
    page.get_by_text("The dataset has descriptions of 3 classes: describe these again").first.wait_for()
    page.get_by_text(
        "The distinct labels of 'ground_truth' that the dataset has no descriptions of are sent"
    ).wait_for()
    page.get_by_text(f"Send the class names to {model.base_url}").first.wait_for()
    page.get_by_role("dialog").get_by_role("checkbox").first.check()
    page.get_by_role("dialog").get_by_role("checkbox").last.check()
    page.get_by_text("Tick “Send the class names", exact=False).first.wait_for(state="detached")
    app.submit("Describe")
    page.get_by_text("The descriptions were not finished").first.wait_for()
    page.get_by_text("no class has been answered yet").first.wait_for()
    app.screenshot("describe_stopped")
