"""The evidence on samples of a run: what the run decided by, from its stored embeddings alone."""

import json

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


# ------------------------------------------------------------------------------------------------------ its numbers


def test_evidence__is_what_the_run_decided_by(run, predicted):
    assert len(predicted) == 18
    for sample in predicted:
        seen = run.evidence(sample.id)
        assert isinstance(seen, lgca.Evidence)
        assert (seen.sample_id, seen.run_key) == (sample.id, "zs")
        assert (seen.classes, seen.methods) == (tuple(CLASSES), METHODS)
        for name in METHODS:
            field = sample[f"zs_{name}"]
            assert seen.labels[name] == field.label
            np.testing.assert_allclose(seen.scores[name], field.logits, atol=1e-6)
            assert seen.margin(name) == pytest.approx(field.margin, abs=1e-6)
            assert seen.confidences[name].max() == pytest.approx(field.confidence, abs=1e-4)


def test_evidence__contributions_sum_to_the_margins(run, predicted):
    for sample in predicted.limit(6):
        seen = run.evidence(sample.id)
        for name in METHODS:
            for a, b in ((0, 1), (CLASSES[3], 7), (seen.labels[name], CLASSES[5])):
                shares, whole = seen.contributions(name, a, b), seen.global_contribution(name, a, b)
                assert shares.sum() + whole == pytest.approx(seen.margin(name, a, b), abs=1e-6)
                assert shares.shape == (len(seen.step),)
                assert np.isfinite(shares).all()
            assert seen.weights[name].sum() == pytest.approx(0 if name.startswith("clip") else 1)


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


def test_evidence__taking_a_cases_crops_out_turns_wcas_label(run, predicted):
    found = []
    for sample in predicted:
        seen = run.evidence(sample.id)
        if seen.labels["wca"] == seen.labels["lgca"]:
            assert seen.case is None and not seen.misleading.any()
            continue
        without = seen.without(np.flatnonzero(seen.misleading))
        assert (seen.case is not None) == (without.labels["wca"] == seen.labels["lgca"])
        if seen.case is not None:
            found.append(seen.case)
            assert seen.case.exact
            assert seen.without(seen.case.crops).labels["wca"] == seen.labels["lgca"]
            for kept in seen.case.crops:  # one crop less is too few
                fewer = [r for r in seen.case.crops if r != kept]
                assert seen.without(fewer).labels["wca"] != seen.labels["lgca"]
    assert len(found) >= 5
    assert max(case.size for case in found) >= 3


def test_evidence__what_if_touches_only_the_methods_that_look_there(run, predicted):
    seen = run.evidence(predicted.first().id)
    beyond = [r for r in seen.regions_of(step=0) if seen.chain[r] >= 6]  # crops of WCA that start no chain
    found = seen.without(beyond)
    for name in ("clip", "clip_d", "lgca", "lgca_d"):
        assert found.scores[name].tolist() == seen.scores[name].tolist()
    assert found.scores["wca"].tolist() != seen.scores["wca"].tolist()


def test_evidence__stability_is_a_share_of_draws(run, predicted):
    values = [run.evidence(sample.id).stability for sample in predicted]
    for of_sample in values:
        assert list(of_sample) == list(METHODS)
        assert of_sample["clip"] == of_sample["clip_d"] == 1
        assert all(0 <= value <= 1 and value == round(value * 200) / 200 for value in of_sample.values())
    assert np.mean([of_sample["wca"] for of_sample in values]) < 1
    assert values == [run.evidence(sample.id).stability for sample in predicted]


def test_evidence__as_a_document_and_as_text(run, predicted):
    for sample in predicted:
        seen = run.evidence(sample.id)
        document = json.loads(json.dumps(seen.to_json(), allow_nan=False))
        assert document["sample_id"] == sample.id
        assert document["methods"]["lgca"]["label"] == sample.zs_lgca.label
        assert len(document["regions"]) == 25
        assert (document["case"] is None) == (seen.case is None)
        assert repr(seen).startswith(f"<Evidence on sample '{sample.id}' in run 'zs': clip {sample.zs_clip.label}, ")


# --------------------------------------------------------------------------------------------- what it reads and keeps


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


# ------------------------------------------------------------------------------------------------------- what it lacks


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
    dataset = fo.Dataset()
    dataset.add_samples([fo.Sample(filepath=str(image.path)) for image in demo_images[:2]])
    bare = lgca.classify(
        dataset,
        classes=CLASSES,
        methods=("wca",),
        encoder=demo_encoder,
        regions=SMALL,
        store_regions=False,
        progress=False,
    )
    with pytest.raises(lgca.ConfigError, match="overwrite=True encodes it again"):
        bare.evidence(dataset.first().id)
    bare.delete()
    with pytest.raises(lgca.ConfigError, match="the embeddings of run 'zeroshot' are not stored on this machine"):
        bare.evidence(dataset.first().id)
    dataset.delete()


def test_evidence__another_encoder_is_refused(run, predicted, demo_encoder):
    sample_id = predicted.first().id
    run.evidence(sample_id, encoder=demo_encoder)
    for _ in range(2):  # also where the class vectors are known already
        with pytest.raises(lgca.ConfigError, match="the encoder is not the one that run 'zs' was made with"):
            run.evidence(sample_id, encoder=Counting(demo_encoder, fingerprint="another"))
        SCORINGS.clear()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda seen: seen.margin("wca", "penguin", 0), "'penguin' is none of the 12 classes"),
        (
            lambda seen: seen.contributions("decisive"),
            "there is no method 'decisive' in this run; choose from clip, wca",
        ),
        (lambda seen: seen.without([25]), "regions are given by their indices from 0 to 24"),
    ],
    ids=["class", "method", "region"],
)
def test_evidence__wrong_questions_are_refused_in_a_sentence(run, predicted, ask, message):
    with pytest.raises(lgca.ConfigError, match=message):
        ask(run.evidence(predicted.first().id))
