"""Job settings: every key, every wrong value, and which file's word counts."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.errors import JobFault
from shared.domain.model import JobCode
from shared.job_settings import (
    SCHEMA,
    Images,
    JobSettings,
    Pilot,
    Reuse,
    default_schema_name,
    job_file_paths,
    resolve,
)
from shared.job_settings.plan import JobPlan, parse_plan, write_plan
from testing.paths import DATA, PROJECT

DOCS = PROJECT / "docs"
MESSAGES = [{"role": "user", "content": "Provide info about {Building}"}]


def resolved(*layers: Mapping[str, Any], blobs: Mapping[str, bytes] | None = None) -> JobSettings:
    """Combine settings, the nearest first; they lie in `a/b`, `a` and the top folder, `blobs` anywhere."""
    paths = job_file_paths("a/b/x.csv")[: len(layers)]
    texts = [(path, json.dumps(layer).encode()) for path, layer in zip(paths, layers, strict=True)]
    return resolve(texts, lambda folder, name: (blobs or {}).get(f"{folder}/{name}" if folder else name))


def refusal(raw: bytes | Mapping[str, Any]) -> str:
    """The message that refuses one `_job.json`."""
    text = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    with pytest.raises(JobFault) as caught:
        resolve([("a/_job.json", text)], lambda folder, name: None)
    assert caught.value.code is JobCode.INVALID_JOB_SETTINGS
    message = str(caught.value)
    assert message.startswith("a/_job.json: ")
    return message.removeprefix("a/_job.json: ")


def test_without_any_file_the_defaults_of_the_contract_hold() -> None:
    settings = resolve([], lambda folder, name: None)

    assert settings == JobSettings()
    assert (settings.url, settings.require_schema, settings.formats) == ("/chat/completions", True, None)


@pytest.mark.parametrize(
    ("key", "value", "attribute"),
    [
        ("model", "gpt-4o-batch", "gpt-4o-batch"),
        ("system", "You know {every} building.", "You know {every} building."),
        ("system", "", ""),
        ("url", "/v1/responses", "/v1/responses"),
        ("url", "/v1/chat/completions", "/v1/chat/completions"),
        ("prompt", "Info about {Building}", "Info about {Building}"),
        ("messages", MESSAGES, tuple(MESSAGES)),
        ("schema", {"type": "object"}, {"type": "object"}),
        ("schema_name", "building_info-2", "building_info-2"),
        ("require_schema", False, False),
        ("parameters", {"temperature": 0, "n": 1, "stream": False, "text": {"verbosity": "low"}}, None),
        ("columns", {"custom_id": "Ticket", "prompt": "Question", "model": None}, None),
        ("limit", 10, 10),
        ("formats", ["xlsx", "jsonl", "csv", "xlsx"], ("xlsx", "csv")),
        ("formats", [], ()),
        ("max_attempts", 1, 1),
        ("on_invalid_row", "reject", "reject"),
        ("max_cost_usd", 0.5, 0.5),
        ("pilot", 20, Pilot(rows=20, min_ok=0.9, then="send")),
        ("pilot", {"rows": 5.0, "min_ok": 0, "then": "hold"}, Pilot(rows=5, min_ok=0, then="hold")),
        ("images", {"detail": "high", "pages": 50}, Images(detail="high", pages=50, dpi=150)),
        ("images", {}, Images(detail="auto", pages=10, dpi=150)),
        ("reuse", True, Reuse(max_age_days=None)),
        ("reuse", {"max_age_days": 0.5}, Reuse(max_age_days=0.5)),
    ],
)
def test_every_key_is_taken_over(key: str, value: object, attribute: object) -> None:
    assert getattr(resolved({key: value}), key) == (value if attribute is None else attribute)


@pytest.mark.parametrize("fields", ["Name, Height: integer", ["Name", "Height: integer"]])
def test_required_is_a_schema_in_one_line(fields: object) -> None:
    assert resolved({"required": fields}).schema == {
        "type": "object",
        "properties": {"Name": {"type": "string"}, "Height": {"type": "integer"}},
        "required": ["Name", "Height"],
        "additionalProperties": False,
    }


def test_a_schema_knows_whether_required_said_it() -> None:
    assert resolved({"required": "Name"}).schema_from_required
    assert not resolved({"schema": {"title": "near"}}, {"required": "Far"}).schema_from_required


def test_the_nearer_of_required_and_schema_counts() -> None:
    near = resolved({"required": "Near"}, {"schema": "_not_read.json"}).schema
    assert near is not None
    assert near["required"] == ["Near"]
    assert resolved({"schema": {"title": "near"}}, {"required": "Far"}).schema == {"title": "near"}


def test_a_nearer_folder_switches_reuse_off() -> None:
    assert resolved({"reuse": False}, {"reuse": True}).reuse is None


def test_the_sources_are_the_files_whose_word_counts_each_before_its_schema() -> None:
    blobs = {"a/_answer.json": b"{}"}
    layers = ({"limit": 1}, {"schema": "_answer.json", "limit": 2}, {"limit": 3, "$schema": "x"})

    assert resolved(*layers, blobs=blobs).sources == ("a/b/_job.json", "a/_job.json", "a/_answer.json")
    assert resolved({}, {"limit": 1}).sources == ("a/_job.json",)
    assert resolved().sources == ()


def test_white_space_around_a_model_does_not_count_as_in_a_row() -> None:
    assert resolved({"model": " gpt-4o-batch\n"}).model == "gpt-4o-batch"


def test_a_whole_number_that_is_written_with_a_point_becomes_one() -> None:
    assert type(resolved({"limit": 10.0}).limit) is int


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63)])
def test_whole_numbers_of_64_bits_are_kept(number: int) -> None:
    assert resolved({"parameters": {"seed": number}}).parameters == {"seed": number}


def test_every_key_of_the_schema_is_an_attribute_of_the_settings() -> None:
    derived = {"sources", "schema_from_required"}
    assert {*SCHEMA["properties"]} - {"$schema", "required"} == {*JobSettings.__slots__} - derived


def test_an_editors_schema_line_and_a_byte_order_mark_are_accepted() -> None:
    raw = b'\xef\xbb\xbf{"$schema": "https://example.org/job-settings.schema.json", "limit": 1}'

    assert resolve([("_job.json", raw)], lambda folder, name: None).limit == 1


def test_the_nearest_folder_wins_key_by_key() -> None:
    settings = resolved(
        {"limit": 5, "parameters": {"temperature": 0}},
        {"model": "near", "limit": 7, "parameters": {"seed": 1}, "require_schema": False},
        {"model": "far", "system": "far"},
    )

    assert settings == JobSettings(
        limit=5, parameters={"temperature": 0}, model="near", require_schema=False, system="far"
    )


def test_nearer_messages_replace_a_farther_prompt_and_system_and_the_other_way_round() -> None:
    assert resolved({"messages": MESSAGES}, {"prompt": "far", "system": "far", "limit": 1}) == JobSettings(
        messages=tuple(MESSAGES), limit=1
    )
    assert resolved({"prompt": "near"}, {"messages": MESSAGES}, {"system": "far"}) == JobSettings(
        prompt="near", system="far"
    )


def test_a_nearer_system_cannot_be_combined_with_farther_messages() -> None:
    with pytest.raises(
        JobFault, match=r'a/b/_job\.json: its "system" cannot be combined with "messages" of a/_job\.json'
    ):
        resolved({"system": "near"}, {"messages": MESSAGES})


def test_a_fault_in_a_farther_file_counts_also_where_a_nearer_one_wins() -> None:
    with pytest.raises(JobFault, match=r"^a/_job\.json: limit must be"):
        resolved({"limit": 1}, {"limit": 0})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"promt": "x"}, 'unknown key promt (did you mean "prompt"?); allowed are model, system, url, prompt, '),
        ({"Max-Attempts": 1}, 'unknown key Max-Attempts (did you mean "max_attempts"?)'),
        ({"zzz": 1}, "unknown key zzz; allowed are model, "),
        ({"model": 4}, "model must be a text that is not empty, but is a number (4)."),
        ({"model": None}, "model must be a text that is not empty, but is null."),
        ({"model": ""}, "model must be a text that is not empty, but is a text that is empty."),
        ({"system": ["x"]}, "system must be a text, but is a list."),
        (
            {"url": "/embeddings"},
            'url must be one of "/chat/completions", "/v1/chat/completions", "/v1/responses", '
            'but is a text ("/embeddings").',
        ),
        ({"prompt": {}}, "prompt must be a text that is not empty, but is an object."),
        ({"prompt": "a {b"}, "prompt: the brace { at character 3 has no partner"),
        ({"messages": "x"}, "messages must be a list that is not empty, but is a text."),
        ({"messages": []}, "messages must be a list that is not empty, but is a list that is empty."),
        ({"messages": [{"role": "user"}]}, "messages[0] lacks content."),
        ({"messages": [{}]}, "messages[0] lacks role and content."),
        ({"messages": ["x"]}, "messages[0] must be an object, but is a text."),
        (
            {"messages": [*MESSAGES, {"role": "robot", "content": "x"}]},
            'messages[1].role must be one of "system", "developer", "user", "assistant", but is a text ("robot").',
        ),
        (
            {"messages": [{"role": "user", "content": 5}]},
            "messages[0].content must be a text or a list that is not empty",
        ),
        ({"messages": [{"role": "user", "content": "}"}]}, "messages[0].content: the brace } at character 1"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "{"}]}]},
            "messages[0].content[0].text: the brace {",
        ),
        ({"messages": MESSAGES, "prompt": "x"}, "messages and prompt cannot be combined: keep one of the two."),
        ({"messages": MESSAGES, "system": "x"}, "messages and system cannot be combined: keep one of the two."),
        (
            {"schema": []},
            "schema must be an object or a text (The JSON Schema of the answer, or the name of a `_*.json`",
        ),
        ({"schema": "building.json"}, "schema must be an object or a text (The JSON Schema of the answer, or the name"),
        ({"schema": "../_x.json"}, "schema must be an object or a text"),
        ({"schema_name": "a b"}, "schema_name must be a text (The schema's name in the request: letters, digits,"),
        ({"schema_name": "x" * 65}, "schema_name must be a text"),
        ({"require_schema": "no"}, "require_schema must be true or false, but is a text."),
        ({"parameters": [1]}, "parameters must be an object, but is a list."),
        (
            {"parameters": {"model": "x"}},
            "parameters.model cannot be set here. Use the key `model`, or a column Model.",
        ),
        ({"parameters": {"messages": []}}, "parameters.messages cannot be set here."),
        ({"parameters": {"input": "x"}}, "parameters.input cannot be set here."),
        (
            {"parameters": {"response_format": {}}},
            "parameters.response_format cannot be set here. Use the key `schema`.",
        ),
        ({"parameters": {"text": {"format": {}}}}, "parameters.text.format cannot be set here. Use the key `schema`."),
        (
            {"parameters": {"stream": True}},
            "parameters.stream must be false (A batch cannot stream), but is a boolean (true).",
        ),
        ({"parameters": {"n": 2}}, "parameters.n must be 1 (A row has one answer), but is a number (2)."),
        ({"columns": {"promt": "x"}}, 'unknown key columns.promt (did you mean "prompt"?); allowed are custom_id,'),
        ({"columns": {"model": 1}}, "columns.model must be a text or null that is not empty, but is a number (1)."),
        ({"limit": 0}, "limit must be a whole number of at least 1, but is a number (0)."),
        ({"limit": True}, "limit must be a whole number of at least 1, but is a boolean (true)."),
        ({"limit": "5"}, "limit must be a whole number of at least 1, but is a text."),
        ({"limit": 1.5}, "limit must be a whole number of at least 1, but is a number (1.5)."),
        ({"formats": "csv"}, 'formats must be a list of "csv", "xlsx", "parquet", "jsonl", but is a text.'),
        ({"formats": ["pdf"]}, 'formats[0] must be one of "csv", "xlsx", "parquet", "jsonl", but is a text ("pdf").'),
        ({"max_attempts": 0}, "max_attempts must be a whole number of at least 1, but is a number (0)."),
        ({"required": ""}, "required must be a text or a list that is not empty, but is a text that is empty."),
        ({"required": []}, "required must be a text or a list that is not empty, but is a list that is empty."),
        ({"required": "a, b: text"}, 'required: Required, field 2: unknown type "text"; allowed are string, number,'),
        ({"required": "a", "schema": {}}, "required and schema cannot be combined: keep one of the two."),
        ({"max_cost_usd": 0}, "max_cost_usd must be a number over 0, but is a number (0)."),
        ({"max_cost_usd": "5"}, "max_cost_usd must be a number over 0, but is a text."),
        ({"pilot": 0}, "pilot must be a whole number of at least 1 or an object, but is a number (0)."),
        ({"pilot": True}, "pilot must be a whole number of at least 1 or an object, but is a boolean (true)."),
        ({"pilot": {}}, "pilot lacks rows."),
        ({"pilot": {"rows": 5, "min": 1}}, 'unknown key pilot.min (did you mean "min_ok"?); allowed are rows, min_ok,'),
        ({"pilot": {"rows": 5, "min_ok": 90}}, "pilot.min_ok must be a number from 0 to 1, but is a number (90)."),
        ({"pilot": {"rows": 5, "then": "wait"}}, 'pilot.then must be one of "send", "hold", but is a text ("wait").'),
        ({"images": True}, "images must be an object, but is a boolean (true)."),
        ({"images": {"pages": 51}}, "images.pages must be a whole number from 1 to 50, but is a number (51)."),
        ({"images": {"pages": 0}}, "images.pages must be a whole number from 1 to 50, but is a number (0)."),
        ({"images": {"dpi": 9999}}, "images.dpi must be a whole number from 36 to 600, but is a number (9999)."),
        ({"images": {"detail": "max"}}, 'images.detail must be one of "auto", "low", "high", but is a text ("max").'),
        ({"images": {"quality": 1}}, "unknown key images.quality; allowed are detail, pages, dpi."),
        ({"reuse": "yes"}, "reuse must be true or false or an object, but is a text."),
        ({"reuse": {}}, "reuse lacks max_age_days."),
        ({"reuse": {"max_age_days": 0}}, "reuse.max_age_days must be a number over 0, but is a number (0)."),
        ({"reuse": {"max_age_days": 1, "days": 1}}, "unknown key reuse.days; allowed are max_age_days."),
        ({"on_invalid_row": "stop"}, 'on_invalid_row must be one of "skip", "reject", but is a text ("stop").'),
    ],
)
def test_a_wrong_value_is_refused_with_its_path_its_type_and_what_is_allowed(
    settings: dict[str, Any], message: str
) -> None:
    assert refusal(settings).startswith(message)


def test_several_faults_are_named_together_and_many_are_counted() -> None:
    message = refusal({"limit": 0, "model": 1, "url": 2, "prompt": 3, "system": 4, "formats": 5, "max_attempts": 6.5})

    assert message.count(" must be ") == 5
    assert message.endswith("; and 2 more.")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "it is not valid JSON"),
        (b'{"limit": 1,}', "it is not valid JSON: illegal trailing comma before end of object in line 1, column 12."),
        (b'{\n"limit": x}', "it is not valid JSON: expecting value in line 2, column 10."),
        (b"[]", "it must hold a JSON object, {…}, but holds a list."),
        (b'"text"', "it must hold a JSON object, {…}, but holds a text."),
        (b"null", "it must hold a JSON object, {…}, but holds null."),
        (b'{"limit": 1, "limit": 2}', 'it has the key "limit" twice in one object.'),
        (b'{"schema": {"a": 1, "a": 2}}', 'it has the key "a" twice in one object.'),
        (
            b'{"parameters": {"seed": 18446744073709551616}}',
            "it holds a whole number beyond 64 bits, 18446744073709551616, which",
        ),
        (b'{"parameters": {"seed": -9223372036854775809}}', "it holds a whole number beyond 64 bits, -922"),
        (b'{"model": " "}', 'model must be a text that is not empty, but is a text (" ").'),
        ('{"system": "größe"}'.encode("latin-1"), "it is not UTF-8 (byte 15 is wrong). Save it again as UTF-8."),
        ('{"limit": 1}'.encode("utf-16"), "it is not UTF-8 (byte 1 is wrong)."),
        (b'{"schema": ' + b"[" * 300 + b"]" * 300 + b"}", "it is nested too deep."),
        (b'{"schema": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "it is nested too deep."),
        (b'{"parameters": {"a": NaN}}', "it is not valid JSON: NaN is not a JSON value."),
        (b'{"parameters": {"a": -1e999}}', "it holds a number that is too large, -1e999."),
        (b'{"system": "\\ud800"}', "it holds half a surrogate pair"),
    ],
)
def test_what_is_no_json_object_is_refused(raw: bytes, message: str) -> None:
    assert refusal(raw).startswith(message)


def test_a_schema_is_read_from_the_folder_of_the_file_that_names_it() -> None:
    blobs = {"a/_building.json": b'\xef\xbb\xbf{"type": "object"}', "a/b/_building.json": b'{"title": "wrong folder"}'}

    assert resolved({"limit": 1}, {"schema": "_building.json"}, blobs=blobs).schema == {"type": "object"}


def test_a_schema_at_the_top_is_read_from_the_top() -> None:
    assert resolved({}, {}, {"schema": "_x.json"}, blobs={"_x.json": b"{}"}).schema == {}


def test_only_the_schema_that_counts_is_read() -> None:
    assert resolved({"schema": {"title": "near"}}, {"schema": "_not_there.json"}).schema == {"title": "near"}


@pytest.mark.parametrize(
    ("blobs", "message"),
    [
        ({}, 'a/b/_job.json: schema names "_x.json", but the folder a/b has no such blob. Upload it before'),
        ({"a/b/_x.json": b"[1]"}, "a/b/_x.json: it must hold a JSON Schema, {…}, but holds a list."),
        ({"a/b/_x.json": b"{"}, "a/b/_x.json: it is not valid JSON: "),
        ({"a/b/_x.json": b"\xff"}, "a/b/_x.json: it is not UTF-8 "),
    ],
)
def test_a_schema_that_cannot_be_read_is_refused(blobs: dict[str, bytes], message: str) -> None:
    with pytest.raises(JobFault) as caught:
        resolved({"schema": "_x.json"}, blobs=blobs)

    assert caught.value.code is JobCode.INVALID_JOB_SETTINGS
    assert str(caught.value).startswith(message)


def test_settings_may_lie_in_the_folder_and_all_above_it() -> None:
    assert job_file_paths("a/b/x.csv") == ["a/b/_job.json", "a/_job.json", "_job.json"]
    assert job_file_paths("x.csv") == ["_job.json"]


@pytest.mark.parametrize(
    ("prompt_file", "name"),
    [
        ("folder/buildings.csv", "buildings"),
        ("tall buildings (2).xlsx", "tall_buildings__2_"),
        ("größe.jsonl", "gr__e"),
        ("a-b_c.csv.gz", "a-b_c"),
        ("v1.2.JSONL.GZ", "v1_2"),
        (f"{'x' * 70}.csv", "x" * 64),
    ],
)
def test_a_schema_is_named_after_its_prompt_file(prompt_file: str, name: str) -> None:
    assert default_schema_name(prompt_file) == name


def plan_with(combined: JobSettings) -> JobPlan:
    return JobPlan(
        settings=combined,
        default_model="",
        max_requests=1,
        max_bytes=1,
        max_attempts=1,
        rejects_invalid_rows=False,
        formats=(),
        formula_guard=True,
    )


def test_settings_survive_being_stored_with_the_job() -> None:
    combined = resolved(
        {
            "messages": MESSAGES,
            "schema": {"enum": [1, None, 0.5, {"a": []}]},
            "columns": {"model": None},
            "formats": [],
        },
        {"pilot": 20, "images": {"pages": 2}, "reuse": {"max_age_days": 1}, "max_cost_usd": 5},
    )

    stored = parse_plan(write_plan(plan_with(combined))).settings

    assert stored == combined
    assert stored.sources == ("a/b/_job.json", "a/_job.json")


def test_plans_that_version_1_0_0_wrote_are_read() -> None:
    empty = parse_plan((DATA / "plans" / "no-keys-1.0.0.json").read_bytes())
    full = parse_plan((DATA / "plans" / "all-keys-1.0.0.json").read_bytes())

    assert empty.settings == JobSettings()
    assert (empty.max_requests, empty.max_attempts, empty.formats, empty.is_fixed) == (100_000, 3, (), True)
    assert full.settings == JobSettings(
        model="gpt-4o-batch",
        messages=(
            {"role": "system", "content": "You sort mail."},
            {"role": "user", "content": [{"type": "text", "text": "Sort {Mail}"}]},
        ),
        schema={
            "type": "object",
            "properties": {"n": {"type": ["number", "null"], "minimum": 1.0}, "k": {"enum": ["a", None, {"x": []}]}},
        },
        schema_name="mail",
        require_schema=False,
        parameters={"temperature": 0, "seed": 2**63, "top_p": 0.5},
        columns={"custom_id": "Ticket", "model": None},
        limit=10,
        formats=("xlsx",),
        max_attempts=2,
        on_invalid_row="reject",
    )
    assert (full.default_model, full.max_attempts, full.rejects_invalid_rows) == ("gpt-4o-batch", 2, True)


def test_the_published_schema_is_the_codes_own() -> None:
    assert json.loads((DOCS / "job-settings.schema.json").read_text(encoding="utf-8")) == SCHEMA


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.floats(allow_nan=False)
    | st.text(max_size=3)
    | st.just("_x.json"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "n", "prompt", "format", "x"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


def settings_or_fault(raw: bytes) -> JobSettings | JobFault:
    try:
        return resolve([("_job.json", raw)], lambda folder, name: b"{}")
    except JobFault as fault:
        return fault


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from([*SCHEMA["properties"], "other"]), JUNK, max_size=4).map(
        lambda value: json.dumps(value).encode()
    )
    | st.binary(max_size=40)
    | st.text(st.sampled_from('{}[]":,1e9limtà\\ud8'), max_size=30).map(str.encode)
)
def test_any_bytes_give_settings_or_a_fault(raw: bytes) -> None:
    result = settings_or_fault(raw)

    if isinstance(result, JobFault):
        assert result.code is JobCode.INVALID_JOB_SETTINGS
        assert str(result).startswith(("_job.json: ", "_x.json: "))
