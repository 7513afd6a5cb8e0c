"""The weights of a fusion: one model for new images, and one for each fold of those that it was trained on."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigError
from .settings import FusionSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from .graph import Graph

FORMAT = "1"
FINAL = "final"
BIAS = "bias"
SCALES = "scales"


@dataclass(frozen=True, kw_only=True, eq=False)
class FusionWeights:
    """The weights of one model.

    Attributes:
        dims: dimension of each encoder's vectors
        classes: number of classes
        settings: of the fusion
        arrays: name to float32 array, all of them
    """

    dims: tuple[int, ...]
    classes: int
    settings: FusionSettings
    arrays: Mapping[str, NDArray[np.float32]]

    @classmethod
    def untrained(cls, dims: Sequence[int], classes: int, settings: FusionSettings | None = None) -> FusionWeights:
        """Returns weights that have learnt nothing: of an anchored model, the sum of the encoders' decisive logits."""
        from .graph import make_graph

        settings = settings or FusionSettings()
        return cls.of(make_graph(dims, classes, settings), dims, classes, settings)

    @classmethod
    def of(cls, graph: Graph, dims: Sequence[int], classes: int, settings: FusionSettings) -> FusionWeights:
        """Returns a copy of a graph's weights."""
        arrays = {name: np.array(value.detach().cpu().numpy()) for name, value in graph.state_dict().items()}
        return cls(dims=tuple(dims), classes=classes, settings=settings, arrays=arrays)

    @cached_property
    def graph(self) -> Graph:
        """The model, not in training."""
        import torch

        from .graph import make_graph

        graph = make_graph(self.dims, self.classes, self.settings)
        graph.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in self.arrays.items()})
        return graph.eval()

    @property
    def factors(self) -> NDArray[np.float64]:
        """``[M]`` how much each encoder's logits count, 1 if nothing was learnt; nan where nothing is anchored."""
        if SCALES not in self.arrays:
            return np.full(len(self.dims), np.nan)
        return np.log1p(np.exp(self.arrays[SCALES].astype(np.float64)))

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


@dataclass(frozen=True, kw_only=True, eq=False)
class Fusion:
    """What a fusion has learnt.

    Attributes:
        final: the model for images that it was not trained on
        by_fold: for each fold, a model that was trained on the other folds alone
        fold_of: sample id to fold, of the images that the fusion was trained on
        report: numbers of the training, JSON-ready
    """

    final: FusionWeights
    by_fold: tuple[FusionWeights, ...] = ()
    fold_of: Mapping[str, int] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)

    def weights_of(self, sample_id: str) -> FusionWeights:
        """Returns the model that answers for a sample: one that was not trained on it."""
        fold = self.fold_of.get(sample_id)
        return self.final if fold is None else self.by_fold[fold]

    def for_classes(self, classes: int) -> Fusion:
        """Returns the same for other classes: see :meth:`FusionWeights.for_classes`."""
        by_fold = tuple(weights.for_classes(classes) for weights in self.by_fold)
        return replace(self, final=self.final.for_classes(classes), by_fold=by_fold)

    def to_bytes(self) -> bytes:
        """Returns all of it as a safetensors file; equal weights give equal bytes."""
        from safetensors.numpy import save

        models = {FINAL: self.final, **{f"fold {at}": weights for at, weights in enumerate(self.by_fold)}}
        tensors = {f"{name}/{key}": value for name, model in models.items() for key, value in model.arrays.items()}
        document = {
            "format": FORMAT,
            "dims": json.dumps(list(self.final.dims)),
            "classes": str(self.final.classes),
            "settings": json.dumps(self.final.settings.to_json(), sort_keys=True),
            "folds": str(len(self.by_fold)),
            "fold_of": json.dumps(dict(sorted(self.fold_of.items()))),
            "report": json.dumps(self.report, sort_keys=True),
        }
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
            settings = FusionSettings.from_json(json.loads(document["settings"]))
            dims, classes = tuple(json.loads(document["dims"])), int(document["classes"])

            def model(name: str) -> FusionWeights:
                own = {key.split("/", 1)[1]: value for key, value in tensors.items() if key.startswith(f"{name}/")}
                return FusionWeights(dims=dims, classes=classes, settings=settings, arrays=own)

            return cls(
                final=model(FINAL),
                by_fold=tuple(model(f"fold {at}") for at in range(int(document["folds"]))),
                fold_of=json.loads(document["fold_of"]),
                report=json.loads(document["report"]),
            )
        except ConfigError:
            raise
        except Exception as error:  # safetensors raises an exception class of its own, which is no ValueError
            raise ConfigError("the weights of this fusion can't be read: fuse the runs again") from error


def digest_of(content: bytes) -> str:
    """Returns the hash of a weights file's content."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()
