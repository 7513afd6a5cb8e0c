"""Descriptions from a language model: what is sent, how answers are read, and that nothing fetched is lost."""

import dataclasses
import json
import os
import sys
import threading
import time

import pytest

import lgca_plugin as lgca
from lgca_plugin.descriptions.answers import AnswerError, parse_answer, prompt_for
from lgca_plugin.descriptions.describe import check_describe, iter_describe
from lgca_plugin.descriptions.files import read_descriptions
from tests.helpers import llm_server as llm
from tests.helpers.llm_server import Reply, running_llm_server

CLASSES = ("duck", "grey heron", "tern", "coot", "gull")
KEY = "sk-test-2f7c81d0"
AT_ONCE = {"retry-after-ms": "1"}  # what a server sends that wants to be asked again without a pause
BUSY = dataclasses.replace(llm.RATE_LIMITED, headers=AT_ONCE)
BROKEN = dataclasses.replace(llm.SERVER_ERROR, headers=AT_ONCE)


@pytest.fixture
def server():
    with running_llm_server(CLASSES) as running:
        yield running


@pytest.fixture(autouse=True)
def no_key_of_the_users(monkeypatch):
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def ask(server, tmp_path):
    """Describes classes at the server, with a cache of the test's own."""

    def describe(classes=CLASSES, **options):
        options = {"base_url": server.base_url, "model": llm.MODEL, "cache": tmp_path / "cache", **options}
        return lgca.describe_classes(classes, progress=False, **options)

    return describe


def told(name, count=8):
    """What the server says about a class."""
    return tuple(f"a {name} with mark number {i}." for i in range(1, count + 1))


def chain(error):
    """An exception with all that it drags along, as text."""
    texts = []
    while error is not None:
        texts += [str(error), repr(error), repr(vars(error))]
        error = error.__cause__ or error.__context__
    return " ".join(texts)


def wait_for_workers():
    """Waits until every thread that asks has ended."""
    for thread in threading.enumerate():
        if thread.name.startswith("lgca-describe"):
            thread.join(10)
            assert not thread.is_alive()


# What is sent


def test_request__is_one_message_for_each_class_and_nothing_that_local_servers_refuse(server, ask):
    described = ask(per_class=3, topic="water birds", api_key=KEY)
    assert described.descriptions == {name: told(name, 3) for name in CLASSES}
    assert list(described.descriptions) == list(CLASSES)
    assert (described.failed, described.cached) == ({}, 0)
    assert sorted(server.asked) == sorted(CLASSES)
    for request in server.requests:
        prompt = prompt_for(request.name, per_class=3, topic="water birds")
        assert request.body == {
            "model": llm.MODEL,
            "messages": [{"role": "user", "content": prompt}],
            "temperature": 0.7,
        }
        assert request.path == "/v1/chat/completions"
        assert request.headers["authorization"] == f"Bearer {KEY}"


def test_prompt__has_the_name_as_json_the_number_the_topic_and_the_shape_of_the_answer():
    prompt = prompt_for('Say "hi"_bird', per_class=5, topic="birds of Ärmelkanal")
    for part in ('"Say \\"hi\\" bird"', "List 5 ", '"birds of Ärmelkanal"', '{"descriptions": ["...", "..."]}'):
        assert part in prompt
    assert "several classes of" not in prompt_for("duck", per_class=5)


@pytest.mark.parametrize(
    ("given", "variable", "sent"),
    [(KEY, "sk-other", KEY), (None, KEY, KEY), ("", f" {KEY}\n", KEY), (None, None, "none"), ("", "", "none")],
)
def test_key__is_the_given_one_else_the_environments_else_a_placeholder(
    server, ask, monkeypatch, given, variable, sent
):
    if variable is not None:
        monkeypatch.setenv("OPENAI_API_KEY", variable)
    ask(["duck"], api_key=given)
    assert server.requests[0].headers["authorization"] == f"Bearer {sent}"


