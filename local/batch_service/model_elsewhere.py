"""Rows answered by a real model: any endpoint that speaks OpenAI's chat completions or Responses."""

import random
import threading
from types import TracebackType
from typing import Any, Self

import httpx2

from local.batch_service import json_text
from local.batch_service.scenario import USUAL_KEY, Forwarding

TRIES = 4
LONGEST_WAIT = 30.0
RETRIED = frozenset({408, 409, 429, 500, 502, 503, 504})
Reply = tuple[int, dict[str, Any]]


class ModelElsewhere:
    """A client of that endpoint. Its base address is written as for the openai client, as http://127.0.0.1:11434/v1."""

    def __init__(self, forwarding: Forwarding, stopping: threading.Event) -> None:
        self._model, self._key, self._stopping = forwarding.model, forwarding.key, stopping
        self._unreachable = False
        self._client = httpx2.Client(
            base_url=forwarding.url,
            headers={"authorization": f"Bearer {forwarding.key}"},
            timeout=httpx2.Timeout(forwarding.timeout, connect=min(5.0, forwarding.timeout)),
            limits=httpx2.Limits(max_connections=forwarding.concurrency),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def ask(self, body: dict[str, Any], responses: bool) -> Reply:
        """Return the status and the body of the answer; where there is none, a status of 503 and what went wrong.

        Busy or failing endpoints are asked up to four times, with growing waits that a stop ends. Once one could not
        be reached at all, the following rows try once, until it answers again.
        """
        request = body if self._model is None else {**body, "model": self._model}
        for attempt in range(1, TRIES + 1):
            reply, wait = self._once(request, responses)
            if wait is None or attempt == TRIES or self._unreachable:
                break
            pause = min(wait or 0.5 * 2**attempt * random.uniform(0.5, 1.5), LONGEST_WAIT)
            if self._stopping.wait(pause):
                break
        self._unreachable = reply[0] == 0
        return (503, reply[1]) if self._unreachable else reply

    def _once(self, body: dict[str, Any], responses: bool) -> tuple[Reply, float | None]:
        """Return the reply and the wait until another try: None where none is due, 0 where none is told.

        The status is 0 where there was no connection.
        """
        try:
            reply = self._client.post("responses" if responses else "chat/completions", json=body)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            text = f"The endpoint that answers the rows did not answer: {type(error).__name__}."
            status = 0 if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout) else 503
            return (status, {"error": {"code": "serviceUnavailable", "message": text}}), 0.0
        told = reply.headers.get("retry-after", "")
        wait = (float(told) if told.isascii() and told.isdigit() else 0.0) if reply.status_code in RETRIED else None
        return self._read(reply), wait

    def _read(self, reply: httpx2.Response) -> Reply:
        refused = reply.status_code >= 400
        try:
            # An endpoint may repeat a wrong key in its refusal, which goes into the results.
            hidden = refused and self._key != USUAL_KEY
            body = json_text.read(reply.content.replace(self._key.encode(), b"***") if hidden else reply.content)
        except ValueError:
            body = None
        if isinstance(body, dict):
            return reply.status_code, body
        text = "The endpoint that answers the rows did not answer with a JSON object."
        return max(reply.status_code, 502), {"error": {"code": "BadGateway", "message": text}}
