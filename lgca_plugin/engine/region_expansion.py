"""The expansion steps of one image: which boxes there are, and which of them still need encoding.

Boxes follow from the file's bytes and the embeddings alone. So an image whose embeddings are all known goes through the
same steps without being decoded, and if only some are known, only the others are encoded.

Under an adaptive budget an image goes through the steps of a small plan first. If it can't stop there, it goes through
those of the next budget level, which shares its crops, and so on. The result is that of the last level, as if there had
been no other.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..images.crops import Box
from ..method.core.boxes import expand_boxes, sample_boxes, select_salient
from ..method.core.frames import frame_of
from .embeddings import EncodedImage, FailedImage, Id, KnownRegions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ..config import RegionPlan
    from ..images.decoding import Picture


NOT_FINITE = "the encoder returned values that are not finite numbers; try precision fp32"
"""Why there is no result of an image whose embeddings overflowed."""


class RegionExpansion:
    """An image on its way through the expansion steps of a plan.

    ``can_stop`` returns whether the image can stop at its budget level; it is needed if the plan has more than one.
    ``picture`` is None if all embeddings are known.

    Attributes:
        level: the current budget level
        boxes: of each step of the level so far
        chains: number of the crop that each box was expanded from, of each step
        embeddings: known and encoded ones by box; that of the whole image is under None
    """

    def __init__(
        self,
        content_hash: str,
        plan: RegionPlan,
        *,
        can_stop: Callable[[EncodedImage[None]], bool] | None = None,
        picture: Picture | None = None,
        known: KnownRegions | None = None,
    ) -> None:
        if picture is not None:
            self.size_hw = picture.size_hw
        elif known is not None:
            self.size_hw = known.image_size_hw
        else:
            raise ValueError("an image needs a picture or known embeddings")
        self.content_hash = content_hash
        self.picture = picture
        self._frame = frame_of(content_hash, self.size_hw)
        self.level = 0
        self.boxes: list[NDArray[np.int64]] = []
        self.chains: list[NDArray[np.int64]] = []
        self.embeddings: dict[Box | None, NDArray[np.float32]] = {}
        self._keys: list[list[Box | None]] = []  # of the boxes of each step, among the embeddings
        self._levels = plan.levels
        self._can_stop = can_stop
        self._lower_boxes: dict[Box, None] = {}  # those of lower levels, in the order in which they were encoded
        if len(self._levels) > 1 and can_stop is None:
            raise ValueError("an adaptive budget needs can_stop")
        if known is not None and known.image_size_hw == self.size_hw:
            self.embeddings[None] = known.whole
            self.embeddings.update(zip(map(tuple, known.boxes.tolist()), known.regions, strict=True))
        self._known = frozenset(self.embeddings)
        self._start_level()

    @property
    def nbytes(self) -> int:
        """Memory that the image holds."""
        pixels = 0 if self.picture is None else self.picture.nbytes
        one = next(iter(self.embeddings.values()), None)
        return pixels + (0 if one is None else len(self.embeddings) * one.nbytes)

    @property
    def _plan(self) -> RegionPlan:
        return self._levels[self.level]

    def missing(self) -> list[Box | None]:
        """Returns what the current step needs encoded, each once: boxes, and None for the whole image."""
        keys = dict.fromkeys([None, *(self._keys[-1] if self._keys else ())])
        return [key for key in keys if key not in self.embeddings]

    def next_step(self) -> bool:
        """Expands the most salient regions of the current step; False after the last step.

        Of step 0, only the crops that start a chain take part. After the last step of a level, an image that can't stop
        begins with the crops of the next level.
        """
        if len(self.boxes) >= len(self._plan.counts):
            return self._next_level()
        candidates = np.flatnonzero(self.chains[-1] < self._plan.n_chains)
        boxes, chain = self.boxes[-1][candidates], self.chains[-1][candidates]
        keys = [self._keys[-1][row] for row in candidates.tolist()]
        # Row by row in float64: a matrix product rounds equal rows differently by their place, and ties must be ties.
        similarity = (self._embeddings_of(keys).astype(np.float64) * self.embeddings[None]).sum(axis=1)
        salient = select_salient(similarity, self._plan.counts[len(self.boxes)])
        left, top, width, height = self._frame.outer
        corner = np.array([left, top, 0, 0])
        grown = expand_boxes(boxes[salient] - corner, (height, width), self._plan.regions.growth)
        self._add_step(grown + corner, chain[salient])
        return True

    def replay(self) -> EncodedImage[None] | FailedImage[None] | None:
        """Goes through all steps on known embeddings and returns the result; None if some are missing."""
        while not self.missing():
            if not self.next_step():
                return self.result(None)
        return None

    def result(self, id_: Id) -> EncodedImage[Id] | FailedImage[Id]:
        """Returns the result, once nothing is missing at the last step."""
        whole = self.embeddings[None]
        boxes = np.concatenate(self.boxes) if self.boxes else np.zeros((0, 4), np.int64)
        keys = [key for step_keys in self._keys for key in step_keys]
        regions = self._embeddings_of(keys) if keys else np.zeros((0, len(whole)), np.float32)
        if not (np.isfinite(whole).all() and np.isfinite(regions).all()):
            return FailedImage(id_, NOT_FINITE)
        present = frozenset(keys)
        return EncodedImage(
            id=id_,
            content_hash=self.content_hash,
            image_size_hw=self.size_hw,
            boxes=boxes,
            step=np.repeat(np.arange(len(self.boxes)), [len(step_keys) for step_keys in self._keys]),
            chain=np.concatenate(self.chains) if self.chains else np.zeros(0, np.int64),
            regions=regions,
            whole=whole,
            fresh=self._fresh(keys),
            encodes=len(self.embeddings) - len(self._known),
            level=self.level,
            previous={box: self.embeddings[box] for box in self._lower_boxes if box not in present},
        )

    def _start_level(self) -> None:
        self.boxes, self.chains, self._keys = [], [], []
        if self._plan.counts:
            count = self._plan.counts[0]
            self._add_step(self._crops[:count], np.arange(count))

    @cached_property
    def _crops(self) -> NDArray[np.int64]:
        """The crops of the last level, of which each level takes the first."""
        plan = self._levels[-1]
        left, top, width, height = self._frame.inner
        corner = np.array([left, top, 0, 0])
        return corner + sample_boxes(
            plan.counts[0],
            (height, width),
            scale_min=plan.regions.scale_min,
            scale_max=plan.regions.scale_max,
            seed=plan.regions.seed,
            content_hash=self.content_hash,
            spread_of=plan.spread_of,
        )

    def _next_level(self) -> bool:
        """Starts the next budget level; False if there is none or the image can stop."""
        if self._can_stop is None or self.level == len(self._levels) - 1:
            return False
        result = self.result(None)
        if isinstance(result, FailedImage) or self._can_stop(result):
            return False
        self._lower_boxes.update(dict.fromkeys(key for step_keys in self._keys for key in step_keys if key is not None))
        self.level += 1
        self._start_level()
        return True

    def _add_step(self, boxes: NDArray[np.int64], chain: NDArray[np.int64]) -> None:
        self.boxes.append(boxes)
        self.chains.append(chain)
        self._keys.append([None if box == self._frame.whole else box for box in map(tuple, boxes.tolist())])

    def _embeddings_of(self, keys: Sequence[Box | None]) -> NDArray[np.float32]:
        return np.concatenate([self.embeddings[key] for key in keys]).reshape(len(keys), -1)

    def _fresh(self, keys: Sequence[Box | None]) -> NDArray[np.bool_]:
        before: set[Box | None] = {None, *self._known}
        fresh = np.zeros(len(keys), dtype=bool)
        for index, key in enumerate(keys):
            if key not in before:
                fresh[index] = True
                before.add(key)
        return fresh
