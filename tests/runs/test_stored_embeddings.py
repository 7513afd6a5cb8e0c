"""The store behind classify and run.delete: what is not encoded twice, what goes with a run, and a store that fails."""

from __future__ import annotations

import copy
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
import torch

import lgca_plugin as lgca
from lgca_plugin.config import RegionPlan
from lgca_plugin.demo.classes import CLASSES as ALL_CLASSES
from lgca_plugin.encoder.checkpoints import load_demo
from lgca_plugin.encoder.open_clip_encoder import OpenClipEncoder
from lgca_plugin.engine.region_expansion import RegionExpansion
from lgca_plugin.images.files import content_hash
from lgca_plugin.store import limits as store_room
from lgca_plugin.store.file import FILE_NAME, PAGE_BYTES
from lgca_plugin.store.store import Store
from lgca_plugin.workflows.classify.writer import WRITE_IMAGES
from tests.helpers import runs
from tests.helpers.engine import Counting

SMALL = lgca.RegionConfig(crops=8, steps=2, scale_min=0.1, scale_max=0.3)
IMAGES = 4
ENCODES = IMAGES * (1 + 8)  # of WCA under SMALL
CLASSES, OTHER_CLASSES = ALL_CLASSES[:5], ALL_CLASSES[3:7]
LABEL = ("label", "confidence", "margin")
BOX = ("label", "bounding_box", "index", "step", "misleading", "confidence", "similarity", "weight", "contribution")
EXACT = ("label", "bounding_box", "index", "step", "misleading")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def flock(demo_images: list[Any]) -> Iterator[Callable[..., fo.Dataset]]:
    """Makes datasets of the same drawn birds, four unless told otherwise; gone after the test."""
    made = []

    def make(count: int = IMAGES, *, start: int = 0) -> fo.Dataset:
        made.append(fo.Dataset())
        add(made[-1], demo_images[start : start + count])
        return made[-1]

    yield make
    for dataset in made:
        if not dataset.deleted:
            dataset.delete()


def add(dataset: fo.Dataset, images: list[Any]) -> None:
    dataset.add_samples([fo.Sample(filepath=str(image.path)) for image in images], progress=False)


@pytest.fixture
def birds(flock: Callable[..., fo.Dataset]) -> fo.Dataset:
    return flock()


@pytest.fixture
def encoder(demo_encoder: Any) -> Counting:
    """The demo's model, which counts what it encodes."""
    return Counting(demo_encoder)


@pytest.fixture
def classify(encoder: Counting, request: pytest.FixtureRequest) -> Callable[..., Any]:
    """lgca.classify with the counting model, WCA, few crops and all classes, unless told otherwise."""
    together = 1 if "one_at_a_time" in request.fixturenames else WRITE_IMAGES

    def run(samples: Any, **changes: Any) -> Any:
        return runs.classify_by(together, samples, **{**defaults(encoder), **changes})

    return run


def defaults(encoder: Any) -> dict[str, Any]:
    return {"classes": CLASSES, "encoder": encoder, "regions": SMALL, "methods": ("wca",), "run_key": "zs"}


