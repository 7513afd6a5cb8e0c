"""open_clip's models as encoders: images, texts, half precision, preprocessing and vocabulary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lgca_plugin.encoder.open_clip_encoder import OpenClipEncoder
from lgca_plugin.errors import ConfigError
from tests.helpers.checks import assert_one_sentence
from tests.helpers.tiny_clip import pixels, random_model, tokenizer


def encoder_of(**options: Any) -> OpenClipEncoder:
    return OpenClipEncoder(random_model(), **{"tokenizer": tokenizer(), "name": "tiny", "device": "cpu", **options})


@pytest.fixture(scope="module")
def encoder() -> OpenClipEncoder:
    return encoder_of()


def test_embeddings__are_float32_of_unit_length(encoder: OpenClipEncoder, demo_encoder: OpenClipEncoder) -> None:
    of_demo = demo_encoder.encode_images(pixels(3, demo_encoder.image_size))
    assert (demo_encoder.name, of_demo.shape) == ("demo", (3, demo_encoder.dim))
    for vectors in (encoder.encode_images(pixels(4)), encoder.encode_texts(["a cat", "a dog", "a cat"]), of_demo):
        assert isinstance(vectors, np.ndarray)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


def test_texts__repeated_empty_and_longer_than_the_context_are_embedded_and_can_be_changed(
    encoder: OpenClipEncoder,
) -> None:
    vectors = encoder.encode_texts(["a cat", "", "many words " * 200, "a cat"])
    np.testing.assert_array_equal(vectors[0], vectors[3])
    assert np.isfinite(vectors).all()
    assert encoder.encode_texts([]).shape == (0, encoder.dim)
    vectors[0] = 0
    np.testing.assert_array_equal(encoder.encode_texts(["a cat"])[0], vectors[3])


def test_texts__many_at_once_equal_one_by_one(encoder: OpenClipEncoder) -> None:
    texts = [f"a photo of {number} things" for number in range(300)]
    single = np.stack([encoder.encode_texts([text])[0] for text in texts[::50]])
    np.testing.assert_allclose(encoder_of().encode_texts(texts)[::50], single, atol=1e-6)


def test_texts__are_encoded_once() -> None:
    own, tokenized = tokenizer(), []

    def counting(texts: list[str]) -> Any:
        tokenized.extend(texts)
        return own(texts)

    counted = encoder_of(tokenizer=counting)
    tokenized.clear()
    counted.encode_texts(["a cat", "a dog"])
    counted.encode_texts(["a dog", "a bird", "a dog"])
    assert tokenized == ["a cat", "a dog", "a bird"]


def damaged(change: Any) -> Any:
    model = random_model()
    with torch.no_grad():
        change(model)
    return model


def test_texts__whose_vectors_overflow_or_are_zero_are_one_sentence_with_the_remedy() -> None:
    large = encoder_of(precision="bf16")
    large._model.text_projection.data *= torch.inf
    with pytest.raises(ConfigError, match=r"text tower of tiny .* for 1 of 1 texts, such as 'a dog': take .* fp32$"):
        large.encode_texts(["a dog"])
    with pytest.raises(ConfigError, match="such as 'a dog'") as caught:
        large.encode_texts(["a dog"])  # it is not kept as known
    assert_one_sentence(caught.value)

    for factor in (0.0, torch.nan):
        model = damaged(lambda model, factor=factor: model.text_projection.mul_(factor))
        with pytest.raises(ConfigError, match=r"text tower of tiny .*: its weights are damaged, so load others$"):
            OpenClipEncoder(model, tokenizer(), name="tiny", device="cpu")


@pytest.mark.parametrize("scale", [torch.nan, torch.inf, -torch.inf])
def test_logit_scale__that_is_no_number_is_refused(scale: float) -> None:
    model = damaged(lambda model: model.logit_scale.fill_(scale))
    with pytest.raises(ConfigError, match=r"^the weights of tiny are damaged, the factor of its logits is ") as caught:
        OpenClipEncoder(model, tokenizer(), name="tiny", device="cpu")
    assert_one_sentence(caught.value)


def test_images__check_refuses_a_tower_without_vectors_or_of_another_width(encoder: OpenClipEncoder) -> None:
    encoder.check()
    for factor in (0.0, torch.nan, torch.inf):
        own = OpenClipEncoder(
            damaged(lambda model, factor=factor: model.visual.proj.mul_(factor)),
            tokenizer(),
            name="tiny",
            device="cpu",
        )
        assert np.isnan(own.encode_images(pixels(3))).all(), "each image fails, and none gets the first class"
        with pytest.raises(ConfigError, match=r"image tower of tiny .* for images of noise: its weights are damaged"):
            own.check()

    narrow = damaged(lambda model: setattr(model.visual, "proj", torch.nn.Parameter(model.visual.proj[:, :20])))
    with pytest.raises(ConfigError, match=r"shape \[2, 20\] for two images, and its text tower vectors of 24 numbers"):
        OpenClipEncoder(narrow, tokenizer(), name="tiny", device="cpu").check()


def test_bf16__is_close_and_leaves_the_model_given_alone(encoder: OpenClipEncoder) -> None:
    before = encoder.encode_images(pixels(4))
    half = encoder_of(precision="bf16")
    found = half.encode_images(pixels(4))
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(found, before, atol=0.03)
    assert not np.array_equal(found, before)
    np.testing.assert_array_equal(encoder.encode_images(pixels(4)), before)
    np.testing.assert_allclose(half.encode_texts(["a cat"]), encoder.encode_texts(["a cat"]), atol=1e-6)
    assert half.fingerprint == encoder.fingerprint, "the weights are the same; the precision is stored beside them"


def test_resize__follows_the_setting_or_the_precision(encoder: OpenClipEncoder) -> None:
    for options, expected in (
        ({}, "exact"),
        ({"precision": "bf16"}, "fast"),
        ({"resize": "fast"}, "fast"),
        ({"resize": "exact", "precision": "bf16"}, "exact"),
    ):
        chosen = encoder_of(**options)
        assert chosen.resize == expected
        assert chosen.fingerprint == encoder.fingerprint
    with pytest.raises(ConfigError, match="resize must be one of auto, exact, fast, got 'quick'"):
        encoder_of(resize="quick")


def test_cpu__encodes_in_several_threads_and_cuts_crops_in_others(encoder: OpenClipEncoder) -> None:
    assert encoder.concurrent is True
    assert encoder.crops_on_device is False
    assert encoder.fitting_batch(256) == 256


def test_unknown_words__are_those_outside_the_demos_vocabulary(
    demo_encoder: OpenClipEncoder, encoder: OpenClipEncoder
) -> None:
    texts = ["a photo of a submarine.", "Zeppelin, a submarine"]
    assert demo_encoder.unknown_words(texts) == ["submarine", "zeppelin"]
    assert encoder.unknown_words(texts) == [], "other models have no small vocabulary"


def test_unknown_words__none_are_in_the_demos_own_classes_and_prompts(demo_encoder: OpenClipEncoder) -> None:
    from lgca_plugin.demo.classes import CLASSES
    from lgca_plugin.descriptions.class_texts import LABEL_PROMPT

    names = [getattr(entry, "name", entry) for entry in CLASSES]
    assert len(names) == 12
    assert demo_encoder.unknown_words([LABEL_PROMPT.format(name) for name in names]) == []
