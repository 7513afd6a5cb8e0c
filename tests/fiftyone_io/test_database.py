"""Contracts with the installed FiftyOne: an upgrade that changes a private name which the plugin uses fails here."""

import bson
import fiftyone as fo
import pytest
from bson import ObjectId
from pymongo import UpdateMany, UpdateOne

from lgca_plugin.fiftyone_io import database


@pytest.fixture
def three(dataset):
    """Three samples with a number, a label and two boxes each."""
    boxes = [fo.Detection(label="wing", bounding_box=[0, 0, 0.5, 0.5]), fo.Detection(label="beak")]
    dataset.add_samples(
        [
            fo.Sample(
                filepath=f"{number}.jpg",
                number=number,
                label=fo.Classification(label="tern"),
                boxes=fo.Detections(detections=[box.copy() for box in boxes]),
            )
            for number in range(3)
        ],
        progress=False,
    )
    return dataset


def test_root_dataset__of_a_dataset_a_view_and_patches(three):
    for samples in (three, three.view(), three.limit(1).exists("label"), three.to_patches("boxes")):
        assert database.root_dataset(samples) is three


def test_dataset_id__stays_when_the_dataset_is_renamed(three):
    before = database.dataset_id(three)
    three.name = f"{three.name}-renamed"
    assert ObjectId.is_valid(before)
    assert database.dataset_id(fo.load_dataset(three.name)) == before
    assert database.dataset_ids()[three.name] == before


def test_is_deleted__of_an_open_dataset(dataset):
    assert not database.is_deleted(dataset)
    dataset.delete()
    assert database.is_deleted(dataset)


def test_stored_field_names__are_those_of_the_schema_and_follow_other_processes(three):
    assert database.stored_field_names(three) == set(three.get_field_schema())
    names = database.stored_field_names(three)
    database.sample_collection(three).database.datasets.update_one(
        {"name": three.name}, {"$pull": {"sample_fields": {"name": "number"}}}
    )
    assert names - database.stored_field_names(three) == {"number"}


def test_sample_collection__holds_the_documents_of_the_samples(three):
    document = database.sample_collection(three).find_one({"_id": ObjectId(three.first().id)})
    assert (document["filepath"], document["_media_type"]) == (three.first().filepath, "image")
    assert document["label"]["_cls"] == "Classification" and document["label"]["label"] == "tern"
    assert {"tags", "last_modified_at", "created_at", "number"} <= set(document)


@pytest.mark.parametrize("narrowed", [False, True])
def test_raw_batches__are_the_documents_of_a_view(three, narrowed):
    samples = three.match(fo.ViewField("number") > 0).sort_by("number", reverse=True) if narrowed else three
    batches = database.raw_batches(samples, [{"$project": {"number": 1}}])
    documents = [document for batch in batches for document in bson.decode_all(batch)]
    assert [str(document["_id"]) for document in documents] == samples.values("id")
    assert [document["number"] for document in documents] == samples.values("number")


def test_raw_batches__of_ids_have_22_bytes_a_document(three):
    batch = b"".join(database.raw_batches(three, [{"$project": {"_id": True}}]))
    assert len(batch) == 22 * 3
    assert [batch[at + 9 : at + 21].hex() for at in range(0, 66, 22)] == three.values("id")


def test_bulk_write__changes_the_database_and_reloads_the_samples_named(three):
    first, second, _ = samples = list(three)
    change = UpdateMany({}, {"$set": {"number": 7}})
    database.bulk_write(three, [change], [first.id])
    assert three.values("number") == [7, 7, 7]
    assert (first.number, second.number) == (7, 1)
    database.bulk_write(three, [UpdateOne({"_id": ObjectId(second.id)}, {"$set": {"number": 8}})])
    assert [sample.number for sample in samples] == [7, 8, 7]
    database.bulk_write(three, [change], ())
    assert second.number == 8
    database.reload_samples(three, [second.id])
    assert second.number == 7


def test_merge_schema__declares_nested_fields_and_leaves_those_that_exist(three):
    margin = fo.FloatField()
    margin.name = margin.db_field = "margin"
    database.merge_schema(
        three, {"answer": fo.EmbeddedDocumentField(fo.Classification, fields=[margin]), "number": fo.IntField()}
    )
    database.merge_schema(three, {"answer.by": fo.StringField()})
    schema = fo.load_dataset(three.name).get_field_schema(flat=True)
    assert isinstance(schema["answer.margin"], fo.FloatField) and isinstance(schema["answer.by"], fo.StringField)
    assert three.values("number") == [0, 1, 2]
    with pytest.raises(ValueError, match="number"):
        database.merge_schema(three, {"number": fo.StringField()})


