"""The form of ``lgca_describe_classes``: the prompt, the server, and the user's consent to what is sent there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fiftyone.operators import types

from ...lgca_plugin.descriptions.answers import prompt_for
from ...lgca_plugin.descriptions.describe import DEFAULT_BASE_URL, DEFAULT_PER_CLASS, check_describe
from ...lgca_plugin.descriptions.endpoint import check_base_url, find_key, is_this_machine
from ...lgca_plugin.descriptions.names import name_key
from ...lgca_plugin.errors import ConfigError
from ..shared.caller import from_page, is_own
from ..shared.classes import add_classes, class_params, class_source, default_field, label_fields
from ..shared.descriptions import saved_descriptions
from ..shared.form import Params, add_missing, checked, read_text, refuse, text_field
from ..shared.hosts import server_key_allowed
from ..shared.server_files import check_export
from ..shared.settings import export_folder
from .consent import SECRET, confirm_name, gets_server_key, has_typed_key, is_confirmed, key_name, typed_key

DEFAULTS = {"base_url": DEFAULT_BASE_URL, "per_class": DEFAULT_PER_CLASS}


def add_form(inputs: Any, ctx: Any) -> None:
    """Adds the whole form."""
    params = class_params(ctx)
    if has_typed_key(params) and ctx.requesting_delegated_execution:
        refuse(inputs, "A typed key is never saved, so this can't be queued: execute it now, or empty the key.")
    choices = label_fields(ctx.dataset)
    names = add_classes(inputs, params, choices, compare=False)
    saved = saved_descriptions(ctx.dataset)
    if saved:
        add_replace(inputs, len(saved))
    prop = inputs.str(
        "topic", label="Topic (optional)", description="What the pictures show, such as: birds", view=text_field(2)
    )
    checked(prop, read_argument, params, "topic")
    prop = inputs.int("per_class", default=DEFAULT_PER_CLASS, label="Texts per class", view=text_field(2))
    per_class = checked(prop, read_argument, params, "per_class")
    prop = inputs.str(
        "base_url",
        default=DEFAULT_BASE_URL,
        label="Address of the server",
        description="Any OpenAI-compatible one: vLLM, llama.cpp, Ollama (http://localhost:11434/v1)",
        view=text_field(2),
    )
    address = checked(prop, read_argument, params, "base_url")
    note = "Its name on the server"
    named = bool(params.get("model")) or not from_page(ctx)
    prop = inputs.str("model", required=named, label="Model", description=note, view=text_field(2))
    if named:
        checked(prop, read_argument, params, "model")
    else:
        add_missing(inputs, "model", "name the model")
    add_file(inputs, params)
    if address:
        from_field = choices and class_source(params) == "field"
        field = params.get("ground_truth") or default_field(params, choices)
        classes = (field if isinstance(field, str) else None) if from_field else names
        add_consent(inputs, ctx, address, classes, saved, per_class or DEFAULT_PER_CLASS)


def add_replace(inputs: Any, n_saved: int) -> None:
    """Adds the choice to describe classes again that the dataset has descriptions of."""
    inputs.bool(
        "replace",
        default=False,
        label=f"The dataset has descriptions of {n_saved:,} {plural(n_saved)}: describe these again",
        description="Ticked, texts of the classes above are replaced, from the cache where the prompt is the same; "
        "unticked, existing texts stay as they are, and the names of their classes are not sent",
    )


def add_file(inputs: Any, params: Params) -> None:
    """Adds the name of a file to save to, an existing one of which must be confirmed, and the download."""
    inputs.bool("download", default=False, label="Download the texts as a JSON file")
    prop = inputs.str(
        "save_to",
        label="Save to a file on the server (optional)",
        description=f"Name of a JSON file, written to {export_folder()}; the dataset keeps the texts in any case",
    )
    if params.get("save_to"):
        inputs.bool("replace_file", default=False, label="Replace an existing file")
    checked(prop, read_path, params)


def add_consent(inputs: Any, ctx: Any, address: str, classes: Any, saved: dict[str, Any], per_class: int) -> None:
    """Adds what is sent where, and the field that confirms it.

    ``classes`` are the class names, or the name of the label field, or None if they are not valid; ``saved`` are the
    descriptions that are saved on the dataset.
    """
    params = ctx.params
    topic = params.get("topic") if isinstance(params.get("topic"), str) else None
    topic = (topic or "").strip()
    if isinstance(classes, str):
        but = " that the dataset has no descriptions of" if saved and not params.get("replace") else ""
        names, example = f"The distinct labels of {classes!r}{but}", "CLASS NAME"
    else:
        described = {} if params.get("replace") else of_classes(saved, classes or ())
        sent = [name for name in classes or () if name not in described]
        names = f"{len(sent):,} class {'name' if len(sent) == 1 else 'names'}" if classes else "The class names"
        example = sent[0] if sent else "CLASS NAME"
    verb = "is" if names.startswith("1 ") and not topic else "are"
    line = f"{names}{' and the topic' if topic else ''} {verb} sent to {address}; images are not."
    contents = "the class names and the topic" if topic else "the class names"
    wording = prompt_for(example, per_class=per_class, topic=topic or None)
    cost = "" if is_this_machine(address) else "One request for each class, which the server may charge for. "
    inputs.view("sent", types.Notice(label=line, description=f"{cost}The prompt for each class: {wording}"))
    add_key(inputs, ctx, address)
    label = f"Send {contents} to {address}"
    inputs.bool(confirm_name(address), default=False, required=not from_page(ctx), label=label)
    if not is_confirmed(params, address):
        add_missing(inputs, "confirm", f"tick “{label}”")


def add_key(inputs: Any, ctx: Any, address: str) -> None:
    """Adds which key is sent to an address, and the field to type one where it is not the server's."""
    server_key = gets_server_key(ctx.params, address) and bool(ctx.secret(SECRET))
    if not server_key:
        view = types.TextFieldView(space=6, componentsProps={"field": {"type": "password", "autoComplete": "off"}})
        note = "Goes to this address alone and is never saved"
        prop = inputs.str(key_name(address), label="Key for this address (optional)", description=note, view=view)
        checked(prop, find_key, typed_key(ctx.params, address), from_environment=False)
    sent = SECRET if server_key else "typed" if typed_key(ctx.params, address) else None
    inputs.view("key", types.Notice(label=key_line(address, sent)))


