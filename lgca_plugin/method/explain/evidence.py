"""The evidence behind the labels of one image: which regions decided, which misled, how stable the labels are."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ConfigError
from ..core.scores import class_scores
from .contributions import flips, misleading_crops
from .decided_image import DecidedImage
from .misleading_cases import MisleadingCase, misleading_cases
from .stability import stability

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from .method_results import MethodResults

    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]
    BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence(DecidedImage):
    """The evidence behind the labels of one sample of a run.

    Regions are in the order of their steps, crops of step 0 first; arrays over regions have n entries, arrays over
    classes C, in the order of :attr:`classes`. Classes are given by name or index.

    Attributes:
        sample_id: the sample's id
        run_key: the run's key
        boxes: ``[n, 4]`` relative ``(x, y, width, height)``, EXIF orientation applied
        explained: the method under whose class vectors regions vote, and which the run's boxes explain: LGCA, else the
            run's first with chains, else with crops; None if no method uses regions
        verdicts: labels, scores and region weights of all methods
        content_hash: hash of the file's bytes as they were encoded; None if unknown
        lacking: methods of the run that there is no evidence on, each with the reason
    """

    sample_id: str
    run_key: str
    boxes: NDArray[np.float64]
    explained: str | None
    verdicts: MethodResults
    content_hash: str | None = None
    lacking: Mapping[str, str] = field(default_factory=dict)

    @property
    def deciding(self) -> str | None:
        """The method whose decision is explained unless another is named: a learned one, else :attr:`explained`."""
        return next(iter(self.verdicts.learned), self.explained)

    # ---------------------------------------------------------------------------------------------------- regions

    @property
    def step(self) -> IntArray:
        """``[n]`` expansion step of each region, 0 for the sampled crops."""
        return self.verdicts.image.step

    @property
    def chain(self) -> IntArray:
        """``[n]`` number of the crop that each region grew from."""
        return self.verdicts.image.chain

    @cached_property
    def similarity(self) -> FloatArray:
        """``[n]`` salience of each region, its similarity to the whole image, in [-1, 1]."""
        return self.verdicts.image.similarity

    @cached_property
    def vote(self) -> NDArray[np.int64]:
        """``[n]`` index of each region's own best class, under the class vectors of :attr:`explained`."""
        if self.explained is None:
            return np.zeros(len(self.step), dtype=np.int64)
        best: NDArray[np.int64] = self._region_scores(self.explained).argmax(axis=-1)
        return best

    def regions_of(self, *, chain: int | None = None, step: int | None = None) -> list[int]:
        """Returns the indices of the regions of a chain, of a step, or of both, for :meth:`without`.

        Args:
            chain: number of a chain; None for all
            step: number of a step; None for all

        Raises:
            ConfigError: if there is none
        """
        found = np.ones(len(self.step), dtype=bool)
        for array, value in ((self.chain, chain), (self.step, step)):
            if value is not None:
                found &= array == value
        if not found.any():
            given = [f"{name} {value!r}" for name, value in (("chain", chain), ("step", step)) if value is not None]
            of_which = f" of {' and '.join(given)}" if given else ""
            raise ConfigError(f"sample {self.sample_id!r} has no region{of_which}")
        return [int(r) for r in np.flatnonzero(found)]

    # -------------------------------------------------------------------------------------------------- decisions

    def pair(self, method: str) -> tuple[str, str]:
        """Returns the two classes whose margin explains a method's decision: its label and a rival.

        The rival is the runner-up; if WCA and LGCA disagree, it is, for each of them, the other one's label. The run's
        boxes carry the contributions to the margin of this pair under :attr:`explained`.
        """
        label, rival = self.verdicts.top_two(method)
        if method in ("wca", "lgca") and {"wca", "lgca"} <= set(self.methods):
            other = self.verdicts.top_two("lgca" if method == "wca" else "wca")[0]
            rival = rival if other == label else other
        return self.classes[label], self.classes[rival]

    def without(self, regions: Iterable[int] | BoolArray) -> MethodResults:
        """Computes the results of all methods without some of the regions, weights renormalized.

        The regions that a crop has grown into stay unless they are given too (:meth:`regions_of` lists a whole chain).
        A step that has lost all its regions leaves its weight to the others. A method that has lost all its regions
        answers by its whole-image term, if it has one; otherwise its label is None and its scores are nan.

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
        """``[n]`` the misleading crops: they vote for WCA's label and contribute to it, where LGCA's label differs.

        These are the labels from the image alone, without known shares of the classes.
        """
        if not self._disagree:
            return np.zeros(len(self.step), dtype=bool)
        return misleading_crops(self.vote, self.step, self.contributions("wca", *self._disagree), *self._disagree)

    @property
    def misleading_pair(self) -> tuple[str, str] | tuple[()]:
        """WCA's label and LGCA's, if they differ: the classes that misleading crops are about."""
        return (self.classes[self._disagree[0]], self.classes[self._disagree[1]]) if self._disagree else ()

    @cached_property
    def case(self) -> MisleadingCase | None:
        """The sample's misleading-crop case; None if it has none."""
        scoring = self.verdicts.scoring
        if not self._disagree or scoring.methods["wca"].regions != "crops":
            return None
        a, b = self._disagree
        return misleading_cases(
            weights=self.weights["wca"][None],
            region_scores=self._region_scores("wca")[None],
            whole_scores=class_scores(self.verdicts.image.whole[None], scoring.class_vectors["wca"]),
            global_weight=scoring.methods["wca"].global_weight,
            misleading=self.misleading[None],
            wca_label=np.array([a]),
            lgca_label=np.array([b]),
        )[0]

    @cached_property
    def stability(self) -> dict[str, float]:
        """Method name to the share of bootstrap draws of the crops in which it keeps its label, see :func:`stability`.

        1 for methods without regions. Known shares of the classes are left aside: it is about :attr:`own_labels`.
        """
        return {name: self._stability(name) for name in self.methods}

    def _stability(self, name: str) -> float:
        scoring, label = self.verdicts.scoring, int(self.verdicts.own_scores[name].argmax())
        if name in self.verdicts.learned:
            return self.verdicts.learned[name].stability(label)
        method = scoring.methods[name]
        kept = stability(
            method,
            self.verdicts.image,
            scoring.counts,
            scoring.classes_of(method),
            weights=self.verdicts.weighed[name],
            region_scores=None if method.regions == "none" else self._region_scores(name),
            labels=label,
        )
        return float(kept)

    @cached_property
    def _disagree(self) -> tuple[int, int] | tuple[()]:
        """Class indices of WCA's label and LGCA's from the image alone, if they differ."""
        if "wca" not in self.methods or "lgca" not in self.methods:
            return ()
        a, b = (int(self.verdicts.own_scores[name].argmax()) for name in ("wca", "lgca"))
        return (a, b) if a != b else ()

    @cached_property
    def _known_scores(self) -> dict[int, FloatArray]:
        """Id of class vectors to region scores."""
        return {}

    def _region_scores(self, method: str) -> FloatArray:
        """Returns ``[n, C]`` scores of the regions themselves, computed once for methods that share class vectors."""
        vectors = self.verdicts.scoring.class_vectors[method]
        if id(vectors) not in self._known_scores:
            self._known_scores[id(vectors)] = class_scores(self.verdicts.image.regions, vectors)
        return self._known_scores[id(vectors)]

    # ------------------------------------------------------------------------------------------------ as document

    def to_json(self, *, top: int = 5) -> dict[str, Any]:
        """Returns the evidence as a JSON-ready dict, for a panel.

        Args:
            top: how many classes of each method, best first

        Returns:
            a dict with ``sample_id``, ``run_key`` and ``explained``; ``methods``: by name label, confidence, margin,
            runner_up, stability, the best classes (``top``), the classes of :meth:`pair` (``pair``), their margin, the
            parts of it that no region has (``terms``) and the sum of those (``global_contribution``); ``regions``: each
            with index, box, step, chain, similarity, vote, misleading, and for methods with regions its weight and its
            share of the pair's margin (``contributions``); ``chains``: those that have grown, with their regions and
            whether they flipped; ``case``: None, or what ``MisleadingCase.to_json`` returns
        """
        with_regions = [name for name, weights in self.weights.items() if weights.any()]
        shares = {name: self.contributions(name, *self.pair(name)) for name in with_regions}
        methods = self.verdicts.to_json()["methods"]
        for name, of_method in methods.items():
            of_method.update(self._method_json(name, top))
        return {
            "sample_id": self.sample_id,
            "run_key": self.run_key,
            "explained": self.explained,
            "methods": methods,
            "regions": [
                {
                    "index": r,
                    "box": self.boxes[r].tolist(),
                    "step": int(self.step[r]),
                    "chain": int(self.chain[r]),
                    "similarity": float(self.similarity[r]),
                    "vote": self.classes[self.vote[r]],
                    "misleading": bool(self.misleading[r]),
                    "weights": {name: float(self.weights[name][r]) for name in with_regions},
                    "contributions": {name: float(shares[name][r]) for name in with_regions},
                }
                for r in range(len(self.step))
            ],
            "chains": [
                {"chain": number, "regions": self.regions_of(chain=number), "flipped": flipped}
                for number, flipped in self.flips.items()
            ],
            "case": None if self.case is None else self.case.to_json(self.classes),
        }

    def _method_json(self, name: str, top: int) -> dict[str, Any]:
        scores, confidences = self.scores[name], self.confidences[name]
        pair = self.pair(name)
        return {
            "stability": self.stability[name],
            "top": [
                {"label": self.classes[k], "score": float(scores[k]), "confidence": float(confidences[k])}
                for k in np.argsort(-scores, kind="stable")[:top]
            ],
            "pair": list(pair),
            "pair_margin": self.margin(name, *pair),
            "terms": self.terms(name, *pair),
            "global_contribution": self.global_contribution(name, *pair),
        }

    def __repr__(self) -> str:
        labels = ", ".join(f"{name} {label}" for name, label in self.labels.items())
        facts = [f"{len(self.step)} regions", f"{sum(self.flips.values())} of {len(self.flips)} chains flipped"]
        if self._disagree:
            facts.append(f"{int(self.misleading.sum())} misleading crops")
        if self.case is not None:
            facts.append(f"without {self.case.size} of its crops WCA says what LGCA says")
        return f"<Evidence on sample {self.sample_id!r} in run {self.run_key!r}: {labels}; {'; '.join(facts)}>"