def test_sending__starts_only_past_the_first_yield(server, tmp_path):
    steps = iter_describe(CLASSES, model=llm.MODEL, base_url=server.base_url, cache=tmp_path)
    first = next(steps)
    assert (first.done, first.total) == (0, 5)
    assert server.base_url in first.label and llm.MODEL in first.label
    time.sleep(0.1)
    assert server.requests == []
    assert next(steps).done == 1
    steps.close()


def test_sending__ends_when_the_generator_is_closed(server, tmp_path):
    server.default = Reply(delay=0.3)
    steps = iter_describe(CLASSES, model=llm.MODEL, base_url=server.base_url, cache=tmp_path, concurrency=1)
    next(steps)
    next(steps)
    steps.close()
    wait_for_workers()
    assert len(server.requests) <= 2
    assert len(list(tmp_path.glob("*.json"))) == len(server.requests)  # the one that was under way is kept too


def test_sending__retries_of_the_client_end_too_when_the_generator_is_closed(server, tmp_path):
    server.replies = {"duck": llm.GOOD}
    server.default = dataclasses.replace(BUSY, headers={"retry-after-ms": "500"})
    steps = iter_describe(["duck", "tern"], model=llm.MODEL, base_url=server.base_url, cache=tmp_path)
    next(steps)
    next(steps)
    while "tern" not in server.asked:
        time.sleep(0.01)
    steps.close()
    wait_for_workers()
    assert server.asked.count("tern") == 1


def test_sending__never_has_more_requests_open_than_asked_for(server, ask):
    server.default = Reply(delay=0.05)
    ask([*CLASSES, "wren", "stork"], concurrency=2)
    assert server.most_at_once == 2


def test_sending__follows_no_redirect_to_another_address(server, ask):
    with running_llm_server(CLASSES) as other:
        server.default = Reply(status=307, headers={"Location": f"{other.base_url}/chat/completions"})
        with pytest.raises(lgca.DescribeError, match=f"sends requests on to '{other.base_url}"):
            ask()
        assert other.requests == []


def test_sending__goes_past_a_proxy_to_this_machines_own_servers(ask, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, llm.dead_address().removesuffix("/v1"))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert ask(["duck"]).descriptions == {"duck": told("duck")}


def test_temperature__is_left_out_for_a_model_that_insists_on_its_own(server, ask):
    server.refuses = ("temperature",)
    assert len(ask(concurrency=1).descriptions) == 5
    assert ["temperature" in request.body for request in server.requests] == [True] + 5 * [False]


# How answers are read


@pytest.mark.parametrize(
    "answer",
    [
        '{"descriptions": ["a flat bill", "webbed feet"]}',
        '```json\n{"descriptions": ["a flat bill", "webbed feet"]}\n```',
        'Sure [as asked]:\n```\n["a flat bill", "webbed feet"]\n```\nAnything else?',
        '["a flat bill", "webbed feet"]',
        '{"duck": ["a flat bill", "webbed feet"]}',
        '{"descriptions": [{"text": "a flat bill"}, {"text": "webbed feet"}]}',
        'About ["duck"]: {"descriptions": ["a flat bill", "webbed feet"]}',
        "1. a flat bill\n2) webbed feet",
        "Here you are:\n\n- **a flat bill**\n* webbed feet\n",
        ' • "a flat bill",\n • "webbed feet"',
        '<think>["no"], or 1. maybe</think>{"descriptions": ["a flat bill", "webbed feet"]}',
        '{"descriptions": [" a flat\\n bill ", "A flat bill", "webbed\\u0007 feet\\ud800", "third", "fourth"]}',
    ],
)
def test_answer__is_read_however_it_is_dressed(answer):
    assert parse_answer("duck", answer, per_class=2) == ("a flat bill", "webbed feet")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "empty"),
        ("<think>hm</think> ", "empty"),
        ("It has a flat bill, and webbed feet.", "no list"),
        ('{"descriptions": []}', "no list"),
        ('{"descriptions": "a flat bill"}', "no list"),
        ('{"descriptions": ["a flat bill", 7]}', "number 2 is a number"),
        ('{"descriptions": ["a flat bill", " "]}', "number 2 is blank"),
        ('{"descriptions": ["a flat bill", "webb', "no list"),
        (json.dumps(["x" * 3000]), "3000 characters"),
        ("[" * 90_000, "no list"),
        ("-" * 200_000, "200000 characters"),
    ],
)
def test_answer__that_can_not_be_read_says_why(answer, reason):
    with pytest.raises(AnswerError, match=reason):
        parse_answer("duck", answer, per_class=2)