@contextmanager
def encodes_of(encoder: Counting) -> Iterator[list[int]]:
    """Counts the encodes of what happens inside."""
    before = encoder.encoded
    count: list[int] = []
    yield count
    count.append(encoder.encoded - before)


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes every image on its own, see ``classify``, and evicts images one by one."""
    monkeypatch.setattr(store_room, "EVICTED_AT_ONCE", 1)


def written(samples: Any, key: str = "zs", methods: tuple[str, ...] = ("wca",)) -> dict[str, list[Any]]:
    """Everything that a run wrote, but for ids."""
    labels = {f"{method}.{name}": samples.values(f"{key}_{method}.{name}") for method in methods for name in LABEL}
    boxes = {f"regions.{name}": samples.values(f"{key}_regions.detections.{name}") for name in BOX}
    return {**labels, **boxes}


def assert_same(found: dict[str, list[Any]], expected: dict[str, list[Any]]) -> None:
    """The same labels and boxes to the last bit; scores to 1e-6."""
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        if name.rpartition(".")[2] in EXACT:
            assert found[name] == values, name
        else:
            for one, other in zip(found[name], values, strict=True):
                assert one == pytest.approx(other, abs=1e-6), name


def stored(run: Any) -> dict[str, np.ndarray] | None:
    """The image vectors that the store holds of a run, by sample; None where it does not know the run."""
    with Store() as store:
        entry = store.run(run.token)
        if entry is None:
            return None
        batches = list(store.image_vectors(entry))
        assert [id_ for ids, _ in batches for id_ in ids] == store.sample_ids(entry)
        return {id_: vectors for ids, batch in batches for id_, vectors in zip(ids, batch, strict=True)}


def replayable(run: Any) -> set[str]:
    """The samples of a run whose regions can all be had from the store, so that nothing needs encoding."""
    plan = RegionPlan.of(run.config.methods, run.config.regions)
    with Store() as store:
        entry = store.run(run.token)
        assert entry is not None
        found = store.known_regions(entry, store.sample_ids(entry))
        return {id_ for id_, hashed, known in found if RegionExpansion(hashed, plan, known=known).replay() is not None}


def ids_of(samples: Any) -> set[str]:
    return set(samples.values("id"))


def store_rows(folder: Path, *tables: str) -> list[int]:
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        return [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]


# ------------------------------------------------------------------------------------- what is not encoded again


def test_recall__other_classes_on_the_same_images_encode_nothing(
    flock: Callable[..., fo.Dataset],
    classify: Callable[..., Any],
    encoder: Counting,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    methods = ("clip", "wca", "lgca")
    birds = flock()
    first = classify(birds, methods=methods)
    assert (first.summary()["images_encoded"], first.summary()["images_recalled"]) == (IMAGES, 0)
    assert encoder.encoded == first.summary()["encodes"] == IMAGES * (1 + 8 + 2 + 1)

    with encodes_of(encoder) as count:
        second = classify(birds, methods=methods, run_key="second", classes=OTHER_CLASSES)
        overwritten = classify(birds, methods=methods, classes=OTHER_CLASSES, overwrite=True)
    assert count == [0]
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


def test_recall__is_by_content_whatever_the_file_sample_or_dataset(
    birds: fo.Dataset,
    flock: Callable[..., fo.Dataset],
    classify: Callable[..., Any],
    encoder: Counting,
    tmp_path: Path,
) -> None:
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


def test_recall__without_stored_regions_the_whole_image_alone_is_known(
    flock: Callable[..., fo.Dataset], classify: Callable[..., Any], encoder: Counting
) -> None:
    first, second = flock(), flock()
    run = classify(first, store_regions=False)
    assert run.summary()["stored"] == {"samples": IMAGES, "regions": False, "complete": True}
    assert replayable(run) == set()
    vectors = stored(run)
    assert vectors is not None and {of_one.shape for of_one in vectors.values()} == {(2, encoder.dim)}

    with encodes_of(encoder) as count:
        classify(flock(), methods=("clip", "clip_d"))
    assert count == [0]
    with encodes_of(encoder) as count:
        again = classify(second)
    assert count == [ENCODES - IMAGES]
    assert_same(written(second), written(first))
    assert replayable(again) == ids_of(second)


def test_recall__other_methods_and_steps_encode_what_is_missing_alone(
    flock: Callable[..., fo.Dataset], classify: Callable[..., Any], encoder: Counting
) -> None:
    calls: list[tuple[dict[str, Any], int]] = [
        ({"methods": ("wca",)}, 1 + 8),
        ({"methods": ("clip", "wca", "lgca")}, 2 + 1),  # what 4 chains have grown into
        ({"methods": ("clip",)}, 0),
        ({"methods": ("lgca_d", "wca_global")}, 0),
        ({"regions": replace(SMALL, crops=10, lgca_crops=4)}, 2),
        ({"methods": ("lgca",), "regions": replace(SMALL, steps=3, lgca_crops=4)}, 1),
    ]
    for changes, per_image in calls:
        dataset = flock(2)
        with encodes_of(encoder) as count:
            run = classify(dataset, **changes)
        assert count == [per_image * 2], changes
        assert run.summary()["images_recalled"] == (0 if per_image else 2)
        assert replayable(run) == ids_of(dataset)


def test_recall__other_crops_are_encoded(
    flock: Callable[..., fo.Dataset], classify: Callable[..., Any], encoder: Counting
) -> None:
    classify(flock())
    for change in ({"seed": 1}, {"scale_max": 0.4}):
        with encodes_of(encoder) as count:
            summary = classify(flock(), regions=replace(SMALL, **change)).summary()
        assert count == [summary["encodes"]] == [ENCODES - IMAGES]  # the whole images are known
        assert summary["images_recalled"] == 0


def changed_demo(change: Callable[[Any], object]) -> OpenClipEncoder:
    """The demo's model, with its name, after a change."""
    model, tokenizer, vocabulary = load_demo()
    model = copy.deepcopy(model)
    with torch.no_grad():
        change(model)
    return OpenClipEncoder(model, tokenizer, name="demo", device="cpu", vocabulary=vocabulary)


