"""A job's plan: its settings, read when it starts, and fixed from then on."""

from contextlib import suppress
from dataclasses import replace

from shared.domain import blob_names
from shared.domain.errors import Conflict, JobFault, Misconfigured, NotFound
from shared.domain.model import Job, JobCode
from shared.domain.ports import App, Container
from shared.job_settings import JobSettings, job_file_paths, resolve
from shared.job_settings.plan import JobPlan, make_plan, parse_plan, write_plan
from shared.settings import settings_message

SETTINGS_SIZE = 4 * 1024 * 1024


def fix_plan(app: App, job: Job, *, may_be_there: bool) -> tuple[JobPlan, bool]:
    """Read the job's settings the first time, and after that what was read then; say whether this was the first.

    Raises Misconfigured where the app's own settings, which the plan is made of too, are at fault.
    """
    if may_be_there:
        with suppress(NotFound):
            return read_plan(app, job), False
    if app.settings.faults:
        raise Misconfigured(settings_message(app.settings.faults))
    text = write_plan(make_plan(_job_settings(app, job), app.settings))
    try:
        app.files.write(Container.WORK, blob_names.plan(job), text, create_only=True)
    except Conflict:
        return read_plan(app, job), False  # The plan of an earlier try counts.
    return parse_plan(text), True


def read_plan(app: App, job: Job) -> JobPlan:
    """Return the plan that was fixed when the job started; raises NotFound before that."""
    return parse_plan(b"".join(app.files.read(Container.WORK, blob_names.plan(job))))


def _job_settings(app: App, job: Job) -> JobSettings:
    layers = []
    for path in job_file_paths(job.prompt_file):
        text = _small_prompt_blob(app, path)
        if text is not None:
            layers.append((path, text))

    def read_schema(folder: str, name: str) -> bytes | None:
        return _small_prompt_blob(app, f"{folder}/{name}" if folder else name)

    settings = resolve(layers, read_schema)
    # A trial run's limit does not hold for its retry, which sends every row without an answer.
    return replace(settings, limit=None) if job.retry_of else settings


def _small_prompt_blob(app: App, path: str) -> bytes | None:
    try:
        text = app.files.read_range(Container.PROMPTS, path, 0, SETTINGS_SIZE + 1)
    except NotFound:
        return None
    if len(text) > SETTINGS_SIZE:
        raise JobFault(JobCode.INVALID_JOB_SETTINGS, f"{path} is too large; settings have 4 MiB at most.")
    return text
