"""Labelled drawn birds, and ``lgca.find_wrong_labels`` on them with few crops.

FiftyOne may be imported only once the tests' database runs, so the helpers are imported in the fixtures.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import lgca_plugin as lgca

COUNT = 60
FEW = lgca.RegionConfig(crops=14)


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """Drawn birds, of which three have a wrong label."""
    from lgca_plugin.demo.dataset import draw_images

    return draw_images(tmp_path_factory.mktemp("birds"), count=COUNT, seed=3)


@pytest.fixture
def birds(dataset, images, tmp_path):
    """A dataset of copies of the birds, with descriptions saved on it; the files may be changed."""
    from lgca_plugin.config import SAVED_DESCRIPTIONS
    from lgca_plugin.demo.classes import DESCRIPTIONS
    from tests.helpers.runs import add_images

    add_images(dataset, images)
    dataset.delete_sample_field("truth")
    paths = [shutil.copyfile(path, tmp_path / Path(path).name) for path in dataset.values("filepath")]
    dataset.set_values("filepath", [str(path) for path in paths])
    dataset.info[SAVED_DESCRIPTIONS] = DESCRIPTIONS
    dataset.save()
    return dataset


@pytest.fixture
def counting(demo_encoder):
    """The demo's encoder, which counts the images that it encodes."""
    from tests.helpers.engine import Counting

    return Counting(demo_encoder)


@pytest.fixture
def find(counting):
    """lgca.find_wrong_labels with few crops, unless told otherwise."""
    settings = {"encoder": counting, "regions": FEW, "progress": False}
    return lambda samples, **changes: lgca.find_wrong_labels(samples, **{**settings, **changes})