def other_weights(model: Any) -> None:
    for parameter in model.visual.parameters():
        parameter.mul_(1.001)


def other_preprocessing(model: Any) -> None:
    model.visual.preprocess_cfg = {**model.visual.preprocess_cfg, "mean": (0.5, 0.4, 0.3)}


def test_recall__another_checkpoint_preprocessing_precision_or_resize_encodes_everything(
    flock: Callable[..., fo.Dataset], classify: Callable[..., Any], demo_encoder: Any
) -> None:
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


def test_recall__an_encoder_without_fingerprint_is_kept_and_never_recalled(
    flock: Callable[..., fo.Dataset], classify: Callable[..., Any], demo_encoder: Any
) -> None:
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


def test_recall__images_that_are_twice_in_the_dataset_and_one_that_can_t_be_read(
    birds: fo.Dataset, classify: Callable[..., Any], demo_images: list[Any], tmp_path: Path, encoder: Counting
) -> None:
    add(birds, demo_images[:2])
    (tmp_path / "text.jpg").write_text("no image")
    birds.add_sample(fo.Sample(filepath=str(tmp_path / "text.jpg")))
    run = classify(birds)
    summary = run.summary()
    assert (summary["predicted"], summary["failed"], summary["stored"]["samples"]) == (IMAGES + 2, 1, IMAGES + 2)
    assert replayable(run) == ids_of(birds) - {birds.last().id}
    with encodes_of(encoder) as count:
        again = classify(birds, overwrite=True)
    assert (count, again.summary()["images_recalled"]) == ([0], IMAGES + 2)


def test_recall__a_file_that_has_changed_is_encoded_and_what_it_was_forgotten(
    birds: fo.Dataset, classify: Callable[..., Any], demo_images: list[Any], tmp_path: Path, fresh_store: Path
) -> None:
    path = tmp_path / "changing.png"
    path.write_bytes(Path(demo_images[10].path).read_bytes())
    birds.add_sample(fo.Sample(filepath=str(path)))
    classify(birds)
    path.write_bytes(Path(demo_images[11].path).read_bytes())
    run = classify(birds, overwrite=True)

    assert (run.summary()["images_recalled"], run.summary()["images_encoded"]) == (IMAGES, 1)
    assert store_rows(fresh_store, "images", "samples") == [IMAGES + 1, IMAGES + 1]
    with Store() as store:
        entry = store.run(run.token)
        assert entry is not None
        ((_, hashed, _),) = store.known_regions(entry, [birds.last().id])
    assert hashed == content_hash(path.read_bytes())


def test_vectors__are_those_that_the_labels_were_made_from(
    birds: fo.Dataset, classify: Callable[..., Any], demo_encoder: Any
) -> None:
    vectors = stored(classify(birds, methods=("clip",), logits=True))
    assert vectors is not None
    classes = demo_encoder.encode_texts([f"a photo of a {name}." for name in CLASSES])
    for sample in birds:
        np.testing.assert_allclose(vectors[sample.id][0] @ classes.T, sample.zs_clip.logits, atol=1e-5)


