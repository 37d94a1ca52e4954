"""What images count in estimates: by the model behind their deployment, in follow-ups and split batches too."""

from typing import Any

import pytest

from shared.domain.ledger import Entry, OutputTokens, history_key
from shared.domain.model import Batch
from shared.pipeline.claims import claim_batch
from shared.pipeline.records import load
from shared.pipeline.submit.splitting import split
from testing.documents import image
from tests.unit.pipeline.test_documents import Job

TABLE = "Custom ID,Prompt,Image\n" + "".join(f"{name},x,{name}.png\n" for name in "pqrs")
TILES, DEARER_TILES = 85 + 170 * 4, 2_833 + 5_667 * 4
"""What an image of 1,000 pixels a side costs gpt-4o and gpt-4o-mini."""


def job(**settings: str) -> Job:
    """A simulation with four images beside the prompt files."""
    made = Job(**settings)
    for name in "pqrs":
        made.put(f"f/{name}.png", image(size=(1_000, 1_000)))
    return made


def batches(job: Job) -> dict[str, Batch]:
    """The newest job's batches, by key."""
    records = load(job.app, job.world.jobs()[0].job_id)
    assert records is not None
    return {batch.key: batch for batch in records.batches}


def estimated(job: Job) -> int:
    """The input tokens that the job is estimated at."""
    found: int = job.status("f/t.csv")["estimate"]["input_tokens"]
    return found


def test_images_cost_tokens_by_the_model_that_the_setting_names() -> None:
    unnamed, named = job(), job(DEPLOYMENT_MODELS="prod=gpt-4o-mini")
    for each in (unnamed, named):
        each.begin("f/t.csv", TABLE, model="prod")

    assert estimated(named) - estimated(unnamed) == 4 * (DEARER_TILES - TILES)
    assert batches(named)["00000-1"].input_tokens - batches(unnamed)["00000-1"].input_tokens == 4 * (
        DEARER_TILES - TILES
    )


def test_images_cost_tokens_by_the_model_that_gave_earlier_answers() -> None:
    unnamed, known = job(), job()
    answers = {history_key("prod"): OutputTokens(50, 10, "gpt-4o-mini-2024-07-18")}
    known.world.ledger.fold([known.world.ledger.save(Entry("earlier", ended=True, outputs=answers))])
    for each in (unnamed, known):
        each.begin("f/t.csv", TABLE, model="prod")

    assert estimated(known) - estimated(unnamed) == 4 * (DEARER_TILES - TILES)


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4o-mini"])
def test_a_follow_up_counts_the_tokens_of_its_images_as_they_were_built(model: str) -> None:
    one = job()
    one.world.service.rows = {"q": ["500", "ok"], "r": ["500", "ok"]}
    one.run("f/t.csv", TABLE, model=model)

    found = batches(one)
    assert found["00000-2"].requests == 2
    each = TILES if model == "gpt-4o" else DEARER_TILES
    assert 2 * each < found["00000-2"].input_tokens < 2 * each + 300


def test_the_halves_of_a_split_batch_have_its_tokens() -> None:
    one = job()
    one.begin("f/t.csv", TABLE + "t,no image,\n", model="gpt-4o-mini")
    records = load(one.app, one.world.jobs()[0].job_id)
    assert records is not None
    (whole,) = records.batches
    claim = claim_batch(records, whole.index, whole.attempt, whole.state)
    assert claim is not None
    with claim:
        split(records, claim)

    found = batches(one)
    halves = [found["00001-1"], found["00002-1"]]
    assert [half.requests for half in halves] == [2, 3]
    assert [2 * DEARER_TILES < half.input_tokens < 2 * DEARER_TILES + 400 for half in halves] == [True, True]


def test_a_pilot_beside_missing_images_has_its_rows_all_the_same() -> None:
    one = job()
    table = "Custom ID,Prompt,Image\n" + "".join(f"n{number},x,{'pqrsz'[number % 5]}.png\n" for number in range(60))
    one.begin("f/t.csv", table, model="gpt-4o", pilot=6)

    status: dict[str, Any] = one.status("f/t.csv")
    assert status["errors"] == {"image_missing": 12}
    assert {batch["pilot"]: batch["requests"] for batch in status["batches"]} == {True: 6, False: 42}
