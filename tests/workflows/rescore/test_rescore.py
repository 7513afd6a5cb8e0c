"""Rescoring gives what a full new run gives, without encoding an image."""

from dataclasses import replace

import fiftyone as fo
import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.store.store import Store
from lgca_plugin.workflows.rescore.rescore import INCOMPLETE
from tests.helpers.engine import Counting
from tests.helpers.runs import assert_same_results, classified

ALL = ("clip", "wca", "lgca", "lgca_d", "clip_d")
SMALL = lgca.RegionConfig(crops=14)
FEWER = CLASSES[3:9]


NEW_TEXTS = {name: [f"a small {name} on a branch", f"the head of a {name}"] for name in CLASSES}


@pytest.mark.parametrize(
    ("changes", "settings"),
    [
        ({"classes": FEWER}, {"classes": FEWER, "descriptions": {name: DESCRIPTIONS[name] for name in FEWER}}),
        ({"descriptions": NEW_TEXTS}, {"descriptions": NEW_TEXTS}),
        (
            {"classes": FEWER, "descriptions": {FEWER[0]: NEW_TEXTS[FEWER[0]]}},
            {"classes": FEWER, "descriptions": {FEWER[0]: NEW_TEXTS[FEWER[0]]}},
        ),
        ({"text_scale": 4.5}, {"text_scale": 4.5}),
        ({"image_scale": 2.0}, {"image_scale": 2.0}),
        ({"global_weight": 0.7}, {"global_weight": 0.7}),
        ({"step_weights": (1, 2, 4)}, {"step_weights": (1.0, 2.0, 4.0)}),
        ({"decisiveness": 3.0, "temperature": 2.5}, {"decisiveness": 3.0, "temperature": 2.5}),
        ({"steps": 1}, {"regions": replace(SMALL, steps=1, lgca_crops=8)}),
        ({"steps": 0}, {"regions": replace(SMALL, steps=0, lgca_crops=8)}),
        ({"methods": ("clip", "wca")}, {"methods": ("clip", "wca")}),
        ({"methods": ("lgca",), "classes": FEWER[:2]}, {"methods": ("lgca",), "classes": FEWER[:2]}),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_rescore__is_what_a_full_new_run_gives(run, full_run, demo_encoder, changes, settings):
    has = {
        "image_scale": lambda m: m.regions != "none" and m.weighting == "salience",
        "text_scale": lambda m: m.class_vectors == "weighted",
        "global_weight": lambda m: m.regions == "chains",
        "step_weights": lambda m: m.regions == "chains",
        "decisiveness": lambda m: m.name in ("wca_d", "lgca_d"),
        "temperature": lambda m: m.name in ("wca_d", "lgca_d"),
    }
    presets = [lgca.METHODS[name] for name in settings.pop("methods", ALL)]
    for name in [name for name in settings if name in has]:
        value = settings.pop(name)
        presets = [replace(preset, **{name: value}) if has[name](preset) else preset for preset in presets]
    counting = Counting(demo_encoder)

    rescored = run.rescore(**changes, run_key="re", encoder=counting, progress=False)

    assert counting.encoded == 0
    assert_same_results(rescored, full_run(methods=tuple(presets), **settings))
    summary = rescored.summary()
    assert (summary["status"], summary["encodes"], summary["predicted"]) == ("done", 0, 8)
    assert lgca.load_run(run.dataset, "re").config == rescored.config


def test_rescore__in_place_takes_the_runs_place(run, full_run):
    before = run.dataset.values("zs_lgca.label")
    rescored = run.rescore(classes=FEWER, progress=False)
    assert lgca.list_runs(run.dataset) == ["zs"]
    assert rescored.key == "zs"
    assert rescored.config.classes == FEWER
    assert_same_results(rescored, full_run(classes=FEWER, descriptions={name: DESCRIPTIONS[name] for name in FEWER}))

    back = rescored.rescore(classes=CLASSES, descriptions=DESCRIPTIONS, progress=False)
    assert run.dataset.values("zs_lgca.label") == before
    assert back.config == run.config
    held = [entry["samples"] for entry in lgca.store_info().runs if entry["dataset"] == run.dataset.name]
    assert held == [8]  # the run that is there now, and none of those that it has replaced


def test_rescore__a_class_that_comes_back_finds_its_descriptions(run):
    rescored = run.rescore(classes=FEWER, progress=False).rescore(classes=FEWER[:2], progress=False)
    assert set(rescored.descriptions) == set(FEWER[:2])
    back = rescored.rescore(classes=CLASSES, progress=False)
    assert back.descriptions == run.descriptions
    assert back.summary()["templates"] == []


def test_rescore__an_empty_dict_gives_all_classes_the_templates(run, full_run):
    rescored = run.rescore(descriptions={}, run_key="re", progress=False)
    assert rescored.summary()["templates"] == list(CLASSES)
    assert rescored.summary()["warnings"] == []
    assert_same_results(rescored, full_run(descriptions=None))


def test_rescore__under_another_key_leaves_the_run_alone(run):
    before = [run.dataset.values(f"zs_{name}.{part}") for name in ALL for part in ("label", "confidence", "id")]
    run.rescore(classes=FEWER, run_key="re", progress=False)
    run.dataset.reload()
    after = [run.dataset.values(f"zs_{name}.{part}") for name in ALL for part in ("label", "confidence", "id")]
    assert before == after
    lgca.load_run(run.dataset, "re").delete()
    assert lgca.load_run(run.dataset, "zs").rescore(text_scale=3.0, progress=False).summary()["predicted"] == 8


def test_rescore__of_a_rescored_run_and_then_classify_encode_nothing(run, demo_encoder):
    twice = run.rescore(image_scale=1.0, run_key="a", progress=False).rescore(
        classes=FEWER, run_key="b", progress=False
    )
    assert twice.summary()["status"] == "done"
    counting = Counting(demo_encoder)
    given = {"classes": FEWER, "descriptions": None, "methods": ("clip", "lgca"), "regions": SMALL}
    again = classified(run.dataset, counting, run_key="c", **given)
    assert counting.encoded == 0
    assert again.summary()["images_recalled"] == 8


def test_rescore__without_region_embeddings_does_what_vectors_can(birds, demo_encoder, full_run, monkeypatch, tmp_path):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "vectors"))
    run = classified(birds, demo_encoder, regions=SMALL, store_regions=False)
    rescored = run.rescore(classes=FEWER, run_key="re", progress=False)
    expected = full_run(
        classes=FEWER, descriptions={name: DESCRIPTIONS[name] for name in FEWER}, methods=("clip", "wca", "lgca")
    )
    assert_same_results(rescored, expected, boxes=False)
    assert rescored.summary()["warnings"] == ["no boxes: 8 of 8 samples have no region embeddings in the store"]
    assert set(birds.values("re_regions.detections")[0] or ()) == set()
    with pytest.raises(lgca.ConfigError, match=r"^wca, lgca needs region embeddings, which 8 of 8 samples"):
        run.rescore(image_scale=2.0, progress=False)
    with pytest.raises(lgca.ConfigError, match=r"^lgca_d needs region embeddings"):
        run.rescore(methods=("clip", "lgca_d"), progress=False)


