"""Rows answered by a real model: any endpoint that speaks OpenAI's chat completions or Responses."""

import random
import time
from types import TracebackType
from typing import Any, Self

import httpx2

from local.batch_service.scenario import Forwarding

TRIES = 4
LONGEST_WAIT = 30.0
RETRIED = frozenset({408, 409, 429, 500, 502, 503, 504})


class ModelElsewhere:
    """A client of that endpoint. Its base address is written as for the openai client, as http://127.0.0.1:11434/v1."""

    def __init__(self, forwarding: Forwarding) -> None:
        self._model = forwarding.model
        self._client = httpx2.Client(
            base_url=forwarding.url,
            headers={"authorization": f"Bearer {forwarding.key}"},
            timeout=forwarding.timeout,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def ask(self, body: dict[str, Any], responses: bool) -> tuple[int, dict[str, Any]]:
        """Return the status and the body of the answer; where there is none, a status of 503 and what went wrong."""
        request = body if self._model is None else {**body, "model": self._model}
        for attempt in range(1, TRIES):
            status, answer, wait = self._once(request, responses)
            if wait is None:
                return status, answer
            time.sleep(min(wait or 0.5 * 2**attempt * random.uniform(0.5, 1.5), LONGEST_WAIT))
        return self._once(request, responses)[:2]

    def _once(self, body: dict[str, Any], responses: bool) -> tuple[int, dict[str, Any], float | None]:
        """Return status, body, and the wait until another try: None where none is due, 0 where none is told."""
        try:
            reply = self._client.post("responses" if responses else "chat/completions", json=body)
        except httpx2.HTTPError as error:
            text = f"The endpoint that answers the rows did not answer: {type(error).__name__}."
            return 503, {"error": {"code": "serviceUnavailable", "message": text}}, 0.0
        told = reply.headers.get("retry-after", "")
        wait = (float(told) if told.isdigit() else 0.0) if reply.status_code in RETRIED else None
        return *_read(reply), wait


def _read(reply: httpx2.Response) -> tuple[int, dict[str, Any]]:
    try:
        body = reply.json()
    except ValueError:
        body = None
    if isinstance(body, dict):
        return reply.status_code, body
    text = "The endpoint that answers the rows did not answer with a JSON object."
    return max(reply.status_code, 502), {"error": {"code": "BadGateway", "message": text}}
