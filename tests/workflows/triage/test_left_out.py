"""Triage of samples and labels that can't be used, and without stored embeddings: what is counted and warned of."""

import fiftyone as fo

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.method.labels.triage_cases import WITHOUT_LABEL, Case
from lgca_plugin.store.store import Store
from tests.helpers.runs import add_images, classified, pairs_of
from tests.helpers.worlds.store import forget_findings, forget_vectors_by_class

COUNT = 60


def test_triage__odd_labels_are_counted_and_get_cases_of_their_own(run):
    dataset = run.dataset
    odd = [None, *(fo.Classification(label=label) for label in ("dodo", None, "$oid"))]  # the last is MongoDB's word
    dataset.limit(4).set_values("ground_truth", odd)
    report = run.triage(progress=False).report
    assert report["labels"] == {
        "compared": COUNT - 4,
        "without a label": 2,
        "with a label that is no class of the run": 2,
    }
    assert (
        report["outside"] == lgca.load_run(dataset, "zs").last_triage().report["outside"] == [["$oid", 1], ["dodo", 1]]
    )
    assert sum(report["cases"].values()) == COUNT
    assert report["cases"]["label outside the classes"] == report["outside_suspects"] == 2
    (warning,) = report["warnings"]
    assert warning.startswith("2 samples have labels that the classes leave out") and "'dodo' (1)" in warning
    for sample in dataset.limit(4):
        label = sample.ground_truth and sample.ground_truth.label
        assert (sample.zs_case == "label outside the classes") == (label is not None)
        assert label or sample.zs_case in {case.value for case in WITHOUT_LABEL}
        assert sample.zs_label_quality == (None if label is None else 0.0)


def test_triage__labels_outside_the_classes_are_the_first_suspects_and_decided_like_others(run):
    dataset = run.dataset
    ids, given, seen = dataset.values(["id", "ground_truth.label", "zs_clip.label"])
    right = [at for at in range(COUNT) if given[at] == seen[at]][:3]
    slip, spaced, lost = (ids[at] for at in right)
    written = {slip: given[right[0]].title(), spaced: f"{given[right[1]]}\u200b", lost: "dodo"}
    dataset.set_values("ground_truth.label", written, key_field="id")
    before = run.triage(progress=False)
    assert before.report["judged"] == COUNT - 3 and before.report["suspects"] == len(before.suspects())
    assert set(before.suspects().values("id")[:3]) == set(written) == set(before.cases(Case.LABEL_OUTSIDE).values("id"))
    own = f"{before.report['suspects']} of {COUNT} labels in 'ground_truth' look wrong, 3 of which are no class of "
    lines = str(before).splitlines()
    assert lines[0].startswith(own)
    assert [line.split()[-1] for line in lines if line.startswith(("dodo", f"{given[right[1]]}\\u200b"))] == ["1", "1"]
    for id_, label in written.items():
        sample = dataset[id_]
        assert (sample.zs_suggestion.given, sample.zs_suggestion.confidence) == (label, None)
    suggested = {id_: dataset[id_].zs_suggestion.label for id_ in written}
    assert suggested[slip] == given[right[0]] and suggested[spaced] == given[right[1]] and suggested[lost] in CLASSES
    assert dataset[slip].zs_suspect.label == f"{written[slip]} → {given[right[0]]}?"

    before.decide([slip, lost], "accepted")
    before.decide(spaced, "label right")
    corrected = dict(zip(ids, dataset.values("ground_truth_corrected.label"), strict=True))
    assert [corrected[id_] for id_ in written] == [suggested[slip], written[spaced], suggested[lost]]
    assert before.left()["undecided"] == before.report["suspects"] - 3
    again = run.triage(progress=False)
    assert again.left() == before.left() and again.report["outside_suspects"] == 3


def test_triage__labels_none_of_which_is_a_class_are_no_suspects(run):
    run.dataset.set_values("ground_truth.label", ["bird", "Bird"] * (COUNT // 2))
    report = run.triage(progress=False).report
    assert report["labels"]["with a label that is no class of the run"] == COUNT
    assert "suspects" not in report and set(report["cases"]) == {case.value for case in WITHOUT_LABEL}
    assert any("60 samples have labels that the classes leave out" in warning for warning in report["warnings"])
    assert run.dataset.count("zs_suggestion") == run.dataset.count("zs_label_quality") == 0


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
    run.dataset.limit(1).set_values("ground_truth.label", ["dodo"])
    triage = run.triage(progress=False)
    assert triage.report["suspects"] == triage.report["outside_suspects"] == len(triage.suspects()) == 1
    assert run.triage(progress=False).report["suspects"] == 1  # which takes nothing away


def test_triage__without_stored_regions_image_vectors_alone_judge_labels(make_run, monkeypatch, tmp_path):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path))
    run = make_run(40, methods=("clip", "wca", "lgca", "lgca_d"), store_regions=False)
    dataset = run.dataset
    forget_findings()  # as after a run of a release that kept none
    report = run.triage(progress=False).report
    assert (report["judged"], report["judging"]) == (40, ["clip", "wca", "lgca", "lgca_d"])
    forget_vectors_by_class(run)
    report = run.triage(progress=False).report
    assert report["judged"] == 40
    assert report["judging"] == ["clip", "wca", "lgca"]
    assert any("lgca_d does not judge" in warning for warning in report["warnings"])
    assert dataset.count("zs_label_quality") == 40
    assert dataset.count("zs_stability") == 0
    assert any("no region embeddings" in warning for warning in report["warnings"])


def test_triage__of_a_slice_of_a_grouped_dataset_counts_the_other_slice(dataset, images, demo_encoder, options):
    run = classified(pairs_of(dataset, images[:16]), demo_encoder, **options)
    triage = run.triage(progress=False)
    assert triage.report["counts"]["triaged"] == 8
    assert triage.report["counts"]["without a prediction"] == 8
    assert len(dataset.exists("zs_case")) == 8
    assert len(triage.suspects()) == triage.report["suspects"]


def test_triage__of_a_view_leaves_the_other_samples_alone(dataset, images, demo_encoder, options):
    run = classified(add_images(dataset, images[:30]).limit(12), demo_encoder, **options)
    report = run.triage(progress=False).report
    assert (report["counts"]["triaged"], report["counts"]["without a prediction"]) == (12, 18)
    assert dataset.values("zs_case")[12:] == [None] * 18
