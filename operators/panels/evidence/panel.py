"""``lgca_evidence``: why the open sample was classified as it was, beside the sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fiftyone.operators as foo

from ....lgca_plugin.errors import LgcaError
from ....lgca_plugin.workflows.decisions.queue import Triage
from ...decisions import queue as source
from ..deduplicating_panel import DeduplicatingPanel
from ..widgets import operator_uri, page
from .layout import add_page
from .scene import TRIAGE, Asked, Scene, look

LABEL = "Zero-shot evidence"
HELP = (
    "Why was this image classified as it was? Each row is a crop and what it grew into, with the class that it votes "
    "for, its weight, and its part in the decision. Take regions out and see what changes."
)
RUN, GO_ON = "page.top.run_field.run", "page.go_on"
FIRST, SECOND = "page.columns.left.rivals.first_field.first", "page.columns.left.rivals.second_field.second"
METHOD = "page.columns.left.rivals.method_field.method"
REGION = "page.what_if.region_field.region"
# Texts and not lists, for the App merges what it is sent into the list that it has.
SAMPLE, OUT, MORE, WEIGHTS, KEY = "sample", "out", "more", "weights", "key"
RIVALS = ("rival_a", "rival_b")


class EvidencePanel(DeduplicatingPanel):
    """Shows the regions of the open sample, what each says, and what the methods would say without them."""

    @property
    def config(self) -> Any:
        """What the App's menus show."""
        return foo.PanelConfig(
            name="lgca_evidence",
            label=LABEL,
            icon="troubleshoot",
            help_markdown=HELP,
            surfaces="modal",
            category=foo.Categories.ANALYZE,
        )

    # ------------------------------------------------------------------------------------------- what the App does

    def on_load(self, ctx: Any) -> None:
        """Looks at the sample that is open."""
        self._turn_to(ctx)

    def on_change_current_sample(self, ctx: Any) -> None:
        """Follows the user to another sample."""
        self._turn_to(ctx)

    def on_change_group_slice(self, ctx: Any) -> None:
        """Follows the user to another slice."""
        self._turn_to(ctx)

    def on_change_dataset(self, ctx: Any) -> None:
        """Forgets the run of another dataset."""
        ctx.panel.set_state(KEY, None)
        self._turn_to(ctx)

    # ------------------------------------------------------------------------------------------ what the user does

    def pick_run(self, ctx: Any) -> None:
        """Shows another run."""
        value, scene = ctx.params.get("value"), look(ctx, _asked(ctx))
        if value and (scene.run is None or value != scene.run.key):
            ctx.panel.set_state(KEY, value)
            self._forget_choices(ctx)
        self._look(ctx)

    def pick_first(self, ctx: Any) -> None:
        """Compares another class."""
        self._pick(ctx, 0)

    def pick_second(self, ctx: Any) -> None:
        """Compares with another class."""
        self._pick(ctx, 1)

    def pick_method(self, ctx: Any) -> None:
        """Shows another method's weights."""
        if ctx.params.get("value"):
            ctx.panel.set_state(WEIGHTS, ctx.params["value"])
        self._look(ctx)

    def show_more(self, ctx: Any) -> None:
        """Shows more chains, or the first ones again."""
        ctx.panel.set_state(MORE, not ctx.panel.get_state(MORE))
        self._look(ctx)

    def click_frame(self, ctx: Any) -> None:
        """Takes the region out that was clicked, or puts it back."""
        self._toggle(ctx, ctx.params.get("id"))

    def toggle_region(self, ctx: Any) -> None:
        """Takes the region out that was chosen from the list, or puts it back."""
        if ctx.params.get("value"):
            self._toggle(ctx, ctx.params["value"])
        else:
            self._look(ctx)

    def take_misleading(self, ctx: Any) -> None:
        """Takes all misleading crops out."""
        evidence = self._look(ctx).evidence
        if evidence is not None:
            self._take_out(ctx, {int(r) for r in evidence.misleading.nonzero()[0]} | set(_out(ctx)))

    def take_fewest(self, ctx: Any) -> None:
        """Takes out the fewest crops without which WCA says what LGCA says, and no others."""
        evidence = self._look(ctx).evidence
        if evidence is not None and evidence.case is not None:
            self._take_out(ctx, set(evidence.case.crops))

    def put_back(self, ctx: Any) -> None:
        """Puts all regions back."""
        self._take_out(ctx, set())

    def accept(self, ctx: Any) -> None:
        """Accepts the suggestion."""
        self._decide(ctx, "accepted")

    def decide(self, ctx: Any) -> None:
        """Decides what the button says."""
        self._decide(ctx, str(ctx.params.get("decision")))

    def undo(self, ctx: Any) -> None:
        """Takes back the decision that stands on the sample."""
        self._write(ctx, lambda triage, id_: triage.undo(sample_ids=[id_], by=source.read_curator(ctx)))

    def set_go_on(self, ctx: Any) -> None:
        """Remembers whether the next suspect is opened after a decision."""
        self._look(ctx)

    def open_triage(self, ctx: Any) -> None:
        """Opens the form that triages the run."""
        scene = self._look(ctx)
        ctx.prompt(operator_uri(TRIAGE), params={"run": scene.run.key} if scene.run is not None else None)

    def open_decide(self, ctx: Any) -> None:
        """Opens the form with all that can be decided."""
        scene = self._look(ctx)
        ctx.prompt(operator_uri("lgca_decide"), params={"run": scene.run.key} if scene.run is not None else None)

    def help_out(self, ctx: Any) -> None:
        """Opens the form that helps where there is nothing to show."""
        trouble = self._look(ctx).trouble
        if trouble is not None and trouble.operator:
            ctx.prompt(operator_uri(trouble.operator), params=trouble.params or None)

    def render(self, ctx: Any) -> Any:
        """Lays out what the event has looked up."""
        scene = getattr(ctx, "lgca_scene", None) or self._look(ctx)
        root, sheet = page(gap=1)
        add_page(sheet, scene, _asked(ctx), self)
        return root

    # ----------------------------------------------------------------------------------------------------- the same

    def _turn_to(self, ctx: Any) -> None:
        """Looks at the open sample; what was chosen for another one does not hold for it."""
        if ctx.panel.get_state(SAMPLE) != ctx.current_sample:
            ctx.panel.set_state(SAMPLE, ctx.current_sample)
            self._forget_choices(ctx)
        if ctx.panel.get_state(GO_ON) is None:
            ctx.panel.set_state(GO_ON, True)
        self._look(ctx)

    def _look(self, ctx: Any) -> Scene:
        """Looks everything up, and shows in the lists what is chosen."""
        scene = look(ctx, _asked(ctx))
        ctx.lgca_scene = scene
        chosen = {RUN: None if scene.run is None else scene.run.key, REGION: None}
        if scene.names is not None and scene.strip is not None:
            chosen |= {FIRST: scene.names[0], SECOND: scene.names[1], METHOD: scene.strip.method}
        for path, value in chosen.items():
            if ctx.panel.get_state(path) != value:
                ctx.panel.set_state(path, value)
        return scene

    def _pick(self, ctx: Any, place: int) -> None:
        """Takes another rival; the one that is chosen already changes places with it."""
        # The lists are written to once, at the end: the App takes every value on the way for the user's next choice.
        value, scene = ctx.params.get("value"), look(ctx, _asked(ctx))
        if value and scene.names is not None and value != scene.names[place]:
            names = list(scene.names)
            names[1 - place] = names[place] if value == names[1 - place] else names[1 - place]
            names[place] = value
            ctx.panel.set_state(dict(zip(RIVALS, names, strict=True)))
        self._look(ctx)

    def _toggle(self, ctx: Any, region: Any) -> None:
        if isinstance(region, str) and region.isdigit():
            self._take_out(ctx, set(_out(ctx)) ^ {int(region)})
        else:
            self._look(ctx)

    def _take_out(self, ctx: Any, regions: set[int]) -> None:
        ctx.panel.set_state(OUT, " ".join(map(str, sorted(regions))))
        self._look(ctx)

    def _forget_choices(self, ctx: Any) -> None:
        ctx.panel.set_state({OUT: "", MORE: False, **dict.fromkeys(RIVALS)})

    def _decide(self, ctx: Any, decision: str) -> None:
        """Writes a decision, and opens the next suspect if the user wants that."""
        by = source.read_curator(ctx)
        triage = self._write(ctx, lambda triage, id_: triage.decide([id_], decision, by=by, wait=False))
        if triage is not None and ctx.panel.get_state(GO_ON):
            then = source.next_open(ctx, triage)
            if then is not None and then != ctx.current_sample:
                ctx.ops.open_sample(id=then)

    def _write(self, ctx: Any, work: Callable[[Triage, str], Any]) -> Triage | None:
        """Does something about the sample that the button was drawn for, says so, and shows it.

        Returns:
            the triage; None where nothing was done
        """
        scene = self._look(ctx)
        if scene.run is None or scene.sample is None:
            return None
        if ctx.params.get("sample") != scene.sample.id:  # the user has turned to another one before this one was shown
            ctx.ops.notify("Another sample has been opened meanwhile: nothing was decided.", variant="warning")
            return None
        try:
            triage = Triage.of(scene.run)
            done = work(triage, scene.sample.id)
        except LgcaError as error:
            ctx.ops.notify(str(error), variant="error")
            return None
        ctx.ops.notify(source.told(done, triage.left()), variant="success")
        ctx.ops.reload_dataset()
        self._look(ctx)
        return triage


def _asked(ctx: Any) -> Asked:
    """Reads what the user has chosen from the panel's state."""
    state = ctx.panel
    return Asked(
        run=state.get_state(KEY),
        first=state.get_state(RIVALS[0]),
        second=state.get_state(RIVALS[1]),
        method=state.get_state(WEIGHTS),
        out=tuple(_out(ctx)),
        more=bool(state.get_state(MORE)),
    )


def _out(ctx: Any) -> list[int]:
    return [int(region) for region in str(ctx.panel.get_state(OUT) or "").split()]
