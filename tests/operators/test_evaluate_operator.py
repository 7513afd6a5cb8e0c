"""``lgca_evaluate`` as FiftyOne executes it: its form, what it shows, what it refuses, and its call from code."""

import fiftyone.operators as foo
import pytest

import lgca_plugin as lgca
from lgca_plugin.workflows.evaluate import last_evaluation
from tests.helpers.app.operators import EVALUATE, messages_of, progress, shown
from tests.helpers.worlds.birds import bird_dataset, classify_birds

METHODS = ("clip", "clip_d", "crops_mean")
KEYS = [f"zs_{name}_eval" for name in METHODS]


@pytest.fixture(scope="module")
def classified(demo_images, demo_encoder):
    labels = [None, *(image.label for image in demo_images[1:])]
    truth, other = [image.truth for image in demo_images], ["nothing of the run's"] * len(demo_images)
    dataset = bird_dataset(demo_images, ground_truth=labels, truth=truth, other=other)
    options = {"methods": METHODS, "regions": lgca.RegionConfig(crops=4), "ground_truth": "ground_truth"}
    classify_birds(dataset, demo_encoder, **options, run_key="zs", store_regions=False)
    yield dataset
    dataset.delete()


@pytest.fixture
def run(classified):
    """The run on a dataset that a test may edit."""
    copy = classified.clone()
    yield lgca.load_run(copy, "zs")
    copy.delete()


def test_form__starts_valid_and_says_what_is_used(run):
    properties, found = EVALUATE.form(run.dataset)
    assert found == {}
    assert properties["run"].default == "zs"
    assert properties["ground_truth_of_zs"].default == "ground_truth"
    offered = {choice.value for choice in properties["ground_truth_of_zs"].view.choices}
    assert offered == {"ground_truth", "truth", "other"}
    assert properties["methods_of_zs"].default == list(METHODS)
    assert properties["preview"].view.label == "23 of 24 images are used, the same for all methods"
    assert properties["preview"].view.description == "Left out: 1 without a label"
    assert "replaces" not in properties


def test_form__follows_the_chosen_labels(run):
    properties, found = EVALUATE.form(run.dataset, ground_truth_of_zs="truth")
    assert found == {}
    assert properties["preview"].view.label == "24 of 24 images are used, the same for all methods"
    assert properties["preview"].view.description is None
    _, found = EVALUATE.form(run.dataset, ground_truth_of_zs="other")
    assert found["preview"] == (
        "there is nothing to evaluate run 'zs' on: of 24 images, 24 with a label that is no class of the run"
    )


@pytest.mark.parametrize(
    ("params", "field", "words"),
    [
        ({"run": "nowhere"}, "run", "got 'nowhere'; its runs: zs"),
        ({"ground_truth_of_zs": "zs_clip"}, "ground_truth_of_zs", "must be a field of labels, got 'zs_clip'"),
        ({"methods_of_zs": []}, "methods_of_zs", "methods is empty; choose from clip, clip_d, crops_mean"),
        ({"methods_of_zs": ["magic"]}, "methods_of_zs", "run 'zs' has no method 'magic'"),
    ],
)
def test_form__bad_input_is_shown_under_its_field_and_nothing_is_written(run, params, field, words):
    _, found = EVALUATE.form(run.dataset, **params)
    assert words in found[field]
    with pytest.raises(ValueError, match=r"choose from|its runs"):
        EVALUATE.begin(EVALUATE.context(run.dataset, params))
    assert run.dataset.list_evaluations() == []


def test_form__without_labels_says_so(run):
    run.dataset.delete_sample_fields(["ground_truth", "truth", "other"])
    _, found = EVALUATE.form(run.dataset)
    assert found == {"refusal": "This dataset has no label field to compare with: one with a class for each image."}


def test_form__somebody_elses_evaluation_is_named_before_anything_is_done(run):
    run.dataset.evaluate_classifications("zs_clip", gt_field="truth", eval_key="zs_clip_eval")
    _, found = EVALUATE.form(run.dataset)
    assert "evaluation 'zs_clip_eval' exists and was not made by this run" in found["preview"]


