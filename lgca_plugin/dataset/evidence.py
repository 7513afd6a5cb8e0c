"""Everything about one sample of a run, from the store of embeddings: which regions decided, and which misled."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..config import RegionPlan
from ..errors import ConfigError
from ..method.boxes import relative_boxes
from ..method.cases import MisleadingCase, misleading_cases
from ..method.evidence import flips, misleading_crops, votes
from ..method.scores import class_scores, salience
from ..method.stability import stability
from ..method.verdicts import Question, Verdicts
from ..shown import explained_method
from .replay import replay
from .rescore_plan import changed_texts, stored_run
from .store import Store
from .target import image_samples
from .texts import StoredTexts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from ..growing import EncodedImage
    from ..model.encoder import Encoder
    from .run import Run
    from .store import StoredRun

    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]
    BoolArray = NDArray[np.bool_]

_MOST_QUESTIONS = 4


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything about one sample of a run: what each region says, and what share of each decision it has.

    Regions are in the order of their steps, crops of step 0 first; arrays over regions have n entries, arrays over
    classes C, in the order of ``classes``. All is computed from stored embeddings. Labels may differ from the sample's
    fields where two classes' scores are no further apart than float32 rounds, and nowhere else.

    Attributes:
        sample_id: the sample's id
        run_key: the run's key
        image: boxes in pixels and embeddings, as encoded
        verdicts: what the methods say, and how they weigh the regions
    """

    sample_id: str
    run_key: str
    image: EncodedImage[str]
    verdicts: Verdicts

    # ---------------------------------------------------------------------------------------------------- regions

    @cached_property
    def boxes(self) -> NDArray[np.float64]:
        """``[n, 4]`` relative ``(x, y, width, height)``, in the orientation that the App shows."""
        return relative_boxes(self.image.boxes, self.image.image_size_hw)

    @property
    def step(self) -> IntArray:
        """``[n]`` expansion step of each region, 0 for the sampled crops."""
        return self.image.step

    @property
    def chain(self) -> IntArray:
        """``[n]`` number of the crop that each region grew from."""
        return self.image.chain

    @cached_property
    def similarity(self) -> FloatArray:
        """``[n]`` salience of each region, its similarity to the whole image, in [-1, 1]."""
        return salience(self.image.regions, self.image.whole)

    @cached_property
    def vote(self) -> NDArray[np.int64]:
        """``[n]`` index of each region's own best class, under the class vectors of :attr:`explained`."""
        if self.explained is None:
            return np.zeros(len(self.step), dtype=np.int64)
        return self._region_scores(self.explained).argmax(axis=-1)

    @property
    def explained(self) -> str | None:
        """The method that votes, and the run's boxes, explain: LGCA, or the run's first with chains, or with crops."""
        method = explained_method(list(self.verdicts.question.methods.values()))
        return None if method is None else method.name

    def regions_of(self, *, chain: int | None = None, step: int | None = None) -> list[int]:
        """Lists the regions of a chain, or of a step, or of both: what to take out for :meth:`without`.

        Args:
            chain: number of a chain; None for all
            step: number of a step; None for all

        Returns:
            their indices, in the order of their steps

        Raises:
            ConfigError: if there is none
        """
        found = np.ones(len(self.step), dtype=bool)
        for array, value in ((self.chain, chain), (self.step, step)):
            if value is not None:
                found &= array == value
        if not found.any():
            raise ConfigError(f"sample {self.sample_id!r} has no region of chain {chain!r} and step {step!r}")
        return [int(r) for r in np.flatnonzero(found)]

    # -------------------------------------------------------------------------------------------------- decisions

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names."""
        return self.verdicts.question.classes

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of the run's methods."""
        return tuple(self.verdicts.question.methods)

    @property
    def labels(self) -> dict[str, str | None]:
        """Method name to its label."""
        return self.verdicts.labels

    @property
    def scores(self) -> dict[str, FloatArray]:
        """Method name to ``[C]`` class scores, in [-1, 1]."""
        return self.verdicts.scores

    @property
    def confidences(self) -> dict[str, FloatArray]:
        """Method name to ``[C]`` class probabilities, which sum to 1."""
        return self.verdicts.confidences

    @property
    def weights(self) -> dict[str, FloatArray]:
        """Method name to ``[n]`` region weights; they sum to 1, or are all 0 where a method looks at no regions."""
        return self.verdicts.weights

    def margin(self, method: str, a: str | int | None = None, b: str | int | None = None) -> float:
        """Gives the score of class a minus that of class b.

        Args:
            method: the method's name
            a: class name or index; None takes the method's label
            b: class name or index; None takes the runner-up, or, where that is a, the label

        Raises:
            ConfigError: if there is no such method or class
        """
        return self.verdicts.margin(method, a, b)

    def contributions(self, method: str, a: str | int | None = None, b: str | int | None = None) -> FloatArray:
        """Gives each region's share of the margin of class a over class b, ``[n]``.

        ``contribution(r; a over b) = a_r <f_r, c(a) - c(b)> / norm``: together with :meth:`global_contribution` they
        sum to :meth:`margin`, whose arguments they have.
        """
        return self.verdicts.contributions(method, a, b)

    def global_contribution(self, method: str, a: str | int | None = None, b: str | int | None = None) -> float:
        """Gives the whole image's share of the margin of class a over class b; arguments as of :meth:`margin`."""
        return self.verdicts.global_contribution(method, a, b)

    def pair(self, method: str) -> tuple[str, str]:
        """Names the two classes between which a method's decision is worth explaining: its label and the rival.

        The rival is the other one's label where WCA and LGCA disagree, for these two, and else the runner-up. The run's
        boxes carry the contributions of this pair, under :attr:`explained`.
        """
        label, rival = self.verdicts.label(method), self.verdicts.runner_up(method)
        if self._disagree and method in ("wca", "lgca"):
            rival = self.verdicts.label("lgca" if method == "wca" else "wca")
        return self.classes[label or 0], self.classes[rival or 0]

    def without(self, regions: Iterable[int] | BoolArray) -> Verdicts:
        """Asks what the methods would say without some of the regions, those and no others, weights renormalized.

        A crop's descendants stay, unless they are given too; :meth:`regions_of` gives a whole chain. A step that has
        lost all its regions leaves its weight to the others; a method that has lost all of its own answers by its
        whole-image term, if it has one, and otherwise not at all (label None, scores nan).

        Args:
            regions: their indices, or ``[n]`` bool

        Returns:
            labels, scores, margins, weights and contributions of every method

        Raises:
            ConfigError: if there is no such region
        """
        return self.verdicts.without(regions)

    # ------------------------------------------------------------------------------------------------ what misled

    @cached_property
    def flips(self) -> dict[int, bool]:
        """Chain number to whether its last vote differs from its first; chains that never grew are not listed."""
        return flips(self.vote, self.step, self.chain)

    @cached_property
    def misleading(self) -> BoolArray:
        """``[n]`` the misleading crops: they vote for WCA's label, where LGCA says another, and contribute to it."""
        if not self._disagree:
            return np.zeros(len(self.step), dtype=bool)
        a, b = self.verdicts.label("wca") or 0, self.verdicts.label("lgca") or 0
        return misleading_crops(self.vote, self.step, self.contributions("wca", a, b), a, b)

    @cached_property
    def case(self) -> MisleadingCase | None:
        """The misleading-crop case that this sample is; None where it is none."""
        question = self.verdicts.question
        if not self._disagree or question.methods["wca"].regions != "crops":
            return None
        return misleading_cases(
            weights=self.weights["wca"][None],
            region_scores=self._region_scores("wca")[None],
            whole_scores=class_scores(self.image.whole[None], question.class_vectors["wca"]),
            global_weight=question.methods["wca"].global_weight,
            misleading=self.misleading[None],
            wca_label=np.array([self.verdicts.label("wca")]),
            lgca_label=np.array([self.verdicts.label("lgca")]),
        )[0]

    @cached_property
    def stability(self) -> dict[str, float]:
        """Method name to the share of bootstrap draws of the crops that keep its label, see :mod:`~..method.stability`.

        1 for methods that look at no crops.
        """
        question, image = self.verdicts.question, self.image
        return {
            name: float(
                stability(
                    method,
                    regions=image.regions,
                    whole=image.whole,
                    step=image.step,
                    chain=image.chain,
                    n_crops=question.n_crops,
                    n_chains=question.n_chains,
                    class_vectors=question.class_vectors[name],
                    logit_scale=question.logit_scale,
                    weights=self.weights[name],
                    region_scores=None if method.regions == "none" else self._region_scores(name),
                    labels=self.verdicts.label(name),
                )
            )
            for name, method in question.methods.items()
        }

    @property
    def _disagree(self) -> bool:
        labels = self.labels
        return "wca" in labels and "lgca" in labels and labels["wca"] != labels["lgca"]

    @cached_property
    def _known_scores(self) -> dict[int, FloatArray]:
        return {}

    def _region_scores(self, method: str) -> FloatArray:
        """``[n, C]`` scores of the regions themselves, computed once for methods that share class vectors."""
        vectors = self.verdicts.question.class_vectors[method]
        if id(vectors) not in self._known_scores:
            self._known_scores[id(vectors)] = class_scores(self.image.regions, vectors)
        return self._known_scores[id(vectors)]

    # --------------------------------------------------------------------------------------------------- to show

    def to_json(self, *, top: int = 5) -> dict[str, Any]:
        """Gives all of it as a JSON-ready dict, for a panel.

        Args:
            top: how many classes of each method, best first

        Returns:
            a dict with ``sample_id``, ``run_key``, ``image_size_hw``, ``explained``; ``methods``: for each name its label,
            confidence, margin, runner-up, stability, best classes (``top``) and, for its :meth:`pair`, the margin and
            the whole image's contribution; ``regions``: a list with box, step, chain, similarity, vote, whether
            misleading, and for each method that weighs it the weight and the contribution to the pair's margin;
            ``chains``: those that have grown, with their regions and whether they flipped; ``case``: labels, crops,
            size and whether the size is exact, or None
        """
        by_region = {name: weights for name, weights in self.weights.items() if weights.any()}
        shares = {name: self.contributions(name, *self.pair(name)) for name in by_region}
        return {
            "sample_id": self.sample_id,
            "run_key": self.run_key,
            "image_size_hw": list(self.image.image_size_hw),
            "explained": self.explained,
            "methods": {name: self._method_json(name, summary, top) for name, summary in self._summaries.items()},
            "regions": [
                {
                    "box": self.boxes[r].tolist(),
                    "step": int(self.step[r]),
                    "chain": int(self.chain[r]),
                    "similarity": float(self.similarity[r]),
                    "vote": self.classes[self.vote[r]],
                    "misleading": bool(self.misleading[r]),
                    "weights": {name: float(weights[r]) for name, weights in by_region.items() if weights[r]},
                    "contributions": {name: float(shares[name][r]) for name, weights in by_region.items() if weights[r]},
                }
                for r in range(len(self.step))
            ],
            "chains": [
                {"chain": number, "regions": self.regions_of(chain=number), "flipped": flipped}
                for number, flipped in self.flips.items()
            ],
            "case": self._case_json(),
        }
