"""Triage of a run on a real dataset: cases, stability and label quality on the samples, and who is left out."""

import fiftyone as fo
import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.demo.dataset import draw_images
from lgca_plugin.errors import ConfigError
from lgca_plugin.method.labels.triage_cases import WITH_LABEL, WITHOUT_LABEL, Case
from lgca_plugin.store.store import Store
from lgca_plugin.workflows.triage.plan import check_triage
from lgca_plugin.workflows.triage.triage import iter_triage
from tests.helpers.engine import Counting
from tests.helpers.untouched import untouched
from tests.helpers.worlds.store import forget_findings

pytestmark = pytest.mark.usefixtures("module_store")

SMALL = lgca.RegionConfig(crops=14)
COUNT = 60
METHODS = ("clip", "wca", "lgca", "crops_mean")
JUDGEMENTS = ("calibrated", "label_quality")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return draw_images(tmp_path_factory.mktemp("birds"), count=COUNT, seed=3)


def make_dataset(images):
    dataset = fo.Dataset()
    dataset.add_samples(
        [
            fo.Sample(
                filepath=image.path,
                ground_truth=fo.Classification(label=image.label),
                truth=fo.Classification(label=image.truth),
            )
            for image in images
        ]
    )
    return dataset


def classify(dataset, encoder, **options):
    given = {
        "classes": CLASSES,
        "descriptions": DESCRIPTIONS,
        "methods": METHODS,
        "regions": SMALL,
        "ground_truth": "ground_truth",
        "run_key": "zs",
        **options,
    }
    return lgca.classify(dataset, encoder=encoder, progress=False, **given)


@pytest.fixture
def run(images, demo_encoder):
    """A run of which every image was encoded once in this module."""
    dataset = make_dataset(images)
    yield classify(dataset, demo_encoder)
    dataset.delete()


@pytest.fixture(scope="module")
def module_run(images, demo_encoder):
    made = classify(make_dataset(images), demo_encoder)
    yield made
    made.dataset.delete()


def slow_case(clip, wca, lgca_label, given, crop_case):
    """The documented list for samples with a label."""
    if clip == wca == lgca_label:
        return "all right" if clip == given else "all agree against the label"
    if lgca_label == given:
        if wca == given:
            return "crops repair CLIP"
        return "WCA misled by crops, LGCA right" if crop_case else "LGCA repairs WCA"
    if wca == given:
        return "LGCA misled by expansion"
    return "crops mislead, CLIP right" if clip == given else "nobody right"


def test_triage__writes_for_every_sample_what_its_evidence_says(run, demo_encoder):
    counting = Counting(demo_encoder)
    triage = run.triage(encoder=counting, progress=False)
    assert counting.encoded == 0
    for sample in run.dataset:
        evidence = run.evidence(sample.id)
        size = None if evidence.case is None else float(evidence.case.size)
        assert sample.zs_misleading == size
        assert sample.zs_stability == pytest.approx(evidence.stability["lgca"])
        labels = [sample[f"zs_{name}"].label for name in ("clip", "wca", "lgca")]
        assert sample.zs_case == slow_case(*labels, sample.ground_truth.label, size is not None)
        assert 0 <= sample.zs_label_quality <= 1
        for name in ("clip", "wca", "lgca"):
            assert 0 <= sample[f"zs_{name}"].label_quality <= sample[f"zs_{name}"].calibrated <= 1
        assert "calibrated" not in sample.zs_crops_mean  # a control judges nothing
    assert triage.report["counts"] == {
        "triaged": COUNT,
        "failed": 0,
        "without a prediction": 0,
        "with an edited prediction": 0,
        "total": COUNT,
    }
    assert sum(triage.report["cases"].values()) == COUNT
    assert set(triage.report["cases"]) == {case.value for case in WITH_LABEL}
    assert triage.report["warnings"] == []


