"""Finding and reading weights through open_clip, with errors that say what to pass instead."""

from __future__ import annotations

import difflib
import json
import logging
import socket
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from ..errors import ConfigError, ModelUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

DEMO_FOLDER = Path(__file__).parent.parent / "demo" / "model"
_REMOTE_SCHEMA = "hf-hub:"
_FOLDER_SCHEMA = "local-dir:"


def load_demo() -> tuple[Any, Any, frozenset[str]]:
    """Loads the tiny model that ships with the package: model, tokenizer, and the words that it knows."""
    model, tokenizer = load_open_clip(f"{_FOLDER_SCHEMA}{DEMO_FOLDER}", None)
    words = json.loads((DEMO_FOLDER / "vocabulary.json").read_text(encoding="utf-8"))
    return model, tokenizer, frozenset(words)


def load_open_clip(name: str, pretrained: str | None) -> tuple[Any, Any]:
    """Loads a model and its tokenizer; arguments and errors as in :func:`~.encoder.load_encoder`."""
    import open_clip

    is_path = _check_names(name, pretrained)
    try:
        with _offline_if_unreachable(wanted=not is_path):
            model = open_clip.create_model(
                name,
                pretrained=pretrained,
                weights_only=True,
                require_pretrained=True,
                force_quick_gelu=_needs_quick_gelu(name, pretrained),
            )
            tokenizer = open_clip.get_tokenizer(name)
    except Exception as error:  # open_clip and the hub raise many kinds
        raise ModelUnavailableError(_explain(name, pretrained, error)) from error
    return model, tokenizer


def _check_names(name: str, pretrained: str | None) -> bool:
    """Checks what can be checked without the network, and tells whether the weights lie on disk."""
    import open_clip

    if name.startswith(_REMOTE_SCHEMA):
        return False
    if name.startswith(_FOLDER_SCHEMA):
        folder = Path(name.removeprefix(_FOLDER_SCHEMA))
        if not (folder / "open_clip_config.json").is_file():
            raise ConfigError(f"there is no model in {str(folder)!r}: it must hold an open_clip_config.json")
        return True
    if name not in open_clip.list_models():
        if Path(name).exists():
            raise ConfigError(
                f"{name!r} is a path; pass the architecture as the name and the path as pretrained, "
                'for example load_encoder("ViT-B-32", pretrained="checkpoint.safetensors")'
            )
        raise ConfigError(f"open_clip has no model {name!r}{_hint(name, open_clip.list_models())}")
    tags = open_clip.list_pretrained_tags_by_model(name)
    if pretrained is None:
        raise ConfigError(f"{name} needs pretrained weights: pass a checkpoint's path or one of {', '.join(tags)}")
    if pretrained in tags:
        return False
    if not Path(pretrained).is_file():
        raise ConfigError(
            f"pretrained {pretrained!r} is neither a checkpoint file nor a tag of {name}; "
            f"its tags: {', '.join(tags) or 'none'}"
        )
    return True


def _needs_quick_gelu(name: str, pretrained: str | None) -> bool:
    """Tells whether weights were trained with QuickGELU, which plain architecture names lack."""
    import open_clip

    if pretrained is None or name.startswith((_REMOTE_SCHEMA, _FOLDER_SCHEMA)):
        return False
    return bool((open_clip.get_pretrained_cfg(name, pretrained) or {}).get("quick_gelu", False))


def _explain(name: str, pretrained: str | None, error: Exception) -> str:
    wanted = name if pretrained is None else f"{name} with pretrained weights {pretrained!r}"
    first_line = next(iter(str(error).strip().splitlines()), type(error).__name__).strip()
    if "state_dict" in str(error) or "size mismatch" in str(error):
        return f"the weights do not fit: {wanted} can't be loaded, so check that the checkpoint is of this architecture"
    on_disk = name.startswith(_FOLDER_SCHEMA) or (pretrained is not None and Path(pretrained).is_file())
    if on_disk:
        return f"{wanted} can't be read ({first_line[:200]}); pass a safetensors file or a torch state dict"
    return (
        f"the weights of {wanted} are neither cached nor reachable from here; connect to the internet once, or pass "
        'pretrained="/path/to/checkpoint.safetensors", or try the tiny model that ships with the package: '
        'load_encoder("demo")'
    )


@contextmanager
def _offline_if_unreachable(*, wanted: bool) -> Iterator[None]:
    """Lets the hub client use its cache alone where the hub can't be reached, instead of retrying for a minute."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    if wanted and not before and not _reachable(constants.ENDPOINT):
        logger.info("The model hub is not reachable; looking for weights in the cache only")
        constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _reachable(endpoint: str) -> bool:
    address = urlparse(endpoint)
    if not urllib.request.proxy_bypass(address.hostname or ""):
        proxy = urllib.request.getproxies().get(address.scheme)  # it resolves names that this machine can't
        address = urlparse(proxy if "://" in proxy else f"http://{proxy}") if proxy else address
    try:
        with socket.create_connection(
            (address.hostname or "", address.port or (80 if address.scheme == "http" else 443)), timeout=5
        ):
            return True
    except OSError:
        return False


def _hint(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=3)
    return f"; did you mean {' or '.join(close)}?" if close else "; see open_clip.list_models()"
