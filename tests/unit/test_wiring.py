"""The app is put together once, however many triggers ask for it at the same moment."""

import os
import threading
import time
from typing import Any

import pytest
from azure.core.pipeline.transport import RequestsTransport

from shared import wiring
from shared.wiring import _Once

EMULATOR = "BlobEndpoint=http://127.0.0.1:10000/a;TableEndpoint=http://127.0.0.1:10002/a"


def test_many_first_invocations_make_the_app_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def build(environment: Any) -> object:
        time.sleep(0.05)  # Long enough for all to ask meanwhile.
        made.append(object())
        return made[-1]

    monkeypatch.setattr(wiring, "build", build)
    monkeypatch.setattr(wiring, "_app", _Once(lambda: wiring.build({})))
    barrier, found = threading.Barrier(8), []

    def ask() -> None:
        barrier.wait()
        found.append(wiring.app())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 1
    assert found == made * 8


def test_an_app_that_could_not_be_made_is_tried_again() -> None:
    answers = iter([ValueError("settings"), "app"])

    def make() -> object:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    once = _Once(make)
    with pytest.raises(ValueError, match="settings"):
        once.get()
    assert (once.get(), once.get()) == ("app", "app")


@pytest.mark.parametrize(
    ("variables", "place", "looks"),
    [
        ({}, "EndpointSuffix=core.windows.net", False),
        ({"HTTPS_PROXY": "http://proxy.example:3128"}, "EndpointSuffix=core.windows.net", True),
        ({"REQUESTS_CA_BUNDLE": "/etc/ssl/company.pem"}, "EndpointSuffix=core.windows.net", True),
        ({"HTTPS_PROXY": "http://proxy.example:3128"}, EMULATOR, False),
        ({"REQUESTS_CA_BUNDLE": "/etc/ssl/company.pem"}, EMULATOR, False),
    ],
)
def test_storage_clients_look_into_the_environment_only_where_it_says_anything_of_the_network(
    variables: dict[str, str], place: str, looks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [*os.environ]:
        if name.lower().endswith("_proxy") or name in wiring.CERTIFICATES:
            monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    told: list[object] = []
    make = RequestsTransport.__init__

    def noting(self: RequestsTransport, **options: Any) -> None:
        told.append(options.get("use_env_settings", True))
        make(self, **options)

    monkeypatch.setattr(RequestsTransport, "__init__", noting)
    account = f"AccountName=a;AccountKey=a2V5;{place}"
    wiring.build({"BatchStorage": account, "AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com"})

    assert told == [looks, looks]  # Blobs and the table; the queues' client is made when it is first used.
