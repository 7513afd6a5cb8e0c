"""``load_model``: one of the methods as a FiftyOne model."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ...config import RegionConfig, check_classes, check_count, method_warnings, run_methods
from ...descriptions.class_names import ClassNames
from ...descriptions.style import AUTO, style_in_code
from ...encoder.loading import given_encoder
from ...errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ...encoder.base import Encoder
    from ...method.core.methods import Method
    from .zero_shot_model import ZeroShotModel

logger = logging.getLogger(__name__)


def load_model(
    method: str | Method = "lgca",
    classes: Sequence[str] | None = None,
    *,
    descriptions: Mapping[str, Sequence[str]] | str | Path | None = None,
    encoder: Encoder | tuple[str, str | None] | str | None = None,
    regions: RegionConfig | None = None,
    batch_size: int | None = None,
    device: str | None = None,
    precision: str = "auto",
    description_style: str = AUTO,
    display_names: Mapping[str, str] | None = None,
    prompt: str | None = None,
) -> ZeroShotModel:
    """Loads a method with its classes as a FiftyOne model, for ``dataset.apply_model`` and ``compute_embeddings``.

    The labels are those that :func:`lgca_plugin.classify` writes with the same settings and a full budget. An image at
    a time fills the encoder's batches on a CPU; on a GPU, ``apply_model(..., batch_size=8)`` hands it several. An image
    that can't be used fails as FiftyOne has it: with a log line, or an error where ``skip_failures=False``; with it
    fails the batch that it is in.

    Args:
        method: name of a method, or a preset
        classes: the candidate classes
        descriptions: as in :func:`lgca_plugin.classify`
        encoder: an encoder, the name of one, or a pair of name and pretrained tag, as :func:`lgca_plugin.load_encoder`
            takes them; None takes its default
        regions: as in :func:`lgca_plugin.classify`
        batch_size: number of crops in one call of the encoder, which has nothing to do with the ``batch_size`` of
            ``apply_model``, a number of images; None chooses
        device: as in :func:`lgca_plugin.load_encoder`
        precision: as in :func:`lgca_plugin.load_encoder`
        description_style: as in :func:`lgca_plugin.classify`
        display_names: as in :func:`lgca_plugin.classify`
        prompt: as in :func:`lgca_plugin.classify`

    Returns:
        the model

    Raises:
        ConfigError: if an argument is wrong
        ModelUnavailableError: if the encoder can't be loaded
    """
    if classes is None:
        raise ConfigError(
            "a zero-shot model takes the classes to choose from: classes=['goldfinch', 'siskin']",
            app="a zero-shot model takes the classes to choose from: type two or more",
        )
    names, settings = check_classes(classes), regions or RegionConfig()
    (preset,) = run_methods([method], settings)
    if batch_size is not None:
        check_count("batch_size", batch_size, at_least=1)
    loaded = given_encoder(encoder, device=device, precision=precision)
    for warning in (*method_warnings((preset,), settings), *loaded.warnings):
        logger.warning(warning)
    from .zero_shot_model import ZeroShotModel

    return ZeroShotModel(
        preset,
        names,
        descriptions=descriptions,
        description_style=style_in_code(description_style, descriptions),
        names=ClassNames().changed(names, display_names, prompt),
        encoder=loaded,
        regions=settings,
        batch_size=batch_size,
    )
