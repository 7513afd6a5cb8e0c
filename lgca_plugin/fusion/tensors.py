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


def node_tensors(nodes: EncoderNodes, features: NodeFeatures, gone: NDArray[np.bool_] | None = None) -> NodeTensors:
    """Returns one encoder's nodes as float32 tensors."""
    return NodeTensors(
        vectors=torch.from_numpy(np.asarray(nodes.vectors, np.float32)),
        entropy=torch.from_numpy(features.entropy),
        features=torch.from_numpy(features.values),
        gone=None if gone is None else torch.from_numpy(gone),
    )


def class_tensors(classes: EncoderClasses, device: torch.device | None = None) -> ClassTensors:
    """Returns what one encoder scores against as float32 tensors."""
    return ClassTensors(
        vectors=torch.from_numpy(np.asarray(classes.vectors, np.float32)).to(device),
        labels=torch.from_numpy(np.asarray(classes.labels, np.float32)).to(device),
        logit_scale=float(classes.logit_scale),
    )
