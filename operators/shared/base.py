"""The base classes of operators: their config and form, and their execution step by step."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import fiftyone.core.utils as fou
import fiftyone.operators as foo
from fiftyone.operators import types

from ...lgca_plugin.errors import ConfigError, LgcaError, RunCancelledError
from ...lgca_plugin.method.number_text import capitalized
from ...lgca_plugin.progress import drive
from .caller import from_page, is_own, own_call
from .dialogs.dialog import Dialog, Step
from .form import add_blocked, refuse
from .grid.boxes import on_boxes
from .plain_text import PlainProperty
from .results.result import ReadableOperator, Result
from .run_choice import chosen_run, run_keys

logger = logging.getLogger(__name__)


class FormOperator(ReadableOperator):
    """An operator with a form, which the menu above the grid opens.

    Attributes:
        title: heading of the form
        label: label in the operator browser; None for the title
        icon: name of a Material icon, whose colour is the text's in the App's light and dark theme
        submit: label of the form's own button
        purpose: what it does with the open dataset, such as "classify it"
        on_view: whether the user may choose between the dataset, the view and the selection
        begins: whether it makes a first run, so that it works on boxes that have none yet
        in_steps: whether it executes as a generator, and may be delegated
    """

    operator_name: str
    icon: str
    title: str
    label: str | None = None
    description: str
    submit: str
    purpose: str
    risk = types.RiskLevel.MEDIUM
    on_view = False
    begins = False
    in_steps = False

    @property
    def config(self) -> Any:
        """What the operator browser shows, and how it is executed."""
        return foo.OperatorConfig(
            name=self.operator_name,
            label=self.label or self.title,
            description=self.description,
            icon=self.icon,
            dynamic=True,
            execute_as_generator=self.in_steps,
            allow_delegated_execution=self.in_steps,
            risk_level=self.risk,
            view_target=self.on_view,
        )

    def add_form(self, inputs: Any, ctx: Any) -> None:
        """Adds the form to the inputs; the dataset is open."""
        raise NotImplementedError

    def refusal(self, ctx: Any) -> str | None:
        """Returns why there is no form; None if there is one."""
        return None if ctx.dataset is not None else f"Open a dataset first, then {self.purpose}."

    def act(self, ctx: Any) -> Result:
        """Does at once what the form says, and returns the result."""
        raise NotImplementedError

    def execute(self, ctx: Any) -> Any:
        """Does what the form says.

        Raises:
            LgcaError: as :meth:`act` raises it, in the words of the App
        """
        with errors_for_caller(ctx):
            return self.act(on_boxes(ctx, begin=self.begins))

    def resolve_input(self, ctx: Any) -> Any:
        """Builds the form; None for the user's own code, whose arguments are checked when they are read.

        Runs on every keystroke, so database reads are cached.
        """
        if is_own(ctx.params):
            return None
        inputs, ctx = types.Object(), on_boxes(ctx, begin=self.begins)
        refusal = self.refusal(ctx)
        if refusal is None:
            try:
                self.add_form(inputs, ctx)
                add_blocked(inputs, self.submit)
            except ConfigError as error:  # a parameter of a kind that no field of a form has
                refuse(inputs, f"{capitalized(error.app)}.")
        else:
            refuse(inputs, refusal)
        return PlainProperty(inputs, view=types.PromptView(label=self.title, submit_button_label=self.submit))


class StepOperator(FormOperator):
    """An operator that works step by step, for a page of the App, in a delegated worker or for code.

    A subclass has ``problem``, what an error means; ``read_request(ctx)``, which checks the settings; ``work(ctx,
    request)``, a generator of messages that returns the outcome; ``show(ctx, outcome)``, which yields messages; and
    ``result_of(ctx, outcome)``, the JSON for those who see no messages.
    """

    in_steps = True
    problem: str

    def result_of(self, ctx: Any, outcome: Any) -> Result:
        """Returns the result of finished work for those who see no dialog."""
        raise NotImplementedError

    async def execute(self, ctx: Any) -> Iterator[Any] | Result:
        """Checks the settings, then works step by step.

        Returns:
            messages for a page of the App; for code and workers the result, once the work is done. FiftyOne would drop
            what a generator returns, and a function that runs in a thread would be cut off after 10 minutes

        Raises:
            ConfigError: if a setting is wrong, before anything is loaded, sent or written
        """
        if from_page(ctx):
            messages: Iterator[Any] = await fou.run_sync_task(self._begin, ctx)
            return messages
        with errors_for_caller(ctx):
            ctx = on_boxes(ctx, begin=self.begins)
            return self.result_of(ctx, drive(self.work(ctx, self._request(ctx)), False, unit="steps"))

    def _request(self, ctx: Any) -> Any:
        refusal = self.refusal(ctx)
        if refusal is not None:
            raise ConfigError(refusal)
        return self.read_request(ctx)

    def _begin(self, ctx: Any) -> Iterator[Any]:
        """Checks the settings and returns the messages for a page."""
        ctx = on_boxes(ctx, begin=self.begins)
        try:
            request = self._request(ctx)
        except LgcaError as error:
            raise in_words_of_the_app(error) from None
        return self._messages(ctx, request)

    def _messages(self, ctx: Any, request: Any) -> Generator[Any, None, None]:
        try:
            outcome = yield from self.work(ctx, request)
        except RunCancelledError as error:
            yield self._cancelled(ctx, error)
            return
        except LgcaError as error:
            yield self._failure(ctx, error.app)  # the App itself shows no error of a stream that has begun
            raise in_words_of_the_app(error) from None
        except Exception as error:
            yield self._failure(ctx, f"{type(error).__name__}: {error}")
            raise
        yield from self.show(ctx, outcome)

    def _cancelled(self, ctx: Any, error: RunCancelledError) -> Any:
        """Shows that the operation was cancelled, with the form that goes on with it, and the way to undo it."""
        dialog = Dialog()
        dialog.heading(types.Notice(label="Cancelled", description=capitalized(error.app)))
        steps: list[Step] = [("Go on …", self.operator_name, dict(ctx.params))]
        if error.run_key in run_keys(ctx.dataset):
            steps.append(("Undo this run …", "lgca_delete_run", {"run_key": error.run_key}))
        dialog.buttons(steps)
        return dialog.show(ctx)

    def _failure(self, ctx: Any, sentence: str) -> Any:
        """Shows why the operation has failed, with the way back to the form as it was filled in."""
        dialog = Dialog()
        dialog.heading(types.Error(label=self.problem, description=capitalized(sentence)))
        dialog.buttons([("Back to the form", self.operator_name, dict(ctx.params))])
        return dialog.show(ctx)


@contextmanager
def errors_for_caller(ctx: Any) -> Iterator[None]:
    """Raises errors as the caller gets them: in the words of forms, or of arguments where code has called."""
    try:
        yield
    except Exception as error:
        call = own_call(ctx.params)
        if call is not None:
            call.error = error
        elif isinstance(error, LgcaError) and (from_page(ctx) or ctx.delegated):
            raise in_words_of_the_app(error) from None
        raise


def in_words_of_the_app(error: LgcaError) -> LgcaError:
    """Returns an error without the names of arguments: whoever executes an operator has filled in a form.

    It has no cause either, since the App shows the texts of all causes, which may quote files.
    """
    logger.debug("The operation has failed", exc_info=error)
    return type(error)(error.app)


class RunOperator(StepOperator):
    """A :class:`StepOperator` on one of the dataset's runs, which its form begins with."""

    def refusal(self, ctx: Any) -> str | None:
        """Returns why there is no form: no dataset is open, or it has no run."""
        verb = self.submit.lower()
        if ctx.dataset is None:
            return f"Open a dataset first, then {verb} one of its runs."
        return None if run_keys(ctx.dataset) else f"This dataset has no zero-shot run to {verb} yet: classify it first."

    def resolve_run_name(self, ctx: Any) -> str:
        """Names a delegated operation."""
        return f"{self.submit} zero-shot: {chosen_run(ctx)}"
