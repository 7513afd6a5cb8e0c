"""Zero-shot classification of FiftyOne datasets with CLIP, WCA and LGCA, and the evidence behind it.

Start with :func:`find_wrong_labels` or :func:`classify`. Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__ as __version__

if TYPE_CHECKING:
    from .api import classify, find_wrong_labels, fuse, load_run
    from .api_job import collect_job, prepare_job
    from .api_predictions import triage
    from .config import RegionConfig
    from .descriptions.describe import Described
    from .encoder.base import Encoder
    from .encoder.loading import load_encoder
    from .encoder.open_clip_encoder import OpenClipEncoder
    from .errors import (
        ConfigError,
        DatabaseAwayError,
        DescribeError,
        ImageError,
        LgcaError,
        ModelUnavailableError,
        RunCancelledError,
        RunHeldError,
        RunNotFoundError,
        StoreError,
    )
    from .job.run import JobState, job_state, run_job
    from .method.comparison.evaluation import Evaluation
    from .method.core.methods import METHODS, Method
    from .method.explain.evidence import Evidence
    from .method.labels.triage_cases import Case
    from .method.tuning.sweep import SweepReport
    from .progress import Progress
    from .run import Run
    from .runs.clean_store import StoreInfo, clean_store, store_info
    from .runs.delete import delete_run
    from .runs.registry import list_runs
    from .runs.state import RunState, cancel_run, runs_at_work
    from .workflows.decisions.decisions import Decision
    from .workflows.decisions.queue import Triage
    from .workflows.describe import describe_classes
    from .workflows.model.loading import load_model

_HOMES = {
    "Case": "method.labels.triage_cases",
    "ConfigError": "errors",
    "DatabaseAwayError": "errors",
    "Decision": "workflows.decisions.decisions",
    "DescribeError": "errors",
    "Described": "descriptions.describe",
    "Encoder": "encoder.base",
    "Evaluation": "method.comparison.evaluation",
    "Evidence": "method.explain.evidence",
    "ImageError": "errors",
    "JobState": "job.run",
    "LgcaError": "errors",
    "METHODS": "method.core.methods",
    "Method": "method.core.methods",
    "ModelUnavailableError": "errors",
    "OpenClipEncoder": "encoder.open_clip_encoder",
    "Progress": "progress",
    "RegionConfig": "config",
    "Run": "run",
    "RunCancelledError": "errors",
    "RunHeldError": "errors",
    "RunNotFoundError": "errors",
    "RunState": "runs.state",
    "StoreError": "errors",
    "StoreInfo": "runs.clean_store",
    "SweepReport": "method.tuning.sweep",
    "Triage": "workflows.decisions.queue",
    "cancel_run": "runs.state",
    "classify": "api",
    "clean_store": "runs.clean_store",
    "collect_job": "api_job",
    "delete_run": "runs.delete",
    "describe_classes": "workflows.describe",
    "each_label": "fiftyone_io.boxes.each_label",
    "find_wrong_labels": "api",
    "fuse": "api",
    "job_state": "job.run",
    "list_runs": "runs.registry",
    "load_encoder": "encoder.loading",
    "load_model": "workflows.model.loading",
    "load_run": "api",
    "prepare_job": "api_job",
    "run_job": "job.run",
    "runs_at_work": "runs.state",
    "store_info": "runs.clean_store",
    "triage": "api_predictions",
}

__all__ = [
    "METHODS",
    "Case",
    "ConfigError",
    "DatabaseAwayError",
    "Decision",
    "DescribeError",
    "Described",
    "Encoder",
    "Evaluation",
    "Evidence",
    "ImageError",
    "JobState",
    "LgcaError",
    "Method",
    "ModelUnavailableError",
    "OpenClipEncoder",
    "Progress",
    "RegionConfig",
    "Run",
    "RunCancelledError",
    "RunHeldError",
    "RunNotFoundError",
    "RunState",
    "StoreError",
    "StoreInfo",
    "SweepReport",
    "Triage",
    "cancel_run",
    "classify",
    "clean_store",
    "collect_job",
    "delete_run",
    "describe_classes",
    "each_label",
    "find_wrong_labels",
    "fuse",
    "job_state",
    "list_runs",
    "load_encoder",
    "load_model",
    "load_run",
    "prepare_job",
    "run_job",
    "runs_at_work",
    "store_info",
    "triage",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
