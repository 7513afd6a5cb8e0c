"""Image vectors of a run as an array, as FiftyOne's similarity index with texts, and as a map for Embeddings."""

import json
import os
import subprocess
import sys

import fiftyone as fo
import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.demo.dataset import draw_images
from tests.helpers.paths import ROOT
from tests.helpers.runs import add_images, classified
from tests.helpers.worlds.store import forget_vectors_by_class

REGIONS = lgca.RegionConfig(crops=10, lgca_crops=6)
METHODS = ("clip", "wca", "lgca", "wca_d")

IN_ANOTHER_PROCESS = """
import json, sys

class NotInstalled:  # the library can be found in the plugin's folder alone
    def find_spec(self, name, path=None, target=None):
        if name == "lgca_plugin":
            raise ModuleNotFoundError(name=name)

sys.meta_path.insert(0, NotInstalled())
import fiftyone as fo

dataset = fo.load_dataset(sys.argv[1])
print(json.dumps(dataset.sort_by_similarity(sys.argv[2], k=5, brain_key="search").values("id")))
"""


@pytest.fixture(scope="module")
def module_run(module_store, tmp_path_factory, demo_encoder):
    assert module_store.is_dir()
    dataset = add_images(fo.Dataset(), draw_images(tmp_path_factory.mktemp("search"), count=96, seed=3))
    dataset.persistent = True
    yield classified(dataset, demo_encoder, regions=REGIONS, methods=METHODS)
    dataset.delete()


@pytest.fixture
def run(module_run):
    yield module_run
    module_run.dataset.delete_brain_runs()


def ranked(run, query, method="lgca"):
    found = run.vectors(method)
    likeness = found.vectors @ query
    order = np.argsort(-likeness, kind="stable")
    return [found.sample_ids[at] for at in order], 1 - likeness[order]


def test_search__by_text_finds_a_right_image_of_every_class_in_the_first_ten(run, demo_encoder):
    run.similarity("search")
    truth = dict(zip(*run.dataset.values(["id", "truth.label"]), strict=True))
    for name in CLASSES:
        found = run.dataset.sort_by_similarity(name, k=10, brain_key="search", dist_field="distance")
        ids, distances = ranked(run, demo_encoder.encode_texts([name])[0])
        assert found.values("id") == ids[:10]
        assert found.values("distance") == pytest.approx(distances[:10].tolist(), abs=1e-5)
        assert name in {truth[id_] for id_ in ids[:10]}
    first = run.dataset.first().id
    assert run.dataset.sort_by_similarity(first, k=3, brain_key="search").first().id == first


@pytest.mark.thorough
def test_search__by_text_works_in_a_process_that_has_nothing_but_the_plugins_folder(run, demo_encoder, tmp_path):
    run.similarity("search", method="wca")
    (tmp_path / "lgca").symlink_to(ROOT)
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS, run.dataset.name, "a blue bird"]
    env = {**os.environ, "FIFTYONE_PLUGINS_DIR": str(tmp_path), "LGCA_STORE_DIR": str(tmp_path / "none")}
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ids, _ = ranked(run, demo_encoder.encode_texts(["a blue bird"])[0], "wca")
    assert json.loads(done.stdout.splitlines()[-1]) == ids[:5]


def test_search__of_an_encoder_of_ones_own_reads_texts_where_it_is_passed(run):
    source = run.results["encoder_source"]
    try:
        run.results["encoder_source"] = None  # as of an encoder that can't be loaded by its name
        first, dataset = run.dataset.first().id, run.dataset
        run.similarity("images")
        assert dataset.sort_by_similarity(first, k=1, brain_key="images").values("id") == [first]
        with pytest.raises(ValueError, match="does not support prompts"):
            dataset.sort_by_similarity("a heron", k=1, brain_key="images")
        run.similarity("images", encoder=lgca.load_encoder("demo"))
        assert len(dataset.sort_by_similarity("a heron", k=4, brain_key="images")) == 4
    finally:
        run.results["encoder_source"] = source


