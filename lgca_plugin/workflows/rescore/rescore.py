"""Rescores a run: new predictions from the stored embeddings, without encoding an image."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...engine.stats import EngineStats
from ...errors import StoreError
from ...fiftyone_io import fields as f
from ...fiftyone_io.database import dataset_id
from ...fiftyone_io.documents import classification, write_fields
from ...fiftyone_io.outages import DATABASE_PATIENCE, patient
from ...fiftyone_io.tokens import database_id, make_token
from ...method.core.methods import learned_method
from ...progress import Progress, part_of
from ...runs.lease import Lease, held_lease, steps_under
from ...runs.record import check_current, written_under
from ...runs.registry import noting_failure, recording_end
from ...runs.replay import IMAGES_AT_ONCE, replay
from ...runs.stored_texts import known_texts
from ...store.store import Store, geometry_of
from ..classify.classify import open_run
from ..classify.counts import Counts
from ..classify.writer import record_outcome, sample_values
from .plan import RescorePlan, prepare_rescore
from .request import RESCORE, RescoreRequest
from .shares import with_shares

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from ...config import RunConfig
    from ...encoder.base import Encoder
    from ...engine.embeddings import EncodedImage
    from ...prediction.displayed_regions import DisplayedRegion
    from ...runs.record import RunRecord
    from ...runs.state import RunState
    from ...store.rows import StoredRun

SHARES_PART = 0.4
"""Share of the time of a rescoring that finds the offsets of known shares of the classes."""

INCOMPLETE = "its region embeddings are not complete in the store; classify again, starting over, to encode it"


def iter_rescore(
    request: RescoreRequest,
    *,
    encoder: Encoder | Sequence[Encoder] | None = None,
    images_at_once: int = IMAGES_AT_ONCE,
    lease: Lease | None = None,
    patience: float = DATABASE_PATIENCE,
) -> Generator[Progress, None, RunRecord]:
    """Does what :meth:`lgca_plugin.Run.rescore` does, as a generator that yields progress and returns the new run.

    ``lease`` is the caller's on the new run's key. A database that is away is waited for, ``patience`` seconds at most.
    """
    with held_lease(lease, request.source.dataset, request.run_key, RESCORE) as held:
        steps = _rescore(request, encoder, images_at_once, held)
        return (yield from patient(steps_under(held, steps), patience))


def _rescore(
    request: RescoreRequest, encoder: Encoder | Sequence[Encoder] | None, images_at_once: int, lease: Lease
) -> Generator[Progress, None, RunRecord]:
    yield Progress(0, 0, "Embedding the class descriptions")
    with Store() as store:
        plan = prepare_rescore(store, request, encoder=encoder)
        lease.check()
        if plan.counted is None:
            return (yield from Rescoring(store, plan, images_at_once, lease, task=request.task).steps())
        plan = yield from part_of(with_shares(store, plan, images_at_once), 0.0, SHARES_PART)
        steps = Rescoring(store, plan, images_at_once, lease, task=request.task).steps()
        return (yield from part_of(steps, SHARES_PART, 1.0))


class Rescoring:
    """One rescoring: first the predictions from stored image vectors, then what needs the regions."""

    def __init__(self, store: Store, plan: RescorePlan, images_at_once: int, lease: Lease, *, task: str) -> None:
        self._store = store
        self._plan = plan
        self._images_at_once = images_at_once
        self._lease = lease
        self._ids = set(plan.ids)
        self._passes = bool(plan.from_vectors) + bool(plan.from_regions or plan.boxes)
        self._missing = set(plan.ids)
        self._task = task
        check_current(plan.source)
        self._n_encodes = self._encodes()  # read before the source may be replaced
        token = make_token()
        more = {
            "rescored_from": plan.source.key,
            "texts_of_former_classes": {
                name: texts
                for name, texts in known_texts(plan.source).items()
                if name not in plan.prepared.config.classes
            },
            **({} if plan.fused is None else plan.fused.entries),
            **({} if plan.shares is None else plan.shares.to_results()),
        }
        # First, so that a store that can't be written costs no run; all at once, so that an interrupted one holds all.
        keys = plan.prepared.predictor.vector_keys
        self._stored = self._open_entry(token, plan.stored, plan.prepared.config, keys)
        self._fused = plan.fused
        prepared = plan.prepared
        try:
            store.copy_samples(self._stored, plan.stored, only=None if plan.fused is None else self._ids)
            if plan.fused is not None:
                self._fused = plan.fused.stored(token, self._stored, self._ids, self._open_entry)
                prepared = replace(prepared, config=replace(prepared.config, fusion=self._fused.config))
            self._run, replaced = open_run(prepared, lease, self._task, token=token, more=more)
        except BaseException:
            with suppress(StoreError):
                store.delete_run(token)
            raise
        with noting_failure(self._run, lease, self._task):
            self._open_entry(token, plan.stored, prepared.config, keys, replaces=replaced)

    def _encodes(self) -> dict[str, int]:
        """Returns sample id to number of encodes of its image; nothing unless both budgets are adaptive."""
        source = self._plan.source
        if not (source.config.region_plan.adaptive and self._plan.prepared.config.region_plan.adaptive):
            return {}
        ids, encodes = source.dataset.values(["id", f.encodes_field(source.key)])
        return {id_: taken for id_, taken in zip(ids, encodes, strict=True) if taken is not None}

    def _open_entry(
        self, token: str, source: StoredRun, config: RunConfig, keys: Sequence[str] = (), *, replaces: str | None = None
    ) -> StoredRun:
        """Opens the entry of an encoder's embeddings, like that of the run that they are taken from."""
        request = self._plan.prepared.request
        return self._store.open_run(
            token,
            fingerprint=source.fingerprint,
            encoder_name=config.encoder,
            logit_scale=source.logit_scale,
            geometry=geometry_of(config.regions),
            vector_keys=keys,
            database=database_id(),
            dataset=dataset_id(request.target.dataset),
            run_key=request.run_key,
            replaces=replaces,
        )

    def steps(self) -> Generator[Progress, None, RunRecord]:
        """Writes the predictions; yields progress and returns the run."""
        run = self._run
        started = time.perf_counter()

        def record(state: RunState) -> None:
            self._record(time.perf_counter() - started, state)

        with written_under(self._lease, run), recording_end(run, self._lease, self._task, record):
            yield from self._write()
        return run

    def _write(self) -> Generator[Progress, None, None]:
        run, plan = self._run, self._plan
        write_fields(run.dataset, {id_: {f.error_field(run.key): reason} for id_, reason in plan.failures.items()})
        if plan.from_vectors:
            yield from self._pass("predictions", self._from_vectors())
        if plan.from_regions or plan.boxes:
            yield from self._pass("regions", self._from_regions())
        if self._missing:
            check_current(run)
            write_fields(run.dataset, {id_: {f.error_field(run.key): INCOMPLETE} for id_ in self._missing})
        else:
            self._store.release_replaced(run.token)

    def _pass(self, what: str, values: Iterator[dict[str, dict[str, Any]]]) -> Generator[Progress, None, None]:
        total = len(self._plan.ids) * self._passes
        before = len(self._plan.ids) * (what == "regions" and self._passes == 2)
        done = 0
        for batch in values:
            for id_ in batch.keys() & self._n_encodes.keys():
                batch[id_][f.encodes_field(self._run.key)] = self._n_encodes[id_]
            check_current(self._run)
            write_fields(self._run.dataset, batch)
            if not before:  # boxes alone, in the second pass, make no prediction
                self._missing.difference_update(batch)
            done += len(batch)
            yield Progress(before + done, total, f"{what.capitalize()} of {done:,} of {len(self._plan.ids):,} images")

    def _from_vectors(self) -> Iterator[dict[str, dict[str, Any]]]:
        """Scores the stored image vectors: one matrix product for each batch and method."""
        predictor, config = self._plan.prepared.predictor, self._run.config
        boxes: list[DisplayedRegion] | None = None if self._plan.boxes else []  # None leaves them to the second pass
        same = self._stored.vector_keys == self._plan.stored.vector_keys
        columns = [self._plan.stored.vector_keys.index(name) for name in self._stored.vector_keys]
        for ids, vectors in self._store.image_vectors(self._stored if same else self._plan.stored):
            if not same:
                self._store.write_vectors(self._stored, dict(zip(ids, vectors[:, columns], strict=True)))
            predictions = {
                method.name: predictor.predict_from_vectors(method, vectors[:, row], with_logits=config.logits)
                for method, row in self._plan.from_vectors
            }
            yield {
                id_: sample_values(self._run, {name: made[index] for name, made in predictions.items()}, boxes)
                for index, id_ in enumerate(ids)
                if id_ in self._ids
            }

    def _from_regions(self) -> Iterator[dict[str, dict[str, Any]]]:
        """Replays the regions for boxes, and for image vectors that are not stored."""
        plan, predictor = self._plan, self._plan.prepared.predictor
        names = {method.name for method in plan.from_regions}
        no_boxes = 0
        regions = plan.prepared.request.region_plan
        for images, incomplete in replay(self._store, self._stored, plan.ids, regions, at_once=self._images_at_once):
            predictions = predictor.predict(images)
            learned = self._learned(images)
            values: dict[str, dict[str, Any]] = {}
            for image, prediction in zip(images, predictions, strict=True):
                if learned is not None and image.id not in learned:
                    incomplete.append(image.id)
                    continue
                methods = {name: made for name, made in prediction.methods.items() if name in names}
                values[image.id] = sample_values(self._run, methods, prediction.regions if plan.boxes else [])
                if learned is not None:
                    values[image.id].update(learned[image.id])
            if not plan.from_vectors:
                vectors = {image.id: made.vectors for image, made in zip(images, predictions, strict=True)}
                self._store.write_vectors(self._stored, vectors)
            if names:
                self._missing.update(incomplete)
            else:
                no_boxes += len(incomplete)
                values.update({id_: sample_values(self._run, {}, []) for id_ in incomplete})
            yield values
        if no_boxes:
            plan.prepared.warnings.append(f"no boxes for {no_boxes} samples, whose region embeddings are incomplete")

    def _learned(self, images: Sequence[EncodedImage[str]]) -> dict[str, dict[str, Any]] | None:
        """Returns sample id to the value of the learned method's field; None without such a method."""
        method = learned_method(self._run.config.methods)
        if self._fused is None or method is None or not images:
            return None
        fused, config = self._fused.run, self._run.config
        made = fused.predictions(*fused.nodes_beside(images), with_logits=config.logits)
        field = f.method_field(self._run.key, method.name)
        labels = {id_: classification(own, config.classes, logits=config.logits) for id_, own in made.items()}
        return {id_: {field: {**label, f.FOLD: fused.fusion.fold_of.get(id_)}} for id_, label in labels.items()}

    def _record(self, seconds: float, state: RunState) -> None:
        source, prepared = self._plan.source, self._plan.prepared
        images = len(self._plan.ids)
        try:
            held, regions = self._store.count(self._stored), bool(self._store.samples_with_regions(self._stored))
        except StoreError:
            held, regions = 0, False
        record_outcome(
            self._run,
            prepared,
            Counts(
                images_recalled=images, seconds=seconds, stopped_after=dict(source.results.get("stopped_after", {}))
            ),
            EngineStats(images=images, recalled=images),
            state=state,
            stored={"samples": held, "regions": regions, "complete": held >= images and not self._missing},
            warnings=prepared.warnings,
            device=str(source.results.get("device", "unknown")),
        )
