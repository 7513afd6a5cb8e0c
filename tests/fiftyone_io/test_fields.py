"""The fields that a run declares: stored as if FiftyOne had declared them one by one."""

import fiftyone as fo
import pytest
from fiftyone.core.odm import get_db_conn

from lgca_plugin.fiftyone_io.database import merge_schema
from lgca_plugin.fiftyone_io.fields import declare_fields, run_fields
from lgca_plugin.method.core.methods import METHODS

METHODS_OF_RUN = [METHODS[name] for name in ("clip", "wca", "lgca")]


def stored(dataset):
    """The dataset's fields as they are in the database, without the time at which they were made."""

    def plain(value):
        if isinstance(value, dict):
            return {name: plain(part) for name, part in value.items() if name != "created_at"}
        return [plain(part) for part in value] if isinstance(value, list) else value

    fields = get_db_conn().datasets.find_one({"_id": dataset._doc.id})["sample_fields"]
    return {field["name"]: plain(field) for field in fields}


@pytest.mark.parametrize("adaptive", [False, True])
def test_declare__stores_what_fiftyone_does_path_by_path(dataset, adaptive):
    declare_fields(dataset, "zs", METHODS_OF_RUN, adaptive=adaptive)
    schema = dataset.get_field_schema(flat=True)
    for path in ("zs_clip.margin", "zs_wca.margin", "zs_lgca.margin"):
        assert isinstance(schema[path], fo.FloatField)
    for name in ("similarity", "weight", "contribution"):
        assert isinstance(schema[f"zs_regions.detections.{name}"], fo.FloatField)
    assert isinstance(schema["zs_regions.detections.step"], fo.IntField)
    assert isinstance(schema["zs_regions.detections.misleading"], fo.BooleanField)
    other, names = fo.Dataset(), run_fields("zs", METHODS_OF_RUN, adaptive=adaptive)
    for name in names:
        field = schema[name]
        whole = isinstance(field, fo.EmbeddedDocumentField)
        merge_schema(other, {name: fo.EmbeddedDocumentField(field.document_type) if whole else field.copy()})
    for path, field in schema.items():
        if path.endswith(".margin") or (path.startswith("zs_regions.detections.") and path.count(".") == 2):
            merge_schema(other, {path: field.copy()})
    assert stored(dataset) == stored(other)
    assert dataset.get_field_schema(flat=True).keys() == other.get_field_schema(flat=True).keys()
    other.delete()


def test_declare__adds_what_is_missing_and_leaves_the_rest(dataset):
    declare_fields(dataset, "zs", METHODS_OF_RUN)
    complete = stored(dataset)
    part = fo.Dataset()
    part.add_sample_field("zs_lgca", fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification)
    part.add_sample_field("zs_lgca.mine", fo.StringField)
    part.add_sample_field("zs_regions", fo.EmbeddedDocumentField, embedded_doc_type=fo.Detections)
    declare_fields(part, "zs", METHODS_OF_RUN)
    assert {"zs_lgca.mine", "zs_lgca.margin", "zs_regions.detections.index"} <= part.get_field_schema(flat=True).keys()
    found = stored(part)
    assert found["zs_regions"] == complete["zs_regions"]
    before = stored(part)
    declare_fields(part, "zs", METHODS_OF_RUN)
    assert stored(part) == before
    part.delete()
