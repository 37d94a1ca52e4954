"""A `.files` list → the rows of its job: a line of JSON for each blob that it matches now."""

from collections.abc import Iterable, Iterator
from datetime import UTC
from itertools import batched
from typing import Final

from shared.documents.file_lists import InvalidPatternError, matching, read_patterns
from shared.domain.errors import JobFault
from shared.domain.model import BlobInfo, JobCode
from shared.domain.ports import App, Container
from shared.json_codec import dumps
from shared.prompt_file.encoding import as_utf8, decode
from shared.requests.row_documents import FILE_COLUMNS

MOST_BYTES: Final = 1024 * 1024
"""Bytes of a list itself."""

_AT_ONCE: Final = 512


def file_rows(app: App, prompt_file: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Give the rows of a list, some lines at a time; raises JobFault: `not_utf8`, `invalid_file`, `empty_file`."""
    folder = prompt_file.rpartition("/")[0]
    try:
        patterns = read_patterns(_text(chunks), folder)
    except InvalidPatternError as error:
        raise JobFault(JobCode.INVALID_FILE, f"{prompt_file}: {error}.") from None
    found = matching(patterns, lambda prefix: app.files.blobs(Container.PROMPTS, prefix=prefix))
    is_empty = True
    for some in batched(found, _AT_ONCE, strict=False):
        is_empty = False
        yield b"".join(map(_line, some))
    if is_empty:
        raise JobFault(
            JobCode.EMPTY_FILE,
            "No file matches the list. Its patterns are relative to its own folder, or begin with / for the "
            "container's root, and the files must be there before the list.",
        )


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
