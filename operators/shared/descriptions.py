"""Choosing the class descriptions: the readers of their parameters, their part of a form, and how they will be used."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.config import SAVED_DESCRIPTIONS, RunConfig
from ...lgca_plugin.descriptions.files import check_descriptions, match_descriptions, parse_descriptions
from ...lgca_plugin.descriptions.files import read_descriptions as load_descriptions
from ...lgca_plugin.descriptions.names import name_key
from ...lgca_plugin.descriptions.preview import name_warnings, preview_texts
from ...lgca_plugin.descriptions.style import ATTRIBUTES, AUTO, GIVEN, SENTENCES, check_style, style_in_code
from ...lgca_plugin.errors import ConfigError
from ...lgca_plugin.method.number_text import capitalized
from ...lgca_plugin.runs.record import RunRecord
from ...lgca_plugin.runs.stored_texts import texts_of_release_0_1
from .caller import is_own
from .form import Params, add_tabs, checked, checked_text, mark_invalid, read_text
from .server_files import read_text_file
from .settings import READ_DIRS

Descriptions = dict[str, tuple[str, ...]]

SAVED_KEY = SAVED_DESCRIPTIONS
MAX_UPLOAD_BYTES = 8 * 1024**2  # a queued run keeps it, base64-encoded, in one MongoDB document of at most 16 MB
STYLE_NOTES = {
    AUTO: (
        "Each by itself",
        "What neither names its class nor ends like a sentence is put into one with its class",
    ),
    SENTENCES: ("Whole texts", "All are used as they are"),
    ATTRIBUTES: ("Attributes", "“a black nose” becomes “blue jay, which has a black nose.”"),
}
"""Style of descriptions to its label and what it does."""
SOURCES = {"templates": "Templates", "upload": "Upload a file", "file": "File on the server", "typed": "Paste JSON"}


def saved_descriptions(dataset: Any) -> dict[str, Any]:
    """Returns the class descriptions that are saved on the dataset, not checked; empty if there are none."""
    saved = (dataset.info or {}).get(SAVED_KEY)
    return dict(saved) if isinstance(saved, dict) else {}


def description_source(params: Params, default: str = "templates") -> str:
    """Returns where the descriptions come from; without the choice, the parameter that holds some decides."""
    if params.get("description_source"):
        return str(params["description_source"])
    sources = {"descriptions": "typed", "description_file": "file", "description_upload": "upload"}
    return next((source for name, source in sources.items() if params.get(name)), default)


def read_descriptions(params: Params, dataset: Any) -> Descriptions | str | None:
    """Reads the class descriptions: typed, uploaded, the dataset's, or the path of a file; None for the templates."""
    source = description_source(params)
    if source == "saved":
        return _read_saved(dataset)
    if source == "file":
        given, what = params.get("description_file"), "a JSON file that maps each class to a list of texts"
        return existing_file(given, what) if is_own(params) else _read_server_file(given, what)
    if source == "upload":
        return _read_upload(params.get("description_upload"))
    typed = read_text(params, "descriptions")
    return parse_descriptions(typed, name="as typed") if source == "typed" and typed else None


def read_style(params: Params) -> str:
    """Reads the style of the descriptions."""
    style = params.get("description_style") or AUTO
    return GIVEN if style == GIVEN else check_style(style)


def valid_style(params: Params) -> str:
    """Returns the style of the descriptions, the usual one where it is not valid."""
    try:
        return read_style(params)
    except ConfigError:
        return AUTO


def _read_saved(dataset: Any) -> Descriptions:
    saved = saved_descriptions(dataset)
    if not saved:
        raise ConfigError(f"dataset.info has no {SAVED_KEY!r}; choose another source of descriptions")
    try:
        return check_descriptions(saved)
    except ConfigError as error:
        raise ConfigError(f"dataset.info[{SAVED_KEY!r}] can't be used: {error}") from error


def _read_server_file(given: Any, what: str) -> Descriptions:
    """Reads a file on the server; whoever named it may not know its contents, which errors do not quote."""
    data, name = read_text_file(given, what), PurePath(str(given)).name
    try:
        found = parse_descriptions(data, name="in the file")
        distinct = len({name_key(described) for described in found}) == len(found)
    except (ValueError, RecursionError) as error:
        at = error.__cause__
        place = f" (line {at.lineno}, column {at.colno})" if isinstance(at, json.JSONDecodeError) else ""
        raise ConfigError(f"{name!r} is not {what}, in UTF-8{place}") from None
    if not distinct:
        raise ConfigError(f"{name!r} names one class twice; merge the two lists")
    return found


def _read_upload(upload: Any) -> Descriptions:
    content = upload.get("content") if isinstance(upload, Mapping) else None
    if not content or not isinstance(content, str):
        raise ConfigError("choose a JSON file that maps each class to a list of texts")
    try:
        data = base64.b64decode(content.rpartition(",")[2], validate=True)
    except ValueError as error:
        raise ConfigError("the uploaded file arrived damaged; choose it again") from error
    return parse_descriptions(data, name=f"in {upload.get('name') or 'the uploaded file'!r}")


