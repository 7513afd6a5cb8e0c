"""``lgca_find_wrong_labels``: finding labels that are likely wrong, from the App, the SDK or a delegated worker."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from ...lgca_plugin.config import check_classes
from ...lgca_plugin.descriptions.style import AUTO
from ...lgca_plugin.method.labels.left_out import LEFT_OUT
from ...lgca_plugin.workflows.find.labels import FOLLOW_LABELS
from ...lgca_plugin.workflows.find.predictions import PredictionRequest, check_predictions, iter_predictions
from ..shared.base import StepOperator
from ..shared.descriptions import description_params
from ..shared.dialogs.found import found_dialog
from ..shared.encoder import encoder_params
from ..shared.execution import call, report_run
from ..shared.grid.beside_grid import open_beside_grid
from ..shared.grid.shown_fields import show_fields
from ..shared.results.found import found_result
from ..shared.results.result import Result
from .form import add_form
from .params import no_labels, read_label_field, read_options
from .predictions import by_predictions, read_prediction_options


class FindWrongLabels(StepOperator):
    """Classifies what is new, judges all labels, and opens the review of those that look wrong."""

    operator_name = "lgca_find_wrong_labels"
    icon = "find_in_page"
    title = "Find wrong labels"
    description = (
        "4 zero-shot methods judge all labels and list mistakes: label errors, mislabeled (mislabelled) pictures, "
        "wrong labels, poor label quality; a triage like cleanlab's"
    )
    submit = "Find wrong labels"
    purpose = "look for wrong labels"
    on_view = True
    begins = True
    problem = "The search has stopped"
    add_form = staticmethod(add_form)

    def refusal(self, ctx: Any) -> str | None:
        """Returns why there is no form: no dataset is open, or it has no labels."""
        return super().refusal(ctx) or no_labels(ctx)

    def resolve_run_name(self, ctx: Any) -> str:
        """Names a delegated operation."""
        return f"Find wrong labels: {read_label_field(ctx)}"

    def read_request(self, ctx: Any) -> Any:
        """Reads and checks the settings."""
        from ...lgca_plugin.workflows.find.request import check_find

        if by_predictions(ctx.params):
            return check_predictions(read_prediction_options(ctx))
        return check_find(read_options(ctx))

    def work(self, ctx: Any, request: Any) -> Generator[Any, None, Any]:
        """Searches, reports the progress, and returns the triage."""
        from ...lgca_plugin.workflows.find.find import iter_find_wrong_labels

        if isinstance(request, PredictionRequest):
            return report_run(ctx, iter_predictions(request))
        return report_run(ctx, iter_find_wrong_labels(request))

    def show(self, ctx: Any, triage: Any) -> Iterator[Any]:
        """Shows a finished search: the run's fields, the review beside the grid, and the answer in the dialog."""
        name = triage.run.dataset.name
        elsewhere = name != ctx.dataset.name  # several labels a picture: each is a sample of a dataset of their own
        if elsewhere:
            yield ctx.ops.open_dataset(name)
        else:
            yield from show_fields(ctx, triage.run)
        of_run = (warning for warning in triage.run.results.get("warnings", ()) if LEFT_OUT not in warning)
        answer, dialog = found_dialog(triage)
        dialog.warnings(dict.fromkeys((*of_run, *triage.report["warnings"])))  # which counts the labels anew
        yield ctx.ops.notify(answer, variant="success")
        if elsewhere:
            dialog.text(f"Each label is a sample of dataset “{name}”, which is open now.", muted=True)
        elif triage.report.get("suspects"):
            yield from open_beside_grid(ctx, "lgca_review")
        yield dialog.show(ctx)

    def result_of(self, ctx: Any, triage: Any) -> Result:
        """Returns the answer, the counts and the likeliest suspects."""
        return found_result(triage)

    def __call__(
        self,
        sample_collection: Any,
        ground_truth: str | None = None,
        *,
        encoder: str | None = None,
        pretrained: str | None = None,
        classes: list[str] | str | None = None,
        descriptions: dict[str, list[str]] | str | None = None,
        run_key: str | None = None,
        methods: tuple[str, ...] | list[str] | None = None,
        budget: str | None = None,
        device: str | None = None,
        precision: str = "auto",
        description_style: str = AUTO,
        shares: str | dict[str, float] | None = None,
        display_names: dict[str, str] | None = None,
        prompt: str | None = None,
        none_below: float | None = None,
        predictions: list[str] | None = None,
        delegate: bool = False,
    ) -> Any:
        """Executes the operator from the SDK.

        ``lgca.find_wrong_labels`` does the same in the calling process and returns the triage; this is the way to queue
        a search for a delegated worker. In a notebook the returned task must be awaited: ``await operator(...)``.

        ``encoder`` is ``"demo"`` or the name of an open_clip model, None for the demo's on the demo dataset, else for
        the default one; ``pretrained`` a tag, or the path of a checkpoint; with ``predictions``, fields that are on the
        samples already, these judge the labels as in :func:`lgca_plugin.triage`, and of the others only label
        field, classes and key count; with ``delegate`` the search is queued. The other arguments are those of
        :func:`lgca_plugin.find_wrong_labels`.

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``, whose ``result`` holds counts and next steps; in a
            notebook a task of it

        Raises:
            LgcaError: as the library's function raises it
            fiftyone.operators.executor.ExecutionError: if the operation can't be queued
        """
        params = {
            "ground_truth": ground_truth,
            "more": True,
            **({} if encoder is None and pretrained is None else encoder_params(encoder, pretrained)),
            "classes": classes if classes in (None, FOLLOW_LABELS) else list(check_classes(classes)),
            **description_params(descriptions, description_style),
            "run_key": run_key,
            "methods": None if methods is None else list(methods),
            "budget": budget,
            "device": device,
            "precision": precision,
            "shares": shares,
            "display_names": display_names,
            "prompt": prompt,
            "none_below": none_below,
            "predictions": predictions,
        }
        return call(self, sample_collection, params, delegate=delegate)
