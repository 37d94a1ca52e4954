"""Building many rows at a time gives what building row by row gives: the same files, batches and outcomes.

An array of JSON is read and built row by row; the same rows as JSON lines or as a table come in row_blocks.
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.adapters.page_renderer import PageRenderer
from shared.domain import blob_names
from shared.domain.model import Job, OpenJob, job_id_of
from shared.domain.ports import App, Container
from shared.pipeline.build import building
from shared.pipeline.build.built import WARNING_LENGTH, WARNINGS
from shared.pipeline.receiving import new_job
from shared.settings import read_settings
from testing.fakes import FakeClock, MemoryFiles, MemoryQueues, MemoryStore, SilentHook
from testing.memory_ledger import MemoryLedger
from testing.seeding import loaded

SETTINGS = {
    "BatchStorage": "UseDevelopmentStorage=true",
    "AZURE_OPENAI_ENDPOINT": "https://example.openai.azure.com",
    "AZURE_OPENAI_API_KEY": "none",
}
HEADERS = ("Custom ID", "Model", "Prompt", "System", "Required", "Schema", "Ticket")

OTHER = '{"type":"object","properties":{"z":{"type":"string","pattern":"z"}},"required":["z"]}'
IDS = st.sampled_from(["", " ", "a", "a],[b", 'q",', "x" * 513, "é\u2028"]) | st.integers(0, 60).map("task-{}".format)
ROW = st.tuples(
    IDS,
    st.sampled_from(["m", "m", "m", "", "n"]),
    st.sampled_from(["Who?", "Who?", 'Say "no",\n\t\\', "", " \u2003", "東京 🗼", "long " * 300]),
    st.sampled_from(["", "", "Be brief."]),
    st.sampled_from(["a", "a", "b: integer", "", "bad: dog"]),
    st.sampled_from(["", "", "", OTHER, "no JSON"]),
    st.sampled_from(["T-1", " ", "1e5"]),
)
PLAIN_ROW = st.tuples(
    st.integers(0, 10**6).map("task-{}".format),
    st.just("m"),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1).map("Q {}".format),
    st.just(""),
    st.sampled_from(["a", "b"]),
    st.just(""),
    st.just("T"),
)
RUN = st.lists(ROW, max_size=4) | st.lists(PLAIN_ROW, max_size=12)
ROWS = st.lists(RUN, min_size=1, max_size=6).map(lambda runs: [row for run in runs for row in run] or [("T",) * 7])

VALUES = st.sampled_from(["x", "", None, 7, 1.5, True, "1", 1, [1], {"type": "object"}, " "])
KEYS = st.sampled_from(
    [("Custom ID", "Prompt", "Required"), ("Prompt", "Required"), ("id", "Prompt", "Model", "Schema")]
)
ALIKE = KEYS.flatmap(lambda keys: st.lists(st.fixed_dictionaries(dict.fromkeys(keys, VALUES)), min_size=1, max_size=8))


def built(name: str, content: str, environment: dict[str, str], **job_settings: Any) -> tuple[Job, dict[str, Any]]:
    """Build a job; give its row, its batches and all that it wrote, without what its id and name decide."""
    clock = FakeClock()
    service: Any = None
    app = App(
        settings=read_settings({**SETTINGS, **environment}),
        files=MemoryFiles(clock, chunk=4096),
        store=MemoryStore(),
        ledger=MemoryLedger(),
        services=service,
        queues=MemoryQueues(clock),
        hook=SilentHook(),
        renderer=PageRenderer(),
        now=clock.now,
        sleep=lambda _seconds: None,
        new_id=lambda: "worker",
    )
    app.files.write(Container.PROMPTS, name, content.encode())
    app.files.write(Container.PROMPTS, "_job.json", json.dumps(job_settings).encode())
    info = app.files.info(Container.PROMPTS, name)
    assert info is not None
    entry = OpenJob(job_id_of("prompts", name, info.etag, info.last_modified), name, info.etag, clock.now())
    app.store.open_entry(entry)
    app.store.insert_job(new_job(entry))
    building.prepare(loaded(app, entry.job_id))
    job = app.store.job(entry.job_id)
    assert job is not None
    files = {blob.name: b"".join(app.files.read(Container.WORK, blob.name)) for blob in app.files.blobs(Container.WORK)}
    written = {path.removeprefix(f"{job.job_id}/"): text for path, text in files.items()}
    del written[blob_names.snapshot(job).removeprefix(f"{job.job_id}/")]
    batches = [replace(batch, job_id="", version="") for batch in app.store.batches(entry.job_id)]
    return replace(job, job_id="", prompt_file="", source_etag="", version=""), {**written, "batches": batches}


def without_messages(found: tuple[Job, dict[str, Any]]) -> tuple[Job, dict[str, Any]]:
    """What was built, but for the words on rows without a prompt, which name the column in tables."""
    job, written = found
    unsent = [json.loads(line)[:3] for line in written.get("unsent.jsonl", b"").splitlines()]
    return replace(job, message=""), {**written, "unsent.jsonl": unsent}


def as_table(rows: Sequence[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([HEADERS, *rows])
    return out.getvalue()


def as_lines(records: Sequence[dict[str, Any]]) -> str:
    return "".join(f"{json.dumps(record)}\n" for record in records)


@settings(deadline=None, max_examples=120)
@given(
    rows=ROWS,
    requests=st.sampled_from(["2", "5", "9", "100000"]),
    size=st.sampled_from(["1500", "2500", "5000", "200000000"]),
    limit=st.sampled_from([None, None, 5]),
)
def test_rows_are_built_in_row_blocks_as_one_by_one(
    rows: list[tuple[str, ...]], requests: str, size: str, limit: int | None
) -> None:
    limits = {"MAX_REQUESTS_PER_BATCH": requests, "MAX_BYTES_PER_BATCH": size}
    chosen: dict[str, Any] = {} if limit is None else {"limit": limit}
    records = [dict(zip(HEADERS, row, strict=True)) for row in rows]
    one_by_one = built("p.json", json.dumps(records), limits, **chosen)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.prompt_file.json_lines.BLOCK", 4)
        patch.setattr("shared.prompt_file.csv_reader.BLOCK", 5)
        assert built("p.jsonl", as_lines(records), limits, **chosen) == one_by_one
        assert without_messages(built("p.csv", as_table(rows), limits, **chosen)) == without_messages(one_by_one)


@settings(deadline=None, max_examples=120)
@given(st.lists(ALIKE, min_size=1, max_size=4).map(lambda runs: [record for run in runs for record in run]))
def test_json_values_of_any_kind_are_built_in_row_blocks_as_one_by_one(records: list[dict[str, Any]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.prompt_file.json_lines.BLOCK", 3)
        assert built("p.jsonl", as_lines(records), {}) == built("p.json", json.dumps(records), {})


def test_a_template_is_filled_in_row_blocks_as_one_by_one() -> None:
    records = [{"City": f"C{number}", "Prompt": "" if number % 7 else "Own?"} for number in range(40)]
    chosen = {"prompt": "Where is {City}?", "schema": json.loads(OTHER), "model": "m"}

    found = built("p.jsonl", as_lines(records), {}, **chosen)

    assert found == built("p.json", json.dumps(records), {}, **chosen)
    assert found[0].first_batches == 1


@pytest.mark.parametrize("count", [511, 512, 513, 2000])
def test_long_files_are_cut_at_the_same_row(count: int) -> None:
    rows = [(f"task-{number}", "m" if number % 900 else "n", f"Q{number}", "", "a", "", "") for number in range(count)]
    records = [dict(zip(HEADERS, row, strict=True)) for row in rows]
    limits = {"MAX_REQUESTS_PER_BATCH": "700"}

    one_by_one = built("p.json", json.dumps(records), limits)

    assert one_by_one[0].rows_total == count
    assert built("p.csv", as_table(rows), limits) == one_by_one


def test_warnings_have_room_in_the_jobs_row_whatever_the_file_put_into_them() -> None:
    rows = []
    for row in range(30):
        schema: dict[str, Any] = {"type": "string"}
        for _ in range(5):
            schema = {"type": "object", "properties": {f"{row}{chr(1) * 500}": schema}}
        rows.append({"prompt": "Who?", "schema": schema})

    job, _written = built("prompts.jsonl", as_lines(rows), {"AZURE_OPENAI_DEPLOYMENT": "m"})

    assert len(job.warnings) == WARNINGS
    assert len(json.dumps(job.warnings, ensure_ascii=False)) < WARNINGS * (WARNING_LENGTH + 20)
