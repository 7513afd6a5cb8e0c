"""What FiftyOne's model zoo loads to read the texts of a search: finds this plugin's library, wherever it is installed.

A copy of this folder lies in FiftyOne's folder of models, so it imports nothing of the library by itself.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

PLUGIN = "@lgca/zero-shot"
LOADED_BY_APP = "fiftyone.plugins.orgs.lgca.zero_shot.lgca_plugin"
LIBRARY = "lgca_plugin"
MODULE = "workflows.similarity.text_model"


def load_model(model_name: str, model_path: str, **kwargs: Any) -> Any:  # noqa: ARG001 (as FiftyOne calls it)
    """Returns the model that reads the texts of a search; ``kwargs`` are its arguments.

    Raises:
        ImportError: if neither the App nor Python nor FiftyOne's folder of plugins has this plugin
    """
    package = next(filter(_is_there, [LOADED_BY_APP, LIBRARY]), None)
    if package is None:
        package = _import_from_plugin()
    return import_module(f"{package}.{MODULE}").TextModel(**kwargs)


def _is_there(package: str) -> bool:
    try:
        return find_spec(f"{package}.{MODULE}") is not None
    except ModuleNotFoundError:
        return False


def _import_from_plugin() -> str:
    """Imports the library from the plugin's folder, and returns the name of its package."""
    import fiftyone.plugins as fop

    folder = next((one.directory for one in fop.list_plugins() if one.name == PLUGIN), None)
    if folder is None or LIBRARY in sys.modules:
        raise ImportError(
            f"a search by text in this index needs fiftyone-lgca: install its latest release, or {PLUGIN}"
        )
    package = Path(folder) / LIBRARY
    spec = spec_from_file_location(LIBRARY, package / "__init__.py", submodule_search_locations=[str(package)])
    assert spec is not None and spec.loader is not None  # noqa: S101 (it is a Python file)
    sys.modules[LIBRARY] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[LIBRARY])
    return LIBRARY
