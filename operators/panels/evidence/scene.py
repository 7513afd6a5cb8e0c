"""What the evidence panel has to show: the open sample, a run, and all that can be said, or why nothing can."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ....lgca_plugin.errors import ConfigError, ImageError, LgcaError
from ....lgca_plugin.method.core.compared_methods import explained_method
from ....lgca_plugin.method.explain.evidence import Evidence
from ....lgca_plugin.method.explain.film_strip import CHAINS, Strip, rivals, strip, strip_of_boxes
from ....lgca_plugin.runs.registry import DONE
from ....lgca_plugin.workflows.evidence.film_strip import Pictures, pictures_of, strip_boxes
from ....lgca_plugin.workflows.evidence.open_sample import OpenSample, kept_evidence, open_sample
from ...shared.run_choice import UNREADABLE, KnownRun, pick_run, run_keys

CLASSIFY, TRIAGE = "lgca_classify", "lgca_triage"
MORE_CHAINS = 15  # more take the App seconds to draw, and nobody looks at them


@dataclass(frozen=True)
class Trouble:
    """Why there is nothing to show, and what helps.

    Attributes:
        title: in a few words
        sentence: what it means and what to do
        action: label of a button; None for none
        operator: the operator that it opens
        params: for the operator
    """

    title: str
    sentence: str
    action: str | None = None
    operator: str | None = None
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the user has chosen.

    Attributes:
        run: key of the run that is wanted; None for the latest
        first: the first of the two rivals; None for the usual one
        second: the second
        method: the method whose weights are shown; None for the usual one
        out: regions that are taken out
        more: whether more chains are shown
    """

    run: str | None = None
    first: str | None = None
    second: str | None = None
    method: str | None = None
    out: tuple[int, ...] = ()
    more: bool = False


@dataclass(kw_only=True)
class Scene:
    """What there is to show; parts that are None are not shown.

    Attributes:
        keys: the dataset's runs, the latest first
        run: the run that is shown
        sample: the open sample
        trouble: why there is nothing else
        notes: sentences that the user should know
        evidence: everything about the sample
        names: the two rivals
        methods: the methods that look at regions
        strip: the chains
        pictures: of their frames
        out: the regions that are taken out, of those that there are
    """

    keys: list[str] = field(default_factory=list)
    run: Any = None
    sample: OpenSample | None = None
    trouble: Trouble | None = None
    notes: list[str] = field(default_factory=list)
    evidence: Evidence | None = None
    names: tuple[str, str] | None = None
    methods: list[str] = field(default_factory=list)
    strip: Strip | None = None
    pictures: Pictures | None = None
    out: tuple[int, ...] = ()


def look(ctx: Any, asked: Asked) -> Scene:
    """Looks at the open sample."""
    scene = Scene()
    if ctx.dataset is None:
        scene.trouble = Trouble("No dataset is open", "Open a dataset, then a sample of it.")
        return scene
    scene.keys = run_keys(ctx.dataset)
    known = pick_run(ctx.dataset, scene.keys, asked.run)
    scene.trouble = _run_trouble(known)
    if asked.run is not None and asked.run not in scene.keys:
        scene.notes.append(f"Run “{asked.run}” is gone: it was deleted.")
    if scene.trouble is not None or known is None:
        return scene
    scene.run = known.run
    sample_id = source_id(ctx)
    if sample_id is None:
        scene.trouble = Trouble("No sample is open", "Open a sample to see why it was classified as it was.")
        return scene
    try:
        scene.sample = open_sample(scene.run, sample_id)
    except ConfigError:
        scene.trouble = Trouble("No such sample", "This sample is not in the dataset any more. Open another one.")
        return scene
    scene.trouble = _sample_trouble(scene.run, scene.sample)
    if scene.trouble is None:
        _add_evidence(scene, asked)
    return scene


def source_id(ctx: Any) -> str | None:
    """Gives the id of the sample that is open, or that a patch which is open was cut from."""
    opened = ctx.current_sample
    if not opened:
        return None
    view = ctx.view
    if view is not None and getattr(view, "_is_generated", False):
        try:
            return str(view[opened].sample_id)
        except (KeyError, AttributeError):
            return str(opened)
    return str(opened)


