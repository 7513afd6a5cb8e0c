"""The form of ``lgca_describe_classes``: what is asked, what is sent where, and the user's consent to it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fiftyone.operators import types

from ...lgca_plugin.descriptions.describe import DEFAULT_BASE_URL, DEFAULT_PER_CLASS, check_describe, prompt_for
from ...lgca_plugin.descriptions.files import name_key
from ...lgca_plugin.errors import ConfigError
from ..shared import form as forms
from ..shared import params as settings
from ..shared.params import Params

SECRET = "OPENAI_API_KEY"  # noqa: S105, the name of a secret and no secret
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


def add_form(inputs: Any, ctx: Any) -> None:
    """Adds the whole form."""
    params = ctx.params
    choices = forms.label_fields(ctx.dataset)
    names = forms.add_classes(inputs, params, choices, compare=False)
    saved = settings.saved_descriptions(ctx.dataset)
    if saved:
        add_replace(inputs, len(saved))
    prop = inputs.str(
        "topic", label="Topic (optional)", description="What the pictures show, such as: birds", view=half()
    )
    forms.checked(prop, read_topic, params)
    prop = inputs.int("per_class", default=DEFAULT_PER_CLASS, label="Texts per class", view=half())
    per_class = forms.checked(prop, read_per_class, params)
    prop = inputs.str(
        "base_url",
        default=DEFAULT_BASE_URL,
        label="Address of the server",
        description="Any OpenAI-compatible one: vLLM, llama.cpp, Ollama (http://localhost:11434/v1)",
        view=half(),
    )
    address = forms.checked(prop, read_address, params)
    prop = inputs.str("model", label="Model", description="Its name, as the server knows it", view=half())
    forms.checked(prop, read_model, params)
    add_file(inputs, params)
    if address:
        from_field = choices and settings.class_source(params) == "field"
        who = params.get("ground_truth") or settings.default_field(params, choices) if from_field else names
        add_consent(inputs, ctx, address, who, saved, per_class or DEFAULT_PER_CLASS)


def half() -> Any:
    """Makes a text field half the form wide."""
    return types.TextFieldView(space=6)


def add_replace(inputs: Any, n_saved: int) -> None:
    """Asks whether what the dataset has is to be described again."""
    inputs.bool(
        "replace",
        default=False,
        label=f"The dataset has descriptions of {n_saved:,} {plural(n_saved)}: describe these again",
        description="Ticked, texts of the classes above are replaced, from the cache where the question is the same; "
        "unticked, texts that are there stay as they are, and the names of their classes are not sent",
    )


def add_file(inputs: Any, params: Params) -> None:
    """Adds the path of a file, and asks before one is replaced."""
    prop = inputs.str(
        "save_to",
        label="Save to (optional)",
        description="Path of a JSON file on the machine that runs the App; the dataset keeps the texts in any case",
    )
    given = (params.get("save_to") or "").strip()
    if given and Path(given).expanduser().is_file():
        inputs.bool("replace_file", default=False, label="Replace the file that is there")
    forms.checked(prop, read_path, params)


def add_consent(inputs: Any, ctx: Any, address: str, who: Any, saved: dict[str, Any], per_class: int) -> None:
    """Says what is sent where, and has it confirmed.

    Args:
        inputs: the form
        ctx: the operator's context
        address: where the names go
        who: the class names; or the label field, as text; None if they are not valid
        saved: what the dataset has descriptions of
        per_class: texts per class
    """
    params = ctx.params
    topic = (params.get("topic") or "").strip()
    if isinstance(who, str):
        but = " that the dataset has no descriptions of" if saved and not params.get("replace") else ""
        names, example = f"The distinct labels of {who!r}{but}", "CLASS NAME"
    else:
        kept = {} if params.get("replace") else of_classes(saved, who or ())
        asked = [name for name in who or () if name not in kept]
        names = f"{len(asked):,} class {'name' if len(asked) == 1 else 'names'}" if who else "The class names"
        example = asked[0] if asked else "CLASS NAME"
    verb = "is" if names.startswith("1 ") and not topic else "are"
    line = f"{names}{' and the topic' if topic else ''} {verb} sent to {address}; images are not."
    wording = prompt_for(example, per_class=per_class, topic=topic or None)
    inputs.view("sent", types.Notice(label=line, description=f"Each class is asked about in these words: {wording}"))
    inputs.view("key", types.Notice(label=key_line(address, has_key=bool(ctx.secret(SECRET)))))
    prop = inputs.bool("confirm", default=False, required=True, label=f"Send the class names to {address}")
    if not params.get("confirm"):
        prop.invalid = True
        prop.error_message = "tick to confirm"


def key_line(address: str, *, has_key: bool) -> str:
    """Says which key goes to the server, never the key itself."""
    parts = urlsplit(address)
    local = parts.hostname in LOCAL_HOSTS
    if not has_key:
        need = "A server on this machine usually needs none" if local else "The server may refuse that"
        return f"No key is sent along: the secret {SECRET} is not set where the App runs. {need}."
    how = "" if local or parts.scheme == "https" else ", unencrypted: the address is not https"
    return f"The key in the secret {SECRET} is sent along{how}."


def read_model(params: Params) -> str:
    """Reads the model's name."""
    name = (params.get("model") or "").strip()
    if not name:
        raise ConfigError("give the name of the model")
    check_describe(("a",), model=name)
    return str(name)


def read_topic(params: Params) -> str | None:
    """Reads the topic, None if there is none."""
    topic = (params.get("topic") or "").strip() or None
    check_describe(("a",), model="m", topic=topic)
    return topic


def read_address(params: Params) -> str:
    """Reads the server's address."""
    given = params.get("base_url")
    address = DEFAULT_BASE_URL if given is None else given.strip()
    check_describe(("a",), model="m", base_url=address)
    return str(address)


def read_per_class(params: Params) -> int:
    """Reads how many texts a class is to have."""
    given = params.get("per_class")
    count = DEFAULT_PER_CLASS if given is None else given
    check_describe(("a",), model="m", per_class=count)
    return int(count)


def read_path(params: Params) -> Path | None:
    """Reads where the texts are to be saved; None if nowhere."""
    given = (params.get("save_to") or "").strip()
    if not given:
        return None
    path = Path(given).expanduser()
    if path.suffix.lower() != ".json":
        raise ConfigError(f"the file's name must end in .json, got {path.name!r}")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ConfigError(f"there is no folder {str(path.parent)!r} to write to on the machine that runs the App")
    if path.exists() and not (path.is_file() and params.get("replace_file")):
        raise ConfigError(f"{path.name!r} exists already: tick to replace it, or choose another name")
    return path


def read_arguments(params: Params) -> dict[str, Any]:
    """Reads the keyword arguments of ``iter_describe``."""
    return {
        "model": read_model(params),
        "base_url": read_address(params),
        "per_class": read_per_class(params),
        "topic": read_topic(params),
    }


def of_classes(saved: Mapping[str, Any], names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Picks the saved texts of some classes, under the names asked for."""
    by_key = {name_key(name): tuple(texts) for name, texts in saved.items() if isinstance(texts, list)}
    return {name: by_key[name_key(name)] for name in names if by_key.get(name_key(name))}


def plural(count: int) -> str:
    """Gives the noun for so many classes."""
    return "class" if count == 1 else "classes"