def test_form__asks_the_database_once_while_it_is_open(run, tmp_path):
    def used(**params):
        properties, _ = EVALUATE.form(run.dataset, {"prompt_id": f"open in {tmp_path}"}, **params)
        return properties["preview"].view.label

    assert used() == "23 of 24 images are used, the same for all methods"
    run.dataset.clear_sample_field("ground_truth")
    assert used() == "23 of 24 images are used, the same for all methods"
    assert used(ground_truth_of_zs="truth") == "24 of 24 images are used, the same for all methods"


def test_evaluate__shows_a_figure_words_and_numbers_and_opens_the_panel(run):
    messages = EVALUATE.run(run.dataset)
    found = last_evaluation(lgca.load_run(run.dataset, "zs"))
    assert found is not None
    assert found.samples == 23
    assert run.dataset.list_evaluations() == sorted(KEYS)
    names = [message.operator_uri for message in messages]
    assert names[0] == "close_panel"
    assert names[-4:] == ["reload_dataset", "open_panel", "notify", "show_output"]
    panel = messages[names.index("open_panel")].params
    assert panel["name"] == "model_evaluation_panel_builtin"
    assert foo.get_operator(f"@voxel51/panels/{panel['name']}").config.label == "Model Evaluation"
    results = shown(messages)["values"]
    assert list(results) == ["figure", "words", "pairs", "methods", "basis"]
    assert [trace["name"] for trace in results["figure"]] == [
        *METHODS,
        "clip_d \u2212 clip",
        "crops_mean \u2212 clip",
        "crops_mean \u2212 clip_d",
    ]
    assert [trace["x"][0] for trace in results["figure"]][:3] == [score.accuracy for score in found.methods.values()]
    assert results["words"] == "\n".join(f"- {found.sentence(pair)}" for pair in found.pairs)
    assert f"| clip | {found.methods['clip'].correct} of 23 |" in results["methods"]
    first = found.pairs[0]
    assert f"| clip_d and clip | {first.only_a} | {first.only_b} | {first.p:.3f} |" in results["pairs"]
    assert "Left out: 1 without a label." in results["basis"]
    assert progress(messages) == sorted(progress(messages))
    assert progress(messages)[-1] == 1.0


def test_evaluate__one_method_has_nothing_to_compare(run):
    results = shown(EVALUATE.run(run.dataset, methods_of_zs=["clip_d"]))["values"]
    assert list(results) == ["figure", "methods", "basis"]
    assert run.dataset.list_evaluations() == ["zs_clip_d_eval"]


def test_evaluate__again_says_what_it_replaces(run):
    EVALUATE.run(run.dataset)
    properties, found = EVALUATE.form(run.dataset, ground_truth_of_zs="truth", methods_of_zs=["clip"])
    assert found == {}
    assert properties["replaces"].view.label == "Replaces this run's evaluation against ground_truth"
    EVALUATE.run(run.dataset, ground_truth_of_zs="truth", methods_of_zs=["clip"])
    assert run.dataset.list_evaluations() == ["zs_clip_eval"]


def test_evaluate__an_error_on_the_way_is_shown(run):
    steps = EVALUATE.begin(EVALUATE.context(run.dataset))
    lgca.load_run(run.dataset, "zs").delete()
    messages, error = messages_of(run.dataset, steps)
    assert "was deleted since it was loaded" in str(error)
    heading = shown(messages)["views"]["heading1"]
    assert heading["label"] == "The run was not evaluated"
    assert "was deleted since it was loaded" in heading["description"]


def test_sdk__call_agrees_with_the_library(run):
    expected = run.evaluate("truth", methods=("clip", "crops_mean"), confidence=0.9, progress=False)
    EVALUATE.call(run.dataset, "zs", "truth", methods=("clip", "crops_mean"), confidence=0.9)
    assert last_evaluation(lgca.load_run(run.dataset, "zs")) == expected
    with pytest.raises(lgca.ConfigError, match=r"such as 0\.95; got 95"):
        EVALUATE.call(run.dataset, "zs", "truth", confidence=95)
