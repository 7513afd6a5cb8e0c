"""The arguments of a triage: which are refused, and where corrected labels go."""

import fiftyone as fo
import pytest

from lgca_plugin.errors import ConfigError
from lgca_plugin.workflows.triage.plan import check_triage
from tests.helpers.checks import untouched
from tests.helpers.runs import classified_images

METHODS = ("clip", "wca", "lgca", "crops_mean")


@pytest.fixture(scope="module")
def module_run(images, demo_encoder, options, triage_store):
    with classified_images(images, demo_encoder, store=triage_store, **options) as made:
        yield made


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"ground_truth": "nothing"}, "ground_truth 'nothing' is no field of this dataset"),
        ({"ground_truth": "zs_clip"}, "ground_truth is 'zs_clip', a field of this very run"),
        ({"methods": ("clip", "wca")}, "methods must name three"),
        ({"methods": ("clip", "wca", "crops_mean")}, "methods must name three"),
        ({"methods": ("clip", "wca", "lgca_d")}, "there is no method 'lgca_d' in run 'zs'"),
        ({"corrected_field": "ground_truth"}, "ground_truth"),
        ({"corrected_field": "zs_clip"}, "zs_clip"),
        ({"corrected_field": "no field"}, "no field"),
    ],
)
def test_triage__wrong_arguments_are_refused_before_anything_is_written(module_run, arguments, sentence):
    with untouched(module_run.dataset), pytest.raises(ConfigError, match=sentence):
        module_run.triage(**arguments, progress=False)
    assert "triage" not in module_run.results
    assert not module_run.dataset.has_field("zs_case")


def test_triage__a_run_that_lacks_a_prediction_is_refused_with_the_way_out(make_run):
    run = make_run(4, methods=("clip", "wca"))
    with pytest.raises(ConfigError, match=r"no method that looks at crops that grow.*rescore"):
        check_triage(run)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda data: data.add_sample_field("zs_case", fo.StringField),
            "'zs_case' exists and was not made by a triage",
        ),
        (lambda data: data.clear_sample_fields([f"zs_{name}" for name in METHODS]), "nothing to triage"),
        (lambda data: data.delete_sample_field("zs_wca"), "zs_wca of run 'zs' was deleted from the dataset"),
    ],
    ids=["foreign field", "no prediction", "deleted field"],
)
def test_triage__of_a_dataset_that_does_not_fit_is_refused(run, edit, message):
    edit(run.dataset)
    with pytest.raises(ConfigError, match=message):
        run.triage(progress=False)


def test_triage__a_field_with_the_default_name_that_was_there_before_is_pointed_out(run):
    run.dataset.clone_sample_field("ground_truth", "ground_truth_corrected")
    report = run.triage(progress=False).report
    assert any("'ground_truth_corrected', which exists" in warning for warning in report["warnings"])
    assert run.triage(corrected_field="ground_truth_corrected", progress=False).report["warnings"] == []


@pytest.mark.parametrize(("name", "corrected"), [("my labels", "my_labels_corrected"), ("2nd", "zs_2nd_corrected")])
def test_triage__labels_in_a_field_whose_name_is_no_identifier(run, name, corrected):
    run.dataset.clone_sample_field("ground_truth", name)
    assert run.triage(name, progress=False).report["corrected_field"] == corrected
