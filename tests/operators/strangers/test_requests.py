"""Attacks on ``lgca_describe_classes`` by somebody who can reach the App: where requests go, and with which key."""

import json

import fiftyone as fo
import fiftyone.constants as foc
import pymongo
import pytest
from fiftyone.core.odm import get_db_conn
from fiftyone.operators.executor import ExecutionError

from tests.helpers import llm_server as llm
from tests.helpers.app.operators import DESCRIBE, shown
from tests.helpers.llm_server import Reply, running_llm_server

SECRET = "sk-the-servers-own"
TYPED = "sk-typed-by-a-user"
SPECIAL = {"OPENAI_ORG_ID": "org-secret", "OPENAI_PROJECT_ID": "proj-secret"}
CUSTOM = {"OPENAI_CUSTOM_HEADERS": "X-Gateway-Token: gateway-secret\nAuthorization: Bearer gateway-secret"}


@pytest.fixture(autouse=True)
def server_with_secrets(monkeypatch, tmp_path):
    """The App's server has a key and more, and its operator has listed no hosts."""
    monkeypatch.setattr(foc, "FIFTYONE_CONFIG_DIR", str(tmp_path / "config"))
    for name, value in {"OPENAI_API_KEY": SECRET, **SPECIAL, **CUSTOM}.items():
        monkeypatch.setenv(name, value)
    for name in ("LGCA_KEY_HOSTS", "LGCA_LLM_HOSTS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def evil():
    """A server that records what it receives."""
    with running_llm_server(["duck", "coot"]) as running:
        yield running


def demanded(address, **params):
    """The parameters of a request that demands all and confirms it itself."""
    typed = {"class_source": "typed", "classes": "duck\ncoot", "model": llm.MODEL, "per_class": 2}
    return {**typed, "base_url": address, "confirm": True, **params}


def received(server):
    """All that a server has received, as text."""
    return json.dumps([[request.headers, request.body, request.path] for request in server.requests])


def host(server):
    return server.base_url.removesuffix("/v1")


def key_name(dataset, server):
    """The name of the field for a key that is typed for a server's address."""
    properties, _ = DESCRIBE.form(dataset, **demanded(server.base_url))
    return next(name for name in properties if name.startswith("api_key_"))


PORT = "{port}"


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:{port}/v1",
        "http://localhost:{port}/v1",
        "HTTP://LOCALHOST:{port}/v1",
        "http://[::1]:{port}/v1",
        "http://[::ffff:127.0.0.1]:{port}/v1",
        "http://0.0.0.0:{port}/v1",
        "http://127.1:{port}/v1",
        "http://2130706433:{port}/v1",
        "http://0x7f.0.0.1:{port}/v1",
        "http://localhost.:{port}/v1",
        "http://api.openai.com@127.0.0.1:{port}/v1",
        "https://api.openai.com@127.0.0.1:{port}/v1",
        "https://api.openai.com:443@127.0.0.1:{port}/v1",
        "https://api.openai.com%40@127.0.0.1:{port}/v1",
        "http://127.0.0.1:{port}\\@api.openai.com/v1",
        "http://127.0.0.1:{port}/v1#@api.openai.com/v1",
        "http://127.0.0.1:{port}/v1?x=api.openai.com",
        "http://api.openai.com:{port}/v1",
        "http://api.openai.com/v1",
        "https://api.openai.com:8443/v1",
        "https://api.openai.com.evil.example/v1",
        "https://evil-api.openai.com/v1",
        "https://api.openai.com./v1",
        "https://api.opena\u0131.com/v1",
        "http://169.254.169.254/latest/v1",
        "http://metadata.google.internal/v1",
        "http://10.0.0.1/v1",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/v1",
        "//127.0.0.1:{port}/v1",
        "http://localhost:11434/api/../v1",
        "http://localhost:11434/v1/%2e%2e",
        "http://localhost:11434/internal",
        "http://localhost:011434/v1",
        "http://localhost:1" + "0" * 5_000 + "/v1",
        "http://ollama.localhost:11434/v1",
        "https://localhost:11434/v1",
    ],
)
def test_address__that_nobody_listed_gets_no_request(dataset, evil, address):
    address = address.replace(PORT, host(evil).rpartition(":")[2])
    _, found = DESCRIBE.form(dataset, **demanded(address))
    assert set(found) == {"base_url"}
    with pytest.raises(ExecutionError):
        DESCRIBE.execute(dataset, **demanded(address))
    with pytest.raises(ValueError, match=r"address|base_url|requests"):
        DESCRIBE.begin(DESCRIBE.context(dataset, demanded(address, delegated=True), delegated=True))
    assert evil.requests == []


@pytest.mark.parametrize(
    ("address", "gets_key"),
    [
        ("https://api.openai.com/v1", True),
        ("HTTPS://API.OpenAI.com:443/v1/", True),
        ("http://localhost:11434/v1", False),
        ("http://127.0.0.1:1234/v1", False),
        ("http://[::1]:8080/v1/", False),
    ],
)
def test_address__of_openai_gets_the_key_and_one_of_a_local_server_none(dataset, address, gets_key):
    properties, found = DESCRIBE.form(dataset, **demanded(address))
    assert found == {}
    assert ("secret OPENAI_API_KEY is sent" in properties["key"].view.label) == gets_key
    assert ("No key is sent" in properties["key"].view.label) == (not gets_key)


@pytest.mark.parametrize("forged", [{"called_from_code": True}, {"called_from_code": {}}, {"called_from_code": "own"}])
def test_request__cannot_pass_for_the_users_own_code(dataset, evil, forged):
    with pytest.raises(ExecutionError):
        DESCRIBE.execute(dataset, **demanded(evil.base_url, **forged))
    assert evil.requests == []


