"""The check of the CUDA path finds what is wrong; here on a CPU, with few images, and without FiftyOne."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.gpu.__main__ import PARTS, main


def test_check__goes_through_all_parts_without_fiftyone_and_fails_for_other_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("fiftyone", "pymongo"):
        monkeypatch.setitem(sys.modules, name, None)
    arguments = ["--out", str(tmp_path), "--device", "cpu", "--tiny"]
    parts = sorted(set(PARTS) - {"devices"})
    assert main([*arguments, "--only", *parts]) == 0
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    said = {line["part"] for line in lines}
    assert set(parts) - {"towers"} <= said
    assert {"tower", "batch sizes", "resume", "decoding"} <= said
    assert not [line for line in lines if "problem" in line]
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(table) == len(lines) + 1  # a head of two rows; what it ran on is in the head

    (place,) = tmp_path.glob("reference_*.npz")
    reference = dict(np.load(place))
    np.savez(place, **{**reference, "l_lgca": np.roll(reference["l_lgca"], 1)})
    assert main([*arguments, "--only", "labels"]) == 1
    assert "**fails**" in capsys.readouterr().out


@pytest.mark.thorough  # two processes load torch and the model
def test_check__of_several_devices(tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path), "--device", "cpu", "--tiny", "--only", "devices"]) == 0
    (line,) = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert line["passes"] and line["devices"] == "cpu, cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a device")
def test_check__without_a_device_says_how_to_try_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path)])
    assert "--device cpu --tiny" in capsys.readouterr().err
