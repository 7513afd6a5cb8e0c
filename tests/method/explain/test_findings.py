"""What a triage finds in batches of images equals what the evidence on each image says."""

from dataclasses import replace

import numpy as np
import pytest

from lgca_plugin.method.core.methods import METHODS
from lgca_plugin.method.core.region_scores import RegionScores
from lgca_plugin.method.core.regions import RegionEmbeddings
from lgca_plugin.method.explain.evidence import Evidence
from lgca_plugin.method.explain.method_results import MethodResults
from lgca_plugin.method.explain.region_findings import RegionAnalysis
from tests.helpers.worlds.random_runs import DECISIVE_CHAINS, SHORTER, World

IMAGES = 60


def stacked(world, images):
    """The world's images as a batch."""
    step, chain = (np.broadcast_to(array, (images, len(array))) for array in (world.step, world.chain))
    return RegionEmbeddings(world.regions, world.whole, step, chain, world.pixels / SHORTER, world.pixels)


@pytest.mark.parametrize(
    ("crops", "chains"),
    [
        (METHODS["wca"], METHODS["lgca"]),
        (replace(METHODS["wca"], text_scale=0.5), METHODS["lgca"]),
        (METHODS["wca_global"], METHODS["lgca_d"]),
        (METHODS["wca_d"], DECISIVE_CHAINS),
        (METHODS["crops_mean"], replace(METHODS["lgca"], step_weights=(0.0, 1.0, 2.0), global_weight=0.5)),
    ],
    ids=["published", "other class vectors", "stand-ins", "decisive", "settings"],
)
def test_findings__are_those_of_the_evidence_on_each_image(crops, chains):
    world = World(11, images=IMAGES, classes=5)
    methods = {"wca": replace(crops, name="wca"), "lgca": replace(chains, name="lgca")}
    labels = {name: world.scores(method).argmax(axis=-1) for name, method in methods.items()}
    scoring = world.scoring(methods)
    finder = RegionAnalysis(scoring=scoring, crops=methods["wca"], chains=methods["lgca"])
    batch, own = stacked(world, IMAGES), {"crops_label": labels["wca"], "chains_label": labels["lgca"]}
    found = finder.find(batch, **own)
    for again in (
        finder.find(batch, **own, scores_bytes=7 * 4 * 5 * len(world.step)),  # seven images at a time
        finder.find(batch, **own, region_scores=RegionScores(batch.regions)),
    ):
        for name, values in vars(found).items():
            np.testing.assert_array_equal(getattr(again, name), values)
    boxes = np.zeros((len(world.step), 4))
    one_by_one = [
        Evidence(
            sample_id="x",
            run_key="zs",
            boxes=boxes,
            explained="lgca",
            verdicts=MethodResults.of_all(scoring, world.images(image)),
        )
        for image in range(IMAGES)
    ]
    sizes = [np.nan if one.case is None else one.case.size for one in one_by_one]
    np.testing.assert_array_equal(found.case_size, sizes)
    np.testing.assert_array_equal(found.proven, [one.case is None or one.case.exact for one in one_by_one])
    np.testing.assert_allclose(found.stability, [one.stability["lgca"] for one in one_by_one])
    assert 0 < np.isfinite(found.case_size).sum() < (labels["wca"] != labels["lgca"]).sum() + 1


def test_vectors__are_those_that_the_scores_come_from():
    world = World(12, images=9)
    method = METHODS["lgca_d"]
    scoring = world.scoring({method.name: method})
    finder = RegionAnalysis(scoring=scoring, crops=METHODS["wca"], chains=method)
    vectors = finder.vectors(method, stacked(world, 9))
    np.testing.assert_allclose(vectors @ world.class_vectors(method).T, world.scores(method), atol=1e-6)
