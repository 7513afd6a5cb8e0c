"""The weights of a fusion: one model for new images, and one for each fold of those that it was trained on.

What was learnt from labels and what was learnt from captions are models of their own.
"""

from __future__ import annotations

import hashlib
import json
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from ..errors import ConfigError
from .settings import FusionSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import nn

    from .caption_graph import CaptionGraph
    from .graph import Graph

FORMAT = "1"
FINAL = "final"
LABELS = "labels"
CAPTIONS = "captions"
BIAS = "bias"
SCALES = "scales"

Own = TypeVar("Own", bound="ModelWeights[Any]")
Model = TypeVar("Model", bound="nn.Module")


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelWeights(ABC, Generic[Model]):
    """The weights of one model.

    Attributes:
        dims: dimension of each encoder's vectors
        settings: of the fusion
        arrays: name to float32 array, all of them
    """

    dims: tuple[int, ...]
    settings: FusionSettings
    arrays: Mapping[str, NDArray[np.float32]]

    @abstractmethod
    def make_graph(self) -> Model:
        """Returns a model that has learnt nothing."""

    def holding(self: Own, graph: nn.Module) -> Own:
        """Returns a copy of a model's weights."""
        arrays = {name: np.array(value.detach().cpu().numpy()) for name, value in graph.state_dict().items()}
        return replace(self, arrays=arrays)

    @cached_property
    def graph(self) -> Model:
        """The model, not in training."""
        import torch

        graph = self.make_graph()
        graph.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in self.arrays.items()})
        return graph.eval()

    @property
    def factors(self) -> NDArray[np.float64]:
        """``[M]`` how much each encoder's logits count, 1 if nothing was learnt; nan where nothing is anchored."""
        if SCALES not in self.arrays:
            return np.full(len(self.dims), np.nan)
        return np.log1p(np.exp(self.arrays[SCALES].astype(np.float64)))


@dataclass(frozen=True, kw_only=True, eq=False)
class FusionWeights(ModelWeights["Graph"]):
    """The weights of one model that answers with classes.

    Attributes:
        classes: number of classes
    """

    classes: int

    @classmethod
    def untrained(cls, dims: Sequence[int], classes: int, settings: FusionSettings | None = None) -> FusionWeights:
        """Returns weights that have learnt nothing: of an anchored model, the sum of the encoders' decisive logits."""
        empty = cls(dims=tuple(dims), classes=classes, settings=settings or FusionSettings(), arrays={})
        return empty.holding(empty.make_graph())

    def make_graph(self) -> Graph:
        """Returns a model that has learnt nothing."""
        from .graph import make_graph

        return make_graph(self.dims, self.classes, self.settings)

    def for_classes(self, classes: int) -> FusionWeights:
        """Returns the part that does not depend on the classes that it was trained on: anchored, without bias.

        Raises:
            ConfigError: if nothing is anchored
        """
        if not self.settings.anchored:
            raise ConfigError("a fusion in one new space knows its own classes alone: fuse again for others")
        settings = replace(self.settings, fused_part=False)
        left_out = ("fused_scale", "of_images", "of_texts")
        arrays = {name: value for name, value in self.arrays.items() if not name.startswith(left_out)}
        arrays[BIAS] = np.zeros(classes, np.float32)
        return FusionWeights(dims=self.dims, classes=classes, settings=settings, arrays=arrays)

    def in_order(self, order: Sequence[int]) -> FusionWeights:
        """Returns the same for its classes in another order: ``order`` holds the index that each of them had."""
        if BIAS not in self.arrays:
            return self
        return replace(self, arrays={**self.arrays, BIAS: self.arrays[BIAS][list(order)]})

    def for_captions(self) -> CaptionWeights:
        """Returns a model that compares images with texts of any kind: the part of :meth:`for_classes`.

        Raises:
            ConfigError: if nothing is anchored
        """
        if not self.settings.anchored:
            raise ConfigError("a fusion in one new space knows its own classes alone: fuse again, with captions")
        start = CaptionWeights.untrained(self.dims, replace(self.settings, fused_part=False))
        return replace(start, arrays={name: self.arrays.get(name, value) for name, value in start.arrays.items()})


@dataclass(frozen=True, kw_only=True, eq=False)
class CaptionWeights(ModelWeights["CaptionGraph"]):
    """The weights of one model that compares images with captions."""

    @classmethod
    def untrained(cls, dims: Sequence[int], settings: FusionSettings) -> CaptionWeights:
        """Returns weights that have learnt nothing: of an anchored model, the sum of the encoders' scores."""
        empty = cls(dims=tuple(dims), settings=settings, arrays={})
        return empty.holding(empty.make_graph())

    def make_graph(self) -> CaptionGraph:
        """Returns a model that has learnt nothing."""
        from .caption_graph import make_caption_graph

        return make_caption_graph(self.dims, self.settings)


