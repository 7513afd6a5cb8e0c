"""The figures of a run's descriptions, drawn from its stored texts and image vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import ConfigError, shown
from ...figures.description_votes import description_votes
from ...figures.description_weights import description_weights
from ...method.core.methods import METHODS
from ...method.core.scores import class_scores
from ...method.core.scores import description_weights as weights_of
from ...prediction.vector_keys import vector_key
from ...runs.stored_run import check_has_encoder, stored_run
from ...runs.stored_texts import StoredTexts, changed_texts
from ...store.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import plotly.graph_objects as go
    from numpy.typing import NDArray

    from ...encoder.base import Encoder
    from ...figures.page import Theme
    from ...method.core.methods import Method
    from ...runs.record import RunRecord
    from ...store.rows import StoredRun


def plot_description_weights(
    run: RunRecord, name: str, *, encoder: Encoder | None = None, theme: Theme = "light", min_width: int = 700
) -> go.Figure:
    """Returns the figure of :meth:`lgca_plugin.Run.plot_description_weights`."""
    check_has_encoder(run)
    _check_class(run, name)
    with Store() as store:
        texts = _Texts(store, run, encoder)
        weights = weights_of(texts.descriptions(name), texts.label(name), _text_scale(run))
        return description_weights(name, texts.texts[name], weights, theme=theme, min_width=min_width)


def plot_description_votes(
    run: RunRecord,
    sample_id: str,
    a: str | None = None,
    b: str | None = None,
    *,
    methods: Sequence[str] | None = None,
    encoder: Encoder | None = None,
    theme: Theme = "light",
    min_width: int = 700,
) -> go.Figure:
    """Returns the figure of :meth:`lgca_plugin.Run.plot_description_votes`."""
    check_has_encoder(run)
    for name in (a, b):
        if name is not None:
            _check_class(run, name)
    with Store() as store:
        texts, stored = _Texts(store, run, encoder), stored_run(store, run)
        shown = _shown_methods(run, stored, methods)
        vectors = _vectors(store, run, stored, sample_id, shown)
        scores = {method.name: texts.scores(method, vectors[method.name]) for method in shown}
        first, second = _rivals(run.config.classes, list(scores.values()), a, b)
        scale = _text_scale(run)
        embeddings = {name: texts.descriptions(name) for name in (first, second)}
        weights = {name: weights_of(embeddings[name], texts.label(name), scale) for name in (first, second)}
        i, j = run.config.classes.index(first), run.config.classes.index(second)
        by_label = {method.name for method in shown if method.class_vectors == "label"}
        return description_votes(
            texts.texts[first],
            texts.texts[second],
            names=(first, second),
            vectors=vectors,
            embeddings_a=embeddings[first],
            embeddings_b=embeddings[second],
            weights_a=weights[first],
            weights_b=weights[second],
            label_margins={name: float(found[i] - found[j]) for name, found in scores.items() if name in by_label},
            theme=theme,
            min_width=min_width,
        )


class _Texts:
    """The texts of a run's classes with their stored embeddings."""

    def __init__(self, store: Store, run: RunRecord, encoder: Encoder | None) -> None:
        self._all = changed_texts(run, run.config.classes, None)
        self._encoder = StoredTexts(store, stored_run(store, run), run, encoder)
        self.texts: Mapping[str, Sequence[str]] = self._all.descriptions

    def descriptions(self, name: str) -> NDArray[np.float32]:
        return self._encoder.encode_texts(self.texts[name])

    def label(self, name: str) -> NDArray[np.float32]:
        label: NDArray[np.float32] = self._encoder.encode_texts([self._all.label_prompt(name)])[0]
        return label

    def scores(self, method: Method, vector: NDArray[np.float32]) -> NDArray[np.floating]:
        of_class: NDArray[np.floating] = class_scores(vector[None], self._all.class_vectors(self._encoder, method))[0]
        return of_class


def _text_scale(run: RunRecord) -> float:
    """Returns the scale of the run's description weights: LGCA's, else that of the first method that has them."""
    weighing = [method for method in run.config.methods if method.class_vectors == "weighted"]
    chosen = next(
        (method for method in weighing if method.name == "lgca"), weighing[0] if weighing else METHODS["lgca"]
    )
    return chosen.text_scale


def _shown_methods(run: RunRecord, stored: StoredRun, names: Sequence[str] | None) -> list[Method]:
    drawable = {method.name: method for method in run.config.methods if _vector_key(run, method) in stored.vector_keys}
    if names is None:
        names = [name for name in ("clip", "lgca") if name in drawable] or list(drawable)[:2]
    for name in names:
        if name not in drawable:
            raise ConfigError(
                f"method {name!r} has no image vector in run {run.key!r}; choose from {', '.join(drawable) or 'none'}"
            )
    if not names:
        raise ConfigError(f"run {run.key!r} has no method whose image vector is stored")
    return [drawable[name] for name in names]


def _vectors(
    store: Store, run: RunRecord, stored: StoredRun, sample_id: str, methods: Sequence[Method]
) -> dict[str, NDArray[np.float32]]:
    found = store.image_vectors_of(stored, [sample_id]).get(sample_id)
    if found is None:
        raise ConfigError(f"sample {sample_id!r} has no image vectors of run {run.key!r} in the store of embeddings")
    return {method.name: found[stored.vector_keys.index(str(_vector_key(run, method)))] for method in methods}


def _vector_key(run: RunRecord, method: Method) -> str | None:
    return vector_key(method, run.config.region_plan, run.config.descriptions_hash)


def _rivals(
    classes: Sequence[str], scores: Sequence[NDArray[np.floating]], a: str | None, b: str | None
) -> tuple[str, str]:
    """Returns the classes to compare: the last method's label, and the first one's, or the runner-up."""
    ranked = [classes[k] for k in np.argsort(-scores[-1], kind="stable")]
    first = a or ranked[0]
    if b is None:
        answer = classes[int(scores[0].argmax())]
        b = answer if answer != first else next(name for name in ranked if name != first)
    if b == first:
        raise ConfigError(f"a and b must be two classes, got {shown(b)} twice")
    return first, b


def _check_class(run: RunRecord, name: str) -> None:
    if name not in run.config.classes:
        raise ConfigError(f"{name!r} is no class of run {run.key!r}")
