"""What a triage finds in batches of images equals what the evidence on each image says."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lgca_plugin.method.core.scores import METHODS
from lgca_plugin.method.explain.evidence import Evidence
from lgca_plugin.method.explain.findings import Finder
from lgca_plugin.method.explain.verdicts import Question, Verdicts
from tests.helpers.worlds.random_runs import N_CHAINS, N_CROPS, World

IMAGES = 60


def stacked(world, images):
    """The world's images as a batch."""
    step, chain = (np.broadcast_to(array, (images, len(array))) for array in (world.step, world.chain))
    return SimpleNamespace(
        whole=world.whole,
        step=step,
        chain=chain,
        similarity=np.einsum("bnd,bd->bn", world.regions, world.whole),
        embeddings=lambda images, regions: np.stack([world.regions[image][regions] for image in images]),
    )


def evidence(world, methods, vectors, image):
    """The evidence on one image; a method that stands in for WCA or LGCA takes its name."""
    question = Question(
        methods=methods,
        classes=tuple("abcdef"[: len(world.labels)]),
        class_vectors=vectors,
        logit_scale=world.logit_scale,
        n_crops=N_CROPS,
        n_chains=N_CHAINS,
    )
    return Evidence(
        sample_id="x",
        run_key="zs",
        boxes=np.zeros((len(world.step), 4)),
        explained="lgca",
        verdicts=Verdicts.of_all(question, world.regions[image], world.whole[image], world.step, world.chain),
    )


@pytest.mark.parametrize(
    ("crops", "chains"),
    [
        (METHODS["wca"], METHODS["lgca"]),
        (replace(METHODS["wca"], text_scale=0.5), METHODS["lgca"]),
        (METHODS["wca_global"], METHODS["lgca_d"]),
        (METHODS["crops_mean"], replace(METHODS["lgca"], step_weights=(0.0, 1.0, 2.0), global_weight=0.5)),
    ],
    ids=["published", "other class vectors", "stand-ins", "settings"],
)
def test_findings__are_those_of_the_evidence_on_each_image(crops, chains):
    world = World(11, images=IMAGES, classes=5)
    methods = {"wca": replace(crops, name="wca"), "lgca": replace(chains, name="lgca")}
    vectors = {name: world.class_vectors(method) for name, method in methods.items()}
    labels = {name: world.scores(method).argmax(axis=-1) for name, method in methods.items()}
    finder = Finder(
        crops=methods["wca"],
        chains=methods["lgca"],
        class_vectors=vectors,
        logit_scale=world.logit_scale,
        n_crops=N_CROPS,
        n_chains=N_CHAINS,
    )
    found = finder.find(stacked(world, IMAGES), crops_label=labels["wca"], chains_label=labels["lgca"])
    one_by_one = [evidence(world, methods, vectors, image) for image in range(IMAGES)]
    sizes = [np.nan if one.case is None else one.case.size for one in one_by_one]
    np.testing.assert_array_equal(found.case_size, sizes)
    np.testing.assert_array_equal(found.proven, [one.case is None or one.case.exact for one in one_by_one])
    np.testing.assert_allclose(found.stability, [one.stability["lgca"] for one in one_by_one])
    assert 0 < np.isfinite(found.case_size).sum() < (labels["wca"] != labels["lgca"]).sum() + 1


def test_vectors__are_those_that_the_scores_come_from():
    world = World(12, images=9)
    method = METHODS["lgca_d"]
    finder = Finder(
        crops=METHODS["wca"],
        chains=method,
        class_vectors={method.name: world.class_vectors(method)},
        logit_scale=world.logit_scale,
        n_crops=N_CROPS,
        n_chains=N_CHAINS,
    )
    vectors = finder.vectors(method, stacked(world, 9))
    np.testing.assert_allclose(vectors @ world.class_vectors(method).T, world.scores(method), atol=1e-6)
