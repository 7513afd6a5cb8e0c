"""Flocks of drawn birds with a box around each, some labels wrong, and a search among their labels."""

from __future__ import annotations

from typing import Any

import pytest

import lgca_plugin as lgca

COUNT = 24
FEW = lgca.RegionConfig(crops=14)


class Find:
    """lgca.find_wrong_labels with few crops; ``counting`` is the encoder of the last search, which counts."""

    def __init__(self, encoder):
        self._encoder = encoder
        self.counting: Any = None

    def __call__(self, samples, **changes):
        from tests.helpers.engine import Counting

        self.counting = Counting(self._encoder)
        settings = {"encoder": self.counting, "regions": FEW, "progress": False}
        return lgca.find_wrong_labels(samples, **{**settings, **changes})


@pytest.fixture(scope="module")
def find(demo_encoder):
    return Find(demo_encoder)


@pytest.fixture
def flock(tmp_path):
    """A dataset of two pictures."""
    from lgca_plugin.demo.flocks import load_flocks_dataset

    dataset = load_flocks_dataset(tmp_path, count=2, seed=3, wrong=0.2)
    yield dataset
    _delete_all(dataset)


@pytest.fixture(scope="module")
def searched(tmp_path_factory, module_store, find):  # noqa: ARG001 (its embeddings are in that store)
    """A dataset of flocks and the triage of its boxes, which tests only read."""
    from lgca_plugin.demo.flocks import load_flocks_dataset

    dataset = load_flocks_dataset(tmp_path_factory.mktemp("flocks"), count=COUNT, seed=5)
    yield dataset, find(dataset.to_patches("ground_truth"))
    _delete_all(dataset)


def _delete_all(dataset):
    import fiftyone as fo

    for name in fo.list_datasets(f"{dataset.name}*"):
        fo.delete_dataset(name)
