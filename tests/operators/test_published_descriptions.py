"""The published description files, which lie beside the project, through the App's form: uploaded and by path."""

import json

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from tests.helpers.app.operators import CLASSIFY
from tests.helpers.paths import PUBLISHED_DESCRIPTIONS as PUBLISHED
from tests.helpers.worlds.classify import LIGHT, typed, uploaded

FILES = sorted(PUBLISHED.glob("*.json"))
pytestmark = pytest.mark.skipif(not FILES, reason="the published files lie beside the project, not in it")


@pytest.fixture
def photos(dataset, photographs):
    dataset.add_samples([fo.Sample(filepath=str(path)) for path in photographs[:2]], progress=False)
    return dataset


def by_upload(path):
    return uploaded(path.read_bytes(), path.name)


def by_path(path):
    return {"description_source": "file", "description_file": str(path)}


@pytest.mark.parametrize("given", [by_upload, by_path])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_form__takes_the_file_and_classifies_photographs_with_it(photos, path, given):
    document = json.loads(path.read_text(encoding="utf-8"))
    params = given(path) | typed(*document, run_key="published", **LIGHT)
    assert CLASSIFY.run(photos, **params)
    run = lgca.load_run(photos, "published")
    assert run.summary()["predicted"] == 2
    assert run.summary()["templates"] == []
    assert set(photos.values("published_lgca.label")) <= set(document)
