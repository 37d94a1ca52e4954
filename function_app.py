"""The triggers: each translates what comes in, calls one use case, and translates what comes out.

Nothing runs here at import but definitions, so that all functions are indexed even with an empty environment.
"""

import os
from typing import cast

import azure.functions as func
from azurefunctions.extensions.bindings.blob import BlobClient

from shared import wiring
from shared.adapters import storage_queues
from shared.pipeline import poison, receiving, steps
from shared.pipeline.poll import polling
from shared.web import api
from shared.web.status_page import status_page

STORAGE = "BatchStorage"
PROMPTS = os.environ.get("PROMPTS_CONTAINER", "").strip() or "prompts"
SUBMISSIONS = os.environ.get("SUBMISSIONS_QUEUE", "").strip() or "batch-submissions"
COMPLETIONS = os.environ.get("COMPLETIONS_QUEUE", "").strip() or "batch-completions"
# Any text is taken as it is: a wrong one must not hide all functions; the host says what is wrong with it.
SOURCE = cast(func.BlobSource, os.environ.get("PROMPTS_TRIGGER_SOURCE", "").strip() or "EventGrid")
SCHEDULE = os.environ.get("POLL_SCHEDULE", "").strip() or "0 * * * * *"

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.function_name("submit_prompts")
@app.blob_trigger(arg_name="prompt_file", path=f"{PROMPTS}/{{name}}", connection=STORAGE, source=SOURCE)
def submit_prompts(prompt_file: BlobClient) -> None:
    """A prompt file was dropped: reserve its job, and submit at once what fits into the budget."""
    job = receiving.receive(wiring.app(), prompt_file.blob_name)
    if job is not None:
        steps.advance(wiring.app(), job.job_id)


@app.function_name("submit_batch")
@app.queue_trigger(arg_name="message", queue_name=SUBMISSIONS, connection=STORAGE)
def submit_batch(message: func.QueueMessage) -> None:
    """A job has to be built, or a batch of it created."""
    steps.handle(wiring.app(), storage_queues.from_text(message.get_body().decode()))


@app.function_name("poll_batches")
@app.timer_trigger(arg_name="timer", schedule=SCHEDULE)
def poll_batches(timer: func.TimerRequest) -> None:
    """Ask the service for all open batches, and see that whatever is due goes on."""
    polling.poll(wiring.app())


@app.function_name("complete_batch")
@app.queue_trigger(arg_name="message", queue_name=COMPLETIONS, connection=STORAGE)
def complete_batch(message: func.QueueMessage) -> None:
    """A batch has ended: collect it; or a job is collected: assemble its results."""
    steps.handle(wiring.app(), storage_queues.from_text(message.get_body().decode()))


@app.function_name("on_poisoned_submission")
@app.queue_trigger(arg_name="message", queue_name=f"{SUBMISSIONS}-poison", connection=STORAGE)
def on_poisoned_submission(message: func.QueueMessage) -> None:
    """A submission failed for good: its job says so."""
    poison.record(wiring.app(), storage_queues.from_text(message.get_body().decode()))


@app.function_name("on_poisoned_completion")
@app.queue_trigger(arg_name="message", queue_name=f"{COMPLETIONS}-poison", connection=STORAGE)
def on_poisoned_completion(message: func.QueueMessage) -> None:
    """A completion failed for good: its job says so."""
    poison.record(wiring.app(), storage_queues.from_text(message.get_body().decode()))


@app.function_name("list_jobs")
@app.route(route="jobs", methods=["GET"])
def list_jobs(req: func.HttpRequest) -> func.HttpResponse:
    """The jobs, newest first."""
    return _response(api.list_answer(wiring.app, dict(req.params)))


@app.function_name("get_job")
@app.route(route="jobs/{job_id}", methods=["GET"])
def get_job(req: func.HttpRequest) -> func.HttpResponse:
    """One job's status.json."""
    return _response(api.job_answer(wiring.app, req.route_params["job_id"]))


@app.function_name("cancel_job")
@app.route(route="jobs/{job_id}/cancel", methods=["POST"])
def cancel_job(req: func.HttpRequest) -> func.HttpResponse:
    """Cancel a job."""
    return _response(api.cancel_answer(wiring.app, req.route_params["job_id"]))


@app.function_name("release_job")
@app.route(route="jobs/{job_id}/release", methods=["POST"])
def release_job(req: func.HttpRequest) -> func.HttpResponse:
    """Let a held job go on."""
    return _response(api.release_answer(wiring.app, req.route_params["job_id"]))


@app.function_name("retry_job")
@app.route(route="jobs/{job_id}/retry", methods=["POST"])
def retry_job(req: func.HttpRequest) -> func.HttpResponse:
    """Try the failed rows of an ended job again."""
    return _response(api.retry_answer(wiring.app, req.route_params["job_id"]))


@app.function_name("dashboard")
@app.route(route="dashboard", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def dashboard(req: func.HttpRequest) -> func.HttpResponse:
    """The status page. It holds no data: what it shows, it asks the routes above for, with a key."""
    page = status_page()
    return func.HttpResponse(page.html, headers=page.headers, mimetype="text/html", charset="utf-8")


@app.function_name("openapi")
@app.route(route="openapi.json", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def openapi(req: func.HttpRequest) -> func.HttpResponse:
    """The description of these routes."""
    return _response(api.openapi_answer())


def _response(answer: api.Answer) -> func.HttpResponse:
    return func.HttpResponse(
        answer.content(), status_code=answer.status, headers=dict(answer.headers), mimetype="application/json"
    )
