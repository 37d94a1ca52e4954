"""The triggers: each translates what comes in, calls one use case, and translates what goes out.

Importing this only defines functions, so that all are indexed even with an empty environment.
"""

import os
from typing import cast

import azure.functions as func
from azurefunctions.extensions.bindings.blob import BlobClient

from shared import wiring
from shared.adapters import storage_queues
from shared.pipeline import poison, receiving, steps
from shared.pipeline.poll import polling
from shared.settings import setting_or_default
from shared.web import api, result_routes
from shared.web.response import Response
from shared.web.status_page import status_page

STORAGE = "BatchStorage"
# A malformed name or schedule would hide a function or end the whole host before anything can be reported. So the
# functions are indexed with the default, and each run reports the settings at fault.
PROMPTS = setting_or_default("PROMPTS_CONTAINER", os.environ)
SUBMISSIONS = setting_or_default("SUBMISSIONS_QUEUE", os.environ)
COMPLETIONS = setting_or_default("COMPLETIONS_QUEUE", os.environ)
SOURCE = cast(func.BlobSource, setting_or_default("PROMPTS_TRIGGER_SOURCE", os.environ))
SCHEDULE = setting_or_default("POLL_SCHEDULE", os.environ)

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.function_name("submit_prompts")
@app.blob_trigger(arg_name="blob", path=f"{PROMPTS}/{{name}}", connection=STORAGE, source=SOURCE)
def submit_prompts(blob: BlobClient) -> None:
    """Reserve the job of a dropped prompt file, and do at once as many of its steps as time allows."""
    records = receiving.receive(wiring.app(), blob.blob_name)
    if records is not None:
        steps.advance(records)


@app.function_name("submit_batch")
@app.queue_trigger(arg_name="message", queue_name=SUBMISSIONS, connection=STORAGE)
def submit_batch(message: func.QueueMessage) -> None:
    """Build a job's batches, or submit one of them."""
    steps.handle(wiring.app(), storage_queues.from_text(message.get_body().decode()))


@app.function_name("poll_batches")
@app.timer_trigger(arg_name="timer", schedule=SCHEDULE)
def poll_batches(timer: func.TimerRequest) -> None:
    """Ask the service about all open batches, and start what is due."""
    polling.poll(wiring.app())


@app.function_name("complete_batch")
@app.queue_trigger(arg_name="message", queue_name=COMPLETIONS, connection=STORAGE)
def complete_batch(message: func.QueueMessage) -> None:
    """Collect a batch that has ended, or assemble the results of a job that is collected."""
    steps.handle(wiring.app(), storage_queues.from_text(message.get_body().decode()))


@app.function_name("on_poisoned_submission")
@app.queue_trigger(arg_name="message", queue_name=f"{SUBMISSIONS}-poison", connection=STORAGE)
def on_poisoned_submission(message: func.QueueMessage) -> None:
    """Let the job of a submission that failed for good say so."""
    _record_poisoned(message)


@app.function_name("on_poisoned_completion")
@app.queue_trigger(arg_name="message", queue_name=f"{COMPLETIONS}-poison", connection=STORAGE)
def on_poisoned_completion(message: func.QueueMessage) -> None:
    """Let the job of a completion that failed for good say so."""
    _record_poisoned(message)


def _record_poisoned(message: func.QueueMessage) -> None:
    """Record a poisoned message. This must not fail, or the message returns every ten minutes for a week."""
    found = storage_queues.poisoned_message(message.get_body())
    if found is None:
        poison.report_foreign()
    else:
        poison.record(wiring.app(), found)


@app.function_name("list_jobs")
@app.route(route="jobs", methods=["GET"])
def list_jobs(req: func.HttpRequest) -> func.HttpResponse:
    """List the jobs, newest first."""
    return _response(api.list_response(wiring.app, dict(req.params)))


@app.function_name("get_job")
@app.route(route="jobs/{job_id}", methods=["GET"])
def get_job(req: func.HttpRequest) -> func.HttpResponse:
    """Return a job's status.json."""
    return _response(api.job_response(wiring.app, req.route_params["job_id"]))


@app.function_name("cancel_job")
@app.route(route="jobs/{job_id}/cancel", methods=["POST"])
def cancel_job(req: func.HttpRequest) -> func.HttpResponse:
    """Cancel a job."""
    return _response(api.cancel_response(wiring.app, req.route_params["job_id"]))


@app.function_name("release_job")
@app.route(route="jobs/{job_id}/release", methods=["POST"])
def release_job(req: func.HttpRequest) -> func.HttpResponse:
    """Release a held job."""
    return _response(api.release_response(wiring.app, req.route_params["job_id"]))


@app.function_name("retry_job")
@app.route(route="jobs/{job_id}/retry", methods=["POST"])
def retry_job(req: func.HttpRequest) -> func.HttpResponse:
    """Try the failed rows of an ended job again."""
    return _response(api.retry_response(wiring.app, req.route_params["job_id"]))


@app.function_name("list_files")
@app.route(route="jobs/{job_id}/files", methods=["GET"])
def list_files(req: func.HttpRequest) -> func.HttpResponse:
    """List a job's result files."""
    return _response(result_routes.files_response(wiring.app, req.route_params["job_id"]))


@app.function_name("get_file")
@app.route(route="jobs/{job_id}/files/{name}", methods=["GET"])
def get_file(req: func.HttpRequest) -> func.HttpResponse:
    """Redirect to one result file."""
    job_id, name = req.route_params["job_id"], req.route_params["name"]
    return _response(result_routes.file_response(wiring.app, job_id, name, dict(req.params)))


@app.function_name("list_rows")
@app.route(route="jobs/{job_id}/rows", methods=["GET"])
def list_rows(req: func.HttpRequest) -> func.HttpResponse:
    """List an ended job's rows."""
    return _response(result_routes.rows_response(wiring.app, req.route_params["job_id"], dict(req.params)))


@app.function_name("dashboard")
@app.route(route="dashboard", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def dashboard(req: func.HttpRequest) -> func.HttpResponse:
    """Return the status page. It holds no data: it gets them from the routes above, with a key."""
    page = status_page()
    return func.HttpResponse(page.html, headers=page.headers, mimetype="text/html", charset="utf-8")


@app.function_name("openapi")
@app.route(route="openapi.json", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def openapi(req: func.HttpRequest) -> func.HttpResponse:
    """Return the description of these routes."""
    return _response(api.openapi_response())


def _response(response: Response) -> func.HttpResponse:
    return func.HttpResponse(
        response.content(), status_code=response.status, headers=dict(response.headers), mimetype="application/json"
    )
