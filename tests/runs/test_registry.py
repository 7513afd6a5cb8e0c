"""Runs of a dataset: listing, loading and deleting them, and how the App shows them."""

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from tests.helpers.runs import add_images

CLASSES = ["caspian tern", "barn swallow", "blue tit"]
REGIONS = lgca.RegionConfig(crops=4, steps=1)


@pytest.fixture
def birds(dataset, demo_images):
    return add_images(dataset, demo_images[:4])


@pytest.fixture
def classify(demo_encoder):
    def run(samples, run_key, **changes):
        return lgca.classify(
            samples,
            classes=CLASSES,
            encoder=demo_encoder,
            methods=("clip", "wca", "lgca"),
            regions=REGIONS,
            run_key=run_key,
            **changes,
        )

    return run


def test_load__gives_back_what_was_stored(birds, classify):
    run = classify(birds, "first", ground_truth="ground_truth")
    loaded = lgca.load_run(fo.load_dataset(birds.name), "first")
    assert loaded.config == run.config
    assert loaded.summary() == run.summary()
    assert loaded.descriptions == run.descriptions
    assert set(loaded.descriptions) == set(CLASSES)
    assert "4 predicted" in repr(loaded)


def test_list__returns_zero_shot_runs_oldest_first_and_load_names_them(birds, classify):
    with pytest.raises(lgca.RunNotFoundError, match="it has none yet"):
        lgca.load_run(birds, "nope")
    birds.register_run("other", birds.init_run(method="other"))
    classify(birds, "second")
    classify(birds, "a_third")
    view = birds.limit(1)
    assert lgca.list_runs(birds) == lgca.list_runs(view) == ["second", "a_third"]
    with pytest.raises(lgca.RunNotFoundError, match="its runs are a_third, second"):
        lgca.load_run(birds, "nope")
    lgca.load_run(view, "second").delete()
    assert lgca.list_runs(birds) == ["a_third"]


def test_delete__removes_the_runs_fields_and_record_and_nothing_else(birds, classify):
    birds.add_sample_field("first_notes", fo.StringField)
    before = birds.get_field_schema().keys()
    classify(birds, "first")
    classify(birds, "second")
    of_second = birds.values("second_lgca.label")

    lgca.load_run(birds, "first").delete()

    assert lgca.list_runs(birds) == ["second"]
    left = set(birds.get_field_schema())
    assert set(before) <= left
    assert left - set(before) == set(lgca.load_run(birds, "second").fields)
    assert birds.values("second_lgca.label") == of_second
    groups = [group.name for group in birds.app_config.sidebar_groups]
    assert "second" in groups
    assert "first" not in groups
    colored = [entry["path"] for entry in birds.app_config.color_scheme.fields]
    assert colored == ["second_clip", "second_wca", "second_lgca", "second_regions"]

    lgca.load_run(birds, "second").delete()
    assert set(birds.get_field_schema()) == set(before)


def test_app__the_run_has_a_sidebar_group_and_each_chain_a_color(birds, classify):
    run = classify(birds, "first")
    group = next(group for group in birds.app_config.sidebar_groups if group.name == "first")
    assert group.paths == run.fields
    listed = [path for other in birds.app_config.sidebar_groups for path in other.paths]
    assert len(listed) == len(set(listed))
    assert "ground_truth" in listed
    (entry,) = (entry for entry in birds.app_config.color_scheme.fields if entry["path"] == "first_regions")
    assert entry["colorByAttribute"] == "index"
    colors = [color["color"] for color in entry["valueColors"]]
    assert len(set(colors)) == len(colors)


def test_delete__an_interrupted_run_can_be_deleted_too(birds, classify):
    def fail(step):
        if step.total:
            raise RuntimeError("the caller's own function failed")

    with pytest.raises(RuntimeError, match="own function"):
        classify(birds, "first", progress=fail)
    run = lgca.load_run(birds, "first")
    assert run.summary()["status"] == "interrupted"
    run.delete()
    assert lgca.list_runs(birds) == []
    assert not birds.has_sample_field("first_clip")


@pytest.mark.parametrize(
    "scheme",
    [
        {"color_by": "field", "fields": [{"path": "ground_truth", "fieldColor": "#ff00ff"}]},
        {"color_by": "value", "fields": []},
        None,
    ],
)
def test_app__is_as_it_was_once_the_only_run_is_deleted(birds, classify, scheme):
    birds.app_config.color_scheme = scheme and fo.ColorScheme(**scheme)
    birds.save()
    assert birds.app_config.sidebar_groups is None
    classify(birds, "first").delete()
    assert not birds.app_config.sidebar_groups
    left = birds.app_config.color_scheme
    assert (left and {"color_by": left.color_by, "fields": left.fields or []}) == scheme


def test_app__a_group_of_the_users_own_keeps_what_is_in_it(birds, classify):
    classify(birds, "labels").delete()
    classify(birds, "tags")
    groups = {group.name: group.paths for group in birds.app_config.sidebar_groups}
    assert "ground_truth" in groups["labels"]
    assert "tags" in groups["tags"]
    assert "tags_lgca" in groups["tags"]
    lgca.load_run(birds, "tags").delete()
    left = birds.app_config.sidebar_groups or fo.DatasetAppConfig.default_sidebar_groups(birds)
    groups = {group.name: group.paths for group in left}
    assert "tags" in groups["tags"]
    assert "ground_truth" in groups["labels"]


def test_app__a_second_call_leaves_the_users_arrangement_alone(birds, classify):
    classify(birds.limit(2), "first")
    groups = birds.app_config.sidebar_groups
    for group in groups:
        if group.name == "first":
            group.paths.remove("first_wca")
        if group.name == "labels":
            group.paths.append("first_wca")
    birds.app_config.sidebar_groups = groups
    birds.app_config.color_scheme.fields = [{"path": "first_regions", "fieldColor": "#ff00ff"}]
    birds.save()
    classify(birds, "first")
    assert "first_wca" in next(group.paths for group in birds.app_config.sidebar_groups if group.name == "labels")
    assert birds.app_config.color_scheme.fields == [{"path": "first_regions", "fieldColor": "#ff00ff"}]


def test_record__of_another_release_can_be_deleted_and_replaced(birds, classify):
    for replace in (False, True):
        classify(birds, "first")
        config = birds.get_run_info("first").config
        config.run = config.run.replace('"version": 1', '"version": 99')
        birds.update_run_config("first", config)
        with pytest.raises(lgca.ConfigError, match="version 99"):
            lgca.load_run(birds, "first")
        if replace:
            assert classify(birds, "first", overwrite=True).summary()["predicted"] == 4
        else:
            lgca.delete_run(birds, "first")
            assert not birds.has_sample_field("first_lgca")
