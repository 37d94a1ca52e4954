"""Scenarios: each way in which rows, files and batches can be made to go otherwise, once."""

import json
from typing import Any

import httpx2
import pytest
from openai import BadRequestError, OpenAI

from local.batch_service.server import RunningService
from tests.batch_service.conftest import (
    SCHEMA,
    errors,
    jsonl,
    lines_of,
    message,
    output,
    row,
    rows,
    run,
    submit,
    upload,
)

BATCHES = "/openai/v1/batches"


def _raw(http: httpx2.Client, batch_id: str) -> dict[str, Any]:
    found: dict[str, Any] = http.get(f"{BATCHES}/{batch_id}").json()
    return found


def _run_one(service: RunningService, client: OpenAI, rule: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run one row of its own and one that the rule is for; return the output and the error lines."""
    service.scenario({"rows": [{"custom_id": "odd", **rule}]})
    batch = run(service, client, [row("odd", schema=SCHEMA), row("plain", schema=SCHEMA)])
    found, failed = output(client, batch), errors(client, batch)
    assert "plain" in found
    assert batch.request_counts
    assert batch.request_counts.completed + batch.request_counts.failed == batch.request_counts.total == 2
    return found, failed


def test_a_row_is_refused_by_the_model(service: RunningService, client: OpenAI) -> None:
    found, _ = _run_one(service, client, {"outcome": "refusal"})
    assert message(found["odd"])["content"] is None
    assert message(found["odd"])["refusal"]


def test_a_prompt_is_blocked_by_the_content_filter(service: RunningService, client: OpenAI) -> None:
    _, failed = _run_one(service, client, {"outcome": "prompt_filtered"})
    response = failed["odd"]["response"]
    assert response["status_code"] == 400
    fault = response["body"]["error"]
    assert (fault["code"], fault["param"], fault["status"]) == ("content_filter", "prompt", 400)
    assert fault["innererror"]["code"] == "ResponsibleAIPolicyViolation"


def test_an_answer_is_blocked_by_the_content_filter(service: RunningService, client: OpenAI) -> None:
    found, _ = _run_one(service, client, {"outcome": "answer_filtered"})
    choice = found["odd"]["response"]["body"]["choices"][0]
    assert choice["finish_reason"] == "content_filter"
    assert any(entry["filtered"] for entry in choice["content_filter_results"].values())


def test_an_answer_is_cut_at_its_length(service: RunningService, client: OpenAI) -> None:
    found, _ = _run_one(service, client, {"outcome": "cut"})
    assert found["odd"]["response"]["body"]["choices"][0]["finish_reason"] == "length"
    with pytest.raises(json.JSONDecodeError):
        json.loads(message(found["odd"])["content"])


def test_an_answer_is_broken_json(service: RunningService, client: OpenAI) -> None:
    found, _ = _run_one(service, client, {"outcome": "broken_json"})
    assert found["odd"]["response"]["body"]["choices"][0]["finish_reason"] == "stop"
    with pytest.raises(json.JSONDecodeError):
        json.loads(message(found["odd"])["content"])


def test_an_answer_does_not_fit_its_schema(service: RunningService, client: OpenAI) -> None:
    found, _ = _run_one(service, client, {"outcome": "wrong_schema"})
    assert set(json.loads(message(found["odd"])["content"])) == {"HeightInFeet", "unexpected"}


@pytest.mark.parametrize("status", [400, 404, 408, 429, 500, 503])
def test_a_row_fails_with_a_status(service: RunningService, client: OpenAI, status: int) -> None:
    _, failed = _run_one(service, client, {"outcome": "error", "status": status, "code": "odd", "message": "Odd."})
    assert failed["odd"]["response"]["status_code"] == status
    assert failed["odd"]["error"] is None
    fault = failed["odd"]["response"]["body"]["error"]
    assert (fault["code"], fault["message"]) == ("odd", "Odd.")


def test_a_failed_row_lies_in_the_output_file(service: RunningService, client: OpenAI) -> None:
    found, failed = _run_one(service, client, {"outcome": "error", "status": 429, "file": "output"})
    assert found["odd"]["response"]["status_code"] == 429
    assert failed == {}


def test_a_row_was_never_run(service: RunningService, client: OpenAI) -> None:
    _, failed = _run_one(service, client, {"outcome": "not_run", "code": "batch_expired"})
    assert failed["odd"]["response"] is None
    assert failed["odd"]["error"]["code"] == "batch_expired"


def test_a_row_is_missing_though_it_was_paid(service: RunningService, client: OpenAI) -> None:
    found, failed = _run_one(service, client, {"outcome": "missing"})
    assert "odd" not in found | failed
    assert len(service.journal().billed) == 2


def test_a_row_comes_twice(service: RunningService, client: OpenAI) -> None:
    service.scenario({"rows": [{"custom_id": "odd", "outcome": "twice"}]})
    batch = run(service, client, [row("odd"), row("plain")])
    ids = sorted(line["custom_id"] for line in lines_of(client, batch.output_file_id))
    assert ids == ["odd", "odd", "plain"]
    assert len(service.journal().billed) == 2


def test_a_row_is_answered_with_a_given_text(service: RunningService, client: OpenAI) -> None:
    found, _ = _run_one(service, client, {"content": "exactly this"})
    assert message(found["odd"])["content"] == "exactly this"


@pytest.mark.parametrize(
    ("outcome", "status", "reason", "part"),
    [
        ("refusal", "completed", None, "refusal"),
        ("cut", "incomplete", "max_output_tokens", "output_text"),
        ("answer_filtered", "incomplete", "content_filter", "output_text"),
    ],
)
def test_responses_have_the_same_outcomes_in_their_own_shape(
    service: RunningService, client: OpenAI, outcome: str, status: str, reason: str | None, part: str
) -> None:
    service.scenario({"rows": [{"outcome": outcome}]})
    batch = run(service, client, [row("a", url="/v1/responses", body={"model": "m", "input": "Hello"})])
    body = output(client, batch)["a"]["response"]["body"]
    assert body["status"] == status
    assert (body["incomplete_details"] or {}).get("reason") == reason
    assert body["output"][0]["content"][0]["type"] == part


def test_rows_are_chosen_by_pattern_text_and_share(service: RunningService, client: OpenAI) -> None:
    lines = rows(200)
    lines[7]["body"]["messages"][0]["content"] = "a special prompt"
    service.scenario(
        {
            "rows": [
                {"custom_id": "task-1?", "outcome": "error", "code": "pattern"},
                {"contains": "special prompt", "outcome": "error", "code": "text"},
                {"share": 0.25, "outcome": "error", "code": "share"},
            ]
        }
    )
    failed = errors(client, run(service, client, lines))
    codes = {name: line["response"]["body"]["error"]["code"] for name, line in failed.items()}
    assert {name for name, code in codes.items() if code == "pattern"} == {f"task-1{digit}" for digit in range(10)}
    assert [name for name, code in codes.items() if code == "text"] == ["task-7"]
    assert 20 < list(codes.values()).count("share") < 80


def test_a_row_rule_ends_after_so_many_times_for_each_row(service: RunningService, client: OpenAI) -> None:
    service.scenario({"rows": [{"custom_id": "task-*", "outcome": "error", "status": 429, "times": 2}]})
    failed = [sorted(errors(client, run(service, client, rows(2)))) for _ in range(3)]
    assert failed == [["task-0", "task-1"], ["task-0", "task-1"], []]


def test_recorded_lines_replace_generated_ones(service: RunningService, client: OpenAI) -> None:
    service.scenario({"recorded": "tests/data/azure-recorded/output.jsonl"})
    found = output(client, run(service, client, rows(4)))
    assert json.loads(message(found["task-2"])["content"])["HeightInFeet"] == "2,717 ft"
    assert found["task-1"]["response"]["body"]["usage"]["total_tokens"] == 108
    assert "stands in" in message(found["task-3"])["content"]
    tokens = {paid["custom_id"]: paid["prompt_tokens"] for paid in service.journal().billed}
    assert (tokens["task-0"], tokens["task-1"], tokens["task-2"]) == (82, 83, 83)


def test_a_file_ends_in_error(service: RunningService, client: OpenAI) -> None:
    service.scenario({"files": [{"filename": "bad*.jsonl", "ends": "error", "status_details": "Unreadable."}]})
    bad, good = upload(client, jsonl(rows(1)), "bad one.jsonl"), upload(client, jsonl(rows(1)), "good.jsonl")
    service.advance(1)
    file = client.files.retrieve(bad)
    assert (file.status, file.status_details) == ("error", "Unreadable.")
    assert client.files.retrieve(good).status == "processed"
    with pytest.raises(BadRequestError, match="'error'"):
        client.batches.create(input_file_id=bad, endpoint="/v1/chat/completions", completion_window="24h")


def test_a_file_stays_pending(service: RunningService, client: OpenAI) -> None:
    service.scenario({"files": [{"ends": "pending"}]})
    file_id = upload(client, jsonl(rows(1)))
    service.advance(1_000_000)
    assert str(client.files.retrieve(file_id).status) == "pending"


def test_a_file_takes_longer(service: RunningService, client: OpenAI) -> None:
    service.scenario({"files": [{"processing": 60}]})
    file_id = upload(client, jsonl(rows(1)))
    service.advance(59)
    assert str(client.files.retrieve(file_id).status) == "pending"


def test_objects_look_as_in_a_real_resource_of_october_2025(service: RunningService, http: httpx2.Client) -> None:
    service.scenario({"batches": [{"look": "october_2025"}]})
    with OpenAI(base_url=f"{service.url}/openai/v1/", api_key="k") as client:
        batch_id = submit(service, client, rows(2)).id
        url = f"/openai/v1/batches/{batch_id}"
        new = http.get(url).json()
        assert (new["endpoint"], new["output_file_id"], new["error_file_id"]) == ("", "", "")
        assert new["expires_at"] == new["created_at"] + 86_397
        service.advance(1000)
        ended = http.get(url).json()
    assert ended["status"] == "completed"
    assert ended["endpoint"] == "/chat/completions"
    assert ended["output_file_id"].startswith("file-")
    assert (ended["error_file_id"], ended["in_progress_at"]) == (None, None)


def test_an_unknown_look_is_refused_by_naming_those_there_are(service: RunningService) -> None:
    with pytest.raises(ValueError, match="october_2025"):
        service.scenario({"batches": [{"look": "new"}]})


def test_a_retired_model_answers_410(service: RunningService, client: OpenAI) -> None:
    service.scenario({"deployments": {"gpt-4o-batch": {"retired": True}}})
    batch = run(service, client, rows(2))
    assert batch.status == "completed"
    assert {line["response"]["status_code"] for line in errors(client, batch).values()} == {410}


def test_a_row_runs_out_of_tokens_in_azures_words(service: RunningService, client: OpenAI) -> None:
    service.scenario({"rows": [{"outcome": "out_of_tokens"}]})
    batch = run(service, client, rows(1))
    answer = errors(client, batch)["task-0"]["response"]
    assert answer["status_code"] == 400
    assert answer["body"]["error"] == {
        "message": "Could not finish the message because max_tokens or model output limit was reached. Please try "
        "again with higher max_tokens.",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }


def test_a_newer_model_comments_before_its_final_answer(service: RunningService, client: OpenAI) -> None:
    service.scenario({"rows": [{"outcome": "commentary"}]})
    line = row("a", url="/v1/responses", body={"model": "gpt-5.4-mini", "input": "Hello"})
    batch = run(service, client, [line])
    items = output(client, batch)["a"]["response"]["body"]["output"]
    assert [item.get("phase") for item in items if item["type"] == "message"] == ["commentary", "final_answer"]


def test_rules_wait_their_turn_and_end(service: RunningService, client: OpenAI) -> None:
    service.scenario({"files": [{"ends": "error", "skip": 1, "times": 2}]})
    ids = [upload(client, jsonl(rows(1))) for _ in range(4)]
    service.advance(1)
    assert [client.files.retrieve(file_id).status for file_id in ids] == ["processed", "error", "error", "processed"]


def test_a_batch_fails_validation(service: RunningService, client: OpenAI) -> None:
    fault = {"code": "invalid_request", "message": "Odd.", "line": 7, "param": "body"}
    service.scenario({"batches": [{"fail": [fault]}]})
    batch = run(service, client, rows(1))
    assert batch.status == "failed"
    assert batch.errors
    assert batch.errors.to_dict() == {"object": "list", "data": [fault]}


@pytest.mark.parametrize(("choice", "lines"), [("absent", []), ("error_lines", ["batch_expired", "batch_expired"])])
def test_a_batch_expires_with_what_was_done(
    service: RunningService, client: OpenAI, choice: str, lines: list[str]
) -> None:
    service.scenario({"batches": [{"expire": 0.5, "unrun_rows": choice}]})
    batch = submit(service, client, rows(4))
    service.advance(86_399)
    assert client.batches.retrieve(batch.id).status == "in_progress"
    service.advance(1)
    ended = client.batches.retrieve(batch.id)
    assert ended.status == "expired"
    assert ended.expired_at == batch.created_at + 86_400
    assert ended.request_counts
    assert ended.request_counts.completed == len(output(client, ended)) == 2
    assert [line["error"]["code"] for line in errors(client, ended).values()] == lines
    assert len(service.journal().billed) == 2


def test_a_cancelled_batch_names_the_rows_it_did_not_run(service: RunningService, client: OpenAI) -> None:
    service.scenario({"batches": [{"unrun_rows": "error_lines"}]})
    batch = submit(service, client, rows(4))
    service.advance(3)
    client.batches.cancel(batch.id)
    service.advance(1)
    ended = client.batches.retrieve(batch.id)
    assert len(output(client, ended)) == 1
    assert [line["error"]["code"] for line in errors(client, ended).values()] == ["batch_cancelled"] * 3


def test_a_batch_runs_past_24_hours_and_still_completes(service: RunningService, client: OpenAI) -> None:
    service.scenario({"batches": [{"running": 200_000}]})
    batch = submit(service, client, rows(2))
    service.advance(190_000)
    late = client.batches.retrieve(batch.id)
    assert late.status == "in_progress"
    assert late.expires_at
    assert late.expires_at < service.now()
    service.advance(20_000)
    assert client.batches.retrieve(batch.id).status == "completed"


def test_rules_choose_batches_by_deployment_file_and_metadata(service: RunningService, client: OpenAI) -> None:
    fail = [{"code": "odd", "message": "Odd."}]
    service.scenario(
        {
            "batches": [
                {"filename": "x*", "fail": fail},
                {"deployment": "other*", "fail": fail},
                {"metadata": {"job": "j*"}, "fail": fail},
            ]
        }
    )
    other = row("a")
    other["body"]["model"] = "other-1"
    assert run(service, client, rows(1), "y.jsonl").status == "completed"
    assert run(service, client, rows(1), "x.jsonl").status == "failed"
    assert run(service, client, [other], "y.jsonl").status == "failed"
    file_id = upload(client, jsonl(rows(1)))
    service.advance(1)
    batch = client.batches.create(
        input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"job": "j1"}
    )
    service.advance(100)
    assert client.batches.retrieve(batch.id).status == "failed"


@pytest.mark.parametrize(("choice", "found"), [("null", None), ("empty_id", "")])
def test_all_failed_has_no_output_id(service: RunningService, client: OpenAI, choice: str, found: str | None) -> None:
    service.scenario({"rows": [{"outcome": "error"}], "batches": [{"all_failed_output": choice}]})
    assert run(service, client, rows(2)).output_file_id == found


def test_all_failed_has_an_empty_output_file(service: RunningService, client: OpenAI) -> None:
    service.scenario({"rows": [{"outcome": "error"}], "batches": [{"all_failed_output": "empty_file"}]})
    batch = run(service, client, rows(2))
    assert batch.output_file_id
    assert client.files.content(batch.output_file_id).content == b""


def test_no_error_file_where_nothing_failed(service: RunningService, client: OpenAI) -> None:
    service.scenario({"batches": [{"error_file": "when_failed"}]})
    assert run(service, client, rows(1)).error_file_id is None


def test_a_created_batch_appears_in_lists_later(service: RunningService, client: OpenAI) -> None:
    service.scenario({"batches": [{"listed_after": 30}]})
    batch = submit(service, client, rows(1))
    assert client.batches.retrieve(batch.id).id == batch.id
    assert client.batches.list().data == []
    service.advance(30)
    assert [found.id for found in client.batches.list()] == [batch.id]


def test_output_keeps_the_order_of_the_input(service: RunningService, client: OpenAI) -> None:
    service.scenario({"batches": [{"row_order": "input"}]})
    assert list(output(client, run(service, client, rows(20)))) == [f"task-{number}" for number in range(20)]


ODDITIES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"endpoint": "null"}, {"endpoint": None}),
    ({"endpoint": "short"}, {"endpoint": "/chat/completions"}),
    ({"missing_ids": "empty"}, {"output_file_id": "", "error_file_id": ""}),
    ({"counts": "zero"}, {"request_counts": {"total": 0, "completed": 0, "failed": 0}}),
    ({"counts": "null"}, {"request_counts": {"total": None, "completed": None, "failed": None}}),
    ({"expires_at": "null"}, {"expires_at": None}),
    ({"status_as": "capitalized"}, {"status": "InProgress"}),
    ({"in_progress_at": "null"}, {"in_progress_at": None}),
]


@pytest.mark.parametrize(("rule", "expected"), ODDITIES, ids=lambda value: json.dumps(value)[:40])
def test_a_batch_object_looks_as_odd_as_documented(
    service: RunningService, client: OpenAI, http: httpx2.Client, rule: dict[str, Any], expected: dict[str, Any]
) -> None:
    service.scenario({"batches": [rule]})
    file_id = upload(client, jsonl(rows(4)))
    service.advance(1)
    batch = client.batches.create(input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h")
    service.advance(4)
    shown = _raw(http, batch.id)
    assert {name: shown[name] for name in expected} == expected
    service.advance(10)
    assert client.batches.retrieve(batch.id).status.lower() == "completed"


def test_expiry_comes_four_seconds_early_as_in_microsofts_samples(service: RunningService, client: OpenAI) -> None:
    service.scenario({"batches": [{"expires_in": 86_396}]})
    batch = submit(service, client, rows(1))
    assert batch.expires_at == batch.created_at + 86_396


def test_times_are_iso_texts(service: RunningService, client: OpenAI, http: httpx2.Client) -> None:
    service.scenario({"batches": [{"times_as": "iso"}]})
    shown = _raw(http, run(service, client, rows(1)).id)
    assert shown["created_at"].startswith("20")
    assert "T" in shown["completed_at"]


def test_a_cancelled_batch_is_spelt_the_american_way(service: RunningService, client: OpenAI) -> None:
    service.scenario({"batches": [{"status_as": "american"}]})
    batch = submit(service, client, rows(1))
    client.batches.cancel(batch.id)
    service.advance(1)
    assert str(client.batches.retrieve(batch.id).status) == "canceled"


def test_a_failed_batch_carries_the_times_and_ids_of_a_completed_one(
    service: RunningService, client: OpenAI, http: httpx2.Client
) -> None:
    service.scenario({"batches": [{"failed_as": "completed_times"}]})
    shown = _raw(http, run(service, client, b"no json\n").id)
    assert shown["status"] == "failed"
    assert shown["failed_at"] is None
    assert all(shown[name] for name in ("completed_at", "in_progress_at", "finalizing_at", "output_file_id"))


@pytest.mark.parametrize(("choice", "line"), [("integer", 1), ("string", "1"), ("null", None)])
def test_error_lines_are_numbers_texts_or_null(
    service: RunningService, client: OpenAI, http: httpx2.Client, choice: str, line: Any
) -> None:
    service.scenario({"batches": [{"error_lines_as": choice}]})
    assert _raw(http, run(service, client, b"no json\n").id)["errors"]["data"][0]["line"] == line


def test_a_batch_lives_by_the_scenario_under_which_it_was_created(service: RunningService, client: OpenAI) -> None:
    service.scenario({"rows": [{"outcome": "refusal"}]})
    batch = submit(service, client, rows(1))
    service.scenario({})
    service.advance(100)
    assert message(output(client, client.batches.retrieve(batch.id))["task-0"])["refusal"]


@pytest.mark.parametrize(
    ("form", "where"),
    [
        ({"row": []}, "row"),
        ({"rows": [{"outcome": "explodes"}]}, "rows.0.outcome"),
        ({"batches": [{"expire": 2}]}, "batches.0.expire"),
        ({"calls": [{"path": "/files"}]}, "calls[0] has no effect"),
        ({"recorded": "no-such-file.jsonl"}, "no-such-file.jsonl"),
        ([], "it"),
    ],
)
def test_a_wrong_scenario_is_refused_with_the_place(http: httpx2.Client, form: Any, where: str) -> None:
    reply = http.post("/_local/scenario", json=form)
    assert reply.status_code == 400
    assert where in reply.json()["error"]["message"]


def test_a_scenario_is_posted_shown_and_removed(http: httpx2.Client) -> None:
    form = {"rows": [{"custom_id": "a*", "outcome": "refusal"}]}
    assert http.post("/_local/scenario", json=form).json() == form
    assert http.get("/_local/scenario").json() == form
    assert http.delete("/_local/scenario").json() == {}
    assert http.get("/_local/scenario").json() == {}
