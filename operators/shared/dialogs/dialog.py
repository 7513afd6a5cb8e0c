"""The dialog after a run: what was found, in a sentence and pictures, and buttons for what comes next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fiftyone.operators import types

from ....lgca_plugin.errors import app_words
from ....lgca_plugin.method.number_text import capitalized
from ..plain_text import PlainProperty

PLUGIN = "@lgca/zero-shot"
CLOSE_DIALOG = f"{PLUGIN}/lgca_close_dialog"
"""The operator in ``app.js`` that closes the dialog after a run."""

SHOW_PROGRESS = f"{PLUGIN}/lgca_show_progress"
"""The operator in ``app.js`` that shows the progress of a run until the user closes it."""

NO_DONE = {"[data-cy=operators-prompt-view-modal]:has(&) .MuiDialogActions-root": {"display": "none"}}
"""Hides the button that every dialog of the App has, whose word, "Done", would be about a run that is not."""

NEXT_STEP = f"{PLUGIN}/lgca_next_step"
"""The operator that the dialog's buttons execute."""

PANEL_STEPS = {"lgca_review": "lgca_open_review", "lgca_compare": "lgca_open_compare"}
"""Panels that a button may open, and the operator that opens each."""

FORM_STEPS = (
    "lgca_find_wrong_labels",
    "lgca_delete_run",
    "lgca_classify",
    "lgca_rescore",
    "lgca_triage",
    "lgca_evaluate",
    "lgca_fuse",
    "lgca_describe_classes",
)
"""Operators whose form a button may open."""

ROW: dict[str, Any] = {"display": "flex", "flexDirection": "row", "flexWrap": "wrap", "gap": "10px"}
CHILD: dict[str, Any] = {"item": {"sx": {"width": "auto", "maxWidth": "100%", "maxHeight": "none"}}}


Step = tuple[str, str, Mapping[str, Any]]
"""A button: its label, the panel or the form that it opens, and the form's parameters."""


def steps_after(run_key: str) -> list[Step]:
    """Returns the buttons that every dialog after a run ends with."""
    return [
        ("Compare methods", "lgca_compare", {}),
        ("Undo this run …", "lgca_delete_run", {"run_key": run_key}),
    ]


def operator_uri(name: str) -> str:
    """Returns the URI of one of the plugin's operators."""
    return f"{PLUGIN}/{name}"


class Dialog:
    """A dialog that is built from its top to its bottom, and shown where the progress was."""

    def __init__(self) -> None:
        self._outputs = types.Object()
        self._results: dict[str, Any] = {}
        self._count = 0

    def heading(self, view: Any) -> None:
        """Adds a notice, a success or an error."""
        self._outputs.view(self._name("heading"), view)

    def warnings(self, warnings: Iterable[str]) -> None:
        """Adds what the user should read before trusting the result; notifications vanish, and only two are shown."""
        for warning in warnings:
            self._outputs.view(self._name("warning"), types.Warning(label=capitalized(app_words(warning))))

    def pictures(self, pictures: Sequence[tuple[str, str, str]], *, side: int) -> None:
        """Adds pictures beside each other: each a data URI, a first and a second line below it."""
        row = self._row()
        for at, (uri, first, second) in enumerate(pictures):
            one = row.v_stack(f"picture{at}", componentsProps=_only_as_wide(side))
            parts = {"image": {"sx": {"width": side, "height": side, "objectFit": "contain", "borderRadius": "4px"}}}
            view = types.ImageView(width=side, height=side, alt=f"{first} {second}", componentsProps=parts)
            one.str("image", default=uri, view=view)
            _text(one, "first", first, muted=True)
            _text(one, "second", second, bold=True)

    def buttons(self, buttons: Sequence[Step]) -> None:
        """Adds buttons beside each other; the first is filled."""
        row = self._row()
        for at, (label, step, params) in enumerate(buttons):
            row.btn(
                f"button{at}",
                label=label,
                on_click=NEXT_STEP,
                params={"open": step, "with": dict(params)},
                variant="contained" if at == 0 else "outlined",
                componentsProps=CHILD,
            )

    def actions(self, buttons: Iterable[tuple[str, str, Mapping[str, Any]]]) -> None:
        """Adds buttons, in the place of the dialog's own, that execute operators, each with its label and parameters.

        The dialog stays open, unless an operator closes it.
        """
        row = self._row(NO_DONE)
        for at, (label, uri, params) in enumerate(buttons):
            row.btn(
                f"button{at}",
                label=label,
                on_click=uri,
                params=dict(params),
                variant="outlined",
                componentsProps=CHILD,
            )

    def progress(self, share: float, label: str) -> None:
        """Adds a bar for a share in [0, 1] that is done, and a line on it."""
        self._results["progress"] = share  # the name that FiftyOne's own bar has
        self._outputs.float("progress", view=types.ProgressView(label=label))

    def lines(self, lines: Mapping[str, str]) -> None:
        """Adds lines of label and value."""
        for label, value in lines.items():
            self._results[label] = value
            self._outputs.str(label, label=label, view=types.LabelValueView())

    def figure(self, figure: Mapping[str, Any]) -> None:
        """Adds a figure, given as a Plotly document, at its own height."""
        name = self._name("figure")
        layout = figure["layout"]
        config = {"displayModeBar": False, "responsive": True}
        self._outputs.plot(name, layout=layout, config=config, height=f"{layout['height']}px")
        self._results[name] = figure["data"]

    def text(self, words: str, *, muted: bool = False) -> None:
        """Adds a line of text."""
        _text(self._outputs, self._name("text"), words, muted=muted)

    def show(self, ctx: Any) -> Any:
        """Returns the message that shows it."""
        return ctx.ops.show_output(outputs=PlainProperty(self._outputs).to_json(), results=self._results)

    def show_until_closed(self, ctx: Any, work: str) -> Any:
        """Returns the message that shows it as the progress of a call, unless the user has closed that before."""
        outputs = PlainProperty(self._outputs).to_json()
        return ctx.trigger(SHOW_PROGRESS, {"work": work, "outputs": outputs, "results": self._results})

    def _row(self, look: Mapping[str, Any] | None = None) -> Any:
        return self._outputs.h_stack(self._name("row"), componentsProps={"grid": {"sx": {**ROW, **(look or {})}}})

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}{self._count}"


def _only_as_wide(side: int) -> dict[str, Any]:
    column = {"sx": {"display": "flex", "flexDirection": "column", "gap": "2px"}}
    return {"item": {"sx": {**CHILD["item"]["sx"], "width": f"{side}px"}}, "grid": column}


def _text(parent: Any, name: str, words: str, *, muted: bool = False, bold: bool = False) -> None:
    """Adds plain text, which is never parsed as markup."""
    look = {"overflowWrap": "anywhere", "fontWeight": 600 if bold else 400, "lineHeight": 1.3}
    color = "text.secondary" if muted else "text.primary"
    parts = {**CHILD, "text": {"sx": look}}
    view = types.TextView(title=words, padding="0", font_size="0.85rem", color=color, componentsProps=parts, space=None)
    parent.view(name, view)
