"""``ZeroShotModel``: one method with its classes as a FiftyOne model, for ``dataset.apply_model`` and embeddings."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import fiftyone as fo
import fiftyone.core.models as fom
import numpy as np
from fiftyone.utils.torch import GetItem

from ...config import RegionPlan
from ...descriptions.class_texts import class_texts
from ...engine.embeddings import FailedImage
from ...engine.engine import encode_images
from ...errors import ConfigError, ImageError, shown
from ...prediction.predictor import Predictor
from ...runs.stored_texts import KnownTexts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ...config import RegionConfig
    from ...descriptions.class_names import ClassNames
    from ...encoder.base import Encoder
    from ...engine.embeddings import EncodedImage
    from ...images.files import ImageSource
    from ...method.core.methods import Method
    from ...prediction.predictor import Prediction


class FileOf(GetItem):
    """Hands the path of a sample's file to the model, which reads it itself, within its limits of memory and time."""

    @property
    def required_keys(self) -> list[str]:
        """The fields that are read."""
        return ["filepath"]

    def __call__(self, d: dict[str, Any]) -> str:
        """Returns the path."""
        return str(d["filepath"])


class ZeroShotModel(
    fom.Model,
    fom.SupportsGetItem,
    fom.LogitsMixin,
    fom.EmbeddingsMixin,
    fom.PromptMixin,
):
    """One zero-shot method with its classes, made by :func:`lgca_plugin.load_model`.

    ``dataset.apply_model(model, label_field="lgca")`` writes a Classification to each sample, with its confidence, and
    with ``store_logits=True`` its logits. ``dataset.compute_embeddings(model)`` returns the image vectors that the
    method compares with the classes, and :meth:`embed_prompt` a text's vector in the same space. No run is recorded and
    no embedding is stored: for that, for boxes, evidence and triage, there is :func:`lgca_plugin.classify`.

    Attributes:
        method: the method
        classes: the candidate classes, the order of the logits
        encoder: the encoder
        config: what FiftyOne looks up of a model's settings
    """

    def __init__(
        self,
        method: Method,
        classes: Sequence[str],
        *,
        descriptions: Mapping[str, Sequence[str]] | str | Path | None,
        description_style: str,
        names: ClassNames,
        encoder: Encoder,
        regions: RegionConfig,
        batch_size: int | None,
    ) -> None:
        fom.LogitsMixin.__init__(self)
        self.method = method
        self.classes = tuple(classes)
        self.encoder = encoder
        self.config = SimpleNamespace(classes=list(self.classes))
        self._plan = RegionPlan.of((method,), regions, "full")
        texts = class_texts(self.classes, descriptions, description_style, names=names)
        self._texts = KnownTexts(encoder)
        self._predictor = Predictor((method,), texts, self._texts, self._plan, shown_chains=0)
        self._batch_size = batch_size
        self._preprocess = True
        self._last: NDArray[np.float32] | None = None

    @property
    def media_type(self) -> str:
        """The media that it takes: images."""
        return "image"

    @property
    def has_logits(self) -> bool:
        """True: it has logits, whose softmax gives the confidence."""
        return True

    @property
    def has_embeddings(self) -> bool:
        """True: it has image vectors. Those of the decisive methods depend on the classes."""
        return True

    @property
    def can_embed_prompts(self) -> bool:
        """True: texts have vectors in the space of the images'."""
        return True

    @property
    def has_collate_fn(self) -> bool:
        """True: a batch is a list of files."""
        return True

    @staticmethod
    def collate_fn(batch: list[Any]) -> list[Any]:
        """Returns a batch as it is."""
        return batch

    @property
    def ragged_batches(self) -> bool:
        """False: images of different sizes can be in one batch."""
        return False

    @property
    def transforms(self) -> None:
        """None: images are decoded and cut by the model."""
        return

    @property
    def preprocess(self) -> bool:
        """What FiftyOne has set; it changes nothing, for there are no transforms."""
        return self._preprocess

    @preprocess.setter
    def preprocess(self, value: bool) -> None:
        self._preprocess = value

    def build_get_item(self, field_mapping: dict[str, str] | None = None) -> FileOf:
        """Returns what reads a sample for the model."""
        return FileOf(field_mapping=field_mapping)

    def predict(self, arg: Any) -> fo.Classification:
        """Returns the label of one image.

        Args:
            arg: the path or the bytes of an image file, a PIL image, or uint8 pixels ``[height, width, 3]``

        Raises:
            ImageError: if it can't be used; the message is the reason
        """
        return self.predict_all([arg])[0]

    def predict_all(self, args: Iterable[Any]) -> list[fo.Classification]:
        """Returns the labels of several images, which share the encoder's batches; arguments as of :meth:`predict`."""
        predictions = self._predictor.predict(self._encoded(args))
        made = [one.methods[self.method.name] for one in predictions]
        self._last = _unit_vectors(predictions)
        return [
            fo.Classification(
                label=self.classes[one.label],
                confidence=one.confidence,
                logits=one.logits if self.store_logits else None,
            )
            for one in made
        ]

    def get_embeddings(self) -> NDArray[np.float32]:
        """Returns the ``[b, dim]`` image vectors of the last prediction, unit vectors.

        Raises:
            ConfigError: if nothing was predicted yet
        """
        if self._last is None:
            raise ConfigError("nothing was predicted yet, so there are no embeddings of it")
        return self._last

    def embed(self, arg: Any) -> NDArray[np.float32]:
        """Returns the ``[dim]`` image vector of one image, a unit vector; arguments as of :meth:`predict`."""
        vector: NDArray[np.float32] = self.embed_all([arg])[0]
        return vector

    def embed_all(self, args: Iterable[Any]) -> NDArray[np.float32]:
        """Returns the ``[b, dim]`` image vectors of several images, unit vectors; arguments as of :meth:`predict`."""
        return _unit_vectors(self._predictor.predict(self._encoded(args)))

    def embed_prompt(self, arg: str) -> NDArray[np.float32]:
        """Returns the ``[dim]`` unit vector of a text."""
        vector: NDArray[np.float32] = self.embed_prompts([arg])[0]
        return vector

    def embed_prompts(self, args: Iterable[str]) -> NDArray[np.float32]:
        """Returns the ``[m, dim]`` unit vectors of texts."""
        return self._texts.encode_texts(list(args))

    def _encoded(self, args: Iterable[Any]) -> list[EncodedImage[int]]:
        sources = [(at, as_source(arg)) for at, arg in enumerate(args)]
        images = []
        encoder, plan, batch_size = self.encoder, self._plan, self._batch_size
        for one in encode_images(sources, encoder=encoder, plan=plan, batch_size=batch_size, fill_up=False):
            if isinstance(one, FailedImage):
                source = sources[one.id][1]
                raise ImageError(f"an image in memory: {one.reason}" if isinstance(source, bytes) else one.reason)
            images.append(one)
        return images


def _unit_vectors(predictions: Sequence[Prediction]) -> NDArray[np.float32]:
    found = np.stack([one.vectors[-1] for one in predictions])  # the whole image's, then the method's if it has its own
    unit: NDArray[np.float32] = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


def as_source(arg: Any) -> ImageSource:
    """Returns what FiftyOne hands to a model as a path or the bytes of an image file.

    Raises:
        ConfigError: if it is no image
    """
    from PIL import Image

    if isinstance(arg, (str, bytes)) or hasattr(arg, "__fspath__"):
        return arg  # type: ignore[no-any-return]
    if not isinstance(arg, Image.Image):
        pixels = np.asarray(arg)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ConfigError(
                "an image must be a path, the bytes of a file, a PIL image or uint8 pixels [height, width, 3]; got "
                f"{shown(type(arg).__name__)} {pixels.dtype} {list(pixels.shape)}"
            )
        arg = Image.fromarray(pixels)
    buffer = io.BytesIO()
    arg.convert("RGB").save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
