"""Where a job's blobs lie: every name follows from the job, the batch's index and its attempt."""

import hashlib
import re
from typing import Final

from shared.domain.model import Batch, Job

JOB_SETTINGS: Final = "_job.json"

INPUT: Final = "input.jsonl"
ROWS: Final = "rows.jsonl"
DOCUMENTS: Final = "documents.jsonl"
RUN_ENDS: Final = "run-ends"

LONGEST: Final = 960
"""The most characters of a prompt file's name that its results' folder takes over: blob names end at 1,024."""

DEEPEST: Final = 250
"""The most path segments of such a name: those of blobs end at 254.
Source: https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
"""


_IMPOSSIBLE: Final = re.compile("[\x00-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that no blob's name can hold, as a listing in XML could not show them."""


def is_possible(name: str) -> bool:
    """Return whether a blob can have this name; storage refuses to be asked for others, or fails over them."""
    return _IMPOSSIBLE.search(name) is None and len(name.encode("utf-16-le")) // 2 <= 1_024 and name.count("/") < 254


def results_name(prompt_file: str) -> str:
    """Return the folder for a prompt file's results: its own name, or the beginning and a hash if that is too long."""
    parts = prompt_file.split("/")
    # Storage counts as .NET does, in UTF-16.
    if len(prompt_file.encode("utf-16-le", "replace")) // 2 <= LONGEST and len(parts) <= DEEPEST:
        return prompt_file
    beginning = "/".join(parts[: DEEPEST - 1])[: LONGEST // 2 - 9]
    return f"{beginning.rstrip('/.')}~{hashlib.sha256(prompt_file.encode('utf-8', 'replace')).hexdigest()[:8]}"


def results_folder(job: Job) -> str:
    """Return the job's folder in the results container, with a trailing slash."""
    return f"{results_name(job.prompt_file)}/{job.job_id}/"


def status_file(prompt_file: str, job_id: str) -> str:
    """Return the job's status.json in the results container."""
    return f"{results_name(prompt_file)}/{job_id}/status.json"


def latest_file(job: Job) -> str:
    """Return the copy of the newest ended job's status.json in the results container."""
    return f"{results_name(job.prompt_file)}/latest.json"


def snapshot(job: Job) -> str:
    """Return the copy of the prompt file; a retry works on the first job's."""
    return f"{job.retry_of or job.job_id}/prompts"


def list_warnings(job: Job) -> str:
    """Return the warnings about a `.files` list, from when it was expanded into the snapshot."""
    return f"{job.retry_of or job.job_id}/list-warnings.json"


def plan(job: Job) -> str:
    """Return the job's plan, fixed when it starts."""
    return f"{job.job_id}/plan.json"


def columns(job: Job | Batch) -> str:
    """Return the list of the user's own columns, which also says if rows have no schema, and which column is Model."""
    return f"{job.job_id}/columns.json"


def schemas(job: Job) -> str:
    """Return the job's distinct schemas, a line each."""
    return f"{job.job_id}/schemas.jsonl"


def unsent(job: Job) -> str:
    """Return the outcomes of rows that were never sent."""
    return f"{job.job_id}/unsent.jsonl"


def carried_over(job: Job) -> str:
    """Return the outcomes that a retry takes over from the job before it."""
    return f"{job.job_id}/kept.jsonl"


def earlier_answers(job: Job) -> str:
    """Return the index of requests that earlier jobs had answered when the job was first built: a SQLite file."""
    return f"{job.job_id}/earlier-answers.sqlite"


def reused(job: Job) -> str:
    """Return the outcomes that a job reuses from earlier jobs of the same prompt file."""
    return f"{job.job_id}/reused.jsonl"


def pilot_positions(job: Job) -> str:
    """Return which of the job's requests are its pilot, chosen when it was first built: a JSON list of positions."""
    return f"{job.job_id}/pilot.json"


def pilot_rows(job: Job, name: str) -> str:
    """Return the rows of a collected pilot; `name` is results.jsonl or errors.jsonl, as in the job's results."""
    return f"{job.job_id}/pilot/{name}"


def pdf_pages(job: Job) -> str:
    """Return the file that says how many images each PDF of the job's rows became."""
    return f"{job.job_id}/pages.jsonl"


def batch_folders(job: Job) -> str:
    """Return the common prefix of the files of all of a job's batches."""
    return f"{job.job_id}/batch-"


def run_end(job: Job, row: int) -> str:
    """Return what a run has left that built the job up to a row, and whose time was over then."""
    return f"{batch_folders(job)}{RUN_ENDS}/{row}.jsonl"


def row_of_run_end(name: str) -> int | None:
    """Return the row in such a name, None for names of other files of the job's batches."""
    _, mark, row = name.removesuffix(".jsonl").rpartition(f"/batch-{RUN_ENDS}/")
    return int(row) if mark else None


def batch_folder(batch: Batch) -> str:
    """Return the common prefix of all files of a batch."""
    return f"{batch.job_id}/batch-{batch.key}/"


def batch_input(batch: Batch) -> str:
    """Return the batch's input file: a request a line."""
    return f"{batch.job_id}/batch-{batch.key}/{INPUT}"


def batch_input_at(batch: Batch, mark: str) -> str:
    """Return the copy of the batch's input file for one deployment, which the service reads from storage itself."""
    return f"{batch.job_id}/batch-{batch.key}/input-{mark}.jsonl"


def batch_rows(batch: Batch) -> str:
    """Return the list that says which row each line of the input file is."""
    return f"{batch.job_id}/batch-{batch.key}/{ROWS}"


def batch_documents(batch: Batch) -> str:
    """Return the list of the batch's requests that have images, with what is known of them."""
    return f"{batch.job_id}/batch-{batch.key}/{DOCUMENTS}"


def batch_answers(batch: Batch, kind: str) -> str:
    """Return the downloaded output or error file, as it came; each reading has its own blob."""
    return f"{batch.job_id}/batch-{batch.key}/{kind}-{batch.reads}.jsonl"


def batch_outcomes(batch: Batch) -> str:
    """Return the outcomes of the batch's rows, in the file's order."""
    return f"{batch.job_id}/batch-{batch.key}/outcomes.jsonl"


def batch_output_folder(batch: Batch) -> str:
    """Return the folder that the service writes its files to, with storage transfer."""
    return f"{batch.job_id}/batch-{batch.key}/service"
