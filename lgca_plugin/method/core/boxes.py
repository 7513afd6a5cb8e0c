"""Sampling square crops and growing them.

Boxes are ``[n, 4]`` integer arrays in absolute pixels, ``(left, top, width, height)``, in the orientation in which the
image is shown (EXIF applied). Every box is square and lies inside its image.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def sample_boxes(
    n: int,
    image_size_hw: tuple[int, int],
    *,
    scale_min: float,
    scale_max: float,
    seed: int,
    content_hash: str,
    spread_of: int | None = None,
) -> NDArray[np.int64]:
    """Samples the local crops of one image.

    The side is ``u * min(H, W)`` with ``u ~ Uniform(scale_min, scale_max)``, rounded to a whole pixel; the position is
    uniform. The crops depend on the arguments alone, and the first ``m`` of ``n`` crops are those of ``n=m``, so
    methods with different numbers of crops share a sequence. Only the raw bits of PCG64 are used, whose stream NumPy
    guarantees for all versions and machines.

    With ``spread_of`` they are the first of so many crops in the order of :func:`spread_order`, of which fewer are a
    prefix as well.

    Args:
        n: number of crops, at least 1
        image_size_hw: image height and width in pixels
        scale_min: smallest side, as a share of the image's shorter side, > 0
        scale_max: largest side, as a share of the image's shorter side, in [``scale_min``, 1]
        seed: the run's seed
        content_hash: hash of the image file's bytes
        spread_of: number of crops, at least ``n``, that the most spread out ones are taken of; None takes the first

    Returns:
        ``[n, 4]`` int64 boxes

    Raises:
        ValueError: if ``n``, ``spread_of``, the scales or the image size are out of range
    """
    sizes = np.array([image_size_hw], dtype=np.int64)
    boxes: NDArray[np.int64] = sample_boxes_of_images(
        n,
        sizes,
        scale_min=scale_min,
        scale_max=scale_max,
        seed=seed,
        content_hashes=[content_hash],
        spread_of=spread_of,
    )[0]
    return boxes


def sample_boxes_of_images(
    n: int,
    image_sizes_hw: NDArray[np.int64],
    *,
    scale_min: float,
    scale_max: float,
    seed: int,
    content_hashes: Sequence[str],
    spread_of: int | None = None,
) -> NDArray[np.int64]:
    """Samples the local crops of several images, each as :func:`sample_boxes` does.

    Args:
        n: number of crops an image, at least 1
        image_sizes_hw: ``[b, 2]`` image heights and widths in pixels
        scale_min: smallest side, as a share of the image's shorter side, > 0
        scale_max: largest side, as a share of the image's shorter side, in [``scale_min``, 1]
        seed: the run's seed
        content_hashes: hashes of the b image files' bytes
        spread_of: number of crops, at least ``n``, that the most spread out ones are taken of; None takes the first

    Returns:
        ``[b, n, 4]`` int64 boxes

    Raises:
        ValueError: if ``n``, ``spread_of``, the scales or an image size are out of range
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    if spread_of is not None:
        if spread_of < n:
            raise ValueError(f"spread_of must be at least n = {n}, got {spread_of}")
        boxes = sample_boxes_of_images(
            spread_of,
            image_sizes_hw,
            scale_min=scale_min,
            scale_max=scale_max,
            seed=seed,
            content_hashes=content_hashes,
        )
        return np.take_along_axis(boxes, spread_order(boxes, n)[..., None], axis=-2)
    if not 0 < scale_min <= scale_max <= 1:
        raise ValueError(
            f"scale_min and scale_max must satisfy 0 < scale_min <= scale_max <= 1, got {scale_min} and {scale_max}"
        )
    height, width = _checked_size(image_sizes_hw)
    raw = np.empty((len(content_hashes), 3 * n), dtype=np.uint64)
    for row, content_hash in zip(raw, content_hashes, strict=True):
        digest = hashlib.sha256(f"{seed}:{content_hash}".encode()).digest()
        row[:] = np.random.PCG64(int.from_bytes(digest[:16], "little")).random_raw(3 * n)
    uniforms = (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53
    scale, along_x, along_y = np.moveaxis(uniforms.reshape(-1, n, 3), -1, 0)

    shorter = np.minimum(height, width)
    side = np.floor((scale_min + scale * (scale_max - scale_min)) * shorter + 0.5)
    side = np.minimum(np.maximum(side, 1), shorter)
    left = np.floor(along_x * (width - side + 1))
    top = np.floor(along_y * (height - side + 1))
    return np.stack([left, top, side, side], axis=-1).astype(np.int64)


def spread_order(boxes: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Orders crops such that each overlaps those before it as little as possible.

    The first crop stays first. Each next one is that whose largest overlap, as intersection over union, with any
    before it is the smallest, the earlier of equal ones: farthest-point sampling (Gonzalez, Theoretical Computer
    Science 38, 1985). Fewer are a prefix of more. Sums and products are of whole numbers and each overlap is one
    division, so the order is the same on every machine.

    Args:
        boxes: ``[..., n, 4]`` int array of square boxes
        count: number of crops, in [1, n]

    Returns:
        ``[..., count]`` indices

    Raises:
        ValueError: if ``count`` is out of range
    """
    if not 1 <= count <= boxes.shape[-2]:
        raise ValueError(f"count must be between 1 and {boxes.shape[-2]}, got {count}")
    order = np.zeros((*boxes.shape[:-2], count), dtype=np.int64)
    largest = np.zeros(boxes.shape[:-1])
    for place in range(count):
        chosen = largest.argmin(axis=-1, keepdims=True)
        order[..., place] = chosen[..., 0]
        box = np.take_along_axis(boxes, chosen[..., None], axis=-2)
        np.maximum(largest, _overlap(boxes, box), out=largest)
        np.put_along_axis(largest, chosen, np.inf, axis=-1)  # more than any overlap, so it is not chosen again
    return order


def _overlap(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns ``[..., n]`` intersection over union of square boxes, in [0, 1]."""
    corner = np.maximum(first[..., :2], second[..., :2])
    far_corner = np.minimum(first[..., :2] + first[..., 2:], second[..., :2] + second[..., 2:])
    common = np.maximum(far_corner - corner, 0).prod(axis=-1)
    overlap: NDArray[np.float64] = common / (first[..., 2] ** 2 + second[..., 2] ** 2 - common)
    return overlap


def expand_boxes(
    boxes: NDArray[np.int64], image_size_hw: tuple[int, int] | NDArray[np.int64], growth: float
) -> NDArray[np.int64]:
    """Grows square boxes about their centres and shifts them back inside the image.

    Args:
        boxes: ``[..., n, 4]`` int array
        image_size_hw: height and width of the image, or ``[..., 2]`` those of several
        growth: side factor; ValueError unless it is greater than 1

    Returns:
        ``[..., n, 4]`` int64; every box lies inside the image, sides at most ``min(H, W)``
    """
    if not growth > 1:
        raise ValueError(f"growth must be greater than 1, got {growth}")
    height, width = _checked_size(image_size_hw)
    left, top, side = boxes[..., 0], boxes[..., 1], boxes[..., 2]
    grown = np.minimum(np.floor(side * growth + 0.5), np.minimum(height, width)).astype(np.int64)
    shift = (side - grown) // 2
    grown_left = np.minimum(np.maximum(left + shift, 0), width - grown)  # np.clip takes three times as long
    grown_top = np.minimum(np.maximum(top + shift, 0), height - grown)
    return np.stack([grown_left, grown_top, grown, grown], axis=-1)


def chain_counts(n: int, *, keep: float, steps: int) -> tuple[int, ...]:
    """Returns the number of regions of each step: ``K_0 = n`` and ``K_{t+1} = max(1, ceil(keep * K_t))``.

    Without rounding up their sum is below ``n / (1 - keep)`` for any ``steps``, and rounding adds less than
    ``steps / (1 - keep)``: expansion has the same order of cost as no expansion (the complexity theorem of LGCA, arXiv
    2511.00419).

    Args:
        n: number of chains, at least 1
        keep: share of the regions that each step keeps, in (0, 1); taken as the decimal that it prints as
        steps: number of expansion steps, at least 0

    Returns:
        ``steps + 1`` counts

    Raises:
        ValueError: if an argument is out of range
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    if not 0 < keep < 1:
        raise ValueError(f"keep must be between 0 and 1, got {keep}")
    if steps < 0:
        raise ValueError(f"steps must be at least 0, got {steps}")
    share = Fraction(str(keep))  # 0.1 * 30 is 3, not the binary 3.0000000000000004
    counts = [n]
    for _ in range(steps):
        counts.append(max(1, ceil(share * counts[-1])))
    return tuple(counts)


def matching_chains(crops: int, *, keep: float, steps: int) -> int:
    """Returns the largest number of chains whose regions, over all steps, take no more encodes than ``crops`` crops.

    At least 1, although a single chain takes ``steps + 1`` encodes, which may be more than ``crops``.

    Args:
        crops: number of encodes to match, at least 1
        keep: share of the regions that each step keeps, in (0, 1)
        steps: number of expansion steps, at least 0

    Returns:
        the number of chains, at least 1; 34 for 60 crops, keep 0.5 and 2 steps
    """
    affordable, too_many = 1, crops + 1
    while too_many - affordable > 1:  # the cost never falls with the number of chains
        middle = (affordable + too_many) // 2
        if sum(chain_counts(middle, keep=keep, steps=steps)) <= crops:
            affordable = middle
        else:
            too_many = middle
    return affordable


def select_salient(salience: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    """Selects the ``count`` regions of highest salience, the earlier of equal ones.

    Args:
        salience: ``[..., n]`` similarities of the regions to the whole image
        count: number of regions, in [1, n]

    Returns:
        ``[..., count]`` indices in ascending order

    Raises:
        ValueError: if ``count`` is out of range
    """
    if not 1 <= count <= salience.shape[-1]:
        raise ValueError(f"count must be between 1 and {salience.shape[-1]}, got {count}")
    return np.sort(np.argsort(-salience, axis=-1, kind="stable")[..., :count], axis=-1)


def relative_boxes(boxes: NDArray[np.int64], image_size_hw: tuple[int, int]) -> NDArray[np.float64]:
    """Converts pixel boxes to FiftyOne's relative ``[x, y, w, h]``.

    Args:
        boxes: ``[n, 4]`` int array, absolute pixels, ``(left, top, width, height)``
        image_size_hw: image height and width in pixels

    Returns:
        ``[n, 4]`` float64 array in [0, 1]
    """
    height, width = image_size_hw
    _checked_size(image_size_hw)
    return boxes / np.array([width, height, width, height], dtype=np.float64)


def _checked_size(image_size_hw: tuple[int, int] | NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns ``[..., 1]`` heights and widths, which broadcast over the boxes of their image."""
    sizes = np.asarray(image_size_hw, dtype=np.int64)
    if (sizes < 1).any():
        raise ValueError(f"image_size_hw must be positive, got {image_size_hw}")
    return sizes[..., 0, None], sizes[..., 1, None]
