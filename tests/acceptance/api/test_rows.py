"""An ended job's rows by the API: in input order, page by page, whatever their number and size."""

import itertools
import json
from typing import Any

import pytest

from shared.domain import blob_names
from shared.domain.model import JobState
from shared.domain.ports import Container
from shared.web import row_pages
from shared.web.response import Response
from shared.web.result_routes import rows_response
from testing.world import World

ROWS = 57


def table(rows: int = ROWS) -> str:
    """A prompt file of which every fifth row has no prompt."""
    lines = [f"id-{row},{'' if row % 5 == 0 else 'Who?'},m,Name,note {row}" for row in range(1, rows + 1)]
    return "\n".join(["Custom ID,Prompt,Model,Required,Note", *lines, ""])


def ended_job(world: World, content: str | None = None) -> str:
    status = world.run(world.drop("table.csv", content or table()))
    assert status["state"] == JobState.COMPLETED
    return str(status["job_id"])


def ask(world: World, job_id: str, **query: str) -> Response:
    return rows_response(lambda: world.app, job_id, query)


def walk(world: World, job_id: str, **query: str) -> list[list[dict[str, Any]]]:
    """All pages."""
    pages = []
    while True:
        answer = ask(world, job_id, **query)
        assert answer.status == 200, answer.body
        pages.append(answer.body["rows"])
        if answer.body["cursor"] is None:
            return pages
        query["cursor"] = answer.body["cursor"]


def write(world: World, job_id: str, name: str, lines: list[dict[str, Any]]) -> None:
    """Put other lines into a result file."""
    job = world.app.store.job(job_id)
    assert job is not None
    content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    world.app.files.write(Container.RESULTS, blob_names.results_folder(job) + name, content)


def result(row: int, size: int = 0) -> dict[str, Any]:
    return {"row": row, "custom_id": f"id-{row}", "output": {"Name": "x" * size}, "input": {}, "model": "m"}


def failure(row: int) -> dict[str, Any]:
    error = {"code": "refusal", "message": "No.", "row": row, "attempts": 1}
    return {"custom_id": f"id-{row}", "method": "POST", "url": "/x", "body": {}, "input": {}, "error": error}


def test_results_and_errors_come_as_one_list_in_input_order(world: World) -> None:
    job_id = ended_job(world)

    [first, second, third] = walk(world, job_id)

    assert [len(first), len(second), len(third)] == [20, 20, 17]
    rows = [*first, *second, *third]
    assert [row["row"] for row in rows] == list(range(1, ROWS + 1))
    results = {line["row"]: line for line in world.results("table.csv")}
    errors = {line["error"]["row"]: line for line in world.errors("table.csv")}
    for row in rows:
        line = results.get(row["row"]) or errors[row["row"]]
        what = "error" if row["row"] % 5 == 0 else "output"
        assert row == {
            "row": row["row"],
            "custom_id": line["custom_id"],
            "input": {"Note": f"note {row['row']}"},
            what: line[what],
        }


def test_a_status_gives_those_rows_alone_whatever_the_page(world: World) -> None:
    job_id = ended_job(world, table(23))
    wanted = {"ok": [row for row in range(1, 24) if row % 5], "error": [5, 10, 15, 20], "": list(range(1, 24))}
    for limit, (status, expected) in itertools.product((1, 3, 200), wanted.items()):
        pages = walk(world, job_id, status=status, limit=str(limit))
        assert [row["row"] for page in pages for row in page] == expected
        assert all(len(page) == limit for page in pages[:-1])
        assert pages[-1]


def test_a_parameter_that_cannot_be_taken_is_refused(world: World) -> None:
    job_id = ended_job(world, table(5))
    for name, values in {
        "limit": ["0", "201", "-1", "ten", "1.5", "", "9" * 30],
        "cursor": ["x", "1", "1-", "-1", "1-1", "99999-0", "0-99999999", "0-0-0", "9" * 16 + "-0"],
        "status": ["failed", "OK"],
    }.items():
        for value in values:
            answer = ask(world, job_id, **{name: value})
            assert (answer.status, answer.body["error"]["code"]) == (400, f"invalid_{name}"), value


