"""``ClassNames``: what the model reads in place of a class's name, and the prompt that the name stands in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..config.checks import is_whole_text
from ..errors import ConfigError, shown
from .names import readable

if TYPE_CHECKING:
    from collections.abc import Sequence

LABEL_PROMPT = "a photo of a {}."
"""The label prompt of the published methods."""
ENTRY = "class_names"
"""Entry of a run's record, which runs without names of their own lack."""
_SLOT = "{}"


@dataclass(frozen=True, kw_only=True)
class ClassNames:
    """How classes are named to the model.

    Attributes:
        display: class to the name that the model reads, for classes that have another than their own; others may be in
            it, too
        prompt: text with ``{}`` where the name stands, that ``clip`` compares the image with
    """

    display: Mapping[str, str] = field(default_factory=dict)
    prompt: str = LABEL_PROMPT

    def of(self, name: str) -> str:
        """Returns a class's name as the model reads it, with spaces for underscores."""
        return readable(self.display.get(name, name))

    def label_prompt(self, name: str) -> str:
        """Returns a class's label prompt."""
        return self.prompt.replace(_SLOT, self.of(name))

    @property
    def are_own(self) -> bool:
        """True if every class has its own name, in the published prompt."""
        return not self.display and self.prompt == LABEL_PROMPT

    def to_results(self) -> dict[str, Any]:
        """Returns the entry of a run's record; empty where names and prompt are the usual ones."""
        return {} if self.are_own else {ENTRY: {"display": dict(self.display), "prompt": self.prompt}}

    @classmethod
    def of_results(cls, results: Mapping[str, Any]) -> ClassNames:
        """Returns the names of a run's record."""
        found = results.get(ENTRY) or {}
        return cls(display=dict(found.get("display") or {}), prompt=found.get("prompt") or LABEL_PROMPT)

    def changed(
        self, classes: Sequence[str], display_names: Mapping[str, str] | None, prompt: str | None
    ) -> ClassNames:
        """Returns the names of some classes, with other names or another prompt.

        Args:
            classes: the classes
            display_names: class to name, in place of all names that there are; None keeps them, an empty dict none
            prompt: the new prompt; None keeps the old one

        Raises:
            ConfigError: if one of the two is wrong
        """
        display = self.display if display_names is None else check_display_names(display_names, classes)
        return ClassNames(display=display, prompt=self.prompt if prompt is None else check_prompt(prompt))


def check_display_names(display_names: Any, classes: Sequence[str]) -> dict[str, str]:
    """Returns class to the name that the model reads, without names that are the class's own.

    Raises:
        ConfigError: if it does not map classes to names, or names none of the classes
    """
    if not isinstance(display_names, Mapping):
        raise ConfigError(
            f"display_names must map classes to names, like {{'001.Duck': 'duck'}}; got {shown(display_names)}"
        )
    if display_names and set(classes).isdisjoint(display_names):
        raise ConfigError(
            f"display_names has a name for {shown(next(iter(display_names)))}, but for none of the classes"
        )
    found = {}
    for name, text in display_names.items():
        if not isinstance(name, str) or not is_whole_text(name):
            raise ConfigError(f"display_names must have the names of classes as keys, got {shown(name)}")
        if not isinstance(text, str) or not text.strip() or not is_whole_text(text) or "\n" in text.strip():
            raise ConfigError(f"the display name of {name!r} must be one line of text, got {shown(text)}")
        if text.strip() != name:
            found[name] = text.strip()
    return found


def check_prompt(prompt: Any) -> str:
    """Returns a prompt.

    Raises:
        ConfigError: if it is no text with one place for the name
    """
    if not isinstance(prompt, str) or prompt.count(_SLOT) != 1 or not is_whole_text(prompt) or "\n" in prompt.strip():
        raise ConfigError(
            f"prompt must be one line of text with {{}} where the class's name goes, such as {LABEL_PROMPT!r}; "
            f"got {shown(prompt)}"
        )
    return prompt.strip()
