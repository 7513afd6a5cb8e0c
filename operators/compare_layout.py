"""How the panel that compares methods is laid out, from a screen to FiftyOne's components; nothing is looked up."""

from __future__ import annotations

from typing import Any

from fiftyone.operators import types

from ..lgca_plugin.compare_figures import share_text
from ..lgca_plugin.dataset.overview import shown_name
from ..lgca_plugin.dataset.overview_parts import pattern_words
from ..lgca_plugin.dataset.overview_rows import SampleRow
from ..lgca_plugin.dataset.overview_table import NONE
from ..lgca_plugin.dataset.runs import DONE
from .compare_screen import NO_LABELS, ROWS, Screen, pages
from .panel_parts import LARGE, SMALL, button, column, empty_state, heading, page, row, text

THUMBNAIL = "72px"
DECISIONS = (
    ("accepted", "Accept suggestion", "The suggested class is right: it goes to the field of corrected labels"),
    ("label right", "Label is right", "The given label stands"),
    ("bad crop", "Bad crop", "A region misled the method; the given label stands"),
    ("bad image", "Bad image", "The image can't be judged, or does not belong here"),
    ("skipped", "Skip", "Looked at, and left for later"),
)
OPERATORS = (
    ("classify", "Classify", "Classify the view or the dataset, or go on with a run"),
    ("rescore", "Rescore", "Other classes, descriptions or settings, from stored embeddings: no image is encoded"),
    ("triage", "Triage", "Find disagreements, misleading crops and suspected label errors of this run"),
    ("evaluate", "Evaluate", "Compare the methods with labels; opens FiftyOne's Model Evaluation panel"),
)
MARGIN = "A margin is the best class's score minus the second best's: how far ahead an answer is."


def layout(panel: Any, screen: Screen, mine: dict[str, Any], selected: int) -> Any:
    """Lays the panel out.

    Args:
        panel: the panel, whose methods are called
        screen: what is to be shown
        mine: what the panel remembers: what it shows in the grid, and the last decision
        selected: how many samples are selected in the grid
    """
    root, body = page()
    obstacle = screen.situation.obstacle
    if screen.situation.keys and screen.situation.run is not None:
        _add_head(panel, body, screen)
    if obstacle is not None:
        call = getattr(panel, obstacle.method) if obstacle.method else None
        empty_state(body, obstacle.title, obstacle.sentence, action=obstacle.action, on_click=call)
        return root
    _add_narrowing(panel, body, screen, mine)
    _add_status(panel, body, screen)
    of = screen.overview
    if of is None:
        return root
    if not of.predicted.any():
        _add_nothing(panel, body, screen)
        return root
    _add_selection(panel, body, screen, mine, selected)
    _add_figures(panel, body, screen)
    _add_agreement(panel, body, screen)
    _add_accuracy(panel, body, screen)
    _add_flow(panel, body, screen)
    _add_margins(panel, body, screen)
    _add_misleading(panel, body, screen)
    _add_suspects(panel, body, screen)
    return root


def _add_head(panel: Any, body: Any, screen: Screen) -> None:
    """Adds the choices of run and labels, and the buttons of the operators."""
    head = row(body, "head", align="flex-end")
    keys = [(key, key) for key in screen.situation.keys]
    _choice(head, "run", "Run", keys, panel.pick_run, "The runs of this dataset, the latest first")
    if screen.overview is not None:
        fields = [(NO_LABELS, "no labels"), *((name, name) for name in screen.label_fields)]
        about = "A field with one label a sample: answers are compared with it"
        _choice(head, "labels", "Labels to compare with", fields, panel.pick_labels, about)
    actions = row(body, "actions", gap="6px")
    for name, label, title in OPERATORS:
        button(actions, name, label, getattr(panel, name), title=title)
    button(actions, "refresh", "Read again", panel.refresh, title="Read all samples anew from the database")


