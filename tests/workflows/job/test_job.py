"""A job, from a dataset to its results on the dataset: those that one process would have written."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.job.parts import do_parts
from lgca_plugin.job.tables import read_work
from lgca_plugin.run import Run
from lgca_plugin.runs.stored_run import stored_run
from lgca_plugin.store.store import Store
from tests.helpers.jobs.new_job import SMALL
from tests.helpers.runs import add_images, assert_same_predictions, assert_same_results, predictions

pytestmark = pytest.mark.usefixtures("module_store")

SETTINGS: dict[str, Any] = {
    "classes": CLASSES,
    "descriptions": DESCRIPTIONS,
    "regions": SMALL,
    "ground_truth": "ground_truth",
}


@pytest.fixture(scope="module")
def single(demo_images, demo_encoder, module_store) -> Iterator[Run]:  # noqa: ARG001
    """What one process writes."""
    dataset = add_images(fo.Dataset(), demo_images[:16])
    yield lgca.classify(dataset, encoder=demo_encoder, run_key="zs", progress=False, **SETTINGS)
    dataset.delete()


@pytest.fixture(scope="module")
def collected(demo_images, module_store, tmp_path_factory) -> Iterator[tuple[Run, Path]]:  # noqa: ARG001
    """The run of a job in four parts, which were collected in two calls, and the job's folder."""
    dataset, folder = add_images(fo.Dataset(), demo_images[:16]), tmp_path_factory.mktemp("job")
    prepared = lgca.prepare_job(
        dataset, folder=folder, encoder="demo", run_key="zs", rows_per_part=5, device="cpu", progress=False, **SETTINGS
    )
    assert (prepared.rows, prepared.parts, prepared.done) == (16, 4, 0)
    state = lgca.load_run(dataset, "zs").state
    assert state.name == "interrupted" and f"by the job in {folder}, of which 0 of 4 parts" in str(state.reason)
    list(do_parts(folder, ["1", "3"], device="cpu"))
    run = lgca.collect_job(dataset, folder, progress=False)
    assert (run.summary()["predicted"], run.summary()["pending"]) == (6, 10)
    assert run.summary()["status"] == "interrupted" and "2 of 4 parts are collected" in str(run.state.reason)
    list(do_parts(folder, ["0/1"], device="cpu"))
    yield lgca.collect_job(dataset, folder, progress=False), folder
    dataset.delete()


def test_job__writes_what_one_process_writes(single, collected):
    run, _ = collected
    assert_same_predictions(predictions(run.dataset), predictions(single.dataset))
    assert_same_results(run, single)
    assert run.dataset.values("metadata.width") == single.dataset.values("metadata.width")


def test_record__is_that_of_one_process_with_the_counts_of_all_workers(single, collected):
    own, other = collected[0].summary(), single.summary()
    same = ("status", "total", "predicted", "failed", "skipped", "pending", "images_encoded", "encodes", "stored")
    assert {name: own[name] for name in same} == {name: other[name] for name in same}
    assert own["engine"]["encodes"] == other["engine"]["encodes"] == own["encodes"]
    assert collected[0].state.name == "completed"
    assert collected[0].descriptions == single.descriptions


def test_store__has_what_one_process_stores(single, collected):
    run, _ = collected
    with Store() as store:
        own, other = stored_run(store, run), stored_run(store, single)
        assert own.vector_keys == other.vector_keys and own.encoder == other.encoder
        ids = [one.dataset.values("id") for one in (run, single)]
        assert store.samples_with_regions(own) == set(ids[0])
        both = (store.known_regions(entry, own_ids) for entry, own_ids in zip((own, other), ids, strict=True))
        for (_, _, mine), (_, _, theirs) in zip(*both, strict=True):
            assert mine.boxes.tolist() == theirs.boxes.tolist()
            assert abs(mine.regions - theirs.regions).max() < 1e-5


def test_triage_rescore_and_evidence__work_on_the_run_of_a_job(single, collected):
    run, _ = collected
    ours, theirs = run.triage(progress=False), single.triage(progress=False)
    assert ours.report["suspects"] == theirs.report["suspects"]
    assert ours.report["cases"] == theirs.report["cases"]
    rescored, other = (one.rescore(image_scale=5.0, run_key="other", progress=False) for one in (run, single))
    assert_same_results(rescored, other)
    found, expected = (one.evidence(one.dataset.first().id) for one in (run, single))
    assert found.boxes.tolist() == expected.boxes.tolist()