@dataclass(frozen=True, kw_only=True, eq=False)
class Learnt(Generic[Own]):
    """What was learnt from labels, or from captions.

    Attributes:
        final: the model for images that it was not trained on
        by_fold: for each fold, a model that was trained on the other folds alone
        fold_of: sample id to fold, of the images that were trained on, and of copies of their files
        report: numbers of the training, JSON-ready
    """

    final: Own
    by_fold: tuple[Own, ...] = ()
    fold_of: Mapping[str, int] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)

    def weights_of(self, sample_id: str) -> Own:
        """Returns the model that answers for a sample: one that was not trained on it."""
        fold = self.fold_of.get(sample_id)
        return self.final if fold is None else self.by_fold[fold]

    def fold_of_copies(self, hashes: Mapping[str, str]) -> dict[str, int]:
        """Returns sample id to fold, of the images that were trained on and of all copies of their files.

        Args:
            hashes: sample id to hash of the image file, of the images that were trained on and of others
        """
        of_file = {hashes[id_]: fold for id_, fold in self.fold_of.items() if id_ in hashes}
        copies = {id_: of_file[content] for id_, content in hashes.items() if content in of_file}
        return {**copies, **self.fold_of}

    def models(self) -> dict[str, Own]:
        """Returns name to model, all of them."""
        return {FINAL: self.final, **{f"fold {at}": weights for at, weights in enumerate(self.by_fold)}}

    def to_json(self) -> dict[str, Any]:
        """Returns all but the arrays, JSON-ready."""
        return {
            "dims": list(self.final.dims),
            "settings": self.final.settings.to_json(),
            "folds": len(self.by_fold),
            "fold_of": dict(self.fold_of),
            "report": dict(self.report),
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class Fusion(Learnt[FusionWeights]):
    """What a fusion has learnt from labels, and from captions.

    Attributes:
        captions: what compares images with texts; None where no captions were given
    """

    captions: Learnt[CaptionWeights] | None = None

    @cached_property
    def for_search(self) -> Learnt[CaptionWeights]:
        """What compares images with texts: learnt from captions, or as far as it was learnt from labels.

        Raises:
            ConfigError: if there were no captions, and nothing is anchored
        """
        if self.captions is not None:
            return self.captions
        by_fold = tuple(weights.for_captions() for weights in self.by_fold)
        return Learnt(final=self.final.for_captions(), by_fold=by_fold, fold_of=self.fold_of)

    def for_classes(self, classes: int) -> Fusion:
        """Returns the same for other classes: see :meth:`FusionWeights.for_classes`."""
        by_fold = tuple(weights.for_classes(classes) for weights in self.by_fold)
        return replace(self, final=self.final.for_classes(classes), by_fold=by_fold)

    def in_order(self, order: Sequence[int]) -> Fusion:
        """Returns the same for its classes in another order: see :meth:`FusionWeights.in_order`."""
        by_fold = tuple(weights.in_order(order) for weights in self.by_fold)
        return replace(self, final=self.final.in_order(order), by_fold=by_fold)

    def with_copies(self, hashes: Mapping[str, str]) -> Fusion:
        """Returns the same, in which copies of the files that were trained on have a fold, too.

        Args:
            hashes: as in :meth:`fold_of_copies`
        """
        captions = self.captions
        if captions is not None:
            captions = replace(captions, fold_of=captions.fold_of_copies(hashes))
        return replace(self, fold_of=self.fold_of_copies(hashes), captions=captions)

    def to_bytes(self) -> bytes:
        """Returns all of it as a safetensors file; equal weights give equal bytes."""
        from safetensors.numpy import save

        document: dict[str, Any] = {"format": FORMAT, "classes": self.final.classes, LABELS: self.to_json()}
        models: dict[str, ModelWeights[Any]] = {f"{LABELS}/{name}": model for name, model in self.models().items()}
        if self.captions is not None:
            document[CAPTIONS] = self.captions.to_json()
            models |= {f"{CAPTIONS}/{name}": model for name, model in self.captions.models().items()}
        tensors = {f"{name}/{key}": value for name, model in models.items() for key, value in model.arrays.items()}
        # One entry: the order of several is not the same in every process.
        return save(tensors, {"fusion": json.dumps(document, sort_keys=True)})

    @cached_property
    def digest(self) -> str:
        """Hash of all of it."""
        return digest_of(self.to_bytes())

    def save(self, path: Path) -> None:
        """Writes a file that its owner alone may read: beside it first, then in its place in one step."""
        part = path.with_name(f".{path.name}.part")
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(self.to_bytes())
        part.replace(path)

    @classmethod
    def from_bytes(cls, content: bytes) -> Fusion:
        """Returns what :meth:`to_bytes` wrote; raises ConfigError if it can't be read."""
        from safetensors.numpy import load

        try:
            size = int.from_bytes(content[:8], "little")
            document = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["fusion"])
            tensors = load(content)
            if document["format"] != FORMAT:
                raise ValueError(f"format {document['format']}")
            own = document[LABELS]
            settings, dims = FusionSettings.from_json(own["settings"]), tuple(own["dims"])
            empty = FusionWeights(dims=dims, classes=int(document["classes"]), settings=settings, arrays={})
            captions = None
            if CAPTIONS in document:
                settings = FusionSettings.from_json(document[CAPTIONS]["settings"])
                of_captions = CaptionWeights(dims=dims, settings=settings, arrays={})
                captions = Learnt(**_read(of_captions, CAPTIONS, document[CAPTIONS], tensors))
            return cls(**_read(empty, LABELS, own, tensors), captions=captions)
        except ConfigError:
            raise
        except Exception as error:  # safetensors raises an exception class of its own, which is no ValueError
            raise ConfigError("the weights of this fusion can't be read: fuse the runs again") from error


def _read(
    empty: Own, kind: str, document: dict[str, Any], tensors: Mapping[str, NDArray[np.float32]]
) -> dict[str, Any]:
    """Returns what a :class:`Learnt` is made of."""

    def model(name: str) -> Own:
        start = f"{kind}/{name}/"
        return replace(
            empty, arrays={key.removeprefix(start): v for key, v in tensors.items() if key.startswith(start)}
        )

    return {
        "final": model(FINAL),
        "by_fold": tuple(model(f"fold {at}") for at in range(document["folds"])),
        "fold_of": document["fold_of"],
        "report": document["report"],
    }


def digest_of(content: bytes) -> str:
    """Returns the hash of a weights file's content."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()
