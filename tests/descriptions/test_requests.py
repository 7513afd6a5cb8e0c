"""Requests to a language model: what is sent, what is repeated, and errors that end them without a loss."""

import dataclasses
import sys
import threading
import time

import pytest

import lgca_plugin as lgca
from lgca_plugin.descriptions.answers import prompt_for
from lgca_plugin.descriptions.describe import iter_describe
from tests.helpers import llm_server as llm
from tests.helpers.llm_server import CLASSES, KEY, Reply, chain, good_texts, running_llm_server


def wait_for_workers():
    """Waits until every thread that asks has ended."""
    for thread in threading.enumerate():
        if thread.name.startswith("lgca-describe"):
            thread.join(10)
            assert not thread.is_alive()


def test_request__is_one_message_for_each_class_and_nothing_that_local_servers_refuse(server, describe):
    described = describe(per_class=3, topic="water birds", api_key=KEY)
    assert described.descriptions == {name: good_texts(name, 3) for name in CLASSES}
    assert list(described.descriptions) == list(CLASSES)
    assert (described.failed, described.cached) == ({}, 0)
    assert sorted(server.requested) == sorted(CLASSES)
    for request in server.requests:
        messages = [{"role": "user", "content": prompt_for(request.name, per_class=3, topic="water birds")}]
        assert request.body == {"model": llm.MODEL, "messages": messages, "temperature": 0.7}
        assert request.path == "/v1/chat/completions"
        assert request.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("given", "variable", "sent"),
    [(KEY, "sk-other", KEY), (None, KEY, KEY), ("", f" {KEY}\n", KEY), (None, None, "none"), ("", "", "none")],
)
def test_key__is_the_given_one_else_the_environments_else_a_placeholder(
    server, describe, monkeypatch, given, variable, sent
):
    if variable is not None:
        monkeypatch.setenv("OPENAI_API_KEY", variable)
    describe(["duck"], api_key=given)
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
    assert len(list(tmp_path.glob("*.json"))) == len(server.requests)  # also the one that was under way


def test_sending__retries_of_the_client_end_too_when_the_generator_is_closed(server, tmp_path):
    server.replies = {"duck": llm.GOOD}
    server.default = dataclasses.replace(llm.RATE_LIMITED, headers={"retry-after-ms": "500"})
    steps = iter_describe(["duck", "tern"], model=llm.MODEL, base_url=server.base_url, cache=tmp_path)
    next(steps)
    next(steps)
    while "tern" not in server.requested:
        time.sleep(0.01)
    steps.close()
    wait_for_workers()
    assert server.requested.count("tern") == 1


def test_sending__never_has_more_requests_open_than_allowed(server, describe):
    server.default = Reply(delay=0.05)
    describe([*CLASSES, "wren", "stork"], concurrency=2)
    assert server.most_at_once == 2


def test_sending__follows_no_redirect_to_another_address(server, describe):
    with running_llm_server(CLASSES) as other:
        server.default = Reply(status=307, headers={"Location": f"{other.base_url}/chat/completions"})
        with pytest.raises(lgca.DescribeError, match=f"sends requests on to '{other.base_url}"):
            describe()
        assert other.requests == []


def test_sending__goes_past_a_proxy_to_this_machines_own_servers(describe, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, llm.dead_address().removesuffix("/v1"))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert describe(["duck"]).descriptions == {"duck": good_texts("duck")}


def test_temperature__is_left_out_for_a_model_that_insists_on_its_own(server, describe):
    server.refuses = ("temperature",)
    assert len(describe(concurrency=1).descriptions) == 5
    assert ["temperature" in request.body for request in server.requests] == [True] + 5 * [False]


def test_refusal__of_one_class_fails_it_alone(server, describe):
    server.replies = {"tern": Reply(status=400, message="Flagged by the content filter")}
    expected = {"tern": "the endpoint refused it with status 400: Flagged by the content filter"}
    assert describe().failed == expected
    assert server.requested.count("tern") == 1


