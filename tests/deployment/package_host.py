"""Runs a packaged app once, from drop to results: PYTHON package_host.py PACKAGE, its app settings as JSON on stdin.

Its Python holds the package's requirements alone; beside them only local.host, by PYTHONPATH, which takes the place of
the real host. It prints one JSON object.
"""

import json
import sys
import time
from pathlib import Path

from azure.storage.blob import BlobServiceClient, ContainerClient

from local.host import FunctionsHost

SECONDS = 40


def main() -> None:
    """Drop a prompt file, deliver its event, work off timer and queues until the job has ended, and print the end."""
    package, settings = Path(sys.argv[1]), json.load(sys.stdin)
    storage = BlobServiceClient.from_connection_string(settings["BatchStorage"])
    prompts = storage.create_container(settings["PROMPTS_CONTAINER"])
    prompts.upload_blob("towers.csv", "Prompt,Required\nHow high is the Eiffel Tower?,HeightInMetres: number\n")
    with FunctionsHost(package, settings, "key") as host:
        host.start_indexing()
        host.check_connections()
        delivered = host.deliver_blob("submit_prompts", "towers.csv")
        status = _work_until_ended(host, storage.get_container_client(settings["RESULTS_CONTAINER"]))
        listed = host.http("GET", "/api/jobs", key="key")
        functions = [function.name for function in host.functions]
        import shared

        print(
            json.dumps(
                {
                    "functions": functions,
                    "delivered": delivered,
                    "status": status,
                    "listed": json.loads(listed.body),
                    "shared": shared.__file__,
                }
            )
        )


def _work_until_ended(host: FunctionsHost, results: ContainerClient) -> dict[str, object] | None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        host.run_timer("poll_batches")
        host.run_queue_once("submit_batch")
        host.run_queue_once("complete_batch")
        status = _status(results)
        if status is not None and status["state"] in ("completed", "failed", "cancelled"):
            return status
        time.sleep(0.2)
    return _status(results)


def _status(results: ContainerClient) -> dict[str, object] | None:
    for blob in results.list_blobs(name_starts_with="towers.csv/"):
        if blob.name.endswith("/status.json"):
            found: dict[str, object] = json.loads(results.download_blob(blob.name).readall())
            return found
    return None


if __name__ == "__main__":
    main()
