"""Which blobs are prompt files, and in which form: decided by their names alone."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """How a prompt file's rows are written."""

    JSON_LINES = "jsonl"
    JSON_ARRAY = "json"
    CSV = "csv"
    TSV = "tsv"
    WORKBOOK = "xlsx"
    PARQUET = "parquet"
    FILE_LIST = "files"


@dataclass(frozen=True, slots=True)
class Form:
    """A prompt file's form: its kind, and whether it is compressed with gzip."""

    kind: Kind
    gzipped: bool = False


_KINDS: Final = {
    ".jsonl": Kind.JSON_LINES,
    ".ndjson": Kind.JSON_LINES,
    ".json": Kind.JSON_ARRAY,
    ".csv": Kind.CSV,
    ".tsv": Kind.TSV,
    ".xlsx": Kind.WORKBOOK,
    ".parquet": Kind.PARQUET,
    ".files": Kind.FILE_LIST,
}

IMAGES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".pdf"})
"""The extensions of documents that are sent as images."""

TEXTS: Final = frozenset({".txt", ".md", ".html", ".htm", ".xml", ".eml"})
"""The extensions of documents that are sent as text."""

_NEVER_GZIPPED: Final = (Kind.WORKBOOK, Kind.PARQUET, Kind.FILE_LIST)
"""Forms that are compressed in themselves, or a few lines."""

FORMS: Final[dict[str, Form]] = {extension: Form(kind) for extension, kind in _KINDS.items()} | {
    f"{extension}.gz": Form(kind, gzipped=True) for extension, kind in _KINDS.items() if kind not in _NEVER_GZIPPED
}
"""Every extension that is read, in lower case."""


_SPREADSHEETS: Final = frozenset({".xls", ".xlsb", ".xlsm", ".xltx", ".ods", ".fods", ".numbers", ".gsheet"})
"""The extensions of tables that other programs, or other versions of Excel, write."""


def form_of(name: str) -> Form | None:
    """Return a prompt file's form by its extension, in any case; None if it is not supported."""
    return FORMS.get(_extension(name).lower())


def why_unsupported(name: str) -> str:
    """Say of a file whose form is not supported what to do with it."""
    extension = _extension(name).lower()
    if extension in _SPREADSHEETS:
        return f"{name}: {extension} files are not read. Save it as .xlsx (or CSV)."
    return (
        f"{name} has no extension that this app reads: .jsonl, .ndjson, .json, .csv, .tsv (each also with .gz), .xlsx, "
        ".parquet or .files. If it holds a table of prompts, save it as .xlsx (or CSV)."
    )


def stem_of(name: str) -> str:
    """Return a prompt file's name without folders and extension: `buildings` for `a/buildings.csv.gz`."""
    file = name.rsplit("/", 1)[-1]
    extension = _extension(file)
    return file.removesuffix(extension) or file


def is_image(name: str) -> bool:
    """Return whether a blob is a document that is sent as an image, by its name."""
    return _extension(name).lower() in IMAGES


def is_text(name: str) -> bool:
    """Return whether a blob is a document that is sent as text, by its name."""
    return _extension(name).lower() in TEXTS


def is_prompt_file(name: str) -> bool:
    """Return whether a blob is a prompt file: no part of its path begins with `_` or `.`, nor is it a folder marker.

    Documents are not. Unsupported extensions count: their jobs fail with a message, which is better than silence.
    """
    if not name or name.endswith(("/", "_$folder$")) or is_image(name) or is_text(name):
        return False
    return not any(segment.startswith(("_", ".")) for segment in name.split("/"))


def _extension(name: str) -> str:
    """Return the extension as written, with the one before a `.gz` where that belongs to a supported form."""
    file = name.rsplit("/", 1)[-1]
    parts = file.rsplit(".", 2)
    double = f".{parts[-2]}.{parts[-1]}" if len(parts) == 3 else ""
    if double.lower() in FORMS:
        return double
    return f".{parts[-1]}" if len(parts) > 1 else ""
