"""``lgca_compare``: the panel beside the grid that compares a run's methods, on the view that the user looks at.

Every figure is about the user's own view, whatever the panel shows in the grid. An event brings the screen up to date
and sends what has changed; ``render`` lays that screen out and looks nothing up.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import fiftyone.operators as foo

from ....lgca_plugin.errors import LgcaError
from ....lgca_plugin.workflows.decisions.queue import Triage
from ....lgca_plugin.workflows.overview import parts
from ...decisions import queue as source
from ..deduplicating_panel import DeduplicatingPanel, is_repeated
from ..widgets import operator_uri
from .layout import layout
from .screen import Choices, Screen, read_screen
from .view import narrow, restore

NAME = "lgca_compare"
LABEL = "Compare zero-shot methods"
HELP = (
    "Where CLIP, WCA and LGCA agree, how often they are right, which crops misled them, and which labels are likely "
    "wrong. All figures are about your view; every click shows samples in the grid, and a button leads back."
)
FRESH: dict[str, Any] = {
    "chosen": {},
    "drawn": None,
    "action": None,
    "undo": None,
}
"""What the panel remembers between events: choices, what the pictures show, and the last decision."""


@dataclass
class Shown:
    """What an event shows. It goes with the event's context: one panel may answer several events at once.

    Attributes:
        screen: what there is to show
        mine: what the panel remembers
    """

    screen: Screen
    mine: dict[str, Any]


class ComparePanel(DeduplicatingPanel):
    """Compares the methods of a run."""

    @property
    def config(self) -> Any:
        """What the App's list of panels shows."""
        return foo.PanelConfig(name=NAME, label=LABEL, surfaces="grid", icon="balance", help_markdown=HELP)

    def render(self, ctx: Any) -> Any:
        """Lays out the screen that the event before has read."""
        shown: Shown = ctx.lgca_shown
        return layout(self, shown.screen, shown.mine, len(ctx.selected))

    def on_load(self, ctx: Any) -> None:
        """Reads everything when the panel opens; meanwhile the App shows that it is loading.

        An App that is opened anew has kept what the panel remembers, but none of its pictures.
        """
        ctx.panel_state["drawn"] = None
        self._look(ctx)

    def on_change_view(self, ctx: Any) -> None:
        """Follows the view; the App also says so several times when the panel has opened."""
        self._look(ctx)

    def on_change_dataset(self, ctx: Any) -> None:
        """Starts anew with another dataset."""
        self._look(ctx, fresh=True)

    def on_change_selected(self, ctx: Any) -> None:
        """Follows the selection."""
        self._look(ctx)

    def refresh(self, ctx: Any) -> None:
        """Reads all samples again."""
        self._look(ctx, again=True)

    def pick_run(self, ctx: Any) -> None:
        """Shows another run."""
        self._choose(ctx, run=ctx.params.get("value"), labels=None, a=None, b=None, misleading=0, suspects=0)

    def pick_labels(self, ctx: Any) -> None:
        """Compares with other labels."""
        self._choose(ctx, labels=ctx.params.get("value"))

    def pick_a(self, ctx: Any) -> None:
        """Takes another method for the rows; where it is that of the columns, they change places."""
        chosen, value = self._chosen(ctx), ctx.params.get("value")
        self._choose(ctx, a=value, b=chosen.a if value == chosen.b else chosen.b)

    def pick_b(self, ctx: Any) -> None:
        """Takes another method for the columns."""
        chosen, value = self._chosen(ctx), ctx.params.get("value")
        self._choose(ctx, b=value, a=chosen.b if value == chosen.a else chosen.a)

    def swap(self, ctx: Any) -> None:
        """Exchanges the two methods."""
        chosen = self._chosen(ctx)
        self._choose(ctx, a=chosen.b, b=chosen.a)

    def turn(self, ctx: Any) -> None:
        """Turns the page of a list."""
        name = str(ctx.params["list"])
        first = max(0, getattr(self._chosen(ctx), name) + int(ctx.params["by"]))
        self._choose(ctx, **{name: first})

    def show(self, ctx: Any) -> None:
        """Shows the samples that a button is about."""
        params = ctx.params
        name = params.get("part")
        if name == "pattern":
            self._show(ctx, lambda of: parts.pattern(of, params["at"]))
        elif name == "wrong":
            self._show(ctx, lambda of: parts.wrong(of, params["method"]))
        elif name == "sample":
            self._show(ctx, lambda of: parts.chosen(of, [params["id"]], "of the list"))
        else:
            self._show(ctx, parts.NAMED[str(name)], part=str(name))

    def show_bar(self, ctx: Any) -> None:
        """Shows the samples of a bar."""
        self._show(ctx, lambda of: parts.pattern(of, ctx.params.get("idx")))

    def show_cell(self, ctx: Any) -> None:
        """Shows the samples of a cell of the class flow."""
        chosen = self._chosen(ctx)
        at, column = ctx.params.get("idx") or (None, None)
        self._show(ctx, lambda of: parts.flow_cell(of, str(chosen.a), str(chosen.b), at, column))

    def show_point(self, ctx: Any) -> None:
        """Shows the sample of a point."""
        self._show(ctx, lambda of: parts.chosen(of, [str(ctx.params.get("id"))], "that you have clicked on"))

    def show_points(self, ctx: Any) -> None:
        """Shows the samples of the points that somebody has drawn around; the App also says so where there are none."""
        ids = [point["id"] for point in ctx.params.get("data") or () if point.get("id")]
        if ids:
            self._show(ctx, lambda of: parts.chosen(of, ids, "that you have drawn around"))
        else:
            self._look(ctx)

    def back(self, ctx: Any) -> None:
        """Shows the user's own view again."""
        self._look(ctx)
        screen = ctx.lgca_shown.screen
        restore(ctx, screen.situation.base)
        ctx.lgca_shown.screen = screen.narrowed(None)

    def leave_view(self, ctx: Any) -> None:
        """Shows the whole dataset, where a view can't be shown."""
        self._look(ctx)
        ctx.ops.clear_view()

    def flatten(self, ctx: Any) -> None:
        """Shows the images of all slices of a grouped dataset."""
        self._look(ctx)
        ctx.ops.set_view(view=ctx.dataset.select_group_slices(media_type="image"))

    def decide(self, ctx: Any) -> None:
        """Decides about the samples that are selected in the grid."""
        ids = [str(id_) for id_ in ctx.selected]
        decision = str(ctx.params.get("decision"))

        def act(triage: Triage) -> tuple[str, str, str]:
            done = triage.decide(ids, decision, by=source.read_curator(ctx), wait=False)
            return source.told(done, triage.left()), done.action, f"“{decision}” on {done.samples:,}"

        self._act(ctx, act, ids)

    def undo(self, ctx: Any) -> None:
        """Takes the last decision that was made here back."""
        action = self._remembered(ctx)["action"]

        def act(triage: Triage) -> tuple[str, None, None]:
            return source.told(triage.undo(action, by=source.read_curator(ctx)), triage.left()), None, None

        self._act(ctx, act, [])

    def classify(self, ctx: Any) -> None:
        """Opens the form that classifies."""
        self._ask(ctx, "lgca_classify", run_parameter="run_key")

    def rescore(self, ctx: Any) -> None:
        """Opens the form that rescores."""
        self._ask(ctx, "lgca_rescore")

    def triage(self, ctx: Any) -> None:
        """Opens the form of the triage."""
        self._ask(ctx, "lgca_triage")

    def evaluate(self, ctx: Any) -> None:
        """Opens the form of the evaluation."""
        self._ask(ctx, "lgca_evaluate")

    def decide_form(self, ctx: Any) -> None:
        """Opens the form that decides."""
        self._ask(ctx, "lgca_decide")

    def _ask(self, ctx: Any, name: str, *, run_parameter: str = "run") -> None:
        self._look(ctx)
        run = ctx.lgca_shown.screen.run
        params = {run_parameter: run.key} if run is not None else {}
        ctx.prompt(operator_uri(name), params=params, on_success=self.refresh)

    def _remembered(self, ctx: Any) -> dict[str, Any]:
        return {name: ctx.panel_state.get(name, value) for name, value in FRESH.items()}

    def _chosen(self, ctx: Any) -> Choices:
        """Reads what is chosen: what the lists show in the App, which knows first; the rest as it was remembered."""
        known = Choices(**self._remembered(ctx)["chosen"])
        page = ctx.panel_state.get("page") or {}
        lists = {
            name: ((page.get(part) or {}).get(f"{name}_field") or {}).get(name, getattr(known, name))
            for part, name in (("head", "run"), ("head", "labels"), ("pair", "a"), ("pair", "b"))
        }
        return replace(known, **lists) if lists["run"] in (None, known.run) else Choices(run=lists["run"])

    def _choose(self, ctx: Any, **changes: Any) -> None:
        chosen = replace(self._chosen(ctx), **changes)
        self._look(ctx, chosen=chosen)

    def _look(
        self,
        ctx: Any,
        *,
        chosen: Choices | None = None,
        fresh: bool = False,
        changed: tuple[str, ...] = (),
        again: bool = False,
        **remember: Any,
    ) -> None:
        """Brings the screen up to date, and sends what has changed."""
        mine = dict(FRESH) if fresh else self._remembered(ctx)
        chosen = chosen or (Choices() if fresh else self._chosen(ctx))
        screen = read_screen(ctx, chosen, changed=changed, again=again)
        if screen.choices.run != mine["chosen"].get("run"):
            mine |= {"action": None, "undo": None}  # it was another run's
        mine |= {"chosen": asdict(screen.choices), **remember}
        if screen.overview is not None and mine["drawn"] != screen.key:
            if not is_repeated(ctx.panel_id, "pictures", screen.key):
                _send(ctx, screen)
            mine["drawn"] = screen.key
        ctx.lgca_shown = Shown(screen, mine)
        _remember(ctx, screen, mine)

    def _show(self, ctx: Any, choose: Any, *, part: str | None = None) -> None:
        """Narrows the grid to a part of the user's view."""
        self._look(ctx)
        screen = ctx.lgca_shown.screen
        of, base = screen.overview, screen.situation.base
        if of is None:
            return
        try:
            found = choose(of)
        except LgcaError as error:
            ctx.ops.notify(str(error), variant="error")
            return
        if not found.count:
            ctx.ops.notify(f"There are no samples {found.words}", variant="info")
            return
        ctx.lgca_shown.screen = screen.narrowed(narrow(ctx, base, found.stages, found.sentence, part))

    def _act(self, ctx: Any, act: Any, ids: list[str]) -> None:
        """Decides or takes back, tells what was done, and shows it."""
        self._look(ctx)
        run = ctx.lgca_shown.screen.run
        try:
            if run is None:
                raise LgcaError("the run is not there any more")
            told, action, undo = act(Triage.of(run))
        except LgcaError as error:
            ctx.ops.notify(str(error), variant="error")
            return
        ctx.ops.notify(told, variant="success")
        self._look(ctx, changed=tuple(ids), action=action, undo=undo)
        ctx.ops.clear_selected_samples()
        ctx.ops.reload_dataset()


