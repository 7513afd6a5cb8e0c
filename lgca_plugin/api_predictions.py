"""The entry point for predictions that are on the samples already: ``triage``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .progress import drive
from .run import Run
from .workflows.find.predictions import PredictionOptions, check_predictions, iter_predictions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import fiftyone as fo

    from .progress import Progress
    from .workflows.decisions.queue import Triage


def triage(
    dataset: fo.Dataset,
    ground_truth: str | None = None,
    *,
    predictions: Sequence[str] | str,
    classes: Sequence[str] | None = None,
    run_key: str | None = None,
    corrected_field: str | None = None,
    progress: bool | Callable[[Progress], object] | None = None,
) -> Triage:
    """Finds the labels that are likely wrong by predictions that are on the samples already.

    No model is loaded, no image is encoded, and nothing is stored outside the dataset. A prediction is judged by its
    ``logits`` where it has any, else by its confidence, else by its label alone, which says least. It should be of a
    model that has not seen the label in question: a classifier agrees with the mistakes that it was trained on.

    The run that is made has copies of the predictions (``K_resnet`` of ``resnet``), which every triage makes anew; the
    fields themselves are only read. A second call with the same fields goes on with it, and decisions stay.

    Args:
        dataset: a FiftyOne dataset
        ground_truth: as in :func:`find_wrong_labels`
        predictions: label fields: of your own models, and of runs, such as ``"zeroshot_lgca"``; one is enough
        classes: the classes that a label may be; None takes those that are set on the dataset, else all labels
        run_key: key of the run; None takes that of the last call with these fields, else ``"voters"``, or with a number
            if that is taken. A run of other predictions under the key is replaced, and its decisions stay
        corrected_field: as in :meth:`Run.triage`
        progress: as in :func:`classify`

    Returns:
        the triage, as of :func:`find_wrong_labels`; ``triage.run.evaluate()`` compares the predictions

    Raises:
        ConfigError: if an argument is wrong, there are no labels or predictions, or every prediction is the label;
            nothing is written then
        RunHeldError: if another call is at work on the run
    """
    options = PredictionOptions(
        dataset=dataset,
        ground_truth=ground_truth,
        predictions=predictions,
        classes=classes,
        run_key=run_key,
        corrected_field=corrected_field,
    )
    found = drive(iter_predictions(check_predictions(options)), progress, unit="samples")
    return Run.of(found.run).last_triage()
