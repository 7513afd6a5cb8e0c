"""The evidence panel's tables: each method's answer, and its answer without the regions that are taken out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fiftyone.operators import types

from ....lgca_plugin.method.core.methods import method_title, without_controls
from ....lgca_plugin.method.explain.film_strip import Chain, Frame, Strip
from ....lgca_plugin.method.explain.sentences import MethodAnswer, evidence_sentences, method_answers
from ....lgca_plugin.method.number_text import percent_text, signed_text
from ....lgca_plugin.workflows.decisions.decisions import Decision, decision_word
from ....lgca_plugin.workflows.evidence.sample_record import SampleRecord
from ..widgets import SMALL, TABLE, button, choice, heading, row, text
from .content import Explanation, Result

ABOUT = {
    "confidence": "Confidence: the softmax probability of the label among the run's classes, to rank images by within "
    "one method",
    "margin": "Margin: the score of the best class minus that of the second best; scores are cosine similarities, "
    "HADA's are sums of those of several models",
    "stability": "Stability: the share of 200 bootstrap draws of the crops in which the method keeps its label; at "
    "100% the label does not depend on which crops were drawn",
    "before": "Lead: the score of the first rival minus that of the second under this method; negative where the "
    "second leads",
    "after": "The lead without the regions that are taken out; the weights of the others are renormalized",
}
"""Definitions of the columns, as tooltips."""


def add_answers(page: Any, result: Result) -> None:
    """Adds the methods' labels, in sentences and as a table, and the facts of the sample."""
    sample = result.sample
    evidence = result.explanation.evidence if result.explanation else None
    columns = {"method": "Method", "label": "Label", "confidence": "Confidence", "margin": "Margin"}
    if evidence is not None:
        for at, sentence in enumerate(evidence_sentences(evidence)):
            text(page, f"sentence_{at}", sentence, bold=at == 0, width="100%")
        columns["stability"] = "Stability"
    rows = []
    for method in without_controls(sample.predictions):
        answer = sample.predictions[method]
        cells = {
            "method": method_title(method),
            "label": answer.label if answer.before is None else f"{answer.label} (without shares {answer.before})",
            "confidence": percent_text(answer.confidence),
            "margin": "\u2013" if answer.margin is None else f"{answer.margin:.4f}",
        }
        if evidence is not None and method in evidence.stability:
            cells["stability"] = percent_text(evidence.stability[method])
        rows.append(cells)
    _table(page, "answers", columns, rows)
    facts = row(page, "facts", gap="2px 16px")
    for name, words, title in _facts(sample):
        text(facts, name, words, size=SMALL, title=title)


def add_what_if(page: Any, explanation: Explanation, strip: Strip, panel: Any) -> None:
    """Adds the buttons that take regions out, and the methods' answers without them."""
    evidence, out = explanation.evidence, explanation.out
    heading(page, "what_if_title", "What if?", "Take regions out: their weight is shared among the others.")
    buttons = row(page, "what_if", gap="6px", align="flex-end")
    misleading = int(evidence.misleading.sum())
    if misleading:
        label = f"Take out all {misleading} misleading crops" if misleading > 1 else "Take out the misleading crop"
        gone = bool(evidence.misleading[list(out)].sum() == misleading)
        about = "The crops that vote for WCA's label and pull WCA towards it, where LGCA has another label"
        button(buttons, "misleading", label, panel.take_misleading, title=about, disabled=gone)
    if evidence.case is not None:
        size = evidence.case.size
        label = f"Take out the {size} that {'does' if size == 1 else 'do'} it"
        about = "The fewest crops without which WCA's label is LGCA's"
        button(buttons, "fewest", label, panel.take_fewest, title=about)
    regions = [(str(frame.region), _region_name(chain, frame)) for chain in strip.chains for frame in chain.frames]
    about = "The same as a click on its picture"
    choice(buttons, "region", "Take out or put back", regions, panel.toggle_region, about, "132px")
    if out:
        button(buttons, "reset", "Put all back", panel.put_back, icon="restart_alt", title="All regions count again")
        _add_leads(page, explanation)


def _add_leads(page: Any, explanation: Explanation) -> None:
    """Adds each method's lead and label with all regions, and without those that are taken out."""
    evidence, (first, second), out = explanation.evidence, explanation.names, explanation.out
    columns = {
        "method": "Method",
        "before": f"Lead of {first}",
        "after": f"Without {len(out)} {'region' if len(out) == 1 else 'regions'}",
        "says": "Label then",
    }
    before = method_answers(evidence.verdicts, first, second)
    after = method_answers(evidence.without(out), first, second)
    _table(page, "leads", columns, [_lead(*pair) for pair in zip(before, after, strict=True)])


def _lead(before: MethodAnswer, after: MethodAnswer) -> dict[str, str]:
    label = "no label: no region is left" if after.label is None else after.label
    return {
        "method": method_title(before.method),
        "before": signed_text(before.lead),
        "after": signed_text(after.lead),
        "says": label if after.label == before.label else f"{label} (was {before.label})",
    }


def _table(page: Any, name: str, columns: dict[str, str], rows: Sequence[dict[str, str]]) -> None:
    """Adds a table, with the definitions of its columns as tooltips of every cell."""
    table = types.TableView(size="small", componentsProps=TABLE)
    for column, label in columns.items():
        table.add_column(column, label=label)
    for at in range(len(rows)):
        for place, column in enumerate(columns):  # the App finds a tooltip's column by its place, not its name
            if column in ABOUT:
                table.add_tooltip(at, place, ABOUT[column])
    page.list(name, types.Object(), default=list(rows), view=table)


def _region_name(chain: Chain, frame: Frame) -> str:
    grown = f", grown {frame.step} {'time' if frame.step == 1 else 'times'}" if frame.step else ""
    return f"Crop {chain.number + 1}{grown}: {frame.vote}{' (out)' if frame.out else ''}"


def _facts(sample: SampleRecord) -> list[tuple[str, str, str]]:
    """Lists name, text and tooltip of what is known of the sample besides the methods' answers."""
    facts = []
    if sample.given is not None:
        facts.append(("given", f"Given label: {sample.given}", "The label that the sample came with"))
    if sample.suggested is not None:
        sure = f" ({percent_text(sample.suggested_confidence)})" if sample.suggested_confidence is not None else ""
        about = "The class that triage suggests instead of the given label, and its calibrated probability"
        facts.append(("suggested", f"Suggested: {sample.suggested}{sure}", about))
    if sample.quality is not None:
        about = "The probability that the given label is right, as estimated by triage"
        facts.append(("quality", f"Label quality: {percent_text(sample.quality)}", about))
    if sample.case is not None:
        about = "Which methods disagree, and which are right where a label is known"
        facts.append(("case", f"Case: {sample.case}", about))
    for method, answer in sample.predictions.items():
        if answer.fold is not None:
            about = "This image's label was learned from, so weights answer for it that were learned without it"
            facts.append(("fold", f"{method_title(method)} answers without having seen this label", about))
    if sample.decision is not None:
        what = decision_word(Decision(sample.decision), sample.corrected, sample.given)
        what = f"{what} to {sample.corrected}" if what == Decision.ACCEPTED.word else what
        facts.append(("decision", f"Decided: {what}, by {sample.decided_by}", "The current decision on this sample"))
    return facts