def test_vectors__of_a_run_that_was_rescored_with_fewer_methods_and_then_gone_on_with(
    flock: Callable[..., fo.Dataset], classify: Callable[..., Any], demo_images: list[Any]
) -> None:
    birds = flock(2)
    classify(birds, methods=("clip", "wca")).rescore(methods=("clip",), progress=False)
    add(birds, demo_images[2:IMAGES])
    run = classify(birds, methods=("clip",))
    assert run.summary()["predicted"] == IMAGES
    vectors = stored(run)
    assert vectors is not None and set(vectors) == ids_of(birds)
    assert len({of_one.shape for of_one in vectors.values()}) == 1

    alone = flock()
    other = stored(classify(alone, methods=("clip",)))
    assert other is not None
    for id_, same in zip(birds.values("id"), alone.values("id"), strict=True):
        np.testing.assert_allclose(vectors[id_][0], other[same][0], atol=1e-6)  # the whole image's comes first
    labels = run.rescore(classes=OTHER_CLASSES, run_key="again", progress=False).dataset.values("again_clip.label")
    assert all(label in OTHER_CLASSES for label in labels)


# -------------------------------------------------------------------------------------------- what goes with a run


def test_delete__takes_the_run_s_embeddings_and_leaves_those_that_another_holds(
    flock: Callable[..., fo.Dataset], classify: Callable[..., Any], encoder: Counting, fresh_store: Path
) -> None:
    many, few, regions = flock(12), flock(2), replace(SMALL, crops=30)
    everything, some = classify(many, regions=regions), classify(few, regions=regions)
    size = (fresh_store / FILE_NAME).stat().st_size

    everything.delete()

    assert stored(everything) is None
    assert replayable(some) == ids_of(few)
    assert store_rows(fresh_store, "images") == [2]
    assert (fresh_store / FILE_NAME).stat().st_size < size - 9 * 30 * 4 * encoder.dim
    with encodes_of(encoder) as count:
        classify(few, run_key="again", regions=regions)
    assert count == [0]
    for key in ("zs", "again"):
        lgca.load_run(few, key).delete()
    assert store_rows(fresh_store, "images", "regions", "encoders", "texts") == [0, 0, 0, 0]


def test_delete__of_one_geometry_leaves_the_other(
    flock: Callable[..., fo.Dataset], classify: Callable[..., Any]
) -> None:
    first, second = flock(), flock()
    run, other = classify(first), classify(second, regions=replace(SMALL, seed=9))
    run.delete()
    assert replayable(other) == ids_of(second)
    summary = classify(first).summary()
    assert (summary["images_recalled"], summary["encodes"]) == (0, ENCODES - IMAGES)  # the whole images are known


def test_overwrite__of_fewer_images_lets_go_of_the_others(
    birds: fo.Dataset, classify: Callable[..., Any], fresh_store: Path
) -> None:
    first = classify(birds)
    second = classify(birds.limit(2), classes=OTHER_CLASSES, overwrite=True)
    assert second.summary()["images_recalled"] == 2
    assert stored(first) is None
    assert store_rows(fresh_store, "runs", "images", "regions") == [1, 2, 2]
    second.delete()
    assert store_rows(fresh_store, "runs", "images", "regions") == [0, 0, 0]


def interrupted(birds: fo.Dataset, encoder: Any, after: int, **changes: Any) -> Any:
    """Starts a run and closes it after so many images."""
    return runs.interrupted(birds, after, **{**defaults(encoder), **changes})


@pytest.mark.usefixtures("one_at_a_time")
def test_overwrite__interrupted_still_finds_what_the_replaced_run_had(
    birds: fo.Dataset, classify: Callable[..., Any], encoder: Counting, fresh_store: Path
) -> None:
    clip = {"methods": ("clip",)}
    first = classify(birds, **clip)
    with encodes_of(encoder) as count:
        partly = interrupted(birds, encoder, 1, classes=OTHER_CLASSES, overwrite=True, **clip)
        assert partly.summary()["pending"] > 0
        vectors = stored(first)
        assert vectors is not None and set(vectors) == ids_of(birds)
        again = interrupted(birds, encoder, 1, overwrite=True, **clip)
        done = classify(birds, **clip)
    assert count == [0]
    assert (done.summary()["status"], done.summary()["images_recalled"]) == ("done", IMAGES)
    assert [stored(run) for run in (first, partly)] == [None, None]
    assert again.token == done.token
    assert store_rows(fresh_store, "runs") == [1]
    assert replayable(done) == ids_of(birds)


