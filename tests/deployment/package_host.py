"""Runs a packaged app once, from drop to results: PYTHON package_host.py PACKAGE, settings and event as JSON on stdin.

Its Python holds the package's requirements alone; beside them only local.functions_host, by PYTHONPATH, which takes the
place of the real host. It prints one JSON object.
"""

import json
import sys
import time
from pathlib import Path

from azure.storage.blob import BlobServiceClient, ContainerClient

from local.functions_host import FunctionsHost

SECONDS = 40


def main() -> None:
    """Drop a prompt file, post its event, work off timer and queues until the job has ended, and print the end."""
    package, (settings, event) = Path(sys.argv[1]), json.load(sys.stdin)
    name = event["subject"].rpartition("/")[2]
    storage = BlobServiceClient.from_connection_string(settings["BatchStorage"])
    prompts = storage.create_container(settings["PROMPTS_CONTAINER"])
    prompts.upload_blob(name, "Prompt,Required\nHow high is the Eiffel Tower?,HeightInMetres: number\n")
    with FunctionsHost(package, settings, "key", system_key="system key") as host:
        host.start_indexing()
        host.check_connections()
        answered = _post(host, event)
        status = _work_until_ended(host, storage.get_container_client(settings["RESULTS_CONTAINER"]), name)
        listed = host.http("GET", "/api/jobs", key="key")
        functions = [function.name for function in host.functions]
        import shared

        print(
            json.dumps(
                {
                    "functions": functions,
                    "answered": answered,
                    "status": status,
                    "listed": json.loads(listed.body),
                    "shared": shared.__file__,
                }
            )
        )


def _post(host: FunctionsHost, event: dict[str, object]) -> int:
    """Post an event as Event Grid does; the answer's status."""
    return host.http(
        "POST",
        "/runtime/webhooks/blobs",
        query="functionName=Host.Functions.submit_prompts&code=system%20key",
        headers={"aeg-event-type": "Notification", "Content-Type": "application/json"},
        body=json.dumps([event]).encode(),
    ).status


def _work_until_ended(host: FunctionsHost, results: ContainerClient, name: str) -> dict[str, object] | None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        host.run_timer("poll_batches")
        host.run_queue_once("submit_batch")
        host.run_queue_once("complete_batch")
        status = _status(results, name)
        if status is not None and status["state"] in ("completed", "failed", "cancelled"):
            return status
        time.sleep(0.2)
    return _status(results, name)


def _status(results: ContainerClient, name: str) -> dict[str, object] | None:
    for blob in results.list_blobs(name_starts_with=f"{name}/"):
        if blob.name.endswith("/status.json"):
            found: dict[str, object] = json.loads(results.download_blob(blob.name).readall())
            return found
    return None


if __name__ == "__main__":
    main()
