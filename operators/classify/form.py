"""The form of ``lgca_classify``, part by part: each adds its fields and returns what was chosen, None if not valid."""

from __future__ import annotations

from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.config import DEFAULT_BUDGET, DEFAULT_SHOWN_CHAINS, RegionConfig, check_methods
from ...lgca_plugin.encoder.precision import PRECISIONS
from ...lgca_plugin.errors import ConfigError
from ...lgca_plugin.method.core.methods import METHODS
from ..shared.caller import from_page
from ..shared.classes import add_classes, add_names, add_shares, class_params, label_fields
from ..shared.descriptions import add_descriptions, add_text_notes, valid_style
from ..shared.encoder import add_encoder
from ..shared.form import Params, add_dropdown, add_method_choice, add_method_warnings, checked, text_field
from .class_notes import add_class_notes, chosen_classes
from .params import READERS, advanced, likely_methods, read_valid
from .preview import add_preview
from .run_key import add_run_key

BUDGET_NOTES = {
    "full": "all crops of every image",
    "adaptive": "an image stops when more crops would hardly change a label; uncertain ones take all",
    "economical": "the same with a third of the crops, those that overlap least",
}
REGION_NOTES = {
    "crops": ("Crops", "random square crops of each image (N)"),
    "lgca_crops": ("Crops that grow", "of these; empty: as many as cost the same as WCA"),
    "scale_min": ("Smallest crop", "side, as a share of the image's shorter side"),
    "scale_max": ("Largest crop", "side, as a share of the image's shorter side"),
    "steps": ("Expansion steps", "how often regions are selected and grown (T)"),
    "keep": ("Keep", "share of the regions that each step keeps"),
    "growth": ("Growth", "factor on the side of a region in each step"),
    "seed": ("Seed", "determines the crops, together with the file's bytes"),
}


def add_form(inputs: Any, ctx: Any) -> None:
    """Adds the whole form."""
    params = class_params(ctx)
    choices = label_fields(ctx.dataset, include=params.get("ground_truth"))
    ctx.target_view(require_flat=True)  # makes FiftyOne offer the choice of view
    classes = add_classes(inputs, params, choices)
    valid = read_valid(params, choices)
    add_class_notes(inputs, ctx, classes, valid.get("ground_truth"))
    encoder = add_encoder(inputs, params)
    note = "Each writes a field of its own; they share their crops, so another method costs little"
    prop = add_method_choice(inputs, "methods", METHODS, default=list(likely_methods(params)), description=note)
    methods = checked(prop, READERS["methods"], params)
    if methods and "regions" in valid:
        add_method_warnings(inputs, check_methods(methods), valid["regions"])
    _add_budget(inputs, params)
    descriptions = add_descriptions(inputs, params, ctx.dataset)
    add_text_notes(inputs, chosen_classes(ctx, classes, valid.get("ground_truth")), descriptions, valid_style(params))
    chosen = {"classes": classes, "descriptions": descriptions, "encoder": encoder, "methods": methods, **valid}
    add_run_key(inputs, ctx, {"regions": None, **chosen})
    chosen["regions"] = _add_advanced(inputs, ctx, params, choices, classes)
    add_preview(inputs, ctx, chosen)


def _add_budget(inputs: Any, params: Params) -> None:
    view = types.RadioGroup()
    for name, note in BUDGET_NOTES.items():
        view.add_choice(name, label=f"{name.capitalize()}: {note}")
    prop = inputs.enum("budget", view.values(), default=DEFAULT_BUDGET, label="Budget", view=view)
    checked(prop, READERS["budget"], params)


def _add_advanced(
    inputs: Any, ctx: Any, params: Params, choices: list[str], classes: tuple[str, ...] | None
) -> RegionConfig | None:
    """Adds the switch for the advanced settings and, when it is on, the settings; returns those of the regions."""
    switched_on = bool(params.get("advanced", advanced(params)))
    inputs.bool(
        "advanced",
        default=switched_on,
        label="Advanced settings",
        description="Regions, names that the model reads, how often each class occurs, batch size, device and "
        "precision; switched off, the published defaults are used",
        view=types.SwitchView(),
    )
    listed = "advanced" not in params and not from_page(ctx)  # a program reads the form as the list of all parameters
    if not (listed or switched_on):
        return RegionConfig()
    regions = _add_regions(inputs, params)
    prop = inputs.int(
        "shown_chains",
        default=DEFAULT_SHOWN_CHAINS,
        label="Chains shown",
        description="written as boxes, the most decisive first",
        view=text_field(4),
    )
    checked(prop, READERS["shown_chains"], params)
    prop = inputs.int("batch_size", label="Batch size", description="empty: chosen for the device", view=text_field(4))
    checked(prop, READERS["batch_size"], params)
    note = "empty: the best one; several GPUs: cuda:0,1 or all"
    inputs.str("device", label="Device", description=note, view=text_field(4))
    note = "of the encoder alone"
    prop = add_dropdown(inputs, "precision", PRECISIONS, default="auto", label="Precision", description=note, space=3)
    checked(prop, READERS["precision"], params)
    inputs.bool(
        "store_regions",
        default=True,
        label="Store embeddings of crops",
        description="On disk, for evidence and for rescoring; a later run on the same images then encodes nothing",
        view=types.SwitchView(),
    )
    inputs.bool(
        "logits",
        default=False,
        label="Write the logits of all classes",
        description="One number per class on every label: samples grow with the list of classes",
    )
    inputs.bool(
        "skip_failures",
        default=True,
        label="Go on when an image fails",
        description="The reason is written to the sample; unticked, the run stops at the first failure",
    )
    add_names(inputs, params, classes)
    add_shares(inputs, params, choices, classes)
    return regions


def _add_regions(inputs: Any, params: Params) -> RegionConfig | None:
    properties: dict[str, Any] = {}
    for name, (label, note) in REGION_NOTES.items():
        default = getattr(RegionConfig(), name)
        define = inputs.float if isinstance(default, float) else inputs.int
        properties[name] = define(name, default=default, label=label, description=note, view=text_field(4))
    try:
        regions: RegionConfig = READERS["regions"](params)
        return regions
    except ConfigError as error:  # its message begins with the setting's name
        setting = str(error).split(maxsplit=1)[0]
        return checked(properties.get(setting, properties["crops"]), READERS["regions"], params)
