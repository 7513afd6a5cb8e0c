"""Classification as ``lgca.classify`` does it, with the number of images that are written together as an argument."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import lgca_plugin as lgca
from lgca_plugin.progress import drive
from lgca_plugin.run import Run
from lgca_plugin.workflows.classify.classify import iter_classify
from lgca_plugin.workflows.classify.request import ClassifyOptions, check_classify


def steps_of(
    samples: Any, *, encoder: Any, write_images: int = 1, **options: Any
) -> Generator[lgca.Progress, None, Any]:
    """The steps of a classification that writes every image on its own, or so many together."""
    request = check_classify(ClassifyOptions(samples=samples, **options))
    return iter_classify(request, encoder=encoder, write_images=write_images, write_seconds=1000.0)


def classify_by(
    write_images: int,
    samples: Any,
    *,
    encoder: Any,
    progress: bool | Callable[[lgca.Progress], object] = False,
    **options: Any,
) -> Run:
    """Classifies and writes so many images at a time."""
    return Run.of(drive(steps_of(samples, encoder=encoder, write_images=write_images, **options), progress, unit=""))


def interrupted(samples: Any, after: int, *, run_key: str = "zs", write_images: int = 1, **options: Any) -> Run:
    """Starts a classification and closes it once so many images are written."""
    steps = steps_of(samples, run_key=run_key, write_images=write_images, **options)
    for step in steps:
        if step.done >= after:
            break
    steps.close()
    run = lgca.load_run(getattr(samples, "_root_dataset", samples), run_key)
    assert run.summary()["status"] == "interrupted"
    return run