def test_collect__again_changes_nothing(collected):
    run, folder = collected
    before = [sample.to_mongo_dict() for sample in run.dataset]
    again = lgca.collect_job(run.dataset, folder, progress=False)
    assert [sample.to_mongo_dict() for sample in run.dataset] == before
    assert again.summary()["encodes"] == run.summary()["encodes"]


@pytest.fixture
def job(demo_images, tmp_path):
    """A small job that is done, with a file that is no image, and its dataset."""
    dataset = add_images(fo.Dataset(), demo_images[:3])
    (tmp_path / "broken.png").write_bytes(b"no image")
    dataset.add_sample(fo.Sample(filepath=str(tmp_path / "broken.png")))
    folder = tmp_path / "job"
    options: dict[str, Any] = {
        **SETTINGS,
        "ground_truth": None,
        "rows_per_part": 2,
        "store_regions": "none",
        "budget": "adaptive",
    }
    lgca.prepare_job(dataset, folder=folder, encoder="demo", run_key="zs", progress=False, **options)
    list(do_parts(folder, ["0/1"], device="cpu"))
    yield dataset, folder
    dataset.delete()


def test_collect__of_a_part_with_other_images_is_refused(job):
    dataset, folder = job
    shutil.copyfile(folder / "parts" / "000000.parquet", folder / "parts" / "000001.parquet")
    with pytest.raises(lgca.LgcaError, match="holds other images than it should"):
        lgca.collect_job(dataset, folder, progress=False)
    assert dataset.count("zs_lgca") == 2


def test_collect__without_regions_leaves_a_run_with_vectors_alone(job):
    dataset, folder = job
    run = lgca.collect_job(dataset, folder, progress=False)
    assert run.summary()["stored"] == {"samples": 3, "regions": False, "complete": True}
    assert dataset.count("zs_encodes") == 3 and sum(run.summary()["stopped_after"].values()) == 3
    assert run.failures.keys() == {dataset.last().id} and (run.summary()["predicted"], run.summary()["failed"]) == (
        3,
        1,
    )


def test_collect__leaves_out_samples_that_were_deleted_meanwhile(job):
    dataset, folder = job
    dataset.delete_samples([dataset.first().id])
    summary = lgca.collect_job(dataset, folder, progress=False).summary()
    counts = [summary[name] for name in ("total", "predicted", "failed", "skipped", "pending")]
    assert counts == [4, 2, 1, 1, 0]


def test_collect__of_a_run_that_was_started_again_is_refused(job, demo_encoder):
    dataset, folder = job
    options: dict[str, Any] = {**SETTINGS, "ground_truth": None, "methods": ["clip"]}
    lgca.classify(dataset, encoder=demo_encoder, run_key="zs", overwrite=True, progress=False, **options)
    with pytest.raises(lgca.ConfigError, match="was started again, rescored or given another job"):
        lgca.collect_job(dataset, folder, progress=False)


def test_collect__on_another_dataset_is_refused(job, dataset):
    with pytest.raises(lgca.ConfigError, match="was prepared from dataset"):
        lgca.collect_job(dataset, job[1], progress=False)
    with pytest.raises(lgca.ConfigError, match="dataset must be a FiftyOne dataset or view, got 'birds'"):
        lgca.collect_job("birds", job[1], progress=False)


def test_collect__takes_a_view_and_the_dataset_whose_boxes_were_prepared(dataset, demo_images, tmp_path):
    box = fo.Detection(label=demo_images[0].label, bounding_box=[0.1, 0.1, 0.8, 0.8])
    dataset.add_sample(fo.Sample(filepath=demo_images[0].path, boxes=fo.Detections(detections=[box])))
    patches, options = dataset.to_patches("boxes"), {**SETTINGS, "ground_truth": None}
    lgca.prepare_job(patches, folder=tmp_path, encoder="demo", run_key="zs", progress=False, **options)
    list(do_parts(tmp_path, ["0"], device="cpu"))
    for samples in (patches, dataset, dataset.limit(1)):
        assert lgca.collect_job(samples, tmp_path, progress=False).summary()["predicted"] == 1
    assert dataset.first().boxes.detections[0]["zs_clip"] in CLASSES