def test_a_job_that_runs_has_no_rows_yet(world: World) -> None:
    job = world.event(world.drop("table.csv", table(2)))
    assert job is not None
    answer = ask(world, job.job_id)
    assert (answer.status, answer.body["error"]["code"]) == (409, "not_now")


def test_a_job_that_runs_on_after_its_pilot_shows_the_pilots_rows(world: World) -> None:
    job = world.event(world.drop("table.csv", table(2)))
    assert job is not None
    for name, line in (("results.jsonl", result(4)), ("errors.jsonl", failure(2))):
        world.app.files.write(Container.WORK, blob_names.pilot_rows(job, name), json.dumps(line).encode() + b"\n")
    assert [row["row"] for row in ask(world, job.job_id).body["rows"]] == [2, 4]


def test_an_unknown_job_is_not_found(world: World) -> None:
    assert ask(world, "20200101T000000Z-00000000").status == 404
    assert ask(world, "nothing").status == 404


def test_a_job_whose_result_files_were_deleted_has_no_rows(world: World) -> None:
    job_id = ended_job(world, table(2))
    for name in ("results.jsonl", "errors.jsonl"):
        folder = world.folders("table.csv")[-1]
        world.blobs.get_blob_client(world.app.settings.results_container, f"{folder}/{name}").delete_blob()
    assert ask(world, job_id).body == {"rows": [], "cursor": None}


def test_lines_longer_than_a_piece_are_read_whole_and_make_the_page_shorter(world: World) -> None:
    job_id = ended_job(world, table(2))
    big = row_pages.PAGE_BYTES // 2 + 1
    write(world, job_id, "results.jsonl", [result(1, row_pages.PIECE * 3), result(3, big), result(4, big), result(6)])
    write(world, job_id, "errors.jsonl", [failure(2), failure(5)])

    first, second = walk(world, job_id)

    assert [row["row"] for row in first] == [1, 2, 3, 4]
    assert [row["row"] for row in second] == [5, 6]
    assert len(first[2]["output"]["Name"]) == big


def test_a_line_too_long_for_any_page_is_said_to_be_there_and_passed_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_pages, "LONGEST_LINE", 300_000)
    monkeypatch.setattr(row_pages, "PIECE", 1000)
    job_id = ended_job(world, table(2))
    write(world, job_id, "results.jsonl", [result(1), result(2, 700_000), result(3), result(4, 299_000)])
    write(world, job_id, "errors.jsonl", [])

    rows = [row for page in walk(world, job_id, limit="1") for row in page]

    assert [row["row"] for row in rows] == [1, None, 3, 4]
    assert rows[1]["error"]["code"] == "too_long"
    assert "results.jsonl" in rows[1]["error"]["message"]


def test_a_page_far_into_a_large_file_reads_only_its_own_bytes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = ended_job(world, table(2))
    write(world, job_id, "results.jsonl", [result(row, 1000) for row in range(1, 5001)])
    write(world, job_id, "errors.jsonl", [])
    cursor = None
    for _ in range(10):
        cursor = ask(world, job_id, limit="200", **({"cursor": cursor} if cursor else {})).body["cursor"]
    read: list[int] = []
    read_range = world.app.files.read_range

    def counted(container: Container, name: str, offset: int, length: int) -> bytes:
        found = read_range(container, name, offset, length)
        read.append(len(found))
        return found

    monkeypatch.setattr(world.app.files, "read_range", counted)
    answer = ask(world, job_id, limit="20", cursor=cursor or "")
    assert answer.body["rows"][0]["row"] == 2001
    assert sum(read) <= 2 * row_pages.PIECE


def test_numbers_of_any_size_and_odd_texts_come_as_they_are(world: World) -> None:
    job_id = ended_job(world, table(2))
    odd = {**result(1), "output": {"Name": "\ud800 \u2028", "Number": 10**30}}
    write(world, job_id, "results.jsonl", [odd])
    write(world, job_id, "errors.jsonl", [])

    answer = ask(world, job_id)

    assert answer.body["rows"][0]["output"]["Number"] == 10**30
    assert b"1000000000000000000000000000000" in answer.content()
    assert json.loads(answer.content())["rows"][0]["row"] == 1
