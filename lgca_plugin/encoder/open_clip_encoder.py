"""open_clip models as encoders."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigError
from ..images.crops import FAST, normalize_pixels
from ..images.products import exact_products
from .base import Encoder, sample_pixels
from .half_precision import DTYPES, overflow_pixels, with_rounded_products, with_rounded_tower
from .precision import (
    PRECISIONS,
    auto_precisions,
    check_choice,
    default_device,
    fitting_batch,
    free_memory,
    resolve_resize,
)
from .tokens import TextTokens
from .unit_vectors import directionless, unit_vectors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch
    from numpy.typing import NDArray

_TEXT_BATCH = 256
_PROBE = 8


class OpenClipEncoder(Encoder):
    """An open_clip model as an :class:`Encoder`.

    Args:
        model: an open_clip model with ``encode_image``, ``encode_text`` and ``logit_scale``
        tokenizer: turns a list of texts into a token tensor
        name: name of the model in the run's record
        device: where the model runs; None takes cuda, then mps, then cpu
        precision: floating-point type of the image tower: ``"fp32"``, ``"bf16"``, ``"fp16"``, or ``"auto"`` for fp16 on
            CUDA (where that overflows bf16, if the device has it, else fp32) and fp32 elsewhere, but bf16 for a large
            model on a CPU that multiplies it natively; texts, similarities and scores are float32 or better always
        resize: how crops are resized: ``"exact"``, to the last bit as open_clip does it; ``"fast"``, several times as
            fast and a level of 255 off here and there, and out of large images decoded at a fraction of their size; or
            ``"auto"``, exact for fp32, and fast where half precision rounds off far more than that
        vocabulary: the words that the model was trained on, where these are few
        source: the name, and pretrained tag or path, under which :func:`load_encoder` finds the model

    Attributes:
        auto_precision: the precision that ``"auto"`` stands for, with this model on this device; empty where that was
            not tried, for the one given overflows
    """

    device: torch.device

    def __init__(
        self,
        model: Any,
        tokenizer: Callable[[list[str]], torch.Tensor],
        *,
        name: str,
        device: str | None = None,
        precision: str = "auto",
        resize: str = "auto",
        vocabulary: frozenset[str] | None = None,
        source: tuple[str, str | None] | None = None,
    ) -> None:
        import torch
        from open_clip import get_model_preprocess_cfg

        from .shortcuts import with_class_token_block

        self.name = name
        self.device = torch.device(device or default_device())
        check_choice("precision", precision, PRECISIONS)
        candidates = auto_precisions(self.device, model.visual)
        self.precision = candidates[0] if precision == "auto" else precision
        self.concurrent = self.device.type == "cpu"  # where each thread has cores of its own
        self.normalizes = self.device.type == "cuda"  # so that a fourth of the bytes is copied there
        self.vocabulary = vocabulary
        self.source = source
        self._tokens = TextTokens(tokenizer)
        self.context = self._tokens.context
        self.tokenizer = self._tokens.fingerprint
        self._by_tokens: dict[bytes, NDArray[np.float32]] = {}
        # A convolutional tower takes a third less time on the CPU where a pixel's channels lie side by side.
        channels_last = torch.channels_last
        self._model = model.eval().requires_grad_(False).to(self.device, torch.float32, memory_format=channels_last)
        self._texts: dict[str, NDArray[np.float32]] = {}

        config = get_model_preprocess_cfg(model)
        self.image_size = _square_side(config["size"], name)
        self.mean = tuple(float(value) for value in config["mean"])
        self.std = tuple(float(value) for value in config["std"])
        self.interpolation = str(config.get("interpolation", "bicubic"))
        self.resize_mode = str(config.get("resize_mode", "shortest"))
        self.fill_color = int(config.get("fill_color", 0))
        self.logit_scale = float(model.logit_scale.exp())
        if not (np.isfinite(self.logit_scale) and self.logit_scale > 0):
            raise ConfigError(
                f"the weights of {name} are damaged, the factor of its logits is {self.logit_scale}: load others"
            )
        self.dim = int(self.encode_texts(["a photo"]).shape[1])

        faster, warning = with_class_token_block(self._model)
        self.warnings: tuple[str, ...] = () if warning is None else (warning,)
        if faster is not self._model or self.precision in DTYPES:
            _ = self.fingerprint  # of the weights as they were given
        self._use(faster, self.precision)
        self.auto_precision = candidates[0]
        if self.precision == "fp16" == candidates[0] and self._overflows():
            self.auto_precision = ""
            if precision == "auto":
                self.precision = self.auto_precision = candidates[1]
                self._use(faster, self.precision)
                overflow = f"{name} overflows in fp16, so its images are embedded in {self.precision}"
                self.warnings += (overflow,)
        chosen = candidates.index(self.precision) if precision == "auto" else len(candidates)
        self.wider_precisions = candidates[chosen + 1 :]
        self.resize = resolve_resize(resize, self.precision)
        self.crops_on_device = self.device.type == "cuda" and self.resize == FAST
        self.pads = self.device.type != "cpu" and self.precision in DTYPES

    def _use(self, model: Any, precision: str) -> None:
        """Rounds the weights of the image tower; the text tower, which has little to do, stays in float32."""
        import torch

        self._dtype = getattr(torch, DTYPES[precision]) if precision in DTYPES else torch.float32
        self._autocasts = precision in DTYPES and (self.device.type, precision) != ("cpu", "bf16")
        if self._autocasts:
            model = with_rounded_products(model, self._dtype)
        elif precision in DTYPES:
            model = with_rounded_tower(model, self._dtype)  # which takes a sixth off the time of small towers
        self._model = model

    def _overflows(self) -> bool:
        return bool(directionless(self.encode_images(overflow_pixels(self.image_size))).any())

    def fitting_batch(self, most: int) -> int:
        """Returns the number of crops, at most ``most``, that fit into a GPU's free memory; elsewhere ``most``."""
        import torch

        if self.device.type != "cuda":
            return most
        few = torch.zeros(_PROBE, 3, self.image_size, self.image_size)
        self.encode_images(few)  # memory that is allocated once only is not measured
        before = torch.cuda.memory_allocated(self.device)
        torch.cuda.reset_peak_memory_stats(self.device)
        self.encode_images(few)
        each = (torch.cuda.max_memory_allocated(self.device) - before) / _PROBE
        return fitting_batch(free_memory(self.device), each, most)

    def encode_images(self, pixels: torch.Tensor) -> NDArray[np.float32]:
        """Embeds ``[n, 3, image_size, image_size]`` normalized float32 pixels as ``[n, dim]`` float32 unit vectors.

        Pixels of uint8 are normalized here. An embedding without a direction becomes NaN: that image fails.
        """
        return self.start_images(pixels)()

    def start_images(self, pixels: torch.Tensor) -> Callable[[], NDArray[np.float32]]:
        """Starts to embed pixels; on CUDA returns before that is done, so that the next batch can be prepared."""
        import torch

        autocast = torch.autocast(self.device.type, dtype=self._dtype) if self._autocasts else nullcontext()
        moved = pixels.to(self.device, non_blocking=True)
        with torch.inference_mode(), exact_products(self.device.type):
            if moved.dtype == torch.uint8:
                moved = normalize_pixels(moved, self.preprocessing)
            dtype = torch.float32 if self._autocasts else self._dtype
            with autocast:
                features = self._model.encode_image(moved.to(dtype, memory_format=torch.channels_last))
            unit = torch.nn.functional.normalize(features.float(), dim=-1)
        return _copied(unit)

    def check(self) -> None:
        """Embeds two images of noise; raises ConfigError unless that is two unit vectors as wide as those of texts."""
        vectors = self.encode_images(sample_pixels(self.image_size))
        if vectors.shape != (2, self.dim):
            raise ConfigError(
                f"the image tower of {self.name} returns vectors of shape {list(vectors.shape)} for two images, and "
                f"its text tower vectors of {self.dim} numbers: it is no model for zero-shot classification"
            )
        if directionless(vectors).any():
            raise self._no_direction("image tower", "images of noise")

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeds texts as ``[n, dim]`` float32 unit vectors; a text is encoded once in the encoder's life.

        Texts that are one to the tokenizer have one vector, to the last bit.

        Raises:
            ConfigError: if a vector has no direction: it is 0, or its values are not finite
        """
        import torch

        if not len(texts):
            return np.zeros((0, self.dim), dtype=np.float32)
        missing = [text for text in dict.fromkeys(texts) if text not in self._texts]
        for start in range(0, len(missing), _TEXT_BATCH):
            batch = missing[start : start + _TEXT_BATCH]
            tokens = self._tokens(batch)
            keys = [row.tobytes() for row in tokens.cpu().numpy()]
            new = {key: row for row, key in enumerate(keys) if key not in self._by_tokens}
            rows = list(new.values())
            if rows:
                with torch.inference_mode(), exact_products(self.device.type):
                    features = self._model.encode_text(tokens[rows].to(self.device))
                    vectors = _copied(torch.nn.functional.normalize(features.float(), dim=-1))()
                bad = np.flatnonzero(directionless(vectors))
                if len(bad):
                    what = f"{len(bad)} of {len(rows)} texts, such as {batch[rows[bad[0]]]!r}"
                    raise self._no_direction("text tower", what)
                self._by_tokens.update(zip(new, vectors, strict=True))
            self._texts.update((text, self._by_tokens[key]) for text, key in zip(batch, keys, strict=True))
        return np.stack([self._texts[text] for text in texts])

    def _no_direction(self, tower: str, inputs: str) -> ConfigError:
        remedy = "its weights are damaged, so load others" if self.precision == "fp32" else "take the precision fp32"
        what = "values that are not finite, or vectors of length 0"
        return ConfigError(f"the {tower} of {self.name} returned {what}, for {inputs}: {remedy}")

    def unknown_words(self, texts: Sequence[str]) -> list[str]:
        """Lists the words of ``texts`` that the model can't know, which its tokenizer or a small vocabulary lacks."""
        if self.vocabulary is None:
            return self._tokens.unknown(texts)
        words = {word for text in texts for word in re.findall(r"[^\W_]+", text.lower())}
        return sorted(words - self.vocabulary)

    def cut_texts(self, texts: Sequence[str]) -> list[str]:
        """Lists those of ``texts`` that are longer than the context, of which the model reads the beginning."""
        return self._tokens.cut(texts)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the weights, the layers' types and the preprocessing: equal if embeddings are."""
        digest = hashlib.blake2b(digest_size=16)
        for key, tensor in sorted(self._model.state_dict().items()):
            digest.update(f"{key} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().float().contiguous().numpy().data)
        digest.update(json.dumps(sorted({type(layer).__name__ for layer in self._model.modules()})).encode())
        digest.update(repr(self.preprocessing).encode())
        return digest.hexdigest()


def _square_side(size: Any, name: str) -> int:
    sides = {int(side) for side in (size if isinstance(size, (tuple, list)) else (size,))}
    if len(sides) != 1:
        raise ConfigError(f"{name} takes images of {size} pixels; only models with a square input are supported")
    return sides.pop()


def _copied(vectors: torch.Tensor) -> Callable[[], NDArray[np.float32]]:
    """Starts to copy vectors to the host; the function returned, for any thread, waits for them and returns them."""
    import torch

    if vectors.device.type != "cuda":
        array = vectors.cpu().numpy()
        return lambda: unit_vectors(array)
    host = torch.empty(vectors.shape, dtype=vectors.dtype, pin_memory=True)
    host.copy_(vectors, non_blocking=True)
    copied = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
    copied.record(torch.cuda.current_stream(vectors.device))

    def wait() -> NDArray[np.float32]:
        copied.synchronize()
        return unit_vectors(host.numpy())

    return wait
