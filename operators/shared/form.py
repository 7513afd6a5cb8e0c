"""The form of ``lgca_classify``, part by part: each adds its fields and returns what was chosen, None if not valid."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.config import DEFAULT_BUDGET, DEFAULT_METHODS, DEFAULT_RUN_KEY, DEFAULT_SHOWN_CHAINS, RegionConfig
from ...lgca_plugin.encoder.architectures import DEFAULT_MODEL, DEFAULT_PRETRAINED
from ...lgca_plugin.encoder.precision import PRECISIONS
from ...lgca_plugin.errors import ConfigError
from ...lgca_plugin.fiftyone_io.fields import DECISION, SUGGESTION, method_field, triage_field
from ...lgca_plugin.method.core.methods import METHODS, method_description
from ...lgca_plugin.runs.registry import PACKAGE, prediction_fields
from . import params as settings
from .params import Params
from .run_choice import UNREADABLE

# Suggestions only: any architecture and tag that open_clip knows can be typed. Listing them all would import torch.
MODELS = (DEFAULT_MODEL, "ViT-B-16-quickgelu", "ViT-L-14-quickgelu", "ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-H-14")
TAGS = (
    DEFAULT_PRETRAINED,
    "dfn2b",
    "metaclip_fullcc",
    "laion2b_s34b_b79k",
    "laion2b_s34b_b88k",
    "datacomp_xl_s13b_b90k",
)
MAX_UPLOAD_BYTES = 8 * 1024**2  # a queued run keeps it, base64-encoded, in one MongoDB document of at most 16 MB
BUDGET_NOTES = {
    "full": "all crops of every image",
    "adaptive": "an image stops when more crops would hardly change a label; those in doubt take all",
}
REGION_NOTES = {
    "crops": ("Crops", "random square crops of each image (N)"),
    "lgca_crops": ("Crops that grow", "of these; empty: as many as cost what WCA does"),
    "scale_min": ("Smallest crop", "side, as a share of the image's shorter side"),
    "scale_max": ("Largest crop", "side, as a share of the image's shorter side"),
    "steps": ("Expansion steps", "how often regions are kept and grown (T)"),
    "keep": ("Keep", "share of the regions that each step keeps"),
    "growth": ("Growth", "factor on the side of a region in each step"),
    "seed": ("Seed", "with the file's bytes, it decides the crops"),
}


def label_fields(dataset: Any, keep: str | None = None) -> list[str]:
    """Lists the dataset's Classification fields, without those that hold predictions, suggestions or decisions of runs.

    Args:
        dataset: the FiftyOne dataset
        keep: a field that is listed also if it is a run's
    """
    import fiftyone as fo

    predicted: set[str] = set()
    for run_key in dataset.list_runs(package=PACKAGE):
        predicted.update(method_field(run_key, method) for method in METHODS)
        predicted.update(triage_field(run_key, name) for name in (SUGGESTION, DECISION))
        with suppress(*UNREADABLE):
            predicted.update(prediction_fields(dataset, run_key))
    schema = dataset.get_field_schema(ftype=fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification)
    return [name for name in schema if name == keep or name not in predicted]


def refusal(inputs: Any, sentence: str) -> None:
    """Adds a sentence that says why the form can't be submitted at all."""
    prop = inputs.view("refusal", types.Notice(label=sentence))
    prop.invalid = True
    prop.error_message = sentence


def checked(prop: Any, read: Callable[..., Any], *args: Any) -> Any:
    """Runs a reader; a ``ConfigError`` marks the field invalid and is shown under it.

    Returns:
        what was read, or None if it is not valid
    """
    try:
        return read(*args)
    except ConfigError as error:
        prop.invalid = True
        prop.error_message = str(error)
        return None


def tabs(inputs: Any, name: str, chosen: str, choices: dict[str, str], **texts: str) -> Any:
    """Adds a choice between the parts of the form that follow it, and returns its property."""
    view = types.TabsView()
    for value, label in choices.items():
        view.add_choice(value, label=label)
    return inputs.enum(name, view.values(), default=chosen, view=view, **texts)


