"""lgca.classify on real datasets: what is written, resumed, counted and refused."""

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import fiftyone as fo
import pytest
from fiftyone import ViewField as F

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.workflows.classify import writer as results_module
from tests.helpers.engine import Counting
from tests.helpers.paths import ROOT
from tests.helpers.runs import classify_by, interrupted

SMALL = lgca.RegionConfig(crops=8, steps=2, scale_min=0.1, scale_max=0.3)


@pytest.fixture
def birds(dataset, demo_images):
    """The first twelve drawn birds as a dataset."""
    dataset.add_samples(
        [
            fo.Sample(filepath=str(image.path), ground_truth=fo.Classification(label=image.label))
            for image in demo_images[:12]
        ],
        progress=False,
    )
    return dataset


@pytest.fixture
def classify(demo_encoder):
    """lgca.classify with the demo's model, classes and few crops, unless told otherwise."""
    return lambda samples, **changes: lgca.classify(samples, **{**settings(demo_encoder), **changes})


@pytest.fixture
def classify_one_by_one(demo_encoder):
    """The same, but every image is written on its own."""
    return lambda samples, **changes: classify_by(1, samples, **{**settings(demo_encoder), **changes})


def settings(encoder):
    return {
        "classes": CLASSES,
        "descriptions": DESCRIPTIONS,
        "encoder": encoder,
        "regions": SMALL,
        "run_key": "zs",
    }


def predictions(samples, key="zs", methods=("clip", "wca", "lgca")):
    """Everything that a run wrote, by file: labels, confidences and boxes."""
    paths = samples.values("filepath")
    labels = [samples.values(f"{key}_{method}.label") for method in methods]
    confidences = [samples.values(f"{key}_{method}.confidence") for method in methods]
    boxes = samples.values(f"{key}_regions.detections.bounding_box")
    chains = samples.values(f"{key}_regions.detections.index")
    return {
        path: (of_labels, pytest.approx(of_confidences, abs=1e-4), of_boxes, of_chains)
        for path, of_labels, of_confidences, of_boxes, of_chains in zip(
            paths,
            zip(*labels, strict=True),
            [list(values) for values in zip(*confidences, strict=True)],
            boxes,
            chains,
            strict=True,
        )
    }


def assert_same(first, second):
    assert first.keys() == second.keys()
    for path, (labels, _, boxes, chains) in first.items():
        assert (labels, boxes, chains) == (second[path][0], second[path][2], second[path][3])
        assert list(first[path][1].expected) == second[path][1]


def without_results(dataset):
    """Whether nothing of a run is on the dataset."""
    fields = [name for name in dataset.get_field_schema() if name.startswith("zs")]
    return not fields and not dataset.list_runs()


def test_classify__writes_labels_and_boxes_for_every_method(birds, classify):
    run = classify(birds, methods=tuple(lgca.METHODS), ground_truth="ground_truth")

    for sample in birds:
        assert sample.zs_error is None
        for method in lgca.METHODS:
            label = sample[f"zs_{method}"]
            assert label.label in CLASSES
            assert 1 / len(CLASSES) <= label.confidence <= 1
            assert 0 <= label.margin <= 2
            assert label.logits is None
        boxes = sample.zs_regions.detections
        assert boxes
        for box in boxes:
            x, y, width, height = box.bounding_box
            assert min(x, y, width, height) >= 0
            assert max(x + width, y + height) <= 1 + 1e-9
            assert box.label in CLASSES
            assert -1 <= box.similarity <= 1
            assert 0 <= box.weight <= 1
        by_chain = {box.index: [b.step for b in boxes if b.index == box.index] for box in boxes}
        assert len(by_chain) == 3
        assert all(steps == list(range(len(steps))) for steps in by_chain.values())
    assert run.summary()["predicted"] == 12


def test_classify__the_shown_boxes_of_a_chain_grow_about_their_centre(birds, classify):
    classify(birds)
    for sample in birds:
        for chain in {box.index for box in sample.zs_regions.detections}:
            widths = [box.bounding_box[2] for box in sample.zs_regions.detections if box.index == chain]
            assert widths == sorted(widths)
            assert widths[-1] == pytest.approx(widths[0] * 1.5 ** (len(widths) - 1), rel=0.1)


