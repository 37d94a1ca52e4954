"""What jobs and follow-ups are estimated at: by the pilot's answers, by earlier ones, or by caps."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from shared.domain.estimate import Basis
from shared.domain.ledger import Entry, OutputTokens, history_key
from shared.domain.model import Batch, BatchState, RequestBlock, Usage
from shared.pipeline.build import estimating
from shared.pipeline.build.built import Built
from shared.pipeline.build.estimating import JobSamples, RequestSamples, estimate_follow_up, schema_key
from shared.pipeline.deployment_models import DeploymentModels
from shared.pipeline.pilot_answers import PilotAnswers
from shared.requests.request_lines import block_of
from shared.settings import Settings, read_settings
from testing.memory_ledger import MemoryLedger
from tests.reliability.simulation import ENVIRONMENT

DIGEST = b"schema"


def settings(**given: str) -> Settings:
    """Settings with some changed."""
    return read_settings({**ENVIRONMENT, **given})


def block(first: int, count: int, model: str = "gpt-4o", **body: Any) -> RequestBlock:
    """Requests of consecutive rows."""
    rows = range(first, first + count)
    asked = {"model": model, "max_completion_tokens": 1_000, **body}
    lines = [
        json.dumps({"body": {**asked, "messages": [{"role": "user", "content": f"Row {row}"}]}}).encode()
        for row in rows
    ]
    return block_of(rows, [f"id-{row}" for row in rows], model, "/chat/completions", lines, [0] * count)


def pilot(*outputs: tuple[str, int, int]) -> PilotAnswers:
    """A collected pilot: deployment, output tokens and answers of each batch."""
    return PilotAnswers(
        Batch(
            job_id="j",
            index=index,
            attempt=1,
            state=BatchState.COLLECTED,
            model=name,
            url="/chat/completions",
            requests=answers,
            usage=Usage(0, written),
            outputs={history_key(name): OutputTokens(written, answers, "gpt-4o-mini-2024-07-18")} if answers else {},
        )
        for index, (name, written, answers) in enumerate(outputs)
    )


def follow_up(answers: PilotAnswers | None, ledger: MemoryLedger, model: str = "gpt-4o") -> Any:
    """The estimate of a follow-up of ten rows."""
    models = DeploymentModels(settings(), ledger)
    samples = RequestSamples(models)
    samples.add(block(1, 10, model))
    return estimate_follow_up(samples, models, ledger, [DIGEST], answers)


def history(mean: int, model: str = "gpt-4o") -> MemoryLedger:
    """A ledger that knows earlier answers of this mean length."""
    ledger = MemoryLedger()
    outputs = OutputTokens(mean * 10, 10, model)
    entry = Entry("earlier", ended=True, outputs={history_key(model): outputs, schema_key(model, DIGEST): outputs})
    ledger.fold([ledger.save(entry)])
    return ledger


def asking(asked: list[Any]) -> Callable[[Any], dict[str, OutputTokens]]:
    """Earlier answers that are not there; what is asked for is noted."""

    def output_tokens(keys: Any) -> dict[str, OutputTokens]:
        asked.append(keys)
        return {}

    return output_tokens


def test_a_follow_up_is_estimated_by_the_pilots_mean_and_model_where_the_job_has_one() -> None:
    found = follow_up(pilot(("prod", 60, 3)), history(500), "prod")
    assert (found.output_tokens, found.basis) == (10 * 20, Basis.PILOT)
    assert found.usd == pytest.approx((found.input_tokens * 0.075 + 200 * 0.3) / 1e6)


def test_a_follow_up_of_a_deployment_that_the_pilot_did_not_reach_goes_by_the_mean_of_all_its_answers() -> None:
    assert follow_up(pilot(("a", 60, 3), ("b", 40, 1)), MemoryLedger()).output_tokens == 10 * 25


def test_a_follow_up_of_a_pilot_without_answers_is_estimated_as_a_job_is() -> None:
    for answers in (None, pilot(("gpt-4o", 0, 0))):
        found = follow_up(answers, history(500))
        assert (found.output_tokens, found.basis) == (10 * 500, Basis.HISTORY)
        assert follow_up(answers, MemoryLedger()).basis is Basis.CAP


def test_a_piloted_jobs_estimate_covers_its_pilot_and_the_rest() -> None:
    def job(*, first_is_pilot: bool) -> Built:
        ledger, built = MemoryLedger(), Built()
        samples = JobSamples(DeploymentModels(settings(), ledger))
        samples.add(block(1, 100), pilot=first_is_pilot)
        samples.add(block(101, 300), pilot=False)
        samples.estimate(built, ledger, [DIGEST])
        return built

    piloted, plain = job(first_is_pilot=True), job(first_is_pilot=False)
    assert piloted.estimate == plain.estimate
    assert (plain.pilot_estimate, plain.rest) == (None, {})
    assert piloted.pilot_estimate is not None
    assert piloted.pilot_estimate.output_tokens == 100 * 1_000
    assert (piloted.rest["gpt-4o"].requests, piloted.rest["gpt-4o"].caps) == (300, ((1_000, 300),))
    assert piloted.pilot_estimate.input_tokens + piloted.rest["gpt-4o"].input_tokens == piloted.estimate.input_tokens


def test_requests_that_wait_to_be_counted_are_bounded_and_the_estimate_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def job() -> Built:
        ledger, built = MemoryLedger(), Built()
        samples = JobSamples(DeploymentModels(settings(), ledger))
        for start in range(1, 3_000, 100):
            samples.add(block(start, 100, "ab"[start // 100 % 2]), pilot=False)
            waiting = sum(sample.held for _, sample in samples._rest.items())
            assert waiting == samples._rest._held <= estimating.HELD_BYTES
        samples.estimate(built, ledger, [DIGEST])
        return built

    expected = job()
    monkeypatch.setattr(estimating, "HELD_BYTES", 20_000)
    assert job() == expected


def test_requests_of_a_model_whose_encoding_is_not_known_are_counted_by_bytes_and_a_warning_names_them() -> None:
    ledger, built = MemoryLedger(), Built()
    samples = JobSamples(DeploymentModels(settings(DEPLOYMENT_MODELS="old=gpt-4"), ledger))
    some = block(1, 5, "old")
    samples.add(some, pilot=True)
    samples.add(block(6, 5), pilot=False)
    samples.estimate(built, ledger, [DIGEST])

    assert built.warnings == ["Tokens of old are estimated by bytes, as the model's encoding is not known here."]
    assert built.pilot_estimate is not None
    assert built.pilot_estimate.input_tokens == -(-len(some.text) // 4)


def test_the_model_that_gave_earlier_answers_tells_the_encoding() -> None:
    ledger, built = MemoryLedger(), Built()
    outputs = {history_key("prod"): OutputTokens(50, 10, "gpt-4-0613")}
    ledger.fold([ledger.save(Entry("earlier", ended=True, outputs=outputs))])
    samples = JobSamples(DeploymentModels(settings(), ledger))
    samples.add(block(1, 5, "prod"), pilot=False)
    samples.estimate(built, ledger, [DIGEST])

    assert "Tokens of prod are estimated by bytes" in built.warnings[0]


def test_the_model_behind_a_deployment_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = history(5, "prod")
    asked: list[Any] = []
    monkeypatch.setattr(ledger, "output_tokens", asking(asked))
    models = DeploymentModels(settings(DEPLOYMENT_MODELS="set=gpt-4o-mini"), ledger)

    names = [models.behind(name) for name in ("prod", "set", "prod", "my-batch", "set")]

    assert names == ["prod", "gpt-4o-mini", "prod", "my", "gpt-4o-mini"]
    assert asked == [[history_key("prod")], [history_key("my-batch")]]


def test_a_job_of_texts_asks_for_earlier_answers_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, built = MemoryLedger(), Built()
    asked: list[Any] = []
    monkeypatch.setattr(ledger, "output_tokens", asking(asked))
    samples = JobSamples(DeploymentModels(settings(), ledger))
    samples.add(block(1, 5), pilot=False)
    samples.estimate(built, ledger, [DIGEST])

    assert asked == [[history_key("gpt-4o"), schema_key("gpt-4o", DIGEST)]]
