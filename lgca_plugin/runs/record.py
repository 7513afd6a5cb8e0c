"""``RunRecord``: a run's settings and outcome as data. What users call on a run is in :mod:`lgca_plugin.run`."""

from __future__ import annotations

import json
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..errors import LgcaError
from ..fiftyone_io.database import reload_if_changed
from ..fiftyone_io.fields import error_field, method_field, run_fields
from ..fiftyone_io.holders import is_alive
from ..fiftyone_io.leases import read_lease
from ..fiftyone_io.run_results import change_run_results, read_run_results
from ..fiftyone_io.samples import image_samples
from ..fiftyone_io.tokens import new_token, run_token
from .left_over import is_left_over, results_left_over
from .state import live_state, recorded_state, says_live, status_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import fiftyone as fo

    from ..config import RunConfig
    from .lease import Lease
    from .state import RunState


class RunRecord:
    """The record of a zero-shot run on a dataset.

    Attributes:
        dataset: the FiftyOne dataset
        key: the run key
        config: the settings of the run
        results: status, counts, timings and the class descriptions, as stored
        token: identifies this run among all that were or will be stored under its key
        lease: the lease of the call that writes to the run; None for all that only read it
    """

    lease: Lease | None = None

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

    @property
    def state(self) -> RunState:
        """The state of the run, with times and reason; of a run whose process was killed, too.

        Pending or running while a call holds the key, in this process or in another; otherwise what has become of the
        predictions, or of the triage if that alone has failed.
        """
        lease = read_lease(self.dataset, self.key)
        if lease is not None and is_alive(lease):
            return live_state(lease)
        if lease is not None or says_live(self.results):
            # What has happened since they were read; nothing is there if the run has been deleted.
            self.results = read_results(self.dataset, self.key) or self.results
        return recorded_state(self.results, lease)

    def summary(self) -> dict[str, Any]:
        """Returns the run's outcome.

        Returns:
            a dict with ``status``, that of the predictions: ``"running"``, ``"done"`` or ``"interrupted"``; ``state``,
            what :attr:`state` returns, as JSON; ``total`` and the counts ``predicted``, ``failed``, ``skipped`` and
            ``pending`` that sum to it: the first two over all samples that the run has processed, in any number of
            calls, the others of the last call (``pending`` is 0 once the status is ``"done"``); ``skipped_reasons``;
            over all calls ``images_encoded``, ``images_recalled`` (with all embeddings in the store), ``encodes``,
            ``seconds``, and the ratios ``encodes_per_image`` (of those encoded), ``images_per_second`` and
            ``encodes_per_second``; ``planned_encodes_per_image``, the maximum under a full budget;
            ``stopped_after``, under an adaptive budget: number of crops to number of images that stopped there;
            ``engine``, the last call's :class:`~lgca_plugin.engine.stats.EngineStats`; ``stored``, what the store
            holds of the run: ``samples``, whether ``regions`` are stored, whether the last call is stored completely
            (``complete``); ``methods``, ``classes`` (their number), ``encoder``, ``device``, ``precision``,
            ``templates`` (classes without descriptions), ``texts`` (of descriptions: their ``style``, how many are
            used ``as_given`` and how many ``in_sentences`` with their class, with an ``example``), ``warnings`` and
            ``version``
        """
        state = self.state  # first, for it reads the results again if they are out of date
        left_out = ("descriptions", "texts_of_former_classes", "triage_state", "text_warnings", "fused", "job")
        summary = {name: value for name, value in self.results.items() if name not in left_out}
        return {
            **summary,
            "status": status_of(self.results, live=state.is_live),
            "state": state.to_json(),
            "methods": [method.name for method in self.config.methods],
            "classes": len(self.config.classes),
            "encoder": self.config.encoder,
            "precision": self.config.precision,
        }

    def is_current(self) -> bool:
        """Returns True if this is still the run under its key: it was neither deleted nor started again.

        For the call that writes to it, that it was not taken over by another one, either.
        """
        if self.lease is not None and not self.lease.is_held():
            return False
        return self.token == run_token(self.dataset, self.key)

    def save(self) -> None:
        """Writes :attr:`results` to the run's record, in place of all that is there."""
        change_run_results(self.dataset, self.key, lambda _: self.results)

    def __repr__(self) -> str:
        state, results = self.state, self.results
        return (
            f"<Run {self.key!r} on {self.dataset.name!r}: {state.name}, "
            f"{results.get('predicted', 0)} predicted, {results.get('failed', 0)} failed, "
            f"{results.get('skipped', 0)} skipped of {results.get('total', 0)}; "
            f"methods {', '.join(method_field(self.key, method.name) for method in self.config.methods)}>"
        )

    def __str__(self) -> str:
        warnings = [f"  warning: {warning}" for warning in self.results.get("warnings", ())]
        return "\n".join([repr(self), *self._texts_line(), *warnings])

    def _texts_line(self) -> list[str]:
        use = self.results.get("texts") or {}
        if not use:
            return []
        line = f"  descriptions: {use['as_given']:,} used as they are"
        if use["in_sentences"]:
            text, sentence = use["example"]
            line += f", {use['in_sentences']:,} put into a sentence with their class, as {text!r} into {sentence!r}"
        return [line]


def stored_triage(results: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the report of a run's triage, as stored in the run's results; empty without one.

    Of a run that replaced a triaged one, only ``ground_truth`` and ``corrected_field``, which its decisions need.
    """
    return results.get("triage") or results.get("decided") or {}


def check_current(run: RunRecord) -> None:
    """Checks that a run is still the one under its key, and still this call's if this writes to it.

    Raises:
        LgcaError: if it was deleted, rescored, started again or taken over, so that nothing more may be written
    """
    if run.lease is not None:
        run.lease.renew()
    token = run_token(run.dataset, run.key)
    if token == run.token:
        return
    if token is None or run.key not in run.dataset.list_runs():
        raise LgcaError(f"run {run.key!r} was deleted since it was loaded, so nothing can be done with it")
    what = f"run {run.key!r} was rescored or started again since it was loaded"
    raise LgcaError(
        f"{what}: load it again with lgca.load_run(dataset, {run.key!r})", app=f"{what}: choose it again to go on"
    )


def check_loaded(run: RunRecord) -> None:
    """Checks that a run is still the one under its key, after loading what others have changed of its dataset.

    Raises:
        LgcaError: if it was deleted, renamed, rescored or started again
    """
    reload_if_changed(run.dataset)
    check_current(run)
    keys = run.dataset.list_runs()
    if run.key not in keys:
        raise LgcaError(
            f"the record of run {run.key!r} was deleted or renamed since it was loaded, so nothing can be done with "
            f"it; the dataset has {'the runs ' + ', '.join(keys) if keys else 'no run'}"
        )


@contextmanager
def written_under(lease: Lease, run: RunRecord) -> Iterator[None]:
    """Lets a call write to a run only while it holds the run's lease, until the end of a ``with`` statement."""
    run.lease = lease
    try:
        yield
    finally:
        run.lease = None


def read_results(dataset: fo.Dataset, run_key: str) -> dict[str, Any]:
    """Returns the results in a run's record as JSON types, read from the database."""
    if is_left_over(dataset, run_key):
        return results_left_over(dataset, run_key)
    return as_json(read_run_results(dataset, run_key))


def as_json(stored: dict[str, Any]) -> dict[str, Any]:
    """Returns results as JSON types."""
    results: dict[str, Any] = json.loads(json.dumps(stored))
    return results
