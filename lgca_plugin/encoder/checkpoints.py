"""Finding and reading weights through open_clip, with errors that say what to pass instead."""

from __future__ import annotations

import json
import logging
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, ModelUnavailableError, app_words
from .architectures import DEMO_MODEL, DEMO_MODELS, FOLDER_SCHEMA, REMOTE_SCHEMA, check_architecture
from .own_code import check_no_code, load_tokenizer
from .private_names import hub_address, offline_hub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

logger = logging.getLogger(__name__)

PROBE_SECONDS = 5.0

_NETWORK_PACKAGES = ("httpx", "httpx2", "huggingface_hub", "requests", "urllib3")


def load_demo(name: str = DEMO_MODEL) -> tuple[Any, Any, frozenset[str]]:
    """Loads a tiny model that ships with the package: model, tokenizer, and the words that it was trained on."""
    model, tokenizer = load_open_clip(f"{FOLDER_SCHEMA}{DEMO_MODELS[name]}", None)
    words = json.loads((DEMO_MODELS[name] / "vocabulary.json").read_text(encoding="utf-8"))
    return model, tokenizer, frozenset(words)


def load_open_clip(name: str, pretrained: str | None) -> tuple[Any, Any]:
    """Loads a model and its tokenizer; arguments and errors as in :func:`~.loading.load_encoder`."""
    import open_clip

    is_path = _check_names(name, pretrained)
    part = "weights"
    try:
        with nullcontext() if is_path else _hub_access():
            config = open_clip.get_model_config(name)
            check_no_code(name, config)
            model = open_clip.create_model(
                name,
                pretrained=pretrained,
                weights_only=True,
                require_pretrained=True,
                force_quick_gelu=needs_quick_gelu(name, pretrained),
            )
            part = "tokenizer"
            tokenizer = load_tokenizer(name, config)
    except ConfigError:
        raise
    except Exception as error:  # open_clip and the hub raise many kinds
        raise _unavailable(name, pretrained, part, error) from error
    return model, tokenizer


def _check_names(name: str, pretrained: str | None) -> bool:
    """Checks what can be checked without the network; returns whether the weights lie on disk."""
    import open_clip

    check_architecture(name)
    if name.startswith((REMOTE_SCHEMA, FOLDER_SCHEMA)):
        return name.startswith(FOLDER_SCHEMA)
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


def needs_quick_gelu(name: str, pretrained: str | None) -> bool:
    """True if weights were trained with QuickGELU, which plain architecture names lack."""
    import open_clip

    if pretrained is None or name.startswith((REMOTE_SCHEMA, FOLDER_SCHEMA)):
        return False
    return bool((open_clip.get_pretrained_cfg(name, pretrained) or {}).get("quick_gelu", False))


def _unavailable(name: str, pretrained: str | None, part: str, error: Exception) -> ModelUnavailableError:
    """Returns an error about one in loading; the App's words on a file quote nothing that it may hold."""
    return ModelUnavailableError(
        _explain(name, pretrained, part, error), app=app_words(_explain(name, pretrained, part, error, quote=False))
    )


def _explain(name: str, pretrained: str | None, part: str, error: Exception, *, quote: bool = True) -> str:
    """Returns one sentence about an error in loading ``"weights"`` or the ``"tokenizer"``, and what to do."""
    model = name if pretrained is None else f"{name} with pretrained weights {pretrained!r}"
    chain = list(_chain(error))
    missing = next((cause.name for cause in chain if isinstance(cause, ImportError) and cause.name), None)
    if missing is None and "pip install transformers" in str(error):  # by open_clip's text towers
        missing = "transformers"
    if missing is not None:
        package = missing.partition(".")[0]
        return f"{model} needs the package {package}: pip install {package}"
    if "state_dict" in str(error) or "size mismatch" in str(error):
        return f"the weights do not fit: {model} can't be loaded, so check that the checkpoint is of this architecture"
    on_disk = name.startswith(FOLDER_SCHEMA) or (pretrained is not None and Path(pretrained).is_file())
    reason = _reason(error) if quote or not on_disk or _is_of_the_system(error) else "its files do not make a model"
    if on_disk and part == "weights":
        return f"{model} can't be read ({reason}); choose a safetensors file or a torch state dict"
    if not any(_is_of_the_network(cause) for cause in chain):
        return f"{model} can't be loaded: {reason}"
    if part == "tokenizer":
        return f"the tokenizer of {name} is neither cached nor reachable from here; connect to the internet once"
    return (
        f"the weights of {model} are neither cached nor reachable from here; connect to the internet once, or load a "
        f'checkpoint file: load_encoder({name!r}, pretrained="/path/to/checkpoint.safetensors"); the tiny model that '
        'ships with the package, load_encoder("demo"), knows drawn birds alone'
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yields an error, what caused it, what caused that, and so on."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


def _is_of_the_network(error: BaseException) -> bool:
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _NETWORK_PACKAGES


def _is_of_the_system(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.strerror is not None


def _reason(error: BaseException) -> str:
    """Returns the first line of an error; torch's and numpy's advice to execute what a file holds is left out."""
    if type(error).__name__ == "UnpicklingError" or "allow_pickle" in str(error):
        return "it holds other things than tensors"
    line = next(iter(str(error).strip().splitlines()), "").strip()
    return line[:200] or type(error).__name__


def _hub_access() -> AbstractContextManager[None]:
    """Limits the hub's client to its cache where the hub can't be reached; else it would retry for a minute."""
    if hub_address() is None or hub_is_reachable():
        return nullcontext()
    logger.info("The model hub is not reachable; looking for weights in the cache only")
    return offline_hub()


def hub_is_reachable() -> bool:
    """True if the model hub, from which weights are downloaded, answers its own client within seconds."""
    address = hub_address()
    if address is None:
        return False
    from huggingface_hub import get_session

    try:
        get_session().head(address, timeout=PROBE_SECONDS)
    except Exception as error:
        if _is_of_the_network(error):
            return False
        raise
    return True
