"""Adapter: the Files and Batch API of one resource through the openai client, behind domain.batch_service."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, Final

import httpx2
import openai
from azure.core.exceptions import AzureError, ClientAuthenticationError
from openai.types.batch_create_params import OutputExpiresAfter

from shared.adapters.openai_objects import list_page, remote_batch, remote_file
from shared.adapters.retry_after import wait_asked
from shared.domain.errors import (
    AnswerLost,
    AppError,
    Misconfigured,
    NotFound,
    NotPermitted,
    QuotaExceeded,
    Refused,
    Throttled,
    Unavailable,
)
from shared.domain.model import Batch, RemoteBatch, RemoteFile
from shared.settings import Platform, Settings, Target

CALL_TIMEOUT: Final = httpx2.Timeout(60.0, connect=10.0)
"""Seconds for one call; for transfers, the longest silence between two pieces."""

PAGE: Final = 100
CHUNK: Final = 1024 * 1024
DOUBTFUL: Final = frozenset({408, 409, 500, 502, 504})
"""Statuses after which a creating call may have taken effect all the same."""

PASSING_CODES: Final = frozenset(
    {"conflict", "internalFailure", "serviceUnavailable", "tooManyRequests", "unexpectedEntityState"}
)
"""Codes that say with a 400 what another status would: it may pass, as when a file is not processed yet."""


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
        self._settings = settings
        self._target = target

    def upload(self, name: str, content: BinaryIO) -> RemoteFile:
        seconds = int(self._settings.file_expiry.total_seconds())
        with _routed("upload of an input file"):
            made = self._client.files.create(
                file=(name, content, "application/jsonl"),
                purpose="batch",
                expires_after={"anchor": "created_at", "seconds": seconds},
            )
            return remote_file(made)

    def file(self, file_id: str) -> RemoteFile | None:
        try:
            with _reading(f"file {file_id}"):
                return remote_file(self._reader.files.retrieve(file_id))
        except NotFound:
            return None

    def read_file(self, file_id: str) -> Iterator[bytes]:
        with (
            _reading(f"content of file {file_id}"),
            self._reader.files.with_streaming_response.content(file_id) as response,
        ):
            if response.headers.get("content-type", "").startswith("text/html"):
                raise ValueError("expected answers, got a web page")
            yield from response.iter_bytes(CHUNK)

    def delete_file(self, file_id: str) -> None:
        try:
            with _translated(f"deletion of file {file_id}"):
                # What it says in return is nothing that anybody needs.
                self._reader.files.with_raw_response.delete(file_id)
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
            raise _creation_error(error) from error
        except AzureError as error:
            raise _no_token(error, "creation of a batch") from error
        except ValueError as error:
            raise AnswerLost("The answer to the creation of a batch cannot be read") from error

    def _endpoint_of(self, batch: Batch) -> str:
        """Return the endpoint to name: Azure takes one path for all batches, the OpenAI platform the requests' url."""
        if self._target.platform is Platform.OPENAI:
            return self._target.url(batch.url)
        return self._settings.batch_endpoint

    def _output_expiry(self) -> OutputExpiresAfter | openai.Omit:
        """Say when answers expire: they must not stay at the service for ever; dated routes may not know this field."""
        if self._target.api_version:
            return openai.omit
        return {"anchor": "created_at", "seconds": int(self._settings.file_expiry.total_seconds())}

    def batch(self, batch_id: str) -> RemoteBatch | None:
        try:
            with _reading(f"batch {batch_id}"):
                return remote_batch(self._reader.batches.retrieve(batch_id))
        except NotFound:
            return None

    def page(self, after: str, *, status: str = "") -> tuple[list[RemoteBatch], str]:
        query = {"$filter": f"status eq '{status}'"} if status else None
        with _reading("list of batches"), _routed("list of batches"):
            # The client's own reading of a list fails over anything that is not one.
            found = self._reader.batches.with_raw_response.list(
                limit=PAGE, after=after or openai.omit, extra_query=query
            )
            return list_page(found.http_response.json(), after)

    def cancel(self, batch_id: str) -> None:
        try:
            with _translated(f"cancellation of batch {batch_id}"):
                self._client.batches.with_raw_response.cancel(batch_id)
        except (NotFound, Refused):
            pass  # It has ended already, or is being cancelled: the next poll tells which.
        except Unavailable as error:
            # A 409 says the same; repeating it would not help.
            if not isinstance(error.__cause__, openai.ConflictError):
                raise


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except (openai.OpenAIError, httpx2.HTTPError) as error:
        if isinstance(error.__cause__, AppError):
            raise error.__cause__ from error  # What is uploaded could not be read: not the service's fault.
        raise translate(error, what) from error
    except AzureError as error:
        raise _no_token(error, what) from error
    except ValueError as error:
        raise Unavailable(
            f"The answer to the {what} did not come from the batch service ({type(error).__name__}): check "
            "AZURE_OPENAI_ENDPOINT; it is tried again"
        ) from error


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Translate as `_translated` does, for calls that only ask: no refusal is final, answers can be fetched later."""
    try:
        with _translated(what):
            yield
    except Refused as error:
        raise Unavailable(str(error)) from error


@contextmanager
def _routed(what: str) -> Iterator[None]:
    """Translate as `_translated` does, for calls that name nothing to be missing: a 404 means a wrong address."""
    try:
        with _translated(what):
            yield
    except NotFound as error:
        raise _wrong_address(what, str(error)) from error


def _wrong_address(what: str, said: str) -> Misconfigured:
    return Misconfigured(
        f"The batch service found no such route, deployment or file for the {what} (404): check AZURE_OPENAI_ENDPOINT, "
        f"AZURE_OPENAI_API_VERSION and the deployment's name. {said}"
    )


def _no_token(error: AzureError, what: str) -> AppError:
    """Name a token that could not be got; azure-identity's own text is a page long, its kind says enough."""
    if isinstance(error, ClientAuthenticationError):
        return NotPermitted(
            f"There is no identity to sign in with for the {what} ({type(error).__name__}): set AZURE_OPENAI_API_KEY, "
            "or give the function app a managed identity (AZURE_CLIENT_ID names a user-assigned one)"
        )
    return Unavailable(f"Could not get a token for the {what} ({type(error).__name__}); it is tried again")


