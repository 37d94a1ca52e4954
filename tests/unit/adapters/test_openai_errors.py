"""Every error of the openai client and of its HTTP library becomes one of the app's own, with what to do about it."""

import json
from collections.abc import Callable, Iterator

import httpx2
import openai
import pytest
from azure.core.exceptions import ClientAuthenticationError

from shared.adapters.openai_batches import OpenAIBatchService, client_of
from shared.adapters.openai_errors import DOUBTFUL, ServiceErrors
from shared.domain.errors import (
    AnswerLost,
    AppError,
    Misconfigured,
    NoAnswer,
    NotFound,
    NotPermitted,
    QuotaExceeded,
    Refused,
    Throttled,
    Transient,
    Unavailable,
)
from shared.domain.model import Batch, BatchState
from shared.settings import read_settings
from testing.world import World

SETTINGS = read_settings(
    {
        "BatchStorage": "AccountName=a;AccountKey=b",
        "AZURE_OPENAI_ENDPOINT": "https://name.openai.azure.com",
        "WEST_KEY": "key-of-west",
        "PLATFORM_KEY": "sk-of-the-platform",
        "DEPLOYMENTS": json.dumps(
            {
                "m": [
                    {"endpoint": "https://west.openai.azure.com", "deployment": "d", "key": "WEST_KEY"},
                    {"endpoint": "https://north.openai.azure.com", "deployment": "d"},
                    {"endpoint": "https://api.openai.com/v1", "deployment": "gpt", "key": "PLATFORM_KEY"},
                ]
            }
        ),
    }
)
OWN = ServiceErrors(SETTINGS, SETTINGS.own_target("d"))
WEST, NORTH, PLATFORM = (ServiceErrors(SETTINGS, target) for target in SETTINGS.targets("m"))
REQUEST = httpx2.Request("POST", "https://name.openai.azure.com/openai/v1/batches")


def _status_error(status: int, code: str = "", message: str = "said", **headers: str) -> openai.APIStatusError:
    response = httpx2.Response(status, headers={key.replace("_", "-"): text for key, text in headers.items()})
    response.request = REQUEST
    kind = {
        400: openai.BadRequestError,
        401: openai.AuthenticationError,
        403: openai.PermissionDeniedError,
        404: openai.NotFoundError,
        409: openai.ConflictError,
        422: openai.UnprocessableEntityError,
        429: openai.RateLimitError,
    }.get(status, openai.InternalServerError if status >= 500 else openai.APIStatusError)
    return kind(message, response=response, body={"code": code, "message": message})


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "invalid_request", Refused),
        (400, "token_limit_exceeded", QuotaExceeded),
        (400, "quotaExceeded", QuotaExceeded),
        (401, "PermissionDenied", NotPermitted),
        (402, "", Refused),
        (403, "", NotPermitted),
        (403, "token_limit_exceeded", NotPermitted),
        (404, "", NotFound),
        (408, "", Unavailable),
        (409, "", Unavailable),
        (413, "", Refused),
        (415, "", Refused),
        (422, "", Refused),
        (424, "", Refused),
        (429, "", Throttled),
        (429, "token_limit_exceeded", QuotaExceeded),
        (400, "billing_hard_limit_reached", Refused),
        (429, "insufficient_quota", Refused),
        (500, "", Unavailable),
        (502, "", Unavailable),
        (503, "", Unavailable),
        (504, "", Unavailable),
        (529, "", Unavailable),
    ],
)
def test_a_status_becomes_the_error_that_says_what_to_do(status: int, code: str, expected: type[AppError]) -> None:
    assert type(OWN.of(_status_error(status, code), "list of batches")) is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, Refused),
        (401, NotPermitted),
        (403, NotPermitted),
        (404, Misconfigured),
        (408, AnswerLost),
        (409, AnswerLost),
        (422, Refused),
        (429, Throttled),
        (500, AnswerLost),
        (502, AnswerLost),
        (503, Unavailable),
        (504, AnswerLost),
    ],
)
def test_a_creation_may_have_taken_effect_after_some_statuses(status: int, expected: type[AppError]) -> None:
    assert type(OWN.of_creation(_status_error(status))) is expected
    assert (expected is AnswerLost) == (status in DOUBTFUL)


def _kinds(base: type[Exception]) -> Iterator[type[Exception]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _kinds(kind)


def _instance(kind: type[Exception]) -> Exception:
    """An error of this kind, whatever its constructor wants."""
    error = kind.__new__(kind, "said")
    for name, value in {
        "status_code": 418,
        "body": None,
        "message": "said",
        "code": None,
        "response": httpx2.Response(418, request=REQUEST),
    }.items():
        if isinstance(error, openai.APIStatusError):
            setattr(error, name, value)
    return error


@pytest.mark.parametrize(
    "kind",
    [*_kinds(openai.OpenAIError), *_kinds(httpx2.HTTPError)],
    ids=lambda kind: f"{kind.__module__}.{kind.__qualname__}",
)
def test_no_error_of_the_client_is_left_untranslated(kind: type[Exception]) -> None:
    error = _instance(kind)

    assert isinstance(OWN.of(error, "list of batches"), AppError)
    if isinstance(error, openai.OpenAIError):
        assert isinstance(OWN.of_creation(error), AppError)


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (httpx2.ConnectError("refused"), NoAnswer),
        (httpx2.ConnectTimeout("slow"), NoAnswer),
        (httpx2.PoolTimeout("full"), NoAnswer),
        (httpx2.ReadTimeout("slow"), AnswerLost),
        (httpx2.WriteTimeout("slow"), AnswerLost),
        (httpx2.ReadError("reset"), AnswerLost),
        (httpx2.WriteError("reset"), AnswerLost),
        (httpx2.RemoteProtocolError("gone"), AnswerLost),
        (None, AnswerLost),
    ],
)
def test_only_a_call_that_was_never_sent_is_surely_without_effect(
    cause: Exception | None, expected: type[AppError]
) -> None:
    error = openai.APIConnectionError(request=REQUEST)
    error.__cause__ = cause

    assert type(OWN.of_creation(error)) is expected


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after_ms": "1500", "retry_after": "9"}, 1.5),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "Wed, 21 Oct 2026 07:27:00 GMT"}, 60.0),
        ({}, None),
    ],
)
def test_the_wait_that_the_service_asks_for_is_kept(headers: dict[str, str], seconds: float | None) -> None:
    error = OWN.of(_status_error(429, **headers), "creation of a batch")

    assert isinstance(error, Transient)
    assert error.retry_after == seconds