def test_classify__without_regions_there_is_no_regions_field(birds, classify):
    run = classify(birds, methods=("clip", "clip_d"))
    assert run.fields == ["zs_clip", "zs_clip_d", "zs_error"]
    assert run.summary()["encodes_per_image"] == 1


def test_classify__counts_the_encodes_that_the_design_promises(birds, classify):
    small_crops = lgca.RegionConfig(scale_min=0.1, scale_max=0.3)  # so that no two regions grow equal
    summary = classify(birds.limit(3), regions=small_crops).summary()
    assert summary["planned_encodes_per_image"] == 1 + 60 + 17 + 9
    assert summary["encodes"] == 3 * 87
    assert summary["encodes_per_image"] == 87


def test_classify__logits_are_the_scores_of_all_classes(birds, classify):
    classify(birds, logits=True)
    label = birds.first().zs_lgca
    assert len(label.logits) == len(CLASSES)
    best, second = sorted(label.logits)[:-3:-1]
    assert CLASSES[list(label.logits).index(best)] == label.label
    assert best - second == pytest.approx(label.margin, abs=1e-6)


def test_classify__classes_come_from_the_ground_truth(birds, classify):
    run = classify(birds, classes=None, ground_truth="ground_truth")
    assert run.config.classes == tuple(sorted(birds.distinct("ground_truth.label")))


def test_classify__a_preset_of_ones_own_gets_its_field(birds, classify):
    eager = lgca.Method(name="eager", regions="chains", image_scale=1.0, step_weights=(0.2, 0.3, 0.5))
    run = classify(birds, methods=("clip", eager))
    assert all(birds.values("zs_eager.label"))
    assert lgca.load_run(birds, "zs").config.methods[1] == eager == run.config.methods[1]


def test_classify__bad_images_cost_only_themselves(birds, classify, tmp_path):
    alone = predictions(classify(birds).dataset)
    lgca.load_run(birds, "zs").delete()
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("no image")
    whole = Path(birds.first().filepath).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    bad = [*tmp_path.iterdir(), tmp_path / "missing.jpg"]
    birds.add_samples([fo.Sample(filepath=str(path)) for path in bad], progress=False)

    run = classify(birds)

    summary = run.summary()
    assert (summary["total"], summary["predicted"], summary["failed"]) == (16, 12, 4)
    assert summary["skipped"] == summary["pending"] == 0
    assert_same(predictions(birds.match(F("zs_error") == None)), alone)  # noqa: E711
    reasons = {Path(birds[id_].filepath).name: reason for id_, reason in run.failures.items()}
    assert reasons["missing.jpg"] == "the file does not exist"
    assert reasons["empty.jpg"] == "the file is empty"
    assert reasons["text.jpg"] == "the file is not an image that can be read"
    assert "damaged" in reasons["cut.jpg"]


def test_classify__a_repaired_image_is_predicted_by_the_next_call(birds, classify, tmp_path):
    path = tmp_path / "later.jpg"
    birds.add_sample(fo.Sample(filepath=str(path)))
    assert classify(birds).summary()["failed"] == 1

    shutil.copy(birds.first().filepath, path)
    run = classify(birds)

    assert run.failures == {}
    assert run.summary()["predicted"] == 13
    assert run.summary()["images_encoded"] == 12
    assert run.summary()["images_recalled"] == 1  # the copy of an image that has been encoded
    assert birds.last().zs_lgca.label == birds.first().zs_lgca.label


def test_classify__stops_at_the_first_failure_when_asked(birds, classify, tmp_path):
    birds.add_sample(fo.Sample(filepath=str(tmp_path / "missing.jpg")))
    with pytest.raises(lgca.ImageError, match=r"missing\.jpg: the file does not exist"):
        classify(birds, skip_failures=False)

    summary = lgca.load_run(birds, "zs").summary()
    assert summary["status"] == "interrupted"
    assert (summary["predicted"], summary["failed"]) == (12, 1)
    assert classify(birds).summary()["status"] == "done"


def test_resume__a_second_call_encodes_only_what_is_missing(birds, classify):
    first = classify(birds.limit(5))
    assert first.summary()["images_encoded"] == 5
    second = classify(birds)
    assert second.summary()["images_encoded"] == 12
    third = classify(birds)
    assert third.summary()["images_encoded"] == 12
    assert third.summary()["predicted"] == third.summary()["total"] == 12


