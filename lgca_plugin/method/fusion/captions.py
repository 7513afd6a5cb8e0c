"""The nodes of a caption, the whole of it and its sentences, as each encoder reads them, and their features."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from .features import NodeFeatures
from .nodes import PADDING, WHOLE, EncoderNodes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

MAX_SENTENCES = 16
"""Maximum number of sentences of a caption; more are parted into as many pieces."""
SENTENCE = 0
"""Step of a sentence's node."""

MEASURED = ("likeness", "length", "others' likeness")
"""The measured features of a node, in their order; whether it is the whole caption follows them."""
FEATURES = len(MEASURED) + 1

_END = re.compile(r"(?<=[.!?;])\s+|(?<=[。！？])|\n+")  # noqa: RUF001 (full stops of other scripts)


def sentences(caption: str) -> list[str]:
    """Returns the sentences of a caption, in their order, empty if it is but one.

    An encoder reads so many words of a text and no more, of a sentence all of them.
    """
    found = [part.strip() for part in _END.split(caption) if part.strip()]
    if len(found) > MAX_SENTENCES:
        found = [" ".join(part) for part in np.array_split(np.array(found, object), MAX_SENTENCES)]
    return found if len(found) > 1 else []


def caption_nodes(
    captions: Sequence[str], encoders: Sequence[Callable[[Sequence[str]], NDArray[np.float32]]]
) -> tuple[EncoderNodes, ...]:
    """Returns each encoder's nodes of captions, the whole caption first, then its sentences.

    Args:
        captions: b texts
        encoders: what embeds texts as ``[n, d]`` unit vectors, for each encoder
    """
    parts = [[caption, *sentences(caption)] for caption in captions]
    width = max(map(len, parts), default=1)
    step, chain = np.full((2, len(parts), width), PADDING, np.int64)
    chain[:] = -1
    for row, of_caption in enumerate(parts):
        step[row, : len(of_caption)] = SENTENCE
        step[row, 0] = WHOLE
        chain[row, 1 : len(of_caption)] = np.arange(len(of_caption) - 1)
    texts = list(dict.fromkeys(text for of_caption in parts for text in of_caption))
    place = {text: at for at, text in enumerate(texts)}
    rows = np.array([place[text] for of_caption in parts for text in of_caption], np.int64)
    found = []
    for encode in encoders:
        embedded = np.asarray(encode(texts), np.float32)
        vectors = np.zeros((*step.shape, embedded.shape[1]), np.float32)
        vectors[step != PADDING] = embedded[rows]
        found.append(EncoderNodes(vectors, step, chain))
    return tuple(found)


def length_shares(captions: Sequence[str], nodes: EncoderNodes) -> NDArray[np.float32]:
    """Returns ``[b, N]`` the length of each node's text, as a share of its caption's."""
    shares = np.zeros(nodes.step.shape, np.float32)
    for row, caption in enumerate(captions):
        lengths = [len(sentence) for sentence in sentences(caption)]
        shares[row, 0] = 1
        shares[row, 1 : 1 + len(lengths)] = np.array(lengths) / max(1, sum(lengths))
    return shares


def caption_features(nodes: Sequence[EncoderNodes], shares: NDArray[np.floating]) -> list[NodeFeatures]:
    """Computes the features of the nodes of M encoders for the same b captions.

    Measured of each node: its similarity to the whole caption, the share of the caption's length, and the mean of the
    other encoders' similarities.

    Args:
        nodes: of each encoder, the same captions in the same order
        shares: ``[b, N]`` of :func:`length_shares`

    Returns:
        the features of each encoder's nodes; before anything is learnt, all nodes of a caption count the same
    """
    likeness = [np.einsum("bnd,bd->bn", own.vectors, own.vectors[:, 0]) for own in nodes]
    found = []
    for m, own in enumerate(nodes):
        others = [one for j, one in enumerate(likeness) if j != m]
        values = np.zeros((*own.step.shape, FEATURES), np.float32)
        values[..., 0] = likeness[m]
        values[..., 1] = shares
        values[..., 2] = np.mean(others, axis=0) if others else 0
        values[..., 3] = own.step == WHOLE
        values[~own.there] = 0
        found.append(NodeFeatures(values, np.where(own.there, 0, np.inf).astype(np.float32)))
    return found