def _remember(ctx: Any, screen: Screen, mine: dict[str, Any]) -> None:
    """Writes into the panel's state what is another than the App's.

    Only that: the App takes every write for a change of what surrounds the panel, and sends the events of a changed
    view once more; and an event may come with a state that another has changed meanwhile. The state is written anew
    where the App has mixed its data into it, as it does whenever something is chosen from a list.
    """
    chosen, before = screen.choices, ctx.panel_state
    page = {
        "head": {"run_field": {"run": chosen.run}, "labels_field": {"labels": chosen.labels}},
        "pair": {"a_field": {"a": chosen.a}, "b_field": {"b": chosen.b}},
    }
    state = {**mine, "page": page}
    if set(before) - set(state) or set(before.get("page") or {}) - set(page):
        ctx.ops.set_panel_state(state)
    else:
        changed = {name: value for name, value in state.items() if name not in before or before[name] != value}
        if changed and not is_repeated(ctx.panel_id, "state", [before, changed]):
            ctx.ops.patch_panel_state(changed)
    before.clear()
    before.update(state)


def _send(ctx: Any, screen: Screen) -> None:
    """Sends pictures and thumbnails."""
    data: dict[str, Any] = {f"page.{name}": picture["data"] for name, picture in screen.pictures.items()}
    for name in ("misleading", "suspects"):
        for at, sample in enumerate(getattr(screen, name)):
            data[f"page.{name}.row{at}.picture"] = sample.thumbnail
    if data:
        ctx.panel.set_data(data)
