"""``lgca_search``: a run's image vectors for the App's search by text or picture, or as a map of all pictures."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from fiftyone.operators import types

from ..lgca_plugin.api import load_run
from ..lgca_plugin.config import RunConfig
from ..lgca_plugin.errors import ConfigError
from ..lgca_plugin.fiftyone_io.brain_runs import brain_keys
from ..lgca_plugin.method.core.methods import method_title
from .shared.base import RunOperator
from .shared.dialogs.dialog import Dialog
from .shared.execution import call, report_progress
from .shared.form import add_dropdown, add_tabs, checked, mark_invalid
from .shared.results.result import Result, result
from .shared.run_choice import add_run, initial_value, read_param, read_run, run_param

SEARCH, MAP = "similarity", "visualization"
PANELS = {SEARCH: "similarity_search_panel", MAP: "Embeddings"}
KINDS = {SEARCH: "Search", MAP: "Map"}
ABOUT = {
    SEARCH: "Finds pictures by words, or by pictures that look alike, in FiftyOne's Similarity Search",
    MAP: "Places pictures that look alike beside each other, in FiftyOne's Embeddings panel",
}
PROJECTIONS = {
    "umap": "keeps groups together; needs the package umap-learn",
    "tsne": "keeps neighbours together; minutes for 50,000 pictures",
    "pca": "the quickest, and the coarsest",
}


@dataclass(frozen=True)
class SearchRequest:
    """What is registered: a search or a map of a run, under a brain key, of a method's image vectors."""

    run: Any
    kind: str
    brain_key: str
    method: str
    projection: str | None = None


class Search(RunOperator):
    """Registers a run's stored image vectors with FiftyOne, which searches and draws them; no image is encoded."""

    operator_name = "lgca_search"
    icon = "image_search"
    title = "Search or map the pictures of a zero-shot run"
    description = "Find pictures by words or by a picture, or see them all on a map, from a run's stored vectors"
    submit = "Create"
    problem = "Nothing was created"

    def refusal(self, ctx: Any) -> str | None:
        """Returns why there is no form: no dataset is open, or it has no run."""
        if ctx.dataset is None:
            return "Open a dataset first, then search its pictures."
        why = super().refusal(ctx)
        return (
            None
            if why is None
            else "This dataset has no zero-shot run whose pictures could be searched: classify it first."
        )

    def add_form(self, inputs: Any, ctx: Any) -> None:
        """Adds the choice between a search and a map, the run, the vectors, and the name."""
        kind = MAP if ctx.params.get("kind") == MAP else SEARCH
        add_tabs(inputs, "kind", kind, KINDS, description=ABOUT[kind])
        chosen = add_run(inputs, ctx, description="No picture is encoded")
        run = checked(chosen, _read_run, ctx, kind)
        if run is None:
            return
        key, choices = run
        add_dropdown(
            inputs,
            run_param(f"{kind}_method", key),
            list(choices),
            labels=choices,
            default=initial_value(ctx.params, "method", next(iter(choices))),
            label="What pictures are compared by",
            description="Plain CLIP compares whole pictures, WCA and LGCA what their crops show",
        )
        if kind == MAP:
            offered = {name: note for name, note in PROJECTIONS.items() if name != "umap" or find_spec("umap")}
            add_dropdown(inputs, "projection", offered, default=next(iter(offered)), label="Projection")
        prop = inputs.str(
            run_param(f"{kind}_key", key),
            default=initial_value(ctx.params, "brain_key", _free_key(kind, key)),
            label="Name",
            description="By which FiftyOne lists it",
        )
        brain_key = checked(prop, _read_key, ctx.params, kind, key)
        if brain_key is None:
            return
        if brain_key in brain_keys(ctx.dataset, key, kind):
            inputs.view("replaces", types.Notice(label=f"Replaces {brain_key!r} of this run"))
        elif brain_key in ctx.dataset.list_brain_runs():
            mark_invalid(prop, f"{brain_key!r} belongs to something else on this dataset: choose another name")

    def read_request(self, ctx: Any) -> SearchRequest:
        """Reads and checks what is to be registered."""
        kind = _read_kind(ctx.params)
        key, choices = _read_run(ctx, kind)
        method = read_param(ctx.params, f"{kind}_method", key, ctx.params.get("method") or next(iter(choices)))
        if method not in choices:
            raise ConfigError(f"method must be one of {', '.join(choices)}, got {method!r}")
        brain_key = _read_key(ctx.params, kind, key)
        projection = ctx.params.get("projection") if kind == MAP else None
        return SearchRequest(load_run(ctx.dataset, key), kind, brain_key, method, projection)

    def work(self, ctx: Any, request: SearchRequest) -> Generator[Any, None, SearchRequest]:
        """Registers it."""
        yield from report_progress(ctx, 0.1, "Reading the stored vectors")
        if request.kind == SEARCH:
            request.run.similarity(request.brain_key, method=request.method)
        else:
            yield from report_progress(ctx, 0.3, "Placing the pictures")
            request.run.visualize(request.brain_key, method=request.method, projection=request.projection)
        return request

    def show(self, ctx: Any, request: SearchRequest) -> Iterator[Any]:
        """Opens FiftyOne's panel beside the grid, and says how to go on."""
        yield ctx.ops.reload_dataset()
        yield ctx.ops.open_panel(PANELS[request.kind], layout="horizontal", is_active=True)
        dialog = Dialog()
        dialog.heading(types.Success(label=_line(request)))
        for line in _next_steps(request):
            dialog.text(line)
        yield dialog.show(ctx)

    def result_of(self, ctx: Any, request: SearchRequest) -> Result:
        """Returns the key under which FiftyOne has it, and how it is used."""
        return result(
            _line(request),
            run=request.run.key,
            steps=[("Undo this run …", "lgca_delete_run", {"run_key": request.run.key})],
            read=f"dataset.load_brain_results({request.brain_key!r})",
            brain_key=request.brain_key,
            method=request.method,
            how=_next_steps(request),
        )

    def __call__(
        self,
        sample_collection: Any,
        run: str,
        *,
        kind: str = SEARCH,
        brain_key: str | None = None,
        method: str | None = None,
        projection: str | None = None,
        delegate: bool = False,
    ) -> Any:
        """Executes the operator from the SDK, or queues it with ``delegate``.

        ``lgca.load_run(dataset, key).similarity(brain_key)`` and ``.visualize(brain_key)`` do the same in the calling
        process. In a notebook the returned task must be awaited.

        Args:
            sample_collection: the dataset, or a view of it
            run: the run's key
            kind: ``"similarity"`` or ``"visualization"``
            brain_key: its key; None takes the run's with ``_search`` or ``_map``
            method: as in :meth:`lgca_plugin.Run.similarity`
            projection: as in :meth:`lgca_plugin.Run.visualize`
            delegate: queue it

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``, whose ``result`` holds the key; a task in a notebook

        Raises:
            LgcaError: as the library's methods raise it
            fiftyone.operators.executor.ExecutionError: if the operation can't be queued
        """
        params = {"run": run, "kind": kind, "brain_key": brain_key, "method": method, "projection": projection}
        return call(self, sample_collection, params, delegate=delegate)