def test_collect__merges_later_what_it_has_left_in_the_shards(dataset, demo_images, tmp_path):
    add_images(dataset, demo_images[:3])
    options: dict[str, Any] = {**SETTINGS, "rows_per_part": 2, "progress": False}
    lgca.prepare_job(dataset, folder=tmp_path, encoder="demo", run_key="zs", **options)
    list(do_parts(tmp_path, ["0/1"], device="cpu"))
    run = lgca.collect_job(dataset, tmp_path, merge=False, progress=False)
    assert run.summary()["stored"] == {"samples": 3, "regions": False, "complete": True}
    encodes = run.summary()["encodes"]
    run = lgca.collect_job(dataset, tmp_path, merge=True, progress=False)
    assert run.summary()["stored"] == {"samples": 3, "regions": True, "complete": True}
    assert run.summary()["encodes"] == encodes and run.summary()["predicted"] == 3
    assert run.evidence(dataset.first().id).boxes.shape[1] == 4


def test_prepare__in_a_folder_with_a_job_is_refused_before_anything_is_written(job):
    dataset, folder = job
    with pytest.raises(lgca.ConfigError, match="holds a job already"):
        lgca.prepare_job(dataset, folder=folder, encoder="demo", run_key="other", **SETTINGS)
    (folder / "job.json").unlink()
    with pytest.raises(lgca.ConfigError, match="holds what is left of a job"):
        lgca.prepare_job(dataset, folder=folder, encoder="demo", run_key="other", **SETTINGS)
    assert dataset.list_runs() == ["zs"]


@pytest.mark.parametrize("folder", ["", " ", None, 3, b"job", "a\0b"])
def test_folder__that_is_none_is_refused(folder):
    with pytest.raises(lgca.ConfigError, match="folder must be the path of a job's folder, or its URL"):
        lgca.job_state(folder)


def test_prepare__in_a_folder_that_can_t_be_written_leaves_the_run_that_it_would_replace(single):
    options: dict[str, Any] = {**SETTINGS, "overwrite": True}
    with pytest.raises(lgca.LgcaError, match=r"texts\.safetensors can't be written"):
        lgca.prepare_job(single.dataset, folder="/proc/lgca", encoder="demo", run_key="zs", **options)
    assert lgca.load_run(single.dataset, "zs").token == single.token


def test_prepare__of_an_encoder_without_a_name_is_refused(dataset, demo_images, tmp_path):
    from tests.helpers.fusion.two_encoders import noisy_encoder

    add_images(dataset, demo_images[:2])
    own: Any = noisy_encoder()
    with pytest.raises(lgca.ConfigError, match="the workers of a job load the model by its name"):
        lgca.prepare_job(dataset, folder=tmp_path, encoder=own, **SETTINGS)
    assert dataset.list_runs() == []


def test_prepare__says_that_the_store_is_too_small(dataset, demo_images, tmp_path, monkeypatch):
    add_images(dataset, demo_images[:4])
    monkeypatch.setenv("LGCA_STORE_GB", "0.00001")
    lgca.prepare_job(dataset, folder=tmp_path, encoder="demo", run_key="zs", progress=False, **SETTINGS)
    (warning,) = (one for one in lgca.load_run(dataset, "zs").results["warnings"] if "LGCA_STORE_GB" in one)
    assert warning.startswith("the embeddings of the regions of 4 images take about")
    assert [one for one in lgca.load_run(dataset, "zs").results["warnings"] if "the workers compute in fp32" in one]


def test_prepare__writes_other_beginnings_of_paths_for_the_workers(dataset, demo_images, tmp_path):
    add_images(dataset, demo_images[:2])
    start = demo_images[0].path.rsplit("/", 1)[0]
    folder = tmp_path / "job"
    paths = {start: "s3://birds"}
    lgca.prepare_job(dataset, folder=folder, encoder="demo", paths=paths, progress=False, **SETTINGS)
    sources = [source for _, source in read_work((folder / "work" / "000000.parquet").read_bytes())]
    assert [str(source) for source in sources] == [image.path.replace(start, "s3://birds") for image in demo_images[:2]]
    assert json.loads((folder / "job.json").read_text())["rows"] == 2
