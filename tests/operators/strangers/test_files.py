"""Attacks on the server's files by somebody who can reach the App: what the operators write, and what they read."""

import contextlib
import json
import os
import socket
import threading
import traceback

import fiftyone.constants as foc
import pytest
from fiftyone.operators.executor import ExecutionError

from lgca_plugin.demo.classes import CLASSES
from tests.helpers import llm_server as llm
from tests.helpers.app.operators import CLASSIFY, DESCRIBE, EXPORT, RESCORE, AppOperator
from tests.helpers.llm_server import running_llm_server

pytestmark = pytest.mark.usefixtures("module_store")
PRECIOUS = "years of work\n"
PASSWORD = "hunter2"
FIND = AppOperator("lgca_find_wrong_labels")


@pytest.fixture
def exports(monkeypatch, tmp_path):
    """The folder that the App may write to, with a file beside it that nobody may touch."""
    folder = tmp_path / "exports"
    folder.mkdir()
    (tmp_path / "victim.csv").write_text(PRECIOUS)
    monkeypatch.setenv("LGCA_EXPORT_DIR", str(folder))
    return folder


def export(triage, path, **params):
    return EXPORT.run_at_once(triage.run.dataset, destination="server", path=path, **params)[0]


ELSEWHERE = [
    "{tmp}/victim.csv",
    "{tmp}/exports/../victim.csv",
    "../victim.csv",
    "..\\victim.csv",
    "sub/../../victim.csv",
    "{tmp}/new.csv",
    "{tmp}/exports//../victim.csv",
    "//{tmp}/victim.csv",
    "~/victim.csv",
    "file:///{tmp}/victim.csv",
    "/dev/null",
    "/dev/stdout",
    "/proc/self/environ",
    "..",
    ".",
    "",
    " ",
    ".csv",
    ".hidden.csv",
    "a\x00b.csv",
    "a\nb.csv",
    "a\u202eb.csv",
    "a\ud800b.csv",
    "c:b.csv",
    "x.txt",
    "x.csv.exe",
    "x.csv/",
    "x.json",
    "\u00e9" * 120 + ".csv",
    7,
]


@pytest.mark.parametrize("overwrite", [False, True])
def test_export__writes_nothing_outside_its_folder(triage, exports, overwrite):
    for place in ELSEWHERE:
        path = place.replace("{tmp}", str(exports.parent)) if isinstance(place, str) else place
        with pytest.raises(ValueError, match=r"file|path must be a text"):
            export(triage, path, overwrite=overwrite)
        assert set(EXPORT.errors(triage.run.dataset, destination="server", path=path, overwrite=overwrite)) == {"path"}
    assert (exports.parent / "victim.csv").read_text() == PRECIOUS
    assert list(exports.iterdir()) == []
    assert {entry.name for entry in exports.parent.iterdir()} == {"exports", "victim.csv"}


def make_link(path, victim):
    path.symlink_to(victim)


def make_dangling(path, victim):
    path.symlink_to(victim.with_name("new.csv"))


def make_pipe(path, _):
    os.mkfifo(path)


def make_folder(path, _):
    path.mkdir()


def make_device(path, _):
    path.symlink_to("/dev/null")


def make_socket(path, _):
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


def test_export__replaces_plain_files_alone_and_follows_no_link(triage, exports):
    victim = exports.parent / "victim.csv"
    for make in (make_link, make_dangling, make_pipe, make_folder, make_device, make_socket):
        odd = exports / f"{make.__name__}.csv"
        make(odd, victim)
        kind = odd.lstat().st_mode
        for overwrite in (False, True):
            with pytest.raises(ValueError, match="no plain file"):
                export(triage, odd.name, overwrite=overwrite)
        assert odd.lstat().st_mode == kind
    assert victim.read_text() == PRECIOUS
    assert {entry.name for entry in exports.parent.iterdir()} == {"exports", "victim.csv"}
    assert {entry.suffix for entry in exports.iterdir()} == {".csv"}


