"""Rows → batch requests: the sample's lines, each row code, whole requests unchanged, everything per row or per job."""

import csv
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.answer_schema import from_required
from shared.answer_schema.schema_list import SchemaList
from shared.domain.errors import JobFault
from shared.domain.model import Fault, JobCode, Record, RequestBlock, RowCode
from shared.job_settings import JobSettings
from shared.requests import RequestBuilder
from shared.requests.custom_ids import ID_LENGTH
from shared.requests.limits import BYTES_PER_TOKEN, TEXT_LENGTH
from testing.paths import DATA

SEED = DATA / "seed"
CHAT = "/chat/completions"
RESPONSES = "/v1/responses"
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
OTHER = {"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"], "additionalProperties": False}
ASKED = {"type": "json_schema", "json_schema": {"name": "p", "schema": SCHEMA, "strict": True}}


class Sent(NamedTuple):
    """The one request of a block."""

    row: int
    custom_id: str
    model: str
    url: str
    line: bytes
    schema: int
    input_tokens: int


def only(block: RequestBlock) -> Sent:
    """Take the request out of a block of one."""
    (row,), (custom_id,), model, url, (line,), (schema,), size, tokens, *_images = block
    assert block.text == line + b"\n"
    assert size == len(block.text)
    return Sent(row, custom_id, model, url, line, schema, tokens)


class Job:
    """A job's builder, with the schemas that it listed."""

    def __init__(self, headers: tuple[str, ...] | None = None, *, max_bytes: int = 10**6, **settings: Any) -> None:
        self.lines: list[bytes] = []
        self.builder = RequestBuilder(
            JobSettings(**settings),
            prompt_file="folder/p.csv",
            headers=headers,
            default_model="app-model",
            schemas=SchemaList(self.lines.append),
            max_bytes=max_bytes,
        )

    @property
    def schemas(self) -> list[Any]:
        return [schema.checked for schema in SchemaList.read(self.lines)]

    def request(self, values: Mapping[str, object], row: int = 1) -> Sent:
        built = self.builder.build(Record(row, values))
        assert isinstance(built, RequestBlock), built
        return only(built)

    def sent(self, values: Mapping[str, object], row: int = 1) -> Any:
        return msgspec.json.decode(self.request(values, row).line)

    def body(self, values: Mapping[str, object]) -> Any:
        return self.sent(values)["body"]

    def fault(self, values: Mapping[str, object]) -> Fault:
        built = self.builder.build(Record(1, values))
        assert isinstance(built, Fault), built
        return built


def identity(builder: RequestBuilder, record: Record) -> tuple[str, dict[str, object]]:
    """Who a row is: its custom id and its own columns."""
    return builder.identify(record), builder.own(record)


def _required(fields: str) -> dict[str, Any]:
    """The settings of a job whose `_job.json` names the answer's fields."""
    return {"schema": from_required(fields), "schema_from_required": True}


def fault_of(headers: tuple[str, ...] | None, **settings: Any) -> JobFault:
    with pytest.raises(JobFault) as caught:
        Job(headers, **settings)
    return caught.value


class TestSample:
    def test_the_sample_table_gives_the_sample_batch_file(self) -> None:
        job = Job(
            ("Custom ID", "Model Name", "Prompt", "Required"),
            system="You are an AI assistant that provides facts about tall buildings.",
            schema_name="building_info_schema",
        )
        with (SEED / "buildings.csv").open(encoding="utf-8-sig", newline="") as file:
            built = [job.request(row, number) for number, row in enumerate(csv.DictReader(file), 1)]
        expected = (SEED / "batch - StructuredOutputs.jsonl").read_text().splitlines()
        assert [json.dumps(json.loads(each.line)) for each in built] == [json.dumps(json.loads(e)) for e in expected]
        assert [(each.row, each.custom_id, each.schema) for each in built] == [
            (1, "task-0", 0),
            (2, "task-1", 0),
            (3, "task-2", 0),
        ]
        assert {(each.model, each.url) for each in built} == {("gpt-4o-batch", CHAT)}
        assert len(job.schemas) == 1
        assert job.builder.warnings == ()
        assert job.builder.own_columns == ()

    def test_the_sample_batch_file_is_sent_as_it_is(self) -> None:
        job = Job()
        for number, text in enumerate((SEED / "batch - StructuredOutputs.jsonl").read_text().splitlines(), 1):
            assert job.request(json.loads(text), number).line == msgspec.json.encode(json.loads(text))
        assert len(job.schemas) == 1


