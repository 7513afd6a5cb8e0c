"""A run's text embeddings: read from the store, with the model loaded only for texts that are not stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..descriptions.class_names import ClassNames
from ..descriptions.class_texts import ClassTexts, class_texts
from ..descriptions.style import AUTO, SENTENCES
from ..encoder.base import encoder_fingerprint
from ..encoder.loading import load_encoder
from ..encoder.own_encoder import as_encoder
from ..errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..encoder.base import Encoder
    from ..store.rows import StoredRun
    from ..store.store import Store
    from .record import RunRecord


class StoredTexts:
    """The text side of a run's encoder: returns stored embeddings, and embeds other texts with the model.

    Attributes:
        logit_scale: factor on similarities before the softmax
        loaded: the model; None until it is needed

    Raises:
        ConfigError: if ``encoder``, which the caller has loaded, is not that of the run
    """

    def __init__(self, store: Store, stored: StoredRun, run: RunRecord, encoder: Encoder | None = None) -> None:
        self.logit_scale = stored.logit_scale
        self.loaded: Encoder | None = None
        self._store = store
        self._stored = stored
        self._run = run
        self._known: dict[str, NDArray[np.float32]] = {}
        if encoder is not None:
            self.loaded = self._checked(as_encoder(encoder))

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeds texts as ``[n, dim]`` unit vectors.

        Raises:
            ConfigError: if the model is needed, and the one loaded is not that of the run
            ModelUnavailableError: if it is needed and can't be loaded
        """
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        stored = self._store.texts(self._stored.encoder, new)
        self._known.update((text, vector) for text, vector in stored.items() if np.isfinite(vector).all())
        missing = [text for text in new if text not in self._known]
        if missing:
            if self.loaded is None:
                self.loaded = self._checked(self._load())
            embeddings = dict(zip(missing, self.loaded.encode_texts(missing), strict=True))
            self._store.write_texts(self._stored.encoder, embeddings)
            self._known.update(embeddings)
        return np.stack([self._known[text] for text in texts])

    def _load(self) -> Encoder:
        source = self._run.results.get("encoder_source")
        if not source:
            raise ConfigError(
                f"run {self._run.key!r} was made with an encoder of your own, {self._run.config.encoder!r}: "
                "pass it as encoder, to embed texts that are new"
            )
        name, pretrained = source
        return load_encoder(name, pretrained, precision=self._run.config.precision)

    def _checked(self, encoder: Encoder) -> Encoder:
        config = self._run.config
        if (encoder_fingerprint(encoder), encoder.precision) != (config.encoder_fingerprint, config.precision):
            raise ConfigError(
                f"the encoder is not the one that run {self._run.key!r} was made with ({config.encoder}, "
                f"{config.precision}): its weights, preprocessing or precision are other ones"
            )
        return encoder


def changed_texts(
    run: RunRecord,
    classes: Sequence[str],
    descriptions: Mapping[str, Sequence[str]] | str | Path | None,
    style: str = AUTO,
    *,
    display_names: Mapping[str, str] | None = None,
    prompt: str | None = None,
) -> ClassTexts:
    """Returns the texts of classes, which are named to the model as in the run, or by ``display_names`` and ``prompt``.

    Without ``descriptions``, classes keep the texts that they have or had in the run, others take the template
    ensemble. With an empty dict all take the template ensemble.
    """
    if descriptions is None:
        had = known_texts(run)
        descriptions, style = {name: had[name] for name in classes if name in had}, SENTENCES
    names = ClassNames.of_results(run.results).changed(classes, display_names, prompt)
    given = None if isinstance(descriptions, Mapping) and not descriptions else descriptions
    return class_texts(classes, given, style, names=names)


def known_texts(run: RunRecord) -> dict[str, list[str]]:
    """Returns the descriptions of a run's classes, and of classes that it had before it was rescored."""
    templated = set(run.results.get("templates", ()))
    own = {name: texts for name, texts in run.descriptions.items() if name not in templated}
    return {**run.results.get("texts_of_former_classes", {}), **own}


def texts_of_release_0_1(run: RunRecord) -> dict[str, list[str]] | None:
    """Returns the descriptions of a run that a release without styles has made, by class; None for a later run."""
    if "texts" in run.results:
        return None
    templated = set(run.results.get("templates", ()))
    return {name: texts for name, texts in run.descriptions.items() if name not in templated}
