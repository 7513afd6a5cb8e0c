"""Runs that take several calls: failed images, interruptions, failed writes, and several callers at once."""

import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import fiftyone as fo
import pytest
from fiftyone import ViewField as F

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.fiftyone_io.documents import write_fields
from lgca_plugin.workflows.classify import writer as results_module
from tests.helpers.engine import Counting
from tests.helpers.paths import ROOT
from tests.helpers.runs import assert_same_predictions, classify_by, has_no_results, interrupted, predictions


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
    assert_same_predictions(predictions(birds.match(F("zs_error") == None)), alone)  # noqa: E711
    reasons = {Path(birds[id_].filepath).name: reason for id_, reason in run.failures.items()}
    assert reasons["missing.jpg"] == "the file does not exist"
    assert reasons["empty.jpg"] == "the file is empty"
    assert reasons["text.jpg"].startswith("the file is not an image of a format that is read here")
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


def test_resume__a_run_with_the_default_methods_of_an_earlier_release_goes_on_with_them(birds, classify):
    former = ("clip", "wca", "lgca")
    classify(birds.limit(2), methods=former)
    second = classify(birds.limit(4), methods=None)
    assert tuple(method.name for method in second.config.methods) == former
    assert second.summary()["predicted"] == 4
    with pytest.raises(lgca.ConfigError, match=r"exists with other settings \(methods\)"):
        classify(birds.limit(4), methods=(*former, "wca_d"))


def test_resume__a_second_call_encodes_only_what_is_missing(birds, classify):
    first = classify(birds.limit(5))
    assert first.summary()["images_encoded"] == 5
    second = classify(birds)
    assert second.summary()["images_encoded"] == 12
    third = classify(birds)
    assert third.summary()["images_encoded"] == 12
    assert third.summary()["predicted"] == third.summary()["total"] == 12


def test_counts__add_up_over_the_calls_that_a_run_took(birds, classify, tmp_path):
    birds.add_sample(fo.Sample(filepath=str(tmp_path / "missing.jpg")))
    classify(birds.skip(7))
    summary = classify(birds.limit(3)).summary()
    assert (summary["predicted"], summary["failed"], summary["total"]) == (8, 1, 9)
    assert summary["images_encoded"] == 8


def test_resume__two_runs_or_another_order_or_batch_give_the_same(birds, classify):
    expected = predictions(classify(birds).dataset)

    classify(birds.skip(7), run_key="split")
    classify(birds, run_key="split")
    classify(birds.sort_by("id", reverse=True), run_key="reverse")
    classify(birds.shuffle(seed=3), run_key="batch", batch_size=3)

    for key in ("split", "reverse", "batch"):
        assert_same_predictions(expected, predictions(birds, key))


@pytest.mark.thorough  # beside those of tests/faults
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
    assert child.stdout is not None
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
    assert interrupted.summary()["status"] == "interrupted"
    assert str(interrupted.state).startswith("interrupted at 2")
    assert f"(process {child.pid})" in str(interrupted.state)
    finished_before = len(birds.exists("zs_lgca"))
    assert 3 <= finished_before < 12

    run = classify(birds, regions=lgca.RegionConfig())
    assert run.summary()["status"] == "done"
    summary = run.summary()
    assert summary["images_encoded"] + summary["images_recalled"] == 12, "those of the killed call count, too"
    assert summary["images_recalled"] <= 1  # kept, and killed before it was written
    assert_same_predictions(expected, predictions(birds))


def test_interrupt__closing_the_generator_keeps_what_is_done(birds, settings, classify):
    summary = interrupted(birds, 4, **settings).summary()
    assert summary["predicted"] == len(birds.exists("zs_lgca")) >= 4
    assert summary["predicted"] + summary["pending"] == 12
    assert classify(birds).summary()["predicted"] == 12


