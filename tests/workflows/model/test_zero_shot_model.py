"""A method as a FiftyOne model: labels of a run, embeddings, failures, texts; the repository as a source of models."""

import functools
import http.server
import json
import threading

import fiftyone as fo
import fiftyone.brain as fob
import fiftyone.zoo as foz
import numpy as np
import pytest
from PIL import Image

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.errors import ConfigError, ImageError
from lgca_plugin.workflows.model.zoo import MODELS
from scripts.plugin_zip import write_zip
from tests.helpers.paths import ROOT
from tests.helpers.worlds.birds import SMALL, bird_dataset, classify_birds

IMAGES = 6


@pytest.fixture(scope="module")
def run(demo_images, demo_encoder):
    """A run on six drawings, with the methods that are tried as models."""
    run = classify_birds(
        bird_dataset(demo_images[:IMAGES]), demo_encoder, methods=("clip", "lgca", "wca_d"), regions=SMALL, logits=True
    )
    yield run
    run.dataset.delete()


def model_of(method, encoder):
    return lgca.load_model(method, CLASSES, descriptions=DESCRIPTIONS, encoder=encoder, regions=SMALL)


@pytest.mark.parametrize(("method", "batch_size"), [("clip", None), ("lgca", 4), ("wca_d", 1)])
def test_apply_model__gives_the_labels_of_a_run(run, demo_encoder, method, batch_size):
    dataset = run.dataset
    dataset.apply_model(
        model_of(method, demo_encoder), label_field="made", store_logits=True, batch_size=batch_size, progress=False
    )
    for sample in dataset:
        made, own = sample["made"], sample[f"birds_{method}"]
        assert made.label == own.label
        assert made.confidence == pytest.approx(own.confidence, abs=1e-4)
        np.testing.assert_allclose(made.logits, own.logits, atol=1e-3)
    dataset.delete_sample_field("made")


def test_embeddings__are_the_vectors_that_are_compared_with_the_classes(run, demo_encoder):
    model = model_of("clip", demo_encoder)
    vectors = run.dataset.compute_embeddings(model, batch_size=3, progress=False)
    assert vectors.shape == (IMAGES, demo_encoder.dim)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    texts = model.embed_prompts([f"a photo of a {name}." for name in CLASSES])
    assert [CLASSES[at] for at in (vectors @ texts.T).argmax(axis=1)] == run.dataset.values("birds_clip.label")
    grown = run.dataset.compute_embeddings(model_of("lgca", demo_encoder), progress=False)
    assert np.abs(grown - vectors).max() > 0.01


def test_brain__searches_with_the_model_by_text(run, demo_encoder):
    model = model_of("lgca", demo_encoder)
    index = fob.compute_similarity(run.dataset, model=model, brain_key="by_lgca", progress=False)
    found = run.dataset.sort_by_similarity(f"a photo of a {CLASSES[0]}.", brain_key="by_lgca", k=2)
    vectors = run.dataset.compute_embeddings(model, progress=False)
    best = np.argsort(-(vectors @ model.embed_prompt(f"a photo of a {CLASSES[0]}.")))[:2]
    assert found.values("id") == [run.dataset.values("id")[at] for at in best]
    assert index.config.supports_prompts is not False
    run.dataset.delete_brain_run("by_lgca")


def test_image__may_be_a_path_bytes_pixels_or_of_pillow(demo_images, demo_encoder, tmp_path):
    model, path = model_of("clip", demo_encoder), tmp_path / "bird.png"
    with Image.open(demo_images[0].path) as image:
        pixels = image.convert("RGB")
    pixels.save(path)
    kinds = [str(path), path, path.read_bytes(), np.asarray(pixels), pixels]
    vectors = model.embed_all(kinds)
    np.testing.assert_allclose(vectors, vectors[:1].repeat(len(kinds), axis=0), atol=1e-5)
    assert len({label.label for label in model.predict_all(kinds)}) == 1
    with pytest.raises(ConfigError, match=r"uint8 pixels \[height, width, 3\]; got 'ndarray' float64"):
        model.predict(np.zeros((8, 8, 3)))


def test_failing_file__is_left_out_or_an_error(demo_images, demo_encoder, tmp_path):
    dataset = bird_dataset(demo_images[:2])
    dataset.add_sample(fo.Sample(filepath=str(tmp_path / "missing.png")))
    model = model_of("clip", demo_encoder)
    dataset.apply_model(model, label_field="made", progress=False)
    assert [label is not None for label in dataset.values("made.label")] == [True, True, False]
    with pytest.raises(ImageError, match="does not exist"):
        dataset.apply_model(model, label_field="made", skip_failures=False, progress=False)
    dataset.delete()


def test_refused(demo_encoder):
    with pytest.raises(ConfigError, match="takes the classes to choose from"):
        lgca.load_model("lgca", encoder=demo_encoder)
    with pytest.raises(ConfigError, match="hada"):
        lgca.load_model("hada", CLASSES, encoder=demo_encoder)
    with pytest.raises(ConfigError, match="batch_size must be a whole number"):
        lgca.load_model("lgca", CLASSES, encoder=demo_encoder, batch_size=0)


@pytest.fixture
def source(tmp_path, monkeypatch):
    """The address of a zip file of the repository as it is, and an empty model zoo."""
    monkeypatch.setattr(fo.config, "model_zoo_dir", str(tmp_path / "zoo"))
    site = tmp_path / "site"
    write_zip(site / "lgca.zip")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/lgca.zip"
    server.shutdown()
    server.server_close()


def test_zoo__registers_the_repository_and_loads_a_model_of_it(source, run):
    foz.register_zoo_model_source(source)
    assert set(MODELS) <= set(foz.list_zoo_models(source=source))
    model = foz.load_zoo_model("lgca/demo", classes=list(CLASSES), descriptions=dict(DESCRIPTIONS), method="clip")
    assert type(model).__name__ == "ZeroShotModel"
    run.dataset.apply_model(model, label_field="made", progress=False)
    assert run.dataset.values("made.label") == run.dataset.values("birds_clip.label")
    run.dataset.delete_sample_field("made")


def test_manifest__lists_the_models():
    listed = json.loads((ROOT / "manifest.json").read_text(encoding="utf-8"))["models"]
    assert [model["base_name"] for model in listed] == list(MODELS)
