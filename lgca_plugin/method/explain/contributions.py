"""What regions do for a decision: votes, exact contributions, flips and misleading crops.

Scores are linear in the region embeddings, so each region's share of a decision is arithmetic, not an estimate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.scores import class_scores, weighted_sum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..core.regions import RegionEmbeddings
    from ..core.scores import Weights

    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]


def votes(regions: FloatArray, class_vectors: FloatArray) -> NDArray[np.int64]:
    """Returns each region's own best class.

    Args:
        regions: ``[..., n, d]`` unit region embeddings
        class_vectors: ``[C, d]`` unit class vectors

    Returns:
        ``[..., n]`` class indices
    """
    best: NDArray[np.int64] = class_scores(regions, class_vectors).argmax(axis=-1)
    return best


def contributions(
    images: RegionEmbeddings,
    weights: Weights,
    class_vectors: FloatArray,
    a: IntArray | int,
    b: IntArray | int,
) -> tuple[FloatArray, FloatArray]:
    """Splits the margin of class a over class b into the shares of the regions and of the whole image.

    ``contribution(r; a over b) = a_r <f_r, c(a) - c(b)> / norm``, with ``norm`` the length of the weighted sum of
    embeddings. The shares and the whole image's term sum to ``<z, c(a)> - <z, c(b)>``.

    Args:
        images: the regions of one image or of several
        weights: of the same
        class_vectors: ``[C, d]`` unit class vectors
        a: class index, or ``[...]`` one for each image
        b: class index, or ``[...]`` one for each image

    Returns:
        ``[..., n]`` shares of the regions, and ``[...]`` the whole image's term
    """
    direction = (class_vectors[a] - class_vectors[b]).astype(np.float64)
    norm = np.linalg.norm(weighted_sum(images, weights), axis=-1)
    norm = np.where(norm == 0, 1, norm)
    of_regions = weights.regions * np.matmul(images.regions, direction[..., :, None])[..., 0] / norm[..., None]
    of_whole = weights.whole * (images.whole * direction).sum(axis=-1) / norm
    return of_regions, of_whole


def flips(vote: IntArray, step: IntArray, chain: IntArray) -> dict[int, bool]:
    """Returns for each chain that has grown whether its last vote differs from its first.

    Args:
        vote: ``[n]`` class index that each region votes for
        step: ``[n]`` expansion step of each region
        chain: ``[n]`` chain of each region

    Returns:
        chain number to whether it flipped; chains that never grew are not listed
    """
    result = {}
    for number in np.unique(chain[step > 0]):
        members = np.flatnonzero(chain == number)
        ordered = vote[members[np.argsort(step[members], kind="stable")]]
        result[int(number)] = bool(ordered[0] != ordered[-1])
    return result


def misleading_crops(
    vote: IntArray,
    step: IntArray,
    contribution: FloatArray,
    wca_label: IntArray | int,
    lgca_label: IntArray | int,
) -> NDArray[np.bool_]:
    """Marks misleading crops: those that vote for WCA's label a and contribute to a over LGCA's label b, where b != a.

    Args:
        vote: ``[..., n]`` class index that each region votes for
        step: ``[n]`` or ``[..., n]`` expansion step of each region
        contribution: ``[..., n]`` contributions to a over b under WCA's weights
        wca_label: WCA's class index, or ``[...]`` one for each image
        lgca_label: LGCA's class index, or ``[...]`` one for each image

    Returns:
        ``[..., n]`` bool
    """
    a, b = np.asarray(wca_label)[..., None], np.asarray(lgca_label)[..., None]
    marked: NDArray[np.bool_] = (step == 0) & (vote == a) & (a != b) & (contribution > 0)
    return marked
