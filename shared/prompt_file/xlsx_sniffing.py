"""What a file named `.xlsx` that cannot be read as one really is, judged by its bytes."""

import io
import zipfile
from typing import Final

_SAVE: Final = "Save it again as Excel Workbook (.xlsx) or as CSV UTF-8."
_OLD_OFFICE: Final = b"\xd0\xcf\x11\xe0"
_TEXT: Final = frozenset(range(32)) - {9, 10, 13}


def remedy(data: bytes, error: Exception) -> str:
    """Say what is wrong with a file that made reading raise `error`, and what to do."""
    return f"The file is not a readable .xlsx workbook: {_kind(data, error)}. {_SAVE}"


def _kind(data: bytes, error: Exception) -> str:
    if data.startswith(_OLD_OFFICE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            return "it is protected by a password. Remove the password (File, Info, Protect Workbook)"
        return "it is an older .xls workbook under another name"
    if data.startswith(b"PK"):
        return _kind_of_zip(data, error)
    start = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"<"):
        return "it is HTML or XML under another name"
    if start.startswith((b"{", b"[")):
        return "it is JSON under another name. Give it the extension .json, or .jsonl for one object a line"
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or _TEXT.isdisjoint(start):
        return "it is a text under another name. If it is a table, give it the extension .csv"
    return f"it may be damaged or half written ({type(error).__name__})"


def _kind_of_zip(data: bytes, error: Exception) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = {name.replace("\\", "/").lower() for name in archive.namelist()}
            kind = archive.read("mimetype")[:100] if "mimetype" in names else b""
    except Exception:  # noqa: BLE001 - damaged files raise any kind
        names, kind = set(), b""
    if kind.startswith(b"application/vnd.oasis.opendocument"):
        return "it is an OpenDocument file (.ods) under another name"
    if "xl/workbook.bin" in names:
        return "it is a binary workbook (.xlsb) under another name"
    return f"it may be damaged or half written ({type(error).__name__})"
