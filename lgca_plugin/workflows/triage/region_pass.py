"""What a triage reads from regions: misleading crops, stability, and image vectors that are not stored."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import StoreError
from ...method.explain.region_findings import RegionAnalysis, SampleFindings
from ...runs.replay import replay_batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from ...config import RegionPlan
    from ...method.core.methods import Method
    from ...store.rows import StoredRun
    from ...store.store import Store
    from .samples import TriageSamples

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RegionFindings:
    """The findings of n samples.

    Attributes:
        there: ``[n]`` whether there are findings, because all region embeddings are stored, or the findings are
        case_size: ``[n]`` size of the misleading-crop case; nan where there is none
        proven: ``[n]`` whether that is proven to be the smallest
        stability: ``[n]`` of the label of the method with chains; nan where ``there`` is False
        vectors: method name to ``[n, d]`` float32 image vectors; nan where ``there`` is False
    """

    there: NDArray[np.bool_]
    case_size: NDArray[np.float64]
    proven: NDArray[np.bool_]
    stability: NDArray[np.float64]
    vectors: dict[str, NDArray[np.float32]]


@dataclass(eq=False)
class RegionPass:
    """Collects the findings of a triage: those that were stored with the regions, else computed from the regions.

    Attributes:
        methods: methods whose image vectors are computed from the regions
        findings: the findings, complete once :meth:`steps` has ended
    """

    store: Store
    stored: StoredRun
    analysis: RegionAnalysis
    plan: RegionPlan
    methods: Sequence[Method]
    samples: TriageSamples

    def __post_init__(self) -> None:
        self._ids = self.samples.ids
        compared = (self.analysis.crops, self.analysis.chains)
        self._labels = [self.samples.own_answers[method.name] for method in compared]
        n, dim = len(self._ids), next(iter(self.analysis.scoring.class_vectors.values())).shape[1]
        self.findings = RegionFindings(
            there=np.zeros(n, dtype=bool),
            case_size=np.full(n, np.nan),
            proven=np.ones(n, dtype=bool),
            stability=np.full(n, np.nan),
            vectors={method.name: np.full((n, dim), np.nan, np.float32) for method in self.methods},
        )

    def steps(self) -> Iterator[int]:
        """Collects the findings; yields the number of samples that are done."""
        if not self.methods:  # image vectors need the regions in any case
            self._read_stored()
        rows = np.flatnonzero(~self.findings.there)
        for done in self._compute(rows):
            yield len(self._ids) - len(rows) + done
        self._write_stored(rows[self.findings.there[rows]])

    def _read_stored(self) -> None:
        """Reads the stored findings of the samples whose labels are still the same."""
        stored = self.store.findings(self.stored, self.analysis.key)
        found, labels = self.findings, zip(*(column.tolist() for column in self._labels), strict=True)
        for row, (id_, own) in enumerate(zip(self._ids, labels, strict=True)):
            finding = stored.get(id_)
            if finding is not None and (finding.crops_label, finding.chains_label) == own:
                found.there[row], found.case_size[row] = True, finding.case_size
                found.proven[row], found.stability[row] = finding.proven, finding.stability

    def _compute(self, missing: NDArray[np.int64]) -> Iterator[int]:
        """Computes the findings of some rows from the stored regions."""
        from threadpoolctl import threadpool_limits

        found, row_of = self.findings, {self._ids[row]: row for row in missing.tolist()}
        done = 0
        batches = replay_batches(self.store, self.stored, list(row_of), self.plan)
        # A second thread reads ahead, so another thread in each matrix product only waits for a core.
        with threadpool_limits(1, user_api="blas"), closing(batches):
            for batch, incomplete in batches:
                if batch is not None:
                    rows = np.array([row_of[id_] for id_ in batch.ids])
                    analysis = self.analysis.at(self.plan.at(batch.level).crop_counts)
                    crops_label, chains_label = (labels[rows] for labels in self._labels)
                    of_batch = analysis.find(batch, crops_label=crops_label, chains_label=chains_label)
                    found.there[rows] = True
                    found.case_size[rows], found.proven[rows] = of_batch.case_size, of_batch.proven
                    found.stability[rows] = of_batch.stability
                    for method in self.methods:
                        found.vectors[method.name][rows] = analysis.vectors(method, batch)
                done += len(incomplete) + (0 if batch is None else len(batch))
                yield done

    def _write_stored(self, rows: NDArray[np.int64]) -> None:
        """Stores computed findings for the next triage."""
        if not len(rows):
            return
        found = self.findings
        columns = (*self._labels, found.case_size, found.proven, found.stability)
        values = zip(*(column[rows].tolist() for column in columns), strict=True)
        findings = {self._ids[row]: SampleFindings(*of_row) for row, of_row in zip(rows.tolist(), values, strict=True)}
        try:
            self.store.write_findings(self.stored, self.analysis.key, findings)
        except StoreError as error:
            logger.warning("%s; the next triage has to compute the findings from the regions again", error)
