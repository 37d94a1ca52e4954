"""Azurite: kept data, and an installation that fails or was broken off."""

import os
import time
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from local.servers.azurite import VERSION, install_azurite, running_azurite
from local.servers.processes import ServerError


def test_data_in_a_folder_outlives_the_server(tmp_path: Path) -> None:
    with running_azurite(tmp_path) as azurite:
        BlobServiceClient.from_connection_string(azurite.connection_string).create_container("kept")
    with running_azurite(tmp_path) as azurite:
        containers = BlobServiceClient.from_connection_string(azurite.connection_string).list_containers()
        assert [container.name for container in containers] == ["kept"]


def test_two_run_side_by_side_on_ports_of_their_own() -> None:
    with running_azurite() as one, running_azurite() as other:
        assert len({one.blob_port, one.queue_port, one.table_port} | {other.blob_port, other.queue_port}) == 5


def test_a_failed_installation_leaves_nothing_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A registry where nobody listens, and none of what npm has cached.
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    cache = tmp_path / "cache"
    abandoned, in_work = cache / "install-killed", cache / "install-of-another"
    for folder in (abandoned, in_work):
        (folder / VERSION).mkdir(parents=True)
    yesterday = time.time() - 24 * 3600
    os.utime(abandoned, (yesterday, yesterday))
    with pytest.raises(ServerError, match="npm could not install Azurite"):
        install_azurite(cache)
    assert list(cache.iterdir()) == [in_work]