def add_classes(inputs: Any, params: Params, choices: list[str], *, compare: bool = True) -> Any:
    """Adds the classes: taken from a label field, or typed.

    Args:
        inputs: the form
        params: ``ctx.params``
        choices: the dataset's Classification fields
        compare: ask with typed classes for a label field too, to compare predictions with
    """
    source = settings.class_source(params) if choices else "typed"
    ways = {"field": "Labels of a field"} if choices else {}
    tabs(inputs, "class_source", source, {**ways, "typed": "Type them"}, label="Classes")
    typed = source == "typed"
    classes = None
    if typed:
        if isinstance(params.get("classes"), list):  # as code passes them
            prop = inputs.list("classes", types.String(), label="Class names")
        else:
            view = types.TextFieldView(multiline=True, rows=5)
            prop = inputs.str("classes", label="Class names, one a line", view=view)
        classes = checked(prop, settings.read_classes, {**params, "class_source": "typed"})
    if choices and (compare or not typed):
        view = types.DropdownView()
        for name in choices:
            view.add_choice(name, label=name)
        default = settings.default_field({**params, "class_source": source}, choices)
        prop = inputs.enum(
            "ground_truth",
            view.values(),
            default=default,
            label="Compare with (optional)" if typed else "Label field",
            description="A label field to measure the predictions against"
            if typed
            else "Its distinct labels are the candidate classes; which image has which label is not used",
            view=view,
        )
        checked(prop, settings.read_ground_truth, {"ground_truth": default, **params}, choices)
    return classes


def add_encoder(inputs: Any, params: Params) -> Any:
    """Adds the choice of the encoder."""
    source = settings.encoder_source(params)
    ways = {"open_clip": "open_clip model", "checkpoint": "Checkpoint file", "demo": "Demo model"}
    tabs(inputs, "encoder", source, ways, label="Encoder")
    if source == "demo":
        note = "A tiny model for the demo's drawn birds: it ships with the plugin and knows nothing else"
        inputs.view("demo_note", types.Notice(label=note))
        return settings.read_encoder(params)
    prop = inputs.str("model", default=DEFAULT_MODEL, label="Architecture", view=suggestions(MODELS))
    model = checked(prop, settings.read_model, params)
    params = {"model": DEFAULT_MODEL, "pretrained": DEFAULT_PRETRAINED, **params}
    if source == "checkpoint":
        prop = inputs.str("checkpoint", label="Path of the checkpoint", view=types.TextFieldView(space=6))
    else:
        prop = inputs.str("pretrained", default=DEFAULT_PRETRAINED, label="Pretrained tag", view=suggestions(TAGS))
    return checked(prop, settings.read_encoder, params) if model else None


def suggestions(values: tuple[str, ...]) -> Any:
    """Makes a text field, half the form wide, that suggests values and takes any other."""
    view = types.AutocompleteView(allow_user_input=True, space=6)
    for value in values:
        view.add_choice(value, label=value)
    return view


def add_methods(inputs: Any, params: Params) -> Any:
    """Adds the choice of the methods."""
    view = types.DropdownView()
    for name in METHODS:
        view.add_choice(name, label=name, description=method_description(name))
    prop = inputs.list(
        "methods",
        types.String(),
        default=list(DEFAULT_METHODS),
        label="Methods",
        description="Each writes a field of its own; they share their crops, so another method costs little",
        view=view,
    )
    return checked(prop, settings.read_methods, params)


def add_budget(inputs: Any, params: Params) -> None:
    """Adds the choice of the budget."""
    view = types.RadioGroup()
    for name, note in BUDGET_NOTES.items():
        view.add_choice(name, label=f"{name.capitalize()}: {note}")
    prop = inputs.enum("budget", view.values(), default=DEFAULT_BUDGET, label="Budget", view=view)
    checked(prop, settings.read_budget, params)


