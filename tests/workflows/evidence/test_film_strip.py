"""A sample's film strip: its pictures are cut from its file, its numbers come from the store; both are cached."""

import base64
import io
import os
from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest
from PIL import Image, ImageOps

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.errors import ConfigError, ImageError
from lgca_plugin.images.files import content_hash
from lgca_plugin.workflows.evidence.film_strip import PICTURES, SIDE, WHOLE_SIDE, pictures_of
from lgca_plugin.workflows.evidence.sample_record import EVIDENCE, cached_evidence, read_sample_record
from tests.helpers import images
from tests.helpers.runs import add_images, classified

BOXES = {0: (0.1, 0.2, 0.3, 0.45), 3: (0.5, 0.5, 0.5, 0.5), 7: (0.0, 0.0, 0.5, 0.75)}


@pytest.fixture(autouse=True)
def empty_caches():
    PICTURES.clear()
    EVIDENCE.clear()


def opened(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")


def difference(one, other):
    assert one.size == other.size
    return np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean()


def expected(path, box, side):
    """Turned, cut at whole pixels, scaled: as in an image editor."""
    upright = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    left, top = round(box[0] * upright.width), round(box[1] * upright.height)
    part = upright.crop((left, top, left + round(box[2] * upright.width), top + round(box[3] * upright.height)))
    scale = side / max(part.size)
    return part.resize([round(length * scale) for length in part.size], Image.Resampling.LANCZOS)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures__are_what_the_boxes_hold_however_the_file_lies(tmp_path, orientation):
    path = tmp_path / "turned.jpg"
    images.save_turned(path, images.picture(1600, 1200), orientation)
    found = pictures_of(str(path), BOXES)
    assert list(found.regions) == list(BOXES)
    for region, box in BOXES.items():
        assert difference(opened(found.regions[region]), expected(path, box, SIDE)) < 4
    assert difference(opened(found.whole), expected(path, (0, 0, 1, 1), WHOLE_SIDE)) < 4
    height, width = found.size_hw
    assert width / height == pytest.approx(1600 / 1200)
    assert found.content_hash == content_hash(path.read_bytes())


def test_pictures__are_kept_for_as_long_as_the_file_is_the_same(tmp_path):
    path = tmp_path / "bird.bmp"  # whose size tells nothing
    images.picture().save(path)
    first = pictures_of(str(path), BOXES)
    assert pictures_of(str(path), BOXES) is first
    assert pictures_of(str(path), {0: BOXES[0]}) is not first
    Image.new("RGB", (96, 72), (10, 200, 30)).save(path)
    os.utime(path, ns=(1, 1))
    again = pictures_of(str(path), BOXES)
    assert again.content_hash != first.content_hash and again.regions != first.regions


@pytest.mark.parametrize("name", sorted(images.UNREADABLE))
def test_pictures__of_no_image_there_are_none(tmp_path, name):
    with pytest.raises(ImageError):
        pictures_of(str(images.write(tmp_path, name)), BOXES)
    assert len(PICTURES) == 0


@pytest.fixture
def run(dataset, demo_images, demo_encoder):
    add_images(dataset, demo_images[:3]).add_sample(fo.Sample(filepath="/nowhere/missing.png"))
    regions = lgca.RegionConfig(crops=8, lgca_crops=6, scale_min=0.1, scale_max=0.3)
    return classified(dataset, demo_encoder, regions=regions)


def test_film_strip__of_a_run_shows_the_samples_own_pixels_and_numbers(run):
    sample = run.dataset.first()
    seen = run.evidence(sample.id)
    figure = run.film_strip(sample.id, CLASSES[1], CLASSES[4], method="wca", chains=3, without=[1], theme="dark")
    (points,) = figure.data
    left = seen.without([1])
    ids = [int(region) for region in points.ids]
    assert [row[3] for row in points.customdata] == pytest.approx(
        left.contributions("wca", CLASSES[1], CLASSES[4])[ids].tolist()
    )
    pictures = [image.source for image in figure.layout.images]
    for region, uri in zip(ids[:2], pictures[:2], strict=True):
        assert difference(opened(uri), expected(sample.filepath, seen.boxes[region], SIDE)) < 8
    assert run.film_strip(sample.id).to_dict()["data"]


def test_film_strip__without_a_file_or_a_result_says_so(run, tmp_path):
    sample = run.dataset.first()
    sample.filepath = str(tmp_path / "gone.png")
    sample.save()
    with pytest.raises(ConfigError, match=r"no pictures .* the file does not exist"):
        run.film_strip(sample.id)
    with pytest.raises(ConfigError, match="has no result in run 'zs'"):
        run.film_strip(run.dataset.last().id)
    with pytest.raises(ConfigError, match="no method 'vit'"):
        run.film_strip(run.dataset.skip(1).first().id, method="vit")


def test_sample_record__is_what_is_on_the_sample(run):
    sample = run.dataset.first()
    found = read_sample_record(run, sample.id)
    assert {name: one.label for name, one in found.predictions.items()} == {
        name: sample[f"zs_{name}"].label for name in ("clip", "wca", "lgca")
    }
    assert found.predictions["wca"].margin == sample.zs_wca.margin and found.predictions["wca"].calibrated is None
    assert len(found.boxes) == len(sample.zs_regions.detections)
    assert (found.error, found.given, found.decision, found.media_type) == (None, None, None, "image")
    failed = read_sample_record(run, run.dataset.last().id)
    assert failed.error == "the file does not exist" and not failed.predictions and not failed.boxes
    for wrong in ("6b02a7ee12685269568657fe", "no id", None):
        with pytest.raises(ConfigError, match="is no sample"):
            read_sample_record(run, wrong)  # type: ignore[arg-type]  # as the App may send it


def test_cached_evidence__is_read_again_when_the_sample_has_changed(run):
    sample = run.dataset.first()
    first = cached_evidence(run, read_sample_record(run, sample.id))
    assert cached_evidence(lgca.load_run(run.dataset, "zs"), read_sample_record(run, sample.id)) is first
    assert first.content_hash == content_hash(Path(sample.filepath).read_bytes())
    sample["note"] = "touched"
    sample.save()
    assert cached_evidence(run, read_sample_record(run, sample.id)) is not first
