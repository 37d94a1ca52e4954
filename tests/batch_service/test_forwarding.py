"""Rows that another endpoint answers: here a small one of the test's own, in place of a local model server."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any
from unittest import mock

import httpx2
import pytest
from openai import OpenAI
from openai.types import Batch

from local.batch_service.server import RunningService, running_service
from testing.paths import PROJECT
from tests.batch_service.conftest import errors, lines_of, message, output, row, rows, submit

Answer = Callable[[str, dict[str, Any]], tuple[int, Any]]


class Endpoint:
    """An OpenAI-compatible endpoint that answers what the test says, and counts."""

    def __init__(self, answer: Answer, headers: Mapping[str, str]) -> None:
        self.keys: set[str] = set()
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.most_at_once = self._now = 0
        self._lock = threading.Lock()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with endpoint._lock:
                    endpoint.requests.append((self.path, body))
                    endpoint.keys.add(self.headers["authorization"])
                    endpoint._now += 1
                    endpoint.most_at_once = max(endpoint.most_at_once, endpoint._now)
                status, reply = answer(self.path, body)
                time.sleep(0.02)
                with endpoint._lock:
                    endpoint._now -= 1
                content = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"


@contextmanager
def _endpoint(answer: Answer, headers: Mapping[str, str] = MappingProxyType({})) -> Iterator[Endpoint]:
    endpoint = Endpoint(answer, headers)
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


def test_a_slow_row_does_not_hold_up_the_others() -> None:
    def answer(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if "(task-0)" in body["messages"][0]["content"]:
            deadline = time.monotonic() + 10
            while len(endpoint.requests) < 20 and time.monotonic() < deadline:
                time.sleep(0.01)
        return _echo(path, body)

    with (
        _endpoint(answer) as endpoint,
        running_service({"batches": [{"row_order": "input"}]}, frozen=True, answers=endpoint.url) as service,
        OpenAI(base_url=f"{service.url}/v1", api_key="k") as client,
    ):
        started = time.monotonic()
        ended = _wait_for(client, submit(service, client, rows(20)), service)
        assert time.monotonic() - started < 8
        found = lines_of(client, ended.output_file_id)
        assert [line["custom_id"] for line in found] == [f"task-{number}" for number in range(20)]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_endpoint_that_stays_busy_is_asked_four_times_and_its_answer_is_the_rows(status: int) -> None:
    headers = {"retry-after": "0"}
    with (
        _endpoint(lambda path, body: (status, {"error": {"code": "busy", "message": "Busy."}}), headers) as endpoint,
        running_service(frozen=True, answers=endpoint.url) as service,
        OpenAI(base_url=f"{service.url}/v1", api_key="k") as client,
        mock.patch("random.uniform", return_value=0.01),
    ):
        ended = _wait_for(client, submit(service, client, rows(2)), service)
        assert len(endpoint.requests) == 2 * 4
        failed = errors(client, ended)
        assert {line["response"]["status_code"] for line in failed.values()} == {status}
        assert ended.status == "completed"


def test_an_endpoint_that_hangs_is_given_up_after_its_timeout() -> None:
    def hang(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        time.sleep(0.4)
        return _echo(path, body)

    with (
        _endpoint(hang) as endpoint,
        running_service({"answers": {"url": endpoint.url, "timeout": 0.1}}, frozen=True) as service,
        OpenAI(base_url=f"{service.url}/v1", api_key="k") as client,
        mock.patch("random.uniform", return_value=0.01),
    ):
        ended = _wait_for(client, submit(service, client, rows(2)), service)
        (error,) = {line["response"]["body"]["error"]["message"] for line in errors(client, ended).values()}
        assert error.endswith("ReadTimeout.")


def test_an_endpoint_that_is_not_there_fails_the_rows_soon() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with (
        running_service(frozen=True, answers=f"http://127.0.0.1:{port}/v1") as service,
        OpenAI(base_url=f"{service.url}/v1", api_key="k") as client,
        mock.patch("random.uniform", return_value=0.01),
    ):
        started = time.monotonic()
        ended = _wait_for(client, submit(service, client, rows(50)), service)
        assert time.monotonic() - started < 10
        failed = errors(client, ended)
        assert len(failed) == 50
        assert {line["response"]["status_code"] for line in failed.values()} == {503}


def test_the_endpoints_key_is_sent_and_told_nowhere(tmp_path: Path) -> None:
    secret = "sk-very-secret"

    def refuse(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        return 401, {"error": {"code": "invalid_api_key", "message": f"Incorrect API key provided: {secret}."}}

    with _endpoint(refuse) as endpoint:
        answers = {"url": endpoint.url, "key": secret}
        with (
            running_service({"answers": answers}, frozen=True, data=tmp_path) as service,
            OpenAI(base_url=f"{service.url}/v1", api_key="k") as client,
        ):
            ended = _wait_for(client, submit(service, client, rows(2)), service)
            failed = errors(client, ended)
            told = httpx2.get(f"{service.url}/_local/scenario").text
        assert endpoint.keys == {f"Bearer {secret}"}
        assert "***" in json.dumps(failed)
        assert secret not in json.dumps(failed) + told
        assert [path for path in tmp_path.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()] == []


def test_after_a_restart_the_key_of_the_start_goes_on(tmp_path: Path) -> None:
    with _endpoint(_echo) as endpoint:
        form = {"answers": {"url": endpoint.url, "key": "sk-secret"}}
        for _ in range(2):
            with (
                running_service(form, frozen=True, data=tmp_path) as service,
                OpenAI(base_url=f"{service.url}/v1", api_key="k") as client,
            ):
                found = list(client.batches.list())
                batch = found[0] if found else submit(service, client, rows(2))
                if found:
                    assert len(output(client, _wait_for(client, batch, service))) == 2
        assert endpoint.keys == {"Bearer sk-secret"}


@pytest.mark.parametrize("url", ["", "localhost:11434", "ftp://host/v1", "http://"])
def test_an_address_that_is_not_one_is_refused_at_the_start(url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local.batch_service", "--answers", url, "--answers-key", "sk-secret"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=PROJECT,
    )
    assert done.returncode == 2
    assert "url" in done.stderr
    assert "sk-secret" not in done.stderr


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
