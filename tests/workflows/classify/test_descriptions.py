"""Class descriptions in runs."""

import json

import fiftyone as fo
import pytest

from tests.helpers.paths import PUBLISHED_DESCRIPTIONS as PUBLISHED


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published files lie beside the project, not in it")
@pytest.mark.parametrize("name", ["cub_clip-d", "dtd_clip-d", "dtd_cupl", "oxford_pet_clip-d", "oxford_pet_cupl"])
def test_published_files__classify_photographs(dataset, photographs, classify, name):
    dataset.add_samples([fo.Sample(filepath=str(path)) for path in photographs[:2]], progress=False)
    path = PUBLISHED / f"{name}.json"
    classes = list(json.loads(path.read_text(encoding="utf-8")))
    run = classify(dataset, classes=classes, descriptions=path)
    assert run.summary()["predicted"] == 2
    assert run.summary()["templates"] == []
    assert set(dataset.values("zs_wca.label")) <= set(classes)


def test_run__records_what_stood_in_and_says_so(birds, classify, caplog):
    descriptions = {"Blue_Tit": ["a yellow breast"], "crow": ["black wings"]}
    run = classify(birds.limit(1), classes=["blue tit", "redpoll"], descriptions=descriptions)
    assert run.summary()["templates"] == ["redpoll"]
    assert "no descriptions for redpoll: the template ensemble stands in" in caplog.text
    assert "given for crow, which no class is called" in caplog.text
    assert run.descriptions["blue tit"] == ["blue tit, which has a yellow breast."]
