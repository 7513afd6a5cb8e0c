"""Runs with an encoder of the user's own: what it may return, and that a wrong one leaves nothing behind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import lgca_plugin as lgca
from tests.helpers.runs import add_images

SMALL = lgca.RegionConfig(crops=4, steps=1)


class Mine:
    """The demo's model with the required members alone, its image vectors as ``change`` makes them."""

    def __init__(self, encoder: Any, change: Any) -> None:
        for name in ("image_size", "mean", "std", "logit_scale", "dim"):
            setattr(self, name, getattr(encoder, name))
        self.name = "mine"
        self._encoder, self._change = encoder, change

    def encode_images(self, pixels: Any) -> Any:
        return self._change(self._encoder.encode_images(pixels))

    def encode_texts(self, texts: Any) -> Any:
        return self._encoder.encode_texts(texts)


@pytest.fixture
def birds(dataset: Any, demo_images: Any) -> Any:
    return add_images(dataset, demo_images[:4])


def classify(birds: Any, encoder: Any, key: str = "zs") -> lgca.Run:
    return lgca.classify(birds, ground_truth="truth", encoder=encoder, regions=SMALL, run_key=key, progress=False)


@pytest.mark.parametrize("change", [torch.from_numpy, np.ndarray.tolist, lambda vectors: 3.0 * vectors])
def test_run__with_tensors_lists_or_vectors_of_another_length_is_that_with_unit_vectors(
    birds: Any, demo_encoder: Any, change: Any
) -> None:
    classify(birds, demo_encoder)
    run = classify(birds, Mine(demo_encoder, change), "own")
    assert run.summary()["device"] == "unknown"
    for method in ("clip", "wca", "lgca"):
        assert birds.values(f"own_{method}.label") == birds.values(f"zs_{method}.label")
        expected = birds.values(f"zs_{method}.confidence")
        np.testing.assert_allclose(birds.values(f"own_{method}.confidence"), expected, atol=1e-5)


def test_run__with_one_buffer_for_all_vectors_is_that_with_new_ones(birds: Any, demo_encoder: Any) -> None:
    buffer = np.zeros((4096, demo_encoder.dim), dtype=np.float32)

    def into_buffer(vectors: np.ndarray) -> np.ndarray:
        buffer[: len(vectors)] = vectors
        return buffer[: len(vectors)]

    classify(birds, demo_encoder)
    classify(birds, Mine(demo_encoder, into_buffer), "own")
    assert birds.values("own_lgca.confidence") == pytest.approx(birds.values("zs_lgca.confidence"), abs=1e-5)


def test_run__without_a_vector_for_one_text_is_refused_before_anything_is_written(
    birds: Any, demo_encoder: Any
) -> None:
    class NoRedpoll(Mine):
        def encode_texts(self, texts: Any) -> Any:
            vectors = demo_encoder.encode_texts(texts)
            vectors[["redpoll" in text for text in texts]] = np.nan
            return vectors

    with pytest.raises(lgca.ConfigError, match=r"encode_texts of encoder 'mine' must return .* not finite"):
        classify(birds, NoRedpoll(demo_encoder, lambda vectors: vectors))
    assert lgca.list_runs(birds) == []


@pytest.mark.parametrize(
    "change", [lambda vectors: vectors[:, :-3], lambda vectors: vectors[:-1], lambda vectors: vectors * 0]
)
def test_run__with_wrong_vectors_is_refused_before_anything_is_written(
    birds: Any, demo_encoder: Any, change: Any
) -> None:
    fields = set(birds.get_field_schema())
    with pytest.raises(lgca.ConfigError, match="encode_images of encoder 'mine' must return 2 unit vectors"):
        classify(birds, Mine(demo_encoder, change))
    assert lgca.list_runs(birds) == []
    assert set(birds.get_field_schema()) == fields