@dataclass(frozen=True, kw_only=True)
class RunTexts:
    """The texts of a run.

    Attributes:
        descriptions: class to its texts
        templates: the classes whose texts are templates; None where the run does not record them
        of_release_0_1: the descriptions of a run that a release without styles has made; None for a later one
    """

    descriptions: dict[str, list[str]] = field(default_factory=dict)
    templates: list[str] | None = None
    of_release_0_1: dict[str, list[str]] | None = None

    @classmethod
    def of(cls, run: RunRecord) -> RunTexts:
        """Returns the texts of a run."""
        return cls(
            descriptions=run.descriptions,
            templates=run.results.get("templates"),
            of_release_0_1=texts_of_release_0_1(run),
        )


def other_descriptions(config: RunConfig, own: RunTexts, given: Any, style: str) -> bool:
    """Returns whether descriptions differ from a run's; templates are not compared, which would import torch.

    ``given`` are descriptions as the form read them, None for templates alone.
    """
    templates = own.templates
    try:
        read = {} if given is None else load_descriptions(given)
        found = match_descriptions(config.classes, read, style, had=own.of_release_0_1)[0] if read else {}
    except ConfigError:
        return False
    described = {name for name in config.classes if found.get(name)}
    if templates is not None and described != set(config.classes) - set(templates):
        return True
    return any(list(found[name]) != own.descriptions.get(name) for name in described)


def description_params(descriptions: dict[str, list[str]] | str | Path | None, style: str) -> Params:
    """Returns the parameters that :func:`read_descriptions` and :func:`read_style` read back."""
    in_code = style_in_code(style, descriptions)
    if descriptions is None:
        return {}
    if isinstance(descriptions, (str, Path)):
        return {"description_source": "file", "description_file": str(descriptions), "description_style": in_code}
    return {"description_source": "typed", "descriptions": json.dumps(descriptions), "description_style": in_code}


def existing_file(path: Any, what: str) -> str:
    """Returns the path of a file that exists; ``what`` is the kind of file, for the error message."""
    path = checked_text(path, "the path")
    if not path:
        raise ConfigError(f"give the path of {what}")
    if not Path(path).is_file():
        raise ConfigError(f"there is no file {path!r} on the machine that runs the App")
    return str(path)


def add_descriptions(
    inputs: Any, params: Params, dataset: Any, *, keep: bool = False, automatic: bool = False
) -> Descriptions | str | None:
    """Adds the source of the class descriptions.

    With ``keep``, those of a run can be kept, which is the default; with ``automatic``, the default is to choose none,
    so that those saved on the dataset are taken, or templates.
    """
    source = description_source(params, "keep" if keep else "automatic" if automatic else "templates")
    saved = saved_descriptions(dataset)
    first = {"keep": "Keep"} if keep else {"automatic": "Automatic"} if automatic else {}
    sources = {**first, **SOURCES, **({"saved": "Saved on the dataset"} if saved else {})}
    note = "What each class looks like, in several texts; classes without any get templates"
    if source == "keep":
        note = "Classes of the run keep their texts; new classes get templates"
    elif source == "automatic":
        note = "Those given for the last search, else those saved on the dataset, else templates"
    add_tabs(inputs, "description_source", source, sources, label="Class descriptions", description=note)
    if source == "typed":
        prop = inputs.str(
            "descriptions",
            label='{"duck": ["a duck with a broad beak", "a duck on water"], ...}',
            view=types.TextFieldView(multiline=True, rows=5),
        )
    elif source == "file":
        note = f"In a folder of {READ_DIRS}, or in the one that the App writes to"
        prop = inputs.str("description_file", label="Path of the JSON file", description=note)
    elif source == "upload":
        view = types.FileView(
            types=".json,application/json",
            max_size=MAX_UPLOAD_BYTES,
            max_size_error_message=f"The file must be smaller than {MAX_UPLOAD_BYTES // 1024**2} MB",
        )
        prop = inputs.define_property("description_upload", types.UploadedFile(), label="JSON file", view=view)
    elif source == "saved":
        note = f"Descriptions of {len(saved):,} classes, saved in dataset.info[{SAVED_KEY!r}]"
        prop = inputs.view("saved_note", types.Notice(label=note))
    else:
        return None
    given = checked(prop, read_descriptions, params, dataset)
    if given:
        style = valid_style(params)
        labels = {name: label for name, (label, _) in STYLE_NOTES.items()}
        if style == GIVEN:  # as code has passed them
            labels[GIVEN] = "As given"
        note = STYLE_NOTES.get(style, STYLE_NOTES[SENTENCES])[1]
        prop = add_tabs(inputs, "description_style", style, labels, label="Style of the texts", description=note)
        checked(prop, read_style, params)
    return given


def add_name_notes(inputs: Any, classes: Sequence[str]) -> None:
    """Adds a warning of names that are one to most models, and of names in letters that they lack."""
    for at, warning in enumerate(name_warnings(classes)):
        inputs.view(f"names_warning{at}", types.Warning(label=capitalized(warning)))


def add_text_notes(inputs: Any, classes: Sequence[str], given: Any, style: str) -> None:
    """Adds how the descriptions of some classes will be used; nothing for templates, and for a file that code names."""
    if not classes or not isinstance(given, Mapping) or not given:
        return
    preview = preview_texts(classes, given, style)
    if preview.problem is not None:
        label = capitalized(preview.problem)
        mark_invalid(inputs.view("texts_problem", types.Error(label=label)), label)
        return
    inputs.view("texts_use", types.Notice(label=preview.line))
    for at, warning in enumerate(preview.warnings):
        inputs.view(f"texts_warning{at}", types.Warning(label=capitalized(warning)))