def _choice(
    parent: Any, name: str, label: str, choices: list[tuple[str, str]], on_change: Any, about: str, width: str = "210px"
) -> None:
    """Adds a list to choose from; what is chosen is in the panel's state."""
    field = column(parent, f"{name}_field", title=about, width=width, gap="2px")
    text(field, "label", label, size=SMALL, muted=True)
    view = types.DropdownView(compact=True, label=label, description=about)
    for value, shown in choices:
        view.add_choice(value, label=shown)
    field.enum(name, view.values(), view=view, on_change=on_change)


def _add_narrowing(panel: Any, body: Any, screen: Screen, mine: dict[str, Any]) -> None:
    """Says what the panel shows in the grid, with the way back."""
    base, of = screen.situation.base, screen.overview
    if base.narrowed is None or of is None:
        return
    known = mine.get("mark") == base.narrowed
    line = row(body, "narrowing", padding="6px 10px", borderRadius="4px", backgroundColor="background.level2")
    sentence = mine["sentence"] if known else "Showing samples that were chosen here"
    text(line, "sentence", str(sentence), bold=True, flex="1 1 200px")
    label = f"Back to your view ({of.total:,} {_samples(of.total)})"
    button(line, "back", label, panel.back, main=True, title="Show your own view again, as it was")


def _add_status(panel: Any, body: Any, screen: Screen) -> None:
    """Says what there is to know of the run: that it is not finished, or comes with warnings."""
    summary = screen.run.summary()
    status = summary.get("status")
    if status in (DONE, None):
        return
    done, total = summary.get("predicted", 0), summary.get("total", 0)
    line = row(body, "status", padding="6px 10px", borderRadius="4px", backgroundColor="background.level2")
    words = f"This run is not finished ({status}): {done:,} of {total:,} images are predicted."
    if not total:
        words = f"This run is not finished ({status})."
    text(line, "words", f"{words} Classifying with the same settings goes on where it stopped.", flex="1 1 200px")
    button(line, "go_on", "Go on classifying", panel.classify, title="Opens the form; the run does what is missing")


def _add_nothing(panel: Any, body: Any, screen: Screen) -> None:
    """Says why there are no figures."""
    of = screen.overview
    assert of is not None  # noqa: S101 (asked before)
    if not of.total:
        empty_state(body, "This view is empty", "No sample of the dataset is in it: remove a filter or a stage.")
        return
    sentence = (
        f"None of the {of.total:,} {_samples(of.total)} in this view has a prediction of run {screen.run.key!r}: "
        f"{int(of.failed.sum()):,} failed, {int(of.without.sum()):,} are without a result."
    )
    empty_state(body, "No predictions here", sentence, action="Classify zero-shot", on_click=panel.classify)


def _add_selection(panel: Any, body: Any, screen: Screen, mine: dict[str, Any], selected: int) -> None:
    """Adds the queue's decisions, which act on the samples that are selected in the grid."""
    of = screen.overview
    assert of is not None  # noqa: S101
    if not of.triaged:
        return
    line = row(
        body, "decisions", gap="6px", padding="6px 10px", borderRadius="4px", backgroundColor="background.level2"
    )
    words = f"{selected:,} {_samples(selected)} selected" if selected else "Select samples in the grid to decide"
    text(line, "count", words, bold=bool(selected), muted=not selected, title="Decisions act on the selected samples")
    for value, label, title in DECISIONS:
        button(
            line,
            value.replace(" ", "_"),
            label,
            panel.decide,
            title=title,
            params={"decision": value},
            disabled=not selected,
        )
    button(
        line, "more", "Other…", panel.decide_form, title="Another class, a note, or your name", disabled=not selected
    )
    if mine.get("action"):
        button(line, "undo", f"Undo {mine['undo']}", panel.undo, title="Take this decision back", icon="undo")


