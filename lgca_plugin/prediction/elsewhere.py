"""The model and the predictor of a run in a process that has not planned it, such as a worker's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..encoder.base import encoder_fingerprint
from ..encoder.loading import load_encoder
from .predictor import Predictor

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from ..config import RunConfig
    from ..descriptions.class_texts import ClassVectorSource
    from ..encoder.open_clip_encoder import OpenClipEncoder
    from ..errors import LgcaError

SCORE_IMAGES = 64
"""Number of images that such a process scores together."""

SCORED_AHEAD = 2
"""Number of such batches that may wait for the thread that scores, while the encoder goes on."""


def load_predictor(
    config: RunConfig,
    texts: ClassVectorSource,
    source: tuple[str, str | None],
    *,
    device: str | None,
    offsets: Mapping[str, NDArray[np.float64]],
    other_weights: LgcaError,
) -> tuple[OpenClipEncoder, Predictor]:
    """Loads a run's model by its name, and returns it with the run's predictor.

    Args:
        config: the run's settings
        texts: the class vectors, which were embedded where the run was planned
        source: name, and pretrained tag or path, under which ``load_encoder`` finds the model
        device: where the model runs; None takes the best device that there is
        offsets: method to what known shares of the classes add to each class's logit, ``[C]``
        other_weights: raised if the weights here are not those of the run

    Raises:
        ModelUnavailableError: if the model can't be loaded here
    """
    encoder = load_encoder(*source, device=device, precision=config.precision, resize=config.resize)
    if encoder_fingerprint(encoder) != config.encoder_fingerprint:
        raise other_weights
    predictor = Predictor(
        config.methods, texts, encoder, config.region_plan, shown_chains=config.shown_chains, offsets=offsets
    )
    return encoder, predictor