def translate(error: Exception, what: str) -> AppError:
    """Find the app's error for one of the client's; `what` names the call."""
    if not isinstance(error, openai.APIStatusError):
        return Unavailable(
            f"The batch service cannot be reached for the {what} ({type(error).__name__}): check "
            "AZURE_OPENAI_ENDPOINT and the network; it is tried again"
        )
    status, text, wait = error.status_code, _say(error), wait_asked(error.response.headers)
    if status in (401, 403):
        return NotPermitted(
            f"The batch service does not permit the {what} ({status} {text}): give the app's identity the role "
            "Cognitive Services OpenAI Contributor on the Azure OpenAI resource, or correct AZURE_OPENAI_API_KEY and "
            "the resource's network rules"
        )
    if _is_quota(error):
        return QuotaExceeded(f"The batch service rejected the {what}: quota exceeded ({status} {text})", wait)
    if status == 404:
        return NotFound(f"The batch service has no {what} ({text})")
    if status == 429:
        return Throttled(f"The batch service asks to retry later: the {what} ({text})", wait)
    if status in (408, 409) or status >= 500 or str(error.code) in PASSING_CODES:
        return Unavailable(f"The batch service failed during the {what} ({status} {text})", wait)
    return Refused(f"The batch service rejected the {what} ({status} {text})", str(error.code or ""))


def _creation_error(error: openai.OpenAIError) -> AppError:
    what = "creation of a batch"
    if isinstance(error, openai.APIConnectionError):
        never_sent = isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
        return translate(error, what) if never_sent else AnswerLost(f"The answer to the {what} was lost")
    if not isinstance(error, openai.APIStatusError):
        return AnswerLost(f"The answer to the {what} cannot be read")
    if error.status_code in DOUBTFUL:
        return AnswerLost(f"The batch service failed during the {what} ({error.status_code} {_say(error)})")
    if error.status_code == 404:
        return _wrong_address(what, _say(error))
    return translate(error, what)


def _is_quota(error: openai.APIStatusError) -> bool:
    text = f"{error.code} {error.message}"
    return error.status_code in (400, 403, 429) and ("token_limit_exceeded" in text or "quotaExceeded" in text)


def _say(error: openai.APIStatusError) -> str:
    """Return the service's code and text; its texts about files and batches quote no prompt."""
    if isinstance(error.body, str) and not error.body.lstrip().startswith("<"):
        return " ".join(error.body.split())[:400] or type(error).__name__
    body = error.body if isinstance(error.body, Mapping) else {}
    message = body.get("message") or type(error).__name__
    return f"{body.get('code') or ''} {message}".strip()[:400]
