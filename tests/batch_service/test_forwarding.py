"""Rows that another endpoint answers: here a small one of the test's own, in place of a local model server."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from openai.types import Batch

from local.batch_service.server import RunningService, running_service
from tests.batch_service.conftest import errors, message, output, row, rows, submit

Answer = Callable[[str, dict[str, Any]], tuple[int, Any]]


class Endpoint:
    """An OpenAI-compatible endpoint that answers what the test says, and counts."""

    def __init__(self, answer: Answer) -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.most_at_once = self._now = 0
        self._lock = threading.Lock()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with endpoint._lock:
                    endpoint.requests.append((self.path, body))
                    endpoint._now += 1
                    endpoint.most_at_once = max(endpoint.most_at_once, endpoint._now)
                status, reply = answer(self.path, body)
                time.sleep(0.02)
                with endpoint._lock:
                    endpoint._now -= 1
                content = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"


@contextmanager
def _endpoint(answer: Answer) -> Iterator[Endpoint]:
    endpoint = Endpoint(answer)
    thread = threading.Thread(target=endpoint.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.server.shutdown()
        thread.join()
        endpoint.server.server_close()


def _echo(path: str, body: dict[str, Any]) -> tuple[int, Any]:
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    reply = {"role": "assistant", "content": f"echo of {body['model']}"}
    return 200, {"object": "chat.completion", "choices": [{"message": reply, "finish_reason": "stop"}], "usage": usage}


def _wait_for(client: OpenAI, batch: Batch, service: RunningService) -> Batch:
    """Poll until the batch has ended; the rows take real time, whatever the clock says."""
    deadline = time.monotonic() + 20
    while (found := client.batches.retrieve(batch.id)).status not in ("completed", "failed", "cancelled"):
        assert time.monotonic() < deadline
        service.advance(1)
        time.sleep(0.02)
    return found


def test_rows_are_answered_elsewhere_a_few_at_a_time() -> None:
    with (
        _endpoint(_echo) as endpoint,
        running_service(frozen=True, answers=endpoint.url) as service,
        OpenAI(base_url=f"{service.url}/v1", api_key="k") as client,
    ):
        batch = submit(service, client, rows(20))
        assert endpoint.requests == []
        ended = _wait_for(client, batch, service)
        found = output(client, ended)
        assert len(found) == len(endpoint.requests) == 20
        assert message(found["task-0"])["content"] == "echo of gpt-4o-batch"
        assert 1 < endpoint.most_at_once <= 4
        assert service.journal().totals["tokens"] == 20 * 7
        assert {path for path, _ in endpoint.requests} == {"/v1/chat/completions"}


def test_the_other_endpoint_may_have_a_model_of_another_name_and_fail() -> None:
    def answer(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        text = body["messages"][0]["content"]
        if "task-1" in text:
            return 400, {"error": {"code": "bad", "message": "Bad."}}
        return (200, b"no json") if "task-2" in text else _echo(path, body)

    with (
        _endpoint(answer) as endpoint,
        running_service({"answers": {"url": endpoint.url, "model": "tiny"}}, frozen=True) as service,
        OpenAI(base_url=f"{service.url}/v1", api_key="k") as client,
    ):
        ended = _wait_for(client, submit(service, client, rows(3)), service)
        assert message(output(client, ended)["task-0"])["content"] == "echo of tiny"
        failed = errors(client, ended)
        assert failed["task-1"]["response"]["body"]["error"]["code"] == "bad"
        assert failed["task-2"]["response"]["status_code"] == 502


def test_a_busy_endpoint_is_asked_again() -> None:
    asked: list[int] = []

    def answer(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        asked.append(1)
        return (429, {"error": {"code": "429"}}) if len(asked) == 1 else _echo(path, body)

    with (
        _endpoint(answer) as endpoint,
        running_service(frozen=True, answers=endpoint.url) as service,
        OpenAI(base_url=f"{service.url}/v1", api_key="k") as client,
    ):
        ended = _wait_for(client, submit(service, client, rows(1)), service)
        assert len(output(client, ended)) == 1
        assert len(asked) == 2


def test_responses_go_to_the_endpoint_of_their_own() -> None:
    def answer(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        return 200, {"object": "response", "path": path}

    with (
        _endpoint(answer) as endpoint,
        running_service(frozen=True, answers=endpoint.url) as service,
        OpenAI(base_url=f"{service.url}/v1", api_key="k") as client,
    ):
        line = row("a", url="/v1/responses", body={"model": "m", "input": "Hello"})
        ended = _wait_for(client, submit(service, client, [line]), service)
        assert output(client, ended)["a"]["response"]["body"]["path"] == "/v1/responses"


def test_a_batch_that_is_cancelled_asks_no_more() -> None:
    with (
        _endpoint(_echo) as endpoint,
        running_service(frozen=True, answers=endpoint.url) as service,
        OpenAI(base_url=f"{service.url}/v1", api_key="k") as client,
    ):
        batch = submit(service, client, rows(200))
        service.advance(2)
        client.batches.retrieve(batch.id)
        while len(endpoint.requests) < 8:
            time.sleep(0.01)
        client.batches.cancel(batch.id)
        ended = _wait_for(client, batch, service)
        assert ended.status == "cancelled"
        time.sleep(0.2)
        asked = len(endpoint.requests)
        assert asked < 200
        assert len(output(client, ended)) <= asked


@pytest.mark.parametrize("how", ["reset", "end"])
def test_a_service_that_is_reset_or_ends_asks_no_more(how: str) -> None:
    with _endpoint(_echo) as endpoint:
        with (
            running_service(frozen=True, answers=endpoint.url) as service,
            OpenAI(base_url=f"{service.url}/v1", api_key="k") as client,
        ):
            batch = submit(service, client, rows(400))
            service.advance(2)
            client.batches.retrieve(batch.id)
            while len(endpoint.requests) < 8:
                time.sleep(0.01)
            if how == "reset":
                service.reset()
                assert service.journal().billed == []
        asked = len(endpoint.requests)
        time.sleep(0.2)
        assert len(endpoint.requests) == asked < 400


def test_a_killed_services_rows_are_asked_on_after_its_restart(tmp_path: Path) -> None:
    with _endpoint(_echo) as endpoint:
        with (
            running_service(frozen=True, answers=endpoint.url, data=tmp_path) as service,
            OpenAI(base_url=f"{service.url}/v1", api_key="k") as client,
        ):
            batch = submit(service, client, rows(40))
            service.advance(2)
            client.batches.retrieve(batch.id)
            while len(endpoint.requests) < 8:
                time.sleep(0.01)
        with (
            running_service(frozen=True, data=tmp_path) as service,
            OpenAI(base_url=f"{service.url}/v1", api_key="k") as client,
        ):
            ended = _wait_for(client, batch, service)
            assert len(output(client, ended)) == 40
            assert len(endpoint.requests) < 40 + 8
