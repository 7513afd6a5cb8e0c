"""The parameters of ``lgca_find_wrong_labels``, read as the options of a search.

The form shows the label field and the model; all else counts only while "More" is switched on, or if code passes it.
"""

from __future__ import annotations

from typing import Any

from ...lgca_plugin.config import DEMO_MARKER, RegionConfig, check_budget, check_methods, check_run_key, default_methods
from ...lgca_plugin.encoder.architectures import DEFAULT_MODEL, DEFAULT_PRETRAINED, DEMO_MODEL
from ...lgca_plugin.errors import ConfigError
from ...lgca_plugin.runs.proposals import given_label_field, given_label_fields, no_given_labels
from ...lgca_plugin.workflows.find.labels import FOLLOW_LABELS
from ...lgca_plugin.workflows.find.request import FindOptions
from ...lgca_plugin.workflows.triage.plan import check_none_below
from ..shared.caller import from_page
from ..shared.classes import NAMES, SHARES, parse_classes, read_display_names, read_prompt, read_shares
from ..shared.descriptions import description_source, read_descriptions, read_style
from ..shared.encoder import read_encoder
from ..shared.form import Params, read_text
from ..shared.prompt_cache import cached_while_open

DEFAULT_METHODS = list(default_methods(RegionConfig()))
"""The choice among methods that stands for no choice: a search that goes on keeps its own."""

OTHER = "other"
MODEL_NOTES = {
    DEMO_MODEL: ("Demo model", "tiny, knows the demo's drawn birds and nothing else"),
    "default": ("ViT-B-32 by OpenAI", "the usual choice: quick, for all kinds of pictures"),
    "large": ("ViT-L-14 by OpenAI", "sees more, and takes about ten times as long"),
    OTHER: ("Another model ...", "any open_clip model, or a checkpoint of your own"),
}
"""Value of the choice among models to its label and a note."""

LARGE_MODEL = "ViT-L-14-quickgelu"

MORE = (
    "run_key",
    "class_source",
    "classes",
    "description_source",
    "descriptions",
    "description_file",
    "description_upload",
    "description_style",
    "methods",
    "budget",
    "view_target",
    "custom_view_target",
    "none_below",
    *NAMES,
    *SHARES,
)
"""Parameters of the part of the form that "More" shows."""

ENCODER = ("encoder", "model", "pretrained", "checkpoint")
"""Parameters of another model."""


def more(params: Params) -> bool:
    """Returns whether the rest of the form is shown; without the switch, whether code has passed any of it."""
    return bool(params.get("more", any(params.get(name) is not None for name in MORE)))


def has_all(ctx: Any) -> bool:
    """Returns whether all settings count: "More" is on, or a program calls, which has no form to switch it on in."""
    return more(ctx.params) or ("more" not in ctx.params and not from_page(ctx))


@cached_while_open
def label_choices(ctx: Any) -> list[str]:
    """Returns the fields of given labels, the likeliest first."""
    return given_label_fields(ctx.dataset, several=True)


@cached_while_open
def no_labels(ctx: Any) -> str | None:
    """Returns why there are no labels to check; None if there is a field that may hold some."""
    return no_given_labels(ctx.dataset)


def model_choices(ctx: Any) -> list[str]:
    """Returns the models to choose from, the proposed one first; the demo's only on the demo."""
    demo = [DEMO_MODEL] if DEMO_MARKER in (ctx.dataset.info or {}) else []
    return [*demo, "default", "large", OTHER]


def chosen_model(ctx: Any) -> str:
    """Returns the chosen model; without the choice, another one if code has passed it."""
    choice = ctx.params.get("model_choice")
    if choice is None:
        given = any(ctx.params.get(name) is not None for name in ENCODER)
        return OTHER if given else model_choices(ctx)[0]
    return str(choice)


def read_model(ctx: Any) -> tuple[str, str | None]:
    """Reads the model as the name and the pretrained tag or path that ``load_encoder`` takes."""
    choice = chosen_model(ctx)
    named = {
        DEMO_MODEL: (DEMO_MODEL, None),
        "default": (DEFAULT_MODEL, DEFAULT_PRETRAINED),
        "large": (LARGE_MODEL, DEFAULT_PRETRAINED),
    }
    if choice == OTHER:
        return read_encoder({"model": DEFAULT_MODEL, "pretrained": DEFAULT_PRETRAINED, **ctx.params})
    if choice not in named:
        raise ConfigError(f"there is no choice {choice!r} of a model; choose from {', '.join(MODEL_NOTES)}")
    return named[choice]


def read_label_field(ctx: Any) -> str:
    """Reads the label field; without one, the only or the likeliest is taken."""
    field = ctx.params.get("ground_truth")
    if field:
        return str(field)
    choices = label_choices(ctx)
    return choices[0] if choices else given_label_field(ctx.dataset)


def read_run_key(params: Params) -> str | None:
    """Reads the run key; None if it is left empty."""
    key = read_text(params, "run_key")
    return check_run_key(key) if key else None


def read_none_below(params: Params) -> float | None:
    """Reads the probability below which a picture shows none of the classes; None if it is left empty."""
    value = params.get("none_below")
    return None if value is None else check_none_below(value)


def class_choice(params: Params) -> str:
    """Returns where the classes come from: ``"field"``, ``"labels"`` or ``"typed"``; code passes the classes alone."""
    given = params.get("classes")
    without = FOLLOW_LABELS if given == FOLLOW_LABELS else "typed" if given else "field"
    return str(params.get("class_source") or without)


def read_class_choice(params: Params) -> tuple[str, ...] | str | None:
    """Reads the classes as a search takes them."""
    choice = class_choice(params)
    return parse_classes(params.get("classes")) if choice == "typed" else FOLLOW_LABELS if choice == "labels" else None


def names_run_alone(params: Params) -> bool:
    """Returns whether code has named a run and no model: the run's own is taken."""
    named = any(params.get(name) is not None for name in ("model_choice", *ENCODER))
    return bool(params.get("run_key")) and not named


def read_options(ctx: Any) -> FindOptions:
    """Reads all settings.

    Raises:
        ConfigError: for the first that is not valid
    """
    params = ctx.params
    field = read_label_field(ctx)
    if params.get("of_run"):
        return FindOptions(samples=ctx.dataset, ground_truth=field, run_key=check_run_key(params["of_run"]))
    options: dict[str, Any] = {"samples": ctx.dataset}
    if has_all(ctx):
        source = description_source(params, "automatic")
        methods, budget = params.get("methods"), params.get("budget")
        options = {
            "samples": ctx.target_view(require_flat=True),
            "classes": read_class_choice(params),
            "descriptions": {} if source == "templates" else read_descriptions(params, ctx.dataset),
            "description_style": read_style(params),
            "run_key": read_run_key(params),
            "methods": None if methods in (None, DEFAULT_METHODS) else check_methods(methods),
            "budget": None if budget is None else check_budget(budget),
            "shares": read_shares(params, label_choices(ctx)),
            "display_names": read_display_names(params),
            "prompt": read_prompt(params),
            "none_below": read_none_below(params),
        }
    return FindOptions(
        ground_truth=field,
        encoder=None if names_run_alone(params) else read_model(ctx),
        device=read_text(params, "device") or None,
        precision=params.get("precision") or "auto",
        **options,
    )
