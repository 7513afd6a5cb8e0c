"""FiftyOne's own MCP server lists every operator, shows its schema, executes it and gets a result that can be read."""

import json
import os
import re
import subprocess
import sysconfig
import venv
from typing import Any

import pytest
import yaml

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from tests.helpers.app.operators import AppOperator
from tests.helpers.app.results import assert_readable
from tests.helpers.paths import ROOT
from tests.helpers.worlds.birds import like_the_demo

pytestmark = pytest.mark.thorough

PACKAGE = "fiftyone-mcp-server>=0.1.15,<1"
CLIENT = """
import asyncio, json, os, sys
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

async def main():
    server = StdioServerParameters(command=sys.executable, args=["-m", "fiftyone_mcp.server"], env=dict(os.environ))
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        print(json.dumps(None), flush=True)
        for line in sys.stdin:
            tool, arguments = json.loads(line)
            answer = await session.call_tool(tool, arguments)
            print(json.dumps(json.loads(answer.content[0].text)), flush=True)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """A Python that has this one's packages and FiftyOne's MCP server, which is none of the plugin's dependencies."""
    folder = tmp_path_factory.mktemp("mcp")
    venv.create(folder, with_pip=True)
    program = folder / "bin" / "python"
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "host.pth").write_text(sysconfig.get_path("purelib"))
    if subprocess.run([program, "-m", "pip", "install", "--quiet", PACKAGE], check=False).returncode:
        pytest.skip("no package index can be reached")
    return program


@pytest.fixture
def tool(python, tmp_path):
    """A function that calls a tool of a running server, as an assistant does."""
    env = {**os.environ, "LGCA_EXPORT_DIR": str(tmp_path)}
    command, pipe = [python, "-c", CLIENT], subprocess.PIPE
    with (
        (tmp_path / "server.log").open("w") as log,
        subprocess.Popen(command, text=True, env=env, cwd=tmp_path, stdin=pipe, stdout=pipe, stderr=log) as client,
    ):
        assert client.stdin is not None and client.stdout is not None
        requests, answers = client.stdin, client.stdout

        def answer():
            line = answers.readline()
            assert line, (tmp_path / "server.log").read_text()[-3000:]
            return json.loads(line)

        def call(name, **arguments):
            requests.write(f"{json.dumps([name, arguments])}\n")
            requests.flush()
            return answer()

        answer()
        yield call
        requests.close()


@pytest.fixture
def birds(dataset, demo_images):
    """Twelve birds that count as the demo, the first with a wrong label."""
    dataset.persistent = True
    return like_the_demo(dataset, demo_images[:12])


