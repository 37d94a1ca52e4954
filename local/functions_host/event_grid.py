"""The endpoint that Event Grid posts to: greets a new subscription, and tells blob triggers what was written.

Like the real host's, but that it needs no key and answers once the function has run: there is no queue in between.
Source: https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from azure.core.exceptions import ResourceNotFoundError

from local.functions_host.blob_trigger import BlobTrigger
from local.functions_host.http_trigger import HttpCall, HttpResult

PATH: Final = "/runtime/webhooks/blobs"
_KINDS: Final = ("subscriptionvalidation", "notification", "unsubscribe")
_PREFIX: Final = "Host.Functions."
_SUBJECT: Final = re.compile(r"/blobServices/default/containers/([^/]+)/blobs/(.+)", re.DOTALL)


def answer(call: HttpCall, triggers: Mapping[str, BlobTrigger]) -> HttpResult:
    """Answer a call of the endpoint: 404 where it names no blob trigger, 400 where it is none of Event Grid's."""
    name = dict(parse_qsl(call.query)).get("functionName", "")
    trigger = triggers.get(name.removeprefix(_PREFIX))
    if trigger is None:
        return _text(404, f"There is no blob trigger {name!r}. Give one as functionName={_PREFIX}NAME.")
    kind = call.headers.get("aeg-event-type", "").lower()
    if kind not in _KINDS:
        return _text(400, "The header aeg-event-type must be SubscriptionValidation, Notification or Unsubscribe.")
    try:
        events = json.loads(call.body or b"[]")
        if kind == "subscriptionvalidation":
            return _greeted(events[0]["data"]["validationCode"])
        written = [place for event in events if (place := _written(event)) is not None]
    except (ValueError, LookupError, TypeError):
        return _text(400, "That is no list of Event Grid's events.")
    for container, blob in written:
        _deliver(trigger, container, blob)
    return HttpResult(202)


def _greeted(code: str) -> HttpResult:
    return _text(200, json.dumps({"validationResponse": code}), "application/json")


def _written(event: Mapping[str, Any]) -> tuple[str, str] | None:
    """Container and name of the blob that an event says was written; None for any other event."""
    found = _SUBJECT.fullmatch(event["subject"])
    is_created = event["eventType"] == "Microsoft.Storage.BlobCreated"
    return (found[1], found[2]) if found and is_created else None


def _deliver(trigger: BlobTrigger, container: str, blob: str) -> None:
    """Run the function; not for another container's blob, nor for one that is gone by now."""
    if not trigger.takes(container, blob):
        return
    try:
        version = trigger.current_version(blob)
    except ResourceNotFoundError:
        return
    trigger.deliver(version)


def _text(status: int, text: str, media: str = "text/plain; charset=utf-8") -> HttpResult:
    return HttpResult(status, (("content-type", media),), text.encode("utf-8"))
