"""Bad images, by the hundred and damaged at random: none hangs, takes more than its memory or disturbs another."""

from __future__ import annotations

import json
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.images.decoding import MAX_PIXELS
from lgca_plugin.images.memory import MAX_FILE_BYTES, MAX_PIXEL_BYTES
from tests.helpers.bad_images import Bad, corpus, fuzz, read
from tests.helpers.faults.damage import damage, differences, values_of
from tests.helpers.faults.process import job
from tests.helpers.faults.world import new_dataset
from tests.helpers.paths import ROOT

PATIENCE = 120.0
"""Seconds after which a file hangs the process; on an idle machine the longest take 10 s, each opened seven times."""

PICTURE_BYTES = 4 * MAX_PIXELS
"""Memory of the largest picture once it is decoded."""

OVERHEAD_BYTES = 256 * 1024**2
LEAST = 250
HUGE = "169 million|tile 30000|100 million"
"""Those that take long: they are read in one way, and a run holds two of them."""

IN_RUN = ("alpha 169 million.png", "grey 169 million.png")
PIECES = ("Traceback", "Error(", " object at 0x", "<_io", "\n")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bad]:
    """The corpus on disk, by path."""
    folder = tmp_path_factory.mktemp("bad")
    found = {str(folder / bad.name): bad for bad in corpus()}
    for path, bad in found.items():
        bad.write(Path(path))
    assert len(found) >= LEAST
    return found


def lines_of(*command: str, errors: Path) -> Iterator[dict[str, Any]]:
    """What a process prints; it is killed where it prints nothing for long."""
    found: queue.Queue[str | None] = queue.Queue()
    with errors.open("w") as out:
        process = subprocess.Popen([sys.executable, "-m", *command], stdout=-1, stderr=out, text=True, cwd=ROOT)

    def follow() -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                found.put(line)
        found.put(None)

    reading = threading.Thread(target=follow)
    reading.start()
    try:
        while (line := found.get(timeout=PATIENCE)) is not None:
            yield json.loads(line)
        assert process.wait() == 0, errors.read_text()[-2000:]
    finally:
        process.kill()
        process.wait()
        reading.join()


def wrong(bad: Bad, found: dict[str, Any]) -> str:
    """Returns what is wrong with how a file was read; nothing if nothing is."""
    reason = found["reason"]
    if reason is None:
        if bad.reason is not None and not bad.or_read:
            return f"read, in spite of {bad.reason!r}"
        ways = [name for name in ("thumbnail", "marked", "metadata") if not found[name]]
        return f"not shown: {ways} {found['shown']}" if ways or found["shown"] else ""
    if bad.reason is None or not re.search(bad.reason, reason):
        return f"{reason!r}, not {bad.reason!r}"
    if not 10 < len(reason) < 300 or any(piece in reason for piece in PIECES):
        return f"no sentence: {reason!r}"
    return ""


def test_corpus__is_read_or_refused_with_a_reason_within_time_and_memory(
    files: dict[str, Bad], count_fault: Any, tmp_path: Path
) -> None:
    listed = tmp_path / "files.json"
    listed.write_text(json.dumps({path: bool(re.search(HUGE, bad.name)) for path, bad in files.items()}))
    name, n_read, problems = "", 0, []
    try:
        for line in lines_of(read.__name__, str(listed), errors=tmp_path / "errors"):
            name = line.get("start", name)
            if "start" in line:
                continue
            n_read += 1
            if found := wrong(files[name], line):
                problems.append((files[name].name, found))
            if line["peak"] > MAX_PIXEL_BYTES + PICTURE_BYTES + OVERHEAD_BYTES:
                problems.append((files[name].name, f"{line['peak']:,} bytes"))
    except (queue.Empty, AssertionError) as error:
        problems.append((name, f"the process has hung or died: {error!r}"))
    assert not problems
    assert n_read == len(files)
    count_fault("bad image read in every way", times=n_read)


def test_run__with_bad_images_among_the_good_gives_the_good_what_they_have_alone(
    files: dict[str, Bad], images: Any, reference: Any, count_fault: Any, tmp_path: Path
) -> None:
    chosen = [path for path, bad in files.items() if bad.name in IN_RUN or not re.search(HUGE, bad.name)]
    chosen = [path for path in chosen if fo.Sample(filepath=path).media_type == "image"]  # FiftyOne goes by the suffix
    dataset = new_dataset(images)
    goods = dataset.values("filepath")
    dataset.clear()
    every = len(chosen) // len(goods) + 1
    samples = []
    for at, good in enumerate(goods):
        label = fo.Classification(label=images[at].label)
        samples.append(fo.Sample(filepath=good, ground_truth=label, truth=fo.Classification(label=images[at].truth)))
        samples[-1]["note"] = f"note {at}"
        samples += [fo.Sample(filepath=path) for path in chosen[at * every : (at + 1) * every]]
    dataset.add_samples(samples)
    with job(tmp_path, "classify", dataset.name) as running:
        running.wait_for("ready")
        process = running.process
        before = most = read.memory("VmRSS", process.pid or 0)
        ending = threading.Thread(target=running.end, args=(1200.0,))
        ending.start()
        while ending.is_alive():
            most = max(most, read.memory("VmHWM", process.pid or 0))
            time.sleep(0.1)
        assert process.exitcode == 0, running.errors
    assert most - before < MAX_PIXEL_BYTES + MAX_FILE_BYTES + 2 * PICTURE_BYTES + OVERHEAD_BYTES
    dataset.reload()
    reasons = dict(zip(*dataset.values(["filepath", "zs_error"]), strict=True))
    problems = []
    for path in chosen:
        bad, reason = files[path], reasons[path]
        if reason is None and bad.reason is not None and not bad.or_read:
            problems.append((bad.name, "predicted"))
        if reason is not None and (bad.reason is None or not re.search(bad.reason, reason)):
            problems.append((bad.name, reason))
    assert not problems
    warnings = lgca.load_run(dataset, "zs").summary()["warnings"]
    assert any("values that fill only some bits of their type" in one for one in warnings), warnings
    names = tuple(f"{Path(good).name}/" for good in goods)
    found, expected = (
        {name: value for name, value in values.items() if name.startswith(names)}
        for values in (values_of(dataset), reference.after(("classify", {})))
    )
    print(*differences(found, expected), sep="\n")
    dataset.delete()
    count_fault("bad image in a run", damage(found, expected), times=len(chosen))


@pytest.mark.parametrize("seed", [0, 1])
def test_fuzzed__image_is_read_or_refused_within_time_and_memory(seed: int, count_fault: Any, tmp_path: Path) -> None:
    last: dict[str, Any] = {}
    try:
        for last in lines_of(fuzz.__name__, str(seed), errors=tmp_path / "errors"):
            assert not last["wrong"]
            assert last["peak"] < MAX_PIXEL_BYTES + PICTURE_BYTES + OVERHEAD_BYTES
    except queue.Empty:
        pytest.fail(f"hung behind {last}")
    print(last)
    assert last["at"] == fuzz.COUNT
    count_fault("image damaged at random", times=last["at"])


def test_budget__covers_what_decoding_takes_of_every_format(tmp_path: Path, count_fault: Any) -> None:
    """Images of 12 million pixels: of each, the memory that is reserved, and what decoding has taken."""
    rows = list(lines_of(read.__name__, "--budget", errors=tmp_path / "errors"))
    print(*rows, sep="\n")
    assert len(rows) > 15
    assert not [row for row in rows if row["peak"] > row["reserved"] + 16 * 1024**2]
    count_fault("decoding within its memory", times=len(rows))