class TestTable:
    def test_columns_mean_something_however_they_are_spelled(self) -> None:
        job = Job(("custom_id", "MODEL", "pRoMpT", "system", "required", "City"))
        row = {"custom_id": "x", "MODEL": " m ", "pRoMpT": "Q", "system": "S", "required": "a", "City": "Rome"}
        assert job.sent(row) == {
            "custom_id": "x",
            "method": "POST",
            "url": CHAT,
            "body": {
                "model": "m",
                "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}],
                "response_format": ASKED,
            },
        }
        assert identity(job.builder, Record(1, row)) == ("x", {"City": "Rome"})
        assert job.builder.own_columns == ("City",)

    def test_a_row_without_values_of_its_own_takes_the_jobs(self) -> None:
        job = Job(("Custom ID", "Model", "Prompt", "System", "Required"), model="jm", system="js", schema=SCHEMA)
        body = job.body({"Custom ID": "", "Model": " ", "Prompt": "Q", "System": "", "Required": ""})
        assert body == {
            "model": "jm",
            "messages": [{"role": "system", "content": "js"}, {"role": "user", "content": "Q"}],
            "response_format": ASKED,
        }

    def test_a_rows_own_values_beat_the_jobs(self) -> None:
        headers = ("Model", "Prompt", "System", "Schema")
        job = Job(headers, model="jm", system="js", prompt="jp", schema=SCHEMA)
        body = job.body({"Model": "rm", "Prompt": "rp", "System": "rs", "Schema": json.dumps(OTHER)})
        assert body["model"] == "rm"
        assert [message["content"] for message in body["messages"]] == ["rs", "rp"]
        assert body["response_format"]["json_schema"]["schema"] == OTHER

    def test_the_app_names_the_model_where_nobody_else_does(self) -> None:
        assert Job(("Prompt",), schema=SCHEMA).request({"Prompt": "Q"}).model == "app-model"

    def test_no_system_message_without_one(self) -> None:
        assert Job(("Prompt",), schema=SCHEMA).body({"Prompt": "Q"})["messages"] == [{"role": "user", "content": "Q"}]

    def test_columns_may_be_named_by_the_job(self) -> None:
        columns = {"custom_id": "Ticket", "prompt": "Question", "model": None}
        job = Job(("Ticket", "Question", "Model", "Custom ID"), schema=SCHEMA, columns=columns)
        row = {"Ticket": "t1", "Question": "Q", "Model": "Ford T", "Custom ID": "c"}
        request = job.request(row)
        assert (request.custom_id, request.model) == ("t1", "app-model")
        assert identity(job.builder, Record(1, row)) == (
            "t1",
            {"Ticket": "t1", "Model": "Ford T", "Custom ID": "c"},
        )

    def test_two_schemas_of_a_row_the_full_one_counts(self) -> None:
        job = Job(("Prompt", "Required", "Schema"))
        job.request({"Prompt": "Q", "Required": "b", "Schema": json.dumps(SCHEMA)})
        assert job.schemas == [SCHEMA]

    def test_schemas_are_numbered_as_rows_use_them(self) -> None:
        job = Job(("Prompt", "Required"), schema=SCHEMA)
        rows = [{"Prompt": "Q", "Required": required} for required in ("b", "", "b", " b", "c", "")]
        assert [job.request(row).schema for row in rows] == [0, 1, 0, 0, 2, 1]
        assert [list(schema["properties"]) for schema in job.schemas] == [["b"], ["a"], ["c"]]

    def test_order_and_text_are_kept_to_the_byte(self) -> None:
        prompt = 'Straße "q" \\ \n\u2028 \x00 😀 {x}'
        line = Job(("Prompt",), schema=SCHEMA, parameters={"temperature": 0, "top_p": 0.5}).request({"Prompt": prompt})
        assert line.line == msgspec.json.encode({
            "custom_id": "row-1",
            "method": "POST",
            "url": CHAT,
            "body": {
                "model": "app-model",
                "messages": [{"role": "user", "content": prompt}],
                "response_format": ASKED,
                "temperature": 0,
                "top_p": 0.5,
            },
        })  # fmt: skip

    def test_many_kinds_of_rows_do_not_mix(self) -> None:
        job = Job(("Model", "Prompt", "System", "Required"))
        for _ in range(2):
            for i in range(300):
                body = job.body({"Model": f"m{i}", "Prompt": f"p{i}", "System": f"s{i}", "Required": f"f{i}"})
                assert body["model"] == f"m{i}"
                assert [message["content"] for message in body["messages"]] == [f"s{i}", f"p{i}"]
                assert body["response_format"]["json_schema"]["schema"]["required"] == [f"f{i}"]
        assert len(job.schemas) == 300


class TestResponsesRoute:
    def test_asks_in_its_own_way(self) -> None:
        job = Job(("Prompt",), url=RESPONSES, system="S", schema=SCHEMA, parameters={"max_output_tokens": 9})
        assert json.dumps(job.sent({"Prompt": "Q"})) == json.dumps({
            "custom_id": "row-1",
            "method": "POST",
            "url": RESPONSES,
            "body": {
                "model": "app-model",
                "input": [{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}],
                "text": {"format": {"type": "json_schema", "name": "p", "schema": SCHEMA, "strict": True}},
                "max_output_tokens": 9,
            },
        })  # fmt: skip

    def test_parameters_of_the_text_stay(self) -> None:
        job = Job(("Prompt",), url=RESPONSES, schema=SCHEMA, parameters={"text": {"verbosity": "low"}})
        text = job.body({"Prompt": "Q"})["text"]
        assert text["verbosity"] == "low"
        assert text["format"]["schema"] == SCHEMA

    def test_long_texts_are_the_services_matter(self) -> None:
        job = Job(("Prompt",), url=RESPONSES, schema=SCHEMA, max_bytes=10**7)
        assert job.request({"Prompt": "x" * (TEXT_LENGTH + 1)})


