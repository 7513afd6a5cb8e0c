"""``overwrite=True`` with something that turns out unusable leaves the old run as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lgca_plugin as lgca
from tests.helpers.checks import untouched


class Own:
    """An encoder of a user's own, around the demo's model; ``image`` changes what the image tower returns."""

    def __init__(self, encoder, image=lambda vectors: vectors, fingerprint=None):
        self._encoder, self._image = encoder, image
        for name in ("image_size", "mean", "std", "logit_scale", "dim"):
            setattr(self, name, getattr(encoder, name))
        self.name = "own"
        self.fingerprint = fingerprint

    def encode_images(self, pixels):
        return self._image(self._encoder.encode_images(pixels))

    def encode_texts(self, texts):
        return self._encoder.encode_texts(texts)


def out_of_order(_):
    raise RuntimeError("the weights are damaged")


@pytest.fixture(scope="module")
def classified(demo_images, demo_encoder, classify):
    """Three images, classified with an encoder of a user's own."""
    import fiftyone as fo

    from tests.helpers.runs import add_images

    dataset = add_images(fo.Dataset(), demo_images[:3])
    classify(dataset, encoder=Own(demo_encoder, fingerprint="own"), methods=("clip",))
    yield dataset
    dataset.delete()


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"classes": ["tern", "tern"]}, lgca.ConfigError, "given twice"),
        ({"classes": ["tern", "Tern"]}, lgca.ConfigError, "tern"),
        ({"descriptions": "nowhere.json"}, lgca.ConfigError, "can't be read"),
        ({"descriptions": {"penguin": ["black"]}}, lgca.ConfigError, "match none of the classes"),
        ({"encoder": "ViT-B-31"}, lgca.ConfigError, "no model"),
        ({"methods": ("clip", "nonsense")}, lgca.ConfigError, "unknown method"),
    ],
)
def test_overwrite__with_bad_classes_texts_or_model_keeps_the_run(classified, classify, changes, error, words):
    with untouched(classified), pytest.raises(error, match=words):
        classify(classified, overwrite=True, **{"methods": ("clip",), **changes})


@pytest.mark.parametrize(
    ("image", "error", "words"),
    [
        (lambda vectors: vectors * np.nan, lgca.ConfigError, "not finite"),
        (lambda vectors: vectors[:, :-1], lgca.ConfigError, "shape"),
        (out_of_order, RuntimeError, "the weights are damaged"),
    ],
    ids=["nan", "narrow", "raises"],
)
def test_overwrite__with_an_encoder_that_has_become_unusable_keeps_the_run(
    classified, classify, demo_encoder, image, error, words
):
    """The store holds embeddings of its fingerprint, so another run would take it as checked."""
    with untouched(classified), pytest.raises(error, match=words):
        classify(
            classified, overwrite=True, methods=("clip", "wca"), encoder=Own(demo_encoder, image, fingerprint="own")
        )


def test_overwrite__keeps_the_run_where_no_image_can_be_read_now(classified, classify, demo_encoder, tmp_path):
    paths = classified.values("filepath")
    try:
        classified.set_values("filepath", [str(tmp_path / Path(path).name) for path in paths])
        with (
            untouched(classified),
            pytest.raises(lgca.ImageError, match=r"'zs' stays as it is.*first 3 images.*does not exist"),
        ):
            classify(classified, overwrite=True, methods=("wca",), encoder=demo_encoder)
    finally:
        classified.set_values("filepath", paths)


def test_overwrite__replaces_the_run_where_an_image_can_be_read_though_many_before_it_cannot(
    dataset, demo_images, classify, tmp_path
):
    import fiftyone as fo

    from tests.helpers.runs import add_images

    dataset.add_samples([fo.Sample(filepath=str(tmp_path / f"._{at}.jpg")) for at in range(20)], progress=False)
    add_images(dataset, demo_images[:2])
    classify(dataset, methods=("clip",))
    run = classify(dataset, overwrite=True, methods=("clip",), classes=["grey heron", "snowy egret"])
    summary = run.summary()
    assert (summary["predicted"], summary["failed"]) == (2, 20)
