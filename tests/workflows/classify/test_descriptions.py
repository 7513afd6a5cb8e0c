"""Class descriptions in runs."""

import json

import fiftyone as fo
import pytest

from lgca_plugin.encoder.open_clip_encoder import OpenClipEncoder
from tests.helpers.paths import PUBLISHED_DESCRIPTIONS as PUBLISHED
from tests.helpers.tiny_clip import CONFIG, add_architecture


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A model of random weights that tells all words apart, with the context of CLIP."""
    import open_clip
    import torch

    name, text = "lgca-test-tiny-77", {**CONFIG["text_cfg"], "context_length": 77}
    add_architecture(tmp_path_factory.mktemp("configs"), name, text_cfg=text)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = open_clip.create_model(name)
    return OpenClipEncoder(model, open_clip.get_tokenizer(name), name="tiny", device="cpu")


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published files lie beside the project, not in it")
@pytest.mark.parametrize("name", ["cub_clip-d", "dtd_clip-d", "dtd_cupl", "oxford_pet_clip-d", "oxford_pet_cupl"])
def test_published_files__classify_photographs(dataset, photographs, classify, tiny, name):
    dataset.add_samples([fo.Sample(filepath=str(path)) for path in photographs[:2]], progress=False)
    path = PUBLISHED / f"{name}.json"
    classes = list(json.loads(path.read_text(encoding="utf-8")))
    run = classify(dataset, classes=classes, descriptions=path, encoder=tiny)
    assert run.summary()["predicted"] == 2
    assert run.summary()["templates"] == []
    use = run.summary()["texts"]
    assert use["style"] == "auto"
    assert use["as_given" if name.endswith("cupl") else "in_sentences"] > 0.98 * (use["as_given"] + use["in_sentences"])
    assert set(dataset.values("zs_wca.label")) <= set(classes)


def test_run__records_what_stood_in_and_says_so(birds, classify, caplog):
    descriptions = {"Blue_Tit": ["a yellow breast"], "crow": ["black wings"]}
    run = classify(
        birds.limit(1),
        classes=["blue tit", "redpoll"],
        descriptions=descriptions,
        description_style="attributes",
    )
    assert run.summary()["templates"] == ["redpoll"]
    assert run.summary()["texts"] == {
        "style": "attributes",
        "as_given": 0,
        "in_sentences": 1,
        "example": ["a yellow breast", "blue tit, which has a yellow breast."],
    }
    assert "no descriptions for redpoll: the template ensemble stands in" in caplog.text
    assert "the descriptions of crow are not used: no class is called so" in caplog.text
    assert run.descriptions["blue tit"] == ["blue tit, which has a yellow breast."]


def test_rescored_run__counts_the_descriptions_that_it_has_kept(birds, classify):
    descriptions = {"blue tit": ["a yellow breast", "A blue tit."], "swan": ["a long neck", "white", "A swan."]}
    run = classify(
        birds.limit(1),
        classes=["blue tit", "redpoll", "swan"],
        descriptions=descriptions,
        description_style="attributes",
    )
    uses = [run.summary()["texts"]]
    uses += [
        run.rescore(classes=classes, run_key=key, progress=False).summary().get("texts")
        for key, classes in (
            ("swan", ["swan", "redpoll"]),
            ("none", ["redpoll", "crow"]),
            ("same", ["swan", "redpoll", "blue tit"]),
        )
    ]
    counts = [use and (use["as_given"], use["in_sentences"]) for use in uses]
    assert counts == [(2, 3), (1, 2), {}, (2, 3)]
