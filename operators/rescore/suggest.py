"""The operator ``lgca_suggest_settings``: suggests settings of a run from its labelled samples.

Trying settings takes seconds, and the App's server must not wait for a form so long. So the form has the App execute
this operator, which runs in a thread, and finds the result among the form's parameters.
"""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ...lgca_plugin.api import load_run
from ...lgca_plugin.errors import ConfigError, LgcaError

URI = "@lgca/zero-shot/lgca_suggest_settings"
MAX_SAMPLES = 1000
MIN_SAMPLES = 300
MAX_SCORED = 300_000  # samples times classes: half a minute on two cores


class SuggestSettings(foo.Operator):
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


def max_samples(n_classes: int) -> int:
    """Returns the maximum number of samples to try settings on: fewer where there are many classes."""
    return min(MAX_SAMPLES, max(MIN_SAMPLES, MAX_SCORED // n_classes))


def bounds(estimate: Any) -> list[float]:
    """Returns an estimate's value and the ends of its interval."""
    return [estimate.value, estimate.low, estimate.high]
