"""Rescoring: the same answers as a full new run, and no image encoded."""

import copy
from dataclasses import replace

import fiftyone as fo
import numpy as np
import pytest
import torch

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.encoder.checkpoints import load_demo
from lgca_plugin.encoder.open_clip_encoder import OpenClipEncoder
from lgca_plugin.runs.stored_texts import known_texts
from lgca_plugin.store.store import Store
from lgca_plugin.workflows.rescore import rescore as rescore_module
from lgca_plugin.workflows.rescore.plan import Changes, check_rescore
from lgca_plugin.workflows.rescore.rescore import INCOMPLETE, iter_rescore
from tests.helpers.engine import Counting
from tests.helpers.runs import steps_of
from tests.helpers.untouched import untouched

ALL = ("clip", "wca", "lgca", "lgca_d", "clip_d")
SMALL = lgca.RegionConfig(crops=14)  # 14 crops, of which 8 start chains: 8 + 4 + 2
FEWER = CLASSES[3:9]


@pytest.fixture(scope="module")
def shared_stores(tmp_path_factory):
    """Two stores for the module: one for the runs that are rescored, one for the full runs that they are compared with.

    So the pictures are encoded twice, independently, and not once for every test.
    """
    return tmp_path_factory.mktemp("rescored"), tmp_path_factory.mktemp("full")


@pytest.fixture(autouse=True)
def fresh_store(monkeypatch, shared_stores):
    monkeypatch.setenv("LGCA_STORE_DIR", str(shared_stores[0]))
    return shared_stores[0]


@pytest.fixture
def birds(dataset, demo_images):
    dataset.add_samples([fo.Sample(filepath=str(image.path)) for image in demo_images[:8]])
    return dataset


def classified(birds, encoder):
    return lgca.classify(
        birds,
        classes=CLASSES,
        descriptions=DESCRIPTIONS,
        methods=ALL,
        encoder=encoder,
        regions=SMALL,
        run_key="zs",
        progress=False,
    )


@pytest.fixture
def run(birds, demo_encoder):
    return classified(birds, demo_encoder)


@pytest.fixture(scope="module")
def module_run(demo_images, demo_encoder, shared_stores):
    """A run for tests that write nothing."""
    dataset = fo.Dataset()
    dataset.add_samples([fo.Sample(filepath=str(image.path)) for image in demo_images[:8]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGCA_STORE_DIR", str(shared_stores[0]))
        made = classified(dataset, demo_encoder)
    yield made
    dataset.delete()


@pytest.fixture
def full_run(birds, demo_encoder, monkeypatch, shared_stores):
    """Classifies anew, with what full runs have stored alone."""

    def classify(**options):
        with monkeypatch.context() as patch:
            patch.setenv("LGCA_STORE_DIR", str(shared_stores[1]))
            given = {"classes": CLASSES, "descriptions": DESCRIPTIONS, "methods": ALL, "regions": SMALL, **options}
            return lgca.classify(birds, encoder=demo_encoder, run_key="full", progress=False, **given)

    return classify


def assert_same(run, other, *, methods=None, boxes=True):
    """All fields of two runs agree: labels exactly, numbers to 1e-5."""
    methods = methods or [method.name for method in other.config.methods]
    for name in methods:
        for part in ("label", "confidence", "margin"):
            found = run.dataset.values(f"{run.key}_{name}.{part}")
            expected = other.dataset.values(f"{other.key}_{name}.{part}")
            if part == "label":
                assert found == expected
                assert None not in found
            else:
                np.testing.assert_allclose(found, expected, atol=1e-5)
    assert run.dataset.values(f"{run.key}_error") == other.dataset.values(f"{other.key}_error")
    if not boxes:
        return
    for part in ("label", "index", "step", "misleading"):
        path = f"detections.{part}"
        assert run.dataset.values(f"{run.key}_regions.{path}") == other.dataset.values(f"{other.key}_regions.{path}")
    for part in ("bounding_box", "confidence", "similarity", "weight", "contribution"):
        path = f"detections.{part}"
        found = run.dataset.values(f"{run.key}_regions.{path}")
        expected = other.dataset.values(f"{other.key}_regions.{path}")
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)


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
        ({"decisiveness": 3.0}, {"decisiveness": 3.0}),
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
        "step_weights": lambda m: m.regions == "chains" and m.weighting != "decisive",
        "decisiveness": lambda m: m.weighting == "decisive",
    }
    presets = [lgca.METHODS[name] for name in settings.pop("methods", ALL)]
    for name in [name for name in settings if name in has]:
        value = settings.pop(name)
        presets = [replace(preset, **{name: value}) if has[name](preset) else preset for preset in presets]
    counting = Counting(demo_encoder)

    rescored = run.rescore(**changes, run_key="re", encoder=counting, progress=False)

    assert counting.encoded == 0
    assert_same(rescored, full_run(methods=tuple(presets), **settings))
    summary = rescored.summary()
    assert (summary["status"], summary["encodes"], summary["predicted"]) == ("done", 0, 8)
    assert lgca.load_run(run.dataset, "re").config == rescored.config


