"""The content of a film strip: the chains of an image that matter most, and their part in a decision."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ConfigError
from ..core.scores import class_scores
from .learned import WHOLE_IMAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from .evidence import Evidence

CHAINS = 5
"""Default number of chains in a strip: as many as fit a screen."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A region of a strip.

    Attributes:
        region: its index in :class:`~.evidence.Evidence`; of boxes stored on a sample, their position there
        box: relative ``(x, y, width, height)``
        vote: the class that the region itself is closest to
        weight: its share of the method's image vector, in [0, 1]
        contribution: its part of the margin of class a over class b
        similarity: salience, in [-1, 1]
        out: whether it is taken out
    """

    region: int
    step: int
    box: tuple[float, float, float, float]
    vote: str
    weight: float
    contribution: float
    similarity: float
    misleading: bool
    out: bool


@dataclass(frozen=True, kw_only=True)
class Chain:
    """A crop and what it has grown into, the crop first.

    ``pull`` is, for a misleading crop, its share of all that pulls WCA from LGCA's label to its own, in [0, 1].
    """

    number: int
    frames: tuple[Frame, ...]
    pull: float | None

    @property
    def flipped(self) -> bool:
        """Whether the last vote differs from the first."""
        return self.frames[0].vote != self.frames[-1].vote


@dataclass(frozen=True, kw_only=True)
class Strip:
    """The chains that matter most, and the rest of the margin.

    The contributions of all frames, with ``others``, ``of_whole`` and ``terms``, sum to ``margin``; nan where unknown.

    Attributes:
        method: the method whose weights and contributions these are
        names: classes a and b
        chains: those of misleading crops first, by their pull; then by the size of their contribution
        n_chains: number of chains of the image
        steps: number of columns: one for the crop, one for each expansion step
        others: contribution of the chains left out
        of_whole: the whole image's contribution
        whole_vote: the class that the whole image itself is closest to; None if unknown
        whole_weight: the whole image's share of the image vector, in [0, 1]
        margin: score of a minus score of b; nan if the method has no label
        terms: name to contribution of what is neither a region of the run nor the whole image
        learned: whether the method is learned over several encoders: weights are shares of attention, their mean, and
            contributions sums
    """

    method: str
    names: tuple[str, str]
    chains: tuple[Chain, ...]
    n_chains: int
    steps: int
    others: float
    of_whole: float
    whole_vote: str | None
    whole_weight: float
    margin: float
    terms: Mapping[str, float] = field(default_factory=dict)
    learned: bool = False


def strip(
    evidence: Evidence,
    *,
    method: str | None = None,
    a: str | None = None,
    b: str | None = None,
    chains: int = CHAINS,
    out: Iterable[int] | NDArray[np.bool_] = (),
) -> Strip:
    """Returns the film strip of a sample.

    Args:
        evidence: the evidence on the sample
        method: name of a method with regions; None takes :attr:`Evidence.deciding`
        a: a class; None takes the first of :func:`rivals`
        b: its rival; None takes the second
        chains: maximum number of chains, at least 1
        out: regions that are taken out, as :meth:`Evidence.without` takes them. Weights change; the choice and order of
            the chains do not

    Raises:
        ConfigError: if there is no such method, class or region, or the method uses no regions
    """
    method = method or evidence.deciding
    if method is None or not evidence.weights[evidence.verdicts.scoring.method(method).name].any():
        raise ConfigError(f"method {method!r} looks at no regions of the image, so there is no strip of them")
    if isinstance(chains, bool) or not isinstance(chains, int) or chains < 1:
        raise ConfigError(f"chains must be a whole number from 1 on, got {chains!r}")
    first, second = rivals(evidence, a=a, b=b)
    remaining = evidence.without(out)
    share, pull = remaining.contributions(method, first, second), wca_pull(evidence)
    used = np.unique(evidence.chain[(evidence.weights[method] > 0) | evidence.misleading])
    strength = np.abs(evidence.contributions(method, first, second))
    ranked = sorted(
        used.tolist(),
        key=lambda number: (-pull[evidence.chain == number].sum(), -strength[evidence.chain == number].sum(), number),
    )

    def chain_of(number: int) -> Chain:
        members = np.flatnonzero(evidence.chain == number)
        members = members[np.argsort(evidence.step[members], kind="stable")]
        frames = []
        for r in members.tolist():
            x, y, width, height = evidence.boxes[r].tolist()
            frames.append(
                Frame(
                    region=r,
                    step=int(evidence.step[r]),
                    box=(x, y, width, height),
                    vote=evidence.classes[evidence.vote[r]],
                    weight=float(remaining.weights[method][r]),
                    contribution=float(share[r]),
                    similarity=float(evidence.similarity[r]),
                    misleading=bool(evidence.misleading[r]),
                    out=bool(remaining.gone[r]),
                )
            )
        pulled = float(pull[members].sum())
        return Chain(number=number, frames=tuple(frames), pull=pulled or None)

    shown = tuple(map(chain_of, ranked[:chains]))
    vectors = evidence.verdicts.scoring.class_vectors[method]
    terms = remaining.terms(method, first, second)
    rest = ~np.isin(evidence.chain, ranked[:chains])
    return Strip(
        method=method,
        names=(first, second),
        chains=shown,
        n_chains=len(used),
        steps=max(len(chain.frames) for chain in shown),
        others=float(share[rest].sum()),
        of_whole=terms.pop(WHOLE_IMAGE, 0.0),
        whole_vote=evidence.classes[int(class_scores(evidence.verdicts.image.whole, vectors).argmax())],
        whole_weight=remaining.whole_weight(method),
        terms=terms,
        learned=method in evidence.verdicts.learned,
        margin=remaining.margin(method, first, second),
    )


def rivals(
    evidence: Evidence, *, a: str | None = None, b: str | None = None, given: str | None = None
) -> tuple[str, str]:
    """Returns the two classes whose margin explains a decision.

    WCA's label and LGCA's, if these differ and no learned method decides. Otherwise the label of the method that
    decides, and the given label if that is another class of the run, else the runner-up.

    Args:
        evidence: the evidence on the sample
        a: replaces the first class
        b: replaces the second class
        given: the sample's given label

    Raises:
        ConfigError: if there is no such class, or both are the same
    """
    for name in (a, b):
        if name is not None:
            evidence.verdicts.scoring.index(name)
    if a is not None and a == b:
        raise ConfigError(f"a and b must be two classes, got {a!r} twice")
    about_crops = bool(evidence.misleading_pair) and not evidence.verdicts.learned
    method = "wca" if about_crops else evidence.deciding or evidence.methods[0]
    first, second = evidence.pair(method)
    if not about_crops and given in evidence.classes and given != first:
        second = str(given)
    ranked = [evidence.classes[k] for k in np.argsort(-evidence.scores[method], kind="stable")]
    choices = [name for name in (first, second, *ranked) if name not in (a, b)]
    return a or choices[0], b or next(name for name in choices if name != (a or choices[0]))


def wca_pull(evidence: Evidence) -> NDArray[np.float64]:
    """Returns the share of each misleading crop in what pulls WCA to its label, ``[n]``; 0 for all other regions.

    ``pull(r) = contribution(r; a over b) / sum of the contributions that are positive``, under WCA, with a its label
    and b LGCA's. The positive contributions sum to more than the margin, because other crops pull the other way.
    """
    if not evidence.misleading.any():
        return np.zeros(len(evidence.step))
    share = evidence.contributions("wca", *evidence.misleading_pair)
    towards = np.maximum(share, 0).astype(np.float64)
    pull: NDArray[np.float64] = np.where(evidence.misleading, towards / towards.sum(), 0.0)
    return pull


def strip_of_boxes(
    boxes: Sequence[Mapping[str, Any]], *, method: str, names: tuple[str, str], chains: int = CHAINS
) -> Strip:
    """Returns the film strip of the boxes that a run wrote to a sample, for samples without stored embeddings.

    Args:
        boxes: bounding_box, index (the chain), step, label, weight, contribution, similarity and misleading of each
        method: the method that the boxes explain
        names: the classes whose margin the contributions are parts of
        chains: maximum number of chains

    Returns:
        the strip, in the order of the boxes; the contributions of other chains, and pulls, are unknown
    """
    frames: dict[int, list[Frame]] = {}
    for place, box in enumerate(boxes):
        x, y, width, height = box["bounding_box"]
        frame = Frame(
            region=place,
            step=int(box.get("step") or 0),
            box=(x, y, width, height),
            vote=str(box.get("label")),
            weight=float(box.get("weight") or 0.0),
            contribution=float(box.get("contribution") or 0.0),
            similarity=float(box.get("similarity") or 0.0),
            misleading=bool(box.get("misleading")),
            out=False,
        )
        frames.setdefault(int(box.get("index") or 0), []).append(frame)
    rows = tuple(
        Chain(number=number, frames=tuple(sorted(members, key=lambda frame: frame.step)), pull=None)
        for number, members in list(frames.items())[:chains]
    )
    unknown = float("nan")
    return Strip(
        method=method,
        names=names,
        chains=rows,
        n_chains=len(frames),
        steps=max((len(row.frames) for row in rows), default=0),
        others=unknown,
        of_whole=unknown,
        whole_vote=None,
        whole_weight=0.0,
        margin=unknown,
    )