class TestTemplates:
    def test_a_prompt_is_made_of_the_rows_columns(self) -> None:
        job = Job(("City", "Year"), prompt="Who lived in {City} in {year}? {{}}", system="S {City}", schema=SCHEMA)
        messages = job.body({"City": "Rome", "Year": "80"})["messages"]
        assert [message["content"] for message in messages] == ["S {City}", "Who lived in Rome in 80? {}"]

    def test_a_rows_own_prompt_beats_the_template(self) -> None:
        job = Job(("City", "Prompt"), prompt="About {City}", schema=SCHEMA)
        assert job.body({"City": "Rome", "Prompt": "Own"})["messages"][-1]["content"] == "Own"
        assert job.body({"City": "Rome", "Prompt": ""})["messages"][-1]["content"] == "About Rome"

    def test_unless_the_template_uses_it(self) -> None:
        job = Job(("Language", "Prompt"), prompt="{prompt} Answer in {Language}.", schema=SCHEMA)
        row = {"Language": "Latin", "Prompt": "Who?"}
        assert job.body(row)["messages"][-1]["content"] == "Who? Answer in Latin."

    def test_messages_are_templates_at_any_place(self) -> None:
        messages = (
            {"role": "system", "content": "You know {Topic}."},
            {"role": "user", "content": "Example"},
            {"role": "assistant", "content": '{{"a": "b"}}'},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "See {Topic}:"},
                    {"type": "image_url", "image_url": {"url": "https://example.com/{Topic}"}},
                ],
            },
        )
        job = Job(("Topic",), messages=messages, schema=SCHEMA)
        assert job.body({"Topic": "art"})["messages"] == [
            {"role": "system", "content": "You know art."},
            {"role": "user", "content": "Example"},
            {"role": "assistant", "content": '{"a": "b"}'},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "See art:"},
                    {"type": "image_url", "image_url": {"url": "https://example.com/{Topic}"}},
                ],
            },
        ]

    @pytest.mark.parametrize(
        ("messages", "expected"),
        [
            (
                [{"role": "system", "content": "js"}, {"role": "user", "content": "{T}"}],
                [("system", "rs"), ("user", "t")],
            ),
            (
                [{"role": "developer", "content": "js"}, {"role": "user", "content": "{T}"}],
                [("developer", "rs"), ("user", "t")],
            ),
            ([{"role": "user", "content": "{T}"}], [("system", "rs"), ("user", "t")]),
            ([{"role": "user", "content": "{T} {System}"}], [("user", "t rs")]),
        ],
    )
    def test_a_rows_own_system_message_beats_the_jobs(self, messages: list[Any], expected: list[Any]) -> None:
        job = Job(("T", "System"), messages=tuple(messages), schema=SCHEMA)
        found = job.body({"T": "t", "System": "rs"})["messages"]
        assert [(message["role"], message["content"]) for message in found] == expected

    def test_a_template_that_gives_no_text_is_no_prompt(self) -> None:
        assert Job(("T",), prompt="{T}", schema=SCHEMA).fault({"T": " "}).code is RowCode.MISSING_PROMPT

    def test_an_empty_cell_of_a_table_is_named_by_its_column(self) -> None:
        fault = Job(("Question", "Required"), columns={"prompt": "Question"}).fault({"Question": " ", "Required": "a"})
        assert fault.code is RowCode.MISSING_PROMPT
        assert fault.message == (
            'The row has no prompt: its cell under "Question" is empty, and the job has no template.'
        )

    @pytest.mark.parametrize(
        ("columns", "record", "words"),
        [
            ({}, {"Prompt": None}, 'its value under "Prompt" is empty'),
            ({}, {"Question": "Q"}, 'it has no "Prompt"'),
            ({"prompt": "Question"}, {"Prompt": "Q"}, 'it has no "Question"'),
            ({"prompt": None}, {"Prompt": "Q"}, "gives that meaning to no column"),
        ],
    )
    def test_a_record_without_a_prompt_is_told_where_it_was_looked_for(
        self, columns: dict[str, str | None], record: dict[str, Any], words: str
    ) -> None:
        fault = Job(columns=columns).fault(record | {"Required": "a"})
        assert fault.code is RowCode.MISSING_PROMPT
        assert words in fault.message

    def test_a_key_that_a_json_record_lacks_is_a_missing_value(self) -> None:
        fault = Job(prompt="{City}", schema=SCHEMA).fault({"Town": "Rome"})
        assert fault.code is RowCode.MISSING_VALUE
        assert "City" in fault.message

    @given(st.lists(st.text(), min_size=1, max_size=4), st.text(min_size=1))
    def test_any_texts_are_spliced_in_as_json(self, texts: list[str], system: str) -> None:
        values = {f"c{i}": text for i, text in enumerate(texts)}
        messages = tuple({"role": "user", "content": f"<{{c{i}}}>"} for i in range(len(texts)))
        job = Job(tuple(values), messages=messages, schema=SCHEMA)
        found = [message["content"] for message in job.body(values)["messages"]]
        assert found == [f"<{text}>" for text in texts]
        sent = Job(("Prompt",), system=system, schema=SCHEMA).body({"Prompt": "p" + texts[0]})["messages"]
        assert [message["content"] for message in sent] == [system, "p" + texts[0]]


class TestJobFaults:
    def test_a_table_needs_a_prompt_column_or_a_template(self) -> None:
        fault = fault_of(("Question", "Required"))
        assert fault.code is JobCode.MISSING_COLUMN
        assert '"Question", "Required"' in str(fault)
        Job(("Question", "Required"), prompt="{Question}")
        Job(("Question", "Required"), columns={"prompt": "Question"})
        Job(None)

    def test_and_every_column_that_its_template_names(self) -> None:
        for settings in ({"prompt": "{A} {C}"}, {"messages": ({"role": "user", "content": "{A} {C}"},)}):
            fault = fault_of(("A", "B"), **settings)
            assert fault.code is JobCode.MISSING_COLUMN
            assert 'no column "C"' in str(fault)
            assert str(fault).endswith('The columns are "A", "B".')

    def test_two_columns_of_one_meaning(self) -> None:
        assert fault_of(("Prompt", "prompt")).code is JobCode.INVALID_FILE

    def test_a_schema_beyond_mending(self) -> None:
        fault = fault_of(("Prompt",), schema={"type": "object", "properties": {"a": {}}})
        assert fault.code is JobCode.INVALID_JOB_SETTINGS
        assert "schema: $.properties.a" in str(fault)

    def test_the_message_stays_short_however_many_columns_there_are(self) -> None:
        assert len(str(fault_of(tuple(f"{i}{'x' * 1000}" for i in range(1000))))) < 3000