def test_vectors__are_those_of_the_samples_that_are_there(run):
    ids, vectors = run.vectors()
    assert vectors.shape == (96, 128) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    clip = dict(zip(*run.vectors("clip"), strict=True))
    by_class = dict(zip(*run.vectors("wca_d"), strict=True))
    evidence = run.evidence(ids[5])
    image = evidence.verdicts.image
    np.testing.assert_allclose(clip[ids[5]], image.whole, atol=1e-6)
    pooled = evidence.weights["wca_d"] @ image.regions
    np.testing.assert_allclose(by_class[ids[5]], pooled / np.linalg.norm(pooled), atol=1e-5)
    clone = run.dataset.clone()
    clone.delete_samples(ids[:3])
    assert lgca.load_run(clone, "zs").vectors().sample_ids == ids[3:]
    clone.delete()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"method": "wca_d"}, "wca_d depend on the classes of the run.* choose from clip, wca, lgca"),
        ({"method": "resnet"}, "method 'resnet' has no image vectors in run 'zs'; choose from clip, wca, lgca, wca_d"),
        ({"brain_key": "two words"}, "brain_key must be a name of letters, digits and _"),
        ({"brain_key": "taken"}, "brain key 'taken' belongs to something else"),
    ],
)
def test_search__wrong_arguments_are_refused(run, arguments, words):
    import fiftyone.brain as fob

    fob.compute_visualization(run.dataset, points=np.zeros((96, 2)), brain_key="taken")
    with pytest.raises(lgca.ConfigError, match=words):
        run.similarity(**{"brain_key": "search", **arguments})
    assert run.dataset.list_brain_runs() == ["taken"]


def test_map__is_registered_for_the_embeddings_panel_and_replaces_the_runs_own(run):
    run.visualize("map", projection="tsne")
    first = run.visualize("map", projection="pca")
    with pytest.raises(lgca.ConfigError, match="brain key 'map' belongs to something else"):
        run.similarity("map")
    assert run.dataset.list_brain_runs(type="visualization") == ["map"]
    assert first.points.shape == (96, 2)
    assert set(first.sample_ids) == set(run.dataset.values("id"))
    with pytest.raises(lgca.ConfigError, match="projection must be one of umap, tsne, pca"):
        run.visualize("map", projection="lda")


def test_delete__takes_searches_and_maps_with_the_run_and_rescoring_in_place_leaves_them(run):
    clone = run.dataset.clone()
    try:
        copied = lgca.load_run(clone, "zs")
        copied.similarity("search")
        copied.visualize("map", projection="pca")
        rescored = copied.rescore(classes=CLASSES[:6], progress=False)
        assert clone.list_brain_runs() == ["map", "search"]
        assert len(clone.sort_by_similarity("a duck", k=2, brain_key="search")) == 2
        rescored.delete()
        assert clone.list_brain_runs() == []
    finally:
        clone.delete()


def test_index__answers_fiftyones_own_questions_about_duplicates_and_outliers(run):
    import fiftyone.brain as fob

    clone = run.dataset.clone()
    try:
        copied = lgca.load_run(clone, "zs")
        index = copied.similarity("search")
        ids, vectors = copied.vectors()
        centred = vectors - vectors.mean(axis=0)
        centred /= np.linalg.norm(centred, axis=1, keepdims=True)
        nearest = np.sort(1 - centred @ centred.T + 9 * np.eye(len(ids)), axis=1)[:, 0]
        threshold = float(np.sort(nearest)[9] + 1e-4)
        index.find_duplicates(thresh=threshold)
        expected = {ids[row] for row in np.flatnonzero(nearest <= threshold)}
        assert {*index.neighbors_map, *index.duplicate_ids} == expected
        fob.compute_uniqueness(clone, similarity_index="search")
        assert 0 <= min(clone.values("uniqueness")) < max(clone.values("uniqueness")) == 1
    finally:
        clone.delete()


def test_vectors__that_an_earlier_release_has_not_stored_come_with_a_rescoring(run):
    clone = run.dataset.clone()
    try:
        copied = lgca.load_run(clone, "zs")
        assert len(copied.vectors("wca_d").sample_ids) == 96
        forget_vectors_by_class(copied)
        with pytest.raises(lgca.ConfigError, match="image vectors of 'wca_d' of run 'zs' are not stored: rescore"):
            copied.vectors("wca_d")
        assert len(copied.rescore(progress=False).vectors("wca_d").sample_ids) == 96
    finally:
        clone.delete()
