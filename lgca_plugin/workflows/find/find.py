"""Finds wrong labels: classifies the images that are new or changed, and triages the run."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from ...encoder.base import encoder_fingerprint
from ...encoder.loading import load_encoder
from ...encoder.precision import check_devices
from ...errors import ConfigError, LgcaError, StoreError
from ...fiftyone_io.documents import write_fields
from ...fiftyone_io.outages import patient
from ...progress import Progress
from ...runs.found import SearchEntry
from ...runs.lease import Lease, steps_under
from ...runs.record import check_current
from ...runs.registry import update_record
from ...runs.state import DONE
from ..classify.class_counts import class_counts
from ..classify.classify import iter_classify
from ..rescore.classified import as_change, shares_are_due
from ..rescore.request import Changes, check_rescore
from ..rescore.rescore import iter_rescore
from ..triage.plan import check_triage
from ..triage.triage import iter_triage
from .classification import classification
from .cost import expected_speed, triage_seconds
from .left import delete_stored, images_left
from .timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ...encoder.base import Encoder
    from ...runs.record import RunRecord
    from ..decisions.queue import Triage
    from .request import FindRequest

logger = logging.getLogger(__name__)

FIND = "find"

RESCORE_SECONDS = 0.004
"""Estimated time of a rescoring in seconds an image."""

RESCORE, CLASSIFY, SHARES, TRIAGE = "rescore", "classify", "shares", "triage"
"""The phases, in their order."""


def iter_find_wrong_labels(
    request: FindRequest,
) -> Generator[Progress, None, Triage]:
    """Does what :func:`lgca_plugin.find_wrong_labels` does, as a generator that yields progress and returns the triage.

    Closing the generator stops cleanly; a later call goes on.
    """
    with Lease.take(request.target.dataset, request.run_key, FIND) as lease:
        return (yield from patient(steps_under(lease, _steps(_Search(request, lease), request))))


def _steps(search: _Search, request: FindRequest) -> Generator[Progress, None, Triage]:
    yield Progress(0, 0, "Looking for new and changed images")
    search.count_classes()
    request.target.check_labels_as_stored(request.ground_truth)
    search.find_what_is_left()
    if search.encodes:
        yield Progress(0, 0, "Loading the model")
        search.load()
    total, n_left = request.target.count(), len(search.todo)
    speed = expected_speed(request) if n_left else None
    expected = {
        RESCORE: total * RESCORE_SECONDS if search.rescores else None,
        CLASSIFY: None if speed is None else n_left * speed.seconds,
        SHARES: total * RESCORE_SECONDS,
        TRIAGE: triage_seconds(total),
    }
    phases = {RESCORE: search.rescores, CLASSIFY: search.encodes, SHARES: search.moves, TRIAGE: True}
    timeline = Timeline(total, {name: expected[name] for name, happens in phases.items() if happens})
    moves = search.moves  # before the images are classified: later they are not new
    if search.rescores:
        yield from timeline.run(RESCORE, search.rescore(), label="Images compared with the new classes")
    if search.encodes:
        yield from timeline.run(CLASSIFY, search.classify(), label="Images classified")
    if moves or search.moves:
        yield from timeline.run(SHARES, search.follow_shares(), label="Shares of the classes")
    return (yield from timeline.run(TRIAGE, search.triage(), label="Labels judged"))


class _Search:
    """The steps of a search.

    Attributes:
        run: the run that the search goes on with; None until a new one is classified
        todo: ids of the samples that are to be classified
    """

    def __init__(self, request: FindRequest, lease: Lease) -> None:
        self.run: RunRecord | None = request.previous
        self.todo: Sequence[str] = ()
        self._request = replace(request, entry=replace(request.entry, at=time.time()))
        self._encoder: Encoder | None = request.encoder
        self._replaces = False
        self._has_classified = False
        self._lease = lease

    @property
    def rescores(self) -> bool:
        """Whether the classes or their descriptions have changed."""
        return self.run is not None and self._request.rescores

    @property
    def encodes(self) -> bool:
        """Whether there is anything to classify, or an interrupted run to finish."""
        return self.run is None or bool(self.todo) or self.run.results.get("status") != DONE

    @property
    def moves(self) -> bool:
        """Whether the labels have to be moved towards shares of the classes, or back."""
        if self.run is None or self.encodes:
            return self._request.shares is not None or (self.run is not None and self.run.config.shares is not None)
        return not self.rescores and shares_are_due(self.run, self._request.shares)

    def count_classes(self) -> None:
        """Counts the classes, where shares of them are asked for; raises ConfigError if that can't be done."""
        shares, target = self._request.shares, self._request.target
        if shares is not None:
            class_counts(shares, target.dataset, target.samples.values("id"), self._request.classes)

    def find_what_is_left(self) -> None:
        """Finds the samples to classify; what is stored and predicted of images that have changed is deleted."""
        if self.run is not None:
            check_current(self.run)
        left = images_left(self._request)
        self._lease.renew()
        self.todo = left.todo
        if self.run is not None:
            try:
                delete_stored(self.run, left.changed)
            except StoreError:
                if self.rescores:  # else nothing reads what is stored
                    raise
            write_fields(self.run.dataset, {id_: dict.fromkeys(self.run.fields) for id_ in left.changed})

    def load(self) -> None:
        """Loads the encoder. If its weights are not those of the run that it has found, the search makes a new run."""
        request, options = self._request, self._request.options
        if self._encoder is None and request.source is not None:
            name, pretrained = request.source
            config = None if self.run is None else self.run.config
            self._encoder = load_encoder(
                name,
                pretrained,
                device=None if options.device is None else check_devices(options.device)[0],
                precision=options.precision if config is None else config.precision,
                resize="auto" if config is None else config.resize,
            )
        if self.run is None or self._encoder is None or options.run_key is not None:
            return
        if encoder_fingerprint(self._encoder) != self.run.config.encoder_fingerprint:
            self._request = request.as_new_run()
            self._lease.move(self._request.run_key)
            self.run = None
            self.todo = request.target.samples.values("id")

    def rescore(self) -> Generator[Progress, None, None]:
        """Scores the run with the new classes and descriptions; without stored embeddings, it is to be encoded anew."""
        assert self.run is not None  # noqa: S101 (it rescores)
        request = self._request
        try:
            texts = request.texts
            changes = Changes(
                classes=request.classes,
                descriptions=None if texts.kept else texts.given,
                description_style=texts.style,
                display_names=request.names.display,
                prompt=request.names.prompt,
                shares=as_change(request.shares),
            )
            rescoring = replace(check_rescore(self.run, changes), entries=request.entry.to_results())
            self.run = yield from iter_rescore(rescoring, encoder=self._encoder, lease=self._lease)
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
        request = classification(self._request, self.run, replaces=self._replaces)
        self.run = yield from iter_classify(request, encoder=self._encoder, lease=self._lease)
        self._has_classified = True
        if not self.run.results.get("predicted"):
            reason = next(iter(self.run.failures.values()), "the run has no image")
            raise LgcaError(f"none of the {len(self.todo):,} images could be classified, for example: {reason}")

    def follow_shares(self) -> Generator[Progress, None, None]:
        """Moves the labels of the run towards the shares of the classes, from the stored embeddings."""
        assert self.run is not None  # noqa: S101 (it was found or classified)
        shares = self._request.shares
        new_images = self._has_classified and shares is not None  # a changed one, too, that no count shows
        if new_images or shares_are_due(self.run, shares):
            checked = check_rescore(self.run, Changes(shares=as_change(shares)))
            rescoring = replace(checked, entries=self._request.entry.to_results())
            self.run = yield from iter_rescore(rescoring, encoder=self._encoder, lease=self._lease)

    def triage(self) -> Generator[Progress, None, Triage]:
        """Triages the run."""
        assert self.run is not None  # noqa: S101 (it was found or classified)
        if SearchEntry.of(self.run.results) != self._request.entry:
            update_record(self.run, **self._request.entry.to_results())
        request = self._request
        checked = check_triage(self.run, ground_truth=request.ground_truth, none_below=request.options.none_below)
        return iter_triage(checked, encoder=self._encoder, lease=self._lease)
