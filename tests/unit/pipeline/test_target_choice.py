"""Which target a batch has, and which it goes to."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.errors import Misconfigured
from shared.domain.model import Batch, BatchState
from shared.domain.ports import DeploymentBackoff
from shared.pipeline.target_choice import bookmark_of, choose, closed_models, place_of, resources, target_of
from shared.settings import Settings, read_settings

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
WEST = "https://west.openai.azure.com"
OPENAI = {"endpoint": "https://api.openai.com/v1", "deployment": "gpt", "key": "OPENAI_KEY"}
NAMES = {"m": ["own", {"endpoint": WEST, "deployment": "west"}, OPENAI]}


def _settings(names: object = NAMES, endpoint: str = "https://name.openai.azure.com") -> Settings:
    return read_settings(
        {
            "BatchStorage": "UseDevelopmentStorage=true",
            "AZURE_OPENAI_ENDPOINT": endpoint,
            "DEPLOYMENTS": json.dumps(names),
            "OPENAI_KEY": "sk-x",
        }
    )


def _batch(model: str = "m", requests: int = 10) -> Batch:
    return Batch(
        job_id="J",
        index=0,
        attempt=1,
        state=BatchState.PREPARED,
        model=model,
        url="/chat/completions",
        requests=requests,
    )


def _backoffs(*found: DeploymentBackoff) -> dict[str, DeploymentBackoff]:
    return {backoff.target: backoff for backoff in found}


def _chosen(batch: Batch, *backoffs: DeploymentBackoff, probed: set[str] | None = None) -> str | None:
    target = choose(_settings(), batch, _backoffs(*backoffs), NOW, probed)
    return None if target is None else target.deployment


CLOSED = DeploymentBackoff("name.openai.azure.com/own", LATER, 1)
DUE = DeploymentBackoff("name.openai.azure.com/own", NOW, 1)
WEST_CLOSED = DeploymentBackoff("west.openai.azure.com/west", LATER, 1)
OPENAI_CLOSED = DeploymentBackoff("api.openai.com/gpt", LATER, 1)


def test_a_batch_goes_to_the_first_target_with_room() -> None:
    assert _chosen(_batch()) == "own"
    assert _chosen(_batch(), CLOSED) == "west"
    assert _chosen(_batch(), CLOSED, WEST_CLOSED) == "gpt"
    assert _chosen(_batch(), CLOSED, WEST_CLOSED, OPENAI_CLOSED) is None


def test_a_target_that_refused_gets_one_batch_to_try_it_again() -> None:
    assert _chosen(_batch(), DUE, probed=set()) == "own"
    assert _chosen(_batch(), DUE, probed={DUE.target}) == "west"


def test_a_batch_takes_the_turn_that_it_was_given_and_stays_where_its_file_is() -> None:
    assert _chosen(replace(_batch(), turn="west.openai.azure.com/west")) == "west"
    there = replace(_batch(), state=BatchState.UPLOADED, file_id="f", target="west.openai.azure.com/west")
    assert _chosen(there) == "west"
    assert _chosen(there, WEST_CLOSED) == "own"


def test_a_batch_beyond_a_targets_limit_does_not_go_there() -> None:
    assert _chosen(_batch(requests=60_000), CLOSED, WEST_CLOSED) is None


def test_a_model_is_closed_only_if_all_its_targets_are() -> None:
    batches = [_batch(), _batch("other")]
    assert closed_models(_settings(), batches, _backoffs(CLOSED, WEST_CLOSED), NOW) == set()
    assert closed_models(_settings(), batches, _backoffs(CLOSED, WEST_CLOSED, OPENAI_CLOSED), NOW) == {"m"}
    other = DeploymentBackoff("name.openai.azure.com/other", LATER, 1)
    assert closed_models(_settings(), batches, _backoffs(other), NOW) == {"other"}
    assert closed_models(_settings(), batches, _backoffs(replace(other, until=NOW)), NOW) == set()


def test_a_target_is_found_again_by_what_the_batchs_row_says() -> None:
    settings = _settings()
    for target in settings.targets("m"):
        assert target_of(settings, replace(_batch(), **place_of(settings, target))) == target
    assert target_of(settings, _batch("plain")).deployment == "plain"


def test_a_targets_resource_is_found_though_its_deployment_is_named_no_more() -> None:
    at_west = replace(_batch(), target="west.openai.azure.com/old", endpoint=WEST)
    assert target_of(_settings(), at_west).deployment == "old"
    with pytest.raises(Misconfigured, match="put it back into DEPLOYMENTS"):
        target_of(_settings({}), at_west)


def test_the_own_resource_is_found_when_it_has_moved_into_the_list() -> None:
    was_own = replace(_batch(), target="name.openai.azure.com/own")
    moved = _settings({"m": [{"endpoint": "https://name.openai.azure.com", "deployment": "own"}]}, WEST)
    assert target_of(moved, was_own).endpoint == "https://name.openai.azure.com"
    assert target_of(_settings({}, WEST), was_own).endpoint == WEST


def test_resources_are_told_apart_and_their_bookmarks_too() -> None:
    settings = _settings()
    accounts = list(resources(settings))
    assert len(accounts) == 3
    names = {bookmark_of(settings, "asked", account) for account in accounts}
    assert len(names) == 3
    assert "asked" in names
    assert not any(set(name) & set("/\\#?") for name in names)