def test_rescore__in_place_takes_the_runs_place(run, full_run):
    before = run.dataset.values("zs_lgca.label")
    rescored = run.rescore(classes=FEWER, progress=False)
    assert lgca.list_runs(run.dataset) == ["zs"]
    assert rescored.key == "zs"
    assert rescored.config.classes == FEWER
    assert_same(rescored, full_run(classes=FEWER, descriptions={name: DESCRIPTIONS[name] for name in FEWER}))

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
    assert_same(rescored, full_run(descriptions=None))


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
    again = lgca.classify(
        run.dataset,
        classes=FEWER,
        encoder=counting,
        methods=("clip", "lgca"),
        regions=SMALL,
        run_key="c",
        progress=False,
    )
    assert counting.encoded == 0
    assert again.summary()["images_recalled"] == 8


def test_rescore__without_region_embeddings_does_what_vectors_can(birds, demo_encoder, full_run, monkeypatch, tmp_path):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "vectors"))
    run = lgca.classify(
        birds,
        classes=CLASSES,
        descriptions=DESCRIPTIONS,
        encoder=demo_encoder,
        regions=SMALL,
        run_key="zs",
        store_regions=False,
        progress=False,
    )
    rescored = run.rescore(classes=FEWER, run_key="re", progress=False)
    expected = full_run(
        classes=FEWER, descriptions={name: DESCRIPTIONS[name] for name in FEWER}, methods=("clip", "wca", "lgca")
    )
    assert_same(rescored, expected, boxes=False)
    assert rescored.summary()["warnings"] == ["no boxes: 8 of 8 samples have no region embeddings in the store"]
    assert set(birds.values("re_regions.detections")[0] or ()) == set()
    with pytest.raises(lgca.ConfigError, match="clip, wca, lgca needs region embeddings, which 8 of 8 samples"):
        run.rescore(image_scale=2.0, progress=False)
    with pytest.raises(lgca.ConfigError, match="lgca_d needs region embeddings"):
        run.rescore(methods=("clip", "lgca_d"), progress=False)


def test_rescore__failed_samples_stay_failed_and_deleted_ones_are_not_missed(birds, demo_encoder, tmp_path):
    birds.add_sample(fo.Sample(filepath=str(tmp_path / "missing.jpg")))
    run = lgca.classify(birds, classes=CLASSES, encoder=demo_encoder, regions=SMALL, run_key="zs", progress=False)
    birds.delete_samples(birds.first().id)

    rescored = run.rescore(classes=FEWER, run_key="re", progress=False)

    summary = rescored.summary()
    assert (summary["predicted"], summary["failed"], summary["skipped"], summary["total"]) == (7, 1, 0, 8)
    assert rescored.failures == run.failures
    assert birds.last().re_error == "the file does not exist"


def test_rescore__needs_no_image_files(run, tmp_path):
    for sample in run.dataset:
        sample.filepath = str(tmp_path / "gone" / sample.filename)
        sample.save()
    assert run.rescore(classes=FEWER, progress=False).summary()["predicted"] == 8


