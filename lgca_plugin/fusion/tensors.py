"""Arrays as the tensors that a graph takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from .graph import ClassTensors, NodeTensors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..method.fusion.features import NodeFeatures
    from ..method.fusion.nodes import EncoderClasses, EncoderNodes


def node_tensors(
    nodes: EncoderNodes, features: NodeFeatures, times: NDArray[np.number | np.bool_] | None = None
) -> NodeTensors:
    """Returns one encoder's nodes as float32 tensors.

    Args:
        nodes: of b images
        features: of the nodes
        times: ``[k, N]`` how often each node counts, for b = k images, or for k draws of one
    """
    vectors, entropy, values = (
        torch.from_numpy(np.asarray(array, np.float32)) for array in (nodes.vectors, features.entropy, features.values)
    )
    if times is None:
        return NodeTensors(vectors, entropy, values)
    k = len(times)
    return NodeTensors(
        vectors=vectors.expand(k, -1, -1),
        entropy=entropy.expand(k, -1),
        features=values.expand(k, -1, -1),
        times=torch.from_numpy(np.asarray(times, np.float32)),
    )


def class_tensors(classes: EncoderClasses, device: torch.device | None = None) -> ClassTensors:
    """Returns what one encoder scores against as float32 tensors."""
    return ClassTensors(
        vectors=torch.from_numpy(np.asarray(classes.vectors, np.float32)).to(device),
        labels=torch.from_numpy(np.asarray(classes.labels, np.float32)).to(device),
        logit_scale=float(classes.logit_scale),
    )
