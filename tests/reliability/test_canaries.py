"""No prompt, answer, key or token in any log line, message, status.json, table row or queue message, at level DEBUG."""

import json
import logging
from base64 import b64encode
from collections.abc import Callable

import pytest
from azure.data.tables import TableServiceClient

from shared.adapters.storage_queues import to_text
from shared.domain.ports import Container
from testing.documents import image, png_note
from testing.world import World

CANARY = "CANARY"
KEY = "CANARY-KEY-0123456789"
SECRET = "CANARY-SECRET-0123456789"

GOOD = "\n".join(
    [
        "Custom ID,Prompt,Required,Note",
        *(f"{row},CANARY-PROMPT {row},Name,CANARY-NOTE" for row in ("good", "refused", "bad", "broken", "filtered")),
        "error,CANARY-PROMPT,Name,CANARY-NOTE",
        "cut,CANARY-PROMPT,Name,CANARY-NOTE",
        "type,CANARY-PROMPT,Name: CANARY-TYPE,CANARY-NOTE",
        "wide,CANARY-PROMPT,Name,CANARY-NOTE,CANARY-CELL",
        "good,CANARY-PROMPT,Name,CANARY-NOTE",
        "empty,,Name,CANARY-NOTE",
        "",
    ]
)
REQUEST = {"custom_id": "q", "method": "GET", "url": "/chat/completions", "body": {"messages": "CANARY-BODY"}}
FILES: dict[str, str | bytes] = {
    "good.csv": GOOD,
    "lines.jsonl": '{"prompt": "CANARY-RAW\n["CANARY-LIST"]\nCANARY-TEXT\n' + json.dumps(REQUEST) + "\n",
    "array.json": '[{"prompt": "CANARY-ROW"}, CANARY-BARE]',
    "bytes.csv": b"Prompt\nCANARY-\xff\xfe-BYTES\n",
    "headers.csv": "Prompt,prompt\nCANARY-CELL,CANARY-CELL\n",
    "book.xlsx": b"PK\x03\x04 CANARY-BOOK",
    "zip.csv.gz": b"\x1f\x8b CANARY-ZIP",
    "settings/table.csv": "Prompt\nCANARY-PROMPT\n",
    "schema/table.csv": "Prompt\nCANARY-PROMPT\n",
    "template/table.csv": "Prompt,Question\nCANARY-PROMPT,CANARY-QUESTION\n",
    "documents/all.files": "*.png\n*.jpg\n*.pdf\n*.txt\n*CANARY-PATTERN\n",
    "documents/list.files": "# CANARY-PATTERN\n../CANARY-PATTERN\n",
    "documents/table.csv": 'Prompt,Required,Image\nx,a,"data:image/png;base64,CANARY-IMAGE"\nx,a,canary:CANARY-IMAGE\n'
    f'x,a,"data:image/png;base64,{b64encode(b"CANARY-IMAGE").decode()}"\nx,a,data:CANARY-IMAGE\n',
}
DOCUMENTS = {
    "documents/good.png": image(pnginfo=png_note("CANARY-PNG")),
    "documents/bad.png": b"CANARY-PNG",
    "documents/bad.jpg": b"\xff\xd8\xff CANARY-JPEG",
    "documents/bad.pdf": b"%PDF-1.7 CANARY-PDF",
    "documents/good.txt": b"CANARY-DOCUMENT",
    "documents/bad.txt": b"CANARY-DOCUMENT \xff",
}
SETTINGS = {
    "settings/_job.json": {"limit": "CANARY-VALUE", "system": ["CANARY-SYSTEM"]},
    "schema/_job.json": {
        "schema": {"type": "array", "description": "CANARY-DESCRIPTION", "oneOf": [{"const": CANARY}]}
    },
    "template/_job.json": {"prompt": "CANARY-TEMPLATE {Absent}", "schema": {"type": "object"}},
    "documents/_job.json": {"required": "Name"},
}
OUTCOMES = [
    {"custom_id": "refused", "outcome": "refusal"},
    {"custom_id": "bad", "outcome": "answered", "content": '{"Name": {"CANARY-ANSWER": 1}}'},
    {"custom_id": "broken", "outcome": "answered", "content": "CANARY-ANSWER {"},
    {"custom_id": "filtered", "outcome": "answer_filtered"},
    {"custom_id": "error", "outcome": "error", "status": 400, "message": "You wrote: CANARY-PROMPT"},
    {"custom_id": "cut", "outcome": "cut"},
]


def test_what_users_send_and_get_stays_in_their_files(
    new_world: Callable[..., World], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    world = new_world(AZURE_OPENAI_API_KEY=KEY, NOTIFY_SECRET=SECRET, AZURE_OPENAI_DEPLOYMENT="m", MAX_ATTEMPTS="2")
    faults: list[dict[str, object]] = [
        {"path": "/files*", "answer": {"status": 503}, "times": 1},
        {"path": "/batches", "drop": "after", "times": 1},
    ]
    world.service.scenario({"rows": OUTCOMES, "calls": faults})
    for name, settings in SETTINGS.items():
        world.put(name, json.dumps(settings))
    for name, data in DOCUMENTS.items():
        world.put(name, data)
    for name, content in FILES.items():
        world.put(name, content)
        world.event(name)

    sent = [to_text(message) for _, message in world.queues.waiting]
    for _ in range(25):
        world.tick()
        world.clock.advance(300)
        if not list(world.app.store.all_listed()):
            break

    ended = world.app.store.history(after="", limit=50, state="", prefix="")
    assert len(ended) == len(FILES)
    statuses = [
        b"".join(world.app.files.read(Container.RESULTS, info.name)).decode()
        for info in world.app.files.blobs(Container.RESULTS)
        if info.name.endswith(".json")
    ]
    with TableServiceClient.from_connection_string(world.environment["BatchStorage"]) as tables:
        rows = [str(dict(row)) for row in tables.get_table_client(world.environment["JOBS_TABLE"]).list_entities()]
    lines = [f"{record.getMessage()} {record.exc_text} {vars(record)}" for record in caplog.records]
    for text in [*statuses, *rows, *lines, *sent, caplog.text]:
        assert CANARY not in text
    # The canaries are where they belong: the test looks for what is there.
    assert b"CANARY-ANSWER" in world.result("good.csv", "errors.jsonl")
    assert world.status("documents/all.files")["rows"] == {
        "total": 6,
        "succeeded": 2,
        "failed": 4,
        "pending": 0,
        "reused": 0,
    }
    assert lines
