"""What the log says: a line per outcome with its fields, and never a prompt, an answer or a key."""

import io
import logging
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from shared import telemetry
from shared.domain.model import JobState
from shared.pipeline import job_control
from shared.pipeline.reporting import publish
from shared.web import api
from testing.paths import PROJECT
from testing.seeding import loaded
from testing.world import World

PROMPT, SYSTEM, COLUMN, ANSWER, KEY = (f"canary-{word}" for word in ("prompt", "system", "column", "answer", "key"))
TABLE = (
    "Custom ID,Prompt,Required,Note\n"
    f"good,{PROMPT} one,Name,{COLUMN}\nrefused,{PROMPT} two,Name,{COLUMN}\nbad,{PROMPT} three,Name,{COLUMN}\n"
    f"late,{PROMPT} four,Name,{COLUMN}\n"
)


@pytest.fixture
def lines() -> Iterator[Callable[[str], list[str]]]:
    """What the app's log says, as a host of Azure Functions takes it over: the text of each record."""
    telemetry.configure()
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lambda start: [line for line in output.getvalue().splitlines() if line.startswith(start)]
    root.removeHandler(handler)
    root.setLevel(level)


def test_the_fields_of_a_line_stand_in_its_text(lines: Callable[[str], list[str]]) -> None:
    logging.getLogger("structuredbatch.any").warning(
        "%s%% of it", 50, extra={"job_id": "20261122T101500Z-3f2a9c1b", "prompt_file": 'a "b"\n= c.csv', "rows": 3}
    )
    assert lines("50%") == ['50% of it job_id=20261122T101500Z-3f2a9c1b prompt_file="a \\"b\\"\\n= c.csv" rows=3']


def test_the_fields_are_written_once_however_often_it_is_configured(lines: Callable[[str], list[str]]) -> None:
    telemetry.configure()
    telemetry.configure()
    logging.getLogger("structuredbatch").warning("once", extra={"rows": 3})
    assert lines("once") == ["once rows=3"]


def test_the_lines_of_others_stay_as_they_are(lines: Callable[[str], list[str]]) -> None:
    logging.getLogger("somebody").warning("theirs", extra={"rows": 3})
    assert lines("theirs") == ["theirs"]


def test_every_change_of_a_jobs_state_is_one_line_with_its_figures(
    new_world: Callable[..., World], lines: Callable[[str], list[str]]
) -> None:
    world = new_world(MAX_JOB_INPUT_TOKENS="1")
    world.service.scenario({"rows": [{"custom_id": "refused", "outcome": "refusal"}]})
    name = world.drop("my table.csv", TABLE, model="gpt-4o")
    world.event(name)
    job_id = world.status(name)["job_id"]
    job_control.release(world.app, job_id)
    status = world.wait(name)

    found = lines("job is ")
    states = [line.split()[2] for line in found]
    usage = status["usage"]
    assert states[:2] == ["preparing", "held"]
    assert states[-1] == "completed"
    assert all(state != later for state, later in pairwise(states))
    assert f'job_id={job_id} prompt_file="my table.csv" state=completed rows=4 succeeded=3 failed=1' in found[-1]
    assert f"errors=refusal:1 input_tokens={usage['input_tokens']}" in found[-1]
    assert f"output_tokens={usage['output_tokens']} usd={status['cost']['usd']} age_seconds=" in found[-1]


def test_a_batch_beyond_its_window_is_said(world: World, lines: Callable[[str], list[str]]) -> None:
    world.service.scenario({"batches": [{"running": 1_000_000, "expires_in": 2_000_000}]})
    world.event(world.drop("table.csv", TABLE, model="m"))
    for _ in range(27):
        world.clock.advance(3600)
        world.tick()
        publish(loaded(world.app, world.status("table.csv")["job_id"]))

    said = lines("job has a warning")
    assert said
    assert "beyond the completion window" in said[0]


def test_neither_prompts_nor_answers_nor_keys_are_ever_logged(
    new_world: Callable[..., World], lines: Callable[[str], list[str]]
) -> None:
    world = new_world(AZURE_OPENAI_API_KEY=KEY, NOTIFY_URL=f"http://127.0.0.1:9/{KEY}", NOTIFY_SECRET=KEY)
    rows: list[dict[str, Any]] = [
        {"custom_id": "refused", "outcome": "refusal"},
        {"custom_id": "bad", "content": f'{{"Other": "{ANSWER}"}}'},
        {"custom_id": "late", "outcome": "error", "status": 500, "message": f"{ANSWER} {PROMPT}"},
        {"custom_id": "good", "content": f'{{"Name": "{ANSWER}"}}'},
    ]
    world.service.scenario({"rows": rows})
    name = world.drop("table.csv", TABLE, model="m", system=SYSTEM)
    first = world.run(name)
    api.retry_response(lambda: world.app, first["job_id"])
    world.service.scenario({"calls": [{"path": "*", "answer": {"status": 500}, "times": 3}]})
    world.wait(name)
    world.run(world.drop("broken.jsonl", f'{{"prompt": "{PROMPT}"\n'))
    world.run(world.drop("odd.json", f'[{{"prompt": "{PROMPT}", "schema": {{"type": "{ANSWER}"}}}}]', model="m"))

    whole = "\n".join(lines(""))
    answers = world.result(name, "results.jsonl", f"{name}/{first['job_id']}")
    assert ANSWER.encode() in answers
    assert "job is completed" in whole
    assert "canary" not in whole


def test_the_docs_name_lines_and_fields_that_exist() -> None:
    docs = (PROJECT / "docs" / "telemetry.md").read_text("utf-8")
    code = "".join(path.read_text("utf-8") for path in (PROJECT / "shared").rglob("*.py"))
    lines = re.findall(r"^\| (`[a-z].*?) \| [a-z]", docs.replace("job is STATE", "job is %s"), re.MULTILINE)
    named = [name for line in lines for name in re.findall(r"`([^`]+)`", line)]
    assert len(named) >= 15
    assert [name for name in named if f'"{name}' not in code] == []
    parsed = re.search(r"parse-kv fields as \((.*?)\) with", docs, re.DOTALL)
    assert parsed is not None
    for field in re.findall(r"(\w+): ", parsed[1]):
        assert f'"{field}": ' in code


@pytest.mark.parametrize("state", JobState)
def test_every_state_has_a_line(state: JobState, lines: Callable[[str], list[str]]) -> None:
    status: dict[str, Any] = {
        "job_id": "j",
        "prompt_file": "f",
        "state": state.value,
        "code": None,
        "created_at": "2026-11-22T10:00:00Z",
        "updated_at": "2026-11-22T11:00:00Z",
        "rows": {"total": None, "succeeded": 0, "failed": 0, "pending": 0, "reused": 0},
        "errors": {},
        "usage": {"input_tokens": 0, "output_tokens": 0},
        "cost": {"usd": 0.0, "unpriced_rows": 0},
        "warnings": [],
        "batches": [
            {"state": "submitted", "created_at": "2026-11-22T10:30:00Z"},
            {"state": "submitted", "created_at": "2026-11-22T10:10:00Z"},
            {"state": "collected", "created_at": "2026-11-22T09:00:00Z"},
        ],
    }
    telemetry.job_changed(None, status)
    telemetry.job_changed(status, status)
    [line] = lines("job is ")
    assert line.startswith(f"job is {state} job_id=j prompt_file=f state={state} succeeded=0")
    assert line.endswith("age_seconds=3600 batches=3 oldest_batch_seconds=3000")