def test_resume__two_runs_or_another_order_or_batch_give_the_same(birds, classify):
    expected = predictions(classify(birds).dataset)

    classify(birds.skip(7), run_key="split")
    classify(birds, run_key="split")
    classify(birds.sort_by("id", reverse=True), run_key="reverse")
    classify(birds.shuffle(seed=3), run_key="batch", batch_size=3)

    for key in ("split", "reverse", "batch"):
        assert_same(expected, predictions(birds, key))


def test_resume__after_a_kill_in_the_middle(birds, classify, monkeypatch, tmp_path, fresh_store):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "elsewhere"))
    expected = predictions(classify(birds, regions=lgca.RegionConfig(), run_key="whole").dataset, "whole")
    monkeypatch.setenv("LGCA_STORE_DIR", str(fresh_store))
    script = f"""
import fiftyone as fo
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from tests.helpers.runs import classify_by
classify_by(1, fo.load_dataset({birds.name!r}), classes=CLASSES, descriptions=DESCRIPTIONS, encoder="demo",
            run_key="zs", progress=lambda step: print(step.done, flush=True))
"""
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    done = 0
    while done < 3:
        line = child.stdout.readline()
        assert line, "the child ended before it had written three samples"
        done = int(line)
    child.kill()
    child.wait()
    child.stdout.close()

    birds.reload()
    interrupted = lgca.load_run(birds, "zs")
    assert interrupted.summary()["status"] == "running"
    finished_before = len(birds.exists("zs_lgca"))
    assert 3 <= finished_before < 12

    run = classify(birds, regions=lgca.RegionConfig())
    assert run.summary()["status"] == "done"
    summary = run.summary()
    assert summary["images_encoded"] + summary["images_recalled"] == 12 - finished_before
    assert summary["images_recalled"] <= 1  # kept, and killed before it was written
    assert_same(expected, predictions(birds))


def test_interrupt__closing_the_generator_keeps_what_is_done(birds, demo_encoder, classify):
    summary = interrupted(birds, 4, **settings(demo_encoder)).summary()
    assert summary["predicted"] == len(birds.exists("zs_lgca")) >= 4
    assert summary["predicted"] + summary["pending"] == 12
    assert classify(birds).summary()["predicted"] == 12


def test_writing__goes_on_while_the_encoder_encodes(birds, demo_encoder, monkeypatch):
    """The first write ends only after the encoder has been given another batch."""
    began, encoded_since = threading.Event(), threading.Event()
    written = []

    class Noticing(Counting):
        def encode_images(self, pixels):
            if began.is_set():
                encoded_since.set()
            return super().encode_images(pixels)

    def write(dataset, values, real=results_module.write_fields):
        began.set()
        written.append((len(values), encoded_since.wait(60)))
        real(dataset, values)

    def flush(writer, real=results_module.Writer.flush):
        real(writer)
        began.wait(60)  # so that no batch can slip in before it

    monkeypatch.setattr(results_module, "write_fields", write)
    monkeypatch.setattr(results_module.Writer, "flush", flush)
    given = {**settings(demo_encoder), "encoder": Noticing(demo_encoder), "batch_size": 8}
    run = classify_by(2, birds, **given)
    assert written[0][1], "nothing was encoded while the first samples were written"
    assert written[0][0] == 2
    assert sum(images for images, _ in written) == run.summary()["predicted"] == 12


def test_writing__that_fails_ends_the_run_with_its_error_and_it_can_be_gone_on_with(birds, classify, monkeypatch):
    def fail(*_):
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(results_module, "write_fields", fail)
        with pytest.raises(OSError, match="the disk is full"):
            classify(birds)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lgca-")]
    assert lgca.load_run(birds, "zs").summary()["status"] == "interrupted"
    assert classify(birds).summary()["predicted"] == 12


def test_config__another_one_under_the_same_key_is_refused_unless_overwritten(birds, classify):
    classify(birds)
    before = predictions(birds)
    for changes in (
        {"classes": CLASSES[:5]},
        {"regions": lgca.RegionConfig(crops=8, steps=1)},
        {"methods": ("clip", "lgca")},
        {"descriptions": None},
        {"logits": True},
    ):
        with pytest.raises(lgca.ConfigError, match="exists with other settings"):
            classify(birds, **changes)
    assert_same(before, predictions(birds))

    run = classify(birds, methods=("clip",), overwrite=True)
    assert run.fields == ["zs_clip", "zs_error"]
    assert not birds.has_sample_field("zs_lgca")


