"""The demo's printed table and the compare panel show the same number for the same question."""

import re

import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.demo.report import report_text
from tests.helpers.app.panels import PanelSession
from tests.helpers.worlds.birds import bird_dataset
from tests.helpers.worlds.compared import URI

pytestmark = pytest.mark.usefixtures("module_store")


@pytest.fixture
def triage(demo_images, demo_encoder):
    given = [
        image.truth if at % 5 else CLASSES[(CLASSES.index(image.truth) + 1) % len(CLASSES)]
        for at, image in enumerate(demo_images)
    ]
    dataset = bird_dataset(demo_images, ground_truth=given, truth=[image.truth for image in demo_images])
    dataset.set_values("label_is_wrong", [at % 5 == 0 for at in range(len(dataset))])
    methods = ("clip", "wca", "lgca", "lgca_d", "clip_d")
    yield lgca.find_wrong_labels(dataset, "ground_truth", encoder=demo_encoder, methods=methods, progress=False)
    dataset.delete()


def test_accuracies__of_the_panel_are_those_of_the_demos_table(triage):
    dataset = triage.run.dataset
    printed = [line.split() for line in report_text(triage).splitlines() if re.match(r"(clip|wca|lgca)", line)]
    panel = PanelSession(URI, dataset).load()
    for labels in ("ground_truth", "truth"):
        panel.send("pick_labels", value=labels)
        assert f"Measured against {labels}, 24 labels, the same for all methods." in panel.shown.words
        shown = [text for text in panel.shown.texts if re.fullmatch(r"[\d.]+%", text)]
        percentages = [[word for word in line if word.endswith("%")] for line in printed]
        column = 0 if labels == "ground_truth" else 1
        assert shown == [found[column] for found in percentages]
        assert len(shown) == 5
