"""A second process on the same database, as the App's server is one beside a notebook: it changes runs and fields.

``python -m tests.helpers.faults.other_process`` reads calls of the functions below as lines of JSON, and answers each.
"""

import json
import subprocess
import sys
from dataclasses import replace

import fiftyone as fo

import lgca_plugin as lgca
from lgca_plugin.fiftyone_io.fields import DECISION, declare_fields, triage_field
from lgca_plugin.runs import registry
from lgca_plugin.runs.delete import delete_from_dataset


class OtherProcess:
    """Calls functions of this module in a process that was started once: ``other.decide(name, ids)``."""

    def __init__(self):
        command = [sys.executable, "-m", "tests.helpers.faults.other_process"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __getattr__(self, function):
        def call(*arguments):
            requests, answers = self._process.stdin, self._process.stdout
            assert requests is not None and answers is not None
            requests.write(json.dumps([function, *arguments]) + "\n")
            requests.flush()
            for line in answers:  # FiftyOne prints lines of its own
                if line.startswith("answer "):
                    answer = json.loads(line.removeprefix("answer "))
                    assert answer is None, answer
                    return
            raise AssertionError("the other process has ended")

        return call

    def close(self):
        self._process.communicate(timeout=60)


def make_run(name, key):
    """Registers another run with the settings of the run "zs", and declares its fields."""
    dataset = fo.load_dataset(name)
    run = registry.load_run(dataset, "zs")
    registry.register_run(dataset, key, run.config, dict(run.results))
    declare_fields(dataset, key, run.config.methods)


def replace_run(name, classes):
    """Replaces the run "zs" by one with other classes, as a rescoring in place does; its decisions stay."""
    dataset = fo.load_dataset(name)
    dataset.reload()
    run = registry.load_run(dataset, "zs")
    entries = registry.decision_entries(dataset, "zs")
    delete_from_dataset(dataset, "zs", keep=[triage_field("zs", DECISION)])
    registry.register_run(dataset, "zs", replace(run.config, classes=tuple(classes)), entries)
    declare_fields(dataset, "zs", run.config.methods)


def delete_run(name):
    """Deletes the run "zs"."""
    lgca.delete_run(fo.load_dataset(name), "zs")


def decide(name, ids, label):
    """Accepts a class for samples."""
    lgca.load_run(fo.load_dataset(name), "zs").last_triage().decide(ids, "accepted", label=label)


def make_read_only(name, path):
    """Makes a field read-only."""
    field = fo.load_dataset(name).get_field(path)
    field.read_only = True
    field.save()


def delete_field(name, path):
    """Deletes a field."""
    dataset = fo.load_dataset(name)
    dataset.reload()
    dataset.delete_sample_field(path)


def main():
    """Answers calls until the input ends: None, or the error in words."""
    for line in sys.stdin:
        function, *arguments = json.loads(line)
        try:
            answer = globals()[function](*arguments)
        except Exception as error:  # noqa: BLE001 (it is the answer)
            answer = f"{type(error).__name__}: {error}"
        print("answer", json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
