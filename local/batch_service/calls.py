"""Every call of the API: written into the journal, and refused, delayed, dropped or cut where the scenario says so."""

import asyncio
import secrets

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local.batch_service import json_text
from local.batch_service.errors import ServiceError, default_error
from local.batch_service.scenario import CallAnswer, CallRule
from local.batch_service.service import Service

FAMILIES = ("/openai/v1", "/openai", "/v1")


def api_path(path: str) -> str | None:
    """Return the path behind the route family's prefix; None where it belongs to no family."""
    for family in FAMILIES:
        if path == family or path.startswith(f"{family}/"):
            return path.removeprefix(family)
    return None


class Calls:
    """The outermost layer of the application. `scope["abort"]`, where given, breaks the connection at once."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call."""
        path = api_path(scope["path"]) if scope["type"] == "http" else None
        if path is None:
            await self._app(scope, receive, send)
            return
        rule = self._service.scripts.current.call_rule(scope["method"], path)
        await _Call(scope, receive, send, rule, self._service).run(self._app)


class _Call:
    """One call, and what its rule does to it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, rule: CallRule | None, service: Service) -> None:
        self._scope, self._receive, self._send, self._rule, self._service = scope, receive, send, rule, service
        self._at = service.clock.now()
        self._left = None if rule is None else rule.cut
        self._broken = False

    def _note(self, status: int | None) -> None:
        """Write the call into the journal, before the caller can know how it ended."""
        fault = None if self._rule is None else _named(self._rule)
        self._service.database.log_call(self._at, self._scope["method"], self._scope["path"], status, fault)

    async def run(self, app: ASGIApp) -> None:
        rule = self._rule
        if rule is not None:
            await asyncio.sleep(rule.delay)
            if rule.drop == "before":
                self._note(None)
                return await self._abort()
            if rule.answer is not None:
                return await self._refuse(rule.answer)
        try:
            await app(self._scope, self._receive, self._noting if rule is None else self._bending)
        except ClientDisconnect:
            return None  # the caller has gone, so there is no one to answer
        if rule is not None and rule.drop == "after":
            self._note(None)
            await self._abort()
        return None

    async def _noting(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._note(message["status"])
            message = {**message, "headers": [*message.get("headers", ()), *_request_ids()]}
        await self._send(message)

    async def _bending(self, message: Message) -> None:
        assert self._rule is not None
        if self._rule.drop == "after" or self._broken:
            return
        if self._left is None:
            await self._noting(message)
        elif message["type"] == "http.response.start":
            await self._noting(self._shortened(message))
        else:
            await self._cut(message)

    def _shortened(self, start: Message) -> Message:
        """Promise no more bytes than will come, where the answer shall look whole."""
        assert self._rule is not None
        if self._rule.cut_as == "broken":
            return start
        headers = [
            (name, str(min(int(value), self._left or 0)).encode() if name == b"content-length" else value)
            for name, value in start["headers"]
        ]
        return {**start, "headers": headers}

    async def _cut(self, message: Message) -> None:
        assert self._rule is not None
        assert self._left is not None
        body = message.get("body", b"")
        sent, self._left = body[: self._left], max(0, self._left - len(body))
        if len(sent) < len(body) and self._rule.cut_as == "broken":
            self._broken = True
            await self._send({"type": "http.response.body", "body": sent, "more_body": True})
            # Let the bytes leave before the connection goes.
            await asyncio.sleep(0.05)
            await self._abort()
        else:
            await self._send({**message, "body": sent})

    async def _refuse(self, answer: CallAnswer) -> None:
        await self._drain()
        usual = default_error(answer.status)
        error = ServiceError(answer.status, answer.code or usual.code, answer.message or usual.message)
        body = json_text.write(error.body())
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if answer.retry_after is not None:
            headers.append((b"retry-after", f"{answer.retry_after:g}".encode()))
        if answer.retry_after_ms is not None:
            headers.append((b"retry-after-ms", str(answer.retry_after_ms).encode()))
        await self._noting({"type": "http.response.start", "status": answer.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def _drain(self) -> None:
        """Read the request to its end: a caller that is still sending would not see the answer."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                return

    async def _abort(self) -> None:
        if "abort" not in self._scope:
            raise RuntimeError("Connections can be dropped only where the service runs in its own server.")
        self._scope["abort"]()
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _named(rule: CallRule) -> str:
    """Return the rule's name in the journal."""
    if rule.drop is not None:
        return f"dropped {rule.drop}"
    if rule.answer is not None:
        return "refused"
    return "cut" if rule.cut is not None else "slow"


def _request_ids() -> list[tuple[bytes, bytes]]:
    identifier = secrets.token_hex(16).encode()
    return [(b"apim-request-id", identifier), (b"x-request-id", identifier)]
