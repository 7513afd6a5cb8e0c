"""Encoders by name: ``load_encoder`` and the encoders that it has loaded last."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from cachetools import LRUCache

from ..errors import ConfigError
from .architectures import DEFAULT_MODEL, DEFAULT_PRETRAINED, DEMO_MODELS, FOLDER_SCHEMA, display_name
from .base import Encoder, device_kind
from .open_clip_encoder import OpenClipEncoder
from .own_encoder import as_encoder
from .precision import PRECISIONS, RESIZES, check_choice, check_device, default_device, resolve_resize


class _Key(NamedTuple):
    """What an encoder was loaded from, and its settings."""

    source: tuple[object, ...]  # name, pretrained tag or path, device, and state of the files
    auto_precision: str  # the precision that "auto" stands for; empty where that is not known
    precision: str
    resize: str

    def has(self, precision: str, resize: str) -> bool:
        """True if these settings, which may be ``"auto"``, come to the encoder's."""
        resolved = self.auto_precision if precision == "auto" else precision
        return (resolved, resolve_resize(resize, resolved)) == (self.precision, self.resize)


_loaded: LRUCache[_Key, OpenClipEncoder] = LRUCache(maxsize=2)
_lock = Lock()


def load_encoder(
    name: str = DEFAULT_MODEL,
    pretrained: str | None = None,
    *,
    device: str | None = None,
    precision: str = "auto",
    resize: str = "auto",
) -> OpenClipEncoder:
    """Loads an open_clip model by name. The two models used last stay in memory, so a second call is free.

    Args:
        name: ``"demo"``, the tiny model that ships with the package, or ``"demo-vit"``, a weaker one to fuse it with;
            an open_clip architecture such as ``"ViT-B-32-quickgelu"``; ``"hf-hub:ORGANIZATION/MODEL"``; or
            ``"local-dir:PATH"`` for a folder in the layout of an open_clip hub repository
        pretrained: for an architecture, a pretrained tag (``"openai"``, the default of the default model) or the path
            of a checkpoint (safetensors, or a torch file, which is read with ``weights_only=True``)
        device: ``"cuda"``, ``"cuda:1"``, ``"mps"``, ``"cpu"``; None takes the best there is
        precision: see :class:`OpenClipEncoder`
        resize: see :class:`OpenClipEncoder`

    Returns:
        the encoder, in evaluation mode

    Raises:
        ConfigError: if the name, tag, file, device, precision or way of resizing is not one that exists, or the weights
            make no vectors of texts
        ModelUnavailableError: if the weights are neither cached nor reachable, do not fit the architecture, or need a
            package that is not installed
    """
    if name == DEFAULT_MODEL and pretrained is None:
        pretrained = DEFAULT_PRETRAINED
    checked_device = check_device(device) if device else default_device()
    files = _file_states(pretrained if pretrained is not None else name.removeprefix(FOLDER_SCHEMA))
    check_choice("precision", precision, PRECISIONS)
    check_choice("resize", resize, RESIZES)
    source = (name, pretrained, checked_device, files)
    with _lock:
        key = next((key for key in _loaded if key.source == source and key.has(precision, resize)), None)
        if key is None:
            encoder = _load(name, pretrained, device=checked_device, precision=precision, resize=resize)
            key = _Key(source, encoder.auto_precision, encoder.precision, encoder.resize)
            _loaded[key] = encoder
        return _loaded[key]


def given_encoder(
    encoder: Encoder | tuple[str, str | None] | str | None, *, device: str | None = None, precision: str = "auto"
) -> Encoder:
    """Returns the encoder that a caller has given: itself, or loaded by its name; the default one for None.

    Args:
        encoder: an encoder, a name, or a pair of the name and the pretrained tag or path of :func:`load_encoder`
        device: of one that is loaded
        precision: of one that is loaded

    Raises:
        ConfigError: if it can't be used, as :func:`load_encoder` and :func:`~.own_encoder.as_encoder` raise it
        ModelUnavailableError: if its weights can't be loaded
    """
    if encoder is None:
        return load_encoder(device=device, precision=precision)
    if isinstance(encoder, str):
        return load_encoder(encoder, device=device, precision=precision)
    if isinstance(encoder, tuple):
        return load_encoder(*encoder, device=device, precision=precision)
    return as_encoder(encoder)


def check_several(encoder: Encoder, devices: Sequence[str]) -> None:
    """Checks that an encoder can be loaded on several devices, and computes there what it computes here.

    Raises:
        ConfigError: if it is one of the user's own, or was loaded on another kind of device, which rounds otherwise
    """
    if encoder.source is None:
        raise ConfigError(
            "several devices have a process each, which loads the model by its name, so an encoder of your own can't "
            "be used: name one device, an open_clip model, or the path of a checkpoint"
        )
    kind, wanted = device_kind(encoder), devices[0].partition(":")[0]
    if kind not in (None, wanted):
        raise ConfigError(
            f"the encoder was loaded on {kind} in {encoder.precision}, which rounds otherwise than {wanted}: load it "
            f"on {devices[0]}, or give its name"
        )


def load_cached_encoder(name: str, pretrained: str | None = None, **settings: Any) -> OpenClipEncoder:
    """Loads a model as :func:`load_encoder` does, and downloads nothing.

    Raises:
        ModelUnavailableError: if the weights are not on this machine, or can't be loaded
    """
    from .private_names import hub_address, offline_hub

    with nullcontext() if hub_address() is None else offline_hub():
        return load_encoder(name, pretrained, **settings)


def _file_states(path: str) -> tuple[tuple[str, int, int], ...]:
    """Returns name, size and time of change of a local checkpoint's files; empty for other names."""
    location = Path(path)
    files = sorted(location.iterdir()) if location.is_dir() else [location] if location.is_file() else []
    states = [(file.name, file.stat()) for file in files]
    return tuple((name, state.st_size, state.st_mtime_ns) for name, state in states)


def _load(name: str, pretrained: str | None, **settings: Any) -> OpenClipEncoder:
    from . import checkpoints

    settings |= {"name": display_name(name, pretrained), "source": (name, pretrained)}
    with _no_new_log_handlers():
        if name in DEMO_MODELS:
            model, tokenizer, settings["vocabulary"] = checkpoints.load_demo(name)
        else:
            model, tokenizer = checkpoints.load_open_clip(name, pretrained)
        return OpenClipEncoder(model, tokenizer, **settings)


@contextmanager
def _no_new_log_handlers() -> Iterator[None]:
    """Removes the handlers of the root logger that are added meanwhile.

    open_clip logs by ``logging.info(...)``, which adds one where there is none: from then on everything that a logger
    with a handler of its own prints, such as FiftyOne's, would be printed twice.
    """
    before = list(logging.root.handlers)
    try:
        yield
    finally:
        for handler in logging.root.handlers[:]:
            if handler not in before:
                logging.root.removeHandler(handler)
