"""The operator ``lgca_suggest_settings``, and the part of the form of ``lgca_rescore`` that shows what it suggests.

Trying settings takes seconds, and the App's server must not wait for a form so long. So the form has the App execute
this operator, which runs in a thread, and finds the result among the form's parameters.
"""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ...lgca_plugin.api import load_run
from ...lgca_plugin.errors import ConfigError, LgcaError
from ...lgca_plugin.method.core.methods import METHODS, Method
from ...lgca_plugin.method.number_text import interval_text, percent_text, points_interval_text
from ..shared.form import Params, add_dropdown, loaded, mark_invalid, markdown_table, refuse
from ..shared.results.result import ReadableOperator
from ..shared.run_choice import run_param
from .params import is_better, label_field, read_suggestion, suggestion_name
from .source import Source

URI = "@lgca/zero-shot/lgca_suggest_settings"
MAX_SAMPLES = 1000
MIN_SAMPLES = 300
MAX_SCORED = 300_000  # samples times classes: half a minute on two cores
FEW_SAMPLES = 30
COLUMNS = ("Method", "As it is", "Best settings", "Gain in points", "Equally good", "Crops that count")


class SuggestSettings(ReadableOperator):
    """Tries settings of a run on its labelled samples; reads the store of embeddings and writes nothing."""

    @property
    def config(self) -> Any:
        """How it is executed; the operator browser does not list it, the form of ``lgca_rescore`` executes it."""
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
            ``methods``, the estimates and the chosen preset of each; ``samples``, their number; and ``excluded``,
            reason to count. Or ``problem``, a sentence, if there can be no sweep
        """
        key, field = ctx.params.get("run"), ctx.params.get("label_field")
        try:
            if ctx.dataset is None or not key or not field:
                raise ConfigError("open a dataset, and name one of its runs and a field with labels")
            run = load_run(ctx.dataset, key)
            report = run.sweep(field, max_samples=max_samples(len(run.config.classes)), progress=False)
        except LgcaError as error:
            return {"problem": error.app}
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


def max_samples(n_classes: int) -> int:
    """Returns the maximum number of samples to try settings on: fewer where there are many classes."""
    return min(MAX_SAMPLES, max(MIN_SAMPLES, MAX_SCORED // n_classes))


def bounds(estimate: Any) -> list[float]:
    """Returns an estimate's value and the ends of its interval."""
    return [estimate.value, estimate.low, estimate.high]


def add_suggestion(inputs: Any, params: Params, source: Source, choices: list[str]) -> dict[str, Method] | None:
    """Adds the label field and, once the operator has finished, the suggested settings.

    Returns:
        method's name to its suggested preset; None if there is none yet
    """
    field = label_field(params, source, choices)
    if field is None:
        refuse(inputs, "Settings are chosen by labels, and this dataset has no label field.")
        return None
    most = max_samples(len(source.config.classes))
    note = f"The best settings predict these most often, on at most {most:,} samples chosen at random"
    name = run_param("label_field", source.key)
    add_dropdown(inputs, name, choices, default=field, label="Labels to choose by", description=note)
    found = loaded(params, suggestion_name(source, field))
    if found is None:
        _add_loader(inputs, source, field)
        return None
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
    rows = []
    for name, method in found["methods"].items():
        chosen, gain, alike, effective = "-", "-", "-", "-"
        if method["settings"] > 1:
            chosen, gain = interval_text(*method["chosen"]), points_interval_text(method["gain"])
            alike = f"{method['alike']} of {method['settings']}"
        if method["effective"] is not None:
            effective = f"{method['effective']:.0f} of {method['used']:.0f}"
        rows.append((name, percent_text(method["now"][0]), chosen, gain, alike, effective))
    left_out = "".join(f", {count:,} left out {why}" for why, count in (found.get("excluded") or {}).items())
    inputs.str(
        "suggestions",
        default=markdown_table(COLUMNS, rows),
        label="Settings tried",
        description=f"Accuracy on {found['samples']:,} samples{left_out}, with the classes and descriptions that the "
        "run has now. The best settings are measured on other samples than they were chosen on; intervals are 95% "
        "intervals.",
        view=types.MarkdownView(read_only=True),
    )


def _add_verdict(inputs: Any, found: dict[str, Any], source: Source) -> None:
    """Adds in words whether the suggested settings are better than the run's own."""
    tried = {name: method for name, method in found["methods"].items() if method["settings"] > 1}
    better = [name for name, method in tried.items() if is_better(method)]
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
        note = "Their settings stay as they are: others were right as often, as far as these samples can tell"
        inputs.view("unsure", types.Warning(label=label, description=note))