@pytest.mark.usefixtures("one_at_a_time")
def test_overwrite__interrupted_and_deleted_leaves_nothing(
    birds: fo.Dataset, classify: Callable[..., Any], encoder: Counting, fresh_store: Path
) -> None:
    classify(birds)
    interrupted(birds, encoder, 2, classes=OTHER_CLASSES, overwrite=True).delete()
    assert store_rows(fresh_store, "runs", "images", "regions", "encoders") == [0, 0, 0, 0]


# ----------------------------------------------------------------------------------------------- a store that is full


def limit(monkeypatch: pytest.MonkeyPatch, nbytes: int) -> None:
    monkeypatch.setenv("LGCA_STORE_GB", repr(nbytes / store_room.GIGABYTE))


@pytest.mark.parametrize("chosen", ["plenty", "-3"])
def test_limit__that_makes_no_sense_is_refused_before_anything_is_written(
    birds: fo.Dataset, classify: Callable[..., Any], encoder: Counting, monkeypatch: pytest.MonkeyPatch, chosen: str
) -> None:
    monkeypatch.setenv("LGCA_STORE_GB", chosen)
    with encodes_of(encoder) as count, pytest.raises(lgca.ConfigError, match=f"LGCA_STORE_GB .*, got '{chosen}'$"):
        classify(birds)
    assert count == [0]
    assert lgca.list_runs(birds) == []
    assert not [name for name in birds.get_field_schema() if name.startswith("zs")]


