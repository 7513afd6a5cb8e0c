"""Looking at regions in several processes: the same findings, whatever happens to a process."""

import subprocess

import fiftyone as fo
import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.config import RegionPlan
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.method.explain.region_findings import RegionAnalysis
from lgca_plugin.prediction.scoring import run_scoring
from lgca_plugin.runs.stored_texts import changed_texts
from lgca_plugin.store.store import Store
from lgca_plugin.workflows.triage import region_workers
from lgca_plugin.workflows.triage.plan import check_triage
from lgca_plugin.workflows.triage.region_pass import RegionPass, look_at
from lgca_plugin.workflows.triage.region_workers import look_at_all
from lgca_plugin.workflows.triage.samples import read_samples

pytestmark = pytest.mark.usefixtures("module_store")

SMALL = lgca.RegionConfig(crops=14)
COUNT = 24


@pytest.fixture(scope="module")
def run(demo_images, demo_encoder):
    dataset = fo.Dataset()
    dataset.add_samples(
        [fo.Sample(filepath=image.path, ground_truth=fo.Classification(label=image.label)) for image in demo_images]
    )
    yield lgca.classify(
        dataset,
        classes=CLASSES,
        descriptions=DESCRIPTIONS,
        methods=("clip", "wca", "lgca", "lgca_d"),
        encoder=demo_encoder,
        regions=SMALL,
        ground_truth="ground_truth",
        run_key="zs",
        progress=False,
    )
    dataset.delete()


@pytest.fixture
def asked(run, demo_encoder):
    """A store and what is asked of it."""
    samples = read_samples(check_triage(run))
    own = {method.name: method for method in run.config.methods}
    plan = RegionPlan.of(run.config.methods, run.config.regions)
    scoring = run_scoring(run.config.methods, changed_texts(run, run.config.classes, None), demo_encoder, plan)
    finder = RegionAnalysis(scoring=scoring, crops=own["wca"], chains=own["lgca"])
    what = RegionPass(finder=finder, plan=plan, others=(own["lgca_d"],))
    labels = {"crops_label": samples.answers["wca"], "chains_label": samples.answers["lgca"]}
    with Store() as store:
        yield (store, store.run(run.token), what, [*samples.ids[:-1], "0" * 24]), labels


@pytest.fixture
def two_workers(monkeypatch):
    monkeypatch.setattr(region_workers, "SAMPLES_A_WORKER", 5)
    monkeypatch.setattr(region_workers, "_cores", lambda: 2)


def finish(steps):
    """What a generator yields, and what it returns."""
    returned = []

    def run():
        returned.append((yield from steps))

    return list(run()), returned[0]


def assert_same(seen, expected):
    for name in ("there", "case_size", "proven", "stability"):
        np.testing.assert_array_equal(getattr(seen, name), getattr(expected, name))
    assert list(seen.vectors) == list(expected.vectors) == ["lgca_d"]
    np.testing.assert_allclose(seen.vectors["lgca_d"], expected.vectors["lgca_d"], atol=1e-6)


@pytest.mark.usefixtures("two_workers")
def test_workers__find_what_one_process_finds(asked, monkeypatch):
    arguments, labels = asked
    _, expected = finish(look_at(*arguments, **labels))
    started = []
    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **options: started.append(args) or real(*args, **options))
    steps, seen = finish(look_at_all(*arguments, **labels))
    assert len(started) == 2
    assert steps == sorted(steps) and steps[-1] == COUNT
    assert_same(seen, expected)
    assert not expected.there[-1] and np.isnan(expected.stability[-1])  # a sample that the run does not hold
    assert expected.there[:-1].all() and np.isfinite(expected.stability[:-1]).all()


def test_workers__few_samples_are_not_worth_a_process(asked, monkeypatch):
    arguments, labels = asked
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    _, seen = finish(look_at_all(*arguments, **labels))
    assert seen.there.sum() == COUNT - 1


@pytest.mark.parametrize("broken", ["no such program", "fails"])
@pytest.mark.usefixtures("two_workers")
def test_workers__the_share_of_one_that_fails_is_done_here(asked, monkeypatch, caplog, broken):
    arguments, labels = asked
    _, expected = finish(look_at(*arguments, **labels))
    if broken == "fails":
        monkeypatch.setenv("PYTHONHOME", "/nowhere")
    else:
        monkeypatch.setattr(region_workers.sys, "executable", "/no/such/python")
    _, seen = finish(look_at_all(*arguments, **labels))
    assert_same(seen, expected)
    assert sum("has failed" in record.message for record in caplog.records) == 2


@pytest.mark.usefixtures("two_workers")
def test_workers__end_when_nobody_wants_the_result_any_more(asked, monkeypatch):
    arguments, labels = asked
    processes = []
    real = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda *args, **options: processes.append(real(*args, **options)) or processes[-1]
    )
    steps = look_at_all(*arguments, **labels)
    next(steps)
    steps.close()
    assert len(processes) == 2
    assert all(process.poll() is not None for process in processes)


@pytest.mark.usefixtures("two_workers")
def test_triage__says_the_same_from_several_processes(run):
    report = run.triage(progress=False).report
    several = run.dataset.values(["zs_case", "zs_misleading", "zs_stability", "zs_label_quality"])
    region_workers.SAMPLES_A_WORKER = 10**6  # put back with the fixture
    assert run.triage(progress=False).report["cases"] == report["cases"]
    assert run.dataset.values(["zs_case", "zs_misleading", "zs_stability"]) == several[:3]
    np.testing.assert_allclose(run.dataset.values("zs_label_quality"), several[3], atol=1e-6)