def test_refusal__of_the_first_requests_stops_all(server, describe):
    server.default = llm.BAD_REQUEST
    with pytest.raises(lgca.DescribeError, match=r"first 3 requests all failed.*The request is not valid"):
        describe(concurrency=1)
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "script", [[llm.RATE_LIMITED] * 2, [llm.SERVER_ERROR] * 2, [llm.CLOSED], [llm.CLOSED_MIDWAY]], ids=str
)
def test_retry__after_a_rate_limit_a_servers_error_or_a_cut_connection(server, describe, script):
    server.script = list(script)
    assert describe(["duck"]).descriptions == {"duck": good_texts("duck")}
    assert server.requested == ["duck"] * (1 + len(script))


@pytest.mark.parametrize(
    ("reply", "requests", "words"),
    [
        (llm.KEY_REFUSED, 1, r"refuses the key from api_key \(status 401: Incorrect API key provided\); pass a valid"),
        (Reply(status=403, message="No access"), 1, "refuses the key from api_key.*No access"),
        (llm.NO_SUCH_MODEL, 1, "no model 'small-model'.*check model"),
        (Reply(status=404, raw=b"<html>Not found</html>"), 1, r"\(status 404\); check model"),
        (Reply(status=402, message="Insufficient balance"), 1, "status 402: Insufficient balance"),
        (llm.RATE_LIMITED, 4, "limits the rate of requests, also after 4 tries: Rate limit reached.*lower concurrency"),
        (llm.OUT_OF_QUOTA, 4, "exceeded your current quota.*account's quota"),
        (llm.SERVER_ERROR, 4, "fails with status 500, also after 4 tries"),
        (llm.NOT_JSON, 1, "does not speak the OpenAI protocol; check base_url"),
    ],
)
def test_error__that_is_about_every_class_stops_with_one_sentence(server, describe, reply, requests, words):
    server.default = reply
    with pytest.raises(lgca.DescribeError, match=words) as caught:
        describe(concurrency=1, api_key=KEY)
    assert str(caught.value).endswith("(no class has been answered yet)")
    assert "\n" not in str(caught.value) and server.base_url in str(caught.value)
    assert len(server.requests) == requests


def test_error__without_a_key_says_that_none_was_given(server, describe):
    server.key = KEY
    with pytest.raises(lgca.DescribeError, match=r"requires a key, and none was given.*OPENAI_API_KEY"):
        describe()


def test_error__nothing_answers_at_the_address_or_not_in_time(server, describe):
    address = llm.dead_address()
    with pytest.raises(lgca.DescribeError, match=rf"{address} can't be reached \(.*refused\); check base_url"):
        describe(base_url=address)
    server.default = llm.HANG
    with pytest.raises(lgca.DescribeError, match=r"has not answered within 0\.05 s, 4 times over"):
        describe(["duck"], timeout=0.05)


def test_error__loses_no_answer_and_the_next_call_asks_for_the_rest(server, describe):
    server.script = [llm.GOOD, llm.GOOD, llm.GOOD, llm.KEY_REFUSED]
    with pytest.raises(lgca.DescribeError, match="answers for 3 classes are cached") as caught:
        describe(concurrency=1)
    assert caught.value.descriptions == {name: good_texts(name) for name in CLASSES[:3]}
    server.requests.clear()
    described = describe(concurrency=1)
    assert server.requested == list(CLASSES[3:])
    assert described.cached == 3
    assert described.descriptions == {name: good_texts(name) for name in CLASSES}


def test_error__without_a_cache_carries_the_answers(server):
    server.script = [llm.GOOD, llm.KEY_REFUSED]
    steps = iter_describe(CLASSES, model=llm.MODEL, base_url=server.base_url, cache=None, concurrency=1)
    with pytest.raises(lgca.DescribeError, match="1 class are in the error's descriptions") as caught:
        list(steps)
    assert caught.value.descriptions == {"duck": good_texts("duck")}


def test_error__the_package_openai_is_missing(server, describe, monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(lgca.ModelUnavailableError, match="pip install openai"):
        describe()
    assert server.requests == []


def test_key__is_in_no_file_message_or_log_even_if_the_server_repeats_it(server, describe, tmp_path, caplog):
    caplog.set_level("DEBUG")
    server.script = [llm.GOOD, Reply(status=401, message=f"The key {KEY} has expired")]
    with pytest.raises(lgca.DescribeError, match=r"The key \*\*\* has expired") as caught:
        describe(concurrency=1, api_key=KEY)
    assert KEY not in chain(caught.value)
    assert KEY not in caplog.text
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 1 and KEY not in files[0].read_text()
