"""Build prompt files as the app does, in a storage of their own where nothing is ever sent."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from local.commands.first_faults import FirstFaults
from local.commands.job_words import Status, failures
from local.commands.uploading import Dropped
from local.servers.azurite import running_azurite
from local.servers.stack import app_settings
from shared import wiring
from shared.answers import outcomes
from shared.domain import blob_names
from shared.domain.model import Batch, Job
from shared.domain.ports import App, Container
from shared.domain.status_report import report
from shared.pipeline.build import building
from shared.pipeline.build.planning import read_plan
from shared.pipeline.receiving import receive
from shared.prompt_file.columns import column_key

_NOWHERE = "http://127.0.0.1:9"
"""The address of a batch service that is never asked."""


_NUMBERED = r"row-\d+"
"""The custom id of a row that has none of its own."""


@dataclass(frozen=True)
class BuiltJob:
    """What the app would do with one prompt file."""

    status: Status
    code: str | None
    """The job's fault, None where rows can be sent."""
    message: str
    requests: int
    batches: int
    models: tuple[str, ...]
    first_faults: FirstFaults
    """The first rows of each code that cannot be sent."""
    first_request: Mapping[str, Any] | None
    id_column: str
    """A column of the user's own that may be meant as the custom id, empty without one."""
    estimate: Mapping[str, Any]
    """As in status.json."""

    @property
    def invalid(self) -> dict[str, int]:
        """The rows that cannot be sent, by code, without those that a limit leaves out."""
        return failures(self.status)

    @property
    def schema(self) -> Mapping[str, Any] | None:
        """The schema that goes with the first request, None where it has none."""
        body = (self.first_request or {}).get("body", {})
        chat = (body.get("response_format") or {}).get("json_schema") or {}
        found = chat.get("schema") or ((body.get("text") or {}).get("format") or {}).get("schema")
        return found if isinstance(found, dict) else None


@contextmanager
def building_app() -> Iterator[App]:
    """Run storage for the length of a with-block, and the app's building code over it."""
    with running_azurite() as azurite:
        yield wiring.build({**os.environ, **app_settings(azurite.connection_string, _NOWHERE)})


def build(app: App, dropped: Dropped) -> BuiltJob:
    """Build one dropped prompt file, as the functions would, and say what came of it."""
    records = receive(app, dropped.blob)
    assert records is not None
    building.prepare(records)
    job, batches = records.job, records.batches
    status = report(job, batches, app.now())
    first_request = _first_request(app, batches)
    return BuiltJob(
        status=status,
        code=job.code.value if job.code else None,
        message=job.message or (job.wait.message if job.wait else ""),
        requests=sum(batch.requests for batch in batches),
        batches=len(batches),
        models=tuple(dict.fromkeys(batch.model for batch in batches)),
        first_faults=_first_faults(app, job, status),
        first_request=first_request,
        id_column=_id_column(app, job) if first_request and re.fullmatch(_NUMBERED, first_request["custom_id"]) else "",
        estimate=status.get("estimate") or {"input_tokens": job.input_tokens},
    )


def _first_request(app: App, batches: Sequence[Batch]) -> Mapping[str, Any] | None:
    if not batches:
        return None
    line = b""
    for piece in app.files.read(Container.WORK, blob_names.batch_input(batches[0])):
        line += piece
        if b"\n" in piece:
            break
    request: Mapping[str, Any] = json.loads(line.partition(b"\n")[0])
    return request


def _id_column(app: App, job: Job) -> str:
    """Return the own column that is called `id`, empty where there is none or the settings name the custom id."""
    if "custom_id" in read_plan(app, job).settings.columns:
        return ""
    columns = json.loads(b"".join(app.files.read(Container.WORK, blob_names.columns(job))))
    return next((name for name in columns["own"] if column_key(name) == "id"), "")


def _first_faults(app: App, job: Job, status: Status) -> FirstFaults:
    faults = FirstFaults(failures(status))
    if job.unsent and app.files.info(Container.WORK, blob_names.unsent(job)) is not None:
        for line in b"".join(app.files.read(Container.WORK, blob_names.unsent(job))).splitlines():
            found = outcomes.read_line(line)
            faults.add(found.code, found.row, found.message)
    return faults