class TestRowFaults:
    @pytest.mark.parametrize(
        ("values", "code", "words"),
        [
            ({"Required": "a"}, RowCode.MISSING_PROMPT, "no prompt"),
            ({"Prompt": " \n", "Required": "a"}, RowCode.MISSING_PROMPT, "no prompt"),
            ({"Prompt": None, "Required": "a"}, RowCode.MISSING_PROMPT, "no prompt"),
            ({"url": CHAT, "body": "{}"}, RowCode.MISSING_PROMPT, "a body that is an object"),
            ({"Prompt": ["Q"], "Required": "a"}, RowCode.INVALID_REQUEST, "The prompt must be a text; it is a list"),
            ({"Prompt": "Q", "System": {}, "Required": "a"}, RowCode.INVALID_REQUEST, "The system message must be"),
            ({"Prompt": "Q", "Model": True, "Required": "a"}, RowCode.INVALID_REQUEST, "The model must be a text"),
            ({"Prompt": "Q", "Custom ID": ["a"], "Required": "a"}, RowCode.INVALID_REQUEST, "The custom id must be"),
            ({"Prompt": "Q", "Custom ID": "i" * 513, "Required": "a"}, RowCode.INVALID_REQUEST, "513 characters"),
            ({"Prompt": "Q", "prompt": "Q", "Required": "a"}, RowCode.INVALID_REQUEST, "both mean prompt"),
            ({"Prompt": "Q"}, RowCode.INVALID_SCHEMA, "There is no schema"),
            ({"Prompt": "Q", "Required": "a: text"}, RowCode.INVALID_SCHEMA, 'unknown type "text"'),
            ({"Prompt": "Q", "Required": 5}, RowCode.INVALID_SCHEMA, "Required must be a text"),
            (
                {"Prompt": "Q", "Schema": '{"type": object}'},
                RowCode.INVALID_SCHEMA,
                "Schema is not valid JSON: Expecting value at character 10.",
            ),
            ({"Prompt": "Q", "Schema": "[" * 9999}, RowCode.INVALID_SCHEMA, "Schema is not valid JSON: "),
            ({"Prompt": "Q", "Schema": "5"}, RowCode.INVALID_SCHEMA, "must be a JSON Schema"),
            ({"Prompt": "Q", "Schema": {"type": "object"}}, RowCode.INVALID_SCHEMA, "$: is an open map"),
            (
                {"Prompt": "\ud800", "Required": "a"},
                RowCode.INVALID_REQUEST,
                "cannot be written as JSON: it holds half a character",
            ),
        ],
    )
    def test_of_json_records(self, values: dict[str, object], code: RowCode, words: str) -> None:
        job = Job()
        for _ in range(2):  # The second time from what was kept.
            fault = job.fault(values)
            assert fault.code is code
            assert words in fault.message

    def test_what_the_reader_found_is_passed_on(self) -> None:
        fault = Fault(RowCode.INVALID_JSON, "Row 4 is no JSON.")
        record = Record(4, {}, "{", fault)
        job = Job()
        assert job.builder.build(record) is fault
        assert identity(job.builder, record) == ("row-4", {})

    def test_no_model_anywhere(self) -> None:
        builder = RequestBuilder(
            JobSettings(schema=SCHEMA),
            prompt_file="p.jsonl",
            headers=None,
            default_model=None,
            schemas=SchemaList(lambda _line: None),
        )
        whole = {"method": "POST", "url": CHAT, "body": {"messages": [{"role": "user", "content": "Q"}]}}
        for values in ({"Prompt": "Q"}, whole):
            built = builder.build(Record(1, values))
            assert isinstance(built, Fault)
            assert built.code is RowCode.MISSING_MODEL

    def test_a_row_may_fill_a_whole_batch_and_no_more(self) -> None:
        size = len(Job(("Prompt",), schema=SCHEMA).request({"Prompt": "Q" * 100}).line)
        assert Job(("Prompt",), schema=SCHEMA, max_bytes=size + 1).request({"Prompt": "Q" * 100})
        fault = Job(("Prompt",), schema=SCHEMA, max_bytes=size).fault({"Prompt": "Q" * 100})
        assert fault.code is RowCode.ROW_TOO_LARGE
        assert f"{size + 1} bytes" in fault.message

    @pytest.mark.parametrize(
        ("settings", "values"),
        [
            ({}, {"Prompt": "x" * (TEXT_LENGTH + 1)}),
            ({"prompt": "{T}!"}, {"T": "x" * TEXT_LENGTH}),
            ({"system": "x" * (TEXT_LENGTH + 1)}, {"Prompt": "Q"}),
        ],
    )
    def test_a_chat_message_has_a_length_limit(self, settings: Any, values: dict[str, object]) -> None:
        fault = Job(None, schema=SCHEMA, max_bytes=10**7, **settings).fault(values)
        assert fault.code is RowCode.ROW_TOO_LARGE
        assert f"{TEXT_LENGTH + 1} characters" in fault.message

    def test_prompts_never_reach_a_message(self) -> None:
        job = Job(max_bytes=500)
        for values in (
            {"Prompt": "secret" * 100, "Required": "a"},
            {"Prompt": "secret"},
            {"Prompt": ["secret"]},
            {"Prompt": "Q", "System": ["secret"]},
            {"Prompt": "Q", "Custom ID": ["secret"]},
        ):
            assert "secret" not in job.fault(values).message


