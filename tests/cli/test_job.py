"""A job from the command line, from the folder of work to the run on the dataset."""

import json

import pytest

import lgca_plugin as lgca
from lgca_plugin.cli.main import main
from lgca_plugin.demo.classes import CLASSES
from tests.helpers.runs import add_images


@pytest.fixture
def lgca_command(capsys):
    """Types a command in this process; gives the exit status, and what is on standard output and standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        found = capsys.readouterr()
        return status, found.out, found.err

    return run


def test_job__is_prepared_done_in_parts_and_collected(lgca_command, dataset, demo_images, tmp_path):
    name, folder = add_images(dataset, demo_images[:3]).name, tmp_path / "job"
    moved = f"{demo_images[0].path.rsplit('/', 1)[0]}={tmp_path / 'images'}"
    (tmp_path / "images").symlink_to(demo_images[0].path.rsplit("/", 1)[0])
    model = ("--model", "demo", "--classes", ",".join(CLASSES), "--methods", "clip", "--run", "many")
    prepare = ("job", "prepare", name, folder, *model, "--rows-per-part", 2, "--path", moved)
    status, out, _ = lgca_command(*prepare)
    assert (status, out.splitlines()) == (0, ["3 images in 2 parts", f"Next: lgca job run {folder}"])
    assert lgca_command("job", "part", folder, "1")[:2] == (0, "part 1: 1 images, 0 failed\n")
    assert lgca_command("job", "state", folder)[1] == "1 of 3 images are done, in 1 of 2 parts\n"
    assert lgca_command("job", "part", folder, "0/1")[1] == "part 0: 2 images, 0 failed\n"
    assert lgca_command("job", "part", folder, "0-1")[1] == "these parts were done already\n"
    status, out, _ = lgca_command("job", "collect", name, folder, "--json")
    assert status == 0 and json.loads(out)["summary"]["predicted"] == 3
    assert lgca.load_run(dataset, "many").state.name == "completed"


def test_job__says_in_a_sentence_what_is_wrong(lgca_command, tmp_path):
    status, _, err = lgca_command("job", "run", tmp_path)
    assert (status, err) == (1, f"Error: {tmp_path} holds no job: lgca job prepare makes one\n")
    assert lgca_command("job", "prepare", "birds", tmp_path, "--path", "no-equals-sign")[0] == 2
