"""Samples and files that others change while a run is at work on them, and several runs at once."""

import shutil
from contextlib import ExitStack
from pathlib import Path

import fiftyone as fo

import lgca_plugin as lgca
from tests.helpers.faults.damage import values_of
from tests.helpers.faults.process import finished, job
from tests.helpers.faults.report import Damage
from tests.helpers.faults.undisturbed import CLASSIFY
from tests.helpers.runs import add_images


def of_files(values, names):
    return {path: value for path, value in values.items() if path.split("/")[0] in names}


def test_samples__deleted_and_added_under_a_run_leave_the_others_alone(birds, images, reference, count_fault, tmp_path):
    names = [Path(image.path).name for image in images]
    with job(tmp_path, "classify", birds.name) as running:
        running.wait_for_images(8)
        birds.delete_samples(birds.skip(40).values("id"))  # not encoded yet
        running.wait_for_images(16)
        birds.delete_samples(birds.limit(4).values("id"))  # written already
        for at, image in enumerate(images[:3]):
            shutil.copy(image.path, tmp_path / f"new-{at}.jpg")
        birds.add_samples([fo.Sample(filepath=str(tmp_path / f"new-{at}.jpg"), note="new") for at in range(3)])
        assert running.end() == 0, running.errors
    birds.reload()
    summary = lgca.load_run(birds, "zs").summary()
    assert (summary["total"], summary["skipped"]) == (48, 12) or summary["total"] == 48
    left = names[4:40]
    found, expected = (of_files(values, left) for values in (values_of(birds), reference.after(CLASSIFY)))
    count_fault("samples deleted and added under a run", reference.compared(found, expected), times=15)
    finished(tmp_path, "classify", birds.name)
    birds.reload()
    of_new = [
        sample["zs_lgca"].label == birds.match({"filepath": str(image.path)}).first()["zs_lgca"].label
        for sample, image in zip(birds.match({"note": "new"}), images[4:7], strict=False)
        if image is not None
    ]
    assert len(of_new) == 3
    assert lgca.load_run(birds, "zs").summary()["predicted"] == 39


def test_files__replaced_and_removed_under_a_run_are_predicted_as_read_or_failed(
    images, reference, count_fault, tmp_path
):
    own = tmp_path / "own"
    own.mkdir()
    copies = [type(image)(**{**vars(image), "path": shutil.copy(image.path, own)}) for image in images]
    birds = add_images(fo.Dataset(persistent=True), copies)
    birds.set_values("note", [f"note {at}" for at in range(len(birds))])
    with job(tmp_path, "classify", birds.name) as running:
        running.wait_for_images(4)
        shutil.copy(copies[40].path, tmp_path / "other.jpg")
        (tmp_path / "other.jpg").replace(copies[44].path)  # another bird under its name
        Path(copies[45].path).unlink()
        Path(copies[46].path).write_bytes(Path(copies[46].path).read_bytes()[:3000])
        assert running.end() == 0, running.errors
    birds.reload()
    run = lgca.load_run(birds, "zs")
    assert sorted(Path(birds[id_].filepath).name for id_ in run.failures) == sorted(
        Path(copies[at].path).name for at in (45, 46)
    )
    names = [Path(image.path).name for at, image in enumerate(images) if at not in (44, 45, 46)]
    found, expected = (of_files(values, names) for values in (values_of(birds), reference.after(CLASSIFY)))
    damage = reference.compared(found, expected)
    other = {path.split("/", 1)[1]: value for path, value in of_files(values_of(birds), [names[40]]).items()}
    replaced = of_files(values_of(birds), [Path(copies[44].path).name])
    same = ("zs_clip.label", "zs_wca.label", "zs_lgca.label", "zs_lgca.confidence")
    wrong = sum(replaced[f"{Path(copies[44].path).name}/{path}"] != other[path] for path in same)
    count_fault("files replaced, removed, cut under a run", damage + Damage(changed=wrong), times=3)
    birds.delete()


def test_runs__three_at_once_on_the_same_key_leave_one_at_work(birds, reference, count_fault, tmp_path):
    with ExitStack() as stack:
        three = [stack.enter_context(job(tmp_path, "classify", birds.name)) for _ in range(3)]
        ended = [running.end() for running in three]
    assert ended.count(0) >= 1
    for running, status in zip(three, ended, strict=True):
        assert status == 0 or "RunHeldError" in running.lines[-1], running.errors
    count_fault("three runs at once on one key", reference.damage(birds, CLASSIFY), times=3)


def test_runs__three_at_once_on_different_keys_are_those_of_three_in_a_row(birds, reference, count_fault, tmp_path):
    keys = ("one", "two", "three")
    with ExitStack() as stack:
        three = [stack.enter_context(job(tmp_path, "classify", birds.name, run_key=key)) for key in keys]
        for running in three:
            assert running.end() == 0, running.errors
    damage = reference.damage(birds, *(("classify", {"run_key": key}) for key in keys))
    count_fault("three runs at once on three keys", damage, times=3)