def test_triage__suspects_are_named_with_another_class_than_the_given_one(run, images):
    triage = run.triage(progress=False)
    suspects = run.dataset.exists("zs_suggestion")
    assert len(suspects) == triage.report["suspects"] > 0
    for sample in suspects:
        assert sample.zs_suggestion.given == sample.ground_truth.label != sample.zs_suggestion.label
        assert 0 < sample.zs_suggestion.confidence <= 1
    wrong = {image.path for image in images if image.mislabelled}
    found = set(suspects.values("filepath"))
    assert len(wrong & found) >= len(wrong) / 2  # a ranking that finds nothing would be broken
    qualities = dict(zip(*run.dataset.values(["filepath", "zs_label_quality"]), strict=True))
    assert np.mean([qualities[path] for path in wrong]) < np.mean(list(qualities.values())) / 2


def test_triage__without_labels_sorts_by_disagreement(images, demo_encoder):
    dataset = make_dataset(images)
    run = classify(dataset, demo_encoder, ground_truth=None)
    triage = run.triage(progress=False)
    assert set(dataset.distinct("zs_case")) <= {case.value for case in WITHOUT_LABEL}
    assert dataset.count("zs_stability") == COUNT
    assert dataset.count("zs_label_quality") == dataset.count("zs_suggestion") == 0
    assert "suspects" not in triage.report
    assert triage.report["labels"]["without a label"] == COUNT
    dataset.delete()


def test_triage__odd_labels_are_counted_and_get_cases_of_their_own(run):
    dataset = run.dataset
    first, second, third = dataset.limit(3)
    first.ground_truth = None
    second.ground_truth = fo.Classification(label="dodo")
    third.ground_truth = fo.Classification(label=None)
    for sample in (first, second, third):
        sample.save()
    report = run.triage(progress=False).report
    assert report["labels"] == {
        "compared": COUNT - 3,
        "without a label": 2,
        "with a label that is no class of the run": 1,
    }
    assert report["outside"] == [["dodo", 1]]
    assert sum(report["cases"].values()) == COUNT
    for sample in dataset.limit(3):
        assert Case(sample.zs_case) in WITHOUT_LABEL
        assert sample.zs_label_quality is None


def test_triage__samples_without_a_prediction_or_with_an_edited_one_are_counted(run, images):
    dataset = run.dataset
    added = fo.Sample(filepath=images[0].path, ground_truth=fo.Classification(label=images[0].label))
    dataset.add_sample(added)
    ids = dataset.values("id")
    dataset.delete_samples(ids[:2])
    edited, renamed, failed = dataset.skip(3).limit(3)
    edited.zs_wca.label = next(name for name in CLASSES if name != edited.zs_wca.label)
    renamed.zs_lgca.label = "renamed"
    failed.zs_clip = failed.zs_wca = failed.zs_lgca = failed.zs_crops_mean = None
    failed["zs_error"] = "not an image"
    for sample in (edited, renamed, failed):
        sample.save()
    report = run.triage(progress=False).report
    assert report["counts"] == {
        "triaged": COUNT - 2 - 2,
        "failed": 1,
        "without a prediction": 1,
        "with an edited prediction": 1,
        "total": COUNT - 1,
    }
    assert report["embeddings"]["edited since the run"] == 1
    assert any("1 of" in warning and "edited since the run" in warning for warning in report["warnings"])
    edited.reload()
    assert edited.zs_case is not None
    assert edited.zs_stability is edited.zs_misleading is edited.zs_label_quality is None
    for sample in (renamed, failed, added):
        sample.reload()
        assert sample.zs_case is None


def test_triage__without_stored_embeddings_the_cases_come_from_the_predictions(run):
    with Store() as store:
        store.delete_run(run.token)
    report = run.triage(progress=False).report
    assert run.dataset.count("zs_case") == COUNT
    assert run.dataset.count("zs_stability") == run.dataset.count("zs_label_quality") == 0
    assert any("no embeddings in the store" in warning for warning in report["warnings"])
    assert report["embeddings"]["with image vectors"] == 0


