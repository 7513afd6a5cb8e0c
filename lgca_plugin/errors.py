"""The exceptions that this package raises on purpose. Each message is one sentence that says what to do."""


class LgcaError(Exception):
    """Base of every error that the package raises on purpose."""


class ConfigError(LgcaError, ValueError):
    """An argument is wrong; raised before anything is written."""


class ModelUnavailableError(LgcaError):
    """A model or its weights can't be loaded here."""


class ImageError(LgcaError):
    """One image can't be used; the message is the reason that the sample carries."""


class RunNotFoundError(LgcaError, ValueError):
    """The dataset has no run under this key."""
