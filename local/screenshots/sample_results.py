"""Result files of the sample jobs: their first rows, answered and failed as the jobs' own counts say."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, Final

from shared.domain import blob_names
from shared.domain.model import Job
from shared.domain.ports import App, Container

MOST: Final = 120
"""Rows that are written of a job, however many it has."""

MESSAGES: Final = {
    "refusal": "The model refused: I'm sorry, I can't help with that.",
    "content_filter": "The content filter stopped the answer (violence: medium).",
    "truncated": "The answer ended at its cap of 400 tokens; raise max_completion_tokens.",
    "invalid_output": '$.attributes.voltage: 230 is not of type "string"',
    "request_failed": "400 invalid_prompt: the prompt is longer than the context window.",
    "cancelled": "The batch was cancelled before this row's turn.",
    "not_sent": "The row was not sent.",
}

BUILDINGS: Final = (
    ("Eiffel Tower", "Gustave Eiffel", 1083, 1889),
    ("Empire State Building", "Shreve, Lamb & Harmon", 1454, 1931),
    ("Burj Khalifa", "Adrian Smith", 2717, 2010),
)

PRODUCTS: Final = (
    ("Cordless kettle 1.7 l", "Stainless steel, quick boil, auto shut-off, 2200 W", "kitchen/kettles", "Norrland"),
    ("Trail running shoe", "Grippy outsole, 6 mm drop, waterproof membrane", "sports/shoes", "Vento"),
    ("LED desk lamp", "Dimmable, three colour temperatures, USB-C charging port in the foot", "home/lamps", None),
    ("Paperback notebook A5", "Dotted, 120 g paper, lies flat, two ribbon markers", "office/notebooks", "Folio & Co"),
    ("Bluetooth speaker", "Splash-proof, 20 hours, stereo pair", "electronics/audio", "Halden"),
)

TICKETS: Final = (
    ("My parcel has been in transit for nine days and nobody answers.", "delivery", "high"),
    ("Charged twice for the same order, please refund one of them.", "refund", "high"),
    ("How do I change the e-mail address of my account?", "account", "low"),
)


def write_results(app: App, job: Job) -> None:
    """Write the result files of an ended job, as far as its first rows go."""
    succeeded, failed = list(_results(job)), list(_errors(job))
    folder = blob_names.results_folder(job)
    for name, content in (
        ("results.jsonl", _lines(succeeded)),
        ("errors.jsonl", _lines(failed)),
        ("results.csv", _table([*succeeded, *failed])),
    ):
        app.files.write(Container.RESULTS, folder + name, content)


def _failed_rows(job: Job) -> dict[int, str]:
    """Return the failed rows by number: spread over the first rows, behind them where most fail."""
    turns = range(MOST // 10)
    codes = [code for turn in turns for code, count in job.errors.items() if turn < count]
    if job.rows_succeeded < sum(job.errors.values()):
        return {job.rows_succeeded + number: code for number, code in enumerate(codes, 1)}
    return {3 + 4 * number: code for number, code in enumerate(codes)}


def _results(job: Job) -> Iterator[dict[str, Any]]:
    failed = _failed_rows(job)
    rows = [row for row in range(1, MOST + 1) if row not in failed][: job.rows_succeeded]
    for row in rows:
        own, output = _sample(job, row)
        usage = {"input_tokens": 83, "output_tokens": 27}
        yield {
            "row": row,
            "custom_id": f"row-{row}",
            "output": output,
            "input": own,
            "model": "gpt-4o-2024-08-06",
            "attempts": 1,
            "usage": usage,
        }


def _errors(job: Job) -> Iterator[dict[str, Any]]:
    for row, code in sorted(_failed_rows(job).items()):
        own, _ = _sample(job, row)
        error = {"code": code, "message": MESSAGES.get(code, code), "row": row, "attempts": 1}
        body = {"model": "gpt-4o-batch", "messages": []}
        line = {"custom_id": f"row-{row}", "method": "POST", "url": "/chat/completions", "body": body}
        yield {**line, "input": own, "error": error}


def _sample(job: Job, row: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the user's own columns of a row, and its answer."""
    if "buildings" in job.prompt_file:
        name, architect, height, year = BUILDINGS[(row - 1) % len(BUILDINGS)]
        return {"Building": name}, {"Architect": architect, "HeightInFeet": height, "Year": year}
    if "products" in job.prompt_file:
        title, text, category, brand = PRODUCTS[(row - 1) % len(PRODUCTS)]
        answer = {"category": category, "brand": brand, "keywords": text.lower().split(", ")[:3], "confidence": 0.97}
        return {"SKU": f"P-{40_000 + row}", "Title": title, "Description": text}, answer
    text, kind, urgency = TICKETS[(row - 1) % len(TICKETS)]
    return {"Ticket": 8_000 + row, "Text": text}, {"kind": kind, "urgency": urgency, "needs_reply": kind != "account"}


def _lines(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)


def _table(lines: list[dict[str, Any]]) -> bytes:
    cells = [
        {"custom_id": line["custom_id"], **line["input"], **(line.get("output") or {}), "status": _status(line)}
        for line in lines
    ]
    names = list(dict.fromkeys(name for row in cells for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(cells)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def _status(line: dict[str, Any]) -> str:
    return "error" if "error" in line else "ok"