class TestJsonRecords:
    def test_numbers_are_texts_and_null_is_nothing(self) -> None:
        job = Job(schema=SCHEMA)
        sent = job.sent({"Custom ID": 12, "Model": None, "Prompt": 4.5, "System": 0})
        assert sent["custom_id"] == "12"
        assert [message["content"] for message in sent["body"]["messages"]] == ["0", "4.5"]

    def test_equal_numbers_that_are_written_differently_stay_apart(self) -> None:
        job = Job(schema=SCHEMA)
        systems = [job.body({"Prompt": "Q", "System": value})["messages"][0]["content"] for value in (1, 1.0, "1")]
        assert systems == ["1", "1.0", "1"]

    def test_each_record_has_its_own_columns(self) -> None:
        job = Job(schema=SCHEMA, columns={"custom_id": "Ticket"})
        assert identity(job.builder, Record(1, {"Prompt": "Q", "n": {"a": [1]}})) == ("row-1", {"n": {"a": [1]}})
        assert identity(job.builder, Record(2, {"ticket": "t", "prompt": "Q", "m": None})) == (
            "t",
            {"ticket": "t", "m": None},
        )
        assert job.request({"Prompt": "Q", "n": 1}).custom_id == "row-1"
        assert job.request({"ticket": "t", "prompt": "Q"}).custom_id == "t"
        assert job.builder.own_columns == ("n", "ticket", "m")

    def test_schema_and_required_may_be_json(self) -> None:
        job = Job()
        assert job.request({"Prompt": "Q", "Schema": SCHEMA}).schema == 0
        assert job.request({"Prompt": "Q", "Schema": json.dumps(SCHEMA)}).schema == 0
        assert job.request({"Prompt": "Q", "Required": ["a"]}).schema == 0
        assert job.request({"Prompt": "Q", "Required": ["a", "b: integer"]}).schema == 1

    def test_two_keys_of_one_meaning_leave_the_row_its_columns(self) -> None:
        record = Record(3, {"Prompt": "Q", "prompt": "R", "Custom ID": "x"}, custom_id="before")
        assert identity(Job().builder, record) == ("before", dict(record.values))

    @pytest.mark.parametrize(
        ("given", "found"), [("a", "a"), (" ", "row-7"), (None, "row-7"), (["a"], "row-7"), ("i" * 513, "row-7")]
    )
    def test_the_custom_id_is_the_same_before_and_after_building(self, given: object, found: str) -> None:
        job = Job(schema=SCHEMA)
        record = Record(7, {"Prompt": "Q", "Custom ID": given})
        assert job.builder.identify(record) == found
        built = job.builder.build(record)
        assert isinstance(built, Fault) or only(built).custom_id == found

    def test_the_id_that_an_errors_line_bore_stays(self) -> None:
        record = Record(1, {"Prompt": "Q", "Required": "a"}, custom_id="task-9")
        job = Job()
        built = job.builder.build(record)
        assert isinstance(built, RequestBlock)
        assert only(built).custom_id == "task-9"
        assert job.builder.identify(record) == "task-9"

    def test_numbers_of_any_size_keep_all_their_digits(self) -> None:
        values = {"Prompt": 2**70, "Model": 2**80, "Custom ID": -(2**63) - 1}
        sent = Job(schema=SCHEMA).sent(values)
        assert sent["custom_id"] == "-9223372036854775809"
        assert sent["body"]["model"] == "1208925819614629174706176"
        assert sent["body"]["messages"] == [{"role": "user", "content": "1180591620717411303424"}]
        ready_made = whole(whole()["body"] | {"seed": 2**70})
        assert b'"seed":1180591620717411303424' in Job().request(ready_made).line


class TestWithoutSchema:
    def test_plain_text_is_only_sent_where_the_job_says_so(self) -> None:
        job = Job(("Prompt",), require_schema=False)
        request = job.request({"Prompt": "Q"})
        assert request.schema == -1
        assert "response_format" not in msgspec.json.decode(request.line)["body"]
        assert job.schemas == []

    def test_a_schema_is_still_used_where_there_is_one(self) -> None:
        job = Job(("Prompt", "Required"), require_schema=False)
        assert job.request({"Prompt": "Q", "Required": "a"}).schema == 0
        assert job.request({"Prompt": "Q", "Required": ""}).schema == -1

    def test_the_job_knows_whether_any_row_had_one(self) -> None:
        job = Job(("Prompt", "Required"))
        assert not job.builder.saw_schema
        assert job.fault({"Prompt": "Q", "Required": ""}).code is RowCode.INVALID_SCHEMA
        assert not job.builder.saw_schema
        job.fault({"Prompt": "Q", "Required": "a: text"})
        assert job.builder.saw_schema
        assert Job(schema=SCHEMA).builder.saw_schema


