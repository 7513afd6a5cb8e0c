"""What code gets from every operator, in process, from the queue and through FiftyOne's routes, and which errors."""

import asyncio
import json

import fiftyone.operators as foo
import pytest
from fiftyone.operators.delegated import DelegatedOperationService
from fiftyone.operators.executor import ExecutionError
from fiftyone.operators.server import OperatorRoutes
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

import lgca_plugin as lgca
from tests.helpers.app.operators import CANCEL, DECIDE, DELETE, EVALUATE, EXPORT, RESCORE, TRIAGE, UNDO, AppOperator
from tests.helpers.app.results import assert_readable
from tests.helpers.worlds.queue import SUSPECTS, ids_of

pytestmark = pytest.mark.usefixtures("module_store")

MENU, NEXT = AppOperator("lgca_menu"), AppOperator("lgca_next_step")


def steps(result):
    return {step["operator"].rpartition("/")[2] for step in result["next"]}


def executed(operator, dataset, /, **params):
    return assert_readable(operator, dataset, operator.execute(dataset, **params))


def test_decisions__say_what_was_written_and_what_is_left(triage, monkeypatch, tmp_path):
    monkeypatch.setenv("LGCA_EXPORT_DIR", str(tmp_path))
    dataset, ids = triage.run.dataset, ids_of(triage)
    done = executed(DECIDE, dataset, sample_ids=ids[:2], decision="label right", run="zs", by="ann", note="seen")
    assert (done["counts"]["written"], done["counts"]["undecided"]) == (2, SUSPECTS - 2)
    assert "4 of 6 suspects left to decide" in done["summary"]
    assert steps(done) == {"lgca_undo_decision", "lgca_decide", "lgca_export_decisions"}
    (undo,) = (step for step in done["next"] if step["operator"].endswith("undo_decision"))
    exported = executed(EXPORT, dataset, path="out.csv")
    assert exported["counts"]["rows"] == 2
    assert (tmp_path / "out.csv").read_text().count("\n") == 3
    undone = executed(UNDO, dataset, **undo["params"])
    assert undone["counts"]["undecided"] == SUSPECTS
    assert steps(undone) == {"lgca_decide", "lgca_export_decisions"}


def test_schema_without_a_page__names_what_decisions_take(triage):
    dataset, ids = triage.run.dataset, ids_of(triage)
    triage.decide(ids[0], "label right")

    def schema(operator, **params):
        ctx = operator.context(dataset, params)
        del ctx.request_params["operator_uri"]
        return operator.operator.resolve_input(ctx).type.properties

    assert {"more", "budget", "run_key", "methods"} <= set(schema(AppOperator("lgca_find_wrong_labels")))
    assert {"advanced", "device", "store_regions", "scale_min"} <= set(schema(AppOperator("lgca_classify")))
    found = schema(DECIDE)
    assert {"run", "sample_ids", "decision", "label", "note", "by", "allow_new_class"} <= set(found)
    assert found["sample_ids"].required and not found["sample_ids"].invalid
    assert schema(DECIDE, sample_ids=["nothing"])["sample_ids"].invalid
    assert {"run", "action", "sample_ids", "of", "note", "by"} <= set(schema(UNDO))
    assert {"run", "path", "history", "overwrite"} <= set(schema(EXPORT))
    assert {"run", "methods", "ground_truth_of_zs"} <= set(schema(TRIAGE))
    assert {"run", "confidence", "ground_truth_of_zs", "methods_of_zs"} <= set(schema(EVALUATE))
    assert {"run_key", "confirm"} <= set(schema(DELETE, run_key="zs"))


def test_export__that_nobody_could_download_is_refused(triage):
    with pytest.raises(ExecutionError, match="name a file with path"):
        EXPORT.execute(triage.run.dataset, destination="download")


