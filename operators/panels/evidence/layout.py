"""How the evidence panel is laid out. What it shows comes from :mod:`.evidence_scene`."""

from __future__ import annotations

from typing import Any

from fiftyone.operators import types

from ....lgca_plugin.errors import LgcaError
from ....lgca_plugin.figures.film_strip import film_strip_document
from ....lgca_plugin.figures.region_map import region_map_document
from ....lgca_plugin.method.core.methods import method_title, without_controls
from ....lgca_plugin.method.explain.film_strip import CHAINS
from ....lgca_plugin.method.explain.sentences import told
from ....lgca_plugin.workflows.evidence.open_sample import kept_description_votes
from ...shared.run_choice import UNREADABLE
from ..widgets import SMALL, aside, button, column, empty_state, heading, row, text
from .parts import TABLE, WIDTH, choose, explain, percent, plot
from .scene import MORE_CHAINS, Asked, Scene
from .what_if import add_what_if

DECISIONS = (
    ("label right", "Label is right", "The given label is right; it stays as it is"),
    ("bad crop", "Bad crop", "A region misled the method; the given label stands"),
    ("bad image", "Bad image", "The image can't be judged, or does not belong here"),
    ("skipped", "Skip", "Leave it for later, or for somebody else"),
)


def add_page(page: Any, scene: Scene, asked: Asked, panel: Any) -> None:
    """Adds all there is to show."""
    add_choices(page, scene, panel)
    for at, note in enumerate(scene.notes):
        page.view(f"note_{at}", types.AlertView(severity="warning", label=note, componentsProps={"container": NOTE}))
    if scene.trouble is not None:
        action = scene.trouble.action
        empty_state(page, scene.trouble.title, scene.trouble.sentence, action=action, on_click=panel.help_out)
        return
    add_answers(page, scene)
    add_decision(page, scene, panel)
    if scene.strip is not None and scene.names is not None:
        add_what_if(page, scene, panel)
    columns = row(page, "columns", align="flex-start", gap="0px 24px")
    left = column(columns, "left", flex=f"1 1 {WIDTH - 20}px", width="100%", maxWidth="660px")
    right = column(columns, "right", flex=f"1 1 {WIDTH - 20}px", width="100%", maxWidth="760px")
    if scene.strip is not None and scene.names is not None:
        add_strip(left, scene, asked, panel)
        add_map(right, scene, panel)
    if scene.evidence is not None and scene.names is not None:
        add_descriptions(right, scene)


NOTE = {"sx": {"width": "100%", "boxSizing": "border-box", "padding": "0 10px", "overflowWrap": "anywhere"}}


def add_choices(page: Any, scene: Scene, panel: Any) -> None:
    """Adds the file's name, and the run to choose where there are several."""
    top = row(page, "top", gap="4px 14px")
    if len(scene.keys) > 1:
        choose(top, "run", "Run", [(key, key) for key in scene.keys], panel.pick_run, "Whose evidence is shown")
    if scene.sample is not None:
        name = scene.sample.filepath.replace("\\", "/").rpartition("/")[2]
        text(top, "file", name, size=SMALL, muted=True, title=scene.sample.filepath)


def add_answers(page: Any, scene: Scene) -> None:
    """Adds what each method says, in a table and in sentences."""
    sample, evidence = scene.sample, scene.evidence
    if evidence is not None:
        for at, sentence in enumerate(told(evidence)):
            text(page, f"told_{at}", sentence, bold=at == 0, width="100%")
    table = types.TableView(size="small", componentsProps=TABLE)
    for key, label in (("method", "Method"), ("label", "Says"), ("confidence", "Confidence"), ("margin", "Margin")):
        table.add_column(key, label=label)
    if evidence is not None:
        table.add_column("stability", label="Stability")
    rows = []
    for at, method in enumerate(without_controls(sample.said)):
        said = sample.said[method]
        shown = {
            "method": method_title(method),
            "label": said.label,
            "confidence": percent(said.confidence),
            "margin": "\u2013" if said.margin is None else f"{said.margin:.4f}",
        }
        if evidence is not None and method in evidence.stability:
            shown["stability"] = percent(evidence.stability[method])
        rows.append(shown)
        explain(table, at)
    page.list("answers", types.Object(), default=rows, view=table)
    facts = row(page, "facts", gap="2px 16px")
    for key, words, title in _facts(sample):
        text(facts, key, words, size=SMALL, title=title)


