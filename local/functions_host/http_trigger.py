"""HTTP triggers: matches routes, checks keys, translates requests and responses.

Source: https://learn.microsoft.com/azure/azure-functions/functions-bindings-http-webhook-trigger
"""

import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl

from local.functions_host.invocation import Invoker
from local.functions_host.messages import Message, TypedData
from local.functions_host.worker import Function, InvocationError

_DEFAULT_METHODS = ("GET", "POST")


@dataclass(frozen=True)
class HttpResult:
    """A response: its status, headers and body."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def json(self) -> Any:
        """Return the body parsed as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class HttpCall:
    """A request; header names in lower case, the query as it stands in the address."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class HttpTrigger:
    """The trigger of one function."""

    def __init__(self, function: Function, invoker: Invoker, route_prefix: str, function_key: str) -> None:
        """`function_key` opens every function that is not anonymous."""
        self.function = function
        self._invoker = invoker
        self._key = function_key
        options = function.trigger.options
        self.is_open = str(options.get("authLevel", "FUNCTION")).upper() == "ANONYMOUS"
        self.methods = tuple(str(method).upper() for method in options.get("methods") or _DEFAULT_METHODS)
        route = str(options.get("route") or function.name).strip("/")
        self.route = "/".join(part for part in (route_prefix, route) if part)
        self._pattern = _route_pattern(self.route)

    @property
    def rank(self) -> tuple[int, ...]:
        """Sort routes, the most specific first: literal segments before parameters before the rest of a path."""
        return tuple(2 if part.startswith("{*") else int("{" in part) for part in self.route.split("/"))

    def match(self, call: HttpCall) -> dict[str, str] | None:
        """Return the route's parameters, None where method or path don't match."""
        found = self._pattern.fullmatch(call.path) if call.method in self.methods else None
        return {name: value for name, value in found.groupdict().items() if value} if found else None

    def answer(self, call: HttpCall, parameters: Mapping[str, str]) -> HttpResult:
        """Check the key and run the function: 401 without the key, 500 where the function raises."""
        query = dict(_joined(parse_qsl(call.query)))
        if not self.is_open and not has_key(call, self._key):
            return HttpResult(401)
        host = call.headers.get("host", "localhost")
        request = Message(
            method=call.method,
            url=f"http://{host}{call.path}" + (f"?{call.query}" if call.query else ""),
            headers=dict(call.headers),
            params=dict(parameters),
            query=query,
            body=TypedData(bytes=call.body) if call.body else TypedData(),
        )
        try:
            returned = self._invoker.run(self.function, f"{call.method} {call.path}", TypedData(http=request))
        except InvocationError:
            return HttpResult(500)
        return _result(returned)


def route_call(triggers: Iterable[HttpTrigger], call: HttpCall) -> HttpResult:
    """Answer a request by the most specific route that matches; 404 where none does, as for a method no route has.

    The root, where no function has it, lists what there is.
    """
    ranked = sorted(triggers, key=lambda trigger: trigger.rank)
    for trigger in ranked:
        parameters = trigger.match(call)
        if parameters is not None:
            return trigger.answer(call, parameters)
    if call.path in ("", "/") and call.method in ("GET", "HEAD"):
        return _overview(ranked)
    return HttpResult(404)


def has_key(call: HttpCall, key: str) -> bool:
    """Tell whether a request carries a key, in the header x-functions-key or as ?code=…"""
    given = call.headers.get("x-functions-key") or dict(parse_qsl(call.query)).get("code") or ""
    return hmac.compare_digest(given.encode(), key.encode())


def _overview(triggers: Iterable[HttpTrigger]) -> HttpResult:
    lines = [
        f"  {', '.join(one.methods):<8} /{one.route}{'' if one.is_open else '   (function key)'}" for one in triggers
    ]
    text = "\n".join(["The functions are running. Their HTTP routes:", "", *lines, ""])
    return HttpResult(200, (("content-type", "text/plain; charset=utf-8"),), text.encode("utf-8"))


def _route_pattern(route: str) -> re.Pattern[str]:
    """Turn a template with {name}, {name:int}, {name?} and {*rest} into a regular expression."""
    pattern = ""
    for part in route.split("/"):
        optional = re.fullmatch(r"\{(\w+)\?\}", part)
        if optional:
            pattern += f"(?:/(?P<{optional[1]}>[^/]+))?"
        else:
            pattern += "/" + "".join(_piece(piece) for piece in re.split(r"(\{[^}]*\})", part))
    return re.compile(pattern + "/?", re.IGNORECASE)


def _piece(piece: str) -> str:
    name = re.fullmatch(r"\{(\*?)(\w+)(?::(\w+))?\}", piece)
    if not name:
        return re.escape(piece)
    return f"(?P<{name[2]}>{'.*' if name[1] else '-?[0-9]+' if name[3] in ('int', 'long') else '[^/]+'})"


def _joined(pairs: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Join the values of a name that is given more than once by commas."""
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return ((name, ",".join(several)) for name, several in values.items())


def _result(returned: TypedData | None) -> HttpResult:
    if returned is None:
        return HttpResult(204)
    match returned.WhichOneof("data"):
        case "http":
            answer = returned.http
            return HttpResult(int(answer.status_code), _headers(answer), _bytes(answer.body))
        case "json":
            return HttpResult(200, (("content-type", "application/json"),), _bytes(returned))
        case _:
            return HttpResult(200, (("content-type", "text/plain; charset=utf-8"),), _bytes(returned))


def _headers(answer: Any) -> tuple[tuple[str, str], ...]:
    headers = [(str(name).lower(), str(value)) for name, value in answer.headers.items()]
    return (*headers, *(("set-cookie", _cookie(cookie)) for cookie in answer.cookies or ()))


def _cookie(cookie: Any) -> str:
    morsel = SimpleCookie({cookie.name: cookie.value})[cookie.name]
    for attribute, nullable in (
        ("domain", cookie.domain),
        ("path", cookie.path),
        ("secure", cookie.secure),
        ("httponly", cookie.http_only),
        ("max-age", cookie.max_age),
    ):
        if nullable is not None and nullable.value:
            morsel[attribute] = int(nullable.value) if attribute == "max-age" else nullable.value
    if cookie.expires is not None:
        morsel["expires"] = formatdate(cookie.expires.value.seconds, usegmt=True)
    morsel["samesite"] = {1: "Lax", 2: "Strict", 3: "None"}.get(cookie.same_site, "")
    return morsel.OutputString()


def _bytes(value: TypedData) -> bytes:
    content = next(iter(vars(value).values()), b"")
    return content if isinstance(content, bytes) else str(content).encode("utf-8")
