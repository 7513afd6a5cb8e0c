"""The chains of an image that are worth looking at, and their part in a decision: what a film strip shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ConfigError
from ..core.scores import class_scores

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from .evidence import Evidence
    from .method_results import MethodResults

CHAINS = 5
"""How many chains a strip shows, unless asked for more: those that do not fit a screen are seldom looked at."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A region of a strip.

    Attributes:
        region: its index, as :class:`~.account.Evidence` counts; of boxes that stand on a sample, their place there
        step: expansion step, 0 for the sampled crop
        box: relative ``(x, y, width, height)``
        vote: the class that the region itself is closest to
        weight: its share of the method's image vector, in [0, 1]
        contribution: its part of the margin of class a over class b
        similarity: salience, in [-1, 1]
        misleading: whether it is a misleading crop
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
    """A crop and what it has grown into.

    Attributes:
        number: number of the chain
        frames: its regions, the crop first
        pull: of a misleading crop, its share of all that pulls WCA from LGCA's label to its own, in [0, 1]; else None
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
    """The chains worth looking at, and what is left of the margin.

    The contributions of all frames, with ``others`` and ``of_whole``, sum to ``margin``.

    Attributes:
        method: the method whose weights and contributions these are
        names: classes a and b
        chains: misleading crops' first, the strongest pull on top; then by the size of their contribution
        n_chains: how many chains there are
        steps: how many columns it takes: one for the crop, one for each time it has grown
        others: contribution of the chains that are not shown; nan where that is not known
        of_whole: the whole image's contribution; nan where that is not known
        whole_vote: the class that the whole image itself is closest to; None where that is not known
        whole_weight: the whole image's share of the image vector, in [0, 1]
        margin: score of a minus score of b; nan where the method gives no answer, or it is not known
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


def strip(
    evidence: Evidence,
    *,
    method: str | None = None,
    a: str | None = None,
    b: str | None = None,
    chains: int = CHAINS,
    out: Iterable[int] | NDArray[np.bool_] = (),
) -> Strip:
    """Chooses the chains of a sample that are worth looking at.

    Args:
        evidence: everything about the sample
        method: name of a method that looks at regions; None takes the one that the evidence explains
        a: a class; None takes what :func:`rivals` gives
        b: its rival; None likewise
        chains: how many chains, at least 1
        out: regions that are taken out, as :meth:`Evidence.without` takes them: weights are those without them, while
            the chains are the same and in the same order

    Returns:
        the strip

    Raises:
        ConfigError: if there is no such method, class or region, or the method looks at no regions
    """
    method = method or evidence.explained
    if method is None or not evidence.weights[evidence.verdicts.scoring.method(method).name].any():
        raise ConfigError(f"method {method!r} looks at no regions of the image, so there is no strip of them")
    if isinstance(chains, bool) or not isinstance(chains, int) or chains < 1:
        raise ConfigError(f"chains must be a whole number from 1 on, got {chains!r}")
    first, second = rivals(evidence, a=a, b=b)
    left = evidence.without(out)
    share, pull = left.contributions(method, first, second), wca_pull(evidence)
    used = np.unique(evidence.chain[(evidence.weights[method] > 0) | evidence.misleading])
    strength = np.abs(evidence.contributions(method, first, second))
    ranked = sorted(
        used.tolist(),
        key=lambda number: (-pull[evidence.chain == number].sum(), -strength[evidence.chain == number].sum(), number),
    )
    shown = tuple(_chain(evidence, left, method, share, pull, number) for number in ranked[:chains])
    vectors = evidence.verdicts.scoring.class_vectors[method]
    whole = evidence.verdicts.scoring.methods[method].global_weight  # beside regions, whose weights sum to 1
    rest = ~np.isin(evidence.chain, ranked[:chains])
    return Strip(
        method=method,
        names=(first, second),
        chains=shown,
        n_chains=len(used),
        steps=max(len(chain.frames) for chain in shown),
        others=float(share[rest].sum()),
        of_whole=left.global_contribution(method, first, second),
        whole_vote=evidence.classes[int(class_scores(evidence.verdicts.image.whole, vectors).argmax())],
        whole_weight=whole / (1 + whole),
        margin=left.margin(method, first, second),
    )


def rivals(
    evidence: Evidence, *, a: str | None = None, b: str | None = None, given: str | None = None
) -> tuple[str, str]:
    """Names the two classes between which a decision is worth explaining.

    WCA's label and LGCA's, where these differ; else the label of the method that the evidence explains, and the given
    label where that is another class of the run, else the runner-up.

    Args:
        evidence: everything about the sample
        a: a class that has to be the first
        b: a class that has to be the second
        given: the label that the sample has been given

    Raises:
        ConfigError: if there is no such class, or both are the same
    """
    for name in (a, b):
        if name is not None:
            evidence.verdicts.scoring.index(name)
    if a is not None and a == b:
        raise ConfigError(f"a and b must be two classes, got {a!r} twice")
    method = "wca" if evidence.misleading_pair else evidence.explained or evidence.methods[0]
    first, second = evidence.pair(method)
    if not evidence.misleading_pair and given in evidence.classes and given != first:
        second = str(given)
    ranked = [evidence.classes[k] for k in np.argsort(-evidence.scores[method], kind="stable")]
    choices = [name for name in (first, second, *ranked) if name not in (a, b)]
    return a or choices[0], b or next(name for name in choices if name != (a or choices[0]))


def wca_pull(evidence: Evidence) -> NDArray[np.float64]:
    """Gives misleading crops their share of what pulls WCA to its label, ``[n]``; 0 for all other regions.

    ``pull(r) = contribution(r; a over b) / sum of the contributions that are positive``, under WCA, with a its label
    and b LGCA's. The sum of all that is positive is more than the margin, for other crops pull the other way.
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
    """Makes a strip of the boxes that stand on a sample, where embeddings are not stored.

    Args:
        boxes: bounding_box, index (the chain), step, label, weight, contribution, similarity and misleading of each
        method: the method that the boxes explain
        names: the classes whose margin the contributions are parts of
        chains: how many chains

    Returns:
        the strip, in the order of the boxes; nobody knows what the other chains have contributed, or how much misleads
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
    rows = [
        Chain(number=number, frames=tuple(sorted(members, key=lambda frame: frame.step)), pull=None)
        for number, members in list(frames.items())[:chains]
    ]
    unknown = float("nan")
    return Strip(
        method=method,
        names=names,
        chains=tuple(rows),
        n_chains=len(frames),
        steps=max((len(row.frames) for row in rows), default=0),
        others=unknown,
        of_whole=unknown,
        whole_vote=None,
        whole_weight=0.0,
        margin=unknown,
    )


def _chain(
    evidence: Evidence,
    left: MethodResults,
    method: str,
    share: NDArray[np.floating],
    pull: NDArray[np.float64],
    number: int,
) -> Chain:
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
                weight=float(left.weights[method][r]),
                contribution=float(share[r]),
                similarity=float(evidence.similarity[r]),
                misleading=bool(evidence.misleading[r]),
                out=bool(left.gone[r]),
            )
        )
    pulled = float(pull[members].sum())
    return Chain(number=number, frames=tuple(frames), pull=pulled or None)
