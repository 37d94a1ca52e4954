"""A `.files` list → the rows of its job: a line of JSON for each blob that it matches now."""

from collections.abc import Iterable, Iterator
from datetime import UTC
from itertools import batched
from typing import Final

import msgspec

from shared.documents.file_lists import FileList, InvalidPatternError, read_patterns
from shared.domain import blob_names
from shared.domain.errors import JobFault
from shared.domain.model import BlobInfo, Job, JobCode
from shared.domain.ports import App, Container
from shared.json_codec import dumps
from shared.prompt_file import Kind, form_of
from shared.prompt_file.encoding import as_utf8, decode
from shared.requests.row_documents import FILE_COLUMNS

MOST_BYTES: Final = 1024 * 1024
"""Bytes of a list itself."""

_AT_ONCE: Final = 512


def is_file_list(job: Job) -> bool:
    """Return whether a job's prompt file is a list of documents."""
    form = form_of(job.prompt_file)
    return form is not None and form.kind is Kind.FILE_LIST


def file_rows(app: App, job: Job, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Give the rows of a job's list, some lines at a time, and write its warnings down behind the last.

    Raises JobFault: `not_utf8`, `invalid_file`, `empty_file`.
    """
    folder = job.prompt_file.rpartition("/")[0]
    try:
        patterns = read_patterns(_text(chunks), folder)
    except InvalidPatternError as error:
        raise JobFault(JobCode.INVALID_FILE, f"{job.prompt_file}: {error}.") from None
    found = FileList(patterns, lambda prefix: app.files.blobs(Container.PROMPTS, prefix=prefix))
    is_empty = True
    for some in batched(_files(app, found), _AT_ONCE, strict=False):
        is_empty = False
        yield b"".join(map(_line, some))
    if is_empty:
        reason = (
            "No file matches the list. Its patterns are relative to its own folder, or begin with / for the "
            "container's root, and the files must be there before the list."
        )
        raise JobFault(JobCode.EMPTY_FILE, " ".join([reason, *found.warnings]))
    app.files.write(Container.WORK, blob_names.list_warnings(job), dumps(found.warnings))


def list_warnings(app: App, job: Job) -> list[str]:
    """Return the warnings that were written down when a job's list was expanded; none for other prompt files."""
    there = app.files.load(Container.WORK, blob_names.list_warnings(job)) if is_file_list(job) else None
    return [] if there is None else msgspec.json.decode(there[0], type=list[str])


def _files(app: App, found: FileList) -> Iterator[BlobInfo]:
    """Leave out folders that storage with a hierarchical namespace lists like empty files without an extension."""
    for blob in found.blobs():
        may_be_folder = not blob.size and "." not in blob.name.rpartition("/")[2]
        if not may_be_folder or app.files.info(Container.PROMPTS, blob.name) is not None:
            yield blob


def _text(chunks: Iterable[bytes]) -> str:
    text = ""
    for piece in decode("utf-8", as_utf8(chunks)):
        text += piece
        if len(text) > MOST_BYTES:
            raise JobFault(JobCode.INVALID_FILE, "A .files list has 1 MB at most: use patterns, or several lists.")
    return text


def _line(blob: BlobInfo) -> bytes:
    folder, _, name = blob.name.rpartition("/")
    modified = blob.last_modified.astimezone(UTC).isoformat().replace("+00:00", "Z")
    values = (blob.name, name, folder, blob.size, modified)
    return dumps(dict(zip(FILE_COLUMNS, values, strict=True))) + b"\n"
