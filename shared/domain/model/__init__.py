"""The app's records and states: frozen values that pass between the modules.

Times are aware datetimes in UTC. An empty string stands for «none» in ids, as table storage keeps no nulls.

jobs      jobs, their batches and leases, as they are stored
rows      a row as read, as sent, and what became of it
remote    what storage and the service tell
states    the states, and the codes of jobs and rows
"""

from shared.domain.model.jobs import (
    Batch,
    Job,
    Lease,
    OpenJob,
    PilotPlan,
    RestOfJob,
    Wait,
    job_id_of,
    newest_first,
)
from shared.domain.model.remote import BlobEvent, BlobInfo, RemoteBatch, RemoteFile
from shared.domain.model.rows import (
    FailedRow,
    Fault,
    Outcome,
    Record,
    RequestBlock,
    RowBlock,
    SentRow,
    Usage,
    block_of_one,
)
from shared.domain.model.states import (
    CHAT_URLS,
    CURSOR,
    JOB_ID,
    KNOWN_STATUSES,
    RESPONSES_URL,
    TERMINAL_STATUSES,
    URLS,
    BatchState,
    JobCode,
    JobState,
    RowCode,
)

__all__ = [
    "CHAT_URLS",
    "CURSOR",
    "JOB_ID",
    "KNOWN_STATUSES",
    "RESPONSES_URL",
    "TERMINAL_STATUSES",
    "URLS",
    "Batch",
    "BatchState",
    "BlobEvent",
    "BlobInfo",
    "FailedRow",
    "Fault",
    "Job",
    "JobCode",
    "JobState",
    "Lease",
    "OpenJob",
    "Outcome",
    "PilotPlan",
    "Record",
    "RemoteBatch",
    "RemoteFile",
    "RequestBlock",
    "RestOfJob",
    "RowBlock",
    "RowCode",
    "SentRow",
    "Usage",
    "Wait",
    "block_of_one",
    "job_id_of",
    "newest_first",
]
