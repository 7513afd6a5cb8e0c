"""Zero-shot classification of FiftyOne datasets with CLIP, WCA and LGCA, and the evidence behind it.

Start with :func:`classify`. Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .config import RegionConfig
    from .descriptions.describe import Described
    from .encoder.open_clip_encoder import Encoder, OpenClipEncoder, load_encoder
    from .errors import (
        ConfigError,
        DescribeError,
        ImageError,
        LgcaError,
        ModelUnavailableError,
        RunNotFoundError,
        StoreError,
    )
    from .method.comparison.evaluation import Evaluation
    from .method.core.scores import METHODS, Method
    from .method.explain.evidence import Evidence
    from .method.labels.triage_cases import Case
    from .method.tuning.sweep import SweepReport
    from .runs.clean_store import StoreInfo, clean_store, store_info
    from .runs.record import Run
    from .runs.registry import delete_run, list_runs, load_run
    from .workflows.classify.classify import Progress, classify
    from .workflows.decisions.decisions import Decision
    from .workflows.decisions.queue import Triage
    from .workflows.describe import describe_classes

_HOMES = {
    "Case": "method.patterns",
    "ConfigError": "errors",
    "Decision": "dataset.decisions",
    "DescribeError": "errors",
    "Described": "model.describe",
    "Encoder": "model.encoder",
    "Evaluation": "evaluation",
    "Evidence": "method.account",
    "ImageError": "errors",
    "LgcaError": "errors",
    "METHODS": "method.scores",
    "Method": "method.scores",
    "ModelUnavailableError": "errors",
    "OpenClipEncoder": "model.encoder",
    "Progress": "dataset.classify",
    "RegionConfig": "config",
    "Run": "dataset.run",
    "RunNotFoundError": "errors",
    "StoreError": "errors",
    "StoreInfo": "dataset.cleaning",
    "Triage": "dataset.queue",
    "SweepReport": "method.sweep",
    "classify": "dataset.classify",
    "delete_run": "dataset.runs",
    "clean_store": "dataset.cleaning",
    "describe_classes": "dataset.describe",
    "list_runs": "dataset.runs",
    "load_encoder": "model.encoder",
    "load_run": "dataset.runs",
    "store_info": "dataset.cleaning",
}

__all__ = [
    "METHODS",
    "Case",
    "ConfigError",
    "Decision",
    "DescribeError",
    "Described",
    "Encoder",
    "Evaluation",
    "Evidence",
    "ImageError",
    "LgcaError",
    "Method",
    "ModelUnavailableError",
    "OpenClipEncoder",
    "Progress",
    "RegionConfig",
    "Run",
    "RunNotFoundError",
    "StoreError",
    "StoreInfo",
    "SweepReport",
    "Triage",
    "classify",
    "clean_store",
    "delete_run",
    "describe_classes",
    "list_runs",
    "load_encoder",
    "load_run",
    "store_info",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