@pytest.mark.thorough
def test_export__a_link_that_is_swapped_in_at_any_moment_is_not_followed(triage, exports):
    victim, name = exports.parent / "victim.csv", exports / "out.csv"
    over = threading.Event()

    def swap():
        while not over.is_set():
            with contextlib.suppress(OSError):
                (exports / "link").symlink_to(victim)
                (exports / "link").replace(name)
                name.unlink()

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        written = 0
        for _ in range(150):
            with contextlib.suppress(ValueError):
                export(triage, "out.csv", overwrite=True)
                written += 1
    finally:
        over.set()
        swapping.join()
    assert written
    assert victim.read_text() == PRECIOUS
    assert {entry.name for entry in exports.iterdir()} <= {"out.csv", "link"}


def test_export__writes_whole_files_into_its_folder(triage, exports, tmp_path):
    first = export(triage, "\u00e9t\u00e9 2.CSV")
    assert first["path"] == str(exports / "\u00e9t\u00e9 2.CSV")
    assert (exports / "\u00e9t\u00e9 2.CSV").read_text().startswith("sample_id")
    with pytest.raises(ValueError, match="exists already"):
        export(triage, "e\u0301t\u00e9 2.CSV", history=True)
    export(triage, f"{exports}/\u00e9t\u00e9 2.CSV", history=True, overwrite=True)
    assert (exports / "\u00e9t\u00e9 2.CSV").read_text().splitlines()[0].endswith("undoes")
    assert len(list(exports.iterdir())) == 1
    EXPORT.call(triage.run.dataset, tmp_path / "anywhere.csv")  # the user's own code
    assert (tmp_path / "anywhere.csv").is_file()


def test_export__by_default_goes_to_the_plugins_own_folder(triage, monkeypatch, tmp_path):
    monkeypatch.delenv("LGCA_EXPORT_DIR", raising=False)
    monkeypatch.setattr(foc, "FIFTYONE_CONFIG_DIR", str(tmp_path))
    folder = tmp_path / "lgca" / "exports"
    assert EXPORT.errors(triage.run.dataset, destination="server", path="a.csv") == {}
    assert not folder.exists()
    assert export(triage, "a.csv")["path"] == str(folder / "a.csv")
    assert folder.stat().st_mode & 0o077 == 0


def test_describe__saves_to_the_folder_alone_and_downloads(dataset, exports, monkeypatch, tmp_path):
    monkeypatch.setattr(foc, "FIFTYONE_CONFIG_DIR", str(tmp_path / "config"))
    with running_llm_server(["duck", "coot"]) as server:
        monkeypatch.setenv("LGCA_LLM_HOSTS", server.base_url.removesuffix("/v1"))
        params = {"class_source": "typed", "classes": "duck\ncoot", "model": llm.MODEL, "per_class": 2}
        params |= {"base_url": server.base_url, "confirm": True, "replace_file": True}
        for path in ("../victim.json", str(tmp_path / "victim.json"), "/dev/null", "victim.csv", "~/a.json"):
            assert set(DESCRIBE.errors(dataset, **params, save_to=path)) == {"save_to"}
            with pytest.raises(ExecutionError):
                DESCRIBE.execute(dataset, **params, save_to=path)
        (exports / "link.json").symlink_to(exports.parent / "victim.csv")
        with pytest.raises(ExecutionError):
            DESCRIBE.execute(dataset, **params, save_to="link.json")
        assert server.requests == []
        messages = DESCRIBE.run(dataset, **params, save_to="texts.json", download=True)
    texts = {name: list(llm.good_texts(name, 2)) for name in ("duck", "coot")}
    assert json.loads((exports / "texts.json").read_text()) == texts
    assert "browser_download" in [message.operator_uri for message in messages]
    assert (exports.parent / "victim.csv").read_text() == PRECIOUS


