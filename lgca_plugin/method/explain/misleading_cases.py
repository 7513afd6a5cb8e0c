"""Misleading-crop cases: the fewest crops whose removal turns WCA's label into LGCA's.

WCA's weights are a softmax over its crops, so the remaining crops share the whole weight in the same proportions. Class
b is the label without a set S of crops if it leads every other class k:
``sum of w_r (<f_r, c(b)> - <f_r, c(k)>) over r not in S > 0``. What each crop adds to b's lead over each rival is a
number, and the smallest S is the solution of an integer program with one row a rival.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .stability import TIE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]
    BoolArray = NDArray[np.bool_]

NODE_LIMIT = 1_000
"""Maximum number of nodes of the solver's search tree; a time limit would give other results on other machines."""

_RIVALS_AT_ONCE = 8
_SLACK = 1e-5  # in units of the largest number of a row; HiGHS rounds at 1e-6


@dataclass(frozen=True)
class Removal:
    """A set of crops, ascending, whose removal leaves every rival behind; ``at_least`` is a lower bound on its size."""

    crops: tuple[int, ...]
    at_least: int

    @property
    def exact(self) -> bool:
        """Whether the set is proven to be a smallest one."""
        return len(self.crops) == self.at_least


@dataclass(frozen=True)
class MisleadingCase:
    """A sample on which WCA and LGCA disagree, and WCA without its misleading crops has LGCA's label.

    Attributes:
        wca_label: class index of WCA's label
        lgca_label: class index of LGCA's label
        crops: indices of the fewest of WCA's crops whose removal turns its label into LGCA's; among the smallest sets
            the one with most misleading crops, and among those the one that contributes most to WCA's label
        exact: whether the set is proven to be a smallest one; if the solver gave up, ``size`` may be too large
        at_least: lower bound on ``size``; equal to it if ``exact``
    """

    wca_label: int
    lgca_label: int
    crops: tuple[int, ...]
    exact: bool
    at_least: int

    @property
    def size(self) -> int:
        """The number of crops."""
        return len(self.crops)

    def to_json(self, classes: Sequence[str]) -> dict[str, Any]:
        """Returns the case as a JSON-ready dict, with the labels' names."""
        return {
            "wca_label": classes[self.wca_label],
            "lgca_label": classes[self.lgca_label],
            "crops": list(self.crops),
            "size": self.size,
            "exact": self.exact,
            "at_least": self.at_least,
        }


def misleading_cases(
    *,
    weights: FloatArray,
    region_scores: FloatArray,
    whole_scores: FloatArray,
    global_weight: float,
    misleading: BoolArray,
    wca_label: IntArray,
    lgca_label: IntArray,
    any_crops: bool = False,
    node_limit: int = NODE_LIMIT,
) -> list[MisleadingCase | None]:
    """Finds for each of b images its misleading-crop case, or None.

    Args:
        weights: ``[b, n]`` WCA's region weights
        region_scores: ``[b, n, C]`` scores of the regions themselves, under WCA's class vectors
        whole_scores: ``[b, C]`` scores of the whole images, under the same
        global_weight: WCA's weight of the whole image
        misleading: ``[b, n]`` the misleading crops, see :func:`~.contributions.misleading_crops`
        wca_label: ``[b]`` class index
        lgca_label: ``[b]`` class index
        any_crops: whether any of the smallest sets will do, because only sizes are used; avoids most integer programs
        node_limit: maximum number of nodes of the solver's search tree
    """
    cases: list[MisleadingCase | None] = [None] * len(weights)
    for i in np.flatnonzero((wca_label != lgca_label) & misleading.any(axis=1)):
        a, b = int(wca_label[i]), int(lgca_label[i])
        used = np.flatnonzero(weights[i] > 0)
        marked = misleading[i, used]
        lead = _leads(weights[i, used], region_scores[i, used], global_weight * whole_scores[i], b)
        if not (lead[~marked].sum(axis=0) > 0).all():
            continue
        pull = weights[i, used] * (region_scores[i, used, a] - region_scores[i, used, b])
        found = smallest_removal(lead, preferred=marked, pull=pull, any_crops=any_crops, node_limit=node_limit)
        if found is not None:
            crops = tuple(used[list(found.crops)].tolist())
            cases[i] = MisleadingCase(a, b, crops, found.exact, found.at_least)
    return cases


