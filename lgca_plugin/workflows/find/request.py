"""The options of a search for wrong labels, and their check, which needs no model and writes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...config import (
    DEMO_MARKER,
    NO_SHARES,
    RegionConfig,
    check_budget,
    check_classes,
    check_methods,
    check_run_key,
    method_warnings,
    run_methods,
)
from ...descriptions.class_names import ClassNames
from ...descriptions.style import AUTO
from ...encoder.architectures import DEFAULT_MODEL, DEMO_MODEL, display_name
from ...encoder.base import encoder_fingerprint
from ...encoder.own_encoder import as_encoder
from ...errors import ConfigError
from ...fiftyone_io.database import reload_if_changed, root_dataset
from ...fiftyone_io.label_fields import label_path
from ...fiftyone_io.samples import ImageSamples
from ...method.core.methods import compared_methods
from ...runs.found import SearchEntry, searched_runs
from ...runs.proposals import free_run_key, given_label_field
from ...runs.registry import existing_run
from ...runs.stored_texts import known_texts
from ..classify.class_counts import check_given_shares
from ..classify.plan import class_warnings
from ..triage.plan import check_none_below
from .labels import FOLLOW_LABELS, check_classes_fit, default_classes
from .texts import SearchTexts, given_texts, kept_texts, saved_texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import fiftyone as fo

    from ...config import ClassShares
    from ...encoder.base import Encoder
    from ...method.core.methods import Method
    from ...runs.record import RunRecord

DEFAULT_BUDGET = "adaptive"
"""Budget of a new run: labels are checked as well, with less than half of the encodes."""


@dataclass(frozen=True, kw_only=True)
class FindOptions:
    """The arguments of :func:`lgca_plugin.find_wrong_labels`, not checked yet.

    ``classes`` may also be :data:`.labels.FOLLOW_LABELS`, and ``encoder`` a pair of the name and the
    pretrained tag or path that ``load_encoder`` takes.
    """

    samples: Any
    ground_truth: str | None = None
    encoder: Encoder | tuple[str, str | None] | str | None = None
    classes: Sequence[str] | str | None = None
    descriptions: Mapping[str, Sequence[str]] | str | Path | None = None
    description_style: str = AUTO
    display_names: Mapping[str, str] | None = None
    prompt: str | None = None
    run_key: str | None = None
    methods: Sequence[str | Method] | None = None
    regions: RegionConfig | None = None
    budget: str | None = None
    batch_size: int | None = None
    device: str | None = None
    precision: str = "auto"
    shares: Any = None
    none_below: float | None = None


@dataclass(frozen=True, kw_only=True)
class FindRequest:
    """A search for wrong labels, checked as far as that needs neither a model nor the files.

    Attributes:
        target: the images with a label
        encoder: the encoder, if the caller has loaded it; otherwise ``source`` is loaded
        source: the name and the pretrained tag or path that ``load_encoder`` takes
        encoder_name: name of the encoder in a run's record
        classes: the candidate classes
        names: how the classes are named to the model
        texts: the descriptions of the classes
        shares: the shares of the classes that the run's labels follow in the end; None without any
        previous: the run that this search goes on with; None for a new run
        had: the entry of an earlier search in the previous run's record, if there is one
        entry: what the run's record will hold of this search; its time is set when the search starts
        unlabelled: number of images without a label, which are left out
        warnings: sentences for the user
    """

    options: FindOptions
    target: ImageSamples
    ground_truth: str
    encoder: Encoder | None
    source: tuple[str, str | None] | None
    encoder_name: str
    classes: tuple[str, ...]
    names: ClassNames
    texts: SearchTexts
    shares: ClassShares | None
    run_key: str
    methods: tuple[Method, ...]
    regions: RegionConfig
    budget: str
    previous: RunRecord | None
    had: SearchEntry | None
    entry: SearchEntry
    unlabelled: int
    warnings: tuple[str, ...]

    @property
    def rescores(self) -> bool:
        """Whether the previous run has other classes, names of them or descriptions."""
        if self.previous is None:
            return False
        if self.names != ClassNames.of_results(self.previous.results):
            return True
        own = known_texts(self.previous)
        had = {name: tuple(own[name]) for name in self.previous.config.classes if name in own}
        return (self.classes, self.texts.described) != (self.previous.config.classes, had)

    def as_new_run(self) -> FindRequest:
        """Returns the request without its previous run, under a free key."""
        key = free_run_key(self.target.dataset, self.methods, self.run_key)
        return replace(self, previous=None, had=None, run_key=key)


def check_find(options: FindOptions) -> FindRequest:
    """Checks the options of a search for wrong labels; raises ConfigError, which names the problem and a remedy."""
    everything = ImageSamples.of(options.samples)
    dataset = everything.dataset
    reload_if_changed(dataset)
    field = options.ground_truth or given_label_field(dataset)
    everything, field = everything.with_labels(field)
    dataset = everything.dataset
    everything.check_label_field(field)
    encoder, source, name = find_encoder(dataset, options.encoder)
    previous = find_previous(dataset, field, options, encoder, name)
    if previous is not None and options.encoder is None and options.run_key is not None and encoder is None:
        saved = previous.results.get("encoder_source")
        source = (saved[0], saved[1]) if saved else source
    counts = ImageSamples.whole(dataset).label_counts(field)
    had = None if previous is None else SearchEntry.of(previous.results)
    follows = options.classes == FOLLOW_LABELS
    classes = _classes(options, dataset, field, counts, previous, had)
    if not everything.samples.has_field(field):
        raise ConfigError(f"the view leaves out the field {field!r}; take one that has the labels to check")
    labelled = everything.samples.exists(label_path(dataset, field))
    if not counts or not len(labelled):
        raise ConfigError(f"none of these images has a label in {field!r}, so there is nothing to check")
    check_classes_fit(field, counts, classes)
    methods, regions, budget = _settings(options, previous)
    run_key = _run_key(options, dataset, methods, previous)
    named = ClassNames() if previous is None else ClassNames.of_results(previous.results)
    names = named.changed(classes, options.display_names, options.prompt)
    compared_methods(methods, run_key=run_key)
    check_none_below(options.none_below or 0.0, classes, run_key)
    return FindRequest(
        options=options,
        target=replace(everything, samples=labelled),
        ground_truth=field,
        encoder=encoder,
        source=source,
        encoder_name=name,
        classes=classes,
        names=names,
        texts=_texts(options, dataset, classes, previous, had, names),
        shares=_shares(options, dataset, classes, previous),
        run_key=run_key,
        methods=methods,
        regions=regions,
        budget=budget,
        previous=previous,
        had=had,
        entry=SearchEntry(
            ground_truth=field,
            own_classes=not follows and _keeps(options.classes, previous, had, "own_classes"),
            own_descriptions=_keeps(options.descriptions, previous, had, "own_descriptions"),
            at=0.0,
        ),
        unlabelled=everything.count() - len(labelled),
        warnings=(*class_warnings(classes, counts), *method_warnings(methods, regions)),
    )


def find_encoder(
    dataset: fo.Dataset, given: Encoder | tuple[str, str | None] | str | None
) -> tuple[Encoder | None, tuple[str, str | None] | None, str]:
    """Returns the encoder if it is loaded, else what ``load_encoder`` takes; and the name that a run records.

    Without one, it is the demo's model on the demo, else the default model.
    """
    if given is None:
        given = DEMO_MODEL if DEMO_MARKER in (root_dataset(dataset).info or {}) else DEFAULT_MODEL
    if isinstance(given, str):
        given = (given, None)
    if isinstance(given, tuple):
        return None, given, display_name(*given)
    encoder = as_encoder(given)
    return encoder, None, encoder.name


def find_previous(
    dataset: fo.Dataset, ground_truth: str, options: FindOptions, encoder: Encoder | None, encoder_name: str
) -> RunRecord | None:
    """Returns the run to go on with: under the key, else the latest; raises ConfigError if it has other settings."""
    if options.run_key is not None:
        run = existing_run(dataset, check_run_key(options.run_key))
        if run is not None and run.config.voters is not None:
            raise ConfigError(
                f"run {run.key!r} is of predictions that were on the samples already, and this search classifies with "
                "a model: triage that run, or choose another run key for the search"
            )
        if run is not None and run.config.fusion is not None:
            raise ConfigError(
                f"run {run.key!r} is fused from runs of several encoders, and a search classifies with one: triage it, "
                "or choose another run key for the search"
            )
        if run is not None:
            named = None if options.encoder is None else encoder_name
            different = _differences(run, options, encoder, named)
            if different:
                raise ConfigError(
                    f"run {run.key!r} was made with other settings ({', '.join(different)}): choose another run key, "
                    "or delete that run first"
                )
        return run
    for run in searched_runs(dataset, ground_truth, encoder_name):
        if not _differences(run, options, encoder, encoder_name):
            return run
    return None


def _differences(run: RunRecord, options: FindOptions, encoder: Encoder | None, encoder_name: str | None) -> list[str]:
    """Returns the settings that the caller has named and that are not the run's, in words."""
    config = run.config
    weights = encoder is not None and (encoder_fingerprint(encoder), str(encoder.precision)) != (
        config.encoder_fingerprint,
        config.precision,
    )
    given = {
        "model": weights or encoder_name not in (None, config.encoder),
        "methods": options.methods is not None and check_methods(options.methods, config.methods) != config.methods,
        "crops": options.regions not in (None, config.regions),
        "budget": options.budget not in (None, config.budget),
        "precision": encoder is None and options.precision not in ("auto", config.precision),
    }
    return [name for name, differs in given.items() if differs]


