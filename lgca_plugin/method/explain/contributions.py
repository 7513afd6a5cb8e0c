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

    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]


def votes(regions: FloatArray, class_vectors: FloatArray) -> NDArray[np.int64]:
    """Returns ``[..., n]`` the best class of each of ``[..., n, d]`` regions itself."""
    best: NDArray[np.int64] = class_scores(regions, class_vectors).argmax(axis=-1)
    return best


def contributions(
    images: RegionEmbeddings,
    weights: FloatArray,
    global_weight: float,
    class_vectors: FloatArray,
    a: IntArray | int,
    b: IntArray | int,
) -> tuple[FloatArray, FloatArray]:
    """Splits the margin of class a over class b into the shares of the regions, ``[..., n]``, and of the whole image.

    ``contribution(r; a over b) = a_r <f_r, c(a) - c(b)> / norm``, with ``norm`` the length of the weighted sum of
    embeddings. The shares and the whole image's term, ``[...]``, sum to ``<z, c(a)> - <z, c(b)>``. Classes are indices,
    one for all images or ``[...]`` one for each; ``weights`` is ``[..., n]``, ``class_vectors`` ``[C, d]``.
    """
    direction = (class_vectors[a] - class_vectors[b]).astype(np.float64)
    norm = np.linalg.norm(weighted_sum(images, weights, global_weight), axis=-1)
    norm = np.where(norm == 0, 1, norm)
    of_regions = weights * np.matmul(images.regions, direction[..., :, None])[..., 0] / norm[..., None]
    of_whole = global_weight * (images.whole * direction).sum(axis=-1) / norm
    return of_regions, of_whole


def flips(vote: IntArray, step: IntArray, chain: IntArray) -> dict[int, bool]:
    """Returns for each chain that has grown whether its last vote differs from its first; all arrays ``[n]``."""
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

    Votes, steps and contributions (to a over b under WCA's weights) are ``[..., n]``; labels are class indices, one or
    ``[...]`` one for each image. Returns ``[..., n]`` bool.
    """
    a, b = np.asarray(wca_label)[..., None], np.asarray(lgca_label)[..., None]
    marked: NDArray[np.bool_] = (step == 0) & (vote == a) & (a != b) & (contribution > 0)
    return marked
