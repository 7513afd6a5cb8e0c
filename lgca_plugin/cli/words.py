"""Messages for code in the words of the command line, where arguments are options."""

from __future__ import annotations

import re

_CALLS = {
    "lgca.classify": "lgca classify",
    "lgca.find_wrong_labels": "lgca find",
    "lgca.delete_run": "deleting the run",
    "lgca.prepare_job": "lgca job prepare",
    "lgca.collect_job": "lgca job collect",
}
_OPTIONS = {
    "run_key": "--run",
    "corrected_field": "--corrected-field",
    "batch_size": "--batch-size",
    "description_style": "--description-style",
    "unused_days": "--unused-days",
    "rows_per_part": "--rows-per-part",
    "store_regions": "--store-regions",
}
_QUOTED = re.compile(r"((?<!\w)'[^'\n]*'(?!\w)|\"[^\"\n]*\")")
_LIST = re.compile(r"\b(\w+)=\(([^()]*)\)")
_FLAG = re.compile(r"\b(?:pass )?(\w+)=True\b")


def command_words(message: str) -> str:
    """Returns a message with arguments as options; what is quoted are values, which stay as they are."""
    message = _LIST.sub(lambda found: f"--{found[1]} {found[2].replace(', ', ',').replace(chr(39), '')}", message)
    message = re.sub(r"^ground_truth\b", "--labels", message)  # elsewhere it is a field that many datasets have
    parts = _QUOTED.split(message)
    for at in range(0, len(parts), 2):
        text = _FLAG.sub(lambda found: f"give --{found[1].replace('_', '-')}", parts[at])
        for call, words in _CALLS.items():
            text = text.replace(call, words)
        for name, flag in _OPTIONS.items():
            text = re.sub(rf"(?<![-\w]){name}\b", flag, text)
        parts[at] = text
    return "".join(parts)