def test_samples_deleted_during_the_run_are_counted_as_skipped(birds, classify_one_by_one):
    last = birds.last().id

    def delete_one(step):
        if step.done == 2:
            birds.delete_samples([last])

    summary = classify_one_by_one(birds, progress=delete_one).summary()
    assert (summary["total"], summary["predicted"], summary["skipped"]) == (12, 11, 1)
    assert summary["skipped_reasons"] == {"deleted from the dataset during the run": 1}


def test_view__only_its_samples_are_classified(birds, classify):
    run = classify(birds.limit(4))
    assert run.summary()["total"] == 4
    assert len(birds.exists("zs_lgca")) == 4


@pytest.fixture
def pairs(dataset, demo_images):
    """Three groups of a left and a right image; left is the active slice."""
    dataset.add_group_field("group", default="left")
    samples = []
    for left, right in zip(demo_images[:3], demo_images[3:6], strict=True):
        group = fo.Group()
        samples.append(fo.Sample(filepath=str(left.path), group=group.element("left")))
        samples.append(fo.Sample(filepath=str(right.path), group=group.element("right")))
    dataset.add_samples(samples, progress=False)
    return dataset


def test_grouped__the_active_slice_is_classified(pairs, classify):
    run = classify(pairs)
    assert run.summary()["predicted"] == 3
    assert len(pairs.select_group_slices("left").exists("zs_lgca")) == 3
    assert len(pairs.select_group_slices("right").exists("zs_lgca")) == 0

    pairs.group_slice = "right"
    assert classify(pairs).summary()["predicted"] == 6  # of the run, in two calls
    assert len(pairs.select_group_slices("right").exists("zs_lgca")) == 3


@pytest.mark.parametrize(("file", "kind"), [("clip.mp4", "video"), ("scene.fo3d", "3d"), ("cloud.pcd", "point-cloud")])
def test_media__video_and_3d_are_refused(dataset, classify, file, kind):
    dataset.add_sample(fo.Sample(filepath=f"/data/{file}"))
    with pytest.raises(lgca.ConfigError, match=f"only images can be classified.*{kind}"):
        classify(dataset)
    assert without_results(dataset)


def test_media__a_video_slice_is_refused_by_name(dataset, classify):
    dataset.add_group_field("group", default="film")
    group = fo.Group()
    dataset.add_samples(
        [
            fo.Sample(filepath="/data/clip.mp4", group=group.element("film")),
            fo.Sample(filepath="/data/still.jpg", group=group.element("still")),
        ],
        progress=False,
    )
    assert dataset.group_media_types["film"] == "video"
    assert dataset.media_type == "group"
    with pytest.raises(lgca.ConfigError, match="slice 'film'"):
        classify(dataset)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": []}, "at least two classes"),
        ({"classes": ["tern"]}, "at least two classes"),
        ({"classes": ["tern", "tern"]}, "'tern' is given twice"),
        ({"classes": ["tern", "  "]}, "class 2 .* is blank"),
        ({"classes": "tern"}, "must be a list"),
        ({"classes": None}, "pass classes, or a ground_truth"),
        ({"run_key": "my run"}, "run_key"),
        ({"run_key": "1st"}, "run_key"),
        ({"methods": ["clap"]}, "unknown method 'clap'"),
        ({"methods": []}, "methods is empty"),
        ({"ground_truth": "nope"}, "'nope' is no field"),
        ({"ground_truth": "filepath"}, "must be a Classification field"),
        ({"encoder": "ViT-B-33"}, "no model 'ViT-B-33'"),
        ({"encoder": object()}, "encoder must be"),
        ({"batch_size": 0}, "batch_size"),
        ({"precision": "fp8", "encoder": "demo"}, "precision"),
        ({"device": "gpu", "encoder": "demo"}, "device 'gpu'"),
        ({"descriptions": {"tern": "orange beak"}}, "must be a list of texts"),
        ({"descriptions": {"penguin": ["swims"]}}, "match none of the classes"),
        ({"descriptions": "/nowhere.json"}, "can't be read"),
    ],
)
def test_bad_input__is_refused_before_anything_is_written(birds, classify, changes, message):
    with pytest.raises(lgca.ConfigError, match=message):
        classify(birds, **changes)
    assert without_results(birds)


