"""How the app talks to the batch service: both routes, and nothing left there for ever."""

from collections.abc import Callable

import pytest
from openai import OpenAI

from testing.world import World

TABLE = "Custom ID,Prompt,Required\na,Who built it?,Name\n"


@pytest.mark.parametrize("version", ["", "2024-10-21", "2025-04-01-preview"])
def test_both_routes_do_the_main_job(new_world: Callable[..., World], version: str) -> None:
    world = new_world(AZURE_OPENAI_API_VERSION=version)
    name = world.drop("table.csv", TABLE, model="m")

    assert world.run(name)["rows"]["succeeded"] == 1
    paths = {call["path"].split("?")[0] for call in world.service.journal().calls}
    assert all(path.startswith("/openai/" if version else "/openai/v1/") for path in paths), paths


def test_input_files_are_deleted_and_outputs_expire(world: World) -> None:
    world.run(world.drop("table.csv", TABLE, model="m"))

    client = OpenAI(base_url=f"{world.service.url}/openai/v1/", api_key="test", max_retries=0)
    files = list(client.files.list())

    assert {file.purpose for file in files} == {"batch_output"}
    assert all(file.expires_at for file in files)


def test_an_endpoint_with_its_route_is_understood(new_world: Callable[..., World], world: World) -> None:
    other = new_world(AZURE_OPENAI_ENDPOINT=f"{world.service.url}/openai/v1/")

    assert other.run(other.drop("table.csv", TABLE, model="m"))["rows"]["succeeded"] == 1