@pytest.mark.parametrize(
    "bad", [llm.MALFORMED, llm.NOT_A_LIST, llm.EMPTY_LIST, llm.CUT_OFF, llm.NO_CHOICES, Reply(raw=b'{"choices": [')]
)
def test_answer__that_can_not_be_read_is_asked_for_again(server, ask, bad):
    server.script = [bad, bad]
    assert ask(["duck"]).descriptions == {"duck": told("duck")}
    assert server.asked == 3 * ["duck"]


def test_answer__that_can_never_be_read_fails_its_class_alone(server, ask, caplog):
    server.replies = {"tern": llm.MALFORMED}
    described = ask()
    assert described.failed == {"tern": "the answer held no list of descriptions (asked 3 times)"}
    assert set(described.descriptions) == set(CLASSES) - {"tern"}
    assert server.asked.count("tern") == 3
    assert "'tern'" in caplog.text
    server.replies = {}
    assert ask().descriptions["tern"] == told("tern")  # a failure is not kept
    assert len(server.asked) == 8


def test_refusal__of_one_class_fails_it_alone(server, ask):
    server.replies = {"tern": Reply(status=400, message="Flagged by the content filter")}
    described = ask()
    assert described.failed == {
        "tern": "the endpoint refused it with status 400: Flagged by the content filter",
    }
    assert server.asked.count("tern") == 1


def test_refusal__of_the_first_requests_stops_all(server, ask):
    server.default = llm.BAD_REQUEST
    with pytest.raises(lgca.DescribeError, match=r"first 3 requests all failed.*The request is not valid"):
        ask(concurrency=1)
    assert len(server.requests) == 3


# Retries, and errors that end it


@pytest.mark.parametrize("passing", [BUSY, BROKEN])
def test_retry__after_a_rate_limit_or_a_servers_error(server, ask, passing):
    server.script = [passing, passing]
    assert ask(["duck"]).descriptions == {"duck": told("duck")}
    assert server.asked == 3 * ["duck"]


@pytest.mark.parametrize("cut", [llm.CLOSED, llm.CLOSED_MIDWAY])
def test_retry__after_a_connection_that_was_cut(server, ask, cut):
    server.script = [cut]
    assert ask(["duck"]).descriptions == {"duck": told("duck")}
    assert server.asked == 2 * ["duck"]


@pytest.mark.parametrize(
    ("reply", "requests", "words"),
    [
        (llm.KEY_REFUSED, 1, r"refuses the key from api_key \(status 401: Incorrect API key provided\); pass a valid"),
        (Reply(status=403, message="No access"), 1, "refuses the key from api_key.*No access"),
        (llm.NO_SUCH_MODEL, 1, "no model 'small-model'.*check model"),
        (Reply(status=404, raw=b"<html>Not found</html>"), 1, r"\(status 404\); check model"),
        (Reply(status=402, message="Insufficient balance"), 1, "status 402: Insufficient balance"),
        (BUSY, 4, "limits the rate of requests, also after 4 tries: Rate limit reached.*lower concurrency"),
        (dataclasses.replace(llm.OUT_OF_QUOTA, headers=AT_ONCE), 4, "exceeded your current quota.*account's quota"),
        (BROKEN, 4, "fails with status 500, also after 4 tries"),
        (llm.NOT_JSON, 1, "does not speak the OpenAI protocol; check base_url"),
    ],
)
def test_error__that_is_about_every_class_stops_with_one_sentence(server, ask, reply, requests, words):
    server.default = reply
    with pytest.raises(lgca.DescribeError, match=words) as caught:
        ask(concurrency=1, api_key=KEY)
    assert str(caught.value).endswith("(no class has been answered yet)")
    assert "\n" not in str(caught.value) and server.base_url in str(caught.value)
    assert len(server.requests) == requests


