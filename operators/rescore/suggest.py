"""Suggesting settings of a run from labelled samples: the operator that tries them, and its part of a form.

Trying takes seconds, and a form is built where the App's server answers everybody; so the form has the App execute an
operator, which runs in a thread, and finds its answer among the form's parameters.
"""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ...lgca_plugin.api import load_run
from ...lgca_plugin.errors import ConfigError, LgcaError
from ...lgca_plugin.method.core.methods import METHODS, Method
from ...lgca_plugin.method.number_text import interval_text, percent_text, points_interval_text
from ..shared.form import Params, add_dropdown, mark_invalid, refuse
from ..shared.run_choice import run_param
from .presets import label_field, read_suggestion, suggestion_name
from .source import Source

URI = "@lgca/zero-shot/lgca_suggest_settings"
MAX_SAMPLES = 1000
MIN_SAMPLES = 300
MAX_SCORED = 300_000  # samples times classes: half a minute on two cores
FEW_SAMPLES = 30
COLUMNS = {
    "method": "Method",
    "now": "As it is",
    "chosen": "Best settings",
    "gain": "Gain in points",
    "alike": "Equally good",
    "effective": "Crops that count",
}


class SuggestSettings(foo.Operator):
    """Tries settings of a run on its labelled samples; reads the store of embeddings and writes nothing."""

    @property
    def config(self) -> Any:
        """How it is executed; the operator browser does not show it, the form of ``lgca_rescore`` asks it."""
        return foo.OperatorConfig(
            name="lgca_suggest_settings",
            label="Suggest settings for a zero-shot run",
            description="Try settings of a run on its labelled samples, from the stored embeddings",
            unlisted=True,
            risk_level=types.RiskLevel.LOW,
        )

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Runs the sweep.

        Returns:
            ``methods``, a dict with the estimates and the chosen preset for each; ``samples``; and ``excluded``, reason
            to count. Or ``problem``, a sentence, where the sweep can't be made
        """
        key, field = ctx.params.get("run"), ctx.params.get("label_field")
        try:
            if ctx.dataset is None or not key or not field:
                raise ConfigError("open a dataset, and name one of its runs and a field with labels")
            run = load_run(ctx.dataset, key)
            report = run.sweep(field, max_samples=most_samples(len(run.config.classes)), progress=False)
        except LgcaError as error:
            return {"problem": str(error)}
        methods = {}
        for choice in report.choices:
            best = report.results[choice.chosen]
            methods[choice.group] = {
                "settings": choice.settings,
                "now": bounds(choice.default_accuracy),
                "chosen": bounds(choice.nested),
                "gain": bounds(choice.gain),
                "alike": len(choice.within_noise),
                "effective": best.effective,
                "used": best.used,
                "preset": best.setting.to_json(),
            }
        return {"methods": methods, "samples": report.samples, "excluded": report.excluded}


def most_samples(n_classes: int) -> int:
    """Gives the number of samples that settings are tried on: fewer where there are many classes."""
    return min(MAX_SAMPLES, max(MIN_SAMPLES, MAX_SCORED // n_classes))


def bounds(estimate: Any) -> list[float]:
    """Gives an estimate's value and the ends of its interval."""
    return [estimate.value, estimate.low, estimate.high]


def add_suggestion(inputs: Any, params: Params, source: Source, choices: list[str]) -> dict[str, Method] | None:
    """Adds the label field and, once they are known, the suggestions.

    Args:
        inputs: the form
        params: ``ctx.params``
        source: the run
        choices: the dataset's Classification fields

    Returns:
        method's name to its suggested preset; None as long as there is none
    """
    field = label_field(params, source, choices)
    if field is None:
        refuse(inputs, "Settings are chosen by labels, and this dataset has no Classification field.")
        return None
    most = most_samples(len(source.config.classes))
    add_dropdown(
        inputs,
        run_param("label_field", source.key),
        choices,
        default=field,
        label="Labels to go by",
        description=f"The best settings predict these most often, on at most {most:,} samples chosen at random",
    )
    answer = params.get(suggestion_name(source, field)) or {}
    if answer.get("state") != "loaded":
        add_loader(inputs, source, field)
        return None
    found = answer.get("data") or {}
    if found.get("problem"):
        refuse(inputs, found["problem"])
        return None
    add_table(inputs, found)
    add_verdict(inputs, found, source)
    return read_suggestion(params, source, field)


def add_loader(inputs: Any, source: Source, field: str) -> None:
    """Has the App execute the operator, and shows that it does."""
    prop = inputs.loader(
        suggestion_name(source, field),
        types.Object(),
        operator=URI,
        params={"run": source.key, "label_field": field},
        label=f"Trying settings on the samples with a label in {field} ...",
    )
    mark_invalid(prop, "settings are being tried")


def add_table(inputs: Any, found: dict[str, Any]) -> None:
    """Shows one row a method."""
    lines = [" | ".join(COLUMNS.values()), " | ".join("---" for _ in COLUMNS)]
    for name, method in found["methods"].items():
        row = {"method": name, "now": percent_text(method["now"][0]), "chosen": "-", "gain": "-", "alike": "-"}
        if method["settings"] > 1:
            row["chosen"] = interval_text(*method["chosen"])
            row["gain"] = points_interval_text(method["gain"])
            row["alike"] = f"{method['alike']} of {method['settings']}"
        effective = method["effective"]
        row["effective"] = "-" if effective is None else f"{effective:.0f} of {method['used']:.0f}"
        lines.append(" | ".join(row.values()))
    table = "\n".join(f"| {line} |" for line in lines)
    inputs.str(
        "suggestions",
        default=table,
        label="Settings tried",
        description=how_line(found),
        view=types.MarkdownView(read_only=True),
    )


def how_line(found: dict[str, Any]) -> str:
    """Says what the table rests on."""
    left_out = "".join(f", {count:,} left out {why}" for why, count in (found.get("excluded") or {}).items())
    return (
        f"Accuracy on {found['samples']:,} samples{left_out}, with the classes and descriptions that the run has now. "
        "The best settings are judged on samples that did not choose them; intervals are of 95%."
    )


def add_verdict(inputs: Any, found: dict[str, Any], source: Source) -> None:
    """Says in words how far the suggestions are to be trusted."""
    tried = {name: method for name, method in found["methods"].items() if method["settings"] > 1}
    better = [name for name, method in tried.items() if method["gain"][1] > 0]
    unsure = [name for name in tried if name not in better]
    untouched = all(method == METHODS.get(method.name) for method in source.config.methods)
    those = "the default settings" if untouched else "the run's settings"
    samples = found["samples"]
    if not tried:
        inputs.view("nothing", types.Warning(label="The run's methods have no settings to choose"))
        return
    if samples < FEW_SAMPLES:
        inputs.view("few", types.Warning(label=f"{samples} labelled samples are too few to choose settings by"))
    if better:
        label = f"Better than {those} on these samples: {', '.join(better)}"
        inputs.view("better", types.Success(label=label))
    if unsure:
        label = f"No better than {those} on these samples: {', '.join(unsure)}"
        note = "The values below were right most often, among many that these samples can't tell apart"
        inputs.view("unsure", types.Warning(label=label, description=note))
