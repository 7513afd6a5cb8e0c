"""``RunRecord``: a run's settings and outcome as data. What users call on a run is in :mod:`lgca_plugin.run`."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..errors import LgcaError
from ..fiftyone_io.fields import error_field, method_field, run_fields
from ..fiftyone_io.run_results import change_run_results
from ..fiftyone_io.samples import image_samples
from ..fiftyone_io.tokens import new_token, run_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    import fiftyone as fo

    from ..config import RunConfig


class RunRecord:
    """The record of a zero-shot run on a dataset.

    Attributes:
        dataset: the FiftyOne dataset
        key: the run key
        config: the settings of the run
        results: status, counts, timings and the class descriptions, as stored
        token: identifies this run among all that were or will be stored under its key
    """

    def __init__(
        self, dataset: fo.Dataset, key: str, config: RunConfig, results: dict[str, Any], *, token: str | None = None
    ) -> None:
        self.dataset = dataset
        self.key = key
        self.config = config
        self.results = results
        self.token = token or run_token(dataset, key) or new_token(dataset, key)

    @cached_property
    def fields(self) -> list[str]:
        """The sample fields that belong to the run."""
        return run_fields(self.key, self.config.methods, adaptive=self.config.region_plan.adaptive)

    @property
    def failures(self) -> dict[str, str]:
        """Sample id to the reason why the sample has no result."""
        path = error_field(self.key)
        if path not in self.dataset.get_field_schema():
            return {}
        failed = image_samples(self.dataset).exists(path)
        ids, reasons = failed.values(["id", path])
        return dict(zip(ids, reasons, strict=True))

    @property
    def descriptions(self) -> dict[str, list[str]]:
        """The descriptions that each class was scored with."""
        return {name: list(texts) for name, texts in self.results.get("descriptions", {}).items()}

    def summary(self) -> dict[str, Any]:
        """Returns the run's outcome.

        Returns:
            a dict with ``status``; ``total`` and the counts ``predicted``, ``failed``, ``skipped`` and ``pending`` that
            sum to it: the first two over all samples that the run has processed, in any number of calls, the others of
            the last call (``pending`` is 0 once the status is ``"done"``); ``skipped_reasons``; over all calls
            ``images_encoded``, ``images_recalled`` (with all embeddings in the store), ``encodes``,
            ``seconds``, and the ratios ``encodes_per_image`` (of those encoded), ``images_per_second`` and
            ``encodes_per_second``; ``planned_encodes_per_image``, the maximum under a full budget;
            ``stopped_after``, under an adaptive budget: number of crops to number of images that stopped there;
            ``engine``, the last call's :class:`~lgca_plugin.engine.feeder.EngineStats`; ``stored``, what the store
            holds of the run: ``samples``, whether ``regions`` are stored, whether the last call is stored completely
            (``complete``); ``methods``, ``classes`` (their number), ``encoder``, ``device``, ``precision``,
            ``templates`` (classes without descriptions), ``warnings`` and ``version``
        """
        texts = ("descriptions", "texts_of_former_classes")
        summary = {name: value for name, value in self.results.items() if name not in texts}
        return {
            **summary,
            "methods": [method.name for method in self.config.methods],
            "classes": len(self.config.classes),
            "encoder": self.config.encoder,
            "precision": self.config.precision,
        }

    def is_current(self) -> bool:
        """Returns True if this is still the run under its key: it was neither deleted nor started again."""
        return self.token == run_token(self.dataset, self.key)

    def save(self) -> None:
        """Writes :attr:`results` to the run's record, in place of all that is there."""
        change_run_results(self.dataset, self.key, lambda _: self.results)

    def __repr__(self) -> str:
        results = self.results
        return (
            f"<Run {self.key!r} on {self.dataset.name!r}: {results.get('status')}, "
            f"{results.get('predicted', 0)} predicted, {results.get('failed', 0)} failed, "
            f"{results.get('skipped', 0)} skipped of {results.get('total', 0)}; "
            f"methods {', '.join(method_field(self.key, method.name) for method in self.config.methods)}>"
        )


def stored_triage(results: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the report of a run's triage, as stored in the run's results; empty without one.

    Of a run that replaced a triaged one, only ``ground_truth`` and ``corrected_field``, which its decisions need.
    """
    return results.get("triage") or results.get("decided") or {}


def check_current(run: RunRecord) -> None:
    """Checks that a run is still the one under its key.

    Raises:
        LgcaError: if it was deleted or started again, so that nothing more may be written
    """
    if not run.is_current():
        raise LgcaError(f"run {run.key!r} was deleted or started again elsewhere, so this one has stopped")
