"""Every job code, produced from the outside by a dropped file; and that the rows of such jobs are accounted for."""

import gzip
from collections.abc import Callable

import pytest

from testing.world import World

TABLE = "Custom ID,Prompt,Required\na,Who built it?,Name\nb,When?,Year: integer\n"


def _ends(world: World, name: str, code: str, total: int | None, errors: dict[str, int]) -> str:
    status = world.run(name)
    assert (status["state"], status["code"]) == ("failed", code), status
    assert status["rows"]["total"] == total
    assert status["errors"] == errors
    assert len(world.errors(name)) == (total or 0)
    assert world.result(name, "results.jsonl") == b""
    assert world.service.journal().totals["billed"] == 0
    return str(status["message"])


def test_unsupported_format(world: World) -> None:
    message = _ends(world, world.drop("report.docx", b"PK"), "unsupported_format", None, {})
    assert ".csv" in message
    message = _ends(world, world.drop("report.xls", b"\xd0\xcf"), "unsupported_format", None, {})
    assert message.startswith("report.xls: .xls files are not read. Save it as .xlsx (or CSV).")


def test_not_utf8(world: World) -> None:
    name = world.drop("latin.csv", "Prompt,Required\nWer wär's?,Name\n".encode("latin-1"), model="m")
    assert "UTF-8" in _ends(world, name, "not_utf8", None, {})


def test_empty_file(world: World) -> None:
    _ends(world, world.drop("empty.jsonl", b""), "empty_file", 0, {})


def test_a_table_of_headers_only_is_empty(world: World) -> None:
    _ends(world, world.drop("headers.csv", "Prompt,Required\n", model="m"), "empty_file", 0, {})


def test_a_table_of_headers_only_is_empty_whatever_else_is_wrong_with_it(world: World) -> None:
    _ends(world, world.drop("columns.csv", "Question,Answer\n"), "empty_file", 0, {})
    _ends(world, world.drop("meanings.csv", "Prompt,prompt\n"), "empty_file", 0, {})
    _ends(world, world.drop("settings.csv", "Prompt,Required\n", modle="m"), "invalid_job_settings", 0, {})


def test_invalid_file(world: World) -> None:
    _ends(world, world.drop("broken.jsonl.gz", gzip.compress(b"{}\n" * 999)[:40]), "invalid_file", None, {})


def test_missing_column(world: World) -> None:
    name = world.drop("table.csv", "Custom ID,Question\nx,Who?\ny,When?\n", model="m")
    message = _ends(world, name, "missing_column", 2, {"not_sent": 2})
    assert "Prompt" in message or "prompt" in message
    assert [line["custom_id"] for line in world.errors(name)] == ["x", "y"]
    assert world.errors(name)[0]["source"] == {"Custom ID": "x", "Question": "Who?"}


def test_missing_schema(world: World) -> None:
    name = world.drop("plain.csv", "Prompt\nWho?\nWhen?\n", model="m")
    _ends(world, name, "missing_schema", 2, {"invalid_schema": 2})


def test_invalid_job_settings(world: World) -> None:
    name = world.drop("table.csv", TABLE, modle="m")
    message = _ends(world, name, "invalid_job_settings", 2, {"not_sent": 2})
    assert "modle" in message
    assert "model" in message


def test_invalid_row_where_rejected(new_world: Callable[..., World]) -> None:
    world = new_world(ON_INVALID_ROW="reject", AZURE_OPENAI_DEPLOYMENT="m")
    name = world.drop("table.csv", "Prompt,Required\nWho?,Name\n,Name\n")
    message = _ends(world, name, "invalid_row", 2, {"missing_prompt": 1, "not_sent": 1})
    assert message.startswith("The job rejects its file, as 1 row is invalid; the first: row 2: missing_prompt: ")
    assert world.errors(name)[0]["body"]["messages"][-1]["content"] == "Who?"
    assert world.errors(name)[0]["error"]["message"] == f"Nothing was sent: {message}"


def test_no_valid_rows(world: World) -> None:
    name = world.drop("table.csv", "Prompt,Required\n,Name\nWho?,Name\n")
    _ends(world, name, "no_valid_rows", 2, {"missing_prompt": 1, "missing_model": 1})


def test_source_changed(world: World) -> None:
    from shared.pipeline import receiving, steps

    name = world.drop("table.csv", TABLE, model="m")
    job = receiving.receive(world.app, name)
    assert job is not None
    world.put(name, TABLE + "c,Why?,Reason\n")
    steps.advance(job)

    status = world.status(name)
    assert (status["state"], status["code"], status["rows"]["total"]) == ("failed", "source_changed", None)
    assert world.run(name)["rows"] == {"total": 3, "succeeded": 3, "failed": 0, "pending": 0, "reused": 0}


def test_batch_failed(world: World) -> None:
    world.service.scenario({"batches": [{"fail": [{"code": "url_mismatch", "message": "The url differs."}]}]})
    name = world.drop("table.csv", TABLE, model="m")
    message = _ends(world, name, "batch_failed", 2, {"batch_failed": 2})
    assert "url_mismatch" in message
    assert "The url differs." in message


def test_gave_up(new_world: Callable[..., World]) -> None:
    world = new_world(MAX_WAIT_HOURS="2.5")
    world.service.scenario({"calls": [{"method": "POST", "path": "/batches", "answer": {"status": 503}}]})
    name = world.drop("table.csv", TABLE, model="m")
    world.event(name)
    status = world.wait(name, hours=8)
    assert (status["state"], status["code"]) == ("failed", "gave_up")
    assert status["errors"] == {"gave_up": 2}


@pytest.mark.parametrize("name", ["_job.json", "folder/.hidden/x.csv", "a/_notes/x.csv", "folder/"])
def test_blobs_that_are_no_prompt_files_start_no_job(world: World, name: str) -> None:
    world.drop(name, b"{}")
    assert world.event(name) is None
