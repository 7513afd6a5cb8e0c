"""Triage of a run: what it writes on the samples, and what replaces or deletes it."""

from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.errors import ConfigError
from lgca_plugin.method.labels.triage_cases import WITH_LABEL, WITHOUT_LABEL
from lgca_plugin.workflows.triage.plan import check_triage
from lgca_plugin.workflows.triage.triage import iter_triage
from tests.helpers.engine import Counting
from tests.helpers.runs import classified

COUNT = 60
METHODS = ("clip", "wca", "lgca", "crops_mean")
JUDGEMENTS = ("calibrated", "label_quality")


def slow_case(labels, given, crop_case):
    """The documented list for samples with a label."""
    clip, wca, lgca_label = labels
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
        assert sample.zs_case == slow_case(labels, sample.ground_truth.label, size is not None)
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


def test_triage__a_copy_with_another_label_is_a_suspect_that_names_its_twin(make_run, images, tmp_path, dataset):
    right = [image for image in images[:40] if not image.mislabelled][:3]
    copies = []
    for at, image in enumerate(right):
        path = tmp_path / f"copy-{at}.jpg"
        path.write_bytes(Path(image.path).read_bytes())
        wrong = CLASSES[(CLASSES.index(image.truth) + 1 + at) % len(CLASSES)]
        copies.append(fo.Sample(filepath=str(path), ground_truth=fo.Classification(label=wrong)))
    dataset.add_samples(copies)
    run = make_run(40)
    triage = run.triage(progress=False)
    twins = {run.dataset[copy.id].zs_suggestion.near_duplicate for copy in copies}
    assert twins == {run.dataset[image.path].id for image in right}
    first = triage.suspects().limit(len(copies) + 2).values("id")
    assert {copy.id for copy in copies} <= set(first)
    assert triage.report["near_duplicates"] >= len(copies)
    assert run.dataset.count("zs_suggestion.near_duplicate") == triage.report["near_duplicates"]


def test_triage__without_labels_sorts_by_disagreement(make_run):
    run = make_run(ground_truth=None)
    dataset = run.dataset
    triage = run.triage(progress=False)
    assert set(dataset.distinct("zs_case")) <= {case.value for case in WITHOUT_LABEL}
    assert dataset.count("zs_stability") == COUNT
    assert dataset.count("zs_label_quality") == dataset.count("zs_suggestion") == 0
    assert "suspects" not in triage.report
    assert triage.report["labels"]["without a label"] == COUNT


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


def test_triage__decisive_lgca_can_stand_in_for_lgca(make_run):
    run = make_run(40, methods=("clip", "wca", "lgca", "lgca_d"))
    dataset = run.dataset
    report = run.triage(methods=("clip", "wca", "lgca_d"), progress=False).report
    assert report["methods"] == ["clip", "wca", "lgca_d"]
    assert set(report["calibration"]) == {"clip", "wca", "lgca", "lgca_d"}
    for sample in dataset.limit(5):
        assert sample.zs_stability == pytest.approx(run.evidence(sample.id).stability["lgca_d"])
        assert sample.zs_lgca_d.calibrated is not None


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


def test_triage__progress_goes_up_to_the_end(run):
    seen: list[lgca.Progress] = []
    run.triage(progress=seen.append)
    known = [step for step in seen if step.total]
    assert [step.done for step in known] == sorted(step.done for step in known)
    assert known[-1].done == known[-1].total == 2 * COUNT


def test_triage__somebody_elses_is_seen_by_a_run_that_was_loaded_before(run):
    before, other = lgca.load_run(run.dataset, "zs"), lgca.load_run(run.dataset, "zs")
    other.triage(progress=False)
    other.evaluate(progress=False)
    assert before.last_triage().report["counts"]["triaged"] == COUNT
    evaluation = before.last_evaluation()
    assert evaluation is not None and evaluation.samples == COUNT
    before.triage(progress=False)
    before.evaluate(progress=False)
    assert set(lgca.load_run(run.dataset, "zs").results) >= {"triage", "views", "evaluation"}


def test_triage__of_a_run_that_is_being_classified_is_refused(run, images, demo_encoder, options):
    dataset = run.dataset
    refused: list[str] = []

    def triage_once(_):
        if not refused:
            with pytest.raises(lgca.RunHeldError, match="run 'zs' is being classified by") as held:
                lgca.load_run(dataset, "zs").triage(progress=False)
            refused.append(str(held.value))

    dataset.add_sample(
        fo.Sample(filepath=images[0].path, ground_truth=fo.Classification(label=images[0].label), truth=None)
    )
    gone_on = classified(dataset, demo_encoder, progress=triage_once, **options)
    assert gone_on.summary()["predicted"] == COUNT + 1
    assert refused
    assert gone_on.triage(progress=False).report["counts"]["triaged"] == COUNT + 1
    gone_on.delete()
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
    with pytest.raises(ConfigError, match="2 changed labels of run 'zs' are in 'better'"):
        rescored.triage(corrected_field="elsewhere", progress=False)
    assert rescored.last_triage().undo(by="anna").samples == 2
    assert rescored.triage(corrected_field="elsewhere", progress=False).report["corrected_field"] == "elsewhere"


def test_triage__a_second_one_without_labels_leaves_no_stale_judgement(run):
    run.triage(progress=False)
    assert run.dataset.count("zs_clip.calibrated") == COUNT
    run.dataset.delete_sample_field("ground_truth")
    report = run.triage(progress=False).report
    assert report["ground_truth"] is None
    assert any("'ground_truth'" in warning and "no longer a label field" in warning for warning in report["warnings"])
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