def _shares(
    options: FindOptions, dataset: fo.Dataset, classes: tuple[str, ...], previous: RunRecord | None
) -> ClassShares | None:
    """Returns the shares of the classes: those given, else the previous run's."""
    if options.shares is None:
        had = None if previous is None else previous.config.shares
        return None if previous is None or had is None else had.of_classes(previous.config.classes, classes)
    if isinstance(options.shares, str) and options.shares == NO_SHARES:
        return None
    return check_given_shares(options.shares, classes, dataset, () if previous is None else previous.fields)


def _settings(options: FindOptions, previous: RunRecord | None) -> tuple[tuple[Method, ...], RegionConfig, str]:
    """Returns methods, regions and budget: the previous run's, those given, or the defaults."""
    if previous is not None:
        return previous.config.methods, previous.config.regions, previous.config.budget
    regions = options.regions or RegionConfig()
    return run_methods(options.methods, regions), regions, check_budget(options.budget or DEFAULT_BUDGET)


def _run_key(options: FindOptions, dataset: fo.Dataset, methods: tuple[Method, ...], previous: RunRecord | None) -> str:
    if previous is not None:
        return previous.key
    if options.run_key is None:
        return free_run_key(dataset, methods)
    key = check_run_key(options.run_key)
    if free_run_key(dataset, methods, key) != key:
        raise ConfigError(f"the dataset has fields of its own whose names start with {key!r}; choose another run key")
    return key


