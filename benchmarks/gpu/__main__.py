"""Is the CUDA path right, and what holds it back? Needs neither FiftyOne nor a database: a bare GPU machine will do.

    python -m benchmarks.gpu --out build/gpu                        # make gpu
    python -m benchmarks.gpu --out build/gpu --device cpu --tiny    # finds mistakes of the check itself

Every result is a line of JSON, with ``passes`` where there is something to pass; parts are in the order of their worth,
none begins after the budget is spent, and one that fails prints its error. The last lines are rows for the table in
``docs/speed.md``. The CPU's answers in float32, with which labels are compared, are computed first, in half a minute,
and kept in the folder. The exit status is 1 if something did not pass.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from . import fast, right, several
from .bench import Bench

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def env(bench: Bench) -> None:
    """What the check ran on."""
    own: dict[str, Any] = {"device": "cpu", "driver": None}
    if bench.cuda:
        major, minor = torch.cuda.get_device_capability(bench.device)
        own = {
            "device": torch.cuda.get_device_name(bench.device),
            "driver": driver(),
            "capability": f"{major}.{minor}",
            "free_gb": torch.cuda.mem_get_info(bench.device)[0] / 1e9,
        }
    today = datetime.now(timezone.utc).date().isoformat()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    bench.say("env", date=today, **own, torch=torch.__version__, cuda=torch.version.cuda, cores=cores)


def driver() -> str | None:
    """Returns the version of NVIDIA's driver; None where it can't be read."""
    try:
        first = Path("/proc/driver/nvidia/version").read_text(encoding="ascii").splitlines()[0]
    except (OSError, IndexError, UnicodeDecodeError):
        return None
    return next((word for word in first.split() if word[0].isdigit() and word.count(".") >= 1), None)


PARTS: dict[str, Callable[[Bench], None]] = {
    "env": env,
    "cutter": right.cutter,
    "labels": right.labels,
    "waits": right.waits,
    "speed": fast.speed,
    "memory": fast.memory,
    "towers": right.towers,
    "devices": several.devices,
    "nvjpeg": fast.nvjpeg,
    "scoring": fast.scoring,
    "two": fast.two,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the parts; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=Path, help="folder of the results")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--budget", type=float, default=270, help="seconds after which no part begins")
    parser.add_argument("--only", nargs="*", choices=PARTS, help="these parts alone")
    parser.add_argument("--tiny", action="store_true", help="few images, to try the check itself")
    parser.add_argument("--rate", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("torch finds no CUDA device; --device cpu --tiny tries the check without one")
    options.out.mkdir(parents=True, exist_ok=True)
    bench = Bench(torch.device(options.device), options.out, tiny=options.tiny)
    if options.rate:
        print(fast.rate(bench))
        return 0
    for name, part in PARTS.items():
        if options.only and name not in options.only:
            continue
        if bench.seconds > options.budget:
            bench.say(name, skipped="budget")
            continue
        try:
            part(bench)
        except Exception as error:  # noqa: BLE001 (the other parts are still worth something)
            bench.say(name, passes=False, problem=f"{type(error).__name__}: {error}"[:300])
            traceback.print_exc()
    print(*rows(bench), sep="\n")
    return int(any(line.get("passes") is False for line in bench.lines))


def rows(bench: Bench) -> list[str]:
    """Returns the results as rows for the table in ``docs/speed.md``, after its head."""
    known = next((line for line in bench.lines if line["part"] == "env"), {})
    column = f"{known.get('date', '')}, {known.get('device', bench.device)}, driver {known.get('driver')}"
    table = [f"| part | of | {column} |", "| --- | --- | --- |"]
    for line in bench.lines:
        if line["part"] == "env":
            continue
        of = " ".join(
            str(line[key]) for key in ("model", "precision", "resize", "size", "batch", "asked") if key in line
        )
        shown = ("part", "at", "passes", "model", "precision", "resize", "size", "batch", "asked")
        values = ", ".join(f"{name} {value}" for name, value in line.items() if name not in shown)
        verdict = "" if "passes" not in line else "passes: " if line["passes"] else "**fails**: "
        table.append(f"| {line['part']} | {of} | {verdict}{values} |")
    return table


if __name__ == "__main__":
    sys.exit(main())
