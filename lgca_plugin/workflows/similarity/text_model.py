"""The text side of a run's encoder as a model of FiftyOne, by which similarity indexes read the texts of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import fiftyone as fo

from ...encoder.base import encoder_fingerprint
from ...encoder.loading import load_encoder
from ...errors import ConfigError
from ...runs.stored_texts import KnownTexts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from ...encoder.base import Encoder


class TextModel(fo.Model, fo.PromptMixin):  # type: ignore[misc]  # FiftyOne has no types
    """Embeds texts where a run's image vectors are; loads the encoder with the first text.

    Args:
        source: name and pretrained tag or path, as :func:`lgca_plugin.load_encoder` takes them
        precision: the run's precision
        fingerprint: the fingerprint of the run's encoder
        encoder: the encoder, if it is loaded
    """

    def __init__(
        self,
        *,
        source: Sequence[str | None] | None = None,
        precision: str = "auto",
        fingerprint: str | None = None,
        encoder: Encoder | None = None,
    ) -> None:
        self._source = source
        self._precision = precision
        self._fingerprint = fingerprint
        self._encoder = encoder
        self._texts: KnownTexts | None = None

    @property
    def media_type(self) -> str:
        """What its image vectors are of."""
        return "image"

    @property
    def can_embed_prompts(self) -> bool:
        """True: it embeds texts, and nothing else."""
        return True

    def predict(self, arg: Any) -> Any:  # noqa: ARG002 (as FiftyOne calls it)
        """Raises a ConfigError: images are encoded by runs."""
        raise ConfigError(
            "only texts and pictures of the dataset can be searched for: add a new picture, and classify it"
        )

    embed = predict
    """What the App's search calls with a picture that is uploaded."""

    def embed_prompt(self, arg: str) -> NDArray[np.float32]:
        """Embeds a text as a ``[d]`` unit vector; raises as :meth:`embed_prompts` does."""
        embedded: NDArray[np.float32] = self.embed_prompts([arg])[0]
        return embedded

    def embed_prompts(self, args: Iterable[str]) -> NDArray[np.float32]:
        """Embeds n texts as ``[n, d]`` unit vectors.

        Raises:
            ConfigError: if the encoder is no longer the one that the run was made with
            ModelUnavailableError: if it can't be loaded
        """
        if self._texts is None:
            self._texts = KnownTexts(self._loaded())
        return self._texts.encode_texts([str(text).strip() for text in args])

    def _loaded(self) -> Encoder:
        if self._encoder is None:
            name, pretrained = self._source or ("", None)
            encoder = load_encoder(str(name), pretrained, precision=self._precision)
            if encoder_fingerprint(encoder) != self._fingerprint:
                raise ConfigError(
                    f"the weights of {name} are no longer those that the images were encoded with: classify again and "
                    "register the search again"
                )
            self._encoder = encoder
        return self._encoder
