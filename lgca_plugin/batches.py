"""Full batches out of many images' crops, each region encoded once, and smaller batches when memory runs out."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .errors import LgcaError
from .model.crops import Preprocessing, crop_and_resize, normalize_pixels, resize_whole

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from .growing import Box, GrowingImage
    from .model.encoder import Encoder

logger = logging.getLogger(__name__)


@dataclass
class EngineStats:
    """What the engine did, counted as it goes.

    Attributes:
        images: images with a result
        recalled: images among them whose embeddings were all known, so that nothing was decoded or encoded
        failed: images that gave no result
        encodes: encodes of whole images and regions
        batches: batches given to the encoder
        batch_capacity: encodes that those batches could have held
        encoder_seconds: time inside the encoder
        crop_seconds: time spent cropping and resizing
        wait_seconds: time spent waiting for decoded images
        batch_size: current batch size; smaller than asked for after running out of memory
    """

    images: int = 0
    recalled: int = 0
    failed: int = 0
    encodes: int = 0
    batches: int = 0
    batch_capacity: int = 0
    encoder_seconds: float = 0.0
    crop_seconds: float = 0.0
    wait_seconds: float = 0.0
    batch_size: int = 0

    @property
    def batch_fill(self) -> float:
        """Share of the batches' places that were used, in [0, 1]."""
        return self.encodes / self.batch_capacity if self.batch_capacity else 0.0


class Feeder:
    """Gives the encoder full batches made of many images' crops, smaller ones when memory runs out."""

    def __init__(self, encoder: Encoder, stats: EngineStats) -> None:
        self._encoder = encoder
        self._preprocessing = Preprocessing.of(encoder)
        self._stats = stats

    def encode(self, wanted: list[tuple[GrowingImage, list[Box | None]]]) -> None:
        """Encodes boxes (None is the whole image) and stores the embeddings with their images."""
        jobs = [(image, key) for image, keys in wanted for key in keys]
        start = 0
        while start < len(jobs):
            batch = jobs[start : start + self._stats.batch_size]
            vectors = self._encode_or_back_off(self._pixels(batch))
            if vectors is None:
                continue
            for (image, key), vector in zip(batch, vectors, strict=True):
                image.embeddings[key] = vector
            start += len(batch)
            self._stats.encodes += len(batch)
            self._stats.batches += 1
            self._stats.batch_capacity += self._stats.batch_size

    def _pixels(self, batch: list[tuple[GrowingImage, Box | None]]) -> torch.Tensor:
        import torch

        started = time.perf_counter()
        parts = []
        start = 0
        while start < len(batch):
            image, key = batch[start]
            pixels = image.pixels
            if pixels is None:
                raise ValueError("an image that was not decoded has nothing to encode")
            if key is None:
                parts.append(resize_whole(pixels, self._preprocessing)[None])
                start += 1
                continue
            boxes = []
            while start < len(batch) and batch[start][0] is image and batch[start][1] is not None:
                boxes.append(batch[start][1])
                start += 1
            parts.append(crop_and_resize(pixels, np.array(boxes), self._preprocessing))
        normalized = normalize_pixels(torch.cat(parts), self._preprocessing)
        self._stats.crop_seconds += time.perf_counter() - started
        return normalized

    def _encode_or_back_off(self, pixels: torch.Tensor) -> NDArray[np.float32] | None:
        """Encodes a batch; None means that memory ran out and the batch size has been halved."""
        import torch

        started = time.perf_counter()
        try:
            vectors = self._encoder.encode_images(pixels)
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
            if len(pixels) == 1:
                raise LgcaError(
                    "the device has too little free memory for a single crop; free some, or pass device='cpu'"
                ) from error
            self._stats.batch_size = len(pixels) // 2
            logger.warning("Out of memory: going on with batches of %d", self._stats.batch_size)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            return None
        finally:
            self._stats.encoder_seconds += time.perf_counter() - started
        return vectors


def _is_out_of_memory(error: RuntimeError) -> bool:
    """Tells memory errors from others: CUDA has a class of its own, MPS and the CPU raise plain RuntimeErrors."""
    return type(error).__name__ == "OutOfMemoryError" or "out of memory" in str(error).lower()