def test_run__rescored_triaged_and_deleted_is_described(classify):
    run = classify()
    dataset = run.dataset
    rescored = executed(RESCORE, dataset, run="zs", classes=list(run.config.classes[:8]), run_key="eight")
    assert rescored["run"] == "eight"
    assert rescored["counts"] == {"total": 24, "predicted": 24, "failed": 0, "skipped": 0}
    assert eval(rescored["read"], {"lgca_plugin": lgca, "dataset": dataset})["predicted"] == 24
    triaged = executed(TRIAGE, dataset, run="zs", ground_truth="ground_truth")
    assert triaged["counts"]["labels checked"] == triaged["counts"]["triaged"] == 24
    assert len(triaged["suspects"]) == min(20, triaged["counts"]["labels that look wrong"])
    assert {"lgca_open_review", "lgca_decide"} <= steps(triaged)
    deleted = executed(DELETE, dataset, run_key="eight", confirm=True)
    assert deleted["counts"]["fields"] == len(deleted["fields"]) > 3
    assert "lgca_classify" in steps(executed(MENU, dataset))


@pytest.mark.parametrize("name", ["lgca_open_review", "lgca_open_compare", "lgca_menu", "lgca_next_step"])
def test_operator_of_a_page__says_without_one_that_nothing_is_shown(triage, name):
    result = executed(AppOperator(name), triage.run.dataset, open="lgca_review")
    assert "Nothing is shown" in result["summary"] or result["next"]


def test_queue__keeps_the_result_of_the_operation_and_its_layout(triage):
    dataset = triage.run.dataset
    service = DelegatedOperationService()
    operation = service.get(EVALUATE.queue(dataset, "zs", "labels", confidence=0.9))
    service.execute_operation(operation)
    done = service.get(operation.id)
    result = done.result.result
    assert assert_readable(EVALUATE, dataset, result)["run"] == "zs"
    scored = lgca.load_run(dataset, "zs").last_evaluation()
    assert scored is not None and scored.confidence == 0.9
    assert result["evaluation"] == json.loads(json.dumps(scored.to_json()))
    assert set(done.metadata["outputs_schema"]["type"]["properties"]) >= {"summary", "counts", "next", "evaluation"}
    service.delete_operation(operation.id)


def test_page__gets_messages_by_the_route_that_it_calls(triage):
    """FiftyOne's server passes the operator's URI on with the request, which is how an operator knows a page."""
    body = {"operator_uri": EVALUATE.uri, "dataset_name": triage.run.dataset.name, "params": {"run": "zs"}}
    app = Starlette(routes=[Route(path, endpoint) for path, endpoint in OperatorRoutes])
    with TestClient(app) as client:
        answer = client.post("/operators/execute/generator", json=body)
        lines = [json.loads(line) for line in answer.text.splitlines()]
        schema = client.post("/operators/resolve-type", json={**body, "target": "outputs"}).json()
    assert [line["body"]["operator_uri"] for line in lines if line["body"]][-1] == "show_output"
    assert schema == {}


def test_error__of_a_call_is_the_class_that_the_installed_package_has(triage):
    dataset, ids = triage.run.dataset, ids_of(triage)
    copy = type(EVALUATE.operator).__module__
    assert not copy.startswith("operators"), "FiftyOne loads the plugin as a package of its own"
    with pytest.raises(lgca.ConfigError, match=r"confidence is a share between 0 and 1, such as 0\.95; got 3"):
        EVALUATE.call(dataset, "zs", "labels", confidence=3)
    with pytest.raises(lgca.LgcaError, match="is no class of run 'zs'; pass allow_new_class=True"):
        DECIDE.call(dataset, ids[:1], "accepted", label="penguin")
    with pytest.raises(lgca.RunNotFoundError, match="has no zero-shot run 'nope'"):
        DECIDE.call(dataset, ids[:1], "accepted", run="nope")
    with pytest.raises(lgca.LgcaError, match="run must name"):
        RESCORE.call(dataset, "nope")
    with pytest.raises(lgca.LgcaError, match="zs"):
        CANCEL.call(dataset, "zs")

    async def notebook():
        await EVALUATE.operator(dataset, "zs", "labels", confidence=3)

    with pytest.raises(lgca.ConfigError):
        asyncio.run(notebook())


def test_error__of_execute_operator_ends_with_the_sentence(triage):
    with pytest.raises(ExecutionError) as error:
        foo.execute_operator(CANCEL.uri, dataset=triage.run.dataset, params={"run_key": "zs"})
    assert str(error.value).strip().splitlines()[-1].startswith("Validation error")
