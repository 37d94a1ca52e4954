"""Requests of rows with images: where the images stand, which there are, and what keeps them from being sent."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.answer_schema.schema_list import SchemaList
from shared.documents.pictures import Picture
from shared.documents.references import Reference, ReferenceKind
from shared.domain.model import Fault, Record, RequestBlock, RowCode
from shared.job_settings import Images, JobSettings
from shared.json_codec import encode
from shared.requests import RequestBuilder
from testing.documents import animation, image, pdf


def as_url(data: bytes, kind: str = "png") -> str:
    """A file as data URL."""
    return f"data:image/{kind};base64,{b64encode(data).decode()}"


SMALL = as_url(image())
LARGE = as_url(image(size=(1024, 1024)))
A, B = "data:image/png;base64,QQ==", "data:image/png;base64,Qg=="


@dataclass
class Given:
    """Documents at hand, by the names of their blobs; several pages of a PDF are several addresses."""

    images: Mapping[str, Sequence[str]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    def pictures(self, reference: Reference) -> Sequence[Picture]:
        """Return the images of one reference."""
        if reference.kind is not ReferenceKind.BLOB:
            return (Picture(encode(reference.address)),)
        return [Picture(encode(address), 512, 512) for address in self.images[reference.address]]

    def text(self, reference: Reference) -> str:
        """Return one text."""
        return self.texts[reference.address]


def builder(prompt_file: str = "f/t.jsonl", headers: Sequence[str] | None = None, **settings: Any) -> RequestBuilder:
    """A builder of plain-text requests."""
    chosen = JobSettings(**{"model": "gpt-4o", "require_schema": False, **settings})
    schemas = SchemaList(lambda _line: None)
    return RequestBuilder(chosen, prompt_file=prompt_file, headers=headers, default_model=None, schemas=schemas)


def content(built: RequestBlock | Fault) -> Any:
    """The content of a request's last message."""
    assert isinstance(built, RequestBlock), built
    return messages(built)[-1]["content"]


def messages(built: RequestBlock | Fault) -> list[dict[str, Any]]:
    """The messages of a request."""
    assert isinstance(built, RequestBlock), built
    body = json.loads(built.text)["body"]
    found: list[dict[str, Any]] = body["messages"] if "messages" in body else body["input"]
    return found


def chat(url: str, detail: str = "auto") -> dict[str, Any]:
    """An image in a chat message."""
    return {"type": "image_url", "image_url": {"url": url, "detail": detail}}


TEXT = {"type": "text", "text": "What is it?"}
GIVEN = Given({"f/a.png": [A], "b.png": [B], "f/two.pdf": [A, B]})


def test_images_stand_behind_the_rows_text_in_the_order_of_their_columns() -> None:
    record = Record(1, {"Image 2": "/b.png", "Prompt": "What is it?", "Image 1": "a.png"})

    assert content(builder().build(record, GIVEN)) == [TEXT, chat(B), chat(A)]


def test_a_list_in_a_json_record_holds_several_images() -> None:
    record = Record(1, {"Prompt": "What is it?", "image": ["a.png", "", None, "/b.png"]})

    assert content(builder().build(record, GIVEN)) == [TEXT, chat(A), chat(B)]


def test_each_page_of_a_pdf_is_an_image() -> None:
    assert content(builder().build(Record(1, {"Image": "two.pdf"}), GIVEN)) == [chat(A), chat(B)]


def test_responses_take_images_in_their_own_form() -> None:
    record = Record(1, {"Prompt": "What is it?", "Image": "a.png"})
    made = builder(url="/v1/responses", images=Images(detail="high"), system="S").build(record, GIVEN)

    assert messages(made) == [
        {"role": "system", "content": "S"},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "What is it?"},
                {"type": "input_image", "image_url": A, "detail": "high"},
            ],
        },
    ]


@pytest.mark.parametrize("prompt", ["", None, " "])
def test_a_row_with_an_image_needs_no_prompt(prompt: str | None) -> None:
    record = Record(1, {"Prompt": prompt, "Image": "a.png"})

    assert messages(builder(system="S").build(record, GIVEN)) == [
        {"role": "system", "content": "S"},
        {"role": "user", "content": [chat(A)]},
    ]


