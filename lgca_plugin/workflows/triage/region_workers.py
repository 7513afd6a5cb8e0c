"""Looking at the regions of many samples in several processes, for Python runs one thread at a time.

Each process opens the store itself and gets a share of the samples. What it is asked and what it answers goes through a
temporary folder, as JSON and arrays; it imports this package by its path, so that a copy of it that FiftyOne has loaded
as a plugin, under another name, works as well. A process that fails costs time, and no result: its share is done here.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...config import RegionConfig, RegionPlan
from ...method.core.methods import Method
from ...method.core.run_scoring import RunScoring
from ...method.explain.region_findings import RegionAnalysis
from ...progress import Steps
from ...store.rows import StoredRun
from ...store.store import Store
from .region_pass import RegionFindings, RegionPass, look_at

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

SAMPLES_A_WORKER = 2000
"""So many take one process a second or more; another process takes a third of a second to start."""
MOST_WORKERS = 8

_JOB, _ARRAYS, _RESULT = "job.json", "arrays.npz", "result.npz"
_POLL_SECONDS = 0.2
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def look_at_all(
    store: Store,
    stored: StoredRun,
    what: RegionPass,
    ids: Sequence[str],
    *,
    crops_label: NDArray[np.int64],
    chains_label: NDArray[np.int64],
) -> Generator[int, None, RegionFindings]:
    """Does what :func:`~.region_pass.look_at` does, in several processes if there are many samples and cores."""
    workers = min(_cores(), MOST_WORKERS, len(ids) // SAMPLES_A_WORKER)
    if workers < 2:
        seen = yield from look_at(store, stored, what, ids, crops_label=crops_label, chains_label=chains_label)
        return seen
    ends = [len(ids) * worker // workers for worker in range(workers + 1)]
    seen = RegionFindings.nothing(len(ids), what)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lgca-triage-")))
        shares = [slice(*bounds) for bounds in pairwise(ends)]
        running = []
        for number, share in enumerate(shares):
            own = folder / str(number)
            own.mkdir()
            _write_job(own, store, stored, what, ids[share], crops_label[share], chains_label[share])
            running.append(stack.enter_context(_Worker(own)))
        while any(worker.is_running() for worker in running):
            yield sum(worker.done for worker in running)
            time.sleep(_POLL_SECONDS)
        for worker, share in zip(running, shares, strict=True):
            part = worker.result(what)
            if part is None:
                logger.warning("A process that looks at regions has failed (%s); its part is done here", worker.error)
                again = look_at(
                    store,
                    stored,
                    what,
                    ids[share],
                    crops_label=crops_label[share],
                    chains_label=chains_label[share],
                )
                for done in (steps := Steps(again)):
                    yield share.start + done
                part = steps.result
            seen.put(share, part)
    yield len(ids)
    return seen


class _Worker:
    """A process on its share of the samples; it ends with the context."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.done = 0
        self.error = ""

    def __enter__(self) -> _Worker:
        package = Path(__file__).resolve().parents[1]
        paths = [str(package.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, **_ONE_THREAD, "PYTHONPATH": os.pathsep.join(paths)}
        module = f"{package.name}.dataset.{Path(__file__).stem}"
        try:
            self._process: subprocess.Popen[str] | None = subprocess.Popen(  # noqa: S603 (this very package)
                [sys.executable, "-m", module, str(self._folder)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
            )
        except OSError as error:
            self._process, self.error = None, str(error)
            return self
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read_steps, self._read_errors)]
        for reader in self._readers:
            reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        self._process.kill()  # in vain where it has ended by itself
        self._process.wait()
        for reader in self._readers:
            reader.join()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def is_running(self) -> bool:
        """Tells whether there may still be a result."""
        return self._process is not None and self._process.poll() is None

    def result(self, what: RegionPass) -> RegionFindings | None:
        """Reads what was found; None if the process has failed."""
        if self._process is None:
            return None
        if self._process.returncode != 0:
            for reader in self._readers:
                reader.join()
            self.error = self.error or f"exit status {self._process.returncode}"
            return None
        with np.load(self._folder / _RESULT) as found:
            arrays = {name: found[name] for name in ("there", "case_size", "proven", "stability")}
            return RegionFindings(**arrays, vectors={method.name: found[f"of {method.name}"] for method in what.others})

    def _read_steps(self) -> None:
        if self._process is not None and self._process.stdout is not None:
            for line in self._process.stdout:
                if line.strip().isdigit():
                    self.done = int(line)

    def _read_errors(self) -> None:
        if self._process is not None and self._process.stderr is not None:
            for line in self._process.stderr:
                self.error = line.strip() or self.error  # the last line of a traceback says what went wrong


