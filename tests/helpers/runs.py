"""Datasets of drawn birds, and their classification: at once, step by step, or interrupted."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import fiftyone as fo
import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.prediction.share_entry import ShareEntry
from lgca_plugin.progress import drive
from lgca_plugin.run import Run
from lgca_plugin.workflows.classify.classify import iter_classify
from lgca_plugin.workflows.classify.request import ClassifyOptions, check_classify

PUBLISHED = ("clip", "wca", "lgca")


def steps_of(
    samples: Any, *, encoder: Any, write_images: int = 1, max_failures: int = 100, **options: Any
) -> Generator[lgca.Progress, None, Any]:
    """The steps of a classification that writes every image on its own, or so many together."""
    request = check_classify(ClassifyOptions(samples=samples, **options))
    return iter_classify(
        request, encoder=encoder, write_images=write_images, write_seconds=1000.0, max_failures=max_failures
    )


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


def add_images(dataset: Any, images: Iterable[Any]) -> Any:
    """Adds drawn birds with the labels that they were given (``ground_truth``) and the right ones (``truth``)."""
    dataset.add_samples(
        [
            fo.Sample(
                filepath=str(image.path),
                ground_truth=fo.Classification(label=image.label),
                truth=fo.Classification(label=image.truth),
            )
            for image in images
        ]
    )
    return dataset


def classified(samples: Any, encoder: Any, **options: Any) -> Run:
    """Classifies by the published methods, with the demo's texts, under the key "zs", unless options differ."""
    given: dict[str, Any] = {"classes": CLASSES, "descriptions": DESCRIPTIONS, "run_key": "zs", "progress": False}
    given |= {"methods": PUBLISHED, **options}
    return lgca.classify(samples, encoder=encoder, **given)


@contextmanager
def classified_images(images: Iterable[Any], encoder: Any, *, store: Any = None, **options: Any) -> Iterator[Run]:
    """A run on a new dataset, which is deleted afterwards; its embeddings are in the folder ``store``, if given."""
    dataset = add_images(fo.Dataset(), images)
    with pytest.MonkeyPatch.context() as patch:
        if store is not None:
            patch.setenv("LGCA_STORE_DIR", str(store))
        run = classified(dataset, encoder, **options)
    yield run
    dataset.delete()


def pairs_of(dataset: Any, images: Sequence[Any]) -> Any:
    """Adds groups of a left image, the active slice, and a right one, with the labels that they were given."""
    dataset.add_group_field("group", default="left")
    half = len(images) // 2
    samples = []
    for left, right in zip(images[:half], images[half:], strict=True):
        group = fo.Group()
        for name, image in (("left", left), ("right", right)):
            label = fo.Classification(label=image.label)
            samples.append(fo.Sample(filepath=str(image.path), group=group.element(name), ground_truth=label))
    dataset.add_samples(samples)
    return dataset


def predictions(samples: Any, key: str = "zs", methods: Sequence[str] = ("clip", "wca", "lgca")) -> dict[str, Any]:
    """What a run wrote, by file: labels and boxes, and confidences."""
    boxes = [f"{key}_regions.detections.{name}" for name in ("bounding_box", "index")]
    exact = samples.values([*(f"{key}_{name}.label" for name in methods), *boxes])
    confidences = samples.values([f"{key}_{name}.confidence" for name in methods])
    rows = zip(zip(*exact, strict=True), zip(*confidences, strict=True), strict=True)
    return dict(zip(samples.values("filepath"), rows, strict=True))


def assert_same_predictions(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """The same labels and boxes, and confidences to 1e-4."""
    assert found.keys() == expected.keys()
    for path, (exact, confidences) in expected.items():
        assert found[path][0] == exact
        assert found[path][1] == pytest.approx(confidences, abs=1e-4)


def assert_same_results(run: Run, other: Run, *, boxes: bool = True) -> None:
    """All fields of two runs agree: labels exactly, numbers to 1e-5."""

    def values(path: str) -> Any:
        return (one.dataset.values(f"{one.key}_{path}", unwind=True) for one in (run, other))

    exact, close = ["error"], []
    for method in other.config.methods:
        exact.append(f"{method.name}.label")
        close += [f"{method.name}.{part}" for part in ("confidence", "margin")]
    if boxes:
        exact += [f"regions.detections.{part}" for part in ("label", "index", "step", "misleading")]
        numbers = ("bounding_box", "confidence", "similarity", "weight", "contribution")
        close += [f"regions.detections.{part}" for part in numbers]
    for path in exact:
        found, expected = values(path)
        assert found == expected, path
        assert path == "error" or None not in found
    for path in close:
        found, expected = values(path)
        np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=path)


def shares_of(run: Any) -> ShareEntry:
    """What a run's record holds of known shares of the classes."""
    entry = ShareEntry.of(run.results)
    assert entry is not None
    return entry


def has_no_results(dataset: Any, key: str = "zs") -> bool:
    """Whether nothing of a run is on the dataset."""
    return not dataset.list_runs() and not any(name.startswith(key) for name in dataset.get_field_schema())