def test_triage__image_vectors_alone_judge_labels(images, demo_encoder, monkeypatch, tmp_path):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path))
    dataset = make_dataset(images[:40])
    run = classify(dataset, demo_encoder, store_regions=False)
    forget_findings()  # as after a run of a release that kept none
    report = run.triage(progress=False).report
    assert dataset.count("zs_label_quality") == 40
    assert dataset.count("zs_stability") == 0
    assert any("no region embeddings" in warning for warning in report["warnings"])
    dataset.delete()


def test_triage__a_second_one_replaces_what_the_first_has_found(run):
    run.triage(progress=False)
    dataset = run.dataset
    sample = dataset.exists("zs_suggestion").first()
    sample.zs_clip = sample.zs_wca = None
    sample.save()
    run.triage(progress=False)
    sample.reload()
    assert sample.zs_case is sample.zs_suggestion is sample.zs_label_quality is None
    assert dataset.count("zs_case") == COUNT - 1


def test_triage__other_labels_give_other_suspects(run):
    given = run.triage(progress=False)
    true = run.triage("truth", progress=False)
    assert true.report["ground_truth"] == "truth"
    assert true.report["suspects"] != given.report["suspects"]
    assert true.report["cases"]["all right"] > given.report["cases"]["all right"]


@pytest.mark.parametrize("cache_bytes", [0, 4 * COUNT * len(CLASSES)], ids=["none", "for one of four methods"])
def test_triage__scores_that_are_not_cached_are_computed_again(run, cache_bytes):
    samples = run.dataset.limit(5)
    samples.set_values("ground_truth.label", [None] * 5)  # so that labels are judged of some of the samples only
    paths = ["zs_label_quality", *(f"zs_{name}.{part}" for name in METHODS[:3] for part in JUDGEMENTS)]
    run.triage(progress=False)
    expected = np.array(run.dataset.values(paths), dtype=float)
    assert np.isnan(expected).sum() == 5 * len(paths)
    list(iter_triage(check_triage(run), cache_bytes=cache_bytes))
    np.testing.assert_allclose(np.array(run.dataset.values(paths), dtype=float), expected)


def test_triage__decisive_lgca_can_stand_in_for_lgca(images, demo_encoder):
    dataset = make_dataset(images[:40])
    run = classify(dataset, demo_encoder, methods=("clip", "wca", "lgca", "lgca_d"))
    report = run.triage(methods=("clip", "wca", "lgca_d"), progress=False).report
    assert report["methods"] == ["clip", "wca", "lgca_d"]
    assert set(report["calibration"]) == {"clip", "wca", "lgca", "lgca_d"}
    for sample in dataset.limit(5):
        assert sample.zs_stability == pytest.approx(run.evidence(sample.id).stability["lgca_d"])
        assert sample.zs_lgca_d.calibrated is not None
    dataset.delete()


def test_triage__rescoring_in_place_forgets_what_it_found(run):
    run.triage(progress=False)
    assert run.dataset.has_field("zs_case")
    rescored = run.rescore(text_scale=1.0, progress=False)
    assert "triage" not in rescored.results
    assert not rescored.dataset.has_field("zs_case")
    assert rescored.triage(progress=False).report["counts"]["triaged"] == COUNT


def test_triage__deleting_the_run_deletes_its_fields_and_views_and_nothing_else(run):
    dataset = run.dataset
    fields, views = set(dataset.get_field_schema()), dataset.list_saved_views()
    run.triage(progress=False)
    assert dataset.list_saved_views() != views
    assert "zs_case" in next(group.paths for group in dataset.app_config.sidebar_groups if group.name == "zs")
    run.delete()
    assert set(dataset.get_field_schema()) == {field for field in fields if not field.startswith("zs_")}
    assert dataset.list_saved_views() == views
    assert not any(group.name == "zs" for group in dataset.app_config.sidebar_groups or [])


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


