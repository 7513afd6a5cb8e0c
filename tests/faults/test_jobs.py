"""A job whose workers, driver or images kill or are killed: no image is missing, none twice, the results are equal."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

import lgca_plugin as lgca
from lgca_plugin.job.parts import do_parts
from tests.helpers.jobs import new_job as jobs

ROWS = 24


@pytest.fixture(scope="module")
def paths(images):
    return [str(image.path) for image in images[:ROWS]]


@pytest.fixture(scope="module")
def undisturbed(paths, demo_encoder, tmp_path_factory):
    """What one process finds that nothing disturbs."""
    folder = tmp_path_factory.mktemp("undisturbed")
    job = jobs.new_job(folder, paths, demo_encoder, regions=lgca.RegionConfig(), rows_per_part=ROWS)
    list(do_parts(folder, ["0"]))
    return jobs.results(folder, job)


@pytest.fixture
def job(paths, demo_encoder, tmp_path):
    """A job of twelve parts, with shards."""
    options: dict[str, Any] = {"regions": lgca.RegionConfig(), "rows_per_part": 2, "store_regions": True}
    return jobs.new_job(tmp_path, paths, demo_encoder, **options)


def assert_whole(folder: Path, job, undisturbed) -> None:
    """Every image has its result once, as undisturbed, every part its shard, and nothing else is left."""
    jobs.assert_same_results(jobs.results(folder, job), undisturbed)
    assert len(list(folder.glob("shards/*/*.sqlite"))) == job.parts
    assert not list(folder.rglob(".writing-*"))


def test_worker__killed_costs_its_parts_and_no_image(job, undisturbed, tmp_path):
    for _ in range(2):
        process = jobs.command("lgca_plugin.job", "part", tmp_path, "0/1")
        jobs.worker_at(tmp_path)
        time.sleep(0.5)
        process.kill()
        assert jobs.ended(process) == -signal.SIGKILL
    assert jobs.ended(jobs.command("lgca_plugin.job", "part", tmp_path, "0/1")) == 0
    assert_whole(tmp_path, job, undisturbed)


def test_script__without_a_main_guard_is_run_once(paths, demo_encoder, tmp_path):
    jobs.new_job(tmp_path / "job", paths[:4], demo_encoder)
    script = tmp_path / "script.py"
    script.write_text(f"""
from lgca_plugin.job.run import run_job

