"""The endpoint that Event Grid posts to: greets a new subscription, and tells blob triggers what was written.

Like the real host's, it asks for the system key blobs_extension, takes an unknown function's name, and delivers every
event whose blob exists, of another container or about a deletion too: filtering is the subscription's part. Unlike it,
it answers once the function has run: there is no queue in between.
Sources: https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage and, of azure-sdk-for-net,
BlobQueueTriggerExecutor.cs.
"""

import json
import logging
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from local.functions_host.blob_trigger import BlobTrigger
from local.functions_host.http_trigger import HttpCall, HttpResult, has_key

_log = logging.getLogger(__name__)
PATH: Final = "/runtime/webhooks/blobs"
_KINDS: Final = ("subscriptionvalidation", "notification", "unsubscribe")
_PREFIX: Final = "Host.Functions."
_SUBJECT: Final = re.compile(r"/blobServices/default/containers/([^/]+)/blobs/(.+)", re.DOTALL)


def answer(call: HttpCall, triggers: Mapping[str, BlobTrigger], system_key: str) -> HttpResult:
    """Answer a call of the endpoint: 401 without the system key, 400 for what Event Grid wouldn't send."""
    if not system_key or not has_key(call, system_key):
        return HttpResult(401)
    kind = call.headers.get("aeg-event-type", "").lower()
    if kind not in _KINDS:
        return _text(400, "The header aeg-event-type must be SubscriptionValidation, Notification or Unsubscribe.")
    try:
        events = json.loads(call.body or b"[]")
        if kind == "subscriptionvalidation":
            return _greeted(events[0]["data"]["validationCode"])
        blobs = [place for event in events if (place := _blob_of(event)) is not None]
    except (ValueError, LookupError, TypeError):
        return _text(400, "That is not a list of Event Grid events.")
    name = dict(parse_qsl(call.query)).get("functionName", "")
    trigger = triggers.get(name.removeprefix(_PREFIX))
    if trigger is None:
        _log.warning("Events for %r are dropped: no blob trigger has that name", name)
        return HttpResult(202)
    for container, blob in blobs:
        trigger.deliver_event(container, blob)
    return HttpResult(202)


def _greeted(code: str) -> HttpResult:
    return _text(200, json.dumps({"validationResponse": code}), "application/json")


def _blob_of(event: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return container and name of the blob that an event is about, whatever happened to it; None for other events."""
    found = _SUBJECT.fullmatch(event["subject"])
    return (found[1], found[2]) if found else None


def _text(status: int, text: str, media: str = "text/plain; charset=utf-8") -> HttpResult:
    return HttpResult(status, (("content-type", media),), text.encode("utf-8"))