def _write_job(
    folder: Path,
    store: Store,
    stored: StoredRun,
    what: RegionPass,
    ids: Sequence[str],
    crops_label: NDArray[np.int64],
    chains_label: NDArray[np.int64],
) -> None:
    finder, plan = what.finder, what.plan
    methods = {method.name: method.to_json() for method in (finder.crops, finder.chains, *what.others)}
    job = {
        "store": str(store.path.parent),
        "run": asdict(stored),
        "methods": methods,
        "crops": finder.crops.name,
        "chains": finder.chains.name,
        "others": [method.name for method in what.others],
        "plan": {name: getattr(plan, name) for name in ("n_crops", "n_chains", "steps", "budget")},
        "regions": asdict(plan.regions),
        "logit_scale": finder.scoring.logit_scale,
    }
    (folder / _JOB).write_text(json.dumps(job), encoding="utf-8")
    distinct: dict[int, str] = {}  # methods that share class vectors share their scores
    for name in methods:
        distinct.setdefault(id(finder.scoring.class_vectors[name]), name)
    same = {name: distinct[id(finder.scoring.class_vectors[name])] for name in methods}
    arrays: dict[str, Any] = {f"vectors {name}": finder.scoring.class_vectors[name] for name in set(same.values())}
    np.savez(
        folder / _ARRAYS,
        ids=np.array(ids),
        crops_label=crops_label,
        chains_label=chains_label,
        names=np.array(list(same)),
        same=np.array(list(same.values())),
        **arrays,
    )


def _read_job(folder: Path) -> tuple[dict[str, Any], RegionPass, dict[str, NDArray[Any]]]:
    job = json.loads((folder / _JOB).read_text(encoding="utf-8"))
    with np.load(folder / _ARRAYS) as stored:
        arrays = {name: stored[name] for name in stored.files}
    own = {name: arrays[f"vectors {name}"] for name in dict.fromkeys(arrays["same"].tolist())}
    vectors = {name: own[same] for name, same in zip(arrays["names"].tolist(), arrays["same"].tolist(), strict=True)}
    methods = {name: Method.from_json(document) for name, document in job["methods"].items()}
    plan = RegionPlan(**job["plan"], regions=RegionConfig(**job["regions"]))
    scoring = RunScoring(
        methods=methods,
        classes=(),
        class_vectors=vectors,
        logit_scale=job["logit_scale"],
        counts=plan.crop_counts,
    )
    finder = RegionAnalysis(scoring=scoring, crops=methods[job["crops"]], chains=methods[job["chains"]])
    return job, RegionPass(finder=finder, plan=plan, others=tuple(methods[name] for name in job["others"])), arrays


def _cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def main(folder: Path) -> None:
    """Does a share of the work: what a process is started for."""
    job, what, arrays = _read_job(folder)
    labels = {name: arrays[name] for name in ("crops_label", "chains_label")}
    run = StoredRun(**{**job["run"], "vector_keys": tuple(job["run"]["vector_keys"])})
    with Store(Path(job["store"])) as store:
        steps = Steps(look_at(store, run, what, arrays["ids"].tolist(), **labels, ahead=False))
        for done in steps:
            sys.stdout.write(f"{done}\n")
            sys.stdout.flush()
    seen = steps.result
    vectors: dict[str, Any] = {f"of {name}": of_method for name, of_method in seen.vectors.items()}
    np.savez(
        folder / _RESULT,
        there=seen.there,
        case_size=seen.case_size,
        proven=seen.proven,
        stability=seen.stability,
        **vectors,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
