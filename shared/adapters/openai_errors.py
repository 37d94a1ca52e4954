"""The openai client's errors at one resource → the app's, in words that name that resource's own settings."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import httpx2
import openai
from azure.core.exceptions import AzureError, ClientAuthenticationError

from shared.adapters.retry_after import wait_asked
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
    Unavailable,
)
from shared.settings import Platform, Settings, Target

CREATION: Final = "creation of a batch"

DOUBTFUL: Final = frozenset({408, 409, 500, 502, 504})
"""Statuses after which a creating call may have taken effect all the same."""

PASSING_CODES: Final = frozenset(
    {"conflict", "internalFailure", "serviceUnavailable", "tooManyRequests", "unexpectedEntityState"}
)
"""Codes that say with a 400 what another status would: it may pass, as when a file is not processed yet."""

OUT_OF_MONEY: Final = frozenset({"billing_hard_limit_reached", "insufficient_quota"})
"""The OpenAI platform's codes for an account that has nothing left to spend; the second comes with a 429."""

ROLE: Final = "Cognitive Services OpenAI Contributor"


class ServiceErrors:
    """Translates the errors at a target's resource: each message names what to correct, and never a key."""

    def __init__(self, settings: Settings, target: Target) -> None:
        self._target = target
        self._is_own = target.endpoint == settings.endpoint
        self._key = target.key_setting or ("AZURE_OPENAI_API_KEY" if self._is_own else "")

    @contextmanager
    def translated(self, what: str) -> Iterator[None]:
        """Raise the app's errors in place of the client's; `what` names the call."""
        try:
            yield
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            if isinstance(error.__cause__, AppError):
                raise error.__cause__ from error  # What is uploaded could not be read: not the service's fault.
            raise self.of(error, what) from error
        except AzureError as error:
            raise self.no_token(error, what) from error
        except ValueError as error:
            raise Unavailable(
                f"The answer to the {what} did not come from the batch service ({type(error).__name__}): check "
                f"{self._address}; it is tried again"
            ) from error

    @contextmanager
    def reading(self, what: str) -> Iterator[None]:
        """Translate for calls that only read: no refusal is final, as the same can be read later."""
        try:
            with self.translated(what):
                yield
        except Refused as error:
            raise Unavailable(str(error)) from error

    @contextmanager
    def routed(self, what: str) -> Iterator[None]:
        """Translate for calls that name no object which could be missing: a 404 means a wrong address."""
        try:
            with self.translated(what):
                yield
        except NotFound as error:
            raise self._wrong_address(what, str(error)) from error

    def of(self, error: Exception, what: str) -> AppError:
        """Return the app's error for one of the client's."""
        if not isinstance(error, openai.APIStatusError):
            return NoAnswer(
                f"The batch service cannot be reached for the {what} ({type(error).__name__}): check {self._address} "
                "and the network; it is tried again"
            )
        status, code, wait = error.status_code, str(error.code or ""), wait_asked(error.response.headers)
        text = self._said(error)
        if status in (401, 403):
            return NotPermitted(f"The batch service does not permit the {what} ({status} {text}): {self._what_permits}")
        if _is_quota(error):
            return QuotaExceeded(f"The batch service rejected the {what}: quota exceeded ({status} {text})", wait)
        if status == 404:
            return NotFound(f"The batch service has no {what} ({text})")
        if status == 429 and code not in OUT_OF_MONEY:
            return Throttled(f"The batch service is throttling: it asks to repeat the {what} later ({text})", wait)
        if status in (408, 409) or status >= 500 or code in PASSING_CODES:
            return Unavailable(f"The batch service failed during the {what} ({status} {text})", wait)
        return Refused(f"The batch service rejected the {what} ({status} {text})", code)

    def of_creation(self, error: openai.OpenAIError) -> AppError:
        """Return the app's error for a creating call's: AnswerLost where it may have taken effect."""
        if isinstance(error, openai.APIConnectionError):
            never_sent = isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
            return self.of(error, CREATION) if never_sent else AnswerLost(f"The answer to the {CREATION} was lost")
        if not isinstance(error, openai.APIStatusError):
            return AnswerLost(f"The answer to the {CREATION} cannot be read")
        if error.status_code in DOUBTFUL:
            failure = f"{error.status_code} {self._said(error)}"
            return AnswerLost(f"The batch service failed during the {CREATION} ({failure})")
        if error.status_code == 404:
            return self._wrong_address(CREATION, self._said(error))
        return self.of(error, CREATION)

    def no_token(self, error: AzureError, what: str) -> AppError:
        """Return the app's error for a missing token; of azure-identity's error only the kind, as its text is long."""
        if isinstance(error, ClientAuthenticationError):
            key = f"set {self._key}" if self._key else f'name the "key" of {self._target.resource} in DEPLOYMENTS'
            return NotPermitted(
                f"There is no identity to sign in with for the {what} ({type(error).__name__}): {key}, "
                "or give the function app a managed identity (AZURE_CLIENT_ID names a user-assigned one)"
            )
        return Unavailable(f"Could not get a token for the {what} ({type(error).__name__}); it is tried again")

    def _wrong_address(self, what: str, said: str) -> Misconfigured:
        version = "AZURE_OPENAI_API_VERSION" if self._is_own else 'its "api_version"'
        return Misconfigured(
            f"The batch service found no such route, deployment or file for the {what} (404): check {self._address}, "
            f"{version} and the deployment's name. {said}"
        )

    @property
    def _address(self) -> str:
        """What to check if nothing answers, or something other than the service."""
        return "AZURE_OPENAI_ENDPOINT" if self._is_own else f"the endpoint {self._target.resource} in DEPLOYMENTS"

    @property
    def _what_permits(self) -> str:
        """What to do where a call is not permitted."""
        resource = self._target.resource
        if self._target.platform is Platform.OPENAI:
            return f"correct {self._key}, the setting with the key for {resource}, or what that key may do there"
        if self._is_own:
            return (
                f"give the app's identity the role {ROLE} on the Azure OpenAI resource, or correct {self._key} and the "
                "resource's network rules"
            )
        if self._key:
            return f"correct {self._key}, the setting with the key of {resource}, or that resource's network rules"
        return (
            f"give the app's identity the role {ROLE} on the Azure OpenAI resource {resource}, or correct that "
            "resource's network rules"
        )

    def _said(self, error: openai.APIStatusError) -> str:
        """Return the service's code and text; its texts about files and batches quote no prompt."""
        if isinstance(error.body, str) and not error.body.lstrip().startswith("<"):
            text = " ".join(error.body.split()) or type(error).__name__
        else:
            body = error.body if isinstance(error.body, Mapping) else {}
            text = f"{body.get('code') or ''} {body.get('message') or type(error).__name__}".strip()
        key = self._target.api_key
        return (text.replace(key, "***") if len(key) > 4 else text)[:400]


def _is_quota(error: openai.APIStatusError) -> bool:
    text = f"{error.code} {error.message}"
    return error.status_code in (400, 429) and ("token_limit_exceeded" in text or "quotaExceeded" in text)
