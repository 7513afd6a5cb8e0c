"""What `make docs` does to the pages beside mkdocs: references in docstrings become plain names."""

from __future__ import annotations

import re
from typing import Any

ROLE = re.compile(r":(?:func|class|meth|attr|mod|data|exc|obj):<code>([^<]*)</code>")


def on_page_content(html: str, **_: Any) -> str:
    """Returns a page with ``lgca.classify`` for a reference to ``lgca_plugin.classify``."""
    return ROLE.sub(lambda found: f"<code>{plain(found[1])}</code>", html)


def plain(target: str) -> str:
    """Returns the name that a reference shows: the last part after ``~`` or a dot, else the whole."""
    if target.startswith(("~", ".")):
        return target.rpartition(".")[2] or target
    return re.sub(r"^lgca_plugin\.(?=\w+(\.\w+)?$)", "lgca.", target)