def test_key__goes_to_no_host_that_is_listed_for_requests_alone(dataset, evil, monkeypatch):
    monkeypatch.setenv("LGCA_LLM_HOSTS", host(evil))
    DESCRIBE.execute(dataset, **demanded(evil.base_url))
    assert sorted(evil.requested) == ["coot", "duck"]
    assert evil.requests[0].headers["authorization"] == "Bearer none"
    assert "secret" not in received(evil) and SECRET not in received(evil)
    assert not [name for name in evil.requests[0].headers if name.startswith(("openai", "x-"))]


def test_key__goes_to_a_host_that_is_listed_for_it(dataset, evil, monkeypatch):
    monkeypatch.setenv("LGCA_KEY_HOSTS", f"api.openai.com, {host(evil)}")
    monkeypatch.delenv("OPENAI_CUSTOM_HEADERS")
    DESCRIBE.execute(dataset, **demanded(evil.base_url))
    assert evil.requests[0].headers["authorization"] == f"Bearer {SECRET}"


def test_key__a_redirect_from_a_listed_host_carries_nothing_elsewhere(dataset, evil, monkeypatch):
    with running_llm_server(["duck", "coot"]) as listed:
        monkeypatch.setenv("LGCA_KEY_HOSTS", host(listed))
        for status in (301, 302, 303, 307, 308):
            listed.default = Reply(status=status, headers={"Location": f"{evil.base_url}/chat/completions"})
            with pytest.raises(ExecutionError, match="sends requests on to"):
                DESCRIBE.execute(dataset, **demanded(listed.base_url))
    assert evil.requests == []


def test_typed_key__goes_to_its_address_alone_and_is_stored_nowhere(dataset, evil, monkeypatch, tmp_path):
    monkeypatch.setenv("LGCA_LLM_HOSTS", host(evil))
    name = key_name(dataset, evil)
    with running_llm_server(["duck", "coot"]) as other:
        monkeypatch.setenv("LGCA_LLM_HOSTS", f"{host(evil)},{host(other)}")
        DESCRIBE.execute(dataset, **demanded(other.base_url, **{name: TYPED}))
        assert TYPED not in received(other) and SECRET not in received(other)
    properties, found = DESCRIBE.form(dataset, **demanded(evil.base_url, **{name: TYPED}))
    assert found == {} and "typed here is sent" in properties["key"].view.label
    messages = DESCRIBE.run(dataset, **demanded(evil.base_url, replace=True, **{name: TYPED}))
    assert evil.requests[0].headers["authorization"] == f"Bearer {TYPED}"
    assert shown(messages)
    assert TYPED not in json.dumps([message.to_json() for message in messages])
    inputs = DESCRIBE.operator.resolve_type(
        DESCRIBE.context(dataset, demanded(evil.base_url, **{name: TYPED})), "inputs"
    )
    assert TYPED not in json.dumps(inputs.to_json())
    assert TYPED not in database_text()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files and not [path for path in files if TYPED.encode() in path.read_bytes()]


def test_typed_key__is_refused_by_the_queue_which_would_save_it(dataset, evil, monkeypatch):
    monkeypatch.setenv("LGCA_LLM_HOSTS", host(evil))
    params = demanded(evil.base_url, **{key_name(dataset, evil): TYPED})
    assert not DESCRIBE.operator.resolve_execution_options(DESCRIBE.context(dataset, params)).allow_delegated_execution
    for address in (evil.base_url, "https://api.openai.com/v1"):
        with pytest.raises(ExecutionError):
            DESCRIBE.execute(dataset, {"request_delegation": True}, **{**params, "base_url": address})
    assert evil.requests == []
    assert TYPED not in database_text()


def test_typed_key__that_cannot_be_sent_is_named_without_being_shown(dataset, evil, monkeypatch):
    monkeypatch.setenv("LGCA_LLM_HOSTS", host(evil))
    name = key_name(dataset, evil)
    _, found = DESCRIBE.form(dataset, **demanded(evil.base_url, **{name: f"{TYPED}\r\nHost: evil"}))
    assert set(found) == {name} and TYPED not in found[name]
    with pytest.raises(ExecutionError) as error:
        DESCRIBE.execute(dataset, **demanded(evil.base_url, **{name: f"{TYPED}\r\nHost: evil"}))
    assert TYPED not in str(error.value)
    assert evil.requests == []


@pytest.mark.parametrize("entry", ["http://host/path", "user@host", "ftp://host", "host:0", "a b", "*"])
def test_setting__that_is_no_host_is_named_and_allows_nothing(dataset, evil, monkeypatch, entry):
    monkeypatch.setenv("LGCA_LLM_HOSTS", entry)
    assert "LGCA_LLM_HOSTS must list hosts" in DESCRIBE.errors(dataset, **demanded(evil.base_url))["base_url"]


def test_own_code__reaches_any_address(dataset, evil):
    DESCRIBE.call(dataset.view(), ["duck", "coot"], model=llm.MODEL, base_url=evil.base_url, per_class=2)
    assert sorted(evil.requested) == ["coot", "duck"]


def test_own_code__is_limited_where_a_worker_executes_it(dataset, evil):
    with pytest.raises(ExecutionError):
        DESCRIBE.queue(dataset.view(), ["duck", "coot"], model=llm.MODEL, base_url=evil.base_url)
    assert evil.requests == []


def database_text():
    """All documents of the database, as text."""
    database: pymongo.database.Database = get_db_conn()
    names = database.list_collection_names()
    assert fo.config.database_name == database.name and names
    return str([list(database[name].find()) for name in names])