def _add_figures(panel: Any, body: Any, screen: Screen) -> None:
    """Adds the row of numbers."""
    of, summary = screen.overview, screen.run.summary()
    assert of is not None  # noqa: S101
    cards = row(body, "figures", gap="22px", align="flex-start")
    predicted, failed, without = (int(which.sum()) for which in (of.predicted, of.failed, of.without))
    _card(cards, "samples", f"{of.total:,}", "samples", "Samples of your view")
    _card(cards, "predicted", f"{predicted:,}", "predicted", "Samples with a prediction of every method of the run")
    shown = ("Show", panel.show)
    about = "Samples whose image could not be classified; the field of errors says why"
    _card(cards, "failed", f"{failed:,}", "failed", about, *(shown if failed else ()), part="failures")
    about = "Samples that the run has not come to, or that were added since"
    _card(cards, "without", f"{without:,}", "without result", about, *(shown if without else ()), part="without_result")
    encodes, speed = summary.get("encodes_per_image") or 0, summary.get("images_per_second") or 0
    about = "How many regions and whole images the encoder looked at for each image: the cost of the run"
    _card(cards, "encodes", f"{encodes:.1f}" if encodes else "-", "encodes per image", about)
    about = "Images per second of the run, with decoding, cropping and writing"
    _card(cards, "speed", f"{speed:,.1f}" if speed else "-", "images/s", about)


def _card(
    cards: Any,
    name: str,
    number: str,
    caption: str,
    about: str,
    label: str | None = None,
    on_click: Any = None,
    **params: Any,
) -> None:
    """Adds a number with what it is, and a button where its samples can be shown."""
    card = column(cards, name, title=about)
    text(card, "number", number, size=LARGE, bold=True)
    text(card, "caption", caption, size=SMALL, muted=True)
    if label and on_click:
        button(card, "show", label, on_click, title=f"{label}: {about[:1].lower()}{about[1:]}", params=params)


def _add_agreement(panel: Any, body: Any, screen: Screen) -> None:
    of = screen.overview
    assert of is not None  # noqa: S101
    heading(body, "agreement_head", "Do the methods agree?")
    if len(of.compared) < 2:
        text(
            body, "agreement_none", "This run has one method. Classify with clip, wca and lgca to compare.", muted=True
        )
        return
    total = int(of.predicted.sum())
    pairs = row(body, "pairs", gap="22px", align="flex-start")
    for at, ((a, b), count) in enumerate(of.pairs_agree.items()):
        about = f"Share of the predicted samples to which {shown_name(a)} and {shown_name(b)} give the same class"
        _card(pairs, f"pair{at}", share_text(count / total), f"{shown_name(a)} = {shown_name(b)}", about)
    if len(of.compared) > 2:
        _card(
            pairs,
            "all",
            share_text(of.pattern_counts[0] / total),
            "all three agree",
            "Share to which all three give one class",
        )
    apart = total - of.pattern_counts[0]
    _card(
        pairs,
        "apart",
        f"{apart:,}",
        "disagreements",
        "Samples to which the methods do not all give the same class",
        *(("Show", panel.show) if apart else ()),
        part="disagreements",
    )
    _plot(body, "agreement", screen, on_click=panel.show_bar)
    chips = row(body, "patterns", gap="6px")
    text(chips, "label", "Show:", size=SMALL, muted=True)
    for at, count in enumerate(of.pattern_counts):
        words = pattern_words(of.compared, at)
        title = f"Show the {count:,} {_samples(count)}"
        button(
            chips,
            f"pattern{at}",
            words,
            panel.show,
            title=title,
            params={"part": "pattern", "at": at},
            disabled=not count,
        )


def _add_accuracy(panel: Any, body: Any, screen: Screen) -> None:
    of = screen.overview
    assert of is not None  # noqa: S101
    heading(body, "accuracy_head", "How often are they right?")
    if of.ground_truth is None:
        words = "Choose labels to compare with above." if screen.label_fields else "There is no field with labels here."
        text(body, "accuracy_none", words, muted=True)
        return
    found = of.evaluation
    if found is None:
        words = f"No sample here has both a label in {of.ground_truth}, a class of the run, and all predictions."
        text(body, "accuracy_none", words, muted=True)
        return
    cards = row(body, "accuracy", gap="22px", align="flex-start")
    for name, score in zip(of.table.answers, found.methods.values(), strict=True):
        low, high = score.interval
        about = (
            f"{score.correct:,} of {found.samples:,} labels found. In brackets, Wilson's 95% interval: where the "
            "accuracy would lie on more images like these"
        )
        wrong = found.samples - score.correct
        _card(
            cards,
            f"right_{name}",
            f"{score.accuracy:.1%}",
            f"{shown_name(name)} ({100 * low:.1f} to {100 * high:.1f})",
            about,
            *((f"{wrong:,} wrong", panel.show) if wrong else ()),
            part="wrong",
            method=name,
        )
    about = "On the same samples. In brackets, the 95% interval; McNemar's exact test with Holm's correction"
    for at, pair in enumerate(found.pairs):
        text(body, f"difference{at}", found.sentence(pair), muted=not found.is_real(pair), title=about)
    text(body, "basis", found.basis(), size=SMALL, muted=True)


