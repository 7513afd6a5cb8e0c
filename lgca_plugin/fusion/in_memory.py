"""The images that a fusion is trained on, in memory: half-precision nodes, as many as fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from ..method.fusion.features import MEASURED, node_features
from .graph import NodeTensors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from ..method.fusion.nodes import EncoderClasses, EncoderNodes


class Reader(Protocol):
    """Reads nodes: yields ids of samples that are there, a batch at a time, and each encoder's nodes of them."""

    def __call__(self, sample_ids: Sequence[str], /) -> Iterator[tuple[list[str], tuple[EncoderNodes, ...]]]:
        """Yields them."""


@dataclass(eq=False)
class _Part:
    """One encoder's nodes of the images read so far, in pieces that may differ in their number of nodes."""

    vectors: list[NDArray[np.float16]]
    entropy: list[NDArray[np.float32]]
    features: list[NDArray[np.float32]]

    def joined(self) -> NodeTensors:
        n = max(piece.shape[1] for piece in self.entropy)
        return NodeTensors(
            vectors=torch.from_numpy(_padded(self.vectors, n, 0)),
            entropy=torch.from_numpy(_padded(self.entropy, n, np.inf)),
            features=torch.from_numpy(_padded(self.features, n, 0)),
        )


@dataclass(frozen=True, eq=False)
class ImagesInMemory:
    """n images.

    Attributes:
        ids: their sample ids
        nodes: of each encoder; vectors in half precision
    """

    ids: list[str]
    nodes: list[NodeTensors]

    def __len__(self) -> int:
        """Returns n."""
        return len(self.ids)

    def batch(self, rows: torch.Tensor, device: torch.device) -> list[NodeTensors]:
        """Returns each encoder's nodes of some images, in single precision."""
        return batch_of(self.nodes, rows, device)

    def moments(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns ``[M, P]`` mean and deviation of the features of some images' nodes; 0 and 1 for the steps."""
        return moments_of(self.nodes, rows, len(MEASURED))


def batch_of(nodes: Sequence[NodeTensors], rows: torch.Tensor, device: torch.device) -> list[NodeTensors]:
    """Returns the nodes of some rows, in single precision."""
    return [
        NodeTensors(
            own.vectors[rows].to(device, torch.float32), own.entropy[rows].to(device), own.features[rows].to(device)
        )
        for own in nodes
    ]


def moments_of(nodes: Sequence[NodeTensors], rows: torch.Tensor, measured: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns ``[M, P]`` mean and deviation of the features of some rows' nodes; 0 and 1 after the measured ones."""
    means, deviations = [], []
    for own in nodes:
        values = own.features[rows][torch.isfinite(own.entropy[rows])].double()
        mean, deviation = values.mean(dim=0), values.std(dim=0, unbiased=False)
        mean[measured:], deviation[measured:] = 0, 1
        means.append(mean)
        deviations.append(torch.where(deviation < 1e-6, 1.0, deviation))
    return torch.stack(means).float(), torch.stack(deviations).float()


def read_images(
    read: Reader, sample_ids: Sequence[str], classes: Sequence[EncoderClasses], *, steps: int, memory_bytes: int
) -> ImagesInMemory:
    """Reads images until the memory is full.

    Args:
        read: reads their nodes
        sample_ids: their ids, those first that are to be read if not all fit
        classes: of each encoder
        steps: number of expansion steps that have a feature
        memory_bytes: maximum size; at least one batch is read

    Returns:
        those whose nodes are there
    """
    ids: list[str] = []
    parts = [_Part([], [], []) for _ in classes]
    used = 0
    for read_ids, nodes in read(sample_ids):
        ids += read_ids
        features = node_features(nodes, classes, steps=steps)
        for part, own, of_nodes in zip(parts, nodes, features, strict=True):
            part.vectors.append(own.vectors.astype(np.float16))
            part.entropy.append(of_nodes.entropy)
            part.features.append(of_nodes.values)
            used += part.vectors[-1].nbytes + part.entropy[-1].nbytes + part.features[-1].nbytes
        if used >= memory_bytes:
            break
    return ImagesInMemory(ids, [part.joined() for part in parts if part.vectors])


def _padded(pieces: Sequence[NDArray[np.floating]], n: int, value: float) -> NDArray[np.floating]:
    """Joins ``[b, N, ...]`` pieces as ``[sum b, n, ...]``."""
    joined = np.full((sum(map(len, pieces)), n, *pieces[0].shape[2:]), value, pieces[0].dtype)
    start = 0
    for piece in pieces:
        joined[start : start + len(piece), : piece.shape[1]] = piece
        start += len(piece)
    return joined
