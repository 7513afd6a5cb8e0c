"""What a run finds in its regions for a triage to come: kept beside them, used where it answers, and never stale."""

import sqlite3
from contextlib import closing
from math import nan

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.dataset import draw_images
from lgca_plugin.method.explain.region_findings import RegionAnalysis, SampleFindings
from lgca_plugin.runs.stored_run import stored_run
from lgca_plugin.store.file import FILE_NAME
from lgca_plugin.store.store import Store
from tests.helpers.runs import add_images, classified
from tests.helpers.worlds.store import forget_findings, open_run, stored_sample

COUNT = 20
SMALL_CROPS = lgca.RegionConfig(crops=12, scale_min=0.2, scale_max=0.5)  # which mislead now and then
FIELDS = ("zs_case", "zs_misleading", "zs_stability", "zs_label_quality")
QUESTION = "wca and lgca, 200 draws, version 1"


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return draw_images(tmp_path_factory.mktemp("birds"), count=COUNT, seed=5)


@pytest.fixture
def make(images, demo_encoder, monkeypatch, tmp_path):
    """Classifies the images, with a store of their own."""
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path))
    dataset = add_images(fo.Dataset(), images)

    def made(**options):
        settings = {"regions": SMALL_CROPS, "ground_truth": "ground_truth", "overwrite": True, **options}
        return classified(dataset, demo_encoder, **settings)

    yield made
    dataset.delete()


@pytest.fixture
def analyzed():
    """Filled by ``triaged``: of each triage, the number of samples whose regions it has analysed."""
    return []


def triaged(run, analyzed=None, **options):
    """Triages a run and returns what is on the samples."""
    counts = []

    def counted(analysis, images, find=RegionAnalysis.find, **labels):
        counts.append(len(images.whole))
        return find(analysis, images, **labels)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RegionAnalysis, "find", counted)
        run.triage(progress=False, **options)
    if analyzed is not None:
        analyzed.append(sum(counts))
    return {id_: values for id_, *values in zip(*run.dataset.values(["id", *FIELDS]), strict=True)}


def same(found, expected):
    """Tells whether two triages say the same, up to rounding, of which two of 200 draws may be."""
    return found.keys() == expected.keys() and all(
        found[id_][:2] == expected[id_][:2] and found[id_][2:] == pytest.approx(expected[id_][2:], abs=0.011)
        for id_ in found
    )


def findings(run):
    with Store() as store:
        return store.findings(stored_run(store, run), QUESTION)


def test_classify__finds_what_a_triage_finds_in_the_regions(make, analyzed):
    run = make()
    ahead = triaged(run, analyzed)
    forget_findings()
    assert same(triaged(run, analyzed), ahead)
    assert analyzed == [0, COUNT]
    assert any(size is not None for _, size, *_ in ahead.values())


def test_triage__keeps_what_it_has_looked_for(make, analyzed):
    run = make()
    forget_findings()
    first = triaged(run, analyzed)
    assert triaged(run, analyzed) == first
    assert analyzed == [COUNT, 0]


def test_triage__of_a_run_that_kept_no_regions_still_says_what_they_said(make, analyzed):
    run = make(store_regions=False)
    without = triaged(run, analyzed)
    assert not any("embeddings" in warning for warning in run.results["triage"]["warnings"])
    with_regions = make()
    forget_findings()
    assert same(dict(enumerate(triaged(with_regions, analyzed).values())), dict(enumerate(without.values())))
    assert analyzed == [0, COUNT]


def test_triage__does_not_use_what_was_found_for_other_labels(make, analyzed):
    run = make()
    expected = triaged(run, analyzed)
    other = SampleFindings(crops_label=-1, chains_label=-1, case_size=nan, proven=True, stability=0.123)
    with Store() as store:
        store.write_findings(stored_run(store, run), QUESTION, dict.fromkeys(run.dataset.values("id"), other))
    assert same(triaged(run, analyzed), expected)
    assert analyzed == [0, COUNT]
    assert all(finding.crops_label >= 0 for finding in findings(run).values())


def test_triage__does_not_use_what_was_found_of_other_methods(make, analyzed):
    run = make(methods=("clip", "wca", "lgca", "crops_mean"))
    given = {"methods": ("clip", "crops_mean", "lgca")}
    expected = triaged(run, analyzed, **given)
    assert analyzed == [COUNT]
    forget_findings()
    assert same(triaged(run, **given), expected)


def test_classify__leaves_it_to_the_triage_where_nothing_was_encoded(make):
    make()
    second = make(run_key="again")
    assert second.results["encodes"] == 0
    assert not findings(second)


def test_classify__without_the_three_methods_keeps_nothing_and_fails_nowhere(make):
    run = make(methods=("clip", "wca"))
    assert not findings(run)


def test_store__of_an_earlier_release_gets_the_table(make, analyzed, tmp_path):
    run = make()
    expected = triaged(run, analyzed)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as rows, rows:
        rows.executescript("DROP TABLE findings; DROP TABLE migrations; ALTER TABLE runs DROP COLUMN checksum")
    assert same(triaged(run, analyzed), expected)
    triaged(run, analyzed)
    assert analyzed == [0, COUNT, 0]


def test_delete__takes_the_findings_with_the_run(make, tmp_path):
    run, other = make(), make(run_key="other", regions=lgca.RegionConfig(crops=13))
    assert len(findings(run)) == len(findings(other)) == COUNT
    run.delete()
    assert len(findings(other)) == COUNT
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as rows:
        assert rows.execute("SELECT count(*) FROM findings").fetchone() == (COUNT,)


def test_finding__that_is_damaged_is_looked_for_again(make, analyzed, tmp_path):
    run = make()
    expected = triaged(run, analyzed)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as rows, rows:
        rows.execute("UPDATE findings SET found = zeroblob(40) WHERE sample = (SELECT min(sample) FROM findings)")
    assert same(triaged(run, analyzed), expected)
    assert analyzed == [0, 1]


def test_store__a_sample_that_is_kept_again_has_no_finding_of_before(tmp_path):
    with Store(tmp_path) as store:
        run = open_run(store, "a")
        found = SampleFindings(crops_label=1, chains_label=2, case_size=3.0, proven=False, stability=0.5)
        store.write_samples(run, [stored_sample(run, "one")])
        store.write_findings(run, "q", {"one": found, "another run's": found})
        assert store.findings(run, "q") == {"one": found}
        assert store.findings(run, "another question") == {}
        store.write_samples(run, [stored_sample(run, "one")])
        assert store.findings(run, "q") == {}