def test_rescore__logits_and_boxes_can_be_asked_for(run):
    rescored = run.rescore(logits=True, shown_chains=1, run_key="re", progress=False)
    for sample in run.dataset:
        assert sample.re_wca.logits.shape == (len(CLASSES),)
        assert CLASSES[int(np.argmax(sample.re_wca.logits))] == sample.re_wca.label
        assert len({box.index for box in sample.re_regions.detections}) == 1
    assert rescored.config.logits
    none = run.rescore(shown_chains=0, run_key="none", progress=False)
    assert none.dataset.count("none_regions.detections") == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 3}, "steps must be a whole number from 0 to 2, which were encoded; got 3"),
        ({"steps": True}, "steps must be a whole number"),
        ({"classes": ["one"]}, "classification needs at least two classes"),
        ({"image_scale": 99}, r"image_scale is an exponent and must be in \[-20, 20\], got 99"),
        ({"step_weights": (1, 1)}, "step_weights of 'lgca' has 2 entries for 3 steps"),
        ({"methods": ("clip",), "image_scale": 1.0}, "image_scale is a setting of none of these methods: clip"),
        ({"methods": ("nonsense",)}, "unknown method 'nonsense'"),
        ({"run_key": "no key"}, "run_key names fields"),
        ({"shown_chains": -1}, "shown_chains must be a whole number"),
        ({"descriptions": {"none of them": ["x"]}}, "none of them"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_rescore__wrong_changes_are_refused_before_anything_is_written(module_run, changes, message):
    dataset = module_run.dataset
    before = dataset.values("zs_lgca.id")
    with untouched(dataset), pytest.raises(lgca.ConfigError, match=message):
        module_run.rescore(**changes, progress=False)
    assert dataset.values("zs_lgca.id") == before
    assert lgca.list_runs(dataset) == ["zs"]


def test_rescore__methods_that_need_more_regions_are_refused(birds, demo_encoder):
    run = lgca.classify(
        birds,
        classes=CLASSES,
        methods=("clip", "wca"),
        encoder=demo_encoder,
        regions=SMALL,
        run_key="zs",
        progress=False,
    )
    with pytest.raises(lgca.ConfigError, match=r"too few chains for clip, lgca; lgca\.classify with these methods"):
        run.rescore(methods=("clip", "lgca"), progress=False)


def test_rescore__another_runs_key_is_not_taken_by_accident(run):
    run.rescore(classes=FEWER, run_key="re", progress=False)
    with pytest.raises(lgca.ConfigError, match="run 're' exists"):
        run.rescore(classes=FEWER, run_key="re", progress=False)
    run.rescore(classes=CLASSES, run_key="re", overwrite=True, progress=False)
    assert run.dataset.values("re_wca.label") == run.dataset.values("zs_wca.label")


def test_rescore__an_emptied_store_is_said_in_one_sentence(run, monkeypatch, tmp_path):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "empty"))
    with pytest.raises(lgca.ConfigError, match="the embeddings of run 'zs' are not stored on this machine"):
        run.rescore(classes=FEWER, progress=False)
    assert run.dataset.values("zs_lgca.label")[0]


def test_rescore__another_encoder_is_refused(run):
    """Even one of the same name, whose weights are slightly different."""
    model, tokenizer, vocabulary = load_demo()
    model = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in model.visual.parameters():
            parameter.mul_(1.001)
    other_encoder = OpenClipEncoder(model, tokenizer, name="demo", device="cpu", vocabulary=vocabulary)
    with pytest.raises(lgca.ConfigError, match="the encoder is not the one that run 'zs' was made with"):
        run.rescore(classes=FEWER, encoder=other_encoder, progress=False)


def test_rescore__loads_no_model_where_all_texts_are_known(run, monkeypatch):
    from lgca_plugin.runs import stored_texts as texts

    monkeypatch.delattr(texts, "load_encoder")  # whoever asks for it fails
    assert run.rescore(classes=FEWER, text_scale=1.0, run_key="re", progress=False).summary()["predicted"] == 8


def test_rescore__reports_progress_to_the_end(run):
    steps = []
    run.rescore(classes=FEWER, progress=steps.append)
    assert steps[-1].done == steps[-1].total == 16
    assert [step.done for step in steps] == sorted(step.done for step in steps)


# ------------------------------------------------------------------------------------- broken off, and at the same time


