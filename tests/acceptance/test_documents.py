"""Images and documents over real storage and the emulated service, as a user drops them."""

import json
from collections.abc import Callable
from typing import Any

from testing.documents import image, large_png, pdf
from testing.paths import PROJECT
from testing.world import World

INVOICES = PROJECT / "samples" / "invoices"


def test_the_sample_invoices_become_a_table_with_their_line_items(new_world: Callable[..., World]) -> None:
    world = new_world(AZURE_OPENAI_DEPLOYMENT="gpt-4o-batch")
    for file in INVOICES.iterdir():
        if file.name != "all.files":
            world.put(f"invoices/{file.name}", file.read_bytes())
    name = world.drop("invoices/all.files", (INVOICES / "all.files").read_bytes())

    status = world.run(name)

    assert (status["state"], status["rows"]["succeeded"], status["rows"]["total"]) == ("completed", 6, 6)
    rows = world.table(name)
    assert [row["Name"] for row in rows] == [
        "meridian-travel-7740.pdf",
        "summit-engineering-311.pdf",
        "blue-river-printing-55.png",
        "northwind-2026-0417.png",
        "harbor-coffee-8812.jpg",
        "oakfield-garden-1203.jpg",
    ]
    assert all({"Description", "Quantity", "Price"} == set(json.loads(row["Items"])[0]) for row in rows)
    assert rows[3]["Seller"] == "Northwind"
    sent = {request["custom_id"]: request["body"]["messages"] for request in world.requests(status["job_id"])}
    parts = [part["type"] for part in sent["invoices/summit-engineering-311.pdf"][-1]["content"]]
    assert parts == ["text", "image_url", "image_url"]
    assert all(part["image_url"]["detail"] == "high" for part in sent[rows[3]["custom_id"]][-1]["content"][1:])


def test_images_larger_than_a_block_and_wrong_ones_go_through_real_storage(world: World) -> None:
    files = {"small.png": image(), "large.png": large_png(17 * 1024 * 1024), "over.png": large_png(21 * 1024 * 1024)}
    files |= {"two.pdf": pdf(2), "empty.jpg": b"", "näme #1%.png": image("PNG")}
    for name, data in files.items():
        world.put(f"f/{name}", data)
    records = [{"Custom ID": name, "Prompt": "What?", "Image": name} for name in [*files, "gone.png"]]
    name = world.drop("f/t.json", json.dumps(records), required="Name", model="gpt-4o-batch")

    world.run(name)

    assert {line["custom_id"]: line["error"]["code"] for line in world.errors(name)} == {
        "over.png": "image_unsupported",
        "empty.jpg": "image_unsupported",
        "gone.png": "image_missing",
    }
    assert [line["custom_id"] for line in world.results(name)] == ["small.png", "large.png", "two.pdf", "näme #1%.png"]
    again = world.drop("f/errors.jsonl", world.result(name, "errors.jsonl"))
    world.put("f/gone.png", image())
    assert world.run(again)["rows"]["succeeded"] == 1


def test_ready_made_requests_to_responses_name_blobs(world: World) -> None:
    world.put("scans/two.pdf", pdf(2))

    def request(address: str, custom_id: str) -> dict[str, Any]:
        part = {"type": "input_image", "image_url": address, "detail": "low"}
        body = {"model": "gpt-4o-batch", "input": [{"role": "user", "content": [part]}]}
        return {"custom_id": custom_id, "method": "POST", "url": "/v1/responses", "body": body}

    lines = [request("blob:/scans/two.pdf#page=2", "a"), request("blob:/scans/two.pdf#page=3", "b")]
    name = world.drop("t.jsonl", "".join(json.dumps(line) + "\n" for line in lines))

    status = world.run(name)

    assert status["errors"] == {"image_unsupported": 1}
    (sent,) = world.requests(status["job_id"])
    (part,) = sent["body"]["input"][0]["content"]
    assert part["image_url"].startswith("data:image/jpeg;base64,")
    assert part["detail"] == "low"


def test_text_files_that_cannot_be_sent_fail_their_rows_alone(world: World) -> None:
    world.put("notes/good.txt", "Grüße".encode())
    world.put("notes/latin.txt", "Grüße".encode("latin-1"))
    world.put("notes/long.txt", b"a" * (1024 * 1024 + 1))
    name = world.drop("notes/all.files", "*.txt\n", prompt="Summarise this.", required="Summary", model="gpt-4o-batch")

    status = world.run(name)

    assert status["errors"] == {"document_unsupported": 2}
    assert status["rows"]["succeeded"] == 1
