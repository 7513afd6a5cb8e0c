"""The published description files, which lie beside the project, through the App's form: uploaded and by path."""

import base64
import json

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone.operators.executor import ExecutionContext, Executor, ValidationContext

import lgca_plugin as lgca
from tests.helpers.paths import PUBLISHED_DESCRIPTIONS as PUBLISHED

FILES = sorted(PUBLISHED.glob("*.json"))
pytestmark = pytest.mark.skipif(not FILES, reason="the published files lie beside the project, not in it")


@pytest.fixture
def photos(dataset, photographs):
    dataset.add_samples([fo.Sample(filepath=str(path)) for path in photographs[:2]], progress=False)
    return dataset


def uploaded(path):
    content = "data:application/json;base64," + base64.b64encode(path.read_bytes()).decode()
    file = {"name": path.name, "type": "application/json", "content": content}
    return {"description_source": "upload", "description_upload": file}


def by_path(path):
    return {"description_source": "file", "description_file": str(path)}


@pytest.mark.parametrize("given", [uploaded, by_path])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_form__takes_the_file_and_classifies_photographs_with_it(photos, path, given):
    document = json.loads(path.read_text(encoding="utf-8"))
    params = {
        "class_source": "typed",
        "classes": "\n".join(document),
        "encoder": "demo",
        "run_key": "published",
        "crops": 4,
        "steps": 1,
        **given(path),
    }
    operator = foo.get_operator("@lgca/zero-shot/lgca_classify")
    request = {"dataset_name": photos.name, "params": params}
    ctx = ExecutionContext(request_params=request, executor=Executor(), operator_uri=operator.uri)
    assert not ValidationContext(ctx, operator.resolve_type(ctx, "inputs"), operator).invalid
    assert list(operator.execute(ctx))

    run = lgca.load_run(photos, "published")
    assert run.summary()["predicted"] == 2
    assert run.summary()["templates"] == []
    assert set(photos.values("published_lgca.label")) <= set(document)