class TestWarnings:
    def test_what_was_changed_is_said_once(self) -> None:
        loose = {"type": "object", "properties": {"a": {"type": "string", "minLength": 2}}}
        job = Job(("Prompt", "Schema"), schema=loose)
        for _ in range(3):
            job.request({"Prompt": "Q", "Schema": json.dumps(loose)})
        ours = [warning for warning in job.builder.warnings if warning.startswith("Schema: ")]
        assert len(ours) == len(set(ours)) == 3
        assert "Schema: $.properties.a: was not required: now it is required and may be null" in ours
        assert [w for w in job.builder.warnings if w.startswith("the job's schema: ")]

    def test_rows_with_an_empty_cell_in_a_column_of_the_template_are_sent_and_counted_once(self) -> None:
        job = Job(("Name", "City", "Note"), prompt="Where is {Name}, {city}?", schema=SCHEMA)
        rows = [("Shard", "London", ""), ("Shard", " ", ""), ("", "Rome", "x"), ("", "", "x")]
        for number, (name, city, note) in enumerate(rows, 1):
            job.request({"Name": name, "City": city, "Note": note}, number)
        assert job.builder.warnings == (
            '3 rows have nothing in a column that the job\'s template names, "city", "Name"; the first is row 2.',
        )

    def test_a_null_in_a_record_is_an_empty_value_of_the_template_and_a_zero_is_not(self) -> None:
        job = Job(prompt="How high is {Name}, {Height}?", schema=SCHEMA)
        job.request({"Name": "Shard", "Height": 0}, 1)
        job.request({"Name": "Shard", "Height": None}, 2)
        assert job.builder.warnings == ('Row 2 has nothing in a column that the job\'s template names, "Height".',)

    def test_rows_with_a_prompt_of_their_own_or_that_are_not_sent_have_no_empty_value(self) -> None:
        job = Job(("Prompt", "Name"), prompt="Where is {Name}?", schema=SCHEMA)
        job.request({"Prompt": "Who?", "Name": ""})
        assert Job(("Name",), prompt="{Name}", schema=SCHEMA).fault({"Name": ""}).code is RowCode.MISSING_PROMPT
        assert job.builder.warnings == ()

    def test_a_date_among_required_fields_is_asked_for_in_words_and_without_a_warning(self) -> None:
        fields = "Due: date, At: date-time?, Days: date[]"
        column, job = Job(("Prompt", "Required")), Job(("Prompt",), **_required(fields))
        for asked in (column.body({"Prompt": "Q", "Required": fields}), job.body({"Prompt": "Q"})):
            due = asked["response_format"]["json_schema"]["schema"]["properties"]["Due"]
            assert due == {"type": "string", "description": "A date as YYYY-MM-DD, such as 2026-04-01."}
        for built in (column, job):
            assert built.builder.warnings == ()
            assert built.schemas[0]["properties"]["Due"]["format"] == "date"

    def test_a_date_in_a_schema_of_the_users_own_is_warned_of(self) -> None:
        job = Job(("Prompt",), schema=from_required("Due: date"))
        assert [warning for warning in job.builder.warnings if "$.properties.Due.format" in warning]

    def test_warnings_of_required_fields_that_are_too_many_stay(self) -> None:
        fields = ", ".join(f"Field{number}" for number in range(200))
        assert Job(("Prompt",), **_required(fields)).builder.warnings

    @pytest.mark.parametrize("column", ["Schema", "Required"])
    def test_a_column_in_the_place_of_the_jobs_schema_is_said_once(self, column: str) -> None:
        value = json.dumps(SCHEMA) if column == "Schema" else "a"
        job = Job(("Prompt", column), schema=SCHEMA)
        assert not job.builder.warnings
        for _ in range(2):
            job.request({"Prompt": "Q", column: value})
        assert job.builder.warnings == (
            f"The column {column} takes the place of the job's schema. If it is a column of your own, say "
            f'"columns": {{"{column.lower()}": null}} in _job.json.',
        )

    def test_a_schema_for_every_row_does_not_fill_the_memory_with_them(self) -> None:
        job = Job(("Prompt", "Schema"))
        for i in range(300):
            job.request({"Prompt": "Q", "Schema": json.dumps({"type": "object", "properties": {f"p{i}": SCHEMA}})})
        assert len(job.builder.warnings) <= 101
        assert job.builder.warnings[-1] == "Further schemas were changed, too."
        assert len(job.builder._formats._warnings) <= 101


class TestTokens:
    def test_are_estimated_from_all_that_is_sent(self) -> None:
        request = Job(("Prompt",), schema=SCHEMA).request({"Prompt": "Q" * 4000})
        assert request.input_tokens == len(request.line) // BYTES_PER_TOKEN + 1
        small = Job(("Prompt",), require_schema=False).request({"Prompt": "Q" * 4000})
        assert request.input_tokens - small.input_tokens > len(json.dumps(SCHEMA)) // 5


