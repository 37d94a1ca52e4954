"""The floors: the same input and the same output in the barest loops, with no recovery and no check of anything else.

Not fit for real work: they believe that every row is good, every id new, every answer there and in order.
"""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec

from benchmarks.inputs import FIELDS, HEADERS, MODEL

BUFFER = 4 * 1024 * 1024
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in FIELDS},
    "required": list(FIELDS),
    "additionalProperties": False,
}
_ASKED = {"name": "prompts", "schema": SCHEMA, "strict": True}
_START = b'{"custom_id":'
_BEFORE = (
    b',"method":"POST","url":"/chat/completions","body":'
    b'{"model":' + msgspec.json.encode(MODEL) + b',"messages":[{"role":"user","content":'
)
_AFTER = b'}],"response_format":' + msgspec.json.encode({"type": "json_schema", "json_schema": _ASKED}) + b"}}\n"
_ID, _PROMPT, _TICKET = HEADERS.index("Custom ID"), HEADERS.index("Prompt"), HEADERS.index("Ticket")


def build_csv(source: Path, requests: Path, listed: Path) -> None:
    """Read a table, keep one set of ids, and write each row's request and its line in the list of rows."""
    ids: set[str] = set()
    with (
        source.open(encoding="utf-8-sig", newline="") as table,
        requests.open("wb", buffering=BUFFER) as out,
        listed.open("wb", buffering=BUFFER) as rows,
    ):
        reader = csv.reader(table)
        next(reader)
        for number, cells in enumerate(reader, 1):
            custom_id = cells[_ID]
            if custom_id not in ids:
                ids.add(custom_id)
                out.write(
                    b"".join(
                        (_START, msgspec.json.encode(custom_id), _BEFORE, msgspec.json.encode(cells[_PROMPT]), _AFTER)
                    )
                )
                rows.write(msgspec.json.encode([number, custom_id, 0]) + b"\n")


def build_jsonl(source: Path, requests: Path, listed: Path) -> None:
    """Do the same from a line of JSON a row."""
    ids: set[str] = set()
    with (
        source.open("rb", buffering=BUFFER) as lines,
        requests.open("wb", buffering=BUFFER) as out,
        listed.open("wb", buffering=BUFFER) as rows,
    ):
        for number, line in enumerate(lines, 1):
            record = msgspec.json.decode(line)
            custom_id = record["Custom ID"]
            if custom_id not in ids:
                ids.add(custom_id)
                out.write(
                    b"".join(
                        (_START, msgspec.json.encode(custom_id), _BEFORE, msgspec.json.encode(record["Prompt"]), _AFTER)
                    )
                )
                rows.write(msgspec.json.encode([number, custom_id, 0]) + b"\n")


def collect(prompts: Path, answers: Sequence[Path], folder: Path) -> None:
    """Parse and validate answers that come in the prompts' order, and write the three files of results in one pass."""
    is_valid = jsonschema_rs.validator_for(SCHEMA, validate_formats=True).is_valid
    with (
        prompts.open(encoding="utf-8-sig", newline="") as table,
        (folder / "results.jsonl").open("wb", buffering=BUFFER) as results,
        (folder / "errors.jsonl").open("wb", buffering=BUFFER) as errors,
        (folder / "results.csv").open("w", encoding="utf-8-sig", newline="", buffering=BUFFER) as cells,
    ):
        reader, writer = csv.reader(table), csv.writer(cells)
        next(reader)
        writer.writerow(("custom_id", "Ticket", *FIELDS, "status", "error_code", "error_message"))
        number = 0
        for path in answers:
            with path.open("rb", buffering=BUFFER) as lines:
                for line, row in zip(lines, reader, strict=False):
                    number += 1
                    custom_id, ticket = row[_ID], row[_TICKET]
                    body = msgspec.json.decode(line)["response"]["body"]
                    output = msgspec.json.decode(body["choices"][0]["message"]["content"])
                    if not is_valid(output):
                        errors.write(line)
                        continue
                    usage = body["usage"]
                    results.write(
                        msgspec.json.encode(
                            {
                                "row": number,
                                "custom_id": custom_id,
                                "output": output,
                                "input": {"Ticket": ticket},
                                "model": body["model"],
                                "attempts": 1,
                                "usage": {
                                    "input_tokens": usage["prompt_tokens"],
                                    "output_tokens": usage["completion_tokens"],
                                },
                            }
                        )
                    )
                    results.write(b"\n")
                    writer.writerow((custom_id, ticket, *[output[name] for name in FIELDS], "ok", None, None))


def bare_loop(answers: Sequence[Path], target: Path) -> None:
    """Parse, validate, one JSONL: for reference."""
    is_valid = jsonschema_rs.validator_for(SCHEMA).is_valid
    with target.open("wb", buffering=BUFFER) as out:
        for path in answers:
            with path.open("rb", buffering=BUFFER) as lines:
                for line in lines:
                    parsed = msgspec.json.decode(line)
                    output = msgspec.json.decode(parsed["response"]["body"]["choices"][0]["message"]["content"])
                    if is_valid(output):
                        out.write(msgspec.json.encode({"custom_id": parsed["custom_id"], "output": output}) + b"\n")


def notebook_build(prompts: Sequence[Sequence[str]], target: Path) -> None:
    """Do what a user's own script does: a dict a row, json.dumps, one text."""
    lines = []
    for custom_id, model, prompt, _required, _ticket in prompts:
        body = {
            "model": model,
            "messages": [{"role": "user", "content": prompt}],
            "response_format": {"type": "json_schema", "json_schema": _ASKED},
        }
        lines.append(json.dumps({"custom_id": custom_id, "method": "POST", "url": "/chat/completions", "body": body}))
    target.write_text("\n".join(lines), encoding="utf-8")


def notebook_collect(answers: Path) -> int:
    """Do what the sample notebook's cell does: split the whole text, parse it, dump each answer's JSON again, indented.

    Source: StructuredBatch's notebook, which prints what this only counts.
    """
    shown = 0
    for raw in answers.read_text(encoding="utf-8").strip().split("\n"):
        response = json.loads(raw)
        content = json.loads(response["response"]["body"]["choices"][0]["message"]["content"])
        shown += len(json.dumps(response, indent=2)) + len(json.dumps(content, indent=2))
    return shown
