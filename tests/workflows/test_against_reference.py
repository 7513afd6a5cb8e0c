"""The library against the slow reference, from a file's bytes to every number that a user sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lgca_plugin.config import RegionConfig, RegionPlan
from lgca_plugin.descriptions.class_texts import class_texts
from lgca_plugin.encoder.open_clip_encoder import OpenClipEncoder
from lgca_plugin.images.files import content_hash
from lgca_plugin.method.core.methods import METHODS
from lgca_plugin.prediction.displayed_regions import DisplayedRegion
from lgca_plugin.prediction.predictor import MethodPrediction, Predictor
from tests.helpers import images, reference, reference_model
from tests.helpers.engine import ALL, assert_same, encode, plan_of, shrunk

TOLERANCE = 1e-4  # of a score, in float32
CLASSES = ("arctic tern", "redpoll", "oystercatcher", "blue tit", "white stork")  # words that the demo knows


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Towers this small are slower on two threads than on one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass
class Setting:
    """A model, in the library's hands and in the reference's."""

    encoder: OpenClipEncoder
    model: reference_model.ReferenceModel


@pytest.fixture(scope="module")
def demo(demo_encoder: OpenClipEncoder) -> Setting:
    """The demo's checkpoint, and the same loaded by open_clip alone, with open_clip's own preprocessing."""
    import open_clip

    import lgca_plugin

    name = f"local-dir:{Path(lgca_plugin.__file__).parent / 'demo' / 'model'}"
    model, preprocess = open_clip.create_model_from_pretrained(name)
    tokenizer = open_clip.get_tokenizer(name)
    plain = reference_model.ReferenceModel(model.eval(), preprocess, tokenizer)
    return Setting(demo_encoder, plain)


@pytest.fixture(scope="module")
def birds(demo_images: list[Any]) -> list[Path]:
    return [Path(image.path) for image in demo_images]


def seen_by_the_reference(
    data: bytes, model: reference_model.ReferenceModel, plan: RegionPlan
) -> reference.ReferenceImage:
    regions = plan.regions
    return reference_model.encode_regions(
        reference_model.open_upright(data),
        model,
        content=content_hash(data),
        crops=plan.n_crops,
        chains=plan.n_chains,
        scale_min=regions.scale_min,
        scale_max=regions.scale_max,
        steps=plan.steps,
        keep=regions.keep,
        growth=regions.growth,
        seed=regions.seed,
    )


def assert_agrees(sources: list[bytes], setting: Setting, plan: RegionPlan, **options: Any) -> list[Any]:
    """Boxes, and every method's scores, label, confidence and margin; and the regions that are shown."""
    texts = class_texts(CLASSES)
    found = encode(sources, setting.encoder, plan, **options)
    predictor = Predictor(tuple(METHODS.values()), texts, setting.encoder, plan, shown_chains=4)
    predictions = predictor.predict(found)
    for data, encoded, prediction in zip(sources, found, predictions, strict=True):
        seen = seen_by_the_reference(data, setting.model, plan)
        assert encoded.step.tolist() == [region.step for region in seen.regions]
        assert encoded.chain.tolist() == [region.chain for region in seen.regions]
        assert [tuple(box) for box in encoded.boxes.tolist()] == [region.box for region in seen.regions]
        assert encoded.encodes == seen.encodes
        verdicts = {}
        for name in ALL:
            verdicts[name] = reference_model.classify(
                seen,
                setting.model,
                CLASSES,
                [texts.descriptions[one] for one in CLASSES],
                name,
                crops=plan.n_crops,
                chains=plan.n_chains,
            )
            assert_method_agrees(prediction.methods[name], verdicts[name], setting.model.logit_scale, name)
        assert prediction.regions
        assert_regions_agree(prediction.regions, seen, verdicts, setting.model, encoded.image_size_hw)
    return found


def assert_method_agrees(found: MethodPrediction, expected: reference.Verdict, logit_scale: float, name: str) -> None:
    assert found.logits is not None
    expected_logits = logit_scale * np.array(expected.scores)
    np.testing.assert_allclose(found.logits, expected_logits, atol=logit_scale * TOLERANCE, err_msg=name)
    assert found.label == expected.label, name
    assert found.margin == pytest.approx(expected.margin, abs=2 * TOLERANCE)
    # A change of d in two scores moves a probability by at most logit_scale * d / 2.
    assert found.confidence == pytest.approx(max(expected.confidences), abs=logit_scale * TOLERANCE / 2)


