"""Calls of ``lgca.classify`` that are refused, and leave nothing behind."""

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from tests.helpers.checks import untouched
from tests.helpers.runs import add_images, assert_same_predictions, has_no_results, predictions


def test_config__another_one_under_the_same_key_is_refused_unless_overwritten(birds, classify):
    classify(birds)
    before = predictions(birds)
    for changes in (
        {"classes": CLASSES[:5]},
        {"regions": lgca.RegionConfig(crops=8, steps=1)},
        {"methods": ("clip", "lgca")},
        {"descriptions": None},
        {"logits": True},
    ):
        with pytest.raises(lgca.ConfigError, match="exists with other settings"):
            classify(birds, **changes)
    assert_same_predictions(before, predictions(birds))

    run = classify(birds, methods=("clip",), overwrite=True)
    assert run.fields == ["zs_clip", "zs_error"]
    assert not birds.has_sample_field("zs_lgca")


@pytest.mark.parametrize(("file", "kind"), [("clip.mp4", "video"), ("scene.fo3d", "3d"), ("cloud.pcd", "point-cloud")])
def test_media__video_and_3d_are_refused(dataset, classify, file, kind):
    dataset.add_sample(fo.Sample(filepath=f"/data/{file}"))
    with pytest.raises(lgca.ConfigError, match=f"only images can be classified.*{kind}"):
        classify(dataset)
    assert has_no_results(dataset)


def test_media__a_video_slice_is_refused_by_name(dataset, classify):
    dataset.add_group_field("group", default="film")
    group = fo.Group()
    dataset.add_samples(
        [
            fo.Sample(filepath="/data/clip.mp4", group=group.element("film")),
            fo.Sample(filepath="/data/still.jpg", group=group.element("still")),
        ],
        progress=False,
    )
    assert dataset.group_media_types["film"] == "video"
    assert dataset.media_type == "group"
    with pytest.raises(lgca.ConfigError, match="slice 'film'"):
        classify(dataset)


@pytest.fixture(scope="module")
def shared_birds(demo_images):
    dataset = add_images(fo.Dataset(), demo_images[:2])
    yield dataset
    dataset.delete()


def preset(name, *, regions="crops", **settings):
    return lgca.Method(name=name, regions=regions, **settings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": []}, "at least two classes"),
        ({"classes": ["tern"]}, "at least two classes"),
        ({"classes": ["tern", "tern"]}, "'tern' is given twice"),
        ({"classes": ["tern", "  "]}, "class 2 .* is blank"),
        ({"classes": "tern"}, "must be a list"),
        ({"classes": None}, "pass classes, or a ground_truth"),
        ({"run_key": "my run"}, "run_key"),
        ({"run_key": "1st"}, "run_key"),
        ({"budget": "large"}, "budget must be one of full, adaptive, economical, got 'large'"),
        ({"methods": ["clap"]}, "unknown method 'clap'"),
        ({"methods": []}, "methods is empty"),
        ({"ground_truth": "nope"}, "'nope' is no field"),
        ({"ground_truth": "filepath"}, "must hold one label a sample"),
        ({"encoder": "ViT-B-33"}, "no model 'ViT-B-33'"),
        ({"encoder": object()}, "encoder must be"),
        ({"batch_size": 0}, "batch_size"),
        ({"precision": "fp8", "encoder": "demo"}, "precision"),
        ({"device": "gpu", "encoder": "demo"}, "device 'gpu'"),
        ({"descriptions": {"tern": "orange beak"}}, "must be a list of texts"),
        ({"descriptions": {"penguin": ["swims"]}}, "match none of the classes"),
        ({"descriptions": "/nowhere.json"}, "can't be read"),
        *(
            ({"methods": [preset(name)]}, f"can't be called '{name}'")
            for name in ("regions", "error", "case", "stability")
        ),
        *(
            ({"methods": [preset("mine", regions="chains", step_weights=weights)]}, "step_weights of 'mine'")
            for weights in ((1.0,), (1.0, 1.0), (0.0, 0.0, 0.0, 1.0))
        ),
        *(({"classes": [name, "blue tit"]}, "read the same in a prompt") for name in ("blue_tit", "blue  tit")),
        *(
            ({"classes": [name, "gull"]}, "line break or control character")
            for name in ("big\nduck", "big\x85duck", "big\u2028duck", "big\x00duck")
        ),
    ],
)
def test_bad_input__is_refused_before_anything_is_written(shared_birds, classify, changes, message):
    with untouched(shared_birds), pytest.raises(lgca.ConfigError, match=message):
        classify(shared_birds, **changes)


def test_bad_input__weights_out_of_reach_write_nothing(shared_birds, classify):
    with untouched(shared_birds), pytest.raises(lgca.ModelUnavailableError, match="neither cached nor reachable"):
        classify(shared_birds, encoder=None)


def test_bad_input__an_empty_dataset_and_something_else_than_samples(dataset, classify):
    with pytest.raises(lgca.ConfigError, match="no samples to classify"):
        classify(dataset)
    with pytest.raises(lgca.ConfigError, match="must be a FiftyOne dataset or view"):
        classify(["a.jpg"])


def test_bad_input__patches_are_refused(birds, classify):
    classify(birds)
    with pytest.raises(lgca.ConfigError, match="patches"):
        classify(birds.to_patches("zs_regions"), run_key="patches")


def test_bad_input__a_field_of_somebody_elses_is_never_overwritten(birds, classify):
    birds.add_sample_field("zs_wca", fo.StringField)
    for overwrite in (False, True):
        with pytest.raises(lgca.ConfigError, match="'zs_wca' exists already"):
            classify(birds, overwrite=overwrite)
    assert birds.list_runs() == []


def test_bad_input__a_run_of_another_kind_keeps_its_key(birds, classify):
    birds.register_run("zs", birds.init_run(method="other"))
    with pytest.raises(lgca.ConfigError, match="another kind"):
        classify(birds, overwrite=True)


def test_ground_truth__with_one_label_only_says_so(birds, classify):
    birds.set_values("ground_truth.label", ["tern"] * len(birds))
    with pytest.raises(lgca.ConfigError, match="holds one, 'tern'"):
        classify(birds, classes=None, ground_truth="ground_truth")
    assert has_no_results(birds)