def test_triage__a_run_that_lacks_a_prediction_is_refused_with_the_way_out(images, demo_encoder):
    dataset = make_dataset(images[:4])
    run = classify(dataset, demo_encoder, methods=("clip", "wca"))
    with pytest.raises(ConfigError, match=r"no method that looks at crops that grow.*rescore"):
        check_triage(run)
    dataset.delete()


def test_triage__a_field_of_somebody_else_is_not_overwritten(run):
    run.dataset.add_sample_field("zs_case", fo.StringField)
    with pytest.raises(ConfigError, match="'zs_case' exists and was not made by a triage"):
        run.triage(progress=False)


def test_triage__a_label_field_that_was_deleted_since_the_run_is_said_and_counted(run):
    run.dataset.delete_sample_field("ground_truth")
    report = run.triage(progress=False).report
    assert report["ground_truth"] is None
    assert any("'ground_truth'" in warning and "no longer a label field" in warning for warning in report["warnings"])


def test_triage__nothing_predicted_is_refused(run):
    for name in METHODS:
        run.dataset.clear_sample_field(f"zs_{name}")
    with pytest.raises(ConfigError, match="nothing to triage"):
        run.triage(progress=False)


def test_triage__progress_goes_up_to_the_end(run):
    seen = []
    run.triage(progress=seen.append)
    known = [step for step in seen if step.total]
    assert [step.done for step in known] == sorted(step.done for step in known)
    assert known[-1].done == known[-1].total == 2 * COUNT


def test_triage__of_a_slice_of_a_grouped_dataset_counts_the_other_slice(images, demo_encoder):
    dataset = fo.Dataset()
    dataset.add_group_field("pair", default="left")
    samples = []
    for left, right in zip(images[:8], images[8:16], strict=True):
        group = fo.Group()
        for name, image in (("left", left), ("right", right)):
            given = fo.Classification(label=image.label)
            samples.append(fo.Sample(filepath=image.path, pair=group.element(name), ground_truth=given))
    dataset.add_samples(samples)
    run = classify(dataset, demo_encoder)
    triage = run.triage(progress=False)
    assert triage.report["counts"]["triaged"] == 8
    assert triage.report["counts"]["without a prediction"] == 8
    assert len(dataset.exists("zs_case")) == 8
    assert len(triage.suspects()) == triage.report["suspects"]
    dataset.delete()


def test_triage__of_a_view_leaves_the_other_samples_alone(images, demo_encoder):
    dataset = make_dataset(images[:30])
    run = classify(dataset.limit(12), demo_encoder)
    report = run.triage(progress=False).report
    assert (report["counts"]["triaged"], report["counts"]["without a prediction"]) == (12, 18)
    assert dataset.values("zs_case")[12:] == [None] * 18
    dataset.delete()


def test_triage__somebody_elses_is_seen_by_a_run_that_was_loaded_before(run):
    before, other = lgca.load_run(run.dataset, "zs"), lgca.load_run(run.dataset, "zs")
    other.triage(progress=False)
    other.evaluate(progress=False)
    assert before.last_triage().report["counts"]["triaged"] == COUNT
    assert before.last_evaluation().samples == COUNT
    before.triage(progress=False)
    before.evaluate(progress=False)
    assert set(lgca.load_run(run.dataset, "zs").results) >= {"triage", "views", "evaluation"}


def test_triage__outlives_a_classification_that_goes_on_meanwhile(run, images, demo_encoder):
    dataset = run.dataset
    triaged = []

    def triage_once(_):
        if not triaged:
            triaged.append(lgca.load_run(dataset, "zs").triage(progress=False))

    dataset.add_sample(
        fo.Sample(filepath=images[0].path, ground_truth=fo.Classification(label=images[0].label), truth=None)
    )
    options = {"classes": CLASSES, "descriptions": DESCRIPTIONS, "methods": METHODS, "regions": SMALL}
    gone_on = lgca.classify(
        dataset, encoder=demo_encoder, ground_truth="ground_truth", run_key="zs", progress=triage_once, **options
    )
    assert gone_on.summary()["predicted"] == COUNT + 1
    assert lgca.load_run(dataset, "zs").last_triage().report["counts"]["triaged"] >= COUNT
    run.delete()
    assert not [name for name in dataset.get_field_schema() if name.startswith("zs_")]
    assert not dataset.list_saved_views()