def _keeps(given: object, previous: RunRecord | None, had: SearchEntry | None, name: str) -> bool:
    """Whether classes or descriptions are the caller's, from this call or from an earlier one."""
    return given is not None or (previous is not None and (had is None or bool(getattr(had, name))))


def _classes(
    options: FindOptions,
    dataset: fo.Dataset,
    ground_truth: str,
    counts: Mapping[str, int],
    previous: RunRecord | None,
    had: SearchEntry | None,
) -> tuple[str, ...]:
    follows = options.classes == FOLLOW_LABELS
    if options.classes is not None and not follows:
        return check_classes(options.classes)
    if previous is not None and not follows and _keeps(None, previous, had, "own_classes"):
        return previous.config.classes
    classes = default_classes(dataset, ground_truth, counts)
    same = previous is not None and set(previous.config.classes) == set(classes)
    return previous.config.classes if previous is not None and same else classes


def _texts(
    options: FindOptions,
    dataset: fo.Dataset,
    classes: tuple[str, ...],
    previous: RunRecord | None,
    had: SearchEntry | None,
    names: ClassNames,
) -> SearchTexts:
    """Returns the texts of the classes that have any: those given, the previous run's, or those on the dataset."""
    if options.descriptions is not None:
        return given_texts(options.descriptions, options.description_style, classes, previous, names)
    if previous is not None and _keeps(None, previous, had, "own_descriptions"):
        return kept_texts(previous, classes)
    return saved_texts(dataset, classes, previous, names)
