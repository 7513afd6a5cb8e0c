"""The methods of a run with everything that their scores depend on, besides the images."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ConfigError, shown
from .regions import ClassScoring
from .scores import region_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .methods import Method
    from .regions import CropCounts, RegionEmbeddings
    from .scores import Weights

    FloatArray = NDArray[np.floating]


@dataclass(frozen=True, kw_only=True, eq=False)
class RunScoring:
    """Methods, classes and class vectors of a run.

    Attributes:
        methods: method name to its preset
        classes: the class names, by index
        class_vectors: method name to its ``[C, d]`` class vectors; methods with the same ones share the array
        logit_scale: the encoder's factor on similarities
        counts: how many of an image's crops the methods use
        offsets: method name to ``[C]``, what known shares of the classes add to its class scores; nothing without them.
            Weights of regions do not depend on them
    """

    methods: Mapping[str, Method]
    classes: tuple[str, ...]
    class_vectors: Mapping[str, FloatArray]
    logit_scale: float
    counts: CropCounts
    offsets: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    @cached_property
    def exact_vectors(self) -> dict[str, NDArray[np.float64]]:
        """``class_vectors`` in double precision; methods with the same ones share the array."""
        converted = {id(vectors): vectors.astype(np.float64) for vectors in self.class_vectors.values()}
        return {name: converted[id(vectors)] for name, vectors in self.class_vectors.items()}

    def with_offsets(self, name: str, scores: FloatArray) -> FloatArray:
        """Returns ``[..., C]`` class scores of a method with its offsets, in the precision of the scores."""
        offsets = self.offsets.get(name)
        return scores if offsets is None else scores + offsets.astype(scores.dtype)

    def classes_of(self, method: Method) -> ClassScoring:
        """Returns what a method scores images against."""
        return ClassScoring(self.class_vectors[method.name], self.logit_scale)

    def weights(self, method: Method, images: RegionEmbeddings, *, region_scores: FloatArray | None = None) -> Weights:
        """Computes the weights of regions and whole images, see :func:`~.scores.region_weights`."""
        return region_weights(method, images, self.counts, self.classes_of(method), region_scores=region_scores)

    def index(self, name: str | int) -> int:
        """Returns the index of a class, given by its name or index; raises ConfigError if there is none."""
        if isinstance(name, str):
            if name in self.classes:
                return self.classes.index(name)
            raise ConfigError(f"{name!r} is none of the {len(self.classes)} classes")
        if isinstance(name, bool) or not isinstance(name, (int, np.integer)) or not 0 <= name < len(self.classes):
            raise ConfigError(
                f"a class is given by its name or its index from 0 to {len(self.classes) - 1}, got {shown(name)}"
            )
        return int(name)

    def method(self, name: str) -> Method:
        """Returns a method's preset; raises ConfigError if there is none."""
        if name not in self.methods:
            raise ConfigError(f"there is no method {name!r} in this run; choose from {', '.join(self.methods)}")
        return self.methods[name]
