"""The names that ``load_encoder`` takes, checked without importing torch, as the App's form does at every keystroke."""

from __future__ import annotations

import difflib
import json
import sys
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from ..errors import ConfigError

DEFAULT_MODEL = "ViT-B-32-quickgelu"
DEFAULT_PRETRAINED = "openai"
DEMO_MODEL = "demo"
DEMO_FOLDER = Path(__file__).parent.parent / "demo" / "model"
DEMO_MODELS = {DEMO_MODEL: DEMO_FOLDER, "demo-vit": DEMO_FOLDER.with_name("model_vit")}
"""Name to folder of the tiny models that ship with the package, for drawn birds; the second is there to be fused."""
REMOTE_SCHEMA = "hf-hub:"
FOLDER_SCHEMA = "local-dir:"
FOLDER_CONFIG = "open_clip_config.json"
MAX_DIM = 1_000_000
"""Upper bound of the length of embeddings; models have a few thousand at most."""


def architectures() -> tuple[str, ...]:
    """Lists open_clip's architectures, including those that were added in this process."""
    list_models = getattr(sys.modules.get("open_clip"), "list_models", None)
    return tuple(list_models() if list_models else _shipped_architectures())


def check_architecture(name: str) -> str:
    """Returns ``name`` if ``load_encoder`` takes it, as far as can be checked without the network.

    Raises:
        ConfigError: if it is no architecture, hub name or folder of a model; the message names similar ones
    """
    if name in DEMO_MODELS or name.startswith(REMOTE_SCHEMA):
        return name
    if name.startswith(FOLDER_SCHEMA):
        folder = Path(name.removeprefix(FOLDER_SCHEMA))
        if not (folder / FOLDER_CONFIG).is_file():
            raise ConfigError(f"there is no model in {str(folder)!r}: it must hold an {FOLDER_CONFIG}")
        return name
    known = architectures()
    if name in known or not known:  # none are known without open_clip; loading then fails with the reason
        return name
    if name and Path(name).exists():
        raise ConfigError(
            f"{name!r} is a path; pass the architecture as the name and the path as pretrained, "
            'for example load_encoder("ViT-B-32", pretrained="checkpoint.safetensors")'
        )
    close = difflib.get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(close)}?" if close else "see open_clip.list_models()"
    raise ConfigError(f"open_clip has no model {name!r}; {hint}")


def display_name(name: str, pretrained: str | None) -> str:
    """Returns the name of the encoder that ``load_encoder`` makes of these, as runs record it."""
    if name in DEMO_MODELS:
        return name
    if name == DEFAULT_MODEL and pretrained is None:
        pretrained = DEFAULT_PRETRAINED
    return name if pretrained is None else f"{name}/{Path(pretrained).name}"


def embedding_dim(name: str) -> int | None:
    """Returns the length of a model's embeddings, from its config and without the model.

    Args:
        name: a name that :func:`check_architecture` takes

    Returns:
        the length; None if there is no config on this machine, as for a model of the hub
    """
    if name in DEMO_MODELS:
        name = f"{FOLDER_SCHEMA}{DEMO_MODELS[name]}"
    folder = Path(name.removeprefix(FOLDER_SCHEMA)) if name.startswith(FOLDER_SCHEMA) else None
    try:
        file = folder / FOLDER_CONFIG if folder else _shipped_architectures()[name]
        document = json.loads(file.read_text(encoding="utf-8"))
        dim = document.get("model_cfg", document)["embed_dim"]
    except (OSError, ValueError, LookupError, AttributeError, TypeError, RecursionError):
        return None
    return dim if isinstance(dim, int) and 0 < dim <= MAX_DIM and not isinstance(dim, bool) else None


@lru_cache(maxsize=1)
def _shipped_architectures() -> dict[str, Path]:
    """Returns the config files that open_clip ships, by architecture, in alphabetical order."""
    found = find_spec("open_clip")
    if found is None or found.origin is None:
        return {}
    files = (Path(found.origin).parent / "model_configs").glob("*.json")
    return {file.stem: file for file in sorted(files, key=lambda file: file.stem)}
