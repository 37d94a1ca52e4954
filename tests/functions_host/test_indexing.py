"""How the functions host finds an app's functions, and what it says where it cannot."""

import os
import textwrap
from pathlib import Path

import pytest

from local.functions_host import FunctionsHost, IndexingError, SettingsError
from tests.functions_host.conftest import SAMPLE_APP

SETTINGS = {"INBOX": "inbox", "SCHEDULE": "0 * * * * *"}


def app_in(folder: Path, code: str) -> Path:
    """Writes function_app.py with the usual beginning and the given functions."""
    beginning = "import typing\nimport azure.functions as func\n\napp = func.FunctionApp()\n"
    (folder / "function_app.py").write_text(beginning + textwrap.dedent(code), "utf-8")
    return folder


def test_all_functions_are_found(host: FunctionsHost) -> None:
    assert sorted((function.name, function.trigger.type) for function in host.functions) == [
        ("all_of_anything", "httpTrigger"),
        ("all_orders", "httpTrigger"),
        ("broken", "httpTrigger"),
        ("order", "httpTrigger"),
        ("read_as_stream", "blobTrigger"),
        ("read_as_text", "blobTrigger"),
        ("read_by_client", "blobTrigger"),
        ("read_on_event", "blobTrigger"),
        ("take_order", "queueTrigger"),
        ("take_poison", "queueTrigger"),
        ("tick", "timerTrigger"),
    ]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import no_such_module_anywhere", "no_such_module_anywhere"),
        ("", "Could not find top level function app|no function"),
        ("1 / 0", "ZeroDivisionError"),
        (
            """
            @app.queue_trigger(arg_name="m", queue_name="q", connection="S")
            @app.queue_output(arg_name="o", queue_name="p", connection="S")
            def take(m: func.QueueMessage, o: func.Out[list[str]]) -> None: ...
            """,
            "take.*invalid",
        ),
        (
            """
            @app.queue_trigger(arg_name="a_message", queue_name="q", connection="S")
            def take(a_message: func.QueueMessage) -> None: ...
            """,
            "The 'take' function is in error: The binding name a_message is invalid. Please assign a valid name",
        ),
        (
            """
            @app.timer_trigger(arg_name="t", schedule="often")
            def tick(t: func.TimerRequest) -> None: ...
            """,
            "Function tick: 'often' has 1 fields",
        ),
        (
            """
            @app.timer_trigger(arg_name="t", schedule="%NO_SUCH_SETTING%")
            def tick(t: func.TimerRequest) -> None: ...
            """,
            "Function tick: %NO_SUCH_SETTING% does not resolve",
        ),
        (
            """
            @app.event_hub_message_trigger(arg_name="e", event_hub_name="h", connection="S")
            def take(e: func.EventHubEvent) -> None: ...
            """,
            "Function take: the local host does not support eventHubTrigger",
        ),
        (
            """
            @app.timer_trigger(arg_name="t", schedule="0 * * * * *")
            @app.blob_output(arg_name="o", path="c/b", connection="S")
            def tick(t: func.TimerRequest, o: func.Out[str]) -> None: ...
            """,
            "Function tick: the local host does not support blob bindings",
        ),
    ],
)
def test_an_app_that_cannot_be_indexed_is_refused_with_the_reason(tmp_path: Path, code: str, message: str) -> None:
    with FunctionsHost(app_in(tmp_path, code)) as host, pytest.raises(IndexingError, match=f"(?s){message}"):
        host.start_indexing()


def test_a_folder_without_an_app_is_refused(tmp_path: Path) -> None:
    with FunctionsHost(tmp_path) as host, pytest.raises(IndexingError, match=r"no function_app\.py"):
        host.start_indexing()


def test_a_malformed_host_json_is_refused_by_naming_the_value(tmp_path: Path) -> None:
    app_in(tmp_path, "@app.route('x')\ndef x(req: func.HttpRequest) -> str:\n    return 'x'\n")
    (tmp_path / "host.json").write_text('{"extensions": {"queues": {"visibilityTimeout": "1 minute"}}}')
    with (
        FunctionsHost(tmp_path) as host,
        pytest.raises(IndexingError, match=r"extensions\.queues\.visibilityTimeout .*'1 minute'"),
    ):
        host.start_indexing()


def test_a_missing_connection_is_found_before_anything_runs() -> None:
    with FunctionsHost(SAMPLE_APP, SETTINGS) as host:
        host.start_indexing()
        with pytest.raises(SettingsError, match="Function read_by_client: Connection Storage"):
            host.check_connections()


@pytest.mark.parametrize(
    "form",
    [
        {"Storage__blobServiceUri": "https://a.example", "Storage__queueServiceUri": "https://b.example"},
        {"Storage__accountName": "account", "Storage__clientId": "00000000-0000-0000-0000-000000000000"},
    ],
)
def test_identity_based_connections_are_known(form: dict[str, str]) -> None:
    with FunctionsHost(SAMPLE_APP, {**SETTINGS, **form}) as host:
        host.start_indexing()
        host.check_connections()


def test_a_closed_host_leaves_the_environment_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INBOX", "before")
    monkeypatch.delenv("SCHEDULE", raising=False)
    with FunctionsHost(SAMPLE_APP, SETTINGS):
        assert os.environ["INBOX"] == "inbox"
    assert os.environ["INBOX"] == "before"
    assert "SCHEDULE" not in os.environ
