"""Encoders: the protocol that the engine drives, and open_clip models behind it."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigError
from ..images.crops import FAST
from .architectures import DEFAULT_MODEL, DEFAULT_PRETRAINED, DEMO_MODEL, FOLDER_SCHEMA, display_name
from .precision import (
    PRECISIONS,
    RESIZES,
    check_choice,
    fitting_batch,
    resolve_precision,
    resolve_resize,
    with_rounded_tower,
)
from .protocol import Encoder, preprocessing_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_TEXT_BATCH = 256
_PROBE = 8

_LOADED: list[tuple[object, OpenClipEncoder]] = []
"""The two encoders loaded last, with what they were loaded from."""
_LOADING = Lock()


class OpenClipEncoder:
    """An open_clip model as an :class:`Encoder`.

    Args:
        model: an open_clip model with ``encode_image``, ``encode_text`` and ``logit_scale``
        tokenizer: turns a list of texts into a token tensor
        name: what the run's record calls the model
        device: where the model runs; None takes cuda, then mps, then cpu
        precision: floating-point type of the towers: ``"fp32"``, ``"bf16"``, ``"fp16"``, or ``"auto"`` for bf16 (fp16
            where the GPU lacks it) on CUDA and fp32 elsewhere, but bf16 for the image tower of a large model on a CPU
            that multiplies it natively; similarities and scores are float32 or better always
        resize: how crops are resized: ``"exact"``, to the last bit as open_clip does it; ``"fast"``, several times as
            fast and a level of 255 off here and there, and out of large images decoded at a fraction of their size; or
            ``"auto"``, exact for fp32, and fast where half precision rounds off far more than that
        vocabulary: the words that the model knows, where it knows few
        source: the name, and pretrained tag or path, under which :func:`load_encoder` has found the model
    """

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

        from .shortcuts import with_shortcuts

        self.name = name
        self.device = torch.device(device or default_device())
        self._auto_precision = resolve_precision("auto", self.device, model.visual)  # by the tower as it was given
        self.precision = resolve_precision(precision, self.device, model.visual)
        self.resize = resolve_resize(resize, self.precision)
        self.vocabulary = vocabulary
        self.source = source
        self._tokenizer = tokenizer
        # A convolutional tower takes a third less time on the CPU where a pixel's channels lie side by side.
        channels_last = torch.channels_last
        self._model = model.eval().requires_grad_(False).to(self.device, torch.float32, memory_format=channels_last)
        self._texts: dict[str, NDArray[np.float32]] = {}
        self._input_type = torch.float32

        wanted = model.visual.preprocess_cfg
        self.image_size = _square_side(wanted["size"], name)
        self.mean = tuple(float(value) for value in wanted["mean"])
        self.std = tuple(float(value) for value in wanted["std"])
        self.interpolation = str(wanted.get("interpolation", "bicubic"))
        self.resize_mode = str(wanted.get("resize_mode", "shortest"))
        self.fill_color = int(wanted.get("fill_color", 0))
        self.logit_scale = float(model.logit_scale.exp())
        self.dim = int(self.encode_texts(["a photo"]).shape[1])
        shorter, rounds = with_shortcuts(self._model), self.device.type == "cpu" and self.precision == "bf16"
        if shorter is not self._model or rounds:
            _ = self.fingerprint  # that of the weights as they were
        self._model = shorter
        if rounds:
            self._model, self._input_type = with_rounded_tower(self._model, torch.bfloat16), torch.bfloat16

    @property
    def concurrent(self) -> bool:
        """Whether images may be encoded in several threads at once: on the CPU, where each then has its own cores."""
        return bool(self.device.type == "cpu")

    @property
    def crops_on_device(self) -> bool:
        """Whether crops are cut where the model is: on a GPU, if they need not be Pillow's to the last bit."""
        return bool(self.device.type == "cuda" and self.resize == FAST)

    def fitting_batch(self, most: int) -> int:
        """Tells how many crops fit at once into the memory that is free on a GPU, up to a number; elsewhere all do."""
        import torch

        if self.device.type != "cuda":
            return most
        few = torch.zeros(_PROBE, 3, self.image_size, self.image_size)
        self.encode_images(few)  # what is taken once for all stays out of the measure
        before = torch.cuda.memory_allocated(self.device)
        torch.cuda.reset_peak_memory_stats(self.device)
        self.encode_images(few)
        each = (torch.cuda.max_memory_allocated(self.device) - before) / _PROBE
        return fitting_batch(torch.cuda.mem_get_info(self.device)[0], each, most)

    def encode_images(self, pixels: torch.Tensor) -> NDArray[np.float32]:
        """Embeds ``[n, 3, image_size, image_size]`` normalized float32 pixels as ``[n, dim]`` float32 unit vectors."""
        import torch

        with torch.inference_mode(), self._autocast():
            moved = pixels.to(self.device, self._input_type, non_blocking=True, memory_format=torch.channels_last)
            features = self._model.encode_image(moved)
        return _unit(features)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeds texts as ``[n, dim]`` float32 unit vectors; a text is encoded once in the encoder's life."""
        import torch

        if not len(texts):
            return np.zeros((0, self.dim), dtype=np.float32)
        missing = [text for text in dict.fromkeys(texts) if text not in self._texts]
        for start in range(0, len(missing), _TEXT_BATCH):
            batch = missing[start : start + _TEXT_BATCH]
            tokens = self._tokenizer(batch).to(self.device)
            with torch.inference_mode(), self._autocast():
                vectors = _unit(self._model.encode_text(tokens))
            self._texts.update(zip(batch, vectors, strict=True))
        return np.stack([self._texts[text] for text in texts])

    def answers_to(self, precision: str, resize: str) -> bool:
        """Tells whether these settings, which may be ``"auto"``, come to this encoder's."""
        return (self._auto_precision if precision == "auto" else precision) == self.precision and resolve_resize(
            resize, self.precision
        ) == self.resize

    def unknown_words(self, texts: Sequence[str]) -> list[str]:
        """Lists the words of ``texts`` that a model with a small vocabulary was never trained on."""
        if self.vocabulary is None:
            return []
        words = {word for text in texts for word in re.findall(r"[a-z0-9]+", text.lower())}
        return sorted(words - self.vocabulary)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the weights, the layers' types and the preprocessing: equal where embeddings are."""
        digest = hashlib.blake2b(digest_size=16)
        for key, tensor in sorted(self._model.state_dict().items()):
            digest.update(f"{key} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().float().contiguous().numpy().data)
        digest.update(json.dumps(sorted({type(layer).__name__ for layer in self._model.modules()})).encode())
        digest.update(repr(preprocessing_of(self)).encode())
        return digest.hexdigest()

    def _autocast(self) -> Any:
        import torch

        if self.precision == "fp32" or self._input_type != torch.float32:
            return nullcontext()
        dtype = torch.bfloat16 if self.precision == "bf16" else torch.float16
        return torch.autocast(self.device.type, dtype=dtype)


def load_encoder(
    name: str = DEFAULT_MODEL,
    pretrained: str | None = None,
    *,
    device: str | None = None,
    precision: str = "auto",
    resize: str = "auto",
) -> OpenClipEncoder:
    """Loads an open_clip model by name. The two models loaded last are kept, so a second call is free.

    Args:
        name: ``"demo"``, the tiny model that ships with the package; an open_clip architecture such as
            ``"ViT-B-32-quickgelu"``; ``"hf-hub:ORGANIZATION/MODEL"``; or ``"local-dir:PATH"`` for a folder in the
            layout of an open_clip hub repository
        pretrained: for an architecture, a pretrained tag (``"openai"``, the default of the default model) or the path
            of a checkpoint (safetensors, or a torch file, which is read with ``weights_only=True``)
        device: ``"cuda"``, ``"cuda:1"``, ``"mps"``, ``"cpu"``; None takes the best there is
        precision: see :class:`OpenClipEncoder`
        resize: see :class:`OpenClipEncoder`

    Returns:
        the encoder, in evaluation mode

    Raises:
        ConfigError: if the name, tag, file, device, precision or way of resizing is not one that exists
        ModelUnavailableError: if the weights are neither cached nor reachable, do not fit the architecture, or need a
            package that is not installed
    """
    if name == DEFAULT_MODEL and pretrained is None:
        pretrained = DEFAULT_PRETRAINED
    checked_device = _check_device(device) if device else default_device()
    files = _file_states(pretrained if pretrained is not None else name.removeprefix(FOLDER_SCHEMA))
    check_choice("precision", precision, PRECISIONS)
    check_choice("resize", resize, RESIZES)
    key = (name, pretrained, checked_device, files)
    with _LOADING:
        for position, (kept, encoder) in enumerate(_LOADED):
            if kept == key and encoder.answers_to(precision, resize):
                _LOADED.append(_LOADED.pop(position))
                return encoder
        encoder = _load(name, pretrained, device=checked_device, precision=precision, resize=resize)
        del _LOADED[:-1]
        _LOADED.append((key, encoder))
    return encoder


def _file_states(path: str) -> tuple[tuple[str, int, int], ...]:
    """Tells versions of a local checkpoint apart: name, size and time of change of its files; empty for other names."""
    location = Path(path)
    files = sorted(location.iterdir()) if location.is_dir() else [location] if location.is_file() else []
    states = [(file.name, file.stat()) for file in files]
    return tuple((name, state.st_size, state.st_mtime_ns) for name, state in states)


def _load(name: str, pretrained: str | None, **settings: Any) -> OpenClipEncoder:
    from . import checkpoints

    vocabulary: frozenset[str] | None = None
    if name == DEMO_MODEL:
        model, tokenizer, vocabulary = checkpoints.load_demo()
    else:
        model, tokenizer = checkpoints.load_open_clip(name, pretrained)
    return OpenClipEncoder(
        model,
        tokenizer,
        name=display_name(name, pretrained),
        vocabulary=vocabulary,
        source=(name, pretrained),
        **settings,
    )


def default_device() -> str:
    """Names the best device that torch sees: cuda, then mps, then cpu."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def encoder_fingerprint(encoder: Encoder) -> str:
    """Gives an encoder's own fingerprint, or one made of its public attributes where it has none."""
    own = getattr(encoder, "fingerprint", None)
    return str(own) if own else f"{encoder.name}/{encoder.dim}/{preprocessing_of(encoder)!r}"


def _check_device(device: str) -> str:
    import torch

    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise ConfigError(f"device {device!r} is none that torch knows; use cuda, cuda:N, mps or cpu") from error
    if (kind == "cuda" and not torch.cuda.is_available()) or (kind == "mps" and not torch.backends.mps.is_available()):
        raise ConfigError(f"device {device!r} is not available on this machine; leave it empty to choose automatically")
    return device


def _square_side(size: Any, name: str) -> int:
    sides = {int(side) for side in (size if isinstance(size, (tuple, list)) else (size,))}
    if len(sides) != 1:
        raise ConfigError(f"{name} takes images of {size} pixels; only models with a square input are supported")
    return sides.pop()


def _unit(features: torch.Tensor) -> NDArray[np.float32]:
    import torch

    vectors: NDArray[np.float32] = torch.nn.functional.normalize(features.float(), dim=-1).cpu().numpy()
    return vectors