def _facts(sample: Any) -> list[tuple[str, str, str]]:
    facts = []
    if sample.given is not None:
        facts.append(("given", f"Given label: {sample.given}", "The label that the sample came with"))
    if sample.suggested is not None:
        sure = f" ({percent(sample.suggested_confidence)})" if sample.suggested_confidence is not None else ""
        facts.append(
            (
                "suggested",
                f"Suggested: {sample.suggested}{sure}",
                "What triage takes for the right label, and how sure it is",
            )
        )
    if sample.quality is not None:
        about = "How likely the given label is right, as triage sees it; low is suspicious"
        facts.append(("quality", f"Label quality: {percent(sample.quality)}", about))
    if sample.case is not None:
        facts.append(
            ("case", f"Case: {sample.case}", "Who disagrees with whom, and who is right where a label is known")
        )
    if sample.decision is not None:
        what = f"{sample.decision} as {sample.corrected}" if sample.corrected else sample.decision
        facts.append(
            ("decision", f"Decided: {what}, by {sample.decided_by}", "The decision that stands on this sample")
        )
    return facts


def add_decision(page: Any, scene: Scene, panel: Any) -> None:
    """Adds the buttons with which a curator decides about the sample."""
    results = scene.run.results
    buttons = row(page, "decide", gap="6px")
    if not (results.get("triage") or results.get("decided")):
        text(buttons, "why", "To decide about labels, triage the run first.", size=SMALL, muted=True)
        button(buttons, "triage", "Triage this run", panel.open_triage, title="Sorts the samples by what needs a look")
        return
    suggested, about_this = scene.sample.suggested, {"sample": scene.sample.id}
    if suggested is not None:
        about = f"Take “{suggested}” for the right label; the given label stays, this goes to a field of its own"
        button(buttons, "accept", f"Accept “{suggested}”", panel.accept, title=about, params=about_this, main=True)
    for decision, label, about in DECISIONS:
        if decision != "label right" or scene.sample.given is not None:
            name = decision.replace(" ", "_")
            button(buttons, name, label, panel.decide, title=about, params={**about_this, "decision": decision})
    button(buttons, "another", "Another label …", panel.open_decide, title="Name the right class, or leave a note")
    if scene.sample.decision is not None:
        about = "Take back the decision that stands on this sample"
        button(buttons, "undo", "Undo", panel.undo, icon="undo", title=about, params=about_this)
    page.bool(
        "go_on",
        label="Then open the next suspect",
        view=types.SwitchView(componentsProps=aside()),
        on_change=panel.set_go_on,
    )


def add_strip(page: Any, scene: Scene, asked: Asked, panel: Any) -> None:
    """Adds the film strip, and what it is about."""
    shown = scene.strip
    heading(page, "strip_title", "How crops grow", "Click a picture to take it out and see what the methods say then.")
    if scene.evidence is not None:
        classes = [(name, name) for name in scene.evidence.classes]
        rival = row(page, "rivals", gap="8px", align="flex-end")
        about = "Weights and contributions are about the lead of the first class over the second"
        choose(rival, "first", "First rival (blue)", classes, panel.pick_first, about)
        choose(rival, "second", "Second rival (orange)", classes, panel.pick_second, about)
        if len(scene.methods) > 1:
            methods = [(name, method_title(name)) for name in scene.methods]
            choose(rival, "method", "Weights of", methods, panel.pick_method, "The method whose weights are shown")
    found = scene.pictures
    figure = film_strip_document(
        shown,
        {} if found is None else found.regions,
        image=None if found is None else found.whole,
        image_size_hw=(1, 1) if found is None else found.size_hw,
        theme="app",
        min_width=WIDTH,
    )
    plot(page, "strip", figure, panel.click_frame if scene.evidence is not None else None)
    more = min(MORE_CHAINS, shown.n_chains)
    if scene.evidence is not None and more > CHAINS:
        label = "Show fewer crops" if asked.more else f"Show {more} of {shown.n_chains} crops"
        button(page, "more", label, panel.show_more, title="The crops that misled or matter most come first")


def add_map(page: Any, scene: Scene, panel: Any) -> None:
    """Adds the picture of the whole image with the boxes."""
    if scene.pictures is None:
        return
    heading(page, "map_title", "Where they are", "The boxes of these crops and of what they grew into.")
    figure = region_map_document(
        scene.strip, scene.pictures.whole, scene.pictures.size_hw, theme="app", min_width=WIDTH
    )
    plot(page, "map", figure, panel.click_frame if scene.evidence is not None else None)


def add_descriptions(page: Any, scene: Scene) -> None:
    """Adds which descriptions speak for which of the rivals."""
    try:
        compared = ("wca", "lgca") if scene.evidence.misleading_pair else None
        figure = kept_description_votes(scene.run, scene.sample, scene.names, methods=compared, min_width=WIDTH)
    except (LgcaError, *UNREADABLE) as error:
        text(page, "descriptions_why", f"No descriptions to show: {error}", size=SMALL, muted=True, width="100%")
        return
    plot(page, "descriptions", figure.to_plotly_json(), None)