def key_line(address: str, sent: str | None) -> str:
    """Returns in words which key is sent, never the key itself: ``"typed"``, that of a secret, or none."""
    local = is_this_machine(address)
    if sent is None:
        need = "A server on this machine usually needs none" if local else "The server may refuse the request"
        return f"No key is sent. {need}."
    which = "The key that is typed here" if sent == "typed" else f"The key in the server's secret {sent}"
    how = "" if local or urlsplit(address).scheme == "https" else ", unencrypted: the address is not https"
    return f"{which} is sent{how}."


def read_argument(params: Params, name: str) -> Any:
    """Reads a keyword argument of ``iter_describe``."""
    given = params.get(name)
    value = DEFAULTS.get(name) if given is None else given.strip() if isinstance(given, str) else given
    if name == "model" and not value:
        raise ConfigError("give the name of the model")
    arguments: dict[str, Any] = {"model": "m", name: value}
    check_describe(("a",), **arguments)
    if name == "base_url":
        value = check_base_url(value)
        if not is_own(params):
            server_key_allowed(value)
    return value


def read_path(params: Params) -> str | None:
    """Reads the file to save the texts to: its name in the folder for exports, from code a path; None for no file."""
    given = read_text(params, "save_to")
    if not given:
        return None
    overwrite = bool(params.get("replace_file"))
    if not is_own(params):
        return check_export(given, ".json", overwrite=overwrite)
    path = Path(given).expanduser()
    if path.suffix.lower() != ".json":
        raise ConfigError(f"the file's name must end in .json, got {path.name!r}")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ConfigError(f"there is no folder {str(path.parent)!r} to write to")
    if path.exists() and not (path.is_file() and overwrite):
        raise ConfigError(f"{path.name!r} exists already: tick to replace it, or choose another name")
    return str(path)


def read_arguments(params: Params) -> dict[str, Any]:
    """Reads the keyword arguments of ``iter_describe``."""
    return {name: read_argument(params, name) for name in ("model", "base_url", "per_class", "topic")}


def of_classes(saved: Mapping[str, Any], names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Returns the saved texts of some classes, under the names of these."""
    by_key = {name_key(name): tuple(texts) for name, texts in saved.items() if isinstance(texts, list)}
    return {name: by_key[name_key(name)] for name in names if by_key.get(name_key(name))}


def plural(count: int) -> str:
    """Returns "class" or "classes", as the count requires."""
    return "class" if count == 1 else "classes"