def smallest_removal(
    lead: FloatArray,
    *,
    preferred: BoolArray,
    pull: FloatArray,
    any_crops: bool = False,
    node_limit: int = NODE_LIMIT,
) -> Removal | None:
    """Finds a smallest set of crops whose removal leaves every rival behind, empty if none has to go.

    Removing crops in the order of ``preferred`` and ``pull`` gives a first set. It is a smallest one if it is as small
    as the strongest rival alone requires, as always with two classes. Otherwise SciPy's integer programming (HiGHS)
    decides, with rivals added when a solution violates their rows. When it gives up, the first set is returned with a
    lower bound on the size; None if no set does, or none was found.

    Args:
        lead: ``[n, rivals]`` what each crop adds to the lead over each rival
        preferred: ``[n]`` crops to remove rather than others, among sets of equal size
        pull: ``[n]`` among sets with equally many preferred crops, the one with the largest sum is returned
        any_crops: whether any other set of the same size will do
        node_limit: maximum number of nodes of the solver's search tree
    """
    least = _least(lead)
    if least is None:
        return None
    order = np.lexsort((-pull, ~preferred))
    size = _first_sufficient(lead[order])
    if size == least:  # the first crops of the order are the best choice among all sets of this size
        return Removal(_ascending(order[:size]), least)
    if any_crops:
        taken = _one_by_one(lead, least)
        if taken is not None:
            return Removal(_ascending(taken), least)
    return _Program(lead, preferred, pull, least, node_limit).solve(
        None if size is None else order[:size], any_crops=any_crops
    )


def _leads(weights: FloatArray, scores: FloatArray, of_whole: FloatArray, b: int) -> FloatArray:
    """Returns what each crop adds to b's lead over every other class, ``[n, C - 1]``.

    The weights of the remaining crops are normalized to sum to 1, so each crop carries its share of the whole image's
    lead, too. A lead up to ``TIE`` counts as none.
    """
    lead = (scores + of_whole).astype(np.float64)
    lead = np.delete(lead[:, b, None] - lead - TIE, b, axis=1)
    return weights[:, None] * lead


def _first_sufficient(lead: FloatArray) -> int | None:
    """Returns how many of the first crops have to go for all rivals to stay behind; None if all of them do not do."""
    remaining = lead[::-1].cumsum(axis=0)[::-1]  # summed from the end: what is left may be tiny
    sufficient = np.flatnonzero((remaining > 0).all(axis=1))
    return int(sufficient[0]) if len(sufficient) else None


def _least(lead: FloatArray) -> int | None:
    """Returns the most crops that any single rival requires; None if one of them stays ahead whatever is removed."""
    ahead = lead[:, lead.sum(axis=0) <= 0]
    if not ahead.shape[1]:
        return 0
    remaining = np.sort(ahead, axis=0)[::-1].cumsum(axis=0)[::-1] > 0
    return int(remaining.argmax(axis=0).max()) if remaining.any(axis=0).all() else None


def _one_by_one(lead: FloatArray, most: int) -> IntArray | None:
    """Greedily removes the crop that closes most of the rivals' gaps; None if ``most`` crops are not enough."""
    gone = np.zeros(len(lead), dtype=bool)
    for _ in range(most):
        remaining = lead[~gone].sum(axis=0)
        gap = np.maximum(-remaining, np.finfo(np.float64).tiny)[remaining <= 0]
        closed = np.minimum(-lead[:, remaining <= 0] / gap, 1).sum(axis=1)
        gone[np.where(gone, -np.inf, closed).argmax()] = True
    return np.flatnonzero(gone) if (lead[~gone].sum(axis=0) > 0).all() else None