def test_server__lists_calls_and_reads_every_operator(tool, birds, tmp_path):
    names = yaml.safe_load((ROOT / "fiftyone.yml").read_text())["operators"]
    uris = {f"@lgca/zero-shot/{name}" for name in names}
    listed = {one["uri"]: one for one in tool("list_operators", builtin_only=False)["data"]["operators"]}
    assert uris <= set(listed)
    assert all(listed[uri]["description"] for uri in uris)
    done = {}

    def execute(name, **params):
        answer = tool(
            "execute_operator", operator_uri=f"@lgca/zero-shot/{name}", params=params, dataset_name=birds.name
        )
        assert answer["success"], answer
        birds.reload()
        done[name] = answer["data"]["result"]
        return done[name]

    found = execute("lgca_find_wrong_labels", ground_truth="ground_truth", run_key="one")
    ids = [one["sample_id"] for one in found["suspects"]]
    assert birds.first().id in ids
    for name in names:
        schema = tool("get_operator_schema", operator_uri=f"@lgca/zero-shot/{name}", dataset_name=birds.name)
        assert schema["success"], (name, schema)
    execute("lgca_triage", run="one", ground_truth="ground_truth")
    execute("lgca_evaluate", run="one", ground_truth="ground_truth")
    decided = execute("lgca_decide", sample_ids=ids[:1], decision="label right", by="an assistant")
    execute("lgca_undo_decision", action=decided["action"])
    execute("lgca_decide", sample_ids=ids[:1], decision="label right", by="an assistant")
    execute("lgca_export_decisions", path="out.csv")
    assert "an assistant" in (tmp_path / "out.csv").read_text()
    execute("lgca_report", run="one", path="report.html")
    execute("lgca_search", run="one")
    execute("lgca_rescore", run="one", classes=list(CLASSES[:8]), run_key="eight")
    same = {"class_source": "typed", "classes": list(CLASSES), "budget": "adaptive", "encoder": "demo"}
    execute("lgca_classify", **same, demo_model="demo-vit", run_key="two")
    execute("lgca_fuse", run="one", others=["two"], learn="none", run_key="fused")
    execute("lgca_delete_run", run_key="fused", confirm=True)
    for name in ("lgca_menu", "lgca_open_review", "lgca_open_compare"):
        execute(name)
    execute("lgca_next_step", open="lgca_review")
    for name, result in done.items():
        assert_readable(AppOperator(name), birds, result)
    assert execute("lgca_estimate_search", ground_truth="ground_truth")["images"] == 12
    suggested = execute("lgca_suggest_settings", run="one", label_field="ground_truth")
    assert "problem" in suggested or suggested["samples"] == 12  # which may be too few to choose by
    assert set(names) - set(done) == {"lgca_describe_classes", "lgca_cancel_run"}
    assert lgca.load_run(birds, "eight").config.classes == tuple(CLASSES[:8])


def test_skill__its_calls_do_what_it_says(tool, birds):
    """What an assistant is told to call, in this order, on a dataset of the name that the skill takes."""
    skill = (ROOT / "skills/zero-shot-triage/SKILL.md").read_text()
    blocks = [block for block in re.findall("```python\n(.*?)```", skill, re.DOTALL) if "execute_operator" in block]

    def execute_operator(operator_uri, dataset_name, params):
        assert dataset_name == "birds"
        answer = tool("execute_operator", operator_uri=operator_uri, params=params, dataset_name=birds.name)
        assert answer["success"], answer
        return answer["data"]["result"]

    names: dict[str, Any] = {"execute_operator": execute_operator}
    for block in blocks:
        exec(compile(block, "SKILL.md", "exec"), names)
    birds.reload()
    assert birds.count("zeroshot_label_quality") == 12 and birds.count("zeroshot_lgca_eval") == 12
    assert lgca.load_run(birds, "zeroshot").last_triage().decisions() == []


def test_server__is_given_the_sentence_of_an_error(tool, birds):
    def refused(name, **params):
        answer = tool(
            "execute_operator", operator_uri=f"@lgca/zero-shot/{name}", params=params, dataset_name=birds.name
        )
        assert not answer["success"]
        return answer["error"].strip().splitlines()[-1]

    assert "there is nothing to cancel" in refused("lgca_cancel_run", run_key="one")
    assert "tick “Send the class names to " in refused(
        "lgca_describe_classes", classes=["a", "b"], class_source="typed", model="m"
    )
    assert "has no zero-shot run to triage yet" in refused("lgca_triage", run="one")
    assert "run key must be a text, got 7" in refused("lgca_find_wrong_labels", run_key=7, more=True)


def test_server__sees_the_result_of_a_queued_operation(tool, birds):
    import asyncio

    from bson import ObjectId
    from fiftyone.operators.delegated import DelegatedOperationService

    queued = tool(
        "execute_operator",
        operator_uri="@lgca/zero-shot/lgca_find_wrong_labels",
        params={"ground_truth": "ground_truth"},
        dataset_name=birds.name,
        delegate=True,
    )
    service = DelegatedOperationService()
    operation = service.get(ObjectId(queued["data"]["operation_id"]))
    asyncio.run(asyncio.to_thread(service.execute_operation, operation))
    result = service.get(operation.id).result.result
    assert_readable(AppOperator("lgca_find_wrong_labels"), birds, result)
    service.delete_operation(operation.id)
