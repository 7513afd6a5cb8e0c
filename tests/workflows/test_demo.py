"""The demo's dataset, and the misleading-crop benchmark's reading of a run on it."""

from pathlib import Path

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from benchmarks.misleading import classified
from lgca_plugin.demo.ambiguous import Swap, draw_pairs
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.demo.dataset import load_demo_dataset
from lgca_plugin.errors import ConfigError


def test_load_demo_dataset__records_labels_and_truth_and_is_found_again(tmp_path):
    name = f"demo-{tmp_path.name}"
    try:
        dataset = load_demo_dataset(name, tmp_path, count=40, seed=3)
        assert dataset.persistent
        assert "on purpose" in dataset.info["description"]
        for sample in dataset:
            assert sample.label_is_wrong == (sample.ground_truth.label != sample.truth.label)
        assert dataset.count_values("label_is_wrong") == {True: 2, False: 38}

        Path(dataset.first().filepath).unlink()
        again = load_demo_dataset(name, tmp_path, count=40, seed=3)
        assert again.values("id") == dataset.values("id")
        assert Path(again.first().filepath).is_file()

        with pytest.raises(ConfigError, match="overwrite=True"):
            load_demo_dataset(name, tmp_path, count=10, seed=3)
        assert len(load_demo_dataset(name, tmp_path, count=10, seed=3, overwrite=True)) == 10
    finally:
        if fo.dataset_exists(name):
            fo.delete_dataset(name)


def test_classified__looks_are_what_the_evidence_says(dataset, tmp_path, demo_encoder):
    images = draw_pairs(tmp_path, count=12, seed=7)[:16]
    dataset.add_samples([fo.Sample(filepath=image.path) for image in images])
    regions = lgca.RegionConfig(crops=20, lgca_crops=8, scale_min=0.1, scale_max=0.3)
    methods = ("clip", "wca", "lgca")
    looks = classified(dataset, images, methods=methods, encoder=demo_encoder, regions=regions)
    assert lgca.list_runs(dataset) == []
    assert all(isinstance(one.swap, Swap) for one in images)
    assert [(found.part, found.truth, found.decoy) for found in looks] == [
        (image.swap.part, image.swap.truth, image.swap.decoy) for image in images
    ]
    for found in looks:
        assert tuple(found.labels) == methods
        assert set(found.labels.values()) <= set(CLASSES)
        if found.flagged:
            assert found.labels["wca"] != found.labels["lgca"]
            assert found.size is not None and 1 <= found.size <= 20
            assert found.coverage is not None and all(0 <= share <= 1 for share in found.coverage)
    assert any(found.flagged for found in looks)
    assert sum(found.right("wca") for found in looks) > 4  # one in twelve by chance
