"""The part of the form of ``lgca_rescore`` that suggests settings."""

from __future__ import annotations

from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.method.core.methods import METHODS, Method
from ...lgca_plugin.method.number_text import interval_text, percent_text, points_interval_text
from ..shared.form import Params, add_dropdown, mark_invalid, refuse
from ..shared.run_choice import run_param
from .presets import label_field, read_suggestion, suggestion_name
from .source import Source
from .suggest import URI, max_samples

FEW_SAMPLES = 30
COLUMNS = {
    "method": "Method",
    "now": "As it is",
    "chosen": "Best settings",
    "gain": "Gain in points",
    "alike": "Equally good",
    "effective": "Crops that count",
}


def add_suggestion(inputs: Any, params: Params, source: Source, choices: list[str]) -> dict[str, Method] | None:
    """Adds the label field and, once the operator has finished, the suggested settings.

    Args:
        inputs: the form
        params: ``ctx.params``
        source: the run
        choices: the dataset's Classification fields

    Returns:
        method's name to its suggested preset; None if there is none yet
    """
    field = label_field(params, source, choices)
    if field is None:
        refuse(inputs, "Settings are chosen by labels, and this dataset has no Classification field.")
        return None
    most = max_samples(len(source.config.classes))
    note = f"The best settings predict these most often, on at most {most:,} samples chosen at random"
    name = run_param("label_field", source.key)
    add_dropdown(inputs, name, choices, default=field, label="Labels to choose by", description=note)
    answer = params.get(suggestion_name(source, field)) or {}
    if answer.get("state") != "loaded":
        _add_loader(inputs, source, field)
        return None
    found = answer.get("data") or {}
    if found.get("problem"):
        refuse(inputs, found["problem"])
        return None
    _add_table(inputs, found)
    _add_verdict(inputs, found, source)
    return read_suggestion(params, source, field)


def _add_loader(inputs: Any, source: Source, field: str) -> None:
    """Adds a field that has the App execute the operator and shows that it is busy."""
    prop = inputs.loader(
        suggestion_name(source, field),
        types.Object(),
        operator=URI,
        params={"run": source.key, "label_field": field},
        label=f"Trying settings on the samples with a label in {field} ...",
    )
    mark_invalid(prop, "settings are being tried")


def _add_table(inputs: Any, found: dict[str, Any]) -> None:
    """Adds a table with one row a method."""
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
        description=_basis_line(found),
        view=types.MarkdownView(read_only=True),
    )


def _basis_line(found: dict[str, Any]) -> str:
    """Returns what the accuracies in the table were measured on."""
    left_out = "".join(f", {count:,} left out {why}" for why, count in (found.get("excluded") or {}).items())
    return (
        f"Accuracy on {found['samples']:,} samples{left_out}, with the classes and descriptions that the run has now. "
        "The best settings are measured on other samples than they were chosen on; intervals are 95% intervals."
    )


def _add_verdict(inputs: Any, found: dict[str, Any], source: Source) -> None:
    """Adds in words whether the suggested settings are better than the run's own."""
    tried = {name: method for name, method in found["methods"].items() if method["settings"] > 1}
    better = [name for name, method in tried.items() if method["gain"][1] > 0]
    no_better = [name for name in tried if name not in better]
    published = all(method == METHODS.get(method.name) for method in source.config.methods)
    those = "the default settings" if published else "the run's settings"
    samples = found["samples"]
    if not tried:
        inputs.view("nothing", types.Warning(label="The run's methods have no settings to choose"))
        return
    if samples < FEW_SAMPLES:
        inputs.view("few", types.Warning(label=f"{samples} labelled samples are too few to choose settings"))
    if better:
        label = f"Better than {those} on these samples: {', '.join(better)}"
        inputs.view("better", types.Success(label=label))
    if no_better:
        label = f"No better than {those} on these samples: {', '.join(no_better)}"
        note = "The values below were right most often, but these samples can't distinguish them from others"
        inputs.view("unsure", types.Warning(label=label, description=note))
