"""The worker of a job: the results of one process, whole parts or none, and nothing of FiftyOne."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.cores import core_count
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.descriptions.class_texts import class_texts
from lgca_plugin.engine.engine import encode_images
from lgca_plugin.images.boxed import BoxedImage
from lgca_plugin.job.folder import TEMPORARY, JobFolder
from lgca_plugin.job.part_writer import part_name, shard_name
from lgca_plugin.job.parts import do_parts, named_parts
from lgca_plugin.job.processes import Processes
from lgca_plugin.job.ray_engine import RayActors
from lgca_plugin.job.tables import read_part
from lgca_plugin.job.worker import Worker
from lgca_plugin.job.workers import Wished
from lgca_plugin.prediction.predictor import Predictor
from lgca_plugin.store.store import Store
from tests.helpers.jobs.new_job import new_job, results
from tests.helpers.paths import ROOT


@pytest.fixture(scope="module")
def sources(demo_images, tmp_path_factory):
    """Nine drawn birds, a file that is none, and a box in a bird's file."""
    broken = tmp_path_factory.mktemp("broken") / "broken.jpg"
    broken.write_bytes(b"no image")
    paths = [str(image.path) for image in demo_images[:9]]
    return [*paths[:5], str(broken), *paths[5:], BoxedImage(paths[0], (0.1, 0.1, 0.8, 0.8))]


@pytest.fixture(scope="module")
def done(sources, demo_encoder, tmp_path_factory):
    """A job that is done, with shards; its folder and the job."""
    folder = tmp_path_factory.mktemp("job")
    job = new_job(folder, sources, demo_encoder, store_regions=True)
    list(do_parts(folder, ["0/1"], device="cpu"))
    return folder, job


def test_results__are_those_of_one_process(done, sources, demo_encoder):
    folder, job = done
    predictor = Predictor(job.config.methods, class_texts(CLASSES, DESCRIPTIONS), demo_encoder, job.config.region_plan)
    rows = [(f"r{number}", source) for number, source in enumerate(sources)]
    images = list(encode_images(rows, encoder=demo_encoder, plan=job.config.region_plan))
    found = results(folder, job)
    assert list(found) == [id_ for id_, _ in rows]
    encoded = [image for image in images if not hasattr(image, "reason")]
    assert len(encoded) == 10 and found["r5"].reason
    for image, expected in zip(encoded, predictor.predict(encoded, find=True), strict=True):
        own = found[image.id]
        assert own.methods is not None and own.content_hash == image.content_hash
        assert [one.box for one in own.regions] == [one.box for one in expected.regions]
        for name, prediction in expected.methods.items():
            assert own.methods[name].label == prediction.label
            assert own.methods[name].margin == pytest.approx(prediction.margin, abs=1e-6)
        assert own.vectors is not None and np.abs(own.vectors - expected.vectors).max() < 1e-6
        assert own.finding is not None and expected.finding is not None
        assert own.finding.chains_label == expected.finding.chains_label


def test_shard__has_the_regions_of_its_part(done):
    folder, job = done
    with Store((folder / shard_name(2)).parent) as shard:
        run = shard.run(job.token)
        assert run is not None
        known = {id_: regions for id_, _, regions in shard.known_regions(run, ["r8", "r9", "r10", "r1"])}
    assert set(known) == {"r8", "r9", "r10"}
    assert all(len(one.boxes) >= 8 for one in known.values())


def test_counts__of_all_parts_add_up_to_those_of_the_images(done):
    folder, job = done
    counts = [read_part(JobFolder(folder).read(part_name(part)))[1] for part in range(job.parts)]
    assert sum(one.engine["images"] for one in counts) == 10
    assert sum(one.engine["failed"] for one in counts) == 1
    assert sum(one.engine["encodes"] for one in counts) == sum(one.encodes for one in results(folder, job).values())


def test_part__that_is_there_is_not_done_again(done):
    folder, _ = done
    before = (folder / part_name(1)).stat().st_mtime_ns
    assert list(do_parts(folder, ["0-2"])) == []
    assert (folder / part_name(1)).stat().st_mtime_ns == before


def test_worker__leaves_no_marks_and_no_half_files(done):
    folder, _ = done
    assert not list((folder / "tries").iterdir())
    assert not list(folder.rglob(".writing-*"))


def test_worker__imports_neither_fiftyone_nor_mongodb_and_encodes_no_text(demo_images, demo_encoder, tmp_path):
    job = new_job(tmp_path / "job", [str(image.path) for image in demo_images[:2]], demo_encoder)
    code = """
import json, sys
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.descriptions.class_texts import class_texts
from lgca_plugin.job.worker import Worker
from lgca_plugin.job.workers import Wished
worker = Worker(sys.argv[1])
counts = list(worker.work([0]))
texts = class_texts(CLASSES, DESCRIPTIONS).all_texts()
foreign = [name for name in sys.modules if name.split(".")[0] in ("fiftyone", "pymongo", "bson", "mongoengine", "eta")]
print(json.dumps([len(counts), foreign, len(set(worker.encoder._texts) & set(texts))]))
"""
    command = [sys.executable, "-c", code, str(tmp_path / "job")]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert json.loads(said.stdout) == [1, [], 0]
    assert set(results(tmp_path / "job", job)) == {"r0", "r1"}