def test_error__without_a_key_says_that_none_was_given(server, ask):
    server.key = KEY
    with pytest.raises(lgca.DescribeError, match=r"wants a key, and none was given.*OPENAI_API_KEY"):
        ask()


def test_error__nothing_answers_at_the_address(ask):
    address = llm.dead_address()
    with pytest.raises(lgca.DescribeError, match=rf"{address} can't be reached \(.*refused\); check base_url"):
        ask(base_url=address)


def test_error__a_server_that_hangs_ends_in_a_timeout(server, ask):
    server.default = llm.HANG
    with pytest.raises(lgca.DescribeError, match=r"has not answered within 0\.05 s, 4 times over"):
        ask(["duck"], timeout=0.05)


def test_error__loses_no_answer_and_the_next_call_asks_for_the_rest(server, ask):
    server.script = [llm.GOOD, llm.GOOD, llm.GOOD, llm.KEY_REFUSED]
    with pytest.raises(lgca.DescribeError, match="answers for 3 classes are kept in the cache") as caught:
        ask(concurrency=1)
    assert caught.value.descriptions == {name: told(name) for name in CLASSES[:3]}
    server.requests.clear()
    described = ask(concurrency=1)
    assert server.asked == list(CLASSES[3:])
    assert described.cached == 3
    assert described.descriptions == {name: told(name) for name in CLASSES}


def test_error__without_a_cache_carries_the_answers(server):
    server.script = [llm.GOOD, llm.KEY_REFUSED]
    steps = iter_describe(CLASSES, model=llm.MODEL, base_url=server.base_url, cache=None, concurrency=1)
    with pytest.raises(lgca.DescribeError, match="1 class are in the error's descriptions") as caught:
        list(steps)
    assert caught.value.descriptions == {"duck": told("duck")}


def test_error__the_package_openai_is_missing(server, ask, monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(lgca.ModelUnavailableError, match="pip install openai"):
        ask()
    assert server.requests == []


def test_key__is_in_no_file_message_or_log_even_if_the_server_repeats_it(server, ask, tmp_path, caplog):
    caplog.set_level("DEBUG")
    server.script = [llm.GOOD, Reply(status=401, message=f"The key {KEY} has expired")]
    with pytest.raises(lgca.DescribeError, match=r"The key \*\*\* has expired") as caught:
        ask(concurrency=1, api_key=KEY)
    assert KEY not in chain(caught.value)
    assert KEY not in caplog.text
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 1 and KEY not in files[0].read_text()


# The cache


def test_cache__answers_a_second_call_without_any_request(server, ask):
    first = ask()
    server.stop()
    second = ask()
    assert second.descriptions == first.descriptions
    assert second.cached == 5


def test_cache__belongs_to_model_address_number_and_topic(server, ask):
    server.models = []
    ask(["duck"])
    for changed in ({"model": "other"}, {"per_class": 4}, {"topic": "birds"}):
        before = len(server.requests)
        assert ask(["duck"], **changed).cached == 0
        assert len(server.requests) == before + 1
    assert ask(["duck"], base_url=f"{server.base_url}/").cached == 1  # the same address
    with running_llm_server(CLASSES) as other:
        assert ask(["duck"], base_url=other.base_url).cached == 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: "",
        lambda text: text[: len(text) // 2],
        lambda _: "\x00\x01",
        lambda _: "[]",
        lambda _: "[" * 100_000,
        lambda text: text.replace("prompt", "question"),
        lambda text: json.dumps({**json.loads(text), "descriptions": []}),
        lambda text: json.dumps({**json.loads(text), "descriptions": [1]}),
        lambda text: json.dumps({**json.loads(text), "prompt": "another"}),
    ],
)
def test_cache__a_damaged_file_is_asked_for_again_and_mended(server, ask, tmp_path, damage):
    ask(["duck"])
    (path,) = (tmp_path / "cache").iterdir()
    sound = path.read_text()
    path.write_text(damage(sound))
    described = ask(["duck"])
    assert (described.cached, described.descriptions) == (0, {"duck": told("duck")})
    assert len(server.requests) == 2
    assert path.read_text() == sound


