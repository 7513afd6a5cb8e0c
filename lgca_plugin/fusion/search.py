"""The vectors by which images and texts are searched: a weighted product of two is how like they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..method.fusion.features import node_features

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ..method.fusion.nodes import EncoderClasses, EncoderNodes
    from .weights import CaptionWeights


def image_vectors(
    weights: CaptionWeights, nodes: Sequence[EncoderNodes], classes: Sequence[EncoderClasses]
) -> NDArray[np.float32]:
    """Returns ``[b, D]`` the vectors of images.

    Args:
        weights: of a model, trained or not
        nodes: of each encoder, in the order of the weights
        classes: of each encoder, what the nodes' features are about
    """
    import torch

    from .tensors import node_tensors

    features = node_features(nodes, classes, steps=weights.settings.expansion_steps)
    with torch.inference_mode():
        tensors = [node_tensors(own, of_nodes) for own, of_nodes in zip(nodes, features, strict=True)]
        return np.asarray(weights.graph.images(tensors).numpy(), np.float32)


def search_factors(weights: CaptionWeights, classes: Sequence[EncoderClasses]) -> NDArray[np.float32]:
    """Returns ``[D]`` how much the product of each dimension counts."""
    import torch

    with torch.inference_mode():
        return np.asarray(weights.graph.factors([own.logit_scale for own in classes]).numpy(), np.float32)


def text_vectors(
    weights: CaptionWeights, texts: Sequence[str], encoders: Sequence[Callable[[Sequence[str]], NDArray[np.float32]]]
) -> NDArray[np.float32]:
    """Returns ``[c, D]`` the vectors of texts.

    Args:
        weights: of a model, trained or not
        texts: c texts
        encoders: what embeds texts as ``[n, d]`` unit vectors, for each encoder
    """
    import torch

    from .captioned import caption_tensors

    with torch.inference_mode():
        return np.asarray(weights.graph.captions(caption_tensors(texts, encoders)).numpy(), np.float32)