def test_rescore__in_place_by_two_at_once_leaves_the_first_ones_answer(run):
    late = iter_rescore(check_rescore(run, Changes(classes=FEWER[:3])))
    next(late)
    first = lgca.load_run(run.dataset, "zs").rescore(classes=FEWER, progress=False)
    labels = run.dataset.values("zs_lgca.label")
    with pytest.raises(lgca.LgcaError):
        list(late)
    assert run.dataset.values("zs_lgca.label") == labels
    assert first.rescore(image_scale=2.0, progress=False).summary()["predicted"] == 8


def test_rescore__after_the_plan_is_made_still_sees_that_the_run_has_changed(run, monkeypatch):
    prepare = rescore_module.prepare_rescore

    def slowly(*arguments, **options):
        plan = prepare(*arguments, **options)
        monkeypatch.setattr(rescore_module, "prepare_rescore", prepare)
        lgca.load_run(run.dataset, "zs").rescore(classes=FEWER, progress=False)
        return plan

    monkeypatch.setattr(rescore_module, "prepare_rescore", slowly)
    with pytest.raises(lgca.LgcaError, match="was deleted or started again elsewhere"):
        run.rescore(classes=FEWER[:3], progress=False)
    assert lgca.load_run(run.dataset, "zs").config.classes == FEWER
    assert lgca.load_run(run.dataset, "zs").rescore(image_scale=2.0, progress=False).summary()["predicted"] == 8


@pytest.mark.parametrize("change", [{"image_scale": 3.0}, {"classes": FEWER}], ids=["weights", "classes"])
def test_rescore__broken_off_in_place_loses_nothing_and_can_be_repeated(run, change):
    steps = iter_rescore(check_rescore(run, Changes(**change)), images_at_once=2)
    while next(steps).done < 2:
        pass
    steps.close()

    broken = lgca.load_run(run.dataset, "zs")
    assert broken.summary()["status"] == "interrupted"
    assert set(known_texts(broken)) == set(CLASSES)
    again = broken.rescore(**change, progress=False)
    summary = again.summary()
    assert (summary["status"], summary["predicted"], summary["pending"], summary["failed"]) == ("done", 8, 0, 0)
    whole = again.rescore(classes=CLASSES, image_scale=4.0, progress=False)
    assert whole.summary()["predicted"] == 8
    assert whole.descriptions == run.descriptions


def test_rescore__regions_that_another_run_has_kept_do_not_pass_for_its_own(birds, demo_encoder, monkeypatch, tmp_path):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "own"))
    given = {"classes": CLASSES, "encoder": demo_encoder, "regions": SMALL, "progress": False}
    lgca.classify(birds, methods=("wca",), run_key="crops", **given)
    bare = lgca.classify(birds, methods=("lgca",), run_key="bare", store_regions=False, **given)
    labels = birds.values("bare_lgca.label")
    with pytest.raises(lgca.ConfigError, match="lgca needs region embeddings, which 8 of 8 samples"):
        bare.rescore(image_scale=3.0, progress=False)
    assert birds.values("bare_lgca.label") == labels


def test_rescore__of_a_run_that_is_deleted_meanwhile_is_complete(run):
    steps = iter_rescore(check_rescore(run, Changes(classes=FEWER), run_key="re"))
    while not next(steps).total:
        pass
    run.delete()
    list(steps)
    summary = lgca.load_run(run.dataset, "re").summary()
    assert (summary["status"], summary["predicted"], summary["pending"]) == ("done", 8, 0)


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


def test_classify__that_goes_on_with_a_run_sees_that_it_was_rescored_meanwhile(run, demo_encoder):
    given = {"classes": CLASSES, "descriptions": DESCRIPTIONS, "methods": ALL, "regions": SMALL}
    steps = steps_of(run.dataset, encoder=demo_encoder, run_key="zs", **given)
    next(steps)
    run.rescore(classes=FEWER, progress=False)
    with pytest.raises(lgca.LgcaError):
        list(steps)
    assert lgca.load_run(run.dataset, "zs").config.classes == FEWER
    assert set(lgca.load_run(run.dataset, "zs").descriptions) == set(FEWER)
