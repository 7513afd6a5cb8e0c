"""Keeps models from executing Python code of their own: a model's files are data, whoever has made them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from .architectures import FOLDER_SCHEMA, REMOTE_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping

SWITCH = "trust_remote_code"


def check_no_code(name: str, config: Any) -> None:
    """Checks that a model's configuration nowhere demands that code of the model's own be executed.

    Raises:
        ConfigError: if it does
    """
    left = [config]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            if part.get(SWITCH):
                raise ConfigError(
                    f"{name} is not loaded, since its configuration demands {SWITCH}, that is to execute Python code "
                    f"that comes with the model; take {SWITCH} out of it, or pass another model",
                    app=f"{name} is not loaded, since its configuration demands to execute Python code that comes "
                    "with the model; choose another model",
                )
            left.extend(part.values())
        elif isinstance(part, list):
            left.extend(part)


def load_tokenizer(name: str, config: Mapping[str, Any]) -> Any:
    """Loads the tokenizer of a model that open_clip has loaded.

    Args:
        name: the model's name, as ``open_clip.create_model`` takes it
        config: its configuration, which :func:`check_no_code` has passed
    """
    import open_clip

    text = config["text_cfg"]
    if text.get("hf_tokenizer_name"):  # transformers loads it, and would otherwise put the question on the console
        return open_clip.get_tokenizer(name, **{SWITCH: False})
    if name.startswith((REMOTE_SCHEMA, FOLDER_SCHEMA)):  # open_clip would read the configuration anew, as it is by now
        length = text.get("context_length", open_clip.tokenizer.DEFAULT_CONTEXT_LENGTH)
        return open_clip.SimpleTokenizer(context_length=length, **text.get("tokenizer_kwargs") or {})
    return open_clip.get_tokenizer(name)
