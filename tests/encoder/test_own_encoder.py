"""Encoders of the user's own: any object with the members, whatever arrays it returns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import lgca_plugin as lgca
from lgca_plugin.encoder.base import encoder_fingerprint
from lgca_plugin.encoder.own_encoder import as_encoder
from lgca_plugin.errors import ConfigError
from tests.helpers.checks import assert_one_sentence

DIM = 6


def directions(n: int) -> np.ndarray:
    vectors = np.random.default_rng(n).normal(size=(n, DIM))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


class Mine:
    """An encoder with the required members alone, which returns vectors as ``change`` makes them."""

    name = "mine"
    image_size = 32
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)
    logit_scale = 100.0
    dim = DIM

    def __init__(self, change: Any = lambda vectors: vectors, **members: Any) -> None:
        self._change = change
        self.__dict__.update(members)

    def encode_images(self, pixels: Any) -> Any:
        return self._change(directions(len(pixels)))

    def encode_texts(self, texts: Any) -> Any:
        return self._change(directions(len(texts)))


class Derived(Mine, lgca.Encoder):
    """The same, derived from the public class."""


SAME = {
    "array": lambda vectors: vectors,
    "double": lambda vectors: vectors.astype(np.float64),
    "list": lambda vectors: vectors.tolist(),
    "tensor": torch.from_numpy,
    "tensor with gradient": lambda vectors: torch.from_numpy(vectors).requires_grad_(),
    "list of tensors": lambda vectors: list(torch.from_numpy(vectors)),
    "longer": lambda vectors: 7 * vectors,
    "huge": lambda vectors: vectors * np.float32(1e30),
    "tiny": lambda vectors: vectors * np.float32(1e-30),
}


@pytest.mark.parametrize("kind", [Mine, Derived])
@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_vectors__become_float32_arrays_of_unit_length(change: Any, kind: Any) -> None:
    encoder = as_encoder(kind(change))
    encoder.check()
    for found in (encoder.encode_images(torch.zeros(4, 3, 32, 32)), encoder.encode_texts(["a", "b", "c", "d"])):
        assert isinstance(found, np.ndarray)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, directions(4), atol=1e-6)


def test_vectors__of_unit_length_are_left_as_they_are_and_half_precision_is_converted() -> None:
    vectors = as_encoder(Mine()).encode_images(torch.zeros(9, 3, 32, 32))
    np.testing.assert_array_equal(vectors, directions(9))
    found = as_encoder(Mine(lambda vectors: torch.from_numpy(vectors).bfloat16())).encode_texts(["a", "b"])
    np.testing.assert_allclose(found, directions(2), atol=0.01)


WRONG = {
    "short": (lambda vectors: vectors[:, :-3], "[2, 3]"),
    "few": (lambda vectors: vectors[:-1], "[1, 6]"),
    "flat": (lambda vectors: vectors.ravel(), "[12]"),
    "ragged": (lambda _: [[1.0], [1.0, 2.0]], "list"),
    "nothing": (lambda _: None, "[]"),
    "texts": (lambda _: [["a"] * DIM] * 2, "list"),
    "zeros": (lambda vectors: vectors * 0, "2 vectors of length 0"),
    "not numbers": (lambda vectors: vectors * np.nan, "not finite"),
    "one infinite": (lambda vectors: np.where(np.arange(2)[:, None] == 1, np.inf, vectors), "1 vectors"),
}


@pytest.mark.parametrize(("change", "received"), WRONG.values(), ids=WRONG)
def test_vectors__that_are_wrong_are_one_sentence_with_the_encoder_and_what_was_received(
    change: Any, received: str
) -> None:
    encoder = as_encoder(Mine(change))
    for method, call in (("encode_images", encoder.check), ("encode_texts", lambda: encoder.encode_texts(["a", "b"]))):
        with pytest.raises(ConfigError) as caught:
            call()
        assert_one_sentence(caught.value)
        message = str(caught.value)
        assert all(word in message for word in (method, "'mine'", f"2 unit vectors of {DIM} numbers", received))


def test_images__without_a_direction_fail_alone() -> None:
    """As half precision can fail for one image; the engine reports images whose embedding is no number."""

    def change(vectors: np.ndarray) -> np.ndarray:
        vectors[1], vectors[2, 3] = 0, np.inf
        return vectors

    found = as_encoder(Mine(change)).encode_images(torch.zeros(4, 3, 32, 32))
    assert np.isfinite(found).all(axis=1).tolist() == [True, False, False, True]


def test_members__optional_ones_are_taken_over_or_have_defaults() -> None:
    plain = as_encoder(Mine())
    assert (plain.interpolation, plain.resize_mode, plain.fill_color) == ("bicubic", "shortest", 0)
    assert (plain.resize, plain.precision, plain.device) == ("exact", "fp32", None)
    assert (plain.concurrent, plain.crops_on_device, plain.source) == (False, False, None)
    assert (plain.fingerprint, plain.fitting_batch(8), plain.unknown_words(["x"]), plain.warnings) == (None, 8, [], ())

    members = {"interpolation": "bilinear", "concurrent": True, "fingerprint": "v1", "device": "cpu", "resize": "fast"}
    methods = {"fitting_batch": lambda most: most // 2, "unknown_words": list}
    own = as_encoder(Mine(**members, **methods))
    assert {name: getattr(own, name) for name in members} == members
    assert (own.fitting_batch(8), own.unknown_words(["x"])) == (4, ["x"])
    assert not own.preprocessing.exact
    assert encoder_fingerprint(own) == "v1"
    assert encoder_fingerprint(plain).startswith("mine/6/Preprocessing(size=32, mean=(0.5, 0.5, 0.5)")


WRONG_MEMBERS: dict[str, list[Any]] = {
    "logit_scale": [float("nan"), float("inf"), 0.0, -1.0, "100", None, torch.tensor([1.0, 2.0])],
    "dim": [0, -1, 1.5, "6", True],
    "image_size": [0, (32, 32), 32.0],
    "mean": [0.5, (0.5, 0.5), (0.5, 0.5, float("nan"))],
    "std": [(0.5, 0.0, 0.5), (0.5, -0.5, 0.5), None],
    "name": ["", None],
    "interpolation": ["lanczos"],
    "resize_mode": ["crop"],
    "resize": ["quick"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, some in WRONG_MEMBERS.items() for value in some])
def test_members__that_are_wrong_are_named_with_what_they_must_be(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^{name} of encoder .* must be ") as caught:
        as_encoder(Mine(**{name: value}))
    assert_one_sentence(caught.value)


@pytest.mark.parametrize(
    "scale", [100, np.float32(100.0), torch.tensor(100.0), torch.nn.Parameter(torch.tensor(100.0))]
)
def test_members__logit_scale_becomes_a_float(scale: Any) -> None:
    found = as_encoder(Mine(logit_scale=scale)).logit_scale
    assert (type(found), found) == (float, 100.0)


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy, lambda vectors: torch.from_numpy(vectors).double()])
def test_vectors__in_a_buffer_that_the_encoder_uses_again_stay_as_they_were(kind: Any) -> None:
    buffer = np.zeros((2, DIM), dtype=np.float32)
    made = iter([directions(4)[:2], directions(4)[2:]])

    def into_buffer(_: np.ndarray) -> Any:
        buffer[:] = next(made)
        return kind(buffer)

    encoder = as_encoder(Mine(into_buffer))
    first = encoder.encode_images(torch.zeros(2, 3, 32, 32))
    second = encoder.encode_texts(["a", "b"])
    np.testing.assert_array_equal(np.concatenate([first, second]), directions(4))


def test_members__that_are_missing_are_named() -> None:
    class Lacking:
        name, image_size, mean = "mine", 32, (0.5,) * 3

        def encode_texts(self, texts: Any) -> Any: ...

    with pytest.raises(ConfigError, match=r"Lacking lacks std, logit_scale, dim, encode_images$"):
        as_encoder(Lacking())

    class Inheriting(lgca.Encoder):
        name, image_size, mean, std, logit_scale = "mine", 32, (0.5,) * 3, (0.5,) * 3, 100.0

        def encode_texts(self, texts: Any) -> Any: ...

    with pytest.raises(ConfigError, match=r"Inheriting lacks dim, encode_images$"):
        as_encoder(Inheriting())


def test_encoders__of_this_package_and_adapted_ones_are_returned_as_they_are(demo_encoder: Any) -> None:
    assert as_encoder(demo_encoder) is demo_encoder
    own = as_encoder(Mine())
    assert as_encoder(own) is own