def test_is_generated_and_is_dynamic_groups(three):
    patches, groups = three.to_patches("boxes"), three.group_by("number")
    for samples in (three, three.limit(2), patches, groups, groups.flatten()):
        assert database.is_generated(samples) == (samples is patches)
        assert database.is_dynamic_groups(samples) == (samples is groups)


def test_can_repeat__views_that_may_show_a_sample_twice(three):
    for samples in (
        three,
        three.limit(2),
        three.sort_by("number").exists("number"),
        three.group_by("number").flatten(),
    ):
        assert not database.can_repeat(samples)
    assert database.can_repeat(three.concat(three.limit(1))) and database.can_repeat(three.mongo([{"$limit": 1}]))


def test_only_selects__views_that_change_no_value(three):
    views = [three, three.limit(2), three.sort_by("number").exists("number"), three.group_by("number").flatten()]
    assert all(database.only_selects(view) for view in views)
    changed = three.set_field("number", 1)
    for view in (changed, changed.limit(1), three.map_labels("boxes", {"a": "b"}), three.limit(1).concat(changed)):
        assert not database.only_selects(view)


def test_serialized_stages__make_the_same_view_again_in_the_app(three):
    view = three.match({"number": {"$gt": 0}}).sort_by("number", reverse=True)
    stages = database.serialized_stages([fo.Match({"number": {"$gt": 0}}), fo.SortBy("number", reverse=True)])
    assert [set(stage) for stage in stages] == [{"_cls", "kwargs"}] * 2
    assert database.app_view(three, stages, {}, {}) == view
    assert database.app_view(three, [], {}, {}).values("id") == three.values("id")


def test_app_view__applies_filters_of_the_sidebar_and_raises_for_a_stage_that_fails(three):
    filters = {"number": {"range": [1, 2], "isMatching": True}}
    assert database.app_view(three, [], filters, {}).values("number") == [1, 2]
    broken = database.serialized_stages([fo.SelectFields("missing")])
    with pytest.raises(ValueError, match="missing"):
        database.app_view(three, broken, {}, {})


def test_forget_loaded_evaluations__the_server_reads_them_again_and_keeps_the_others(three):
    from fiftyone.server.utils import cache_dataset

    three.add_sample_field("answer", fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification)
    three.set_values("answer", [fo.Classification(label="tern") for _ in range(3)])
    for key in ("mine", "other"):
        three.evaluate_classifications("answer", gt_field="label", eval_key=key)
    served = cache_dataset(three)
    mine, other = (served.load_evaluation_results(key) for key in ("mine", "other"))
    assert served.load_evaluation_results("mine") is mine
    database.forget_loaded_evaluations(three, ["mine", "none"])
    assert served.load_evaluation_results("mine") is not mine
    assert served.load_evaluation_results("other") is other


def test_repair_saved_views__removes_references_to_views_that_are_gone_and_keeps_the_others(three):
    for name in ("ours", "theirs"):
        three.save_view(name, three.limit(1))
    database.sample_collection(three).database.views.delete_one({"name": "ours"})  # killed before the reference went
    three.reload()
    database.repair_saved_views(three)
    assert three.list_saved_views() == ["theirs"]
    three.delete_saved_view("theirs")
    assert three.list_saved_views() == []


def test_patches__their_field_and_whether_they_are_all(dataset):
    box = fo.Detection(label="a", bounding_box=[0.1, 0.1, 0.5, 0.5])
    dataset.add_sample(fo.Sample(filepath="a.jpg", boxes=fo.Detections(detections=[box, box.copy()])))
    patches = dataset.to_patches("boxes")
    assert database.patches_field(patches) == "boxes"
    assert database.shows_all_patches(patches)
    assert not database.shows_all_patches(patches.limit(1))
    assert not database.shows_all_patches(dataset.match({"filepath": "a.jpg"}).to_patches("boxes"))
    dataset.evaluate_detections("boxes", gt_field="boxes", eval_key="own", progress=False)
    assert database.patches_field(dataset.to_evaluation_patches("own")) is None


def test_dataset_names__are_found_by_what_is_in_their_records_and_by_id(dataset):
    dataset.info["marked"] = {"number": 5}
    dataset.save()
    assert database.dataset_names({"info.marked.number": 5}) == [dataset.name]
    assert database.dataset_names({"_id": database.dataset_id(dataset)}) == [dataset.name]
    assert database.dataset_names({"info.marked.number": 6}) == []
