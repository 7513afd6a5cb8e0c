"""Image vectors of methods that weigh regions by class: stored by a run, missing where an earlier release made it."""

import fiftyone as fo
import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.method.explain.region_findings import RegionAnalysis
from lgca_plugin.runs.stored_run import find_stored_run
from lgca_plugin.store.store import Store
from tests.helpers.runs import add_images, classified
from tests.helpers.worlds.store import forget_vectors_by_class, vectors_of

FIELDS = ("zs_case", "zs_misleading", "zs_stability", "zs_label_quality")


@pytest.fixture
def birds(dataset, images, monkeypatch, tmp_path):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path))
    return add_images(dataset, images[:12])


@pytest.fixture
def classify(demo_encoder):
    def made(samples):
        return classified(
            samples, demo_encoder, methods=None, regions=lgca.RegionConfig(crops=6), ground_truth="ground_truth"
        )

    return made


@pytest.fixture
def passed(monkeypatch):
    """Number of images whose regions a triage has gone through, a number for each batch."""
    counts = []

    def counted(analysis, images, find=RegionAnalysis.find, **labels):
        counts.append(len(images.whole))
        return find(analysis, images, **labels)

    monkeypatch.setattr(RegionAnalysis, "find", counted)
    return counts


def triaged(run):
    run.triage(progress=False)
    return run.dataset.values(list(FIELDS))


def same(found, expected):
    return found[:2] == expected[:2] and all(
        np.allclose(np.array(a, float), np.array(b, float), atol=0.011)
        for a, b in zip(found[2:], expected[2:], strict=True)
    )


def test_triage__of_an_unchanged_default_run_goes_through_no_region(birds, classify, passed):
    run = classify(birds)
    del passed[:]  # those that were found while it encoded
    assert [method.name for method in run.config.methods] == ["clip", "wca", "lgca", "wca_d"]
    expected = triaged(run)
    assert passed == []
    forget_vectors_by_class(run)
    assert same(triaged(run), expected)
    assert passed == [12]
    rescored = run.rescore(progress=False)  # stores what was missing
    assert same(triaged(rescored), expected) and same(triaged(rescored), expected)
    assert passed == [12, 12]


def test_classify__goes_on_with_a_run_whose_entry_has_no_vectors_by_class(birds, classify):
    run = classify(birds.limit(8))
    forget_vectors_by_class(run)
    run = classify(birds)
    report = run.triage(progress=False).report
    assert (run.results["predicted"], report["judged"]) == (12, 12)
    with Store() as store:
        stored = find_stored_run(store, run)
        assert stored is not None
        assert {of.shape for of in vectors_of(store, stored).values()} == {(3, 128)} and len(stored.vector_keys) == 3


def test_copy__of_a_run_without_vectors_by_class_keeps_its_image_vectors(birds, classify):
    run = classify(birds)
    expected = triaged(run)
    forget_vectors_by_class(run)
    clone = birds.clone()
    try:
        copied = lgca.load_run(clone, "zs")
        assert same(triaged(copied), expected)
    finally:
        fo.delete_dataset(clone.name)
