"""The package's exceptions. Each message is one sentence that names the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class LgcaError(Exception):
    """Base of every error that the package raises on purpose.

    Attributes:
        app: the message in the words of the App's forms, where the one for code names an argument
    """

    def __init__(self, message: str = "", *, app: str | None = None) -> None:
        super().__init__(message)
        self.app = app or message


class ConfigError(LgcaError, ValueError):
    """An argument is wrong; raised before anything is written."""


class ModelUnavailableError(LgcaError):
    """A model or its weights can't be loaded here."""


class ImageError(LgcaError):
    """One image can't be used; the message is written to the sample as the reason."""


class RunNotFoundError(LgcaError, ValueError):
    """The dataset has no run under this key."""


class StoreError(LgcaError):
    """The store of embeddings can't be read or written."""


class DescribeError(LgcaError):
    """A language model's endpoint can't be used; ``descriptions`` holds its answers so far."""

    def __init__(
        self, message: str, descriptions: Mapping[str, tuple[str, ...]] | None = None, *, app: str | None = None
    ) -> None:
        super().__init__(message, app=app)
        self.descriptions = dict(descriptions or {})
