"""The verbs ``job prepare``, ``job run``, ``job part``, ``job state`` and ``job collect``: many processes, one run."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from .. import api_job
from ..config import BUDGETS
from ..encoder.precision import PRECISIONS
from ..job import parts as job_parts
from ..job import run as job_run
from ..method.core.methods import METHODS
from ..runs.registry import load_run
from ..workflows.job.prepare import STORE_REGIONS
from .arguments import argument, dataset_argument, listed
from .labels import MODEL, STYLE, encoder_of
from .opening import open_dataset
from .output import Answer, progress_bar, verb
from .words import command_words

if TYPE_CHECKING:
    from ..job.run import JobState

PREPARE, RUN, COLLECT = api_job.prepare_job, job_run.run_job, api_job.collect_job

folder_argument = click.argument("folder")


def moves(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str] | None:
    """Reads options like ``/data/=s3://bucket/``; None without any."""
    pairs = [value.partition("=") for value in values]
    if wrong := [value for value, (old, equals, _) in zip(values, pairs, strict=True) if not old or not equals]:
        raise click.BadParameter(f"{wrong[0]!r} must be the beginning of a path, = and what stands in its place")
    return {old: new for old, _, new in pairs} or None


@click.group()
def job() -> None:
    """Classifies with many processes, on any machines.

    "lgca job prepare" makes a folder of work, "lgca job run" or a scheduler does it, and "lgca job collect" writes the
    results to the dataset.
    """


@verb(group=job)
@dataset_argument
@folder_argument
@argument(PREPARE, "ground_truth", "--labels", metavar="FIELD", text="field of the given labels, if there are any")
@argument(PREPARE, "classes", callback=listed, metavar="A,B,...", text="the classes; without it, all labels")
@argument(
    PREPARE, "descriptions", type=click.Path(dir_okay=False), text="JSON file with texts that describe each class"
)
@argument(PREPARE, "description_style", text=STYLE)
@argument(PREPARE, "encoder", "--model", text=MODEL)
@click.option("--weights", help="Pretrained tag of the model, or the path of a checkpoint that all machines have.")
@argument(PREPARE, "run_key", "--run", metavar="KEY")
@argument(PREPARE, "methods", callback=listed, metavar="A,B,...", text=f"among {', '.join(METHODS)}")
@argument(PREPARE, "budget", type=click.Choice(list(BUDGETS)), text="How many crops an image gets")
@argument(PREPARE, "batch_size", type=click.IntRange(min=1), text="Crops in one call of the model, in all workers")
@argument(PREPARE, "device", text="Device of this command alone, which embeds the texts")
@argument(PREPARE, "precision", type=click.Choice(PRECISIONS), text="Floating-point type of the model, in all workers")
@argument(PREPARE, "rows_per_part", type=click.IntRange(min=1))
@argument(PREPARE, "store_regions", type=click.Choice(STORE_REGIONS), text="Whether embeddings of crops are kept")
@click.option(
    "--path",
    "paths",
    multiple=True,
    callback=moves,
    metavar="OLD=NEW",
    help="Another beginning of the images' paths, as the workers reach them, such as /data/=s3://bucket/.",
)
@argument(PREPARE, "overwrite")
@argument(PREPARE, "logits")
def prepare(dataset: str, folder: str, **options: Any) -> Answer:
    """Registers a run, and writes a folder of work for many processes.

    FOLDER is a path that all machines reach, or a URL such as s3://bucket/job. The run is on the samples of DATASET.
    """
    samples, encoder = open_dataset(dataset), encoder_of(options)
    with progress_bar() as progress:
        state = api_job.prepare_job(samples, folder=folder, encoder=encoder, progress=progress, **options)
    warnings = load_run(samples, options["run_key"]).results.get("warnings") or ()
    text = f"{state.rows:,} images in {state.parts:,} parts"
    return answer(state, text, [f"lgca job run {folder}", f"lgca job collect {dataset} {folder}"], tuple(warnings))


@verb(group=job)
@folder_argument
@argument(RUN, "engine", type=click.Choice(job_run.ENGINES), text="Processes of this machine, or a Ray cluster")
@argument(RUN, "workers", type=click.IntRange(min=1))
@argument(RUN, "gpus", type=float, text="Number of GPUs of each worker, for ray; without it, 1 where there are any")
@argument(RUN, "cpus", type=click.IntRange(min=1), text="Number of cores of each worker; without it, its share")
@argument(RUN, "device", text="Where the model runs; without it, the best device that each worker has")
@argument(RUN, "batch_size", type=click.IntRange(min=1), text="Crops in one call of the model")
def run(folder: str, **options: Any) -> Answer:
    """Does the parts of a job that are missing.

    It needs neither FiftyOne nor MongoDB. The same command later goes on with the job in FOLDER.
    """
    with progress_bar() as progress:
        state = job_run.run_job(folder, progress=progress, **options)
    return answer(state, str(state), [f"lgca job collect DATASET {folder}"])


@verb(group=job)
@folder_argument
@click.argument("parts", nargs=-1, required=True)
@argument(job_parts.do_parts, "device", text="Where the model runs; without it, the best device that there is")
@argument(job_parts.do_parts, "batch_size", type=click.IntRange(min=1), text="Crops in one call of the model")
def part(folder: str, parts: tuple[str, ...], **options: Any) -> Answer:
    """Does some parts of a job in this process, as a task of a scheduler.

    PARTS are a number, such as 17, a range, such as 16-31, or every hundredth part from the third on: 3/100.
    """
    done = list(job_parts.do_parts(folder, parts, **options))
    lines = [f"part {one.part}: {one.engine['images']:,} images, {one.engine['failed']:,} failed" for one in done]
    data = {"folder": folder, "done": [one.part for one in done]}
    return Answer(text="\n".join(lines) or "these parts were done already", data=data)


@verb(group=job)
@folder_argument
def state(folder: str) -> Answer:
    """Says how far a job has come."""
    found = job_run.job_state(folder)
    return answer(found, str(found), [])


@verb(group=job)
@dataset_argument
@folder_argument
@click.option("--merge/--no-merge", default=None, help="Copy the embeddings of crops into the store, or do not.")
def collect(dataset: str, folder: str, merge: bool | None) -> Answer:
    """Writes the parts of a job that are done to the dataset.

    It may run while the job in FOLDER runs, and again: what is on the samples of DATASET already is left out.
    """
    samples = open_dataset(dataset)
    with progress_bar() as progress:
        found = api_job.collect_job(samples, folder, merge=merge, progress=progress)
    summary = found.summary()
    return Answer(
        text=str(found).splitlines()[0],
        data={"dataset": dataset, "run": found.key, "summary": summary},
        warnings=tuple(summary.get("warnings") or ()),
    )


def answer(state: JobState, text: str, after: list[str], warnings: tuple[str, ...] = ()) -> Answer:
    """Returns the answer about a job, and what comes next."""
    lines = [command_words(text), *(f"Next: {line}" for line in after[:1])]
    return Answer(text="\n".join(lines), data={**asdict(state), "next": after}, warnings=warnings)
