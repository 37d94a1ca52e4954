"""Adapter: the Files and Batch API of one resource through the openai client, behind domain.batch_service."""

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final

import httpx2
import openai
from azure.core.exceptions import AzureError
from openai.types.batch_create_params import OutputExpiresAfter

from shared.adapters.openai_errors import CREATION, ServiceErrors
from shared.adapters.openai_objects import list_page, remote_batch, remote_file
from shared.domain.errors import AnswerLost, NotFound, Refused, Unavailable
from shared.domain.model import Batch, RemoteBatch, RemoteFile
from shared.settings import Platform, Settings, Target

CALL_TIMEOUT: Final = httpx2.Timeout(60.0, connect=10.0)
"""Seconds for one call; for transfers, the longest silence between two pieces."""

BRIEF_TIMEOUT: Final = httpx2.Timeout(10.0, connect=5.0)
"""Seconds for a cancellation or a deletion."""

PAGE: Final = 100
CHUNK: Final = 1024 * 1024


def client_of(target: Target, token: Callable[[], str] | None) -> openai.OpenAI:
    """Return the client for a resource's v1 route, or the dated one if it has an api version; by key, else by token.

    It never retries by itself: a creating call that is repeated may be paid twice, and the app waits better than it.
    """
    common: dict[str, Any] = {"timeout": CALL_TIMEOUT, "max_retries": 0}
    if target.api_version:
        by = {"api_key": target.api_key} if target.api_key else {"azure_ad_token_provider": token}
        return openai.AzureOpenAI(azure_endpoint=target.endpoint, api_version=target.api_version, **by, **common)
    route = "/v1/" if target.platform is Platform.OPENAI else "/openai/v1/"
    return openai.OpenAI(base_url=f"{target.endpoint}{route}", api_key=target.api_key or token, **common)


class OpenAIBatchService:
    """The batch service at one target's resource; see the port for what each method promises."""

    def __init__(self, client: openai.OpenAI, settings: Settings, target: Target) -> None:
        self._client = client
        self._reader = client.with_options(max_retries=2)
        # A creating call ends before its worker's lease does.
        seconds = min(60.0, settings.lease.total_seconds() * 0.8)
        self._creator = client.with_options(timeout=httpx2.Timeout(seconds, connect=min(10.0, seconds)))
        # For calls that need no answer: a silent resource must not hold up the work that comes after them.
        self._brief = client.with_options(timeout=BRIEF_TIMEOUT)
        self._settings = settings
        self._target = target
        self._errors = ServiceErrors(settings, target)

    def upload(self, name: str, content: BinaryIO) -> RemoteFile:
        seconds = int(self._settings.file_expiry.total_seconds())
        with self._errors.routed("upload of an input file"):
            made = self._client.files.create(
                file=(name, content, "application/jsonl"),
                purpose="batch",
                expires_after={"anchor": "created_at", "seconds": seconds},
            )
            return remote_file(made)

    def file(self, file_id: str) -> RemoteFile | None:
        try:
            with self._errors.reading(f"file {file_id}"):
                return remote_file(self._reader.files.retrieve(file_id))
        except NotFound:
            return None

    def read_file(self, file_id: str) -> Iterator[bytes]:
        with (
            self._errors.reading(f"content of file {file_id}"),
            self._reader.files.with_streaming_response.content(file_id) as response,
        ):
            if response.headers.get("content-type", "").startswith("text/html"):
                raise ValueError("expected answers, got a web page")
            yield from response.iter_bytes(CHUNK)

    def delete_file(self, file_id: str) -> None:
        try:
            with self._errors.translated(f"deletion of file {file_id}"):
                # Raw, as the content of the answer does not matter.
                self._brief.files.with_raw_response.delete(file_id)
        except NotFound:
            pass  # Gone is what was wanted.

    def create(self, batch: Batch, *, metadata: dict[str, str], output_folder: str = "") -> RemoteBatch:
        endpoint: Any = self._endpoint_of(batch)
        try:
            if output_folder:
                # The service reads and writes blobs itself; such batches take no metadata.
                no_file: Any = None
                made = self._creator.batches.create(
                    input_file_id=no_file,
                    endpoint=endpoint,
                    completion_window="24h",
                    extra_body={"input_blob": batch.file_id, "output_folder": {"url": output_folder}},
                )
            else:
                made = self._creator.batches.create(
                    input_file_id=batch.file_id,
                    endpoint=endpoint,
                    completion_window="24h",
                    metadata=metadata,
                    output_expires_after=self._output_expiry(),
                )
            return remote_batch(made)
        except openai.OpenAIError as error:
            raise self._errors.of_creation(error) from error
        except AzureError as error:
            raise self._errors.no_token(error, CREATION) from error
        except ValueError as error:
            raise AnswerLost("The answer to the creation of a batch cannot be read") from error

    def _endpoint_of(self, batch: Batch) -> str:
        """Return the endpoint to name: Azure takes one path for all batches, the OpenAI platform the requests' url."""
        if self._target.platform is Platform.OPENAI:
            return self._target.url(batch.url)
        return self._settings.batch_endpoint

    def _output_expiry(self) -> OutputExpiresAfter | openai.Omit:
        """Return when answers expire, so that they do not stay at the service; dated routes may not know this field."""
        if self._target.api_version:
            return openai.omit
        return {"anchor": "created_at", "seconds": int(self._settings.file_expiry.total_seconds())}

    def batch(self, batch_id: str) -> RemoteBatch | None:
        try:
            with self._errors.reading(f"batch {batch_id}"):
                return remote_batch(self._reader.batches.retrieve(batch_id))
        except NotFound:
            return None

    def page(self, after: str, *, status: str = "") -> tuple[list[RemoteBatch], str]:
        query = {"$filter": f"status eq '{status}'"} if status else None
        with self._errors.reading("list of batches"), self._errors.routed("list of batches"):
            # The client's own reading of a list fails over anything that is not one.
            found = self._reader.batches.with_raw_response.list(
                limit=PAGE, after=after or openai.omit, extra_query=query
            )
            return list_page(found.http_response.json(), after)

    def cancel(self, batch_id: str) -> None:
        try:
            with self._errors.translated(f"cancellation of batch {batch_id}"):
                self._brief.batches.with_raw_response.cancel(batch_id)
        except (NotFound, Refused):
            pass  # It has ended already, or is being cancelled: the next poll tells which.
        except Unavailable as error:
            # A 409 says the same; repeating it would not help.
            if not isinstance(error.__cause__, openai.ConflictError):
                raise
