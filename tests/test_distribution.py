"""What people get who install the plugin: the archive that FiftyOne downloads."""

import functools
import http.server
import json
import os
import subprocess
import sys
import threading
import zipfile

import fiftyone as fo
import pytest
import yaml

from scripts.plugin_zip import write_zip
from tests.helpers.paths import ROOT
from tests.helpers.worlds.birds import like_the_demo

DOWNLOAD_AND_FIND = """
import json, sys
from pathlib import Path
import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.plugins as fop
import fiftyone.plugins.context as fopc

(folder,) = fop.download_plugin(sys.argv[1]).values()
(context,) = (one for one in fopc.build_plugin_contexts() if one.name == "@lgca/zero-shot")
dataset = fo.load_dataset(sys.argv[2])
foo.execute_operator(
    "@lgca/zero-shot/lgca_find_wrong_labels",
    dataset=dataset,
    params={"ground_truth": "ground_truth", "run_key": "downloaded"},
)
own = [module.__file__ for name, module in sys.modules.items() if ".lgca_plugin" in name and module.__file__]
print(json.dumps({
    "errors": context.errors,
    "names": sorted(one.name for one in context.instances),
    "skills": [one.name for one in fop.list_skills(plugin="@lgca/zero-shot")],
    "elsewhere": [file for file in own if not file.startswith(str(Path(folder).resolve()))],
    "files": len(own),
    "found": dataset.count("downloaded_label_quality"),
}))
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return write_zip(tmp_path_factory.mktemp("site") / "lgca.zip")


def test_archive__holds_the_plugin_alone(archive):
    with zipfile.ZipFile(archive) as opened:
        names = [name.partition("/")[2] for name in opened.namelist()]
    tops = {name.split("/")[0] for name in names if name}
    assert tops == {
        "__init__.py",
        "fiftyone.yml",
        "manifest.json",
        "requirements.txt",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "CITATION.cff",
        "lgca_plugin",
        "operators",
        "skills",
    }
    assert {"lgca_plugin/demo/model/open_clip_pytorch_model.bin", "operators/shared/app.js"} <= set(names)
    assert archive.stat().st_size < 10e6


@pytest.mark.thorough
def test_downloaded_plugin__registers_and_finds_wrong_labels(archive, dataset, demo_images, tmp_path):
    dataset.persistent = True
    like_the_demo(dataset, demo_images[:12])
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(archive.parent))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    folders = {"FIFTYONE_PLUGINS_DIR": str(tmp_path / "plugins"), "LGCA_STORE_DIR": str(tmp_path / "store")}
    address = f"http://127.0.0.1:{server.server_port}/lgca.zip"
    try:
        done = subprocess.run(
            [sys.executable, "-c", DOWNLOAD_AND_FIND, address, dataset.name],
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, **folders, "FIFTYONE_DATABASE_NAME": fo.config.database_name},
        )
    finally:
        server.shutdown()
        server.server_close()
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    manifest = yaml.safe_load((ROOT / "fiftyone.yml").read_text(encoding="utf-8"))
    assert found["errors"] == [] and found["elsewhere"] == [] and found["files"] > 50
    assert found["names"] == sorted([*manifest["operators"], *manifest["panels"]])
    assert found["skills"] == manifest["skills"]
    assert found["found"] == 12
