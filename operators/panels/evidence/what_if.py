"""The evidence panel's question: what would the methods say without some of the regions?"""

from __future__ import annotations

from typing import Any

from fiftyone.operators import types

from ....lgca_plugin.figures.region_text import signed_text
from ....lgca_plugin.method.core.methods import method_title
from ....lgca_plugin.method.explain.sentences import Answer, answers
from ..widgets import button, heading, row
from .parts import TABLE, choose, explain
from .scene import Scene


def add_what_if(page: Any, scene: Scene, panel: Any) -> None:
    """Adds what the methods say without the regions that are taken out."""
    evidence = scene.evidence
    if evidence is None:
        return
    heading(page, "what_if_title", "What if?", "Take regions out: the others share their weight.")
    buttons = row(page, "what_if", gap="6px", align="flex-end")
    misleading = int(evidence.misleading.sum())
    if misleading:
        label = f"Take out all {misleading} misleading crops" if misleading > 1 else "Take out the misleading crop"
        gone = bool(evidence.misleading[list(scene.out)].sum() == misleading)
        about = "They vote for WCA's label and pull WCA there, where LGCA says another"
        button(buttons, "misleading", label, panel.take_misleading, title=about, disabled=gone)
    if evidence.case is not None:
        size = evidence.case.size
        label = f"Take out the {size} that {'does' if size == 1 else 'do'} it"
        about = "The fewest crops without which WCA says what LGCA says"
        button(buttons, "fewest", label, panel.take_fewest, title=about)
    regions = [
        (str(frame.region), _region_name(chain, frame)) for chain in scene.strip.chains for frame in chain.frames
    ]
    choose(
        buttons, "region", "Take out or put back", regions, panel.toggle_region, "The same as a click on its picture"
    )
    if scene.out:
        button(buttons, "reset", "Put all back", panel.put_back, icon="restart_alt", title="All regions count again")
        _add_answers(page, scene)


def _add_answers(page: Any, scene: Scene) -> None:
    """Adds what each method says with all regions and without those."""
    evidence, (first, second), out = scene.evidence, scene.names, len(scene.out)
    table = types.TableView(size="small", componentsProps=TABLE)
    for key, label in (
        ("method", "Method"),
        ("before", f"Lead of {first}"),
        ("after", f"Without {out} {'region' if out == 1 else 'regions'}"),
        ("says", "Says then"),
    ):
        table.add_column(key, label=label)
    before = answers(evidence.verdicts, first, second)
    after = answers(evidence.without(scene.out), first, second)
    rows = []
    for at, (was, now) in enumerate(zip(before, after, strict=True)):
        rows.append(_what_if_row(was, now))
        explain(table, at)
    page.list("leads", types.Object(), default=rows, view=table)


def _what_if_row(was: Answer, now: Answer) -> dict[str, str]:
    says = "no answer: nothing is left" if now.label is None else now.label
    return {
        "method": method_title(was.method),
        "before": signed_text(was.lead),
        "after": signed_text(now.lead),
        "says": says if now.label == was.label else f"{says} (was {was.label})",
    }


def _region_name(chain: Any, frame: Any) -> str:
    grown = f", grown {frame.step} {'time' if frame.step == 1 else 'times'}" if frame.step else ""
    return f"Crop {chain.number + 1}{grown}: {frame.vote}{' (out)' if frame.out else ''}"
