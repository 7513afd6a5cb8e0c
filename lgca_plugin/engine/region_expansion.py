"""One image and its regions on their way through the expansion steps: which boxes there are, which still need encoding.

Boxes follow from the file's bytes and the embeddings alone. So an image whose embeddings are known already goes through
the same steps without being decoded, and one of which some are known has only the others encoded.

Under an adaptive budget an image goes through the steps of a small plan first. Where a judge does not find it safe
then, it goes through those of the next larger one, which shares its crops, and so on. The result is that of the last
plan, as if there had been no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..images.crops import Box
from ..method.core.boxes import expand_boxes, sample_boxes, select_salient
from .embeddings import EncodedImage, FailedImage, Id, KnownRegions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ..config import RegionPlan
    from ..images.files import Picture


class RegionExpansion:
    """An image that goes through the expansion steps of a plan.

    Args:
        content_hash: hash of the file's bytes
        plan: which regions are encoded
        can_stop: tells whether an image may stop on a rung of the plan; needed where there is more than one
        picture: the decoded image; None where all embeddings are known
        known: embeddings that need no encoding
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
        self.level = 0
        self.boxes: list[NDArray[np.int64]] = []
        self.chains: list[NDArray[np.int64]] = []
        self._keys: list[
            list[Box | None]
        ] = []  # what the boxes of each step show; that of a whole square image is None
        self.embeddings: dict[Box | None, NDArray[np.float32]] = {}
        self._rungs = plan.levels
        self._judge = can_stop
        self._lower: dict[Box, None] = {}  # boxes of the rungs below, in the order in which they were wanted
        if len(self._rungs) > 1 and can_stop is None:
            raise ValueError("an adaptive budget needs can_stop")
        if known is not None and known.image_size_hw == self.size_hw:
            self.embeddings[None] = known.whole
            self.embeddings.update(zip(map(tuple, known.boxes.tolist()), known.regions, strict=True))
        self._known = frozenset(self.embeddings)
        self._begin()

    @property
    def nbytes(self) -> int:
        """Memory that the image holds."""
        pixels = 0 if self.picture is None else self.picture.nbytes
        one = next(iter(self.embeddings.values()), None)
        return pixels + (0 if one is None else len(self.embeddings) * one.nbytes)

    @property
    def _plan(self) -> RegionPlan:
        return self._rungs[self.level]

    @property
    def step(self) -> int:
        """The step that the image has reached on its rung, 0 at first."""
        return max(0, len(self.boxes) - 1)

    def missing(self) -> list[Box | None]:
        """Lists what the present step needs encoded, each once: boxes, and None for the whole image."""
        keys = dict.fromkeys([None, *(self._keys[-1] if self._keys else ())])
        return [key for key in keys if key not in self.embeddings]

    def grow(self) -> bool:
        """Goes on to the next step, if there is one: keeps the most salient regions of this step and grows them.

        Of step 0, only the crops that start a chain take part. After the last step, an image that is not safe begins
        again on the next rung.
        """
        if len(self.boxes) >= len(self._plan.counts):
            return self._climb()
        taking_part = np.flatnonzero(self.chains[-1] < self._plan.n_chains)
        boxes, chain = self.boxes[-1][taking_part], self.chains[-1][taking_part]
        keys = [self._keys[-1][row] for row in taking_part.tolist()]
        # Row by row in float64: a matrix product rounds equal rows differently by their place, and ties must be ties.
        similarity = (self._embedded(keys).astype(np.float64) * self.embeddings[None]).sum(axis=1)
        kept = select_salient(similarity, self._plan.counts[len(self.boxes)])
        self._add_step(expand_boxes(boxes[kept], self.size_hw, self._plan.regions.growth), chain[kept])
        return True

    def replay(self) -> EncodedImage[None] | FailedImage[None] | None:
        """Goes through all steps on the embeddings that are there; None means that some are missing."""
        while not self.missing():
            if not self.grow():
                return self.finished(None)
        return None

    def finished(self, id_: Id) -> EncodedImage[Id] | FailedImage[Id]:
        """Gives the result, once nothing is missing at the last step."""
        whole = self.embeddings[None]
        boxes = np.concatenate(self.boxes) if self.boxes else np.zeros((0, 4), np.int64)
        keys = [key for of_step in self._keys for key in of_step]
        regions = self._embedded(keys) if keys else np.zeros((0, len(whole)), np.float32)
        if not (np.isfinite(whole).all() and np.isfinite(regions).all()):
            return FailedImage(id_, "the encoder gave values that are no numbers; try precision fp32")
        present = frozenset(keys)
        return EncodedImage(
            id=id_,
            content_hash=self.content_hash,
            image_size_hw=self.size_hw,
            boxes=boxes,
            step=np.repeat(np.arange(len(self.boxes)), [len(of_step) for of_step in self.boxes]),
            chain=np.concatenate(self.chains) if self.chains else np.zeros(0, np.int64),
            regions=regions,
            whole=whole,
            fresh=self._fresh(keys),
            encodes=len(self.embeddings) - len(self._known),
            level=self.level,
            former={box: self.embeddings[box] for box in self._lower if box not in present},
        )

    def _begin(self) -> None:
        """Begins with the crops of the present rung."""
        self.boxes, self.chains, self._keys = [], [], []
        if self._plan.counts:
            self._add_step(self._sampled(), np.arange(self._plan.counts[0]))

    def _climb(self) -> bool:
        """Goes on to the next rung, if there is one and the image is not safe on this one."""
        if self._judge is None or self.level == len(self._rungs) - 1:
            return False
        encoded = self.finished(None)
        if isinstance(encoded, FailedImage) or self._judge(encoded):
            return False
        self._lower.update(dict.fromkeys(key for of_step in self._keys for key in of_step if key is not None))
        self.level += 1
        self._begin()
        return True

    def _sampled(self) -> NDArray[np.int64]:
        return sample_boxes(
            self._plan.counts[0],
            self.size_hw,
            scale_min=self._plan.regions.scale_min,
            scale_max=self._plan.regions.scale_max,
            seed=self._plan.regions.seed,
            content_hash=self.content_hash,
        )

    def _add_step(self, boxes: NDArray[np.int64], chain: NDArray[np.int64]) -> None:
        everything = (0, 0, self.size_hw[1], self.size_hw[0])
        self.boxes.append(boxes)
        self.chains.append(chain)
        self._keys.append([None if box == everything else box for box in map(tuple, boxes.tolist())])

    def _embedded(self, keys: Sequence[Box | None]) -> NDArray[np.float32]:
        return np.concatenate([self.embeddings[key] for key in keys]).reshape(len(keys), -1)

    def _fresh(self, keys: Sequence[Box | None]) -> NDArray[np.bool_]:
        seen: set[Box | None] = {None, *self._known}
        fresh = np.zeros(len(keys), dtype=bool)
        for index, key in enumerate(keys):
            if key not in seen:
                fresh[index] = True
                seen.add(key)
        return fresh
