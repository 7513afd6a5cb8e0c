"""The verbs about labels: ``find``, ``classify`` and ``triage``."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from .. import api, api_predictions
from ..config import BUDGETS
from ..encoder.architectures import DEFAULT_MODEL
from ..encoder.precision import PRECISIONS
from ..method.core.methods import METHODS
from ..run import Run
from .arguments import F, argument, dataset_argument, listed
from .opening import open_dataset, open_run
from .output import Answer, progress_bar, verb

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..workflows.decisions.queue import Triage

SUSPECTS = 20
"""Maximum number of suspects in an answer; the field of suggestions has all of them."""

MODEL = f"Open_clip model, or demo for the demo's drawn birds; without it, {DEFAULT_MODEL}"
DEVICE = "Where the model runs, cuda:0,1 or all for several GPUs; without it, the best device that there is"
SHARES = "How often each class occurs, where that is known: a field of labels in which they are counted, or balanced"
STYLE = "How the descriptions are read: sentences, attributes, or auto, which looks at each"
FIND, CLASSIFY, TRIAGE, VOTERS = api.find_wrong_labels, api.classify, Run.triage, api_predictions.triage


def model_options(function: Callable[..., Any]) -> Callable[[F], F]:
    """Returns a decorator that adds the options about the model, the classes and the machine."""
    parts = [
        argument(function, "classes", callback=listed, metavar="A,B,...", text="the classes; without it, all labels"),
        argument(
            function,
            "descriptions",
            type=click.Path(dir_okay=False),
            text="JSON file with texts that describe each class; without it, templates",
        ),
        argument(function, "description_style", text=STYLE),
        argument(function, "encoder", "--model", text=MODEL),
        click.option("--weights", help="Pretrained tag of the model, or the path of a checkpoint."),
        argument(function, "run_key", "--run", metavar="KEY"),
        argument(function, "methods", callback=listed, metavar="A,B,...", text=f"among {', '.join(METHODS)}"),
        argument(function, "budget", type=click.Choice(list(BUDGETS)), text="How many crops an image gets"),
        argument(function, "batch_size", type=click.IntRange(min=1)),
        argument(function, "device", text=DEVICE),
        argument(function, "precision", type=click.Choice(PRECISIONS), text="floating-point type of the model"),
        argument(function, "shares", metavar="FIELD", text=SHARES),
    ]

    def decorate(verb_: F) -> F:
        for part in reversed(parts):
            verb_ = part(verb_)
        return verb_

    return decorate


def encoder_of(options: dict[str, Any]) -> Any:
    """Returns the model of some options as the package's functions take it."""
    model, weights = options.pop("encoder"), options.pop("weights")
    return model if weights is None else (model or DEFAULT_MODEL, weights)


@verb()
@dataset_argument
@argument(FIND, "ground_truth", "--labels", metavar="FIELD")
@model_options(FIND)
@argument(FIND, "none_below", type=float, metavar="P")
def find(dataset: str, **options: Any) -> Answer:
    """Finds the labels that are likely wrong.

    The images of DATASET are classified without training, and the labels judged. The same command later goes on with
    new images; decisions stay. "lgca review DATASET" opens what was found.
    """
    samples, encoder = open_dataset(dataset), encoder_of(options)
    with progress_bar() as progress:
        triage = api.find_wrong_labels(samples, encoder=encoder, progress=progress, **options)
    return found(triage)


@verb()
@dataset_argument
@argument(CLASSIFY, "ground_truth", "--labels", metavar="FIELD", text="field of the given labels, if there are any")
@model_options(CLASSIFY)
@argument(CLASSIFY, "overwrite")
@argument(CLASSIFY, "logits")
def classify(dataset: str, **options: Any) -> Answer:
    """Gives every image one of the classes, without training.

    The answers go to the fields KEY_METHOD. The same command later goes on with the images that are missing.
    """
    samples, encoder = open_dataset(dataset), encoder_of(options)
    with progress_bar() as progress:
        run = api.classify(samples, encoder=encoder, progress=progress, **options)
    summary = run.summary()
    text = str(run).splitlines()[0]
    named = quote(run.dataset.name)
    after = f"lgca triage {named} --run {run.key}" if options["ground_truth"] else f"lgca runs {named}"
    return Answer(
        text=f"{text}\nNext: {after}",
        data={"dataset": dataset, "run": run.key, "summary": summary, "next": [after]},
        warnings=tuple(summary.get("warnings") or ()),
    )


@verb()
@dataset_argument
@argument(VOTERS, "run_key", "--run", metavar="KEY", text="key of the run; without it, the newest one")
@argument(TRIAGE, "ground_truth", "--labels", metavar="FIELD")
@argument(TRIAGE, "methods", callback=listed, metavar="A,B,C")
@argument(
    VOTERS,
    "predictions",
    callback=listed,
    metavar="A,B,...",
    text="judge by these fields of predictions, your own models' or runs', instead of by a run",
)
@argument(TRIAGE, "corrected_field", metavar="FIELD")
@argument(TRIAGE, "none_below", type=float, metavar="P")
def triage(dataset: str, run_key: str | None, predictions: list[str] | None, **options: Any) -> Answer:
    """Judges labels by a run, or by predictions that are there.

    No image of DATASET is encoded.
    """
    samples, methods, none_below = open_dataset(dataset), options.pop("methods"), options.pop("none_below")
    with progress_bar() as progress:
        if predictions is not None:
            options |= {"run_key": run_key, "progress": progress}
            return found(api_predictions.triage(samples, predictions=predictions, **options))
        options |= {"none_below": none_below, "progress": progress}
        return found(open_run(samples, run_key).triage(methods=methods, **options))


def found(triage: Triage) -> Answer:
    """Returns the answer after labels were judged."""
    from ..workflows.find.summary import found_summary

    report, key, name = triage.report, triage.run.key, triage.run.dataset.name
    named = quote(name)
    after = [f"lgca review {named} --run {key}", f"lgca export {named} decisions.csv --run {key}"]
    first = () if report.get("suspects") is None else found_summary(triage, count=SUSPECTS).first
    data = {
        "dataset": name,
        "run": key,
        "left": triage.left(),
        "report": report,
        "suspects": [vars(one) for one in first],
        "next": after,
    }
    warnings = dict.fromkeys((*triage.run.results.get("warnings", ()), *report["warnings"]))
    return Answer(text=f"{triage}\nNext: {after[0]}", data=data, warnings=tuple(warnings))