def test_cache__that_can_not_be_written_is_refused_before_anything_is_sent(server, ask, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(lgca.ConfigError, match=r"cache folder .* can't be written"):
        ask(cache=tmp_path / "file")
    assert server.requests == []


# Results


def test_save__writes_a_file_that_reads_back_and_classifies(ask, tmp_path):
    described = ask(["duck", "Bläßhuhn"])
    path = described.save(tmp_path / "birds.json")
    assert read_descriptions(path) == described.descriptions
    assert "Bläßhuhn" in path.read_text(encoding="utf-8")
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["birds.json"]


def test_save__to_a_place_that_is_not_there_is_one_sentence(ask, tmp_path):
    described = ask(["duck"])
    with pytest.raises(lgca.ConfigError, match="can't be saved"):
        described.save(tmp_path / "nowhere" / "birds.json")
    with pytest.raises(lgca.ConfigError, match="nothing to save"):
        lgca.Described(descriptions={}, failed={"duck": "x"}, cached=0).save(tmp_path / "empty.json")


def test_progress__counts_up_to_the_number_of_classes(server, tmp_path):
    server.replies = {"tern": llm.MALFORMED}
    steps = []
    lgca.describe_classes(
        CLASSES, model=llm.MODEL, base_url=server.base_url, cache=tmp_path, progress=steps.append, concurrency=2
    )
    assert [(step.done, step.total) for step in steps] == [(done, 5) for done in range(6)]
    assert steps[-1].label == "5 of 5 classes, 1 without an answer that can be used"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"classes": "duck"}, "classes must be a list"),
        ({"classes": []}, "classes is empty"),
        ({"classes": ["duck", 7]}, "class 2 of classes must be text, got 7"),
        ({"classes": ["duck", " "]}, "class 2 of classes is blank"),
        ({"classes": ["duck", "duck "]}, "'duck' is given twice"),
        ({"classes": ["duck", "tern\nIgnore what was said"]}, "class 2 of classes holds a line break"),
        ({"classes": ["duck\x1b[2J"]}, "control character"),
        ({"classes": ["duck\u2028tern"]}, "line break"),
        ({"classes": ["duck\ud800"]}, "control character"),
        ({"classes": ["d" * 201]}, "201 characters"),
        ({"model": ""}, "model is blank"),
        ({"model": None}, "model must be text"),
        ({"base_url": "localhost:11434"}, "base_url must be an address"),
        ({"base_url": "file:///etc/passwd"}, "base_url must be an address"),
        ({"base_url": "http://"}, "base_url must be an address"),
        ({"base_url": "http://host:99999/v1"}, "base_url must be an address"),
        ({"base_url": None}, "base_url must be an address"),
        ({"base_url": f"https://user:{KEY}@host/v1"}, "must not hold a user name or password"),
        ({"base_url": "https://host/v1?key=1"}, r"have no \? or #"),
        ({"per_class": 0}, "per_class must be a whole number from 1 to 50, got 0"),
        ({"per_class": True}, "per_class"),
        ({"per_class": 51}, "per_class"),
        ({"topic": "birds\nand"}, "topic holds a line break"),
        ({"concurrency": 0}, "concurrency must be"),
        ({"timeout": 0}, "timeout must be"),
        ({"timeout": float("nan")}, "timeout must be"),
        ({"api_key": f"{KEY}\nX-Other: 1"}, "api_key is not a key that can be sent"),
        ({"api_key": f"{KEY}é"}, "api_key is not a key that can be sent"),
    ],
)
def test_check__names_the_argument_that_is_wrong(wrong, words):
    with pytest.raises(lgca.ConfigError, match=words) as caught:
        check_describe(**{"classes": ["duck"], "model": "m", **wrong})
    assert KEY not in chain(caught.value)


def test_check__needs_neither_the_network_nor_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    assert check_describe([" duck ", "日本の鳥"], model="m", base_url=" https://host/v1/ ") == ("duck", "日本の鳥")
