"""Classification of views, and of slices of grouped datasets."""

import pytest
from fiftyone import ViewField as F

import lgca_plugin as lgca
from tests.helpers.checks import untouched

LIGHT = {"methods": ["clip"], "ground_truth": "ground_truth", "classes": None, "descriptions": None}


def test_view__by_dynamic_groups_is_flattened(birds, classify):
    assert classify(birds.group_by("ground_truth.label")).summary()["predicted"] == 12


def test_view__that_hides_or_filters_fields_resumes_all_the_same(birds, classify):
    first = classify(birds, ground_truth="ground_truth", classes=None).summary()
    for view in (
        birds.select_fields("ground_truth"),
        birds.select_fields("filepath"),
        birds.filter_labels("zs_clip", F("label") == "nothing", only_matches=False),
        birds.exclude_fields("zs_lgca"),
    ):
        again = classify(view, ground_truth="ground_truth", classes=None).summary()
        assert again["encodes"] == first["encodes"]
        assert again["predicted"] == again["total"] == 12


def test_grouped__the_active_slice_is_classified(pairs, classify):
    run = classify(pairs)
    assert run.summary()["predicted"] == 3
    assert len(pairs.select_group_slices("left").exists("zs_lgca")) == 3
    assert len(pairs.select_group_slices("right").exists("zs_lgca")) == 0

    pairs.group_slice = "right"
    assert classify(pairs).summary()["predicted"] == 6  # of the run, in two calls
    assert len(pairs.select_group_slices("right").exists("zs_lgca")) == 3


def test_grouped__a_view_of_another_slice_or_of_all_is_counted_right(pairs, classify):
    right = classify(pairs.select_group_slices("right")).summary()
    assert (right["total"], right["predicted"], right["skipped"]) == (3, 3, 0)
    both = classify(pairs.select_group_slices()).summary()
    assert (both["total"], both["predicted"], both["skipped"]) == (6, 6, 0)
    assert both["images_encoded"] == 6
    assert pairs.group_slice == "left"


def test_grouped__failures_of_every_slice_are_listed(pairs, classify, tmp_path):
    pairs.select_group_slices("right").set_values("filepath", [str(tmp_path / f"{i}.jpg") for i in range(3)])
    run = classify(pairs.select_group_slices())
    assert (run.summary()["predicted"], run.summary()["failed"]) == (3, 3)
    assert set(run.failures.values()) == {"the file does not exist"}


@pytest.mark.parametrize("slices", ["left", ["left", "right"]])
def test_grouped__a_choice_of_slices_grouped_by_a_field_is_flattened(pairs, classify, slices):
    pairs.set_values("scene", ["one", "two", "one"])
    pairs.select_group_slices("right").set_values("scene", ["two", "two", "one"])
    view = pairs.select_group_slices(slices)
    summary = classify(view.group_by("scene"), methods=["clip"]).summary()
    assert summary["total"] == summary["predicted"] == len(view)


def test_view__that_shows_a_sample_twice_has_it_once(birds, classify):
    twice = birds.limit(4).concat(birds.limit(6))
    assert len(twice) == 10
    summary = classify(twice, **LIGHT).summary()
    names = ("total", "predicted", "skipped", "pending", "images_encoded")
    assert [summary[name] for name in names] == [6, 6, 0, 0, 6]
    assert summary["encodes"] == 6


@pytest.mark.parametrize(
    ("view", "shown"),
    [
        (lambda birds: birds.map_labels("ground_truth", {"blue tit": "tit"}), "'tit' for 'blue tit'"),
        (lambda birds: birds.set_field("ground_truth.label", F("label").upper()), "'BLUE TIT' for 'blue tit'"),
    ],
)
def test_view__that_changes_labels_is_refused_with_the_way_to_use_them(birds, classify, settings, view, shown):
    birds.set_values("ground_truth.label", ["blue tit", *birds.values("ground_truth.label")[1:]])
    changed = view(birds)
    for call in (
        lambda: classify(changed, **LIGHT),
        lambda: lgca.find_wrong_labels(changed, encoder=settings["encoder"], progress=False),
    ):
        with untouched(birds), pytest.raises(lgca.ConfigError) as refused:
            call()
        assert f"labels in 'ground_truth' than are stored, for example {shown}: view.clone" in str(refused.value)
        assert "view.clone" not in refused.value.app
    changed.clone_sample_field("ground_truth", "ground_truth_of_view")
    run = classify(changed, **{**LIGHT, "ground_truth": "ground_truth_of_view"})
    assert set(run.config.classes) == set(changed.distinct("ground_truth.label")) and run.summary()["warnings"] == []


def test_view__that_filters_labels_is_the_samples_that_it_shows(birds, classify, settings):
    some = F("label").is_in(birds.distinct("ground_truth.label")[:3])
    shown = birds.filter_labels("ground_truth", some)
    assert classify(shown, **LIGHT).summary()["predicted"] == len(shown) < len(birds)
    hiding = birds.filter_labels("ground_truth", some, only_matches=False)
    assert len(hiding) == len(birds)
    light = {"encoder": settings["encoder"], "methods": ("clip", "wca", "lgca"), "regions": settings["regions"]}
    triage = lgca.find_wrong_labels(hiding, run_key="found", progress=False, **light)
    assert triage.report["judged"] == len(shown)


def test_labels__with_control_characters_are_no_classes_and_refused(birds, classify):
    birds.set_values("ground_truth.label", ["grey\x00heron", *birds.values("ground_truth.label")[1:]])
    with (
        untouched(birds),
        pytest.raises(lgca.ConfigError, match=r"labels in 'ground_truth': class 'grey.x00heron' has a "),
    ):
        classify(birds, **LIGHT)
    (warning,) = classify(birds, **{**LIGHT, "classes": ["grey heron", "barn swallow"]}).summary()["warnings"]
    assert "'grey\\x00heron' (1; did you mean 'grey heron'" in warning