def add_descriptions(inputs: Any, params: Params, dataset: Any, *, keep: bool = False) -> Any:
    """Adds the source of the class descriptions; the dataset's own are offered where it has some.

    Args:
        inputs: the form
        params: ``ctx.params``
        dataset: the dataset
        keep: offer first to keep those that there are
    """
    source = settings.description_source(params, "keep" if keep else "templates")
    saved = settings.saved_descriptions(dataset)
    ways = {"keep": "Keep"} if keep else {}
    ways |= {"templates": "Templates", "upload": "Upload a file", "file": "File on the server", "typed": "Paste JSON"}
    if saved:
        ways["saved"] = "Saved on the dataset"
    tabs(
        inputs,
        "description_source",
        source,
        ways,
        label="Class descriptions",
        description="Classes of the run keep their texts; templates stand in for new classes"
        if source == "keep"
        else "What each class looks like, in several texts; templates stand in where there are none",
    )
    if source == "typed":
        prop = inputs.str(
            "descriptions",
            label='{"duck": ["a duck with a broad beak", "a duck on water"], ...}',
            view=types.TextFieldView(multiline=True, rows=5),
        )
    elif source == "file":
        prop = inputs.str("description_file", label="Path of the JSON file")
    elif source == "upload":
        view = types.FileView(
            types=".json,application/json",
            max_size=MAX_UPLOAD_BYTES,
            max_size_error_message=f"The file must be smaller than {MAX_UPLOAD_BYTES // 1024**2} MB",
        )
        prop = inputs.define_property("description_upload", types.UploadedFile(), label="JSON file", view=view)
    elif source == "saved":
        note = f"Descriptions of {len(saved):,} classes, kept in dataset.info[{settings.SAVED_KEY!r}]"
        prop = inputs.view("saved_note", types.Notice(label=note))
    else:
        return None
    return checked(prop, settings.read_descriptions, params, dataset)


def add_run_key(inputs: Any, params: Params) -> tuple[Any, str | None]:
    """Adds the run key; returns its property too, for errors that only the dataset can tell."""
    prop = inputs.str(
        "run_key",
        default=DEFAULT_RUN_KEY,
        label="Run key",
        description="Names the run and its fields: KEY_clip, KEY_wca, KEY_lgca, KEY_regions, ...",
    )
    return prop, checked(prop, settings.read_run_key, params)


def add_advanced(inputs: Any, params: Params) -> RegionConfig | None:
    """Adds the switch for the advanced settings and, when it is on, the settings."""
    switched_on = bool(params.get("advanced", settings.advanced(params)))
    inputs.bool(
        "advanced",
        default=switched_on,
        label="Advanced settings",
        description="Regions, batch size, device and precision; switched off, the published defaults are used",
        view=types.SwitchView(),
    )
    if not switched_on:
        return RegionConfig()
    properties: dict[str, Any] = {}
    for name, (label, note) in REGION_NOTES.items():
        default = getattr(RegionConfig(), name)
        define = inputs.float if isinstance(default, float) else inputs.int
        properties[name] = define(name, default=default, label=label, description=note, view=quarter())
    regions = None
    try:
        regions = settings.read_regions(params)
    except ConfigError as error:  # its message begins with the setting's name
        blamed = properties.get(str(error).split(maxsplit=1)[0], properties["crops"])
        checked(blamed, settings.read_regions, params)

    prop = inputs.int(
        "shown_chains",
        default=DEFAULT_SHOWN_CHAINS,
        label="Chains shown",
        description="written as boxes, the most telling first",
        view=quarter(),
    )
    checked(prop, settings.read_shown_chains, params)
    prop = inputs.int("batch_size", label="Batch size", description="empty: chosen for the device", view=quarter())
    checked(prop, settings.read_batch_size, params)
    inputs.str("device", label="Device", description="empty: the best one there is", view=quarter())
    view = types.DropdownView(space=3)
    for precision in PRECISIONS:
        view.add_choice(precision, label=precision)
    prop = inputs.enum(
        "precision",
        view.values(),
        default="auto",
        label="Precision",
        description="of the encoder alone",
        view=view,
    )
    checked(prop, settings.read_precision, params)
    inputs.bool(
        "store_regions",
        default=True,
        label="Keep embeddings of crops",
        description="On disk, for evidence and for rescoring; a later run on the same images then encodes nothing",
        view=types.SwitchView(),
    )
    inputs.bool(
        "logits",
        default=False,
        label="Write all class scores as logits",
        description="One number a class on every label, so that a long list of classes makes large samples",
    )
    inputs.bool(
        "skip_failures",
        default=True,
        label="Go on when an image fails",
        description="The reason is written to the sample; unticked, the run stops at the first failure",
    )
    return regions


def quarter() -> Any:
    """Makes a text field a quarter of the form wide."""
    return types.TextFieldView(space=3)
