"""Whatever is dropped, a job ends, with a code where nothing was sent, and accounts for every row of the file.

The whole app on ports in memory: hundreds of files in a minute.
"""

import csv
import io
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.reliability.simulation import Simulation, check_balance, check_payment
from tests.unit.prompt_file.test_any_bytes import NAMES, UGLY

SCHEMA = {"type": "object", "properties": {"Name": {"type": "string"}, "status": {"type": ["string", "null"]}}}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
CELLS = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(["Name, Age: integer", "a", "row-2", "=1"])
KEYS = ["Prompt", "System", "Model", "Custom ID", "Required", "Schema", "Note", "status", "input", "error", "source"]
BODIES = st.fixed_dictionaries({}, optional={"model": JSON, "messages": JSON, "input": JSON, "response_format": JSON})
RECORDS = st.dictionaries(st.sampled_from(KEYS), CELLS | JSON, max_size=5) | st.fixed_dictionaries(
    {"url": st.sampled_from(["/chat/completions", "/v1/responses"]) | JSON, "body": BODIES | JSON},
    optional={"custom_id": CELLS | JSON, "method": st.sampled_from(["POST", "GET"]), "input": JSON, "error": JSON},
)
SETTINGS = st.none() | JSON | st.fixed_dictionaries(
    {},
    optional={
        "schema": st.just(SCHEMA) | JSON,
        "model": st.just("m"),
        "require_schema": st.booleans(),
        "prompt": st.sampled_from(["{Note}", "Ask {note}!", "{Gone}"]),
        "columns": st.sampled_from([{"custom_id": "Note"}, {"prompt": "System"}, {"model": None}]),
        "limit": st.integers(1, 3),
        "on_invalid_row": st.sampled_from(["skip", "reject"]),
        "formats": st.just(["xlsx"]),
    },
)  # fmt: skip


def table_of(header: list[str], rows: list[list[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([header, *rows])
    return out.getvalue().encode()


TABLES = st.lists(st.sampled_from(KEYS), min_size=1, max_size=5).flatmap(
    lambda header: st.lists(st.lists(CELLS, max_size=len(header) + 1), max_size=4).map(
        lambda rows: ("a.csv", table_of(header, rows))
    )
)
LINES = st.lists(RECORDS, max_size=5).map(
    lambda records: ("a.jsonl", b"".join(json.dumps(record).encode() + b"\n" for record in records))
)
FILES = st.tuples(st.sampled_from(NAMES), UGLY) | TABLES | LINES


def ended(simulation: Simulation, name: str, data: bytes) -> dict[str, Any]:
    """Drop a file, see its job through, and give its status."""
    before = len(simulation.jobs())
    app = simulation.host()
    simulation.event(app, simulation.drop(name, data))
    simulation.go_on(app, minutes=300)
    jobs = [job for job in simulation.jobs() if job.prompt_file == name]
    assert len(simulation.jobs()) == before + 1
    return simulation.status(jobs[-1])


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FILES, SETTINGS)
def test_any_file_at_all_ends_with_every_row_accounted_for_and_so_do_its_errors(
    file: tuple[str, bytes], job_settings: Any
) -> None:
    simulation = Simulation()
    name, data = file
    if job_settings is not None:
        simulation.drop("_job.json", json.dumps(job_settings).encode())

    status = ended(simulation, name, data)

    assert status["state"] == "completed" or (status["state"] == "failed" and status["code"] and status["message"])
    check_balance(simulation)
    job = simulation.jobs()[-1]
    lines = csv.reader(io.StringIO(simulation.result(job, "results.csv").decode("utf-8-sig"), newline=""))
    assert len(list(lines)) == (status["rows"]["total"] or 0) + 1
    errors = [json.loads(line) for line in simulation.result(job, "errors.jsonl").split(b"\n") if line]
    if errors:
        again = ended(simulation, "again.jsonl", simulation.result(job, "errors.jsonl"))
        assert again["rows"]["total"] == len(errors)
        kept = simulation.jobs()[-1]
        rows = [
            (line.get("error", {}).get("row") or line["row"], line["custom_id"])
            for file_ in ("results.jsonl", "errors.jsonl")
            for line in map(json.loads, simulation.result(kept, file_).splitlines())
        ]
        assert [custom_id for _, custom_id in sorted(rows)] == [line["custom_id"] for line in errors]
    check_balance(simulation)
    check_payment(simulation)