def test_limit__that_makes_no_sense_costs_no_run_that_is_there(
    birds: fo.Dataset, classify: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = classify(birds, methods=("clip",))
    before = birds.values("zs_clip.label")
    monkeypatch.setenv("LGCA_STORE_GB", "plenty")
    with pytest.raises(lgca.ConfigError, match="LGCA_STORE_GB"):
        classify(birds, methods=("clip",), classes=OTHER_CLASSES, overwrite=True)
    assert lgca.load_run(birds, "zs").token == run.token
    assert birds.values("zs_clip.label") == before


def test_limit__that_makes_no_sense_does_not_matter_for_a_deletion(
    birds: fo.Dataset, classify: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, fresh_store: Path
) -> None:
    run = classify(birds, methods=("clip",))
    monkeypatch.setenv("LGCA_STORE_GB", "plenty")
    run.delete()
    assert lgca.list_runs(birds) == []
    assert store_rows(fresh_store, "images") == [0]


def test_limit__too_small_for_anything_is_said_and_what_is_kept_is_counted_right(
    birds: fo.Dataset,
    classify: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    limit(monkeypatch, 1000)
    run = classify(birds)
    summary = run.summary()
    assert (summary["status"], summary["predicted"]) == ("done", IMAGES)
    assert "reached its limit" in caplog.text
    vectors = stored(run)
    assert vectors is not None
    assert summary["stored"] == {"samples": len(vectors), "regions": True, "complete": False}
    assert any("limit" in warning for warning in summary["warnings"])


@pytest.mark.usefixtures("one_at_a_time")
def test_limit__an_older_run_s_regions_make_room_and_its_image_vectors_stay(
    flock: Callable[..., fo.Dataset], classify: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, fresh_store: Path
) -> None:
    old = classify(flock(), regions=replace(SMALL, crops=60))
    nbytes = (fresh_store / FILE_NAME).stat().st_size + 2 * PAGE_BYTES
    limit(monkeypatch, nbytes)
    others = flock(8, start=IMAGES)
    new = classify(others, regions=replace(SMALL, crops=30))

    assert (new.summary()["status"], new.summary()["predicted"]) == ("done", 8)
    assert len(replayable(old)) < IMAGES
    assert replayable(new)
    assert new.summary()["stored"]["complete"] == (replayable(new) == ids_of(others))
    vectors = stored(old)
    assert vectors is not None and len(vectors) == IMAGES
    assert (fresh_store / FILE_NAME).stat().st_size <= nbytes + 4 * PAGE_BYTES


@pytest.mark.usefixtures("one_at_a_time")
def test_limit__a_run_that_says_it_is_complete_is(
    flock: Callable[..., fo.Dataset], classify: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, fresh_store: Path
) -> None:
    """It finds regions of an older run that are evicted, for the sake of its own, before it has come to hold them."""
    classify(flock(), regions=replace(SMALL, crops=60))
    limit(monkeypatch, (fresh_store / FILE_NAME).stat().st_size)
    birds = flock()
    new = classify(birds, regions=replace(SMALL, crops=70))
    assert new.summary()["predicted"] == IMAGES
    assert new.summary()["stored"]["complete"] == (replayable(new) == ids_of(birds))


@pytest.mark.usefixtures("one_at_a_time")
def test_delete__of_a_run_that_another_is_just_finding_things_of_leaves_no_gap_unsaid(
    flock: Callable[..., fo.Dataset], classify: Callable[..., Any]
) -> None:
    old = classify(flock())
    birds = flock()

    def delete(step: lgca.Progress) -> None:
        if step.done == 1:
            old.delete()

    new = classify(birds, classes=OTHER_CLASSES, progress=delete)
    assert new.summary()["predicted"] == IMAGES
    assert new.summary()["stored"]["complete"] == (replayable(new) == ids_of(birds))


# --------------------------------------------------------------------------------------------- a store that fails


def test_unwritable__a_store_that_can_t_be_made_costs_a_warning_and_not_the_run(
    birds: fo.Dataset, classify: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "file"))
    run = classify(birds, methods=("clip",))
    summary = run.summary()
    assert (summary["status"], summary["predicted"]) == ("done", IMAGES)
    assert summary["stored"] == {"samples": 0, "regions": True, "complete": False}
    assert any("can't be opened" in warning and str(tmp_path / "file") in warning for warning in summary["warnings"])
    assert lgca.load_run(birds, "zs").summary()["warnings"] == summary["warnings"]
    run.delete()
    assert lgca.list_runs(birds) == []


@pytest.mark.usefixtures("one_at_a_time")
def test_unwritable__a_disk_that_fills_up_during_the_run(
    flock: Callable[..., fo.Dataset], classify: Callable[..., Any], fresh_store: Path
) -> None:
    resource = pytest.importorskip("resource")
    dataset, birds = flock(1), flock()
    first = classify(dataset)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((fresh_store / FILE_NAME).stat().st_size + PAGE_BYTES, before[1]))
    try:
        run = classify(birds, regions=replace(SMALL, crops=60))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    summary = run.summary()
    assert (summary["status"], summary["predicted"]) == ("done", IMAGES)
    assert any("the store of embeddings" in warning for warning in summary["warnings"])
    vectors = stored(run)
    assert vectors is not None and len(vectors) < IMAGES
    assert summary["stored"] == {"samples": len(vectors), "regions": True, "complete": False}
    assert replayable(first) == ids_of(dataset)


def test_damage__of_the_file_s_header_begins_a_new_store(
    flock: Callable[..., fo.Dataset], classify: Callable[..., Any], fresh_store: Path
) -> None:
    first = classify(flock(), methods=("clip",))
    data = (fresh_store / FILE_NAME).read_bytes()
    (fresh_store / FILE_NAME).write_bytes(np.random.default_rng(0).bytes(200) + data[200:])
    summary = classify(flock(), methods=("clip",)).summary()
    assert (summary["images_encoded"], summary["predicted"]) == (IMAGES, IMAGES)
    assert summary["stored"]["complete"]
    assert len(list(fresh_store.glob("damaged-*"))) == 1
    assert classify(flock(), methods=("clip",)).summary()["images_recalled"] == IMAGES
    first.delete()