def test_a_permission_message_names_the_role_and_no_key() -> None:
    error = OWN.of(_status_error(401, "PermissionDenied", "Access denied."), "upload of an input file")

    assert "Cognitive Services OpenAI Contributor" in str(error)


def _messages(errors: ServiceErrors) -> dict[str, str]:
    """What is said of each trouble that a setting may be the cause of."""
    what = "list of batches"
    found: dict[str, Exception] = {
        "permission": errors.of(_status_error(401, "PermissionDenied"), what),
        "connection": errors.of(openai.APIConnectionError(request=REQUEST), what),
        "address": errors.of_creation(_status_error(404, "DeploymentNotFound")),
        "identity": errors.no_token(ClientAuthenticationError("no"), what),
    }
    try:
        with errors.translated(what):
            raise ValueError("a web page")
    except Unavailable as error:
        found["page"] = error
    return {trouble: str(error) for trouble, error in found.items()}


def test_messages_about_the_own_resource_name_its_settings() -> None:
    said = _messages(OWN)
    for trouble in ("connection", "address", "page"):
        assert "AZURE_OPENAI_ENDPOINT" in said[trouble]
    assert "AZURE_OPENAI_API_VERSION" in said["address"]
    for trouble in ("permission", "identity"):
        assert "AZURE_OPENAI_API_KEY" in said[trouble]


@pytest.mark.parametrize(
    ("errors", "host", "permission"),
    [
        (WEST, "west.openai.azure.com", "correct WEST_KEY"),
        (NORTH, "north.openai.azure.com", "Cognitive Services OpenAI Contributor"),
        (PLATFORM, "api.openai.com", "correct PLATFORM_KEY"),
    ],
)
def test_messages_about_another_resource_name_its_host_and_its_key_and_no_setting_of_the_own(
    errors: ServiceErrors, host: str, permission: str
) -> None:
    said = _messages(errors)
    assert not [trouble for trouble, text in said.items() if "AZURE_OPENAI_" in text]
    for trouble in ("permission", "connection", "address", "page"):
        assert host in said[trouble], trouble
    assert permission in said["permission"]
    assert "DEPLOYMENTS" in said["address"]


def test_a_key_that_the_service_repeats_is_not_passed_on() -> None:
    error = PLATFORM.of(_status_error(401, "invalid_api_key", "Incorrect API key: sk-of-the-platform."), "upload")
    assert "sk-of-the-platform" not in str(error)
    assert "Incorrect API key: ***." in str(error)


def test_a_silent_resource_holds_up_a_cancellation_or_a_deletion_for_seconds_only() -> None:
    limits = []

    def silent(request: httpx2.Request) -> httpx2.Response:
        limits.append(request.extensions["timeout"])
        raise httpx2.ReadTimeout("silent", request=request)

    target = SETTINGS.targets("m")[0]
    client = client_of(target, None).with_options(
        http_client=httpx2.Client(transport=httpx2.MockTransport(silent)),
    )
    service = OpenAIBatchService(client, SETTINGS, target)
    with pytest.raises(NoAnswer):
        service.cancel("batch_x")
    with pytest.raises(NoAnswer):
        service.delete_file("file-x")
    assert [limit["read"] for limit in limits] == [10.0, 10.0]


def test_a_creating_call_is_never_repeated_by_the_client(world: World) -> None:
    world.service.scenario({"calls": [{"method": "POST", "path": "/batches", "answer": {"status": 500}}]})
    with pytest.raises(AnswerLost):
        world.batch_service.create(_batch(), metadata={})

    calls = [call for call in world.service.journal().calls if call["method"] == "POST"]
    assert len(calls) == 1


def test_a_creating_call_that_stalls_ends_before_its_workers_lease(new_world: Callable[..., World]) -> None:
    world = new_world(LEASE_SECONDS="1")
    world.service.scenario({"calls": [{"method": "POST", "path": "/batches", "delay": 3}]})
    target = world.app.settings.own_target("m")
    client = client_of(target, None)

    with pytest.raises(AnswerLost):
        OpenAIBatchService(client, world.app.settings, target).create(_batch(), metadata={})
    client.close()


def _batch() -> Batch:
    return Batch(
        job_id="J", index=0, attempt=1, state=BatchState.UPLOADED, model="m", url="/chat", requests=1, file_id="file-x"
    )
