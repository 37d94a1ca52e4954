"""Headers, templates and own columns as users reported them (tests/data/field) and their kin."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.answer_schema.schema_list import SchemaList
from shared.domain.errors import JobFault
from shared.domain.model import JobCode, RequestBlock
from shared.job_settings import resolve
from shared.prompt_file import form_of, open_prompt_file
from shared.requests import RequestBuilder
from testing.paths import DATA

FIELD = DATA / "field"
ANSWER = {
    "type": "object",
    "properties": {"A": {"type": "string"}},
    "required": ["A"],
    "additionalProperties": False,
}


class Built:
    """All requests of a prompt file, as bodies by custom id, the own columns and the warnings."""

    def __init__(self, name: str, data: bytes, settings: bytes | None) -> None:
        form = form_of(name)
        assert form is not None
        file = open_prompt_file(form, [data])
        layers = [] if settings is None else [("_job.json", settings)]
        builder = RequestBuilder(
            resolve(layers, lambda folder, blob: None),
            prompt_file=name,
            headers=file.headers,
            default_model="app-model",
            schemas=SchemaList(lambda line: None),
            below=file.below,
        )
        self.own = []
        self.bodies: dict[str, Any] = {}
        for record in file.records:
            built = builder.build(record)
            assert isinstance(built, RequestBlock), built
            self.bodies[builder.identify(record)] = json.loads(built.text)["body"]
            self.own.append(builder.own(record))
        self.warnings = builder.warnings

    @property
    def questions(self) -> list[str]:
        return [body["messages"][-1]["content"] for body in self.bodies.values()]


def reported(name: str) -> Built:
    path = FIELD / name
    settings = path.parent / "_job.json"
    return Built(path.name, path.read_bytes(), settings.read_bytes() if settings.exists() else None)


def made(text: str, name: str = "a.csv", **settings: Any) -> Built:
    return Built(name, text.encode(), json.dumps({"schema": ANSWER, **settings}).encode())


def test_a_column_that_the_template_names_is_a_value_and_nothing_else() -> None:
    built = reported("own-column-named-model/cars.csv")

    assert {body["model"] for body in built.bodies.values()} == {"gpt-4o-batch"}
    assert built.questions[0] == "What body type has the Audi A4 Avant of 2019?"
    assert built.own[0] == {"Make": "Audi", "Model": "A4 Avant", "Year": "2019"}


@pytest.mark.parametrize("column", ["System", "Required", "Schema", "Prompt", "Image"])
def test_so_is_any_other_column_named_like_a_meaning(column: str) -> None:
    built = made(f"{column},x\nspecial,1\n", prompt=f"About {{{column.lower()}}}: ?", system="Be brief.")

    assert built.questions == ["About special: ?"]
    assert built.bodies["row-1"]["messages"][0]["content"] == "Be brief."
    assert built.own == [{column: "special", "x": "1"}]


def test_a_custom_id_keeps_its_meaning_in_a_template() -> None:
    built = made("Custom ID,x\nt1,1\n", prompt="{Custom ID}: {x}")

    assert (list(built.bodies), built.questions) == (["t1"], ["t1: 1"])


def test_a_column_that_the_settings_name_keeps_that_meaning_in_a_template() -> None:
    built = made("Engine,x\nbig,1\n", prompt="{Engine}: {x}", columns={"model": "Engine"})

    assert built.bodies["row-1"]["model"] == "big"


def test_records_follow_the_same_rules() -> None:
    built = made('{"model": "A4", "make": "Audi"}\n', name="a.jsonl", prompt="{Make} {Model}", model="m")

    assert (built.bodies["row-1"]["model"], built.questions) == ("m", ["Audi A4"])


def test_the_column_of_the_custom_id_is_carried_through_under_another_name_only() -> None:
    assert made("Ticket,Prompt\nt,Q\n", columns={"custom_id": "Ticket"}).own == [{"Ticket": "t"}]
    assert made("custom_id,Prompt\nt,Q\n").own == [{}]


def test_image_columns_are_carried_through_and_may_be_many() -> None:
    assert made("Image,image_2,Image 10,Images,Prompt\na.png,,b.png,z,Q\n").own == [
        {"Image": "a.png", "image_2": "", "Image 10": "b.png", "Images": "z"}
    ]


def test_a_template_without_a_column_warns_with_the_column_that_stands_in_double_braces() -> None:
    built = reported("template-double-braces/reviews.csv")

    assert built.questions == ["Classify this review: {Text}"] * 2
    assert built.warnings == (
        "The job's template names no column, so that every row asks the same; did you mean {Text}? A column stands in "
        "single braces.",
    )


@pytest.mark.parametrize(
    ("table", "settings", "hint"),
    [
        ("a\n1\n2\n", {"prompt": "Tell a joke."}, "asks the same."),
        ("a\n1\n2\n", {"prompt": 'As {{"k": 1}}, {{nothing}} or {{ A }}'}, "did you mean {A}?"),
        ("a\n1\n2\n", {"messages": [{"role": "user", "content": "{{x}}"}]}, "did you mean {x}?"),
    ],
)
def test_so_do_others(table: str, settings: dict[str, Any], hint: str) -> None:
    (warning,) = made(table, **settings).warnings

    assert hint in warning


@pytest.mark.parametrize(
    ("table", "prompt"), [("a\n1\n", "Joke."), ("a\n1\n2\n", "{a}"), ("Prompt,a\nQ,1\nR,2\n", "Joke.")]
)
def test_one_row_a_column_or_own_prompts_give_no_such_warning(table: str, prompt: str) -> None:
    assert made(table, prompt=prompt).warnings == ()


def fault_of(name: str, data: bytes | None = None, **settings: Any) -> str:
    path = FIELD / name
    text = json.dumps({"schema": ANSWER, **settings}).encode()
    if data is None and (path.parent / "_job.json").exists():
        text = (path.parent / "_job.json").read_bytes()
    with pytest.raises(JobFault) as caught:
        Built(path.name, path.read_bytes() if data is None else data, text)
    assert caught.value.code is JobCode.MISSING_COLUMN
    return str(caught.value)


def test_json_in_a_template_is_told_how_braces_are_written() -> None:
    said = fault_of("template-json-example/reviews.csv")

    assert "A brace itself is written twice in a template, {{ and }}." in said


@pytest.mark.parametrize(
    ("name", "row"),
    [("title-line.csv", 2), ("title-line-seps.csv", 3), ("comment-line.csv", 2), ("closedxml-title-merged.xlsx", 3)],
)
def test_a_title_above_the_header_is_told(name: str, row: int) -> None:
    said = fault_of(f"title-row-above-the-header/{name}")

    assert said.endswith(f'Row {row} of the file looks like the header (it has "Prompt"): delete the rows above it.')
    assert "Rename one of them" not in said


@pytest.mark.parametrize(
    ("data", "settings", "said"),
    [
        (
            b"Report\n\nName;City\nx;y\n",
            {"prompt": "{City}"},
            'Row 3 of the file looks like the header (it has "City")',
        ),
        (b"Report\nA,Ticket\n1,2\n", {"prompt": "{A}", "columns": {"custom_id": "ticket"}}, '(it has "Ticket")'),
        (b"Promt,x\nQ,1\n", {}, 'There is no column "Prompt" (did you mean "Promt"?)'),
        (b"Buildng,x\nQ,1\n", {"prompt": "{Building}"}, 'no column "Building" (did you mean "Buildng"?)'),
        (b"Tiket,x\nQ,1\n", {"columns": {"custom_id": "Ticket"}}, 'The columns are "Tiket", "x".'),
        (b"Prompt^Ort\nQ^x\n", {}, 'write a line "sep=^" above the header'),
        ("Fra\u200bge\nx\n".encode(), {}, 'The columns are "Fra\\u200bge".'),
    ],
)
def test_a_missing_column_is_told_with_the_likely_reason(data: bytes, settings: dict[str, Any], said: str) -> None:
    assert said in fault_of("a.csv", data, **settings)


@pytest.mark.parametrize("name", ["curly-quotes.csv", "single-quotes.csv"])
def test_headers_in_other_quotes_are_told_so(name: str) -> None:
    assert 'Use straight double quotes (")' in fault_of(f"csv-curly-quotes/{name}")


def test_a_caret_is_read_once_a_line_names_it() -> None:
    assert 'write a line "sep=^" above the header' in fault_of("csv-other-separators/caret.csv")
    assert made("sep=^\nPrompt^Ort\nQ^x\n").own == [{"Ort": "x"}]


@pytest.mark.parametrize(
    "path", sorted((FIELD / "invisible-characters-in-headers").iterdir()), ids=lambda path: path.stem
)
def test_invisible_characters_in_headers_do_not_count(path: Path) -> None:
    built = Built(path.name, path.read_bytes(), json.dumps({"schema": ANSWER}).encode())

    assert built.questions == ["Wie hoch?"]


def test_a_misspelt_key_of_a_record_is_told() -> None:
    form = form_of("a.jsonl")
    assert form is not None
    file = open_prompt_file(form, [b'{"Promt": "Q"}\n'])
    builder = RequestBuilder(
        resolve([("_job.json", json.dumps({"schema": ANSWER}).encode())], lambda folder, blob: None),
        prompt_file="a.jsonl",
        headers=None,
        default_model="m",
        schemas=SchemaList(lambda line: None),
    )

    assert 'it has no "Prompt" (did you mean "Promt"?)' in str(builder.build(next(file.records)))