def _add_flow(panel: Any, body: Any, screen: Screen) -> None:
    of = screen.overview
    assert of is not None  # noqa: S101
    if "flow" not in screen.pictures:
        return
    heading(
        body,
        "flow_head",
        "Which classes turn into which?",
        "Rows: what the one method says. Columns: what the other says of the same samples. Blue: they disagree. "
        "Classes with most disagreements come first. Click on a cell to see its samples.",
    )
    pair = row(body, "pair", align="flex-end")
    methods = [(name, shown_name(name)) for name in of.table.answers]
    _choice(pair, "a", "Answers of", methods, panel.pick_a, "The method of the rows", "130px")
    _choice(pair, "b", "become, with", methods, panel.pick_b, "The method of the columns", "130px")
    button(pair, "swap", "Swap", panel.swap, icon="swap_horiz", title="Exchange the two methods")
    _plot(body, "flow", screen, on_click=panel.show_cell)


def _add_margins(panel: Any, body: Any, screen: Screen) -> None:
    of = screen.overview
    assert of is not None  # noqa: S101
    if "margins" not in screen.pictures:
        return
    total = int(of.predicted.sum())
    words = (
        f"All {total:,} predicted samples."
        if screen.points == total
        else (f"{screen.points:,} of {total:,} predicted samples, disagreements first.")
    )
    heading(
        body,
        "margins_head",
        "How sure are they?",
        f"{MARGIN} Click on a point, or draw around several, to see their samples. {words}",
    )
    _plot(body, "margins", screen, on_click=panel.show_point, on_selected=panel.show_points)


def _add_misleading(panel: Any, body: Any, screen: Screen) -> None:
    of = screen.overview
    assert of is not None  # noqa: S101
    heading(
        body,
        "misleading_head",
        "Misleading crops",
        "Samples where WCA and LGCA disagree, and WCA says what LGCA says once a few crops are taken out. The fewer "
        "crops it takes, the closer the call.",
    )
    if not of.triaged:
        words = "A triage finds them, from what the run has stored: no image is encoded."
        text(body, "misleading_none", words, muted=True)
        button(body, "misleading_triage", "Triage this run", panel.triage, title=words)
        return
    _add_list(
        panel, body, "misleading", screen, of.misleading.tolist(), screen.misleading, "There are none in this view."
    )


def _add_suspects(panel: Any, body: Any, screen: Screen) -> None:
    of = screen.overview
    assert of is not None  # noqa: S101
    heading(
        body,
        "suspects_head",
        "Suspected label errors",
        "Given labels that the calibrated methods hold for wrong, the lowest label quality first. Quality is how much "
        "the methods believe in the given label, from 0 to 1.",
    )
    if not of.triaged:
        words = "A triage against given labels finds them."
        text(body, "suspects_none", words, muted=True)
        button(body, "suspects_triage", "Triage this run", panel.triage, title=words)
        return
    report = screen.run.results.get("triage") or {}
    if not report.get("ground_truth"):
        words = "The last triage was made without labels, so none can be suspected."
        text(body, "suspects_none", words, muted=True)
        button(body, "suspects_triage", "Triage against labels", panel.triage, title="Triage again, with a label field")
        return
    _add_list(panel, body, "suspects", screen, of.suspects.tolist(), screen.suspects, "There are none in this view.")