def test_bad_input__weights_out_of_reach_write_nothing(birds, classify):
    with pytest.raises(lgca.ModelUnavailableError, match="neither cached nor reachable"):
        classify(birds, encoder=None)
    assert without_results(birds)


def test_bad_input__an_empty_dataset_and_something_else_than_samples(dataset, classify):
    with pytest.raises(lgca.ConfigError, match="no samples to classify"):
        classify(dataset)
    with pytest.raises(lgca.ConfigError, match="must be a FiftyOne dataset or view"):
        classify(["a.jpg"])


def test_bad_input__patches_are_refused(birds, classify):
    classify(birds)
    with pytest.raises(lgca.ConfigError, match="patches"):
        classify(birds.to_patches("zs_regions"), run_key="patches")


def test_bad_input__a_field_of_somebody_elses_is_never_overwritten(birds, classify):
    birds.add_sample_field("zs_wca", fo.StringField)
    for overwrite in (False, True):
        with pytest.raises(lgca.ConfigError, match="'zs_wca' exists already"):
            classify(birds, overwrite=overwrite)
    assert birds.list_runs() == []


def test_bad_input__a_run_of_another_kind_keeps_its_key(birds, classify):
    birds.register_run("zs", birds.init_run(method="other"))
    with pytest.raises(lgca.ConfigError, match="another kind"):
        classify(birds, overwrite=True)


def test_ground_truth__with_one_label_only_says_so(birds, classify):
    birds.set_values("ground_truth.label", ["tern"] * len(birds))
    with pytest.raises(lgca.ConfigError, match="holds one, 'tern'"):
        classify(birds, classes=None, ground_truth="ground_truth")
    assert without_results(birds)


def test_warnings__words_that_the_demo_model_never_saw_are_named(birds, classify, caplog):
    run = classify(birds.limit(2), classes=["zeppelin", "caspian tern"], descriptions=None)
    assert "zeppelin" in run.summary()["warnings"][0]
    assert "zeppelin" in caplog.text
    assert "tern" not in run.summary()["warnings"][0]


def test_progress__is_reported_up_to_the_last_image(birds, classify):
    steps = []
    classify(birds, progress=steps.append)
    assert steps[-1].done == steps[-1].total == 12
    assert "12 of 12 images" in steps[-1].label
    assert [step.done for step in steps] == sorted(step.done for step in steps)


@pytest.mark.parametrize("model", ["demo", "ViT-B-32"])
def test_photographs__go_through_classify(dataset, photographs, demo_encoder, random_vit, model):
    dataset.add_samples([fo.Sample(filepath=str(path)) for path in photographs], progress=False)
    encoder = demo_encoder if model == "demo" else random_vit
    regions = lgca.RegionConfig() if model == "demo" else lgca.RegionConfig(crops=3, steps=1)

    started = time.perf_counter()
    run = lgca.classify(dataset, classes=["cat", "rocket", "coffee cup"], encoder=encoder, regions=regions)
    seconds = time.perf_counter() - started

    summary = run.summary()
    assert (summary["predicted"], summary["failed"]) == (len(photographs), 0)
    assert summary["encodes_per_image"] <= run.summary()["planned_encodes_per_image"]
    assert 0 < summary["seconds"] <= seconds
    assert all(dataset.values("zeroshot_lgca.label"))


# ------------------------------------------------------------------------------- what several callers or views do


def test_two_callers__the_one_whose_run_was_replaced_stops_and_writes_nothing_more(
    birds, classify, classify_one_by_one
):
    def start_again(step):
        if step.done == 2:
            classify(birds, overwrite=True, classes=["heron", "stork"], descriptions=None, progress=False)

    with pytest.raises(lgca.LgcaError, match="run 'zs' was deleted or started again elsewhere"):
        classify_one_by_one(birds, progress=start_again)
    run = lgca.load_run(birds, "zs")
    assert run.config.classes == ("heron", "stork")
    assert (run.summary()["status"], run.summary()["predicted"]) == ("done", 12)
    assert set(birds.distinct("zs_lgca.label")) <= {"heron", "stork"}