def _ascending(crops: IntArray) -> tuple[int, ...]:
    return tuple(np.sort(crops).tolist())


class _Program:
    """The integer program: which crops go (1) and which stay (0)."""

    def __init__(self, lead: FloatArray, preferred: BoolArray, pull: FloatArray, least: int, node_limit: int) -> None:
        self._lead = lead
        self._preferred = preferred
        self._pull = pull
        self._least = least
        self._node_limit = node_limit
        self._rivals = set(np.flatnonzero(lead.sum(axis=0) <= 0).tolist())
        self._refused: list[BoolArray] = []

    def solve(self, known: IntArray | None, *, any_crops: bool) -> Removal | None:
        """Finds a smallest set, the best of them unless any will do; ``known`` is a first set, if there is one."""
        n, most = len(self._lead), len(self._lead) - 1 if known is None else len(known)
        fewest, bound = self._best(n + 1.0 - self._preferred, [(np.ones(n), self._least, most)])
        if fewest is None:  # given up, or there is none
            at_least = max(self._least, int(np.ceil(bound / (n + 1) - TIE)) if np.isfinite(bound) else 0)
            return None if known is None else Removal(_ascending(known), min(at_least, most))
        size, kept = int(fewest.sum()), int((fewest & self._preferred).sum())
        if any_crops:
            return Removal(tuple(np.flatnonzero(fewest).tolist()), size)
        scale = float(np.abs(self._pull).max()) or 1.0
        limits = [(np.ones(n), size, size), (self._preferred.astype(float), kept, kept)]
        strongest, _ = self._best(-self._pull / scale, limits)
        chosen = fewest if strongest is None else strongest
        return Removal(tuple(np.flatnonzero(chosen).tolist()), size)

    def _best(
        self, cost: FloatArray, limits: Sequence[tuple[FloatArray, float, float]]
    ) -> tuple[BoolArray | None, float]:
        """Minimizes a cost; returns the crops that go, or None, and a lower bound on the cost.

        The solver rounds, so its rows are a little too loose; its solutions are checked and wrong ones excluded.
        """
        bound, nodes = -np.inf, self._node_limit
        while nodes > 0:
            result = self._run(cost, limits, nodes)
            nodes -= max(1, result.mip_node_count or 0)
            bound = bound if result.mip_dual_bound is None else result.mip_dual_bound
            if result.status != 0 or result.x is None:
                return None, bound
            gone = result.x > 0.5
            remaining = self._lead[~gone].sum(axis=0)
            if (remaining > 0).all():
                return gone, bound
            behind = [k for k in np.argsort(remaining).tolist() if remaining[k] <= 0 and k not in self._rivals]
            if behind:
                self._rivals.update(behind[:_RIVALS_AT_ONCE])
            else:
                self._refused.append(gone)
        return None, bound

    def _run(self, cost: FloatArray, limits: Sequence[tuple[FloatArray, float, float]], nodes: int) -> Any:
        from scipy.optimize import Bounds, LinearConstraint, milp  # SciPy is a dependency of FiftyOne

        rows = self._lead[:, sorted(self._rivals)].T
        rows = rows / np.abs(rows).max(axis=1, keepdims=True)
        constraints = [LinearConstraint(rows, -np.inf, rows.sum(axis=1) + _SLACK)]
        constraints += [LinearConstraint(row[None], low, high) for row, low, high in limits]
        constraints += [
            LinearConstraint(np.where(gone, 1.0, -1.0)[None], -np.inf, gone.sum() - 1) for gone in self._refused
        ]
        return milp(
            cost,
            integrality=np.ones(len(cost)),
            bounds=Bounds(0, 1),
            constraints=constraints,
            options={"node_limit": nodes, "mip_rel_gap": 0},
        )