def _add_list(
    panel: Any, body: Any, name: str, screen: Screen, places: list[int], rows: list[SampleRow], none: str
) -> None:
    """Adds a page of a ranked list, with what turns the page and what shows all of it."""
    of = screen.overview
    assert of is not None  # noqa: S101
    count, start = len(places), getattr(screen.choices, name)
    if not count:
        text(body, f"{name}_none", none, muted=True)
        return
    listed = column(body, name, gap="6px", width="100%")
    for at, sample in enumerate(rows):
        line = row(
            listed, f"row{at}", gap="10px", flexWrap="nowrap", borderBottom="1px solid", borderColor="divider", pb="6px"
        )
        _add_row(panel, line, name, sample)
    low, high = pages(count, start)
    turn = row(listed, "turn", gap="6px")
    text(turn, "which", f"{low:,} to {high:,} of {count:,}", size=SMALL, muted=True)
    for label, by, usable in (("Previous", -ROWS, start > 0), ("Next", ROWS, high < count)):
        params = {"list": name, "by": by}
        button(
            turn,
            label.lower(),
            label,
            panel.turn,
            title=f"{label} samples of the list",
            params=params,
            disabled=not usable,
        )
    if name == "misleading":
        button(
            turn,
            "all",
            f"Show all {count:,}",
            panel.show,
            title="Show them in the grid",
            params={"part": "misleading_cases"},
        )
    else:
        left = int((of.decided[places] == NONE).sum())
        label = f"Show the {left:,} undecided"
        title = "Show in the grid those that nothing is decided about; a decision takes a sample out"
        button(turn, "all", label, panel.show, title=title, params={"part": "open_suspects"}, disabled=not left)


def _add_row(panel: Any, line: Any, name: str, sample: SampleRow) -> None:
    """Adds a sample of a list: picture, what is said about it, and the button that shows it."""
    cell = {"item": {"sx": {"width": THUMBNAIL, "flex": f"0 0 {THUMBNAIL}"}}}
    cell["image"] = {"style": {"maxWidth": THUMBNAIL, "maxHeight": THUMBNAIL, "display": "block"}}
    if sample.thumbnail is None:
        text(line, "missing", "no picture", size=SMALL, muted=True, flex=f"0 0 {THUMBNAIL}")
    else:
        line.img("picture", alt_text=sample.name, title=sample.name, componentsProps=cell)
    words = column(line, "words", flex="1 1 0", gap="2px")
    answers = "  ·  ".join(f"{shown_name(method)}: {label}" for method, label in sample.answers.items())
    if name == "misleading":
        crops = f"{sample.crops:,} {'crop turns' if sample.crops == 1 else 'crops turn'} it"
        text(words, "first", crops, bold=True, title="The fewest crops whose removal turns WCA's answer into LGCA's")
    else:
        sure = "" if sample.confidence is None else f" ({sample.confidence:.0%})"
        about = "The given label, the suggested class, and how sure the calibrated methods are of it"
        text(words, "first", f"{sample.given or '?'} → {sample.suggested}{sure}", bold=True, title=about)
        quality = "" if sample.quality is None else f"quality {sample.quality:.2f}  ·  "
        answers = quality + answers
    text(words, "second", answers, size=SMALL)
    given = f"label: {sample.given}  ·  " if name == "misleading" and sample.given else ""
    decision = f"  ·  decided: {sample.decision.value}" if sample.decision else ""
    text(words, "third", f"{given}{sample.name}{decision}", size=SMALL, muted=True)
    params = {"part": "sample", "id": sample.sample_id}
    button(line, "show", "Show", panel.show, title=f"Show {sample.name} in the grid", params=params, flex="0 0 auto")


def _plot(body: Any, name: str, screen: Screen, **events: Any) -> None:
    """Adds a picture; its data has been sent apart, where it has changed."""
    look = screen.pictures[name]["layout"]
    bar = name == "margins"
    config = {"displayModeBar": bar, "displaylogo": False, "scrollZoom": False, "responsive": True}
    config["modeBarButtonsToRemove"] = ["toImage", "autoScale2d", "zoomIn2d", "zoomOut2d"]
    body.plot(name, layout=look, config=config, height=f"{look['height']}px", **events)


def _samples(count: int) -> str:
    return "sample" if count == 1 else "samples"
