"""The command ``lgca`` as a user types it: what it prints, what it leaves in the database, and how it ends."""

import inspect
import json
import os
import signal
import subprocess
import sys
import time

import click
import pytest

import lgca_plugin as lgca
from lgca_plugin import api, api_predictions
from lgca_plugin.cli.main import VERBS, main
from lgca_plugin.cli.words import command_words
from lgca_plugin.run import Run
from lgca_plugin.runs.clean_store import clean_store
from lgca_plugin.workflows.decisions.queue import Triage
from tests.helpers.paths import ROOT
from tests.helpers.runs import add_images
from tests.helpers.worlds.queue import SUSPECTS, ids_of

COMMAND = [sys.executable, "-m", "lgca_plugin"]
HEAVY = {"torch", "torchvision", "fiftyone", "open_clip", "scipy", "sklearn"}
LOADED = "import sys; from lgca_plugin.cli.main import main; print(main(sys.argv[1:])); print(*sys.modules)"


@pytest.fixture
def lgca_command(capsys):
    """Types a command in this process; gives the exit status, what is on standard output, and on standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        found = capsys.readouterr()
        return status, found.out, found.err

    return run


@pytest.fixture
def birds(dataset, demo_images):
    add_images(dataset, demo_images[:6])
    dataset.persistent = True
    return dataset


def command_of(verb):
    found = click.Group.get_command(root(), None, verb) or root().get_command(None, verb)  # type: ignore[arg-type]
    assert found is not None
    return found


def root():
    from lgca_plugin.cli.main import lgca as group

    return group


def test_help__lists_every_verb_and_loads_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-c", LOADED, "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    *text, status, modules = done.stdout.splitlines()
    assert status == "0"
    assert not HEAVY & {name.partition(".")[0] for name in modules.split()}
    for verb in VERBS:
        (line,) = (line for line in text if line.split()[:1] == [verb])
        assert not line.endswith("..."), "the line of a verb is read whole"


@pytest.mark.parametrize("verb", VERBS)
def test_help__of_a_verb_says_what_each_option_is(verb, lgca_command):
    status, out, _ = lgca_command(verb, "--help")
    assert status == 0
    assert "None" not in out and "``" not in out and ":func:" not in out
    for option in command_of(verb).params:
        assert isinstance(option, click.Argument) or getattr(option, "help", None)


@pytest.mark.parametrize(
    ("verb", "functions", "own"),
    [
        ("find", [api.find_wrong_labels], {"weights"}),
        ("classify", [api.classify], {"weights"}),
        ("triage", [Run.triage, api_predictions.triage], set()),
        ("export", [Triage.export], {"run_key", "suspects"}),
    ],
)
def test_options__are_arguments_of_the_function_with_its_defaults(verb, functions, own):
    taken = {name: one for call in functions for name, one in inspect.signature(call).parameters.items()}
    for option in command_of(verb).params:
        if not isinstance(option, click.Argument) and option.name not in {"as_json", *own}:
            default = taken[option.name].default
            expected = None if default is inspect.Parameter.empty else default
            found = option.get_default(click.Context(command_of(verb)))
            assert (found if isinstance(found, (str, int, float)) else None) == expected, option.name
    assert {one.name for one in command_of("store").commands["clean"].params} - {"as_json"} <= set(
        inspect.signature(clean_store).parameters
    )


def test_find__in_a_process_of_its_own_prints_json_alone_and_triage_goes_on_with_its_run(birds, lgca_command):
    command = [*COMMAND, "find", birds.name, "--labels", "truth", "--model", "demo", "--run", "typed", "--json"]
    done = subprocess.run([*command, "--budget", "economical"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    birds.reload()
    triage = lgca.load_run(birds, "typed").last_triage()
    assert (found["dataset"], found["run"], triage.run.config.budget) == (birds.name, "typed", "economical")
    assert found["left"] == triage.left()
    assert [one["sample_id"] for one in found["suspects"]] == triage.suspects().values("id")
    assert found["next"][0] == f"lgca review {birds.name} --run typed"
    assert set(found["warnings"]) >= set(triage.report["warnings"])
    status, out, err = lgca_command("triage", birds.name, "--labels", "truth")
    assert status == 0 and out.startswith(str(lgca.load_run(birds, "typed").last_triage()))
    assert f"Warning: {triage.report['warnings'][0]}" in err
    typed = ("triage", birds.name, "--labels", "truth", "--predictions", "typed_clip,typed_lgca", "--json")
    status, out, _ = lgca_command(*typed)
    assert status == 0 and json.loads(out)["report"]["methods"] == ["typed_clip", "typed_lgca"]
    assert lgca.list_runs(birds) == ["typed", "voters"]


def test_classify__answers_with_the_run(birds, lgca_command):
    typed = ("--classes", "redpoll, blue tit", "--model", "demo", "--methods", "clip", "--run", "mine", "--logits")
    status, out, _ = lgca_command("classify", birds.name, *typed)
    assert status == 0 and out.startswith("<Run 'mine'") and "6 predicted" in out
    run = lgca.load_run(birds, "mine")
    assert run.config.classes == ("redpoll", "blue tit") and run.config.logits
    assert [method.name for method in run.config.methods] == ["clip"]


def test_runs_export_and_store__say_what_there_is(triage, lgca_command, tmp_path):
    dataset = triage.run.dataset
    triage.decide(ids_of(triage)[:2], "label right")
    status, out, _ = lgca_command("runs", dataset.name)
    assert status == 0
    assert out.splitlines()[1].split()[:3] == ["zs", "completed", "12"]
    assert out.splitlines()[1].endswith(f"{SUSPECTS - 2} of {SUSPECTS}")
    (one,) = json.loads(lgca_command("runs", dataset.name, "--json")[1])["runs"]
    assert (one["predicted"], one["left"]["undecided"]) == (12, SUSPECTS - 2)
    target = tmp_path / "out.csv"
    status, out, _ = lgca_command("export", dataset.name, target)
    assert status == 0 and out == f"2 decisions written to {target}\n"
    assert target.read_text().count(",kept,") == 2
    status, out, err = lgca_command("export", dataset.name, target, "--json")
    assert status == 1
    assert err == f"Error: {json.loads(out)['error']}\n" and "give --overwrite" in err
    status, out, _ = lgca_command("export", dataset.name, target, "--suspects", "csv", "--overwrite")
    assert status == 0 and target.read_text().count("\n") == SUSPECTS + 1
    info = json.loads(lgca_command("store", "info", "--json")[1])
    assert info["used_bytes"] <= info["limit_bytes"]
    assert json.loads(lgca_command("store", "clean", "--json")[1])["freed_bytes"] >= 0


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("find", "no-such-dataset"), 1, "there is no dataset 'no-such-dataset' in this database"),
        (("export", "{}", "x.csv"), 1, "no run whose labels were checked yet: lgca find"),
        (("triage", "{}"), 1, "has no run yet: lgca find"),
        (("find", "{}", "--labels", "nothing"), 1, "--labels 'nothing' is no field of this dataset"),
        (("classify", "{}", "--classes", "a,a", "--model", "demo"), 1, "class 'a' is given twice"),
        (("store", "clean", "--unused-days", "-1"), 1, "--unused-days must be a number of days"),
        (("find",), 2, "Missing argument 'DATASET'"),
        (("find", "x", "--budget", "none"), 2, "is not one of 'full', 'adaptive', 'economical'"),
        (("fnd", "x"), 2, "No such command 'fnd'"),
    ],
)
def test_mistake__ends_with_a_status_and_one_sentence(birds, lgca_command, arguments, status, words):
    ended, out, err = lgca_command(*(argument.format(birds.name) for argument in arguments))
    assert (ended, out) == (status, "")
    assert words in err and "Traceback" not in err
    assert status != 1 or (err.startswith("Error: ") and err.count("\n") == 1)


def test_doctor__says_what_is_missing_and_what_to_do(lgca_command):
    status, out, _ = lgca_command("doctor", "--json")
    found = {one["part"]: one for one in json.loads(out)["findings"]}
    assert status == 1  # the tests have no weights of a real model
    assert found["database"]["fine"] and found["the App's plugin"]["fine"] and found["store of embeddings"]["fine"]
    (missing,) = (one for one in found.values() if not one["fine"])
    assert missing["part"] == "weights of ViT-B-32-quickgelu/openai"
    assert "--weights FILE" in missing["advice"]
    assert found["torch"]["value"] in lgca_command("doctor")[1]


@pytest.mark.thorough
def test_doctor__without_a_database_names_the_remedy():
    address = {**os.environ, "FIFTYONE_DATABASE_URI": "mongodb://localhost:1/?serverSelectionTimeoutMS=100"}
    done = subprocess.run([*COMMAND, "doctor"], capture_output=True, text=True, cwd=ROOT, env=address, check=False)
    assert done.returncode == 1
    assert "MISSING database: Could not connect to `mongod`" in done.stdout
    assert "set FIFTYONE_DATABASE_URI" in done.stdout


@pytest.mark.thorough
def test_ctrl_c__ends_a_search_with_130_and_keeps_what_is_done(dataset, demo_images):
    add_images(dataset, demo_images * 20)
    dataset.persistent = True
    command = [*COMMAND, "find", dataset.name, "--labels", "truth", "--model", "demo", "--budget", "full"]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    signal.signal(signal.SIGINT, before)
    until = time.monotonic() + 120
    while not (state := lgca.runs_at_work(dataset).get("zeroshot")) or state.name != "running":
        assert time.monotonic() < until and started.poll() is None
        time.sleep(0.2)
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=120)
    assert (started.returncode, out) == (130, "")
    assert "Interrupted; what was done is kept" in err and "Traceback" not in err
    dataset.reload()
    assert lgca.load_run(dataset, "zeroshot").state.name == "interrupted"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("file 'overwrite=True' exists; pass overwrite=True", "file 'overwrite=True' exists; give --overwrite"),
        ("run_key 'a b' is no key", "--run 'a b' is no key"),
        ("ground_truth is 'x'; its fields: ground_truth, y", "--labels is 'x'; its fields: ground_truth, y"),
        ("rescore with methods=('clip', 'wca') first", "rescore with --methods clip,wca first"),
        ("lgca.classify(run_key='k', overwrite=True) replaces", "lgca classify(--run='k', give --overwrite) replaces"),
    ],
)
def test_words__name_options_in_the_place_of_arguments(message, words):
    assert command_words(message) == words
