"""Classification of views, and of slices of grouped datasets."""

from fiftyone import ViewField as F


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
