"""The FiftyOne plugin ``@lgca/zero-shot``.

FiftyOne runs this file again on every operator call, so it holds :func:`register` and nothing else.
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
