"""The entry points of jobs: classifications by many processes, on any machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .config import DEFAULT_BUDGET, DEFAULT_RUN_KEY, DEFAULT_SHOWN_CHAINS
from .descriptions.style import AUTO, style_in_code
from .job.folder import JobFolder
from .job.run import JobState, job_state
from .progress import drive
from .run import Run
from .workflows.classify.request import ClassifyOptions, check_classify
from .workflows.job.collect import iter_collect
from .workflows.job.prepare import (
    ROWS_PER_PART,
    SHARDS,
    JobOptions,
    check_job,
    check_store_regions,
    iter_prepare,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import fiftyone as fo

    from .config import RegionConfig
    from .method.core.methods import Method
    from .progress import Progress


def prepare_job(
    samples: Any,
    classes: Sequence[str] | None = None,
    *,
    folder: str | os.PathLike[str],
    run_key: str = DEFAULT_RUN_KEY,
    encoder: str | tuple[str, str | None] | None = None,
    rows_per_part: int = ROWS_PER_PART,
    store_regions: str = SHARDS,
    paths: Mapping[str, str] | None = None,
    descriptions: Mapping[str, Sequence[str]] | str | Path | None = None,
    methods: Sequence[str | Method] | None = None,
    regions: RegionConfig | None = None,
    ground_truth: str | None = None,
    batch_size: int | None = None,
    device: str | None = None,
    precision: str = "auto",
    overwrite: bool = False,
    progress: bool | Callable[[Progress], object] | None = None,
    logits: bool = False,
    shown_chains: int = DEFAULT_SHOWN_CHAINS,
    budget: str = DEFAULT_BUDGET,
    description_style: str = AUTO,
    display_names: Mapping[str, str] | None = None,
    prompt: str | None = None,
) -> JobState:
    """Prepares a classification as a job, which any number of processes compute without FiftyOne and MongoDB.

    Registers the run, embeds the texts of the classes once, and writes a folder with all that the workers need but the
    images and the weights. :func:`run_job` does the job here or on a Ray cluster, ``python -m lgca_plugin.job part
    FOLDER N`` does a part under any scheduler, and :func:`collect_job` writes the results to the dataset. They are
    those of :func:`classify`.

    Args:
        samples: as in :func:`classify`; those with predictions of this run are left out
        classes: as in :func:`classify`
        folder: path or fsspec URL of a folder that all machines reach, such as ``"/shared/job"`` or
            ``"s3://bucket/job"``; it must not hold a job yet
        run_key: as in :func:`classify`
        encoder: an open_clip model name, or a pair of it and a pretrained tag or the path of a checkpoint, which the
            workers load, too
        rows_per_part: number of images of a part, the least that is done again after a worker was killed
        store_regions: ``"shards"`` keeps the embeddings of all regions, in a file for each part; ``"none"`` keeps one
            vector an image and method, and the findings that a triage needs
        paths: beginning of a path to what the workers have in its place, where they reach the images by other paths or
            by URLs: ``{"/data/": "s3://bucket/"}``
        descriptions: as in :func:`classify`
        methods: as in :func:`classify`
        regions: as in :func:`classify`
        ground_truth: as in :func:`classify`
        batch_size: crops in one call of the encoder; None lets each worker choose by its device
        device: as in :func:`classify`, of this call alone, which embeds the texts
        precision: as in :func:`classify`, for all workers; ``"auto"`` is what suits the device of this call
        overwrite: as in :func:`classify`
        progress: as in :func:`classify`
        logits: as in :func:`classify`
        shown_chains: as in :func:`classify`
        budget: as in :func:`classify`
        description_style: as in :func:`classify`
        display_names: as in :func:`classify`
        prompt: as in :func:`classify`

    Returns:
        how far the job has come: its number of images and parts

    Raises:
        ConfigError: if an argument is wrong, before anything is written
        ModelUnavailableError: if the model can't be loaded, before anything is written
        RunHeldError: if another call is at work on the run, before anything is written
        LgcaError: if the folder can't be written
    """
    options = check_job(JobOptions(folder=JobFolder(folder), rows_per_part=rows_per_part, paths=paths))
    request = check_classify(
        ClassifyOptions(
            samples=samples,
            classes=classes,
            descriptions=descriptions,
            description_style=style_in_code(description_style, descriptions),
            display_names=display_names,
            prompt=prompt,
            methods=methods,
            run_key=run_key,
            regions=regions,
            ground_truth=ground_truth,
            batch_size=batch_size,
            device=device,
            precision=precision,
            overwrite=overwrite,
            logits=logits,
            shown_chains=shown_chains,
            store_regions=check_store_regions(store_regions),
            budget=budget,
        )
    )
    drive(iter_prepare(request, options, encoder=encoder), progress, unit="images")
    return job_state(options.folder)


def collect_job(
    dataset: fo.Dataset | fo.DatasetView,
    folder: str | os.PathLike[str],
    *,
    merge: bool | None = None,
    progress: bool | Callable[[Progress], object] | None = None,
) -> Run:
    """Writes those parts of a job that are done to the dataset, the store and the run's record.

    May be called while the job runs, and again: parts that are written already are left out, and writing one twice
    changes nothing. Once all parts are written, the run is as :func:`classify` would have left it.

    Args:
        dataset: the dataset that the job was prepared from, or a view of it
        folder: the job's folder
        merge: copy the embeddings of regions from the job's shards into the store, also those of parts that are written
            already; False leaves them where they are; None copies them if they all fit under the store's limit
        progress: as in :func:`classify`

    Returns:
        the run

    Raises:
        ConfigError: if there is no job, or it is not that of a run of this dataset
        RunHeldError: if another call is at work on the run
        LgcaError: if the folder can't be read, or a part is damaged
    """
    return Run.of(drive(iter_collect(dataset, JobFolder(folder), merge=merge), progress, unit="parts"))
