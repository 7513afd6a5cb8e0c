"""Several devices: a process each, one run, and the results of one process. Here each device is this machine's CPU."""

import os
import subprocess
import sys
from typing import Any

import fiftyone as fo
import psutil
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.encoder.precision import check_devices
from lgca_plugin.progress import drive
from lgca_plugin.run import Run
from lgca_plugin.store.store import Store
from tests.helpers.jobs.new_job import SMALL
from tests.helpers.paths import ROOT
from tests.helpers.runs import add_images, assert_same_predictions, assert_same_results, predictions, steps_of

TWO = "cpu,cpu"
SETTINGS: dict[str, Any] = {"classes": CLASSES, "descriptions": DESCRIPTIONS, "encoder": "demo", "regions": SMALL}


def classify(samples: Any, **options: Any) -> Run:
    return lgca.classify(samples, **{"run_key": "zs", "progress": False, **SETTINGS, **options})


@pytest.fixture
def birds(dataset, demo_images, tmp_path):
    """Drawn birds for two processes, and a file that is no image."""
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    add_images(dataset, demo_images)
    dataset.add_sample(fo.Sample(filepath=str(broken)))
    return dataset


@pytest.mark.thorough
def test_two_devices__write_what_one_process_writes(birds, tmp_path, monkeypatch):
    run = classify(birds, device=TWO, budget="adaptive")
    with Store() as store:
        entry = store.run(run.token)
        assert entry is not None
        assert store.samples_with_regions(entry) == set(birds.match({"zs_error": None}).values("id"))
    own, found = run.summary(), predictions(birds)
    assert run.failures.keys() == {birds.last().id}
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "another"))  # nothing is known there
    single = classify(birds, device="cpu", budget="adaptive", overwrite=True)
    assert_same_predictions(found, predictions(birds))
    other = single.summary()
    same = (
        "status",
        "total",
        "predicted",
        "failed",
        "images_encoded",
        "encodes",
        "stopped_after",
        "stored",
        "warnings",
    )
    assert {name: own[name] for name in same} == {name: other[name] for name in same}
    assert [own["engine"][name] for name in ("images", "failed", "encodes", "batch_size")] == [
        other["engine"][name] for name in ("images", "failed", "encodes", "batch_size")
    ]
    assert (own["device"], other["device"]) == ("cpu, cpu", "cpu")


@pytest.mark.thorough
def test_cancelled__ends_the_processes_and_one_device_goes_on(birds):
    before = set(psutil.Process().children())
    steps = steps_of(birds, device=TWO, run_key="zs", **SETTINGS)

    def cancel(step):
        if step.done == 2:
            lgca.load_run(birds, "zs").cancel(by="ann")

    with pytest.raises(lgca.RunCancelledError):
        drive(steps, cancel, unit="")
    assert set(psutil.Process().children()) <= before
    done = birds.count("zs_lgca")
    assert 2 <= done < 24
    run = classify(birds, device="cpu")
    assert (run.summary()["predicted"], run.summary()["images_encoded"]) == (24, 24)
    found, encodes = predictions(birds), run.summary()["encodes"]
    again = classify(birds, device=TWO, run_key="again")
    assert_same_predictions(predictions(birds, "again"), found)
    assert (again.summary()["images_recalled"], again.summary()["encodes"]) == (24, 0)  # known from the store
    assert encodes


@pytest.mark.thorough
def test_killed_process__is_an_error_and_the_same_call_goes_on(birds):
    before = set(psutil.Process().children())
    steps = steps_of(birds, device=TWO, run_key="zs", **SETTINGS)

    def kill(step):
        if step.done == 1:
            for process in set(psutil.Process().children()) - before:
                process.kill()

    with pytest.raises(lgca.LgcaError, match="the process on cpu was killed by signal 9, for lack of memory perhaps"):
        drive(steps, kill, unit="")
    assert lgca.load_run(birds, "zs").state.name == "failed"
    run = classify(birds, device=TWO)
    assert (run.summary()["predicted"], run.summary()["failed"]) == (24, 1)


@pytest.mark.thorough
def test_boxes_shares_and_search__on_two_devices(tmp_path):
    from lgca_plugin.demo.flocks import load_flocks_dataset

    found = []
    for device in ("cpu", TWO):
        flocks = load_flocks_dataset(tmp_path / device, count=12, seed=5)
        options: dict[str, Any] = {"encoder": "demo", "device": device, "shares": "balanced", "progress": False}
        options["regions"] = lgca.RegionConfig(crops=14)
        triage = lgca.find_wrong_labels(flocks.to_patches("ground_truth"), **options)
        found.append((Run.of(triage.run), triage.report))
    (one, report), (two, other) = found
    assert_same_results(two, one)
    assert (report["suspects"], report["cases"]) == (other["suspects"], other["cases"])
    assert two.summary()["device"] == "cpu, cpu"
    for run in (one, two):
        for name in fo.list_datasets(f"{run.dataset.name}*"):
            fo.delete_dataset(name)


@pytest.mark.thorough
def test_script__without_a_guard_of_its_main_module_starts_processes(demo_images, tmp_path):
    """Python's own way of starting a process would execute the script anew in each of them."""
    script = tmp_path / "script.py"
    script.write_text(f"""
import fiftyone as fo
import lgca_plugin as lgca
print("begun")
dataset = fo.Dataset()
dataset.add_samples([fo.Sample(filepath=path) for path in {[str(image.path) for image in demo_images]!r}])
run = lgca.classify(dataset, ["duck", "heron"], encoder="demo", methods=["clip"], device="cpu,cpu", progress=False)
print(run.summary()["predicted"], run.summary()["device"])
dataset.delete()
""")
    found = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, cwd=ROOT, env=found)
    assert done.stdout.splitlines()[-2:] == ["begun", "24 cpu, cpu"], done.stderr


def test_encoder_of_ones_own__is_refused_before_anything_is_written(birds):
    from tests.helpers.fusion.two_encoders import noisy_encoder

    with pytest.raises(lgca.ConfigError, match="have a process each, which loads the model by its name"):
        classify(birds, encoder=noisy_encoder(), device=TWO)
    assert birds.list_runs() == []


def test_few_images__take_one_process(birds):
    run = classify(birds.limit(4), device=TWO, methods=["clip"])
    assert run.summary()["device"] == "cpu"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("cpu,meta", "names several kinds of device"),
        ("cpu,", "torch has no device ''"),
        ("cuda:0,1", "device 'cuda:0' is not available on this machine"),
        ("all", "device 'all' are all CUDA GPUs, and this machine has none"),
    ],
)
def test_devices__that_are_none_are_refused(text, problem):
    import torch

    if torch.cuda.is_available() and "cuda" in (text, problem):
        pytest.skip("they are there")
    with pytest.raises(lgca.ConfigError, match=problem):
        check_devices(text)


def test_devices__of_a_list():
    assert check_devices("cpu") == ("cpu",)
    assert check_devices("cpu, cpu:0,0") == ("cpu", "cpu:0", "cpu:0")
