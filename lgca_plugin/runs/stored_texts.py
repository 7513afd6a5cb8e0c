"""A run's text embeddings: read from the store, with the model loaded only for texts that are not stored."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..descriptions.class_names import ClassNames
from ..descriptions.class_texts import ClassTexts, class_texts
from ..descriptions.style import AUTO, SENTENCES
from ..encoder.base import encoder_fingerprint
from ..encoder.loading import load_encoder
from ..encoder.own_encoder import as_encoder
from ..errors import ConfigError, StoreError
from ..store.store import Store, store_exists
from .stored_run import fingerprint_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..encoder.base import Encoder
    from ..store.rows import StoredRun
    from .record import RunRecord


logger = logging.getLogger(__name__)

TEXTS_AT_ONCE = 1000
"""Number of texts that are embedded and stored together."""

TOKENIZER = "tokenizer"
"""Entry of a run's record: the tokenizer by which its texts are stored, see :attr:`.Encoder.tokenizer`."""


class _Texts:
    """Embeds texts: those that are stored are read, others are embedded and stored, so many at a time."""

    def __init__(self, tokenizer: str) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, NDArray[np.float32]] = {}

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeds texts as ``[n, dim]`` unit vectors.

        Raises:
            ConfigError: if the model is needed, and the one loaded is another one
            ModelUnavailableError: if it is needed and can't be loaded
        """
        if not len(texts):
            return self._model().encode_texts(texts)
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        stored = self._read(new) if new else {}
        self._known.update((text, vector) for text, vector in stored.items() if np.isfinite(vector).all())
        missing = [text for text in new if text not in self._known]
        for start in range(0, len(missing), TEXTS_AT_ONCE):
            part = missing[start : start + TEXTS_AT_ONCE]
            embeddings = dict(zip(part, self._model().encode_texts(part), strict=True))
            self._write(embeddings)
            self._known.update(embeddings)
        return np.stack([self._known[text] for text in texts])

    def _model(self) -> Encoder:
        raise NotImplementedError

    def _read(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        raise NotImplementedError

    def _write(self, embeddings: Mapping[str, NDArray[np.float32]]) -> None:
        raise NotImplementedError


class KnownTexts(_Texts):
    """The text side of a loaded encoder, which embeds no text twice: of earlier runs, too, in whatever process.

    Texts are stored for the fingerprint of the encoder, its precision and its tokenizer. If the store can't be used or
    is full, they are embedded again.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder.tokenizer)
        self.logit_scale = encoder.logit_scale
        self._encoder = encoder
        self._key = fingerprint_of(encoder)

    def _model(self) -> Encoder:
        return self._encoder

    def _read(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        if self._key is None or not store_exists():
            return {}
        try:
            with Store() as store:
                row = store.encoder(self._key)
                return {} if row is None else store.texts(row, texts, tokenizer=self._tokenizer)
        except StoreError as error:
            self._give_up(error)
            return {}

    def _write(self, embeddings: Mapping[str, NDArray[np.float32]]) -> None:
        if self._key is None:
            return
        try:
            with Store() as store:
                row = store.add_encoder(self._key, name=self._encoder.name, logit_scale=self.logit_scale)
                store.write_texts(row, embeddings, tokenizer=self._tokenizer)
        except StoreError as error:
            self._give_up(error)

    def _give_up(self, error: StoreError) -> None:
        logger.warning("%s; the texts of the classes are embedded without it", error)
        self._key = None


class StoredTexts(_Texts):
    """The text side of a run's encoder: returns stored embeddings, and embeds other texts with the model.

    Attributes:
        logit_scale: factor on similarities before the softmax
        loaded: the model; None until it is needed

    Raises:
        ConfigError: if ``encoder``, which the caller has loaded, is not that of the run
    """

    def __init__(self, store: Store, stored: StoredRun, run: RunRecord, encoder: Encoder | None = None) -> None:
        super().__init__(run.results.get(TOKENIZER) or "")
        self.logit_scale = stored.logit_scale
        self.loaded: Encoder | None = None
        self._store = store
        self._stored = stored
        self._run = run
        if encoder is not None:
            self.loaded = self._checked(as_encoder(encoder))

    def _model(self) -> Encoder:
        if self.loaded is None:
            self.loaded = self._checked(self._load())
        return self.loaded

    def _read(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        return self._store.texts(self._stored.encoder, texts, tokenizer=self._tokenizer)

    def _write(self, embeddings: Mapping[str, NDArray[np.float32]]) -> None:
        self._store.write_texts(self._stored.encoder, embeddings, tokenizer=self._tokenizer)

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
