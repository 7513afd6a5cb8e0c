"""Going through the stored regions of many samples: misleading crops, stability, image vectors that are not kept."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...runs.replay import replay_batches

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from ...config import RegionPlan
    from ...method.core.methods import Method
    from ...method.explain.region_findings import RegionAnalysis
    from ...store.rows import StoredRun
    from ...store.store import Store


@dataclass(frozen=True, kw_only=True)
class RegionPass:
    """What is looked for.

    Attributes:
        finder: finds it in a batch; under an adaptive budget, with the numbers of crops of each batch
        plan: which regions the run has encoded
        others: methods whose image vectors are wanted
    """

    finder: RegionAnalysis
    plan: RegionPlan
    others: tuple[Method, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RegionFindings:
    """What was found of m samples.

    Attributes:
        there: ``[m]`` whether all region embeddings are in the store; where not, the others say nothing
        case_size: ``[m]`` size of the misleading-crop case; nan where there is none
        proven: ``[m]`` whether that is proven to be the smallest
        stability: ``[m]`` of the label of the method with chains; nan where ``there`` is False
        vectors: method name to ``[m, d]`` float32 image vectors; nan where ``there`` is False
    """

    there: NDArray[np.bool_]
    case_size: NDArray[np.float64]
    proven: NDArray[np.bool_]
    stability: NDArray[np.float64]
    vectors: dict[str, NDArray[np.float32]]

    @classmethod
    def nothing(cls, m: int, what: RegionPass) -> RegionFindings:
        """Makes the findings before anything is known."""
        dim = next(iter(what.finder.scoring.class_vectors.values())).shape[1]
        return cls(
            there=np.zeros(m, dtype=bool),
            case_size=np.full(m, np.nan),
            proven=np.ones(m, dtype=bool),
            stability=np.full(m, np.nan),
            vectors={method.name: np.full((m, dim), np.nan, np.float32) for method in what.others},
        )

    def put(self, rows: slice | NDArray[np.int64], part: RegionFindings) -> None:
        """Takes over what was found of some of the samples."""
        self.there[rows], self.case_size[rows] = part.there, part.case_size
        self.proven[rows], self.stability[rows] = part.proven, part.stability
        for name, vectors in part.vectors.items():
            self.vectors[name][rows] = vectors


def look_at(
    store: Store,
    stored: StoredRun,
    what: RegionPass,
    ids: Sequence[str],
    *,
    crops_label: NDArray[np.int64],
    chains_label: NDArray[np.int64],
    ahead: bool = True,
) -> Generator[int, None, RegionFindings]:
    """Looks at samples, in this process; yields how many are done.

    Args:
        store: the store
        stored: the run's entry in it
        what: what is looked for
        ids: m sample ids
        crops_label: ``[m]`` class index of the label of the method with crops
        chains_label: ``[m]`` class index of the label of the method with chains
        ahead: whether another thread reads ahead

    Returns:
        the findings
    """
    from threadpoolctl import threadpool_limits

    seen = RegionFindings.nothing(len(ids), what)
    row_of = {id_: row for row, id_ in enumerate(ids)}
    done = 0
    # Another core reads, or does the same on other samples; two threads of one product would wait for each other.
    batches = replay_batches(store, stored, ids, what.plan, ahead=ahead)
    with threadpool_limits(1, user_api="blas"), closing(batches):
        for batch, incomplete in batches:
            if batch is not None:
                rows = np.array([row_of[id_] for id_ in batch.ids])
                finder = what.finder.at(what.plan.at(batch.level).crop_counts)
                found = finder.find(batch, crops_label=crops_label[rows], chains_label=chains_label[rows])
                seen.there[rows] = True
                seen.case_size[rows], seen.proven[rows] = found.case_size, found.proven
                seen.stability[rows] = found.stability
                for method in what.others:
                    seen.vectors[method.name][rows] = finder.vectors(method, batch)
            done += len(incomplete) + (0 if batch is None else len(batch))
            yield done
    return seen
