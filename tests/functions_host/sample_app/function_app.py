"""A function app with a function for each trigger and binding that the local host knows.

Each function notes what it was given in RUNS; tests read the list out of the imported module.
"""

import json
import logging
import os
import time
import typing

import azure.functions as func
from azurefunctions.extensions.bindings.blob import BlobClient

RUNS: list[tuple[str, typing.Any]] = []

app = func.FunctionApp()
log = logging.getLogger("sample")


@app.blob_trigger(arg_name="blob", path="%INBOX%/{folder}/{name}.txt", connection="Storage")
def read_by_client(blob: BlobClient) -> None:
    content = blob.download_blob().readall()
    RUNS.append(("read_by_client", (blob.blob_name, content)))
    if content.startswith(b"fail"):
        raise ValueError("the content says so")


@app.blob_trigger(arg_name="blob", path="streams/{name}", connection="Storage", data_type=func.DataType.BINARY)
def read_as_stream(blob: func.InputStream) -> None:
    RUNS.append(("read_as_stream", (blob.name, blob.length, blob.read())))


@app.blob_trigger(arg_name="blob", path="texts/{name}", connection="Storage")
def read_as_text(blob: func.InputStream) -> None:
    RUNS.append(("read_as_text", blob.read()))


@app.blob_trigger(arg_name="blob", path="events/{name}", connection="Storage", source=func.BlobSource.EVENT_GRID)
def read_on_event(blob: BlobClient) -> None:
    RUNS.append(("read_on_event", blob.blob_name))


@app.timer_trigger(arg_name="timer", schedule="%SCHEDULE%")
def tick(timer: func.TimerRequest) -> None:
    log.info("tick")
    RUNS.append(("tick", timer.past_due))


@app.queue_trigger(arg_name="message", queue_name="orders", connection="Storage")
@app.queue_output(arg_name="letters", queue_name="letters", connection="Storage")
def take_order(message: func.QueueMessage, letters: func.Out[typing.List[str]]) -> None:  # noqa: UP006 - the runtime refuses list[str]
    text = message.get_body().decode()
    RUNS.append(("take_order", (text, message.dequeue_count)))
    if text.startswith("wait "):
        time.sleep(float(text[5:]))
    if text.startswith("fail"):
        raise ValueError(text)
    letters.set([f"{text}: received", f"{text}: sent"])


@app.queue_trigger(arg_name="message", queue_name="orders-poison", connection="Storage")
def take_poison(message: func.QueueMessage) -> None:
    text = message.get_body().decode()
    RUNS.append(("take_poison", text))
    if text == "fail again":
        raise ValueError(text)


@app.route(route="orders/{order:int}", methods=["GET", "POST"])
async def order(req: func.HttpRequest) -> func.HttpResponse:
    seen = {
        "order": req.route_params["order"],
        "method": req.method,
        "params": dict(req.params),
        "body": req.get_body().decode(),
    }
    return func.HttpResponse(json.dumps(seen), status_code=201, mimetype="application/json", headers={"X-Seen": "yes"})


@app.route(route="{what}/all", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def all_of_anything(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(f"all {req.route_params['what']}")


@app.route(route="orders/all", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def all_orders(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse("all")
    response.headers.add("Set-Cookie", "seen=1; Path=/; HttpOnly")
    return response


@app.route(route="broken", auth_level=func.AuthLevel.ANONYMOUS)
def broken(req: func.HttpRequest) -> str:
    raise KeyError(os.environ["SCHEDULE"])
