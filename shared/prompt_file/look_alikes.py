"""Files of another form under a text form's name: what they are by their first bytes, and which name they need."""

import json
import re
from typing import Final

from shared.domain.errors import JobFault
from shared.domain.model import JobCode

_MAGIC: Final = (
    (b"PK\x03\x04", "looks like an Excel workbook or another ZIP file, not text: name a workbook .xlsx"),
    (b"\x1f\x8b", "is compressed with gzip: add .gz to its name"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "looks like an old Excel workbook (.xls), not text: save it as .xlsx"),
    (b"PAR1", "is a Parquet file, not text: name it .parquet"),
    (b"%PDF-", "is a PDF, not text: save its table as .csv or .xlsx"),
)
_HTML: Final = re.compile(r"<(!doctype|!--|\?xml|html|head|body|table|div|meta)\b", re.IGNORECASE)


def check_magic(head: bytes) -> None:
    """Raise JobFault (`not_utf8`) where a file's first bytes are those of a binary form."""
    for magic, what in _MAGIC:
        if head.startswith(magic):
            raise JobFault(JobCode.NOT_UTF8, f"The file {what}.")


def check_first_line(line: str) -> None:
    """Raise JobFault (`invalid_file`) if a table's first line shows that it is not a table."""
    text = line.strip()
    if _HTML.match(text):
        raise _other("HTML or XML", "Save the table as CSV UTF-8")
    if text in ("[", "[{"):
        raise _other("a JSON array", "Name it .json")
    if text == "{" or _is_json(text, dict):
        raise _other("JSON", "Name it .jsonl if each line is one object, else .json")
    if _is_json(text, list):
        raise _other("a JSON array", "Name it .json")


def _other(what: str, remedy: str) -> JobFault:
    return JobFault(JobCode.INVALID_FILE, f"The file is {what}, not a table of texts. {remedy}.")


def _is_json(text: str, kind: type) -> bool:
    if not text.startswith(("{", "[")):
        return False
    try:
        return isinstance(json.loads(text), kind)
    except (ValueError, RecursionError):
        # A line of a longer value, or one with a fault.
        return re.match(r'\[\s*\{|\{\s*"[^"]*"\s*:', text) is not None and text.startswith("[{"[kind is dict])
