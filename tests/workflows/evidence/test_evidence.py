"""The evidence on samples of a run: what the run decided by, from its stored embeddings alone."""

import fiftyone as fo
import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.demo.dataset import draw_images
from lgca_plugin.workflows.evidence.evidence import SCORINGS
from tests.helpers.engine import Counting
from tests.helpers.runs import add_images, classified

pytestmark = pytest.mark.usefixtures("module_store")

METHODS = ("clip", "wca", "lgca", "lgca_d", "wca_global", "crops_mean", "clip_d")
SMALL = lgca.RegionConfig(crops=20, lgca_crops=6, scale_min=0.1, scale_max=0.3)  # where WCA and LGCA disagree often


class Texts(Counting):
    """A real encoder that also counts the texts it is given."""

    texts = 0

    def encode_texts(self, texts):
        self.texts += len(texts)
        return super().encode_texts(texts)


@pytest.fixture(scope="module")
def run(demo_encoder, tmp_path_factory):
    dataset = fo.Dataset()
    images = draw_images(tmp_path_factory.mktemp("misleading"), count=48, seed=3)[:18]
    add_images(dataset, images)
    dataset.add_sample(fo.Sample(filepath="/nowhere/missing.png"))
    yield classified(dataset, demo_encoder, methods=METHODS, regions=SMALL, logits=True)
    dataset.delete()


@pytest.fixture(scope="module")
def predicted(run):
    return run.dataset.exists("zs_wca")


def test_evidence__is_what_the_run_decided_by(run, predicted, demo_encoder):
    assert len(predicted) == 18
    for sample in predicted:
        seen = run.evidence(sample.id)
        assert isinstance(seen, lgca.Evidence)
        assert (seen.sample_id, seen.run_key) == (sample.id, "zs")
        assert (seen.classes, seen.methods) == (tuple(CLASSES), METHODS)
        for name in METHODS:
            field = sample[f"zs_{name}"]
            assert seen.labels[name] == field.label
            np.testing.assert_allclose(seen.scores[name], field.logits / demo_encoder.logit_scale, atol=1e-6)
            assert seen.margin(name) == pytest.approx(field.margin, abs=1e-6)
            assert seen.confidences[name].max() == pytest.approx(field.confidence, abs=1e-4)


def test_evidence__its_regions_are_those_that_the_samples_show(run, predicted):
    """Boxes, votes, weights, contributions and misleading crops: the fields hold some chains, the evidence all."""
    misleading = 0
    for sample in predicted:
        seen = run.evidence(sample.id)
        assert seen.step.tolist() == [0] * 20 + [1] * 3 + [2] * 2
        assert seen.boxes.shape == (25, 4)
        assert (seen.boxes >= 0).all() and (seen.boxes[:, :2] + seen.boxes[:, 2:] <= 1 + 1e-9).all()
        assert seen.explained == "lgca"
        shares = seen.contributions("lgca", *seen.pair("lgca"))
        for shown in sample.zs_regions.detections:
            (r,) = (r for r in seen.regions_of(chain=shown.index) if seen.step[r] == shown.step)
            assert seen.boxes[r] == pytest.approx(shown.bounding_box)
            assert CLASSES[seen.vote[r]] == shown.label
            assert seen.similarity[r] == pytest.approx(shown.similarity, abs=1e-6)
            assert seen.weights["lgca"][r] == pytest.approx(shown.weight, abs=1e-6)
            assert shares[r] == pytest.approx(shown.contribution, abs=1e-6)
            assert bool(seen.misleading[r]) == shown.misleading
            misleading += shown.misleading
        assert set(seen.flips) == set(seen.chain[seen.step > 0].tolist())
    assert misleading > 0


def test_evidence__needs_neither_images_nor_a_model(run, predicted, demo_encoder):
    counting = Texts(demo_encoder)
    SCORINGS.clear()
    paths = predicted.values("filepath")
    predicted.set_values("filepath", [f"/gone{path}" for path in paths])
    try:
        for sample_id in predicted.values("id")[:3]:
            run.evidence(sample_id, encoder=counting)
    finally:
        predicted.set_values("filepath", paths)
    assert (counting.encoded, counting.texts) == (0, 0)


