"""What can go wrong, by what the caller has to do about it.

    AppError
    ├── Transient                 it may pass by itself or once it is fixed: wait and try again
    │   ├── Throttled             429, or storage that is busy: wait as long as it says
    │   ├── QuotaExceeded         the deployment's enqueued tokens are used up
    │   ├── Unavailable           5xx, an answer that cannot be read
    │   │   ├── NoAnswer          time-out, no connection
    │   │   └── InputUnreadable   a batch's input file, in our own storage
    │   ├── NotPermitted          401, 403: a role, a key or a network rule is missing
    │   ├── Misconfigured         a setting, an address or a deployment is wrong, and must be corrected
    │   └── AnswerLost            a creating call may or may not have taken effect
    └── Permanent                 trying again cannot help: record it and go on
        ├── JobFault              the prompt file or its settings: ends the job, with a job code
        ├── SchemaFault           an answer's schema that cannot be sent
        ├── UnsendableError       a row that cannot be sent: its outcome says why
        └── Refused               the service will not take this request
    Conflict                      the record was changed meanwhile: read it again
    NotFound                      the thing asked for does not exist

Messages go to status.json and to logs: they carry names, counts and codes, never prompts, answers or keys.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.domain.model import Fault, JobCode, RowCode


class AppError(Exception):
    """Anything that this app raises on purpose; `str()` is a sentence for the operator."""


class Transient(AppError):
    """It may pass by itself, or once its cause is fixed; `retry_after` is in seconds, if the service named a wait."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Throttled(Transient):
    """The service or storage asks for the call to be made again later."""


class QuotaExceeded(Transient):
    """The deployment's quota of enqueued tokens is used up."""


class Unavailable(Transient):
    """The service or storage does not answer, or reports a fault of its own."""


class NoAnswer(Unavailable):
    """The service cannot be reached or does not answer: further calls would only wait."""


class InputUnreadable(Unavailable):
    """A batch's input file cannot be read from our own storage, or is not as it was written: no fault of its target."""


class NotPermitted(Transient):
    """A role, a key or a network rule is missing."""


class Misconfigured(Transient):
    """A setting, an address or a deployment is wrong."""


class AnswerLost(Transient):
    """A creating call may or may not have taken effect: look before creating again."""


class Permanent(AppError):
    """Trying again cannot help."""


class JobFault(Permanent):
    """A fault of the prompt file or of its settings, which ends the job with this code."""

    def __init__(self, code: JobCode, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of a schema: its JSON path, what is wrong and what to do."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


class SchemaFault(Permanent):
    """A schema that cannot be made strict without changing its meaning; `findings` says where and why."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        shown = "; ".join(str(finding) for finding in findings[:5])
        more = f"; and {len(findings) - 5} more" if len(findings) > 5 else ""
        super().__init__(shown + more)
        self.findings = tuple(findings)


class UnsendableError(Permanent):
    """A row that cannot be sent; `fault` says why."""

    def __init__(self, code: RowCode, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(code, message)


class Refused(Permanent):
    """The service will not take this request, now or later; `code` is the service's own, empty if it gave none."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Conflict(AppError):
    """Another worker changed or created the record meanwhile: read it again."""


class NotFound(AppError):
    """The thing asked for does not exist."""