def test_damage__of_the_file_s_tables_costs_a_warning_and_not_the_run(
    flock: Callable[..., fo.Dataset], classify: Callable[..., Any], fresh_store: Path
) -> None:
    classify(flock())
    with closing(sqlite3.connect(fresh_store / FILE_NAME)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name IN ('images', 'regions', 'samples')"
        pages = [page for (page,) in connection.execute(query)]
    data = bytearray((fresh_store / FILE_NAME).read_bytes())
    for page in pages:
        data[(page - 1) * PAGE_BYTES : page * PAGE_BYTES] = np.random.default_rng(0).bytes(PAGE_BYTES)
    (fresh_store / FILE_NAME).write_bytes(data)

    summary = classify(flock()).summary()
    assert (summary["status"], summary["predicted"], summary["images_encoded"]) == ("done", IMAGES, IMAGES)
    assert (summary["stored"]["samples"], summary["stored"]["complete"]) == (0, False)
    assert any("malformed" in warning for warning in summary["warnings"])


def test_damage__inside_embeddings_has_those_images_encoded_again_once(
    flock: Callable[..., fo.Dataset], classify: Callable[..., Any], fresh_store: Path
) -> None:
    birds, second, third = flock(), flock(), flock()
    run = classify(birds)
    ids = birds.values("id")
    with Store() as store:
        entry = store.run(run.token)
        assert entry is not None
        known = {id_: one for id_, _, one in store.known_regions(entry, ids)}
    data = bytearray((fresh_store / FILE_NAME).read_bytes())
    for blob in (known[ids[0]].whole.tobytes(), known[ids[1]].regions.tobytes()):
        part = blob[len(blob) // 2 - 16 : len(blob) // 2 + 16]
        while (start := data.find(part)) >= 0:  # the whole image's is a vector of the sample's, too
            data[start + 7] ^= 0x40
    (fresh_store / FILE_NAME).write_bytes(data)

    assert classify(second).summary()["images_encoded"] == 2
    assert_same(written(second), written(birds))
    again = classify(third)
    assert again.summary()["images_recalled"] == IMAGES
    assert_same(written(third), written(birds))
    assert replayable(again) == ids_of(third)


# --------------------------------------------------------------------------------------------------- cleaning up


def tokens() -> set[str]:
    with Store() as store:
        return {run["token"] for run in store.runs()}


def foreign_run(dataset: str) -> None:
    """An entry of a run that lies in another database."""
    with Store() as store:
        store.open_run(
            "foreign",
            fingerprint="an encoder",
            encoder_name="an encoder",
            logit_scale=1.0,
            geometry="a geometry",
            vector_keys=(),
            database="another database",
            dataset=dataset,
            run_key="zs",
        )


def test_info__names_what_is_stored(
    flock: Callable[..., fo.Dataset], classify: Callable[..., Any], fresh_store: Path
) -> None:
    empty = lgca.store_info()
    assert (empty.path, empty.runs, empty.limit_bytes) == (fresh_store / FILE_NAME, [], 20_000_000_000)
    first, second = flock(1), flock()
    classify(first, methods=("clip",), run_key="some")
    classify(second, methods=("clip",))
    info = lgca.store_info()
    assert [(run["run_key"], run["dataset"], run["samples"]) for run in info.runs] == [
        ("some", first.name, 1),
        ("zs", second.name, IMAGES),
    ]
    assert info.runs[0]["used"] < info.runs[1]["used"]
    assert empty.used_bytes <= info.used_bytes <= (fresh_store / FILE_NAME).stat().st_size


def test_clean__takes_runs_whose_dataset_is_gone_and_leaves_all_others(
    birds: fo.Dataset, flock: Callable[..., fo.Dataset], classify: Callable[..., Any], fresh_store: Path
) -> None:
    run = classify(birds)
    doomed = flock(8, start=IMAGES)
    classify(doomed, regions=replace(SMALL, crops=20))
    foreign_run(str(birds._doc.id))
    assert lgca.clean_store() == 0
    doomed.delete()
    assert len(lgca.store_info().runs) == 3

    size = (fresh_store / FILE_NAME).stat().st_size
    assert lgca.clean_store() > 0

    assert tokens() == {run.token, "foreign"}
    assert store_rows(fresh_store, "images") == [IMAGES]
    assert (fresh_store / FILE_NAME).stat().st_size < size
    assert replayable(run) == ids_of(birds)
    assert lgca.clean_store() == 0


def test_clean__takes_runs_that_were_deleted_where_the_store_was_out_of_reach(
    flock: Callable[..., fo.Dataset],
    classify: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    fresh_store: Path,
    tmp_path: Path,
) -> None:
    stays, deleted, replaced = (classify(flock(), methods=("clip",)) for _ in range(3))
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "elsewhere"))  # as on another machine
    deleted.delete()
    classify(replaced.dataset, methods=("clip",), classes=OTHER_CLASSES, overwrite=True)
    monkeypatch.setenv("LGCA_STORE_DIR", str(fresh_store))
    assert tokens() == {stays.token, deleted.token, replaced.token}
    lgca.clean_store()
    assert tokens() == {stays.token}


