"""Boxes lie in the App where the plugin has found them, whatever the file's format and orientation."""

from __future__ import annotations

import io
import uuid
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
from PIL import Image

from lgca_plugin.images.decoding import open_picture
from tests.helpers import images

PAGE_SIZE = 1600, 2000  # all pictures at once
SUFFIXES = ("jpg", "png", "webp", "avif")
FRAME = "#ff00ff"


def bounds(mask: np.ndarray) -> np.ndarray:
    """First and last column and row where a mask is set, as shares of its size: ``(left, top, right, bottom)``."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height, width = mask.shape
    return np.array([columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height])


def has(pixels: np.ndarray, *, blue: bool) -> np.ndarray:
    """Where pixels are red, or in the frame's color, which may be mixed with the picture's."""
    levels = pixels.astype(int)
    return (levels[..., 0] > 140) & (levels[..., 1] < 100) & ((levels[..., 2] > 100) == blue)


@pytest.fixture
def turned(tmp_path: Path) -> Any:
    """A drawing in all orientations and formats, each with a box around what the plugin sees as its red corner."""
    dataset = fo.Dataset(f"turned-{uuid.uuid4().hex[:8]}", persistent=True)
    for suffix in SUFFIXES:
        for orientation in range(1, 9):
            path = tmp_path / f"{orientation}.{suffix}"
            images.save_turned(path, images.picture(384, 288), orientation)
            left, top, right, bottom = bounds(has(np.asarray(open_picture(path.read_bytes()).image), blue=False))
            box = fo.Detection(label="red", bounding_box=[left, top, right - left, bottom - top])
            sample = fo.Sample(filepath=str(path), boxes=fo.Detections(detections=[box]))
            sample.metadata = fo.ImageMetadata.build_for(str(path))  # as a run writes it
            dataset.add_sample(sample)
    dataset.app_config.color_scheme = fo.ColorScheme(color_pool=[FRAME], color_by="field")
    dataset.save()
    yield dataset
    fo.delete_dataset(dataset.name)


@pytest.mark.thorough
def test_boxes__lie_in_the_app_where_the_plugin_has_found_them(app: Any, turned: Any) -> None:
    app.open_dataset(turned.name)
    lookers = app.page.locator("[data-cy=looker]")
    lookers.nth(len(turned) - 1).wait_for()
    app.picture_of(app.page.locator("body"))
    app.screenshot("orientation_1600_dark")
    for at in range(len(turned)):
        pixels = np.asarray(Image.open(io.BytesIO(lookers.nth(at).screenshot())).convert("RGB"))
        frame = has(pixels, blue=True)
        assert frame.any(), f"picture {at} has no box"
        np.testing.assert_allclose(bounds(frame), bounds(has(pixels, blue=False)), atol=0.03, err_msg=f"picture {at}")