def test_writing__goes_on_while_the_encoder_encodes(birds, demo_encoder, settings, monkeypatch):
    """The first write ends only after the encoder has been given another batch."""
    began, encoded_since = threading.Event(), threading.Event()
    written = []

    class Noticing(Counting):
        def encode_images(self, pixels):
            if began.is_set():
                encoded_since.set()
            return super().encode_images(pixels)

    def write(dataset, values, real=write_fields):
        began.set()
        written.append((len(values), encoded_since.wait(60)))
        real(dataset, values)

    def flush(writer, real=results_module.Writer.flush):
        real(writer)
        began.wait(60)  # so that no batch can slip in before it

    monkeypatch.setattr(results_module, "write_fields", write)
    monkeypatch.setattr(results_module.Writer, "flush", flush)
    given = {**settings, "encoder": Noticing(demo_encoder), "batch_size": 8}
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


def test_samples_deleted_during_the_run_are_counted_as_skipped(birds, classify_one_by_one):
    last = birds.last().id

    def delete_one(step):
        if step.done == 2:
            birds.delete_samples([last])

    summary = classify_one_by_one(birds, progress=delete_one).summary()
    assert (summary["total"], summary["predicted"], summary["skipped"]) == (12, 11, 1)
    assert summary["skipped_reasons"] == {"deleted from the dataset during the run": 1}


def test_two_callers__the_second_is_refused_whatever_it_does_and_the_first_ends(birds, classify, classify_one_by_one):
    refused = []

    def meddle(step):
        if step.done == 2:
            calls = {
                "go on": lambda: classify(birds),
                "start again": lambda: classify(birds, overwrite=True, classes=["heron", "stork"], descriptions=None),
                "delete": lambda: lgca.load_run(birds, "zs").delete(),
            }
            for name, call in calls.items():
                with pytest.raises(lgca.RunHeldError, match=r"run 'zs' is being classified by .* since 2"):
                    call()
                refused.append(name)

    run = classify_one_by_one(birds, progress=meddle)
    assert refused == ["go on", "start again", "delete"]
    assert (run.summary()["predicted"], run.state.name) == (12, "completed")
    run.delete()
    assert has_no_results(birds)
    stored = birds._sample_collection.find_one({})
    assert not [name for name in stored if name.startswith("zs")]


def test_failures__of_all_first_images_stop_a_run_that_then_begins_with_the_others(birds, demo_encoder, tmp_path):
    paths = [tmp_path / f"{at}.jpg" for at in range(6)]
    for path in paths:
        path.write_text("no image")
    dataset = fo.Dataset()
    dataset.add_samples([fo.Sample(filepath=str(path)) for path in [*paths, *birds.limit(2).values("filepath")]])
    given: Any = {"classes": CLASSES, "descriptions": DESCRIPTIONS, "run_key": "zs", "max_failures": 4}
    with pytest.raises(lgca.LgcaError, match="none of the first 4 images could be used, the last because the file is"):
        classify_by(2, dataset, encoder=demo_encoder, **given)
    assert lgca.load_run(dataset, "zs").summary()["failed"] == 4
    summary = classify_by(2, dataset, encoder=demo_encoder, **given).summary()
    assert (summary["status"], summary["predicted"], summary["failed"]) == ("done", 2, 6)
    dataset.delete()


def test_failures__that_alone_are_left_end_a_call_like_any_other(birds, demo_encoder, tmp_path):
    broken = [tmp_path / f"{at}.jpg" for at in range(4)]
    for path in broken:
        path.write_text("no image")
    dataset = fo.Dataset()
    paths = [*birds.limit(2).values("filepath"), *broken]
    dataset.add_samples([fo.Sample(filepath=str(path)) for path in paths])
    given: Any = {"classes": CLASSES, "descriptions": DESCRIPTIONS, "run_key": "zs", "max_failures": 3}
    for _ in range(2):
        summary = classify_by(2, dataset, encoder=demo_encoder, **given).summary()
        assert (summary["status"], summary["predicted"], summary["failed"]) == ("done", 2, 4)
    dataset.delete()