def _run_trouble(known: KnownRun | None) -> Trouble | None:
    if known is None:
        return Trouble(
            "No zero-shot run yet",
            "Classify this dataset first: then you see here which parts of an image decided, and which misled.",
            "Classify",
            CLASSIFY,
        )
    if known.run is None:
        return Trouble(
            "This run can't be read", f"{known.problem} Classify again under another key.", "Classify", CLASSIFY
        )
    return None


def _sample_trouble(run: Any, sample: OpenSample) -> Trouble | None:
    if sample.media_type != "image":
        return Trouble("Not an image", f"This sample is of type {sample.media_type}: only images can be classified.")
    if sample.error:
        return Trouble(
            "This image failed",
            f"It has no result in run “{run.key}”: {sample.error}. Repair the file, then classify again with the same "
            "settings: only what is missing is done.",
            "Classify",
            CLASSIFY,
        )
    if sample.said:
        return None
    if run.results.get("status") != DONE:
        return Trouble(
            "Not classified yet",
            f"Run “{run.key}” is not finished and has not come to this image. Classify again with the same key "
            "and settings: it goes on where it was.",
            "Classify",
            CLASSIFY,
        )
    return Trouble(
        "Not part of this run",
        f"Run “{run.key}” has no result for this image: it was added later, or left out. Classify again with the same "
        "key and settings: only what is missing is done.",
        "Classify",
        CLASSIFY,
    )


def _add_evidence(scene: Scene, asked: Asked) -> None:
    run, sample = scene.run, scene.sample
    assert sample is not None  # noqa: S101 (only called with one)
    if run.results.get("status") != DONE:
        scene.notes.append(f"Run “{run.key}” is not finished: other images have no result yet.")
    try:
        scene.evidence = kept_evidence(run, sample)
    except (LgcaError, *UNREADABLE):
        _add_boxes(scene)
        return
    evidence = scene.evidence
    scene.methods = [name for name, weights in evidence.weights.items() if weights.any()]
    scene.names = _names(evidence, asked, sample.given)
    scene.out = tuple(r for r in asked.out if 0 <= r < len(evidence.step))
    if not scene.methods:
        scene.notes.append("The methods of this run look at the whole image only, so there are no regions to show.")
        return
    method = asked.method if asked.method in scene.methods else evidence.explained
    chains = MORE_CHAINS if asked.more else CHAINS
    scene.strip = strip(evidence, method=method, a=scene.names[0], b=scene.names[1], chains=chains, out=scene.out)
    _add_pictures(scene)


def _add_boxes(scene: Scene) -> None:
    """Shows what stands on the sample, where embeddings are not stored."""
    sample, method = scene.sample, explained_method(scene.run.config.methods)
    assert sample is not None  # noqa: S101
    if method is None:
        scene.notes.append("The methods of this run look at the whole image only, so there are no regions to show.")
        return
    scene.notes.append(
        "The crops' embeddings of this run are not stored on this machine, so you see only the boxes that stand on the "
        "sample, and can't take any out. Classify again with “keep crops” ticked and “start over” to have all."
    )
    said = sample.said.get(method.name)
    others = [one.label for one in sample.said.values() if said and one.label != said.label]
    if said is None or not sample.boxes:
        return
    scene.names = (said.label, others[0] if others else "the runner-up")
    scene.strip = strip_of_boxes(sample.boxes, method=method.name, names=scene.names)
    _add_pictures(scene)


def _add_pictures(scene: Scene) -> None:
    assert scene.sample is not None and scene.strip is not None  # noqa: S101
    try:
        scene.pictures = pictures_of(scene.sample.filepath, strip_boxes(scene.strip))
    except ImageError as error:
        scene.notes.append(f"There are no pictures: {error}. The numbers are those of the run.")
        return
    encoded = scene.evidence.content_hash if scene.evidence is not None else None
    if encoded is not None and encoded != scene.pictures.content_hash:
        scene.notes.append(
            "The file has changed since it was classified: the pictures are not what the numbers are about. Classify "
            "again with “start over”."
        )


def _names(evidence: Evidence, asked: Asked, given: str | None) -> tuple[str, str]:
    first = asked.first if asked.first in evidence.classes else None
    second = asked.second if asked.second in evidence.classes and asked.second != first else None
    return rivals(evidence, a=first, b=second, given=given)
