"""From embeddings to predictions: every method's scores for a batch of images, and the regions worth looking at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .method.boxes import relative_boxes
from .method.evidence import contributions, misleading_crops, votes
from .method.scores import class_scores, confidences, image_vector, margins, region_weights, salience

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .config import RegionPlan
    from .growing import EncodedImage
    from .method.scores import Method
    from .model.encoder import Encoder
    from .model.prompts import ClassTexts


@dataclass(frozen=True)
class MethodPrediction:
    """What one method says of one image.

    Attributes:
        label: class index
        confidence: softmax probability of the label, in [0, 1]
        margin: best minus second-best score
        scores: ``[C]`` class scores in [-1, 1]
    """

    label: int
    confidence: float
    margin: float
    scores: NDArray[np.floating]


@dataclass(frozen=True)
class ShownRegion:
    """A region that is worth looking at.

    Attributes:
        box: relative ``(x, y, width, height)``
        label: class index that the region itself votes for
        confidence: softmax probability of that class for the region alone, in [0, 1]
        chain: number of the crop that the region grew from
        step: expansion step, 0 for a sampled crop
        similarity: salience, the similarity to the whole image
        weight: share of the image vector under the method that the regions explain
        contribution: share of that method's margin between its label and the rival class
        misleading: whether the crop speaks for WCA's label where LGCA says another
    """

    box: tuple[float, float, float, float]
    label: int
    confidence: float
    chain: int
    step: int
    similarity: float
    weight: float
    contribution: float
    misleading: bool


@dataclass(frozen=True)
class Prediction:
    """All methods' predictions for one image.

    Attributes:
        methods: method name to its prediction
        regions: the chains worth looking at, each in the order of its steps
    """

    methods: dict[str, MethodPrediction]
    regions: list[ShownRegion]


class Predictor:
    """Scores encoded images with a set of methods.

    Args:
        methods: the presets
        texts: the classes and their descriptions
        encoder: embeds the texts, once
        plan: which regions the images were encoded with
        shown_chains: how many chains of an image are worth looking at
    """

    def __init__(
        self,
        methods: Sequence[Method],
        texts: ClassTexts,
        encoder: Encoder,
        plan: RegionPlan,
        *,
        shown_chains: int = 3,
    ) -> None:
        self._methods = tuple(methods)
        self._plan = plan
        self._logit_scale = encoder.logit_scale
        self._shown_chains = shown_chains
        self._class_vectors = {method.name: texts.class_vectors(encoder, method) for method in methods}
        self._explained = explained_method(methods)

    def predict(self, images: Sequence[EncodedImage[Any]]) -> list[Prediction]:
        """Scores images that were encoded under this predictor's plan.

        Args:
            images: encoded images, all with the same number of regions

        Returns:
            one prediction an image, in the same order
        """
        if not images:
            return []
        batch = _Batch(images)
        weights = {method.name: self._weights(method, batch) for method in self._methods}
        scores = {
            method.name: class_scores(
                image_vector(batch.regions, batch.whole, weights[method.name], method.global_weight),
                self._class_vectors[method.name],
            )
            for method in self._methods
        }
        by_method = {name: self._method_predictions(of_method) for name, of_method in scores.items()}
        regions = self._shown_regions(images, batch, weights, scores)
        return [
            Prediction({name: predictions[index] for name, predictions in by_method.items()}, regions[index])
            for index in range(len(images))
        ]

    def _weights(self, method: Method, batch: _Batch) -> NDArray[np.floating]:
        return region_weights(
            method,
            regions=batch.regions,
            whole=batch.whole,
            step=batch.step,
            chain=batch.chain,
            n_crops=self._plan.n_crops,
            n_chains=self._plan.n_chains,
            class_vectors=self._class_vectors[method.name],
            logit_scale=self._logit_scale,
        )

    def _method_predictions(self, scores: NDArray[np.floating]) -> list[MethodPrediction]:
        labels = scores.argmax(axis=-1)
        best = confidences(scores, self._logit_scale).max(axis=-1)
        return [
            MethodPrediction(int(label), float(confidence), float(margin), of_image)
            for label, confidence, margin, of_image in zip(labels, best, margins(scores), scores, strict=True)
        ]

    def _shown_regions(
        self,
        images: Sequence[EncodedImage[Any]],
        batch: _Batch,
        weights: dict[str, NDArray[np.floating]],
        scores: dict[str, NDArray[np.floating]],
    ) -> list[list[ShownRegion]]:
        method = self._explained
        if method is None or not self._shown_chains:
            return [[] for _ in images]
        vectors = self._class_vectors[method.name]
        vote = votes(batch.regions, vectors)
        misleading = self._misleading(batch, vote, weights, scores)
        share, _ = contributions(
            batch.regions,
            batch.whole,
            weights[method.name],
            method.global_weight,
            vectors,
            scores[method.name].argmax(axis=-1),
            _rivals(scores, method.name),
        )
        confidence = confidences(class_scores(batch.regions, vectors), self._logit_scale).max(axis=-1)
        similarity = salience(batch.regions, batch.whole)
        shown = []
        for i, image in enumerate(images):
            boxes = relative_boxes(image.boxes, image.image_size_hw)
            shown.append(
                [
                    ShownRegion(
                        box=(float(x), float(y), float(w), float(h)),
                        label=int(vote[i, r]),
                        confidence=float(confidence[i, r]),
                        chain=int(batch.chain[i, r]),
                        step=int(batch.step[i, r]),
                        similarity=float(similarity[i, r]),
                        weight=float(weights[method.name][i, r]),
                        contribution=float(share[i, r]),
                        misleading=bool(misleading[i, r]),
                    )
                    for r in _worth_looking_at(
                        batch.step[i], batch.chain[i], share[i], misleading[i], self._shown_chains
                    )
                    for x, y, w, h in (boxes[r],)
                ]
            )
        return shown

    def _misleading(
        self,
        batch: _Batch,
        vote: NDArray[np.int64],
        weights: dict[str, NDArray[np.floating]],
        scores: dict[str, NDArray[np.floating]],
    ) -> NDArray[np.bool_]:
        """Marks misleading crops; a run without both WCA and LGCA has none."""
        wca = next((method for method in self._methods if method.name == "wca"), None)
        if wca is None or "lgca" not in scores:
            return np.zeros(vote.shape, dtype=bool)
        wca_label, lgca_label = scores["wca"].argmax(axis=-1), scores["lgca"].argmax(axis=-1)
        share, _ = contributions(
            batch.regions,
            batch.whole,
            weights["wca"],
            wca.global_weight,
            self._class_vectors["wca"],
            wca_label,
            lgca_label,
        )
        return misleading_crops(vote, batch.step, share, wca_label, lgca_label)


def explained_method(methods: Sequence[Method]) -> Method | None:
    """Chooses the method that the shown regions explain: LGCA, else the first with chains, else with crops."""
    ranks = {"lgca": 0, "chains": 1, "crops": 2}
    explaining = [method for method in methods if method.regions in ranks]
    return min(explaining, key=lambda method: ranks.get(method.name, ranks[method.regions]), default=None)


class _Batch:
    """The arrays of several images, stacked: ``[images, regions, ...]``."""

    def __init__(self, images: Sequence[EncodedImage[Any]]) -> None:
        self.regions = np.stack([image.regions for image in images])
        self.whole = np.stack([image.whole for image in images])
        self.step = np.stack([image.step for image in images])
        self.chain = np.stack([image.chain for image in images])


def _rivals(scores: dict[str, NDArray[np.floating]], method: str) -> NDArray[np.int64]:
    """The class that a label is compared with: WCA's where LGCA says another, else the runner-up."""
    runner_up: NDArray[np.int64] = np.argsort(scores[method], axis=-1)[:, -2]
    if method == "lgca" and "wca" in scores:
        label, wca_label = scores["lgca"].argmax(axis=-1), scores["wca"].argmax(axis=-1)
        return np.where(wca_label != label, wca_label, runner_up)
    return runner_up


def _worth_looking_at(
    step: NDArray[np.int64],
    chain: NDArray[np.int64],
    contribution: NDArray[np.floating],
    misleading: NDArray[np.bool_],
    count: int,
) -> list[int]:
    """Chooses chains: those with a misleading crop first, then those that grew furthest, then by contribution."""
    numbers = np.unique(chain)
    last_step = {n: int(step[chain == n].max()) for n in numbers}
    ranked = sorted(
        numbers,
        key=lambda n: (not misleading[chain == n].any(), -last_step[n], -np.abs(contribution[chain == n]).sum(), n),
    )
    return [int(r) for n in ranked[:count] for r in np.flatnonzero(chain == n)]
