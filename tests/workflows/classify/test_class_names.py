"""Runs whose classes are codes: the model reads other names, in a prompt of one's own; labels keep the codes."""

from typing import Any

import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.descriptions.class_names import ENTRY
from lgca_plugin.errors import ConfigError
from tests.helpers.worlds.birds import bird_dataset

pytestmark = pytest.mark.usefixtures("module_store")

NAMES = {f"{at:03}.code": name for at, name in enumerate(CLASSES)}
CODES = list(NAMES)
OF = {name: code for code, name in NAMES.items()}
PROMPT = "a drawing of a {}."
SMALL = lgca.RegionConfig(crops=4, lgca_crops=2)
LIGHT: dict[str, Any] = {"regions": SMALL, "methods": ("clip", "wca", "lgca", "wca_d"), "progress": False}


@pytest.fixture(scope="module")
def dataset(demo_images, module_store):  # noqa: ARG001 (what is made here goes to the module's store)
    labels = [OF[image.truth] for image in demo_images[:8]]
    dataset = bird_dataset(demo_images[:8], codes=labels)
    yield dataset
    dataset.delete()


def labels_of(run):
    return {m.name: run.dataset.values(f"{run.key}_{m.name}.label") for m in run.config.methods}


@pytest.fixture(scope="module")
def run(dataset, demo_encoder):
    settings = {"encoder": demo_encoder, "display_names": NAMES, "prompt": PROMPT, "ground_truth": "codes"}
    return lgca.classify(dataset, CODES, run_key="coded", **settings, **LIGHT)


def test_labels__are_those_of_the_display_names_as_codes(dataset, run, demo_encoder):
    plain = lgca.classify(dataset, CLASSES, encoder=demo_encoder, run_key="plain", prompt=PROMPT, **LIGHT)
    expected = {name: [OF[label] for label in labels] for name, labels in labels_of(plain).items()}
    assert labels_of(run) == expected
    other = lgca.classify(dataset, CLASSES, encoder=demo_encoder, run_key="other", **LIGHT)
    margins = [one.dataset.values(f"{one.key}_clip.margin") for one in (plain, other)]
    assert margins[0] != margins[1]  # the prompt counts


def test_run__goes_on_only_under_the_same_names(dataset, run, demo_encoder):
    settings = {"encoder": demo_encoder, "run_key": "coded", "ground_truth": "codes", **LIGHT}
    again = lgca.classify(dataset, CODES, display_names=NAMES, prompt=PROMPT, **settings)
    assert again.token == run.token
    with pytest.raises(ConfigError, match="descriptions"):
        lgca.classify(dataset, CODES, **settings)


def test_rescoring__keeps_names_and_drops_or_changes_them(run, demo_encoder):
    fewer = run.rescore(CODES[:6], run_key="fewer", encoder=demo_encoder, progress=False)
    assert fewer.results[ENTRY] == {"display": NAMES, "prompt": PROMPT}
    assert "code" not in str(list(fewer.descriptions.values()))
    turned = dict(zip(CODES, reversed(NAMES.values()), strict=True))
    bare = run.rescore(display_names=turned, prompt="{}", run_key="bare", encoder=demo_encoder, progress=False)
    assert bare.results[ENTRY] == {"display": turned, "prompt": "{}"}
    assert all(turned[code] in text for code in CODES for text in bare.descriptions[code])
    with pytest.raises(ConfigError, match="never trained on their words"):
        run.rescore(display_names={}, run_key="own", encoder=demo_encoder, progress=False)  # "000.code"
    back = bare.rescore(display_names=NAMES, prompt=PROMPT, run_key="back", encoder=demo_encoder, progress=False)
    assert labels_of(back) == labels_of(run)
    for one in (fewer, bare, back):
        one.delete()


def test_evidence_and_triage__are_of_the_names(run, demo_encoder):
    id_ = run.dataset.first().id
    found = run.evidence(id_, encoder=demo_encoder)
    assert found.classes[int(found.scores["clip"].argmax())] == run.dataset[id_]["coded_clip"].label
    assert "edited since" not in str(run.triage("codes", progress=False).report["warnings"])


def test_search__keeps_the_names_and_rescores_with_others(dataset, demo_encoder):
    settings = {"encoder": demo_encoder, "regions": SMALL, "progress": False, "run_key": "found"}
    first = lgca.find_wrong_labels(dataset, "codes", display_names=NAMES, **settings).run
    again = lgca.find_wrong_labels(dataset, "codes", **settings).run
    assert again.token == first.token and again.results[ENTRY]["display"] == NAMES
    other = lgca.find_wrong_labels(dataset, "codes", display_names={**NAMES, CODES[0]: "sparrow"}, **settings).run
    assert other.key == "found" and other.token != first.token
    assert other.summary()["images_encoded"] == 0
    assert other.results[ENTRY]["display"][CODES[0]] == "sparrow"


def test_refused(dataset, demo_encoder):
    with pytest.raises(ConfigError, match="but for none of the classes"):
        lgca.classify(dataset, CODES, encoder=demo_encoder, display_names={"swan": "swan"}, run_key="no")
    with pytest.raises(ConfigError, match="prompt must be one line"):
        lgca.classify(dataset, CODES, encoder=demo_encoder, prompt="a bird", run_key="no")
    assert "no" not in dataset.list_runs()
