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
from ..images.crops import FAST
from .base import Encoder, sample_pixels
from .precision import default_device, fitting_batch, resolve_precision, resolve_resize, with_rounded_tower
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
        precision: floating-point type of the towers: ``"fp32"``, ``"bf16"``, ``"fp16"``, or ``"auto"`` for bf16 (fp16
            where the GPU lacks it) on CUDA and fp32 elsewhere, but bf16 for the image tower of a large model on a CPU
            that multiplies it natively; similarities and scores are float32 or better always
        resize: how crops are resized: ``"exact"``, to the last bit as open_clip does it; ``"fast"``, several times as
            fast and a level of 255 off here and there, and out of large images decoded at a fraction of their size; or
            ``"auto"``, exact for fp32, and fast where half precision rounds off far more than that
        vocabulary: the words that the model was trained on, where these are few
        source: the name, and pretrained tag or path, under which :func:`load_encoder` finds the model

    Attributes:
        auto_precision: the precision that ``"auto"`` stands for, with this model on this device
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
        self.auto_precision = resolve_precision("auto", self.device, model.visual)
        self.precision = resolve_precision(precision, self.device, model.visual)
        self.resize = resolve_resize(resize, self.precision)
        self.concurrent = self.device.type == "cpu"  # where each thread has cores of its own
        self.crops_on_device = self.device.type == "cuda" and self.resize == FAST
        self.vocabulary = vocabulary
        self.source = source
        self._tokens = TextTokens(tokenizer)
        self.context = self._tokens.context
        self._by_tokens: dict[bytes, NDArray[np.float32]] = {}
        # A convolutional tower takes a third less time on the CPU where a pixel's channels lie side by side.
        channels_last = torch.channels_last
        self._model = model.eval().requires_grad_(False).to(self.device, torch.float32, memory_format=channels_last)
        self._texts: dict[str, NDArray[np.float32]] = {}
        self._input_type = torch.float32

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
        self.warnings = () if warning is None else (warning,)
        rounded = self.device.type == "cpu" and self.precision == "bf16"
        if faster is not self._model or rounded:
            _ = self.fingerprint  # of the weights as they were given
        self._model = faster
        if rounded:
            self._model, self._input_type = with_rounded_tower(self._model, torch.bfloat16), torch.bfloat16

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
        return fitting_batch(torch.cuda.mem_get_info(self.device)[0], each, most)

    def encode_images(self, pixels: torch.Tensor) -> NDArray[np.float32]:
        """Embeds ``[n, 3, image_size, image_size]`` normalized float32 pixels as ``[n, dim]`` float32 unit vectors.

        An embedding without a direction becomes NaN: that image fails.
        """
        import torch

        with torch.inference_mode(), self._autocast():
            moved = pixels.to(self.device, self._input_type, non_blocking=True, memory_format=torch.channels_last)
            features = self._model.encode_image(moved)
        return _unit(features)

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
                with torch.inference_mode(), self._autocast():
                    vectors = _unit(self._model.encode_text(tokens[rows].to(self.device)))
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

    def _autocast(self) -> Any:
        import torch

        if self.precision == "fp32" or self._input_type != torch.float32:
            return nullcontext()
        dtype = torch.bfloat16 if self.precision == "bf16" else torch.float16
        return torch.autocast(self.device.type, dtype=dtype)


def _square_side(size: Any, name: str) -> int:
    sides = {int(side) for side in (size if isinstance(size, (tuple, list)) else (size,))}
    if len(sides) != 1:
        raise ConfigError(f"{name} takes images of {size} pixels; only models with a square input are supported")
    return sides.pop()


def _unit(features: torch.Tensor) -> NDArray[np.float32]:
    import torch

    return unit_vectors(torch.nn.functional.normalize(features.float(), dim=-1).cpu().numpy())