def whole(body: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    default = {"model": "m", "messages": [{"role": "user", "content": "Q"}]}
    return {"custom_id": "c", "method": "POST", "url": CHAT, "body": default if body is None else body} | more


def responses(**body: Any) -> dict[str, Any]:
    return whole({"model": "m", "input": "Q"} | body, url=RESPONSES)


class TestWholeRequests:
    @pytest.mark.parametrize(
        "values",
        [
            whole(),
            {"url": CHAT, "body": {"messages": [{"content": "Q"}], "model": "m"}, "method": "POST", "custom_id": "c"},
            whole({"model": "m", "messages": [{"role": "user", "content": "Q"}], "response_format": ASKED, "n": 1}),
            whole({"model": "m", "messages": [{"role": "user", "content": "Q"}], "response_format": {"type": "text"}}),
            whole({"model": "m", "messages": [{"content": [{"type": "text", "text": "Q"}]}], "stream": False}),
            whole(url="/v1/chat/completions", metadata={"a": [1, 2.5, None]}),
            responses(text={"format": {"type": "json_schema", "name": "p", "schema": SCHEMA, "strict": True}}),
            responses(input=[{"role": "user", "content": "Q"}], text={"verbosity": "low"}),
            whole({"model": "m", "prompt": {"id": "pmpt_1"}}, url=RESPONSES),
            whole(whole()["body"] | {"n": 1.0, "stream": None}),
        ],
    )  # fmt: skip
    def test_are_sent_as_they_are(self, values: dict[str, Any]) -> None:
        request = Job().request(values)
        assert request.line == msgspec.json.encode(values)
        assert (request.custom_id, request.model, request.url) == ("c", "m", values["url"])

    @pytest.mark.parametrize("model", [{}, {"model": None}, {"model": " "}])
    def test_but_for_a_missing_model(self, model: dict[str, Any]) -> None:
        body = {"messages": [{"role": "user", "content": "Q"}]} | model
        request = Job(model="jm").request(whole(body))
        assert request.model == "jm"
        assert msgspec.json.decode(request.line) == whole(body | {"model": "jm"})
        assert Job().request(whole(body)).model == "app-model"

    def test_and_the_jobs_schema_where_they_have_no_response_format(self) -> None:
        job = Job(schema=SCHEMA)
        assert job.sent(whole()) == whole(whole()["body"] | {"response_format": ASKED})
        assert job.sent(whole(whole()["body"] | {"response_format": None}))["body"]["response_format"] == ASKED
        text = job.body(responses(text={"verbosity": "low"}))["text"]
        assert text == {
            "verbosity": "low",
            "format": {"type": "json_schema", "name": "p", "schema": SCHEMA, "strict": True},
        }
        own = {"type": "json_schema", "json_schema": {"name": "o", "schema": OTHER, "strict": True}}
        assert job.body(whole(whole()["body"] | {"response_format": own}))["response_format"] == own
        assert [list(schema["properties"]) for schema in job.schemas] == [["a"], ["b"]]

    def test_without_any_schema_their_answers_are_plain_text(self) -> None:
        for asked in ({}, {"response_format": {"type": "text"}}, {"response_format": {"type": "json_object"}}):
            body = whole()["body"] | asked
            assert Job().request(whole(body)).schema == -1

    def test_the_job_settings_of_records_leave_them_alone(self) -> None:
        job = Job(model="jm", system="S", prompt="{x}", url=RESPONSES, parameters={"temperature": 0})
        assert job.request(whole()).line == msgspec.json.encode(whole())

    @pytest.mark.parametrize(
        ("custom_id", "expected"), [({}, "row-5"), ({"custom_id": 7}, "7"), ({"custom_id": ""}, "row-5")]
    )
    def test_get_a_custom_id_where_they_have_none(self, custom_id: dict[str, Any], expected: str) -> None:
        values = {key: value for key, value in whole().items() if key != "custom_id"} | custom_id
        job = Job()
        assert job.sent(values, row=5) == whole(custom_id=expected)
        assert job.builder.identify(Record(5, values)) == expected

    def test_their_own_columns_are_not_sent(self) -> None:
        values = whole(input={"City": "Rome"})
        job = Job()
        assert job.request(values).line == msgspec.json.encode(whole())
        assert identity(job.builder, Record(1, values)) == ("c", {"City": "Rome"})
        assert identity(job.builder, Record(1, whole())) == ("c", {})

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"method": "get"}, "method must be POST; it is get."),
            ({"method": ["POST"]}, "method must be POST."),
            ({"method": "POST a long text"}, "method must be POST."),
            ({}, "method is missing; it must be POST."),
            (
                {"Method": "POST"},
                'method is missing; it must be POST. The key "Method" is not written in small letters.',
            ),
            ({"method\u00a0": "POST"}, 'method is missing; it must be POST. The key "method\u00a0" has a space.'),
            (
                {" METHOD": "POST"},
                'method is missing; it must be POST. The key " METHOD" is not written in small letters.',
            ),
        ],
    )
    def test_the_method_is_missing_or_another(self, change: dict[str, Any], message: str) -> None:
        values = {key: value for key, value in whole().items() if key != "method"} | change
        assert Job().fault(values).message == f"The batch request cannot be sent: {message}"

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            (
                whole(whole()["body"] | {"response_format": {"type": "json_schema"}}),
                "json_schema is missing: on this route name and schema stand under it.",
            ),
            (
                whole(whole()["body"] | {"response_format": {"type": "xml"}}),
                "its type must be text, json_object or json_schema.",
            ),
            (
                whole(whole()["body"] | {"response_format": {"name": "p", "schema": SCHEMA}}),
                "its type must be text, json_object or json_schema.",
            ),
            (
                whole(whole()["body"] | {"text": {"format": {"type": "json_schema", "name": "p", "schema": SCHEMA}}}),
                "on this route it is response_format, not text.format.",
            ),
            (
                responses(text={"format": SCHEMA}),
                "its type must be text, json_object or json_schema; a JSON Schema stands under schema.",
            ),
            (
                responses(text={"format": {"type": "text"}}, response_format={"type": "json_object"}),
                "on this route it is text.format, not response_format.",
            ),
        ],
    )
    def test_a_response_format_that_is_misplaced_says_where_it_belongs(
        self, values: dict[str, Any], message: str
    ) -> None:
        fault = Job(schema=OTHER).fault(values)
        assert (fault.code, fault.message) == (
            RowCode.INVALID_SCHEMA,
            f"The response format cannot be sent: {message}",
        )

    def test_a_line_of_errors_jsonl_is_checked_with_the_schema_beside_it(self) -> None:
        full = SCHEMA | {"properties": {"a": {"type": "string", "minLength": 3}}}
        values = whole(whole()["body"] | {"response_format": ASKED}, schema=full)
        job = Job()
        block = job.builder.build(Record(1, values, custom_id="c"))
        assert isinstance(block, RequestBlock)
        assert "schema" not in msgspec.json.decode(block.text)
        assert job.schemas == [full]
        # Of any other request it is a key like any other.
        assert msgspec.json.decode(Job().request(values).line)["schema"] == full

    @pytest.mark.parametrize("schema", [{"type": 5}, [], "{}", {"type": "string", "pattern": "("}])
    def test_a_schema_beside_the_body_that_cannot_check_is_a_fault(self, schema: object) -> None:
        values = whole(whole()["body"] | {"response_format": ASKED}, schema=schema)
        fault = Job().builder.build(Record(1, values, custom_id="c"))
        assert isinstance(fault, Fault)
        assert fault.code is RowCode.INVALID_SCHEMA
        assert fault.message.startswith("schema beside body: $")

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            (whole(method="GET"), "method must be POST"),
            (whole(method=None), "method must be POST"),
            (whole(url="/v1/embeddings"), "url must be one of /chat/completions, /v1/chat/completions, /v1/responses"),
            (whole(url=None), "url must be one of"),
            (whole(whole()["body"] | {"stream": True}), "body.stream"),
            (whole(whole()["body"] | {"n": 2}), "body.n"),
            (whole(whole()["body"] | {"n": 3.0}), "body.n"),
            (whole(whole()["body"] | {"n": 0}), "body.n must be 1"),
            (whole(whole()["body"] | {"n": True}), "body.n must be 1"),
            (whole(whole()["body"] | {"n": "4"}), "body.n"),
            (whole(whole()["body"] | {"model": 5}), "body.model must be a text"),
            (whole({"model": "m"}), "body.messages"),
            (whole({"model": "m", "messages": []}), "body.messages"),
            (whole({"model": "m", "messages": [{}] * 2049}), "2049 messages; 2048 are allowed"),
            (whole({"model": "m"}, url=RESPONSES), "body.input is missing"),
            (whole(whole()["body"] | {"response_format": "json"}), "response format must be an object"),
            (whole(custom_id=["c"]), "The custom id must be a text"),
            (whole(custom_id="c" * (ID_LENGTH + 1)), "513 characters"),
            (whole(custom_id=True), "The custom id must be a text; it is true or false"),
            (
                whole({"model": "m", "messages": [{"content": "\ud800"}]}),
                "cannot be written as JSON: it holds half a character",
            ),
        ],
    )
    def test_that_cannot_be_sent_are_invalid(self, values: dict[str, Any], words: str) -> None:
        fault = Job().fault(values)
        assert fault.code is RowCode.INVALID_REQUEST
        assert words in fault.message

    @pytest.mark.parametrize("content", ["x" * (TEXT_LENGTH + 1), [{"type": "text", "text": "x" * (TEXT_LENGTH + 1)}]])
    def test_that_are_too_long(self, content: Any) -> None:
        values = whole({"model": "m", "messages": [{"role": "user", "content": content}]})
        assert Job(max_bytes=10**7).fault(values).code is RowCode.ROW_TOO_LARGE

    def test_that_are_larger_than_a_batch(self) -> None:
        size = len(msgspec.json.encode(whole())) + 1
        assert Job(max_bytes=size).request(whole())
        assert Job(max_bytes=size - 1).fault(whole()).code is RowCode.ROW_TOO_LARGE

    @pytest.mark.parametrize(
        ("format_", "words"),
        [
            ({"name": "p", "schema": SCHEMA | {"additionalProperties": True}, "strict": True}, "open map"),
            ({"name": "p", "schema": SCHEMA | {"required": []}, "strict": True}, "is not listed under required"),
            ({"name": "p", "schema": {"type": "array"}, "strict": True}, "$: is a list of anything"),
            ({"name": "p", "strict": True}, "must be a JSON Schema"),
            ({"name": "p", "schema": {"type": 5}}, "not a valid JSON Schema"),
            ({"name": "a b", "schema": SCHEMA, "strict": True}, "needs a name"),
            ({"name": "n" * 65, "schema": SCHEMA, "strict": True}, "needs a name"),
            ({"schema": SCHEMA, "strict": True}, "needs a name"),
        ],
    )
    def test_their_own_schema_is_refused_where_the_service_would_refuse_it(self, format_: Any, words: str) -> None:
        job = Job()
        as_chat = whole(whole()["body"] | {"response_format": {"type": "json_schema", "json_schema": format_}})
        as_response = responses(text={"format": {"type": "json_schema", **format_}})
        for values in (as_chat, as_response, as_chat):
            fault = job.fault(values)
            assert fault.code is RowCode.INVALID_SCHEMA
            assert words in fault.message

    @pytest.mark.parametrize(
        "format_",
        [
            {"name": "p", "schema": {"type": "object"}},
            {"name": "p", "schema": {"type": "object", "properties": {"a": {"oneOf": [{}, {}]}}}, "strict": False},
            {
                "name": "p",
                "schema": SCHEMA | {"properties": {"a": {"type": "string", "pattern": "^..+$"}}},
                "strict": True,
            },
        ],
    )
    def test_and_is_never_rewritten_where_it_would_not(self, format_: Any) -> None:
        job = Job()
        values = whole(whole()["body"] | {"response_format": {"type": "json_schema", "json_schema": format_}})
        assert job.request(values).line == msgspec.json.encode(values)
        assert job.schemas == [format_["schema"]]
        assert job.builder.warnings == ()

    def test_a_format_without_a_schema_is_plain_text(self) -> None:
        body = whole()["body"] | {"response_format": {"type": "json_schema", "json_schema": {"name": "p"}}}
        assert Job().request(whole(body)).schema == -1

    def test_in_a_table_a_column_named_body_is_the_users_own(self) -> None:
        job = Job(("Prompt", "url", "body"), schema=SCHEMA)
        row = {"Prompt": "Q", "url": "u", "body": "b"}
        assert job.body(row)["messages"][0]["content"] == "Q"
        assert identity(job.builder, Record(1, row)) == ("row-1", {"url": "u", "body": "b"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["Prompt", "System", "Model", "Custom ID", "Required", "Schema", "x", "input", "prompt"])
BODIES = st.dictionaries(
    st.sampled_from(["model", "messages", "input", "response_format", "text", "stream", "n", "x"]),
    JSON
    | st.just([{"role": "user", "content": "Q"}])
    | st.just({"type": "json_schema", "json_schema": {"name": "p", "schema": SCHEMA, "strict": True}})
    | st.fixed_dictionaries({"format": st.fixed_dictionaries({"type": st.just("json_schema"), "schema": JSON})}),
)
WHOLE = st.fixed_dictionaries(
    {"url": st.sampled_from([CHAT, RESPONSES]) | JSON, "body": BODIES, "method": st.just("POST")},
    optional={"custom_id": JSON, "input": JSON},
)


@given(st.lists(st.dictionaries(KEYS, JSON) | WHOLE, max_size=4), st.booleans(), st.sampled_from([None, SCHEMA]))
def test_any_record_at_all_is_a_request_or_a_fault(
    records: list[dict[str, Any]], require_schema: bool, schema: Any
) -> None:
    job = Job(require_schema=require_schema, schema=schema)
    for number, values in enumerate(records, 1):
        record = Record(number, values)
        custom_id, own = identity(job.builder, record)
        built = job.builder.build(record)
        assert isinstance(own, dict)
        if isinstance(built, RequestBlock):
            request = only(built)
            sent = json.loads(request.line)
            assert sent["custom_id"] == request.custom_id == custom_id
            assert sent["body"]["model"] == request.model
            assert b"\n" not in request.line
            assert (request.schema >= 0) <= (request.schema < len(job.schemas))
