"""The Files API: uploads, outputs, their states, limits and expiry."""

import shutil
import threading
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from local.batch_service.clock import Clock
from local.batch_service.database import Database
from local.batch_service.errors import ServiceError, invalid_payload, not_found
from local.batch_service.paging import Page, page_after
from local.batch_service.scenario import FileRule, Limits

EXPIRY_SINCE = "2025-03-01-preview"
"""The first dated api-version that knows `expires_after`; older ones silently ignore it."""


@dataclass(frozen=True)
class StoredFile:
    """A file of the resource. Times in seconds since 1970; `processing` is how long that takes."""

    id: str
    filename: str
    purpose: str
    bytes: int
    created_at: float
    processing: float = 0.0
    ends: Literal["processed", "error", "pending"] = "processed"
    status_details: str | None = None
    expires_at: int | None = None
    deleted: bool = False
    running: bool = False

    def status(self, now: float) -> str:
        """Return `pending`, `running`, `processed` or `error`."""
        age = now - self.created_at
        if age >= self.processing and self.ends != "pending":
            return self.ends
        return "running" if self.running and age >= self.processing / 2 and self.ends != "pending" else "pending"

    def exists(self, now: float) -> bool:
        """Tell whether the file is neither deleted nor expired."""
        return not self.deleted and (self.expires_at is None or now < self.expires_at)


ADAPTER = TypeAdapter(StoredFile)


def knows_expiry(api_version: str | None) -> bool:
    """Tell whether this api-version handles `expires_after`; None is the v1 route."""
    return api_version is None or api_version >= EXPIRY_SINCE


def file_object(file: StoredFile, now: float, api_version: str | None) -> dict[str, Any]:
    """Return the file as the API shows it; older api-versions have no `expires_at`."""
    status = file.status(now)
    shown = {
        "id": file.id,
        "bytes": file.bytes,
        "created_at": int(file.created_at),
        "filename": file.filename,
        "object": "file",
        "purpose": file.purpose,
        "status": status,
        "status_details": file.status_details if status == "error" else None,
    }
    return {**shown, "expires_at": file.expires_at} if knows_expiry(api_version) else shown


class Files:
    """All files of the resource, in memory and on disk."""

    def __init__(self, database: Database, folder: Path, clock: Clock) -> None:
        self._database, self._folder, self._clock = database, folder, clock
        self._lock = threading.RLock()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._files = {file.id: file for file in map(ADAPTER.validate_python, database.documents("file"))}

    def clear(self) -> None:
        """Remove every file."""
        with self._lock:
            self._files.clear()
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(parents=True, exist_ok=True)

    def path(self, file_id: str) -> Path:
        """Return where the bytes of a file lie."""
        return self._folder / file_id

    def new_upload(self) -> Path:
        """Return a place to which an upload's bytes can be written before it is known whether it is taken."""
        return self._folder / f"upload-{uuid.uuid4().hex}"

    def add_upload(
        self, source: Path, filename: str, expires: int | None, rule: FileRule | None, processing: float, limits: Limits
    ) -> StoredFile:
        """Take an uploaded file (moved from `source`); raises ServiceError where the resource is full."""
        now = self._clock.now()
        rule = rule or FileRule()
        file = StoredFile(
            id=f"file-{uuid.uuid4().hex}",
            filename=filename,
            purpose="batch",
            bytes=source.stat().st_size,
            created_at=now,
            processing=processing if rule.processing is None else rule.processing,
            ends=rule.ends,
            status_details=rule.status_details or "The file could not be processed." if rule.ends == "error" else None,
            expires_at=None if expires is None else int(now) + expires,
            running=rule.running,
        )
        with self._lock:
            self._check_room(file, now, limits)
            source.replace(self.path(file.id))
            self._save(file)
        return file

    def add_output(self, file_id: str, source: Path, filename: str, created_at: float, expires: int | None) -> None:
        """Take a file that the service made (moved from `source`); one that is here already is left as it is."""
        with self._lock:
            if file_id in self._files:
                return
            if source.exists():
                source.replace(self.path(file_id))
            file = StoredFile(
                id=file_id,
                filename=filename,
                purpose="batch_output",
                bytes=self.path(file_id).stat().st_size,
                created_at=created_at,
                expires_at=None if expires is None else int(created_at) + expires,
            )
            self._save(file)

    def get(self, file_id: str) -> StoredFile:
        """Return the file; raises ServiceError 404 where there is none."""
        file = self.find(file_id)
        if file is None:
            raise not_found("file", file_id)
        return file

    def find(self, file_id: str) -> StoredFile | None:
        """Return the file, or None where there is none."""
        file = self._files.get(file_id)
        return file if file is not None and file.exists(self._clock.now()) else None

    def page(self, purpose: str | None, after: str | None, limit: int, newest_first: bool) -> Page[StoredFile]:
        """Return one page of the files."""
        now = self._clock.now()
        files = [file for file in self._files.values() if file.exists(now) and purpose in (None, file.purpose)]
        return page_after(files[::-1] if newest_first else files, after, limit, lambda file: file.id)

    def delete(self, file_id: str) -> None:
        """Delete the file; raises ServiceError 404 where there is none."""
        with self._lock:
            self._save(replace(self.get(file_id), deleted=True))
            self.path(file_id).unlink(missing_ok=True)

    def _check_room(self, new: StoredFile, now: float, limits: Limits) -> None:
        lasting = new.expires_at is None
        most = limits.files if lasting else limits.files_with_expiry
        same = sum(
            1
            for file in self._files.values()
            if file.purpose == "batch" and (file.expires_at is None) == lasting and file.exists(now)
        )
        if same >= most:
            kind = "without" if lasting else "with"
            raise ServiceError(
                400, "quotaExceeded", f"The quota for files {kind} expiry is reached. The maximum is {most}."
            )

    def _save(self, file: StoredFile) -> None:
        self._files[file.id] = file
        self._database.put("file", file.id, ADAPTER.dump_python(file, mode="json"))


def expiry_seconds(given: Any, limits: Limits) -> int | None:
    """Read `{"seconds": …, "anchor": "created_at"}` (numbers may be text); raises ServiceError where it is wrong."""
    if given is None:
        return None
    low, high = limits.expiry_seconds
    if not isinstance(given, dict) or given.get("anchor") != "created_at":
        raise invalid_payload("The expiry needs seconds and an anchor, which must be 'created_at'.")
    try:
        seconds = int(given.get("seconds", ""))
    except (TypeError, ValueError):
        raise invalid_payload("The expiry's seconds must be a whole number.") from None
    if not low <= seconds <= high:
        raise invalid_payload(f"Value for Seconds must be between {low} and {high}.")
    return seconds