def test_a_table_with_images_needs_no_column_of_prompts_and_a_row_with_neither_is_at_fault() -> None:
    made = builder("f/t.csv", ("Image",))

    assert content(made.build(Record(1, {"Image": "a.png"}), GIVEN)) == [chat(A)]
    fault = made.build(Record(2, {"Image": ""}), GIVEN)
    assert isinstance(fault, Fault)
    assert fault.code is RowCode.MISSING_PROMPT


def test_images_join_the_last_user_message_of_the_jobs_own_messages() -> None:
    said = (
        {"role": "user", "content": "First"},
        {"role": "assistant", "content": "Yes"},
        {"role": "user", "content": [{"type": "text", "text": "{Q}"}]},
        {"role": "assistant", "content": "Well,"},
    )
    made = builder(messages=said).build(Record(1, {"Q": "What is it?", "Image": "a.png"}), GIVEN)

    assert messages(made)[2] == {"role": "user", "content": [TEXT, chat(A)]}
    assert messages(made)[0] == said[0]
    assert messages(made)[3] == said[3]


def test_messages_without_a_user_get_one_for_the_images() -> None:
    made = builder(messages=({"role": "system", "content": "Read it"},)).build(Record(1, {"Image": "a.png"}), GIVEN)

    assert messages(made) == [{"role": "system", "content": "Read it"}, {"role": "user", "content": [chat(A)]}]


def test_a_template_asks_about_each_image_without_a_warning() -> None:
    made = builder(prompt="What is it?")

    assert [content(made.build(Record(row, {"Image": "a.png"}), GIVEN)) for row in (1, 2)] == [[TEXT, chat(A)]] * 2
    assert made.warnings == ()


def test_web_and_data_addresses_are_sent_as_they_are() -> None:
    record = Record(1, {"Image": "https://example.com/a.png?x=1", "Image 2": SMALL})
    made = builder()

    assert made.documents(record) == ()
    assert content(made.build(record, GIVEN)) == [chat("https://example.com/a.png?x=1"), chat(SMALL)]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("data:,hello", "does not begin as"),
        ("data:text/plain;base64,aGVsbG8=", "does not begin as"),
        ("data:image/svg+xml;base64,PHN2Zy8+", "does not begin as"),
        (f"data:application/pdf;base64,{b64encode(pdf()).decode()}", "does not begin as"),
        ("data:image/png,raw", "does not begin as"),
        ("data:image/png;base64,", "it is empty"),
        (SMALL[:-1], "not valid base64"),
        (SMALL[:60] + "\n" + SMALL[60:], "not valid base64"),
        (SMALL[:60] + "ä" + SMALL[60:], "not valid base64"),
        (SMALL[:-24], "ends early"),
        (as_url(b"secret text"), "another kind of file"),
        (as_url(animation()), "animated"),
        (as_url(bytes(20 * 1024 * 1024 + 1)), "20 MB"),
    ],
)
def test_a_data_url_that_cannot_be_sent_is_its_rows_error(url: str, said: str) -> None:
    fault = builder().build(Record(1, {"Prompt": "x", "Image": "a.png", "Image 2": url}), GIVEN)

    assert isinstance(fault, Fault)
    assert (fault.code, said in fault.message) == (RowCode.IMAGE_UNSUPPORTED, True), fault.message
    assert fault.message.startswith("The row's image 2, a data: URL, cannot be sent: ")
    assert url.partition(",")[2][:12] not in fault.message or url.endswith(",")


def test_a_data_url_costs_tokens_by_its_size() -> None:
    small, large = (builder().build(Record(1, {"Prompt": "x", "Image": url})) for url in (SMALL, LARGE))

    assert isinstance(small, RequestBlock)
    assert isinstance(large, RequestBlock)
    assert (small.image_tokens, large.image_tokens) == ((255,), (765,))
    assert b"base64" in small.text
    assert b"base64" not in small.wordings[0]


def test_without_documents_at_hand_a_request_holds_their_addresses() -> None:
    record = Record(1, {"Image": "a #1%.png", "Image 2": "../b.png"})
    made = builder()

    assert [one.address for one in made.documents(record)] == ["f/a #1%.png", "b.png"]
    assert content(made.build(record)) == [chat("blob:/f/a %231%25.png"), chat("blob:/b.png")]