def test_evidence__class_vectors_are_kept_also_for_a_run_loaded_again(run, predicted):
    ids = predicted.values("id")[:2]
    first = run.evidence(ids[0]).verdicts.scoring
    again = lgca.load_run(run.dataset, "zs")
    assert again.evidence(ids[1]).verdicts.scoring is first
    assert len({id(first.class_vectors[name]) for name in ("wca", "lgca", "lgca_d")}) == 1


def test_evidence__after_a_rescoring_is_about_the_new_question(run, predicted):
    fewer = CLASSES[:4]
    rescored = run.rescore(classes=fewer, methods=("wca", "lgca"), steps=1, run_key="few", progress=False)
    sample = predicted.first()
    seen = rescored.evidence(sample.id)
    assert seen.classes == tuple(fewer)
    assert seen.step.max() == 1
    assert seen.labels["wca"] == run.dataset[sample.id].few_wca.label
    in_place = rescored.rescore(classes=CLASSES[4:8], progress=False)
    assert in_place.evidence(sample.id).classes == tuple(CLASSES[4:8])
    assert in_place.evidence(sample.id).labels["wca"] == run.dataset[sample.id].few_wca.label
    in_place.delete()
    assert run.evidence(sample.id).classes == tuple(CLASSES)


def test_evidence__of_a_run_without_regions(run, predicted):
    alone = run.rescore(methods=("clip",), run_key="clip", progress=False)
    seen = alone.evidence(predicted.first().id)
    assert seen.labels == {"clip": predicted.first().zs_clip.label}
    assert (len(seen.step), seen.case, seen.explained) == (0, None, None)
    alone.delete()


def test_evidence__of_an_unknown_sample_is_refused(run):
    for sample_id in ("0" * 24, "nonsense", ""):
        with pytest.raises(lgca.ConfigError, match=f"'{sample_id}' is no image sample of dataset"):
            run.evidence(sample_id)


def test_evidence__of_a_failed_sample_says_why(run):
    (sample_id,) = run.failures
    with pytest.raises(lgca.ConfigError, match=f"sample '{sample_id}' has no result in run 'zs': .*"):
        run.evidence(sample_id)


def test_evidence__of_a_sample_that_came_later_is_refused(run, demo_images):
    sample = fo.Sample(filepath=str(demo_images[0].path))
    run.dataset.add_sample(sample)
    try:
        with pytest.raises(lgca.ConfigError, match="has no region embeddings of run 'zs' in the store"):
            run.evidence(sample.id)
    finally:
        run.dataset.delete_samples([sample.id])


def test_evidence__without_region_embeddings_is_refused(demo_encoder, demo_images, monkeypatch, tmp_path):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path))
    dataset = add_images(fo.Dataset(), demo_images[:2])
    bare = classified(dataset, demo_encoder, methods=("wca",), regions=SMALL, store_regions=False)
    with pytest.raises(lgca.ConfigError, match="overwrite=True encodes it again"):
        bare.evidence(dataset.first().id)
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "of another machine"))
    with pytest.raises(lgca.ConfigError, match="the embeddings of run 'zs' are not stored on this machine"):
        bare.evidence(dataset.first().id)
    bare.delete()
    with pytest.raises(lgca.LgcaError, match="run 'zs' was deleted since it was loaded"):
        bare.evidence(dataset.first().id)
    dataset.delete()


def test_evidence__another_encoder_is_refused(run, predicted, demo_encoder):
    sample_id = predicted.first().id
    run.evidence(sample_id, encoder=demo_encoder)
    for _ in range(2):  # also where the class vectors are known already
        with pytest.raises(lgca.ConfigError, match="the encoder is not the one that run 'zs' was made with"):
            run.evidence(sample_id, encoder=Counting(demo_encoder, fingerprint="another"))
        SCORINGS.clear()