def test_decisions__can_be_read_and_undone_after_rescoring_in_place(run):
    triage = run.triage(corrected_field="better", progress=False)
    ids = triage.suspects().limit(2).values("id")
    triage.decide(ids, "accepted", by="anna")
    rescored = run.rescore(text_scale=1.0, progress=False)
    left = rescored.last_triage()
    assert {row.sample_id for row in left.decisions()} == set(ids)
    assert rescored.triage(progress=False).report["corrected_field"] == "better"  # where the accepted labels are
    with pytest.raises(ConfigError, match="2 accepted labels of run 'zs' are in 'better'"):
        rescored.triage(corrected_field="elsewhere", progress=False)
    assert rescored.last_triage().undo(by="anna").samples == 2
    assert rescored.triage(corrected_field="elsewhere", progress=False).report["corrected_field"] == "elsewhere"


def test_triage__a_field_with_the_default_name_that_was_there_before_is_pointed_out(run):
    run.dataset.clone_sample_field("ground_truth", "ground_truth_corrected")
    report = run.triage(progress=False).report
    assert any("'ground_truth_corrected', which exists" in warning for warning in report["warnings"])
    assert run.triage(corrected_field="ground_truth_corrected", progress=False).report["warnings"] == []


@pytest.mark.parametrize(("name", "corrected"), [("my labels", "my_labels_corrected"), ("2nd", "zs_2nd_corrected")])
def test_triage__labels_in_a_field_whose_name_is_no_identifier(run, name, corrected):
    run.dataset.clone_sample_field("ground_truth", name)
    assert run.triage(name, progress=False).report["corrected_field"] == corrected


def test_triage__decisive_lgca_without_stored_regions_leaves_judging_to_the_others(
    images, demo_encoder, monkeypatch, tmp_path
):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path))
    dataset = make_dataset(images[:40])
    run = classify(dataset, demo_encoder, methods=("clip", "wca", "lgca", "lgca_d"), store_regions=False)
    report = run.triage(progress=False).report
    assert report["judged"] == 40
    assert report["judging"] == ["clip", "wca", "lgca"]
    assert any("lgca_d does not judge" in warning for warning in report["warnings"])
    dataset.delete()


def test_triage__a_second_one_without_labels_leaves_no_stale_judgement(run):
    run.triage(progress=False)
    assert run.dataset.count("zs_clip.calibrated") == COUNT
    run.dataset.delete_sample_field("ground_truth")
    run.triage(progress=False)
    assert run.dataset.count("zs_clip.calibrated") == run.dataset.count("zs_clip.label_quality") == 0
    assert run.dataset.count("zs_clip.label") == COUNT


def test_triage__a_prediction_that_is_cleared_meanwhile_does_not_come_back(run):
    cleared = run.dataset.first()

    def clear(progress):
        if progress.label.startswith("Judging"):
            cleared.zs_wca = None
            cleared.save()

    run.triage(progress=clear)
    cleared.reload()
    assert cleared.zs_wca is cleared.zs_case is None
    assert run.dataset.count("zs_case") == COUNT - 1


def test_triage__labels_that_are_words_of_the_database_do_no_harm(run):
    sample = run.dataset.first()
    sample.ground_truth.label = "$oid"
    sample.save()
    assert run.triage(progress=False).report["outside"] == [["$oid", 1]]
    assert lgca.load_run(run.dataset, "zs").last_triage().report["outside"] == [["$oid", 1]]
    run.delete()


def test_triage__a_predictions_field_that_was_deleted_is_named(run):
    run.dataset.delete_sample_field("zs_wca")
    with pytest.raises(ConfigError, match="zs_wca of run 'zs' was deleted from the dataset"):
        run.triage(progress=False)
