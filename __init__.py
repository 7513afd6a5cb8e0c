"""The FiftyOne plugin ``@lgca/zero-shot``, and a source of models for FiftyOne's model zoo.

FiftyOne runs this file again on every operator call, so it holds what FiftyOne calls and nothing else.
"""

from typing import Any


def register(p: Any) -> None:
    """Registers the plugin's operators and panels.

    Args:
        p: the ``fiftyone.plugins.context.PluginContext`` to register on
    """
    from .operators import OPERATORS, PANELS

    for component in (*OPERATORS, *PANELS):
        p.register(component)


def download_model(model_name: str, model_path: str) -> None:
    """Fetches the weights of a model of ``manifest.json``; the zoo calls it."""
    from .lgca_plugin.workflows.model.zoo import fetch

    fetch(model_name, model_path)


def load_model(model_name: str, model_path: str, **settings: Any) -> Any:  # noqa: ARG001 (the zoo passes both)
    """Loads a model of ``manifest.json``; the zoo calls it for ``foz.load_zoo_model(model_name, **settings)``."""
    from .lgca_plugin.workflows.model.zoo import open_model

    return open_model(model_name, **settings)


def resolve_input(model_name: str, ctx: Any) -> Any:  # noqa: ARG001 (the zoo passes both)
    """Returns the form of a model's settings, for FiftyOne's zoo operators in the App."""
    from fiftyone.operators import types

    from .lgca_plugin.workflows.model.zoo import add_settings

    inputs = types.Object()
    add_settings(inputs)
    return types.Property(inputs)
