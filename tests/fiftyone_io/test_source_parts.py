"""Ids of samples in little memory, and what is left of a run read in parts."""

import sys
from typing import Any

import fiftyone as fo
import pytest
from bson import ObjectId

from lgca_plugin.fiftyone_io import samples as samples_module
from lgca_plugin.fiftyone_io.samples import ImageSamples
from lgca_plugin.images.boxed import BoxedImage
from lgca_plugin.workflows.classify.sample_ids import IDS_AT_ONCE, IMAGES_AT_ONCE, SampleIds, SampleImages


def test_ids__are_those_that_were_added_in_a_sixth_of_the_memory():
    ids = [str(ObjectId()) for _ in range(2 * IDS_AT_ONCE + 1)]
    held = SampleIds(ids[:5])
    held.extend(ids[5:])
    assert list(held) == ids
    assert (held[0], held[-1], held[3:9:2]) == (ids[0], ids[-1], ids[3:9:2])
    assert [len(part) for part in held.parts()] == [IDS_AT_ONCE, IDS_AT_ONCE, 1]
    assert [id_ for part in held.parts() for id_ in part] == ids
    assert 6 * sys.getsizeof(held._packed) < sys.getsizeof(ids) + sum(map(sys.getsizeof, ids))
    assert not SampleIds()
    with pytest.raises(IndexError):
        held[len(ids)]


def test_sample_images__come_back_in_order_files_and_boxes_alike():
    """Names of files that are no UTF-8 have surrogates in Python."""
    images: list[Any] = [(f"{number:024x}", f"/birds/ä\udcff/{number}.png") for number in range(2 * IMAGES_AT_ONCE)]
    images.insert(3, ("b" * 24, BoxedImage("/birds/1.png", (0.1, 1 / 3, 0.2, 0.4), None)))
    images.append(("c" * 24, BoxedImage("/birds/1.png", (0.0, 0.0, 1.0, 1.0), "the box has no area")))
    held = SampleImages(images[:5])
    held.extend(images[5:])
    assert len(held) == len(images) and list(held) == images
    for places in (slice(2, 5), slice(IMAGES_AT_ONCE - 2, IMAGES_AT_ONCE + 2), slice(-3, None)):
        assert held[places] == images[places]
    assert (held[0], held[-1]) == (images[0], images[-1])
    assert not SampleImages()


def test_parts__of_a_view_are_its_samples_in_its_order(monkeypatch):
    dataset = fo.Dataset()
    try:
        dataset.add_samples([fo.Sample(filepath=f"/{number}.jpg", n=-number) for number in range(25)], progress=False)
        monkeypatch.setattr(samples_module, "_MAX_IDS", 7)
        for view in (dataset, dataset.sort_by("n").limit(20), dataset.select_fields("n")):
            target = ImageSamples.of(view)
            parts = list(target.source_parts())
            assert [one for part in parts for one in part] == target.sources()
            assert max(map(len, parts)) == 7
    finally:
        dataset.delete()
