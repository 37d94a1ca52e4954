"""Prompt files of any size, and the answers to them in Azure's recorded size and shape; made once, then found again."""

import csv
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.measure import ROOT

HEADERS = ("Custom ID", "Model Name", "Prompt", "Required", "Ticket")
FIELDS = ("BuildingName", "HeightInFeet", "City", "Country")
REQUIRED = ", ".join(FIELDS)
MODEL = "gpt-4o-batch"
RECORDED = ROOT / "tests" / "data" / "azure-recorded" / "output.jsonl"


def prompt_rows(rows: int) -> Iterator[tuple[str, ...]]:
    """Yield the rows of a prompt file: those of the sample, with a column of the user's own."""
    for number in range(rows):
        prompt = f"Provide info about the Tower {number} in the city, and say in a sentence why people know it."
        yield f"task-{number}", MODEL, prompt, REQUIRED, f"T-{number % 977}"


def prompt_file(folder: Path, kind: str, rows: int) -> Path:
    """Return a prompt file, `csv` or `jsonl`."""
    return _once(folder / f"prompts-{rows}.{kind}", lambda path: _WRITERS[kind](path, rows))


def _write_csv(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(HEADERS)
        writer.writerows(prompt_rows(rows))


def _write_jsonl(path: Path, rows: int) -> None:
    with path.open("wb") as out:
        for row in prompt_rows(rows):
            out.write(json.dumps(dict(zip(HEADERS, row, strict=True))).encode() + b"\n")


_WRITERS = {"csv": _write_csv, "jsonl": _write_jsonl}


def answer_lines(first: int, count: int) -> list[str]:
    """Yield lines as Azure wrote them, one for each row, in order; as many rows as one batch has."""
    recorded: list[dict[str, Any]] = [json.loads(line) for line in RECORDED.read_bytes().splitlines()]
    template = recorded[0]
    template["custom_id"] = "task-%d"
    template["response"]["body"]["choices"][0]["message"]["content"] = "%s"
    line = json.dumps(template).replace('"%s"', "%s") + "\n"
    assert line.count("%") == 2
    return [line % (number, _answer(number)) for number in range(first, first + count)]


def _answer(number: int) -> str:
    """Write an answer as the text that a line has in its content."""
    answer = {
        "BuildingName": f"Tower {number}",
        "HeightInFeet": f"{number % 2700:,}",
        "City": "New York City",
        "Country": "United States",
    }
    return msgspec.json.encode(msgspec.json.encode(answer).decode()).decode()


def answer_file(folder: Path, first: int, count: int, *, shuffled: bool) -> Path:
    """Return an output file of a batch over the rows from `first`; shuffled, as the service keeps no order."""
    name = f"answers-{first}-{count}-{'shuffled' if shuffled else 'ordered'}.jsonl"
    return _once(folder / name, lambda path: _write_answers(path, first, count, shuffled))


def _write_answers(path: Path, first: int, count: int, shuffled: bool) -> None:
    lines = answer_lines(first, count)
    if shuffled:
        random.Random(first).shuffle(lines)
    path.write_text("".join(lines), "ascii", newline="")


def _once(path: Path, write: Callable[[Path], None]) -> Path:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}")
        write(draft)
        draft.replace(path)
    return path