def test_two_callers__deleting_a_run_stops_it(birds, classify_one_by_one):
    def delete(step):
        if step.done == 2:
            lgca.load_run(birds, "zs").delete()

    with pytest.raises(lgca.LgcaError, match="deleted or started again"):
        classify_one_by_one(birds, progress=delete)
    assert without_results(birds)
    stored = birds._sample_collection.find_one({})
    assert not [name for name in stored if name.startswith("zs")]


def test_grouped__a_view_of_another_slice_or_of_all_is_counted_right(pairs, classify):
    right = classify(pairs.select_group_slices("right")).summary()
    assert (right["total"], right["predicted"], right["skipped"]) == (3, 3, 0)
    both = classify(pairs.select_group_slices()).summary()
    assert (both["total"], both["predicted"], both["skipped"]) == (6, 6, 0)
    assert both["images_encoded"] == 6
    assert pairs.group_slice == "left"


def test_grouped__failures_of_every_slice_are_listed(pairs, classify, tmp_path):
    pairs.select_group_slices("right").set_values("filepath", [str(tmp_path / f"{i}.jpg") for i in range(3)])
    run = classify(pairs.select_group_slices())
    assert (run.summary()["predicted"], run.summary()["failed"]) == (3, 3)
    assert set(run.failures.values()) == {"the file does not exist"}


def test_view__by_dynamic_groups_is_flattened(birds, classify):
    assert classify(birds.group_by("ground_truth.label")).summary()["predicted"] == 12


def test_view__that_hides_or_filters_fields_resumes_all_the_same(birds, classify):
    first = classify(birds, ground_truth="ground_truth", classes=None).summary()
    for view in (
        birds.select_fields("ground_truth"),
        birds.select_fields("filepath"),
        birds.filter_labels("zs_clip", F("label") == "nothing", only_matches=False),
        birds.exclude_fields("zs_lgca"),
    ):
        again = classify(view, ground_truth="ground_truth", classes=None).summary()
        assert again["encodes"] == first["encodes"]
        assert again["predicted"] == again["total"] == 12


def test_counts__add_up_over_the_calls_that_a_run_took(birds, classify, tmp_path):
    birds.add_sample(fo.Sample(filepath=str(tmp_path / "missing.jpg")))
    classify(birds.skip(7))
    summary = classify(birds.limit(3)).summary()
    assert (summary["predicted"], summary["failed"], summary["total"]) == (8, 1, 9)
    assert summary["images_encoded"] == 8


@pytest.mark.parametrize("name", ["regions", "error", "case", "stability"])
def test_bad_input__a_preset_called_like_a_field_of_the_run(birds, classify, name):
    with pytest.raises(lgca.ConfigError, match=f"can't be called '{name}'"):
        classify(birds, methods=("clip", lgca.Method(name=name, regions="crops")))
    assert without_results(birds)


@pytest.mark.parametrize("weights", [(1.0,), (1.0, 1.0), (0.0, 0.0, 0.0, 1.0)])
def test_bad_input__step_weights_that_do_not_cover_the_steps(birds, classify, weights):
    with pytest.raises(lgca.ConfigError, match="step_weights of 'mine'"):
        classify(birds, methods=(lgca.Method(name="mine", regions="chains", step_weights=weights),))
    assert without_results(birds)


@pytest.mark.parametrize("classes", [["blue_tit", "blue tit"], ["blue tit", "blue  tit"]])
def test_bad_input__classes_that_read_the_same(birds, classify, classes):
    with pytest.raises(lgca.ConfigError, match="read the same in a prompt"):
        classify(birds, classes=classes, descriptions=None)
    assert without_results(birds)


@pytest.mark.parametrize("name", ["big\nduck", "big\x85duck", "big\u2028duck", "big\x00duck"])
def test_bad_input__class_names_with_line_breaks(birds, classify, name):
    with pytest.raises(lgca.ConfigError, match="line break or control character"):
        classify(birds, classes=[name, "gull"])


def test_ground_truth__labels_are_the_classes_to_the_letter(birds, classify):
    labels = ["  blue tit", "redpoll", "", None] * 3
    birds.set_values("ground_truth", [None if label is None else fo.Classification(label=label) for label in labels])
    run = classify(birds, classes=None, ground_truth="ground_truth", descriptions=None)
    assert run.config.classes == ("  blue tit", "redpoll")
    assert "a photo of a blue tit." not in run.descriptions["  blue tit"]
    assert "itap of a blue tit." in run.descriptions["  blue tit"]
