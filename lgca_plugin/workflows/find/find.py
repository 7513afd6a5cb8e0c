"""Finds wrong labels: classifies the images that are new or changed, and triages the run."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from ...encoder.base import encoder_fingerprint
from ...encoder.loading import load_encoder
from ...errors import ConfigError, LgcaError
from ...progress import Progress
from ...runs.record import check_current
from ...runs.registry import DONE, update_record
from ..classify.classify import iter_classify
from ..classify.request import ClassifyOptions, check_classify
from ..rescore.plan import Changes, check_rescore
from ..rescore.rescore import iter_rescore
from ..triage.plan import check_triage
from ..triage.triage import iter_triage
from .changed_files import clear_changed
from .timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from ...encoder.base import Encoder
    from ...runs.record import RunRecord
    from ..classify.request import ClassifyRequest
    from ..decisions.queue import Triage
    from .request import FindRequest

logger = logging.getLogger(__name__)

TRIAGE_SECONDS = 0.004
"""Estimated time of a triage in seconds an image."""

RESCORE_SECONDS = 0.004
"""Estimated time of a rescoring in seconds an image."""

RESCORE, CLASSIFY, TRIAGE = "rescore", "classify", "triage"
"""The phases, in their order."""


def iter_find_wrong_labels(
    request: FindRequest, *, seconds_per_image: float | None = None
) -> Generator[Progress, None, Triage]:
    """Does what :func:`lgca_plugin.find_wrong_labels` does, as a generator that yields progress and returns the triage.

    Closing the generator stops cleanly; a later call goes on. ``seconds_per_image`` is the expected time of an image,
    for the time left until some are done; None if it is not known.
    """
    search = _Search(request)
    yield Progress(0, 0, "Looking for new and changed images")
    search.find_what_is_left()
    if search.encodes:
        yield Progress(0, 0, "Loading the model")
        search.load()
    total, n_left = len(request.target.samples), len(search.todo)
    expected = {
        RESCORE: total * RESCORE_SECONDS if search.rescores else None,
        CLASSIFY: None if seconds_per_image is None else n_left * seconds_per_image,
        TRIAGE: total * TRIAGE_SECONDS,
    }
    phases = {RESCORE: search.rescores, CLASSIFY: search.encodes, TRIAGE: True}
    timeline = Timeline(total, {name: expected[name] for name, happens in phases.items() if happens})
    if search.rescores:
        yield from timeline.run(RESCORE, search.rescore(), label="Images compared with the new classes")
    if search.encodes:
        yield from timeline.run(CLASSIFY, search.classify(), label="Images classified")
    return (yield from timeline.run(TRIAGE, search.triage(), label="Labels judged"))


class _Search:
    """The steps of a search.

    Attributes:
        run: the run that the search goes on with; None until a new one is classified
        todo: ids of the samples that are to be classified
    """

    def __init__(self, request: FindRequest) -> None:
        self.run: RunRecord | None = request.previous
        self.todo: list[str] = []
        self._request = request
        self._encoder: Encoder | None = request.encoder
        self._entry = replace(request.entry, at=time.time()).to_results()
        self._replaces = False

    @property
    def rescores(self) -> bool:
        """Whether the classes or their descriptions have changed."""
        return self.run is not None and self._request.rescores

    @property
    def encodes(self) -> bool:
        """Whether there is anything to classify, or an interrupted run to finish."""
        return self.run is None or bool(self.todo) or self.run.results.get("status") != DONE

    def find_what_is_left(self) -> None:
        """Finds the samples to classify: those without a prediction, and those whose image has changed."""
        samples = self._request.target.samples
        ids, paths = samples.values(["id", "filepath"])
        if self.run is not None:
            check_current(self.run)
            done = self._classify_request().finished(ids)
            known = [(id_, path) for id_, path in zip(ids, paths, strict=True) if id_ in done]
            done.difference_update(clear_changed(self.run, known, self._classified_at(self.run)))
            ids = [id_ for id_ in ids if id_ not in done]
        self.todo = ids

    def _classified_at(self, run: RunRecord) -> float:
        """Returns a time at which no image of the run had been read yet, in seconds since 1970."""
        if self._request.had is not None:
            return self._request.had.at
        return float(run.dataset.get_run_info(run.key).timestamp.timestamp())

    def load(self) -> None:
        """Loads the encoder. If its weights are not those of the run that it has found, the search makes a new run."""
        request, options = self._request, self._request.options
        if self._encoder is None and request.source is not None:
            name, pretrained = request.source
            config = None if self.run is None else self.run.config
            self._encoder = load_encoder(
                name,
                pretrained,
                device=options.device,
                precision=options.precision if config is None else config.precision,
                resize="auto" if config is None else config.resize,
            )
        if self.run is None or self._encoder is None or options.run_key is not None:
            return
        if encoder_fingerprint(self._encoder) != self.run.config.encoder_fingerprint:
            self._request = request.as_new_run()
            self.run = None
            self.todo = request.target.samples.values("id")

    def rescore(self) -> Generator[Progress, None, None]:
        """Scores the run with the new classes and descriptions; without stored embeddings, it is to be encoded anew."""
        assert self.run is not None  # noqa: S101 (it rescores)
        request = self._request
        try:
            changes = Changes(classes=request.classes, descriptions=request.described)
            rescoring = replace(check_rescore(self.run, changes), entries=self._entry)
            self.run = yield from iter_rescore(rescoring, encoder=self._encoder)
        except ConfigError as error:  # nothing is written then
            logger.info("The images are classified again, for the stored embeddings can't be used: %s", error)
            self._replaces = True
            self.run = None
            self.todo = request.target.samples.values("id")

    def classify(self) -> Generator[Progress, None, None]:
        """Classifies what is left.

        Raises:
            LgcaError: if no image could be read
        """
        if self._encoder is None:
            self.load()
        self.run = yield from iter_classify(self._classify_request(), encoder=self._encoder)
        if not self.run.results.get("predicted"):
            reason = next(iter(self.run.failures.values()), "the run has no image")
            raise LgcaError(f"none of the {len(self.todo):,} images could be classified, for example: {reason}")

    def _classify_request(self) -> ClassifyRequest:
        """Returns the classification of the target with the run's settings, or with those of a new one."""
        request, options = self._request, self._request.options
        settings: dict[str, Any] = {"classes": request.classes, "ground_truth": request.ground_truth}
        described = request.described
        if self.run is not None:
            config = self.run.config
            stored = self.run.results.get("stored") or {}
            settings = {
                "classes": config.classes,
                "ground_truth": config.ground_truth,
                "logits": config.logits,
                "shown_chains": config.shown_chains,
                "store_regions": bool(stored.get("regions", True)),
            }
        checked = check_classify(
            ClassifyOptions(
                samples=request.target.samples,
                descriptions=described or None,
                run_key=request.run_key,
                methods=request.methods,
                regions=request.regions,
                budget=request.budget,
                batch_size=options.batch_size,
                overwrite=self._replaces,
                **settings,
            )
        )
        return replace(checked, entries=self._entry)

    def triage(self) -> Generator[Progress, None, Triage]:
        """Triages the run."""
        assert self.run is not None  # noqa: S101 (it was found or classified)
        if self.run.results.get("find") != self._entry["find"]:
            update_record(self.run, **self._entry)
        checked = check_triage(self.run, ground_truth=self._request.ground_truth)
        return iter_triage(checked, encoder=self._encoder)