def test_rescore__without_region_embeddings_keeps_vectors_weighed_by_class_as_long_as_their_texts_stay(
    birds, demo_encoder, monkeypatch, tmp_path
):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "vectors"))
    run = classified(birds, demo_encoder, regions=SMALL, store_regions=False, methods=ALL, logits=True)
    rescored = run.rescore(shares={name: 1 + at for at, name in enumerate(CLASSES)}, run_key="re", progress=False)
    assert rescored.summary()["predicted"] == 8
    added = rescored.results["shares"]["offsets"]["lgca_d"]
    for sample in birds:
        expected = sample.zs_lgca_d.logits + np.array(added)
        np.testing.assert_allclose(sample.re_lgca_d.logits, expected, atol=1e-3)
    for changes in ({"classes": FEWER}, {"decisiveness": 3.0}, {"text_scale": 3.0}):
        with pytest.raises(lgca.ConfigError, match=r"^lgca_d needs region embeddings, which 8 of 8 samples"):
            run.rescore(**changes, progress=False)


def test_rescore__failed_samples_stay_failed_and_deleted_ones_are_not_missed(birds, demo_encoder, tmp_path):
    birds.add_sample(fo.Sample(filepath=str(tmp_path / "missing.jpg")))
    run = classified(birds, demo_encoder, regions=SMALL)
    birds.delete_samples(birds.first().id)

    rescored = run.rescore(classes=FEWER, run_key="re", progress=False)

    summary = rescored.summary()
    assert (summary["predicted"], summary["failed"], summary["skipped"], summary["total"]) == (7, 1, 0, 8)
    assert rescored.failures == run.failures
    assert birds.last().re_error == "the file does not exist"


def test_rescore__logits_and_boxes_can_be_asked_for(run):
    rescored = run.rescore(logits=True, shown_chains=1, run_key="re", progress=False)
    for sample in run.dataset:
        assert sample.re_wca.logits.shape == (len(CLASSES),)
        assert CLASSES[int(np.argmax(sample.re_wca.logits))] == sample.re_wca.label
        odds = np.exp(sample.re_wca.logits - sample.re_wca.logits.max())
        assert odds.max() / odds.sum() == pytest.approx(sample.re_wca.confidence, abs=1e-4)
        assert len({box.index for box in sample.re_regions.detections}) == 1
    assert rescored.config.logits
    none = run.rescore(shown_chains=0, run_key="none", progress=False)
    assert none.dataset.count("none_regions.detections") == 0


def test_rescore__needs_neither_files_nor_where_all_texts_are_known_a_model(run, monkeypatch, tmp_path):
    from lgca_plugin.runs import stored_texts as texts

    run.dataset.set_values("filepath", [str(tmp_path / f"{at}.png") for at in range(len(run.dataset))])
    monkeypatch.delattr(texts, "load_encoder")  # whoever asks for it fails
    assert run.rescore(classes=FEWER, text_scale=1.0, run_key="re", progress=False).summary()["predicted"] == 8


def test_rescore__reports_progress_to_the_end(run):
    steps: list[lgca.Progress] = []
    run.rescore(logits=True, progress=steps.append)  # vectors for the labels, then regions for the boxes
    assert steps[-1].done == steps[-1].total == 16
    assert [step.done for step in steps] == sorted(step.done for step in steps)


@pytest.mark.parametrize("shown_chains", [0, 2])
def test_rescore__an_image_whose_vectors_are_damaged_is_said_to_have_failed(run, monkeypatch, shown_chains):
    lost = run.dataset.first().id
    read = Store.image_vectors

    def damaged(self, *arguments):
        for ids, vectors in read(self, *arguments):
            sound = [row for row, id_ in enumerate(ids) if id_ != lost]
            yield [ids[row] for row in sound], vectors[sound]

    monkeypatch.setattr(Store, "image_vectors", damaged)
    rescored = run.rescore(
        classes=FEWER, methods=("clip", "wca"), shown_chains=shown_chains, run_key="re", progress=False
    )
    assert rescored.failures == {lost: INCOMPLETE}
    assert (rescored.summary()["predicted"], rescored.summary()["failed"]) == (7, 1)
