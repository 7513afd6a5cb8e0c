"""What is not encoded again: images that the store has, by content, encoder and geometry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np

import lgca_plugin as lgca
from lgca_plugin.images.files import content_hash
from lgca_plugin.store.store import Store
from tests.helpers.engine import Counting
from tests.helpers.worlds.store import count_rows
from tests.helpers.worlds.stored_runs import (
    CLASSES,
    ENCODES,
    IMAGES,
    OTHER_CLASSES,
    SMALL,
    add,
    assert_same,
    changed_demo,
    encodes_of,
    ids_of,
    other_preprocessing,
    other_weights,
    replayable,
    stored_vectors,
    written,
)


def test_recall__other_classes_on_the_same_images_encode_nothing(flock, classify, encoder, monkeypatch, tmp_path):
    methods = ("clip", "wca", "lgca")
    birds = flock()
    first = classify(birds, methods=methods)
    assert (first.summary()["images_encoded"], first.summary()["images_recalled"]) == (IMAGES, 0)
    assert encoder.encoded == first.summary()["encodes"] == IMAGES * (1 + 8 + 2 + 1)

    with encodes_of(encoder) as count:
        second = classify(birds, methods=methods, run_key="second", classes=OTHER_CLASSES)
    assert count == [0]
    with encodes_of(encoder) as count:
        overwritten = classify(birds, methods=methods, classes=OTHER_CLASSES, overwrite=True)
    assert count == [1]  # before a run is replaced, one image is tried
    for run in (second, overwritten):
        summary = run.summary()
        assert (summary["images_recalled"], summary["images_encoded"], summary["encodes"]) == (IMAGES, 0, 0)
        assert (summary["encodes_per_image"], summary["predicted"]) == (0, IMAGES)
        assert summary["stored"] == {"samples": IMAGES, "regions": True, "complete": True}
        assert replayable(run) == ids_of(birds)

    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "another store"))
    fresh = flock()
    assert classify(fresh, methods=methods, classes=OTHER_CLASSES).summary()["images_encoded"] == IMAGES
    for key in ("second", "zs"):
        assert_same(written(birds, key, methods), written(fresh, "zs", methods))


def test_recall__is_by_content_whatever_the_file_sample_or_dataset(birds, flock, classify, encoder, tmp_path):
    classify(birds)
    copies = flock()
    for sample in copies.iter_samples(autosave=True):
        path = tmp_path / f"{sample.id}.png"
        path.write_bytes(Path(sample.filepath).read_bytes())
        sample.filepath = str(path)
    with encodes_of(encoder) as count:
        assert classify(copies).summary()["images_recalled"] == IMAGES
    assert count == [0]
    assert_same(written(copies), written(birds))


def test_recall__without_stored_regions_the_whole_image_alone_is_known(flock, classify, encoder):
    first, second = flock(), flock()
    run = classify(first, store_regions=False)
    assert run.summary()["stored"] == {"samples": IMAGES, "regions": False, "complete": True}
    assert replayable(run) == set()
    vectors = stored_vectors(run)
    assert {of_one.shape for of_one in vectors.values()} == {(2, encoder.dim)}

    with encodes_of(encoder) as count:
        classify(flock(), methods=("clip", "clip_d"))
    assert count == [0]
    with encodes_of(encoder) as count:
        again = classify(second)
    assert count == [ENCODES - IMAGES]
    assert_same(written(second), written(first))
    assert replayable(again) == ids_of(second)


def test_recall__other_methods_steps_and_crops_encode_what_is_missing_alone(flock, classify, encoder):
    calls: list[tuple[dict[str, Any], int]] = [
        ({"methods": ("wca",)}, 1 + 8),
        ({"methods": ("clip", "wca", "lgca")}, 2 + 1),  # what 4 chains have grown into
        ({"methods": ("clip",)}, 0),
        ({"methods": ("lgca_d", "wca_global")}, 0),
        ({"regions": replace(SMALL, crops=10, lgca_crops=4)}, 2),
        ({"methods": ("lgca",), "regions": replace(SMALL, steps=3, lgca_crops=4)}, 1),
        ({"regions": replace(SMALL, seed=1)}, 8),  # other crops; the whole image is known
        ({"regions": replace(SMALL, scale_max=0.4)}, 8),
    ]
    for changes, per_image in calls:
        dataset = flock(2)
        with encodes_of(encoder) as count:
            run = classify(dataset, **changes)
        assert count == [run.summary()["encodes"]] == [per_image * 2], changes
        assert run.summary()["images_recalled"] == (0 if per_image else 2)
        assert replayable(run) == ids_of(dataset)


def test_recall__another_checkpoint_preprocessing_precision_or_resize_encodes_all(flock, classify, demo_encoder):
    classify(flock(1))
    for other in (
        changed_demo(other_weights),
        changed_demo(other_preprocessing),
        lgca.load_encoder("demo", device="cpu", precision="bf16", resize="exact"),
        lgca.load_encoder("demo", device="cpu", precision="fp32", resize="fast"),
    ):
        counting = Counting(other)
        assert counting.name == demo_encoder.name
        assert classify(flock(1), encoder=counting).summary()["images_recalled"] == 0
        assert counting.encoded == 1 + 8
    for again in (counting, demo_encoder):
        assert classify(flock(1), encoder=again, classes=OTHER_CLASSES).summary()["images_recalled"] == 1


def test_recall__an_encoder_without_fingerprint_is_stored_and_never_recalled(flock, classify, demo_encoder):
    """One of its name may embed otherwise tomorrow."""
    own = Counting(demo_encoder, fingerprint=None)
    for calls in (1, 2):
        dataset = flock()
        run = classify(dataset, encoder=own)
        assert own.encoded == calls * ENCODES
        assert run.summary()["images_recalled"] == 0
        assert run.summary()["stored"] == {"samples": IMAGES, "regions": True, "complete": True}
        assert replayable(run) == ids_of(dataset)
    assert classify(flock()).summary()["images_recalled"] == 0


def test_recall__images_that_are_there_twice_and_an_unreadable_one(birds, classify, demo_images, tmp_path, encoder):
    add(birds, demo_images[:2])
    (tmp_path / "text.jpg").write_text("no image")
    birds.add_sample(fo.Sample(filepath=str(tmp_path / "text.jpg")))
    run = classify(birds)
    summary = run.summary()
    assert (summary["predicted"], summary["failed"], summary["stored"]["samples"]) == (IMAGES + 2, 1, IMAGES + 2)
    assert replayable(run) == ids_of(birds) - {birds.last().id}
    with encodes_of(encoder) as count:
        again = classify(birds, overwrite=True)
    assert (count, again.summary()["images_recalled"]) == ([1], IMAGES + 2)  # one is tried before the run is replaced


def test_recall__a_changed_file_is_encoded_and_its_old_image_deleted(
    birds, classify, demo_images, tmp_path, fresh_store
):
    path = tmp_path / "changing.png"
    path.write_bytes(Path(demo_images[10].path).read_bytes())
    birds.add_sample(fo.Sample(filepath=str(path)))
    classify(birds)
    path.write_bytes(Path(demo_images[11].path).read_bytes())
    run = classify(birds, overwrite=True)

    assert (run.summary()["images_recalled"], run.summary()["images_encoded"]) == (IMAGES, 1)
    assert count_rows(fresh_store, "images", "samples") == [IMAGES + 1, IMAGES + 1]
    with Store() as store:
        entry = store.run(run.token)
        assert entry is not None
        ((_, hashed, _),) = store.known_regions(entry, [birds.last().id])
    assert hashed == content_hash(path.read_bytes())


def test_vectors__are_those_that_the_labels_were_made_from(birds, classify, demo_encoder):
    vectors = stored_vectors(classify(birds, methods=("clip",), logits=True))
    classes = demo_encoder.encode_texts([f"a photo of a {name}." for name in CLASSES])
    for sample in birds:
        scores = sample.zs_clip.logits / demo_encoder.logit_scale
        np.testing.assert_allclose(vectors[sample.id][0] @ classes.T, scores, atol=1e-5)


def test_vectors__of_a_run_that_was_rescored_with_fewer_methods_and_then_continued(flock, classify, demo_images):
    birds = flock(2)
    classify(birds, methods=("clip", "wca")).rescore(methods=("clip",), progress=False)
    add(birds, demo_images[2:IMAGES])
    run = classify(birds, methods=("clip",))
    assert run.summary()["predicted"] == IMAGES
    vectors = stored_vectors(run)
    assert set(vectors) == ids_of(birds)
    assert len({of_one.shape for of_one in vectors.values()}) == 1

    alone = flock()
    other = stored_vectors(classify(alone, methods=("clip",)))
    for id_, same in zip(birds.values("id"), alone.values("id"), strict=True):
        np.testing.assert_allclose(vectors[id_][0], other[same][0], atol=1e-6)  # the whole image's comes first
    labels = run.rescore(classes=OTHER_CLASSES, run_key="again", progress=False).dataset.values("again_clip.label")
    assert all(label in OTHER_CLASSES for label in labels)
