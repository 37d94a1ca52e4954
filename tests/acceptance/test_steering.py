"""Cancel and retry, duplicates, overwriting and lost events."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from shared.domain.lifecycle.jobs import BEING_CANCELLED
from shared.domain.model import BlobEvent
from shared.domain.ports import Container
from shared.pipeline import job_control
from testing.world import World

TABLE = "Custom ID,Prompt,Required,Note\na,Who built it?,Name,1\nb,When?,Year: integer,2\n"
DONE = {"total": 2, "succeeded": 2, "failed": 0, "pending": 0, "reused": 0}


def test_a_cancelled_job_keeps_what_was_answered(world: World) -> None:
    world.service.scenario({"batches": [{"running": 1000}]})
    world.event(world.drop("table.csv", TABLE, model="m"))
    world.clock.advance(600)
    world.tick()

    job_control.cancel(world.app, world.status("table.csv")["job_id"])
    asked = world.status("table.csv")
    status = world.wait("table.csv")

    assert (asked["state"], asked["message"]) == ("running", BEING_CANCELLED)
    assert status["state"] == "cancelled"
    assert status["rows"] == {"total": 2, "succeeded": 1, "failed": 1, "pending": 0, "reused": 0}
    assert status["errors"] == {"cancelled": 1}


def test_a_job_cancelled_before_anything_was_sent_names_its_rows_not_sent(world: World) -> None:
    world.service.scenario({"calls": [{"method": "POST", "path": "/batches", "answer": {"status": 503}}]})
    world.event(world.drop("table.csv", TABLE, model="m"))

    job_control.cancel(world.app, world.status("table.csv")["job_id"])
    status = world.wait("table.csv")

    assert (status["state"], status["errors"]) == ("cancelled", {"not_sent": 2})
    assert world.service.journal().totals["billed"] == 0
    with pytest.raises(job_control.NotNow):
        job_control.cancel(world.app, status["job_id"])


def test_status_json_says_where_the_settings_came_from_and_what_is_estimated_and_targeted(world: World) -> None:
    world.put("_job.json", json.dumps({"system": "Be brief."}))
    world.put("deep/er/_job.json", json.dumps({"schema": "_answer.json"}))
    world.put("deep/er/_answer.json", json.dumps({"type": "object", "properties": {"Name": {"type": "string"}}}))
    world.event(world.drop("deep/er/table.csv", "Prompt\nWho built it?\n"))
    name = world.drop("deep/table.csv", TABLE, model="m")

    status = world.run(name)
    (batch,) = status["batches"]

    assert world.status("deep/er/table.csv")["settings"] == ["deep/er/_job.json", "deep/er/_answer.json", "_job.json"]
    assert status["settings"] == ["deep/_job.json", "_job.json"]
    assert (status["answered"], status["held_by"]) == (2, None)
    assert status["estimate"]["input_tokens"] > 2
    assert batch["target"] == f"{urlsplit(world.app.settings.endpoint).netloc}/m"


def test_a_retry_asks_only_the_failed_rows_and_its_results_hold_all(world: World) -> None:
    world.service.scenario({"rows": [{"custom_id": "b", "outcome": "error", "status": 400}]})
    name = world.drop("table.csv", TABLE, model="m")
    first = world.run(name)
    world.service.scenario({})

    retry = job_control.retry(world.app, first["job_id"])
    with pytest.raises(job_control.NotNow):
        job_control.retry(world.app, first["job_id"])
    status = world.wait(name)

    assert retry.job_id == f"{first['job_id']}-r1"
    assert (status["job_id"], status["retry_of"], status["rows"]) == (retry.job_id, first["job_id"], DONE)
    assert [line["custom_id"] for line in world.results(name)] == ["a", "b"]
    assert [row["Note"] for row in world.table(name)] == ["1", "2"]
    assert world.service.journal().totals["billed"] == 2
    with pytest.raises(job_control.NotNow):
        job_control.retry(world.app, first["job_id"])


def test_the_limit_of_a_trial_run_does_not_hold_for_its_retry(world: World) -> None:
    table = "Custom ID,Prompt,Required\na,Q,x\nb,Q,x\nc,Q,x\n"
    name = world.drop("table.csv", table, model="m", limit=1)
    first = world.run(name)
    assert (first["rows"]["succeeded"], first["errors"]) == (1, {"not_sent": 2})

    retry = job_control.retry(world.app, first["job_id"])
    status = world.run(name)

    assert status["rows"] == {**status["rows"], "total": 3, "succeeded": 3, "failed": 0}
    assert [request["custom_id"] for request in world.requests(retry.job_id)] == ["b", "c"]


def test_the_latest_status_is_that_of_the_newest_ended_job(world: World) -> None:
    world.service.scenario({"rows": [{"custom_id": "b", "outcome": "error", "status": 400}]})
    name = world.drop("table.csv", TABLE, model="m")
    first = world.run(name)
    job_control.retry(world.app, first["job_id"])
    second = world.wait(name)

    assert first["errors"] == second["errors"]
    assert world.result(name, "latest.json", folder=name) == world.result(name, "status.json")
    assert second["job_id"].endswith("-r1")


def test_whoever_sees_the_end_in_status_json_finds_latest_json_in_its_place(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[str, bytes]] = []
    write = world.app.files.write

    def noted(container: Container, name: str, data: bytes, **conditions: Any) -> str:
        if container is Container.RESULTS:
            written.append((name, data))
        return write(container, name, data, **conditions)

    monkeypatch.setattr(world.app.files, "write", noted)
    name = world.drop("table.csv", TABLE, model="m")
    world.run(name)

    (latest, copy), (status, end) = written[-2:]
    assert (latest, status.rpartition("/")[2]) == (f"{name}/latest.json", "status.json")
    assert json.loads(end)["state"] == "completed"
    assert copy == end


def test_the_same_event_again_changes_nothing(world: World) -> None:
    name = world.drop("table.csv", TABLE, model="m")
    world.event(name)
    world.event(name)
    status = world.wait(name)
    world.event(name)
    world.tick()

    assert len(world.folders(name)) == 1
    assert world.status(name) == status
    assert world.service.journal().totals["billed"] == 2


def test_a_file_written_again_is_a_new_job_and_the_first_goes_on(world: World) -> None:
    name = world.drop("table.csv", TABLE, model="m")
    world.event(name)
    world.put(name, TABLE)
    world.event(name)
    world.wait(name)
    for _ in range(10):
        world.tick()
        world.clock.advance(60)

    assert [world.status(name, folder)["rows"] for folder in world.folders(name)] == [DONE, DONE]


def test_a_prompt_file_whose_event_was_lost_is_found_once_it_is_two_minutes_old(punctual_world: World) -> None:
    world = punctual_world
    world.tick()
    name = world.drop("folder/table.csv", TABLE, model="m")
    world.tick()
    assert world.folders(name) == []

    world.clock.advance(130)
    world.tick()
    world.tick()

    assert world.wait(name)["rows"] == DONE


def test_a_prompt_file_whose_event_the_host_put_aside_is_found_by_the_next_tick(punctual_world: World) -> None:
    world = punctual_world
    world.tick()
    name = world.drop("folder/table.csv", TABLE, model="m")
    blob = world.blobs.get_blob_client(world.app.settings.prompts_container, name)
    version = blob.get_blob_properties().etag.strip('"')
    world.queues.events = [
        BlobEvent("somebody-elses", name, version),
        BlobEvent(blob.container_name, "deleted-since.csv", version),
        BlobEvent(blob.container_name, name, "0x8D-replaced-since"),
    ]
    world.tick()
    assert world.folders(name) == []

    world.queues.events.append(BlobEvent(blob.container_name, name, version))
    world.tick()

    assert len(world.folders(name)) == 1
    assert world.wait(name)["rows"] == DONE
    assert len(world.folders(name)) == 1
    assert world.service.journal().totals["billed"] == 2


def test_files_older_than_the_app_are_never_bought(punctual_world: World) -> None:
    world = punctual_world
    name = world.drop("old.csv", TABLE, model="m")
    world.clock.advance(3600)
    later = world.another()
    for _ in range(5):
        later.tick()
        world.clock.advance(300)

    assert world.folders(name) == []
    assert world.service.journal().totals["billed"] == 0


def test_a_file_whose_event_failed_before_the_app_reached_its_table_is_taken_up(punctual_world: World) -> None:
    world = punctual_world
    name = world.drop("old.csv", TABLE, model="m")
    blob = world.blobs.get_blob_client(world.app.settings.prompts_container, name)
    world.queues.events = [BlobEvent(blob.container_name, name, blob.get_blob_properties().etag.strip('"'))]
    world.clock.advance(3600)
    later = world.another()
    for _ in range(5):
        later.tick()
        world.clock.advance(300)

    assert len(world.folders(name)) == 1
    assert world.service.journal().totals["billed"] == 2


def test_deleting_the_prompt_file_does_not_cancel_its_job(world: World) -> None:
    name = world.drop("table.csv", TABLE, model="m")
    world.event(name)
    world.blobs.get_blob_client(world.app.settings.prompts_container, name).delete_blob()

    assert world.wait(name)["rows"] == DONE


def test_a_retry_whose_copy_was_deleted_is_refused_with_what_to_do(world: World) -> None:
    world.service.scenario({"rows": [{"custom_id": "b", "outcome": "error", "status": 400}]})
    status = world.run(world.drop("table.csv", TABLE, model="m"))
    work = world.blobs.get_container_client(world.app.settings.work_container)
    for blob in work.list_blobs(name_starts_with=f"{status['job_id']}/"):
        work.delete_blob(blob.name)

    with pytest.raises(job_control.NotNow, match=r"errors\.jsonl"):
        job_control.retry(world.app, status["job_id"])