def test_clean__takes_runs_that_were_deleted_with_fiftyone_s_own_means(
    flock: Callable[..., fo.Dataset], classify: Callable[..., Any]
) -> None:
    stays, deleted = (classify(flock(), methods=("clip",)) for _ in range(2))
    deleted.dataset.delete_run("zs")
    lgca.clean_store()
    assert tokens() == {stays.token}


@pytest.mark.usefixtures("one_at_a_time")
def test_clean__leaves_a_run_under_way_and_what_it_replaces(
    birds: fo.Dataset, classify: Callable[..., Any], encoder: Counting
) -> None:
    clip = {"methods": ("clip",), "overwrite": True}
    first = classify(birds, **clip)

    def clean(_: lgca.Progress) -> None:
        assert lgca.clean_store() == 0

    with encodes_of(encoder) as count:
        second = classify(birds, classes=OTHER_CLASSES, progress=clean, **clip)
        partly = interrupted(birds, encoder, 1, **clip)
        assert lgca.clean_store() == 0
    assert count == [0]
    assert first.token not in tokens()
    assert tokens() == {second.token, partly.token}


def test_clean__of_what_has_not_been_used_for_days(
    flock: Callable[..., fo.Dataset], classify: Callable[..., Any], fresh_store: Path
) -> None:
    old, new = classify(flock(2), methods=("clip",)), classify(flock(2, start=2), methods=("clip",))
    foreign_run("a dataset elsewhere")
    with closing(sqlite3.connect(fresh_store / FILE_NAME)) as connection, connection:
        connection.execute("UPDATE runs SET used = used - 10 * 86400 WHERE token IN (?, 'foreign')", (old.token,))
    lgca.clean_store(unused_days=11)
    assert tokens() == {old.token, new.token, "foreign"}
    lgca.clean_store(unused_days=9.5)
    assert tokens() == {new.token}
    assert store_rows(fresh_store, "images") == [2]
    summary = lgca.load_run(old.dataset, "zs").summary()  # the run itself stays
    assert (summary["status"], summary["predicted"]) == ("done", 2)
    lgca.clean_store(unused_days=0)
    assert tokens() == set()


@pytest.mark.parametrize("days", [-1, float("nan")])
def test_clean__days_that_make_no_sense(days: float) -> None:
    with pytest.raises(lgca.ConfigError, match="unused_days"):
        lgca.clean_store(unused_days=days)


@pytest.mark.usefixtures("one_at_a_time")
def test_clean__of_a_run_under_way_never_mixes_it_with_the_run_that_comes_next(
    birds: fo.Dataset, classify: Callable[..., Any]
) -> None:
    """Its entry goes, and another run, with another encoder, on the same samples, takes its place in the file."""
    other, clip = changed_demo(other_weights), {"methods": ("clip",)}

    def clean(step: lgca.Progress) -> None:
        if step.done == 1:
            lgca.clean_store(unused_days=0)
            classify(birds, run_key="other", encoder=other, **clip)

    run = classify(birds, progress=clean)
    assert run.summary()["predicted"] == IMAGES
    found = stored(lgca.load_run(birds, "other"))
    expected = stored(classify(birds, run_key="again", encoder=Counting(other, fingerprint=None), **clip))
    assert expected is not None and found is not None
    assert found.keys() == expected.keys()
    for id_, vectors in expected.items():
        assert found[id_].shape == vectors.shape
        np.testing.assert_allclose(found[id_], vectors, atol=1e-6)
    assert run.summary()["stored"]["complete"] is False
