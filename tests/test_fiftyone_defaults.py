"""What the library takes from FiftyOne where nothing is given: its configuration folder and its progress bar."""

from pathlib import Path

import fiftyone.constants as foc

from lgca_plugin.progress import Progress, drive
from lgca_plugin.store.limits import default_folder
from lgca_plugin.workflows.describe import default_cache

FOLDER = Path(foc.FIFTYONE_CONFIG_DIR) / "lgca"


def test_folders__are_in_fiftyones_configuration(monkeypatch):
    monkeypatch.delenv("LGCA_STORE_DIR")
    assert default_folder() == FOLDER / "embeddings"
    assert default_cache() == FOLDER / "descriptions"


def test_drive__shows_fiftyones_progress_bar(capsys):
    def steps():
        for done in range(3):
            yield Progress(done=done, total=2, label="")
        return "result"

    assert drive(steps(), True, unit="classes") == "result"
    assert "classes/s" in capsys.readouterr().out