print("begun", flush=True)
run_job({str(tmp_path / "job")!r}, workers=2)
""")
    environment = {**os.environ, "PYTHONPATH": jobs.PYTHONPATH}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines().count("begun") == 1


def test_worker__terminated_leaves_no_mark_of_a_part_that_kills(job, tmp_path):  # noqa: ARG001
    process = jobs.command("lgca_plugin.job", "part", tmp_path, "0/1")
    jobs.worker_at(tmp_path)
    process.terminate()
    assert jobs.ended(process) == 128 + signal.SIGTERM
    assert not list((tmp_path / "tries").iterdir())


@pytest.mark.parametrize("how", ["part", "processes"])
def test_image__that_kills_its_process_becomes_a_failed_sample(how, paths, demo_encoder, undisturbed, tmp_path):
    deadly = [f"deadly://{path}" if row == 9 else path for row, path in enumerate(paths)]
    job = jobs.new_job(tmp_path, deadly, demo_encoder, regions=lgca.RegionConfig(), rows_per_part=6)
    calls: dict[str, tuple[Any, ...]] = {
        "part": ("lgca_plugin.job", "part", tmp_path, "0/1"),
        "processes": ("lgca_plugin", "job", "run", tmp_path, "--workers", 2, "--cpus", 1),
    }
    statuses: list[int] = []
    while not statuses or statuses[-1] == -signal.SIGKILL:
        statuses.append(jobs.ended(jobs.command(*calls[how])))
        assert len(statuses) <= 5
    assert statuses[-1] == 0
    assert len(statuses) == (5 if how == "part" else 1)
    found = jobs.results(tmp_path, job)
    assert found["r9"].reason == "its process was killed 2 times while it was read or encoded"
    others = {id_: one for id_, one in undisturbed.items() if id_ != "r9"}
    jobs.assert_same_results({id_: found[id_] for id_ in others}, others)
    assert len(found) == ROWS and not list((tmp_path / "tries").iterdir())


def test_worker_process__killed_is_replaced(job, undisturbed, tmp_path):
    run = jobs.command("lgca_plugin", "job", "run", tmp_path, "--workers", 2, "--cpus", 1)
    os.kill(jobs.worker_at(tmp_path), signal.SIGKILL)
    assert jobs.ended(run) == 0
    assert_whole(tmp_path, job, undisturbed)


def test_driver__killed_takes_its_workers_along_and_the_same_call_goes_on(job, undisturbed, tmp_path):
    run = jobs.command("lgca_plugin", "job", "run", tmp_path, "--workers", 2, "--cpus", 1)
    jobs.parts_done(tmp_path, 2)
    workers = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    jobs.ended(run)
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == []
    assert lgca.job_state(tmp_path).done < job.parts
    assert jobs.ended(jobs.command("lgca_plugin", "job", "run", tmp_path, "--workers", 2, "--cpus", 1)) == 0
    assert_whole(tmp_path, job, undisturbed)


def test_error__of_a_part_is_said_by_whoever_runs_the_job(job, tmp_path):  # noqa: ARG001
    (tmp_path / "work" / "000003.parquet").write_bytes(b"damaged")
    run = jobs.command("lgca_plugin", "job", "run", tmp_path, "--workers", 1, "--cpus", 1)
    _, said = run.communicate(timeout=300)
    assert run.returncode == 1
    assert said.splitlines()[-1].startswith(f"Error: part 3 of the job in {tmp_path} can't be done: a file of rows")


# ----------------------------------------------------------------------------------------------------------- Ray


@pytest.fixture(scope="module")
def cluster():
    """A Ray cluster with a head without cores for workers, and its address."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    # The paths of its sockets may have 107 bytes: pytest's own folders are too deep.
    with tempfile.TemporaryDirectory(prefix="r") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", jobs.PYTHONPATH)
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_TMPDIR", folder)
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        patch.setenv("RAY_ADDRESS", made.address)
        yield made
        made.shutdown()


def ray_run(folder: Path) -> "subprocess.Popen[str]":
    return jobs.command("lgca_plugin", "job", "run", folder, "--engine", "ray", "--workers", 2, "--cpus", 1)


@pytest.fixture
def nodes(cluster):
    """Two further raylets with a core each."""
    added = [cluster.add_node(num_cpus=1) for _ in range(2)]
    yield added
    for node in added:
        if node in cluster.list_all_nodes():
            cluster.remove_node(node)


@pytest.mark.parametrize("victim", ["worker", "node", "driver"])
def test_ray__killed_costs_its_parts_and_no_image(victim, cluster, nodes, job, undisturbed, tmp_path):
    run = ray_run(tmp_path)
    jobs.parts_done(tmp_path, 2)
    if victim == "worker":
        os.kill(jobs.worker_at(tmp_path), signal.SIGKILL)
    elif victim == "node":
        cluster.remove_node(nodes[0], allow_graceful=False)
    else:
        run.kill()
        jobs.ended(run)
        run = ray_run(tmp_path)
    assert jobs.ended(run) == 0
    assert_whole(tmp_path, job, undisturbed)


def test_ray__image_that_kills_its_process_becomes_a_failed_sample(nodes, paths, demo_encoder, undisturbed, tmp_path):  # noqa: ARG001
    deadly = [f"deadly://{path}" if row == 9 else path for row, path in enumerate(paths)]
    job = jobs.new_job(tmp_path, deadly, demo_encoder, regions=lgca.RegionConfig(), rows_per_part=6)
    assert jobs.ended(ray_run(tmp_path)) == 0
    found = jobs.results(tmp_path, job)
    assert [id_ for id_, one in found.items() if one.reason] == ["r9"]
    others = {id_: one for id_, one in undisturbed.items() if id_ != "r9"}
    jobs.assert_same_results({id_: found[id_] for id_ in others}, others)
