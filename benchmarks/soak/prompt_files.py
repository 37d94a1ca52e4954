"""Prompt files of the kinds that people drop, faulty ones included."""

import gzip
import io
import json
import random
from collections.abc import Iterable

import openpyxl  # type: ignore[import-untyped]

SIZES = (1, 3, 10, 60)
HEADERS = ("Custom ID", "Prompt", "Required", "Note")
KINDS = {
    "csv": 6,
    "tsv": 1,
    "csv.gz": 1,
    "jsonl": 4,
    "requests.jsonl": 2,
    "json": 2,
    "xlsx": 1,
    "twice.csv": 1,
    "broken.jsonl": 0.5,
    "latin.csv": 0.3,
    "empty.csv": 0.3,
    "txt": 0.3,
}


def prompt_file(chance: random.Random, number: int) -> tuple[str, bytes]:
    """Return a file's name and content; every row in all files has its own custom id, unless the kind is `twice`."""
    kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
    ids = [f"{number}-{row}" for row in range(chance.choice(SIZES))]
    return f"soak/{number:05d}.{kind}", _content(kind, ids)


def _content(kind: str, ids: list[str]) -> bytes:
    match kind:
        case "csv" | "twice.csv":
            return _table(ids * 2 if kind == "twice.csv" else ids, ",")
        case "tsv":
            return _table(ids, "\t")
        case "csv.gz":
            return gzip.compress(_table(ids, ","))
        case "jsonl":
            return _lines(_record(one) for one in ids)
        case "requests.jsonl":
            return _lines(_request(one) for one in ids)
        case "json":
            return json.dumps([_record(one) for one in ids]).encode()
        case "xlsx":
            return _workbook(ids)
        case "broken.jsonl":
            return _lines(_record(one) for one in ids) + b'{"prompt": "cut of\n'
        case "latin.csv":
            return "Prompt,Required\nWer wär's?,Name\n".encode("latin-1")
        case "txt":
            return b"no prompt file"
        case _:
            return b""


def _cells(custom_id: str) -> tuple[str, ...]:
    return custom_id, f"Who built {custom_id}, and when?", "Name, Year: integer?", f"note {custom_id}"


def _table(ids: list[str], separator: str) -> bytes:
    quoted = ([f'"{cell}"' for cell in _cells(one)] for one in ids)
    return "\n".join([separator.join(HEADERS), *map(separator.join, quoted), ""]).encode()


def _record(custom_id: str) -> dict[str, str]:
    return dict(zip(("custom_id", "prompt", "required", "note"), _cells(custom_id), strict=True))


def _request(custom_id: str) -> dict[str, object]:
    body = {"model": "m", "messages": [{"role": "user", "content": f"Who built {custom_id}?"}]}
    return {"custom_id": custom_id, "method": "POST", "url": "/chat/completions", "body": body}


def _lines(records: Iterable[object]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def _workbook(ids: list[str]) -> bytes:
    content = io.BytesIO()
    book = openpyxl.Workbook()
    for cells in (HEADERS, *map(_cells, ids)):
        book.active.append(cells)
    book.save(content)
    return content.getvalue()
