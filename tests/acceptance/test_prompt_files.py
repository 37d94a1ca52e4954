"""Prompt files in odd but legal forms and under odd names, dropped from outside."""

import gzip
import io
import json
from collections.abc import Callable

import openpyxl  # type: ignore[import-untyped]

from testing.world import World
from tests.acceptance.reading import balances, jsonl, run_all
from tests.unit.prompt_file.test_xlsx_from_excel import CELLS, packed, parts

SCHEMA = {"type": "object", "properties": {"A": {"type": "string"}}}


def _workbook(*rows: list[object]) -> bytes:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    book.create_sheet("second").append(["Prompt"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_names_and_forms_of_any_kind_are_read(new_world: Callable[..., World]) -> None:
    world = new_world(AZURE_OPENAI_DEPLOYMENT="m")
    table = "custom-ID;MODEL name;pRoMpT;Note\nx;;Who?;1\n\n;m2;When,\twhere?\n"
    files: dict[str, bytes] = {
        "one/two/drei/Größe & 100% #1?+.CSV": table.encode("utf-8-sig"),
        "semi.csv": table.encode("utf-16"),
        "tab.TSV": table.replace(";", "\t").replace(",\t", ", ").encode(),
        "comma.tsv.gz": gzip.compress(table.replace("When,\twhere?", '"When,\twhere?"').replace(";", ",").encode()),
        "packed.CSV.GZ": gzip.compress(table.encode()),
        "lines.NdJson": jsonl({"Custom ID": "x", "prompt": "Who?", "Note": "1"}, {"Prompt": 5, "Model": "m2"}).encode(),
        "array.JSON": json.dumps(
            [{"CustomId": "x", "prompt": "Who?", "Note": "1"}, {"Prompt": 5, "Model": "m2"}]
        ).encode(),
        "array.json.gz": gzip.compress(
            b'[{"custom_id": "x", "prompt": "Who?", "Note": "1"},\n{"Prompt": "?", "Model": "m2"}]'
        ),
        "book.XLSX": _workbook(["custom_id", "Model", "Prompt", "Note"], ["x", None, "Who?", 1], [None, "m2", "When?"]),
    }
    for name, content in files.items():
        world.drop(name, content)
    world.put("_job.json", json.dumps({"schema": SCHEMA}))
    for name in ("_x.csv", ".x.csv", "a/_b/c.csv", "a/.b/c.csv", "folder/", "folder_$folder$"):
        world.put(name, table)
        assert world.event(name) is None

    for name, status in run_all(world, files).items():
        assert status["rows"] == {"total": 2, "succeeded": 2, "failed": 0, "pending": 0, "reused": 0}, (name, status)
        assert status["prompt_file"] == name
        assert [line["custom_id"] for line in world.results(name)] == ["x", "row-2"], name
        assert world.results(name)[0]["input"] == {"Note": "1"}, name
        assert {batch["model"] for batch in status["batches"]} == {"m", "m2"}
        assert balances(world, name)


def test_folder_markers_of_hierarchical_storage_are_no_prompt_files(world: World) -> None:
    world.put("other.csv", "")
    container = world.blobs.get_container_client(world.app.settings.prompts_container)
    container.upload_blob("folder", b"", metadata={"hdi_isfolder": "true"})

    assert world.event("folder") is None
    assert world.folders("folder") == []


def test_odd_records_and_requests_in_one_file(world: World) -> None:
    body = {"messages": [{"role": "user", "content": "Hi"}]}
    whole = {"method": "POST", "url": "/v1/chat/completions"}
    rows: list[object] = [
        {"custom_id": "r", "prompt": "Who?", "n": 5, "yes": True, "none": None, "list": [1, {"a": 2}], "f": 1.5},
        {"custom_id": "q1", **whole, "body": body, "input": {"own": 1}},
        {"custom_id": 7, **whole, "body": {**body, "n": 1, "stream": False}},
        {"custom_id": "r", **whole, "body": body},
        {"custom_id": "q2", **whole, "body": {**body, "n": 2}},
        {"custom_id": "q3", **whole, "body": {**body, "stream": True}},
        {"custom_id": "q4", **whole, "url": "/embeddings", "body": body},
        {"custom_id": "q5", "url": "/chat/completions", "body": body},
        {"custom_id": "q6", "body": body, "Prompt": "A record, as it has no url"},
        {"custom_id": "q7", "url": "/chat/completions", "body": "text", "Prompt": "A record, as its body is a text"},
        {"custom_id": "q8", **whole, "body": {**body, "response_format": {"type": "json_object"}}},
        {"custom_id": "q1", "prompt": "Who?"},
        {"prompt": "Two models?", "model": "a", "Model Name": "b"},
        [1],
        {"custom_id": "", "prompt": "Who?", "schema": {"type": "object", "properties": {"B": {"type": "integer"}}}},
        {"custom_id": "req", "prompt": "Who?", "required": "C: integer, D: string[], E: boolean?"},
        {"custom_id": "q9", "method": "POST", "url": "/v1/responses", "body": {"input": "Hi"}},
    ]
    name = world.drop("mixed.jsonl", jsonl(*rows), model="job-model", schema=SCHEMA)

    status = run_all(world, [name])[name]

    assert balances(world, name)
    codes = {line["error"]["row"]: line["error"]["code"] for line in world.errors(name)}
    assert codes == {
        4: "duplicate_custom_id",
        5: "invalid_request",
        6: "invalid_request",
        7: "invalid_request",
        8: "invalid_request",
        12: "duplicate_custom_id",
        13: "invalid_request",
        14: "invalid_json",
    }
    results = {line["row"]: line for line in world.results(name)}
    assert results[1]["input"] == {"n": 5, "yes": True, "none": None, "list": [1, {"a": 2}], "f": 1.5}
    assert results[2]["input"] == {"own": 1}
    assert results[3]["custom_id"] == "7"
    assert results[9]["input"] == {"body": body}
    assert set(results[11]["output"]) == {"text"}
    assert set(results[15]["output"]) == {"B"}
    assert set(results[16]["output"]) == {"C", "D", "E"}
    assert set(results[17]["output"]) == {"A"}
    assert {batch["model"] for batch in status["batches"]} == {"job-model"}
    assert len(status["batches"]) == 3
    sent = {line["custom_id"]: line for key in range(3) for line in world.requests(status["job_id"], f"0000{key}-1")}
    assert sent["q1"] == {
        "custom_id": "q1",
        **whole,
        "body": {
            "model": "job-model",
            **body,
            "response_format": sent["r"]["body"]["response_format"],
        },
    }
    assert sent["r"]["body"]["response_format"]["json_schema"]["name"] == "mixed"
    assert sent["q9"]["body"]["text"]["format"]["type"] == "json_schema"
    row = world.table(name)[0]
    assert (row["n"], row["yes"], row["none"], row["list"], row["f"]) == ("5", "true", "", '[1,{"a":2}]', "1.5")
    # A row that never became a request has its source; so has one whose id was used before.
    errors = {line["error"]["row"]: line for line in world.errors(name)}
    assert errors[14]["source"] == "[1]"
    for number in (4, 5, 8, 12, 13):
        assert set(errors[number]) == {"custom_id", "source", "input", "error"}
        assert errors[number]["source"] == rows[number - 1]
    assert errors[4]["error"]["attempts"] == 0

    # The very file dropped again: the two that only had a used id can be sent now.
    again = world.drop("again.jsonl", world.result(name, "errors.jsonl"))
    second = run_all(world, [again])[again]
    assert second["rows"]["total"] == 8
    assert [line["custom_id"] for line in world.results(again)] == ["r", "q1"]
    assert balances(world, again)
    assert {line["custom_id"] for line in world.errors(again)} == {"q2", "q3", "q4", "q5", "row-13", "row-14"}


def test_a_table_with_faulty_rows_and_a_line_of_blanks(world: World) -> None:
    table = 'Prompt,Required,Note\n\nWho?,N\n   \n"Two\r\nlines?",N,2\nWho?,N,3,4\nWho?,"A: text",5\n,N,6\n'
    name = world.drop("table.csv", table, model="m")

    status = run_all(world, [name])[name]

    assert status["errors"] == {"invalid_request": 1, "invalid_schema": 1, "missing_prompt": 1}
    assert [line["row"] for line in world.results(name)] == [1, 2]
    assert world.errors(name)[0]["source"] == "Who?,N,3,4"
    assert balances(world, name)


def test_more_cells_than_headers_is_the_rows_fault_in_a_workbook_too(world: World) -> None:
    content = _workbook(["Prompt", "Required"], ["Who?", "N"], ["When?", "N", "more"])
    name = world.drop("book.xlsx", content, model="m")

    status = run_all(world, [name])[name]

    assert status["errors"] == {"invalid_request": 1}


def test_two_headers_of_one_meaning_are_the_files_fault_and_its_rows_are_counted(world: World) -> None:
    name = world.drop("table.csv", "Model,Model Name,Prompt,Required,Note\nm,m,Who?,N,1\nm,m,When?,N,2\n")

    status = run_all(world, [name])[name]

    assert (status["state"], status["code"]) == ("failed", "invalid_file")
    assert status["rows"] == {"total": 2, "succeeded": 0, "failed": 2, "pending": 0, "reused": 0}
    assert status["errors"] == {"not_sent": 2}
    assert world.errors(name)[0]["source"]["Note"] == "1"
    assert balances(world, name)


def test_a_file_in_which_no_row_has_a_schema_says_so_whatever_else_is_wrong(world: World) -> None:
    name = world.drop("table.csv", "Custom ID,Prompt\na,Who?\nb,\na,When?\n", model="m")

    status = run_all(world, [name])[name]

    assert (status["state"], status["code"]) == ("failed", "missing_schema")
    assert status["rows"]["failed"] == 3
    assert balances(world, name)


def test_a_tables_row_that_was_too_wide_is_tried_again_once_it_is_an_object(world: World) -> None:
    name = world.drop("table.csv", "Custom ID,Prompt,Required,Note\nx,Who, or what?,N,1,2\ny,When?,N,2\n", model="m")
    run_all(world, [name])
    lines = world.errors(name)
    assert lines[0]["source"] == "x,Who, or what?,N,1,2"

    untouched = world.drop("untouched.jsonl", jsonl(*lines))
    lines[0]["source"] = {"Custom ID": "x", "Prompt": "Who, or what?", "Required": "N", "Note": "1"}
    corrected = world.drop("corrected.jsonl", jsonl(*lines))
    statuses = run_all(world, [untouched, corrected])

    assert statuses[untouched]["errors"] == {"invalid_json": 1}
    (line,) = world.errors(untouched)
    assert (line["custom_id"], line["source"]) == (lines[0]["custom_id"], "x,Who, or what?,N,1,2")
    assert "Write it as an object with a key for each column" in line["error"]["message"]
    assert statuses[corrected]["rows"]["succeeded"] == 1
    assert world.results(corrected)[0]["custom_id"] == "x"
    assert world.results(corrected)[0]["input"] == {"Note": "1"}
    assert balances(world, untouched)
    assert balances(world, corrected)


def test_a_workbook_as_excel_writes_it_goes_from_end_to_end(new_world: Callable[..., World]) -> None:
    world = new_world(AZURE_OPENAI_DEPLOYMENT="m", RESULT_FORMATS="csv,xlsx")
    name = world.drop("excel.xlsx", packed(parts()), schema=SCHEMA)

    status = run_all(world, [name])[name]

    assert status["rows"] == {"total": len(CELLS), "succeeded": len(CELLS) - 1, "failed": 1, "pending": 0, "reused": 0}
    assert status["errors"] == {"missing_prompt": 1}
    assert '"Prompts & more", was read' in status["warnings"][0]
    assert {row["custom_id"]: row["Cell"].removeprefix("'") for row in world.table(name)} == CELLS
    assert balances(world, name)


def test_a_workbook_whose_rows_lie_on_another_sheet_says_which_was_read(world: World) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Read me first"])
    book.active.append(["Fill the next sheet."])
    book.create_sheet("Rows").append(["Prompt", "Required"])
    out = io.BytesIO()
    book.save(out)
    name = world.drop("book.xlsx", out.getvalue(), model="m")

    status = run_all(world, [name])[name]

    assert status["code"] == "missing_column"
    assert status["rows"]["total"] == 1
    (warning,) = status["warnings"]
    assert warning.startswith('The workbook has 2 sheets; only the first, "Sheet", was read. To have another one read')