@pytest.fixture
def files(monkeypatch, tmp_path):
    """A folder that the App may read, and another that it may not, with a file that holds a password."""
    allowed, secret = tmp_path / "allowed", tmp_path / "secret"
    allowed.mkdir()
    secret.mkdir()
    (secret / "texts.json").write_text(json.dumps({name: [PASSWORD] for name in CLASSES[:2]}))
    monkeypatch.setenv("LGCA_READ_DIRS", str(allowed))
    monkeypatch.setenv("LGCA_EXPORT_DIR", str(tmp_path / "exports"))
    return allowed, secret


def form_of(operator, request):
    """The dataset for an operator's form, and what is chosen there already."""
    if operator is CLASSIFY:
        return request.getfixturevalue("dataset"), {"class_source": "typed", "classes": "\n".join(CLASSES[:2])}
    if operator is FIND:
        return request.getfixturevalue("shared_run").dataset, {"more": True, "model_choice": "other"}
    return request.getfixturevalue("shared_run").dataset, {"run": "zs"}


@pytest.mark.parametrize("operator", [CLASSIFY, FIND, RESCORE], ids=lambda operator: operator.uri)
def test_descriptions__are_read_from_allowed_folders_alone(request, files, operator):
    allowed, secret = files
    dataset, chosen = form_of(operator, request)
    (allowed / "link.json").symlink_to(secret / "texts.json")
    (allowed / "inner").symlink_to(secret)
    os.mkfifo(allowed / "pipe.json")
    (allowed / "folder.json").mkdir()
    (allowed / "zero.json").symlink_to("/dev/zero")
    outside = [secret / "texts.json", secret / "missing.json", "/etc/passwd", "../secret/texts.json", "link.json"]
    outside += ["inner/texts.json", allowed / ".." / "secret" / "texts.json", "/dev/zero", "zero.json", "~/a", "a\0b"]
    for path in map(str, outside):
        found = operator.errors(dataset, **chosen, description_source="file", description_file=path)
        assert found["description_file"].startswith(f"there is no {path!r} that the App may read")
    for path in ("pipe.json", "folder.json"):
        found = operator.errors(dataset, **chosen, description_source="file", description_file=path)
        assert "is no plain file" in found["description_file"]
    (allowed / "texts.json").write_text(json.dumps({name: ["a fine bird."] for name in CLASSES}))
    (allowed / "same.json").symlink_to(allowed / "texts.json")
    for path in ("texts.json", "same.json", allowed / "texts.json"):
        found = operator.errors(dataset, **chosen, description_source="file", description_file=str(path))
        assert "description_file" not in found


@pytest.mark.parametrize(
    "content",
    [
        PASSWORD,
        json.dumps({PASSWORD: 1}),
        json.dumps({PASSWORD: [PASSWORD, 2]}),
        json.dumps([PASSWORD]),
        f'{{"{PASSWORD}": ["a"], "{PASSWORD}": ["b"]}}',
        json.dumps({PASSWORD: ["a"], f"the {PASSWORD}": ["b"]}),
        json.dumps({PASSWORD: [" "]}),
        f'{{"{PASSWORD}": ["a"',
        f'{{"a": "{PASSWORD}\n"}}',
        f"{PASSWORD}\udcff",
        "9" * 5_000,
        "[" * 100_000,
        json.dumps({PASSWORD: ["swims"]}),
    ],
    ids=lambda content: content[:30],
)
def test_descriptions__errors_quote_nothing_of_a_file(dataset, files, content):
    (files[0] / "texts.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    params = {"class_source": "typed", "classes": "\n".join(CLASSES[:2]), "encoder": "demo"}
    params |= {"description_source": "file", "description_file": "texts.json"}
    with pytest.raises(ValueError) as error:  # noqa: PT011, what it says is looked at below
        list(CLASSIFY.begin(CLASSIFY.context(dataset, params)))
    answered = "".join(traceback.format_exception(error.value))  # as the App's server does
    said = f"{answered} {CLASSIFY.errors(dataset, **params)}"
    assert PASSWORD not in said and "9999" not in said