def _line(request: SearchRequest) -> str:
    """Returns what was made, in a line."""
    return f"{KINDS[request.kind]} {request.brain_key!r} is there"


def _next_steps(request: SearchRequest) -> list[str]:
    """Returns how to go on in FiftyOne's panel, in sentences."""
    if request.kind == MAP:
        return [f"Choose {request.brain_key} in the Embeddings panel; draw around pictures to see them in the grid."]
    panel = f"Press New Search in the Similarity Search panel and choose {request.brain_key}"
    if not request.run.results.get("encoder_source"):  # nothing could read words
        return [f"Select pictures in the grid. {panel}: those that look like them come first."]
    return [
        f"{panel}. Type words, such as a class or a colour: the pictures that fit best come first.",
        "Or select pictures in the grid before: those that look like them come first.",
    ]


def _read_kind(params: Any) -> str:
    kind = params.get("kind") or SEARCH
    if kind not in KINDS:
        raise ConfigError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    return str(kind)


def _read_run(ctx: Any, kind: str) -> tuple[str, dict[str, str]]:
    """Returns the key of the run, and the methods that pictures can be compared by, name to title."""
    key, config = read_run(ctx)
    choices = _methods(config, kind)
    if config.voters is not None:
        raise ConfigError(f"run {key!r} is of predictions that were there already, and has encoded no picture")
    if not choices:
        raise ConfigError(
            f"the vectors of run {key!r} depend on its classes, so that other words can't be searched for"
        )
    return key, choices


def _methods(config: RunConfig, kind: str) -> dict[str, str]:
    """Returns the methods whose vectors can be used, name to title; LGCA first, and of a search none by class."""
    names = [one.name for one in config.methods if one.weighting != "learned" and (kind == MAP or not one.by_class)]
    names.sort(key=lambda name: ("lgca", "wca", "clip").index(name) if name in ("lgca", "wca", "clip") else 3)
    return {name: method_title(name) for name in names}


def _free_key(kind: str, key: str) -> str:
    return f"{key}_{'search' if kind == SEARCH else 'map'}"


def _read_key(params: Any, kind: str, key: str) -> str:
    name = read_param(params, f"{kind}_key", key, params.get("brain_key") or _free_key(kind, key))
    if not isinstance(name, str) or not name.strip().isidentifier():
        raise ConfigError("a name has letters, digits and _, and begins with no digit")
    return name.strip()