def test_worker__refuses_other_weights(demo_images, demo_encoder, tmp_path):
    new_job(tmp_path, [str(demo_images[0].path)], demo_encoder, encoder_source=("demo-vit", None))
    with pytest.raises(lgca.LgcaError, match=r"the weights of .* are not those that the job"):
        Worker(tmp_path)


def test_worker__refuses_texts_of_another_job(demo_images, demo_encoder, tmp_path):
    new_job(tmp_path, [str(demo_images[0].path)], demo_encoder)
    document = json.loads((tmp_path / "job.json").read_text())
    document["config"]["descriptions_hash"] = "another"
    (tmp_path / "job.json").write_text(json.dumps(document))
    with pytest.raises(lgca.LgcaError, match="is of other texts than the job"):
        Worker(tmp_path)


def test_error__of_a_part_leaves_nothing_of_it_and_no_mark(demo_images, demo_encoder, tmp_path):
    new_job(tmp_path, [str(image.path) for image in demo_images[:4]], demo_encoder, rows_per_part=2)
    (tmp_path / "work" / "000001.parquet").write_bytes(b"damaged")
    with pytest.raises(lgca.LgcaError, match="a file of rows of the job is damaged"):
        list(do_parts(tmp_path, ["0-1"]))
    assert not list((tmp_path / "tries").iterdir())
    assert [path.name for path in (tmp_path / "parts").glob("*")] in ([], ["000000.parquet"])


def test_adaptive_budget__stops_where_one_process_stops(demo_images, demo_encoder, tmp_path):
    paths = [str(image.path) for image in demo_images[:4]]
    job = new_job(tmp_path, paths, demo_encoder, budget="adaptive")
    list(do_parts(tmp_path, ["0"]))
    predictor = Predictor(job.config.methods, class_texts(CLASSES, DESCRIPTIONS), demo_encoder, job.config.region_plan)
    images = encode_images(
        enumerate(paths), encoder=demo_encoder, plan=job.config.region_plan, can_stop=predictor.can_stop
    )
    found = results(tmp_path, job)
    assert [found[f"r{number}"].level for number in range(4)] == [getattr(image, "level", None) for image in images]


def test_folder_and_images__may_be_urls(demo_images, demo_encoder):
    import fsspec

    memory = fsspec.filesystem("memory")
    for number, image in enumerate(demo_images[:3]):
        memory.pipe_file(f"/images/{number}.png", Path(image.path).read_bytes())
    urls = [*(f"memory://images/{number}.png" for number in range(3)), "memory://images/missing.png"]
    job = new_job("memory://job", urls, demo_encoder, rows_per_part=2, store_regions=True)
    list(do_parts("memory://job", ["0-1"]))
    found = results("memory://job", job)
    assert found["r3"].reason == "the file does not exist"
    assert [one.reason for one in found.values()][:3] == [None] * 3
    assert memory.exists(f"/job/{shard_name(0)}") and JobFolder("memory://job").names("tries") == []


@pytest.mark.parametrize(
    ("text", "parts"), [("7", [7]), ("8-20", [8, 9]), ("0-2", [0, 1, 2]), ("3/4", [3, 7]), ("0/1", list(range(10)))]
)
def test_named_parts(text, parts):
    assert list(named_parts(text, 10)) == parts


@pytest.mark.parametrize("text", ["10", "x", "5-4", "4/4", "-1", ""])
def test_named_parts__that_are_none_are_refused(text):
    with pytest.raises(lgca.ConfigError, match="this job has the parts 0 to 9"):
        named_parts(text, 10)


def test_command__says_in_a_sentence_that_there_is_no_job(tmp_path):
    command = [sys.executable, "-m", "lgca_plugin.job", "part", str(tmp_path), "0"]
    said = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr == f"Error: {tmp_path} holds no job: lgca.prepare_job makes one\n"


@pytest.mark.parametrize(("device", "count"), [("cpu,cpu,cpu", 3), ("cpu", max(1, core_count() // 2))])
def test_processes__are_as_many_as_devices_that_are_named(device, count):
    with Processes(Wished(device=device)) as engine:
        assert engine.count == count
        assert [engine._device(number) for number in range(4)] == ["cpu"] * 4


def test_devices__are_refused_by_ray():
    with pytest.raises(lgca.ConfigError, match="with ray each worker has GPUs of its own"):
        RayActors(Wished(device="cuda:0,1"))


def test_part__at_which_a_process_was_killed_leaves_no_half_files(sources, demo_encoder, tmp_path):
    new_job(tmp_path, sources[:4], demo_encoder, rows_per_part=2, store_regions=True)
    half = (tmp_path / part_name(1)).with_name(f"{TEMPORARY}{Path(part_name(1)).name}.0")
    for path in (tmp_path / "tries" / "1.0", half):
        path.parent.mkdir()
        path.write_bytes(b"half")
    list(do_parts(tmp_path, ["0/1"], device="cpu"))
    assert not list(tmp_path.rglob(f"{TEMPORARY}*")) and (tmp_path / part_name(1)).is_file()
