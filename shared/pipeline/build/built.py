"""What building a job found: everything that goes into the job's row."""

import json
import re
from collections import Counter
from dataclasses import dataclass, field, replace

from shared.domain.blob_names import JOB_SETTINGS
from shared.domain.errors import JobFault
from shared.domain.estimate import Estimate
from shared.domain.model import Batch, JobCode, RestOfJob, RowCode
from shared.requests import RequestBuilder

WARNINGS = 20
WARNING_LENGTH = 400
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(slots=True)
class Built:
    """What building found: everything that goes into the job's row."""

    batches: list[Batch] = field(default_factory=list)
    unsent: Counter[str] = field(default_factory=Counter)
    total: int = 0
    carried_over: int = 0
    reused: int = 0
    """Those of them that an earlier job paid for which this one does not retry."""
    warnings: list[str] = field(default_factory=list)
    first_fault: str = ""
    """The first row that is invalid, and why."""
    estimate: Estimate = field(default_factory=lambda: Estimate(0))
    pilot_estimate: Estimate | None = None
    rest: dict[str, RestOfJob] = field(default_factory=dict)
    """What is left after the pilot, by deployment."""

    @property
    def first_warnings(self) -> tuple[str, ...]:
        """As many warnings as a job's row has room for, which a file's control characters would take sixfold."""
        shown = (warning[:WARNING_LENGTH] for warning in self.warnings[:WARNINGS])
        return tuple(_CONTROLS.sub("\N{REPLACEMENT CHARACTER}", warning) for warning in shown)

    @property
    def requests(self) -> int:
        """How many requests will be sent."""
        return sum(batch.requests for batch in self.batches)

    @property
    def has_pilot(self) -> bool:
        """Whether some of them are sent first."""
        return any(batch.pilot for batch in self.batches)

    def drop_pilot(self) -> None:
        """Send all requests at once."""
        self.batches = [replace(batch, pilot=False) for batch in self.batches]
        self.pilot_estimate = None
        self.rest = {}

    @property
    def input_tokens(self) -> int:
        """An estimate of what will be sent."""
        return sum(batch.input_tokens for batch in self.batches)


def fault_of(built: Built, *, saw_schema: bool, rejects_invalid_rows: bool) -> JobFault | None:
    """Return the fault that all rows together are, None where some can be sent and none forbids it."""
    invalid = {code: count for code, count in built.unsent.items() if code != RowCode.NOT_SENT}
    sent = built.batches or built.carried_over
    if not sent and not saw_schema and RowCode.INVALID_SCHEMA in invalid:
        return JobFault(
            JobCode.MISSING_SCHEMA,
            "No row has a schema for its answer: add a Required or Schema column, or a schema to "
            f"{JOB_SETTINGS}; with require_schema false the answers come as plain text.",
        )
    if rejects_invalid_rows and invalid:
        count = sum(invalid.values())
        return JobFault(
            JobCode.INVALID_ROW,
            f"The job rejects its file, as {count} {'row is' if count == 1 else 'rows are'} invalid; the first: "
            f"{built.first_fault}",
        )
    if sent:
        return None
    counts = ", ".join(f"{count} {code}" for code, count in built.unsent.items())
    return JobFault(JobCode.NO_VALID_ROWS, f"No row can be sent ({counts}); the first: {built.first_fault}")


def columns_text(builder: RequestBuilder, *, has_plain: bool) -> bytes:
    """Write down which columns the rows have, and whether some have no schema, for the steps that write results."""
    found = {
        "own": builder.own_columns,
        "text": has_plain,
        "model_column": builder.model_column,
        "job_model": builder.job_model,
    }
    return json.dumps(found).encode()
