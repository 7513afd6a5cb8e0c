"""The fusion in a rescoring: what answers for the learned method, and what is stored with the new run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...config import FusedRunConfig
from ...runs.fused.fused_run import FusedRun, FusedSource
from ...runs.fused.opening import REPORT, TEXTS, encoder_classes, fusion_for, other_plans
from ...runs.stored_texts import TOKENIZER, StoredTexts, changed_texts, known_texts
from ...store.entries import part_token
from ...store.weights_files import weights_path

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from ...config import FusionConfig
    from ...encoder.base import Encoder
    from ...fusion.weights import Fusion
    from ...method.core.methods import Method
    from ...runs.record import RunRecord
    from ...store.rows import StoredRun
    from ...store.store import Store
    from .request import RescoreRequest


@dataclass(frozen=True, eq=False)
class FusedPart:
    """What a rescoring computes and stores of a fusion.

    Attributes:
        run: what answers, for the classes of the new run
        learnt: all that was learnt, for the classes that it was learnt for
        config: the fusion in the new run's config
        texts: of each other run, the entries of its record that are kept
        report: which runs are fused, and what was learnt
    """

    run: FusedRun
    learnt: Fusion
    config: FusionConfig
    texts: tuple[dict[str, Any], ...]
    report: dict[str, Any]

    @property
    def entries(self) -> dict[str, Any]:
        """The entries of the new run's record."""
        return {TEXTS: list(self.texts), REPORT: self.report}

    def with_learnt(self, learnt: Fusion, own: Fusion, config: FusionConfig, report: dict[str, Any]) -> FusedPart:
        """Returns the same with what has been learnt, and ``own``, that for the run's classes."""
        return replace(self, run=replace(self.run, fusion=own), learnt=learnt, config=config, report=report)

    def stored(
        self, token: str, own: StoredRun, samples: Collection[str], open_entry: Callable[..., StoredRun]
    ) -> FusedPart:
        """Stores the weights, and references the embeddings of the other encoders, under a new run's token.

        Args:
            token: of the new run
            own: its entry in the store
            samples: its samples
            open_entry: makes an entry of a token, like another one, for the run of a config
        """
        store, (first, *others) = self.run.store, self.run.sources
        sources = [replace(first, stored=own)]
        for number, (other, config) in enumerate(zip(others, self.config.others, strict=True), 1):
            entry = open_entry(part_token(token, number), other.stored, config.config)
            store.copy_samples(entry, other.stored, only=samples)
            sources.append(replace(other, stored=entry))
        self.learnt.save(weights_path(store.path.parent, token))
        return replace(self, run=replace(self.run, sources=tuple(sources)), config=replace(self.config, weights=token))


def fused_part(
    store: Store,
    request: RescoreRequest,
    first: FusedSource,
    classes: Sequence[str],
    learned: Method,
    others: Sequence[tuple[StoredRun, RunRecord]],
    encoders: Sequence[Encoder | None],
) -> FusedPart:
    """Embeds the texts of the other runs of a fusion, and loads its weights.

    Args:
        store: open
        request: of a run with a learned method
        first: the run's own encoder
        classes: the new run's classes
        learned: the method
        others: the other runs, with their entries in the store
        encoders: those of their encoders that the caller has loaded

    Raises:
        ConfigError: if descriptions can't be used, or the weights are gone or not for these classes
        ModelUnavailableError: if texts are new and a model can't be loaded
    """
    fusion, changes = request.fusion, request.changes
    assert fusion is not None  # noqa: S101 (only such a run has a learned method)
    configs, texts, scored = [], [], []
    for old, (entry, record), encoder in zip(fusion.others, others, encoders, strict=True):
        own = changed_texts(
            record,
            classes,
            changes.descriptions,
            changes.description_style,
            display_names=changes.display_names,
            prompt=changes.prompt,
        )
        scored.append(encoder_classes(own, StoredTexts(store, entry, record, encoder), learned))
        changed = replace(record.config, classes=own.classes, descriptions_hash=own.digest)
        configs.append(FusedRunConfig(run_key=old.run_key, config=changed))
        texts.append(
            {
                "encoder_source": record.results.get("encoder_source"),
                TOKENIZER: record.results.get(TOKENIZER) or "",
                "descriptions": {name: list(own.descriptions[name]) for name in own.classes},
                "templates": list(own.from_templates),
                **own.names.to_results(),
                "texts_of_former_classes": {
                    name: had for name, had in known_texts(record).items() if name not in own.classes
                },
            }
        )
    config = replace(fusion, others=tuple(configs))
    plans = other_plans(request.regions, config)
    entries = [entry for entry, _ in others]
    sources = (first, *(FusedSource(*one) for one in zip(entries, plans, scored, strict=True)))
    learnt = request.learnt(store, [source.classes.vectors.shape[1] for source in sources])
    return FusedPart(
        run=FusedRun(store, sources, fusion_for(learnt, fusion, classes)),
        learnt=learnt,
        config=config,
        texts=tuple(texts),
        report=dict(request.source.results.get(REPORT) or {}),
    )