@pytest.mark.parametrize(
    ("values", "code", "said"),
    [
        ({"Image": "../../a.png"}, RowCode.IMAGE_UNSUPPORTED, "leaves the container"),
        ({"Image": "ftp://example.com/a.png"}, RowCode.IMAGE_UNSUPPORTED, "ftp:"),
        ({"Image": "http://example.com/a.png"}, RowCode.IMAGE_UNSUPPORTED, "http:"),
        ({"Image": "https://me:secret@example.com/a.png"}, RowCode.IMAGE_UNSUPPORTED, "credentials"),
        ({"Image": 7}, RowCode.INVALID_REQUEST, "a text or a list of texts"),
        ({"Image": ["a.png", {}]}, RowCode.INVALID_REQUEST, "a text or a list of texts"),
        ({"Image": ["a.png"] * 3}, RowCode.IMAGE_UNSUPPORTED, "3 images; 2 are allowed"),
        ({"Image": ["a.png", "two.pdf"]}, RowCode.IMAGE_UNSUPPORTED, "3 images; 2 are allowed"),
    ],
)
def test_an_image_that_cannot_be_sent_is_its_rows_error(values: dict[str, Any], code: RowCode, said: str) -> None:
    made = builder(images=Images(pages=2))
    record = Record(1, {"Prompt": "x", **values})

    fault = made.build(record, GIVEN)

    assert isinstance(fault, Fault)
    assert (fault.code, said in fault.message) == (code, True), fault.message
    assert "secret" not in fault.message


def test_images_are_own_columns() -> None:
    made = builder("f/t.csv", ("Prompt", "Image", "Ticket"))

    assert made.own_columns == ("Image", "Ticket")
    assert made.own(Record(1, {"Prompt": "x", "Image": "a.png", "Ticket": "T"})) == {"Image": "a.png", "Ticket": "T"}


def test_tokens_count_images_by_their_size_and_not_by_their_bytes() -> None:
    given = Given({"f/a.png": ["data:image/png;base64," + "A" * 1_000_000]})
    made = builder().build(Record(1, {"Prompt": "x", "Image": "a.png"}), given)

    assert isinstance(made, RequestBlock)
    assert made.image_tokens == (255,)
    assert made.input_tokens < 355
    assert len(made.wordings[0]) < 200


def ready_made(*urls: str, url: str = "/v1/chat/completions") -> Record:
    """A batch request with images at these addresses."""
    parts: list[Any] = [{"type": "text", "text": "blob:/f/a.png is a text"}]
    if "responses" in url:
        parts = [{"type": "input_text", "text": "x"}, *({"type": "input_image", "image_url": one} for one in urls)]
    else:
        parts += [{"type": "image_url", "image_url": {"url": one, "detail": "low"}} for one in urls]
    key = "input" if "responses" in url else "messages"
    body = {"model": "gpt-4o", key: [{"role": "user", "content": parts}]}
    return Record(1, {"custom_id": "a", "method": "POST", "url": url, "body": body})


def test_addresses_of_blobs_in_ready_made_requests_become_images() -> None:
    record = ready_made("blob:/f/two.pdf", "https://example.com/x.png", "blob:/b.png")
    made = builder()

    assert [one.address for one in made.documents(record)] == ["f/two.pdf", "b.png"]
    text, *images = content(made.build(record, GIVEN))
    assert text["text"] == "blob:/f/a.png is a text"
    assert images == [chat(one, "low") for one in (A, B, "https://example.com/x.png", B)]


def test_addresses_of_blobs_in_responses_become_images_too() -> None:
    made = builder().build(ready_made("blob:/b.png", url="/v1/responses"), GIVEN)

    assert content(made)[1] == {"type": "input_image", "image_url": B}


def test_a_ready_made_request_without_blobs_is_sent_as_it_is() -> None:
    record = ready_made(*["https://example.com/x.png"] * 12)

    built = builder().build(record, GIVEN)

    assert isinstance(built, RequestBlock)
    assert json.loads(built.text)["body"] == record.values["body"]


def test_images_in_ready_made_requests_cost_tokens_by_their_size_and_not_by_their_bytes() -> None:
    urls = (SMALL, as_url(image(size=(2048, 2048))), "https://example.com/x.png", "data:image/png;base64,cut")
    chat_low = builder().build(ready_made(*urls))
    responses = builder().build(ready_made(*urls, url="/v1/responses"))

    assert isinstance(chat_low, RequestBlock)
    assert isinstance(responses, RequestBlock)
    assert chat_low.image_tokens == (4 * 85,)
    assert responses.image_tokens == (255 + 765 + 765 + 765,)
    assert all(b"base64" not in line and b"https" not in line for line in (*chat_low.wordings, *responses.wordings))
    assert json.loads(responses.text)["body"] == ready_made(*urls, url="/v1/responses").values["body"]