def assert_regions_agree(
    regions: list[DisplayedRegion],
    seen: reference.ReferenceImage,
    verdicts: dict[str, reference.Verdict],
    model: reference_model.ReferenceModel,
    size_hw: tuple[int, int],
) -> None:
    """Shown regions are explained under LGCA: its label over WCA's where they differ, else over the runner-up."""
    lgca, wca = verdicts["lgca"], verdicts["wca"]
    texts = class_texts(CLASSES)
    labels = [model.text(f"a photo of a {name}.") for name in CLASSES]
    own = [[model.text(text) for text in texts.descriptions[name]] for name in CLASSES]
    vectors = reference.class_vectors("weighted", labels, own)
    order = sorted(range(len(CLASSES)), key=lambda k: lgca.scores[k])
    rival = order[-2] if wca.label == lgca.label else wca.label
    parts, _ = reference.contributions(seen, vectors, lgca, lgca.label, rival)
    against, _ = reference.contributions(seen, vectors, wca, wca.label, lgca.label)

    frame_h, frame_w = size_hw
    for shown in regions:
        (index,) = [i for i, r in enumerate(seen.regions) if (r.step, r.chain) == (shown.step, shown.chain)]
        left, top, width, height = seen.regions[index].box
        assert shown.box == pytest.approx((left / frame_w, top / frame_h, width / frame_w, height / frame_h))
        assert shown.similarity == pytest.approx(seen.regions[index].salience, abs=10 * TOLERANCE)
        assert shown.weight == pytest.approx(lgca.weights[index], abs=0.01)
        assert shown.contribution == pytest.approx(parts[index], abs=10 * TOLERANCE)
        assert shown.label == lgca.votes[index]
        misleading = shown.step == 0 and wca.label != lgca.label and lgca.votes[index] == wca.label
        assert shown.misleading == (misleading and against[index] > 0)


def test_demo__agrees_at_the_published_settings(birds: list[Path], demo: Setting) -> None:
    """On drawings, among them square ones, whose grown boxes are often one and the same."""
    sizes = []
    for path in birds[:6]:
        with Image.open(path) as opened:
            sizes.append(opened.size)
    assert {width == height for width, height in sizes} == {True, False}
    assert_agrees([path.read_bytes() for path in birds[:6]], demo, plan_of(regions=RegionConfig()))


@pytest.mark.parametrize(("batch_size", "wave_size"), [(1, 1), (7, 2), (1000, 100), (16, None)])
def test_demo__agrees_on_photographs_for_any_batch_and_wave(
    photographs: list[Path], demo: Setting, batch_size: int, wave_size: int | None
) -> None:
    plan = plan_of(regions=RegionConfig(crops=10, lgca_crops=14, keep=0.4, steps=3, seed=5))
    sources = [shrunk(path) for path in photographs[:4]]
    assert_agrees(sources, demo, plan, batch_size=batch_size, wave_size=wave_size)


def test_demo__agrees_where_wca_and_lgca_disagree(birds: list[Path], demo: Setting) -> None:
    """There, regions are explained against WCA's label, and crops may mislead."""
    plan = plan_of(regions=RegionConfig(crops=15, lgca_crops=9, scale_min=0.15, scale_max=0.4))
    predictor = Predictor(tuple(METHODS.values()), class_texts(CLASSES), demo.encoder, plan)
    found = predictor.predict(encode(birds, demo.encoder, plan))
    disagreeing = [i for i, one in enumerate(found) if one.methods["wca"].label != one.methods["lgca"].label]
    assert len(disagreeing) >= 2
    assert any(region.misleading for i in disagreeing for region in found[i].regions)
    assert_agrees([birds[i].read_bytes() for i in disagreeing[:4]], demo, plan)


def test_demo__turned_by_exif_agrees(tmp_path: Path, demo: Setting) -> None:
    """Boxes are in the frame that a viewer shows, and the crops are cut there."""
    images.save_turned(tmp_path / "turned.jpg", images.picture(300, 200), 6)
    data = (tmp_path / "turned.jpg").read_bytes()
    assert encode([data], demo.encoder)[0].image_size_hw == (200, 300)
    assert_agrees([data], demo, plan_of())


@pytest.fixture(scope="module")
def full_size() -> Setting:
    """ViT-B-32 with random weights."""
    import open_clip
    import torch

    torch.manual_seed(0)
    model, _, preprocess = open_clip.create_model_and_transforms("ViT-B-32")
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    encoder = OpenClipEncoder(model, tokenizer, name="random", device="cpu", precision="fp32")
    return Setting(encoder, reference_model.ReferenceModel(model.eval(), preprocess, tokenizer))


@pytest.mark.thorough
def test_vit_b_32__agrees_on_photographs_for_any_batch_and_wave(photographs: list[Path], full_size: Setting) -> None:
    """Against open_clip's own preprocessing of every crop."""
    plan = plan_of(regions=RegionConfig(crops=4, lgca_crops=3, scale_min=0.3))
    chosen = [path for path in photographs if path.name in {"astronaut.png", "coffee.png", "rocket.jpg"}]
    assert len(chosen) == 3
    sources = [path.read_bytes() for path in chosen]
    found = assert_agrees(sources, full_size, plan, batch_size=5, wave_size=1)
    assert_same(encode(sources, full_size.encoder, plan, batch_size=32, wave_size=2), found)