@pytest.mark.parametrize("address", ["blob:a.png", "blob:/a.png#x", "blob:/../a.png", "blob:/%ff"])
def test_a_wrong_address_of_a_blob_is_its_rows_error(address: str) -> None:
    fault = builder().build(ready_made(address), GIVEN)

    assert isinstance(fault, Fault)
    assert fault.code is RowCode.IMAGE_UNSUPPORTED


def file_row(name: str) -> Record:
    """A row of a `.files` list."""
    folder, _, last = name.rpartition("/")
    values = {"File": name, "Name": last, "Folder": folder, "Bytes": 1, "Modified": "2026-11-30T00:00:00Z"}
    return Record(1, values)


TEXTS = Given({"f/a.png": [A]}, {"f/n.txt": "Grüße"})


def test_a_file_of_a_list_is_its_rows_image_or_prompt() -> None:
    made = builder("f/all.files", columns={"custom_id": "Ticket", "prompt": "Name"})

    image = made.build(file_row("f/a.png"), TEXTS)
    assert content(image) == [chat(A)]
    assert isinstance(image, RequestBlock)
    assert image.ids == ("f/a.png",)
    assert content(made.build(file_row("f/n.txt"), TEXTS)) == "Grüße"
    assert made.own_columns == ("File", "Name", "Folder", "Bytes", "Modified")


def test_a_template_takes_a_files_text_and_columns() -> None:
    made = builder("f/all.files", prompt="{Name} in {Folder}: {Text}")

    assert content(made.build(file_row("f/n.txt"), TEXTS)) == "n.txt in f: Grüße"
    assert content(made.build(file_row("f/a.png"), TEXTS)) == [{"type": "text", "text": "a.png in f: "}, chat(A)]


def test_a_template_that_leaves_nothing_for_an_image_leaves_the_text_out() -> None:
    assert content(builder("f/all.files", prompt="{Text}").build(file_row("f/a.png"), TEXTS)) == [chat(A)]


def test_a_text_beside_a_template_that_does_not_name_it_is_sent_alone_with_a_warning() -> None:
    made = builder("f/all.files", prompt="Read it.")

    assert content(made.build(file_row("f/n.txt"), TEXTS)) == "Grüße"
    assert "{Text}" in made.warnings[0]


def test_a_file_of_another_kind_is_its_rows_error() -> None:
    fault = builder("f/all.files").build(file_row("f/letter.docx"), TEXTS)

    assert isinstance(fault, Fault)
    assert fault.code is RowCode.DOCUMENT_UNSUPPORTED


def test_a_row_of_a_list_that_is_dropped_again_is_the_same_file() -> None:
    record = file_row("f/a.png")._replace(custom_id="f/a.png")

    built = builder("elsewhere/errors.jsonl").build(record, TEXTS)

    assert content(built) == [chat(A)]
    assert isinstance(built, RequestBlock)
    assert built.ids == ("f/a.png",)


@pytest.mark.parametrize(
    ("model", "is_ready_made", "each"),
    [
        ("prod", False, 255),
        ("gpt-4o-mini-2024-07-18", False, 8_500),
        ("prod", True, 85),
        ("gpt-4o-mini-2024-07-18", True, 2_833),
    ],
)
def test_images_cost_what_the_model_behind_their_deployment_takes(model: str, is_ready_made: bool, each: int) -> None:
    schemas = SchemaList(lambda _line: None)
    made = RequestBuilder(
        JobSettings(model="gpt-4o", require_schema=False),
        prompt_file="f/t.jsonl",
        headers=None,
        default_model=None,
        schemas=schemas,
        model_behind={"gpt-4o": model}.__getitem__,
    )
    record = ready_made("blob:/f/two.pdf") if is_ready_made else Record(1, {"Prompt": "x", "Image": "two.pdf"})
    block = made.build(record, GIVEN)

    assert isinstance(block, RequestBlock)
    assert block.image_tokens == (2 * each,)
