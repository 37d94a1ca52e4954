"""`--account`: a storage account over HTTPS, with the token that the Azure CLI gives; Azurite checks it."""

import base64
import datetime
import ipaddress
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from local.commands import drop, follow, jobs, place, results
from local.servers.azurite import install_azurite, node
from local.servers.processes import Server, ServerError
from shared import wiring

pytestmark = pytest.mark.skipif(os.name != "posix", reason="its stand-in for the Azure CLI is a shell script")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate of this machine's own and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    text = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(text)
    return folder


@pytest.fixture(scope="module")
def uris(certificate: Path) -> Iterator[dict[str, str]]:
    """The addresses of an Azurite that takes tokens, and no keys."""
    secure: list[str | Path] = [
        "--oauth",
        "basic",
        "--cert",
        certificate / "cert.pem",
        "--key",
        certificate / "key.pem",
    ]
    ports = [part for name in ("blob", "queue", "table") for part in (f"--{name}Port", "0")]
    options = ["--silent", "--skipApiVersionCheck", "--disableTelemetry", "--inMemoryPersistence"]
    server = Server("Azurite", [node(), install_azurite(), *options, *ports, *secure], certificate / "azurite.log")
    try:
        listening = r"Azurite {} service is successfully listening at (https://127\.0\.0\.1:\d+)"
        names = ("Blob", "Queue", "Table")
        found = {name.lower(): server.wait_for_line(listening.format(name))[1] for name in names}
        yield {name: f"{address}/devstoreaccount1" for name, address in found.items()}
    finally:
        server.stop()


@pytest.fixture(autouse=True)
def _signed_in(
    certificate: Path, uris: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Sign in as `az login` would, in a machine where the account's addresses are Azurite's."""
    az = tmp_path / "bin" / "az"
    az.parent.mkdir()
    _answer(az, "https://storage.azure.com")
    monkeypatch.setenv("PATH", f"{az.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate / "cert.pem"))
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")
    monkeypatch.setattr(place, "service_uris", lambda _: uris)
    monkeypatch.setattr("local.commands.running.interrupt_on_signals", lambda: None)
    wiring._credential.cache_clear()
    yield
    wiring._credential.cache_clear()


def _answer(az: Path, audience: str) -> None:
    """Make a stand-in for the Azure CLI that answers every call with a token for that audience."""
    now = int(time.time())
    claims = {
        "aud": audience,
        "iss": "https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/",
        "iat": now - 60,
        "nbf": now - 60,
        "exp": now + 3600,
    }
    parts = [{"alg": "RS256", "typ": "JWT"}, claims]
    token = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    answer = {"accessToken": f"{token}.c2ln", "expires_on": now + 3600, "expiresOn": "2099-01-01 00:00:00.000000"}
    az.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
    az.chmod(0o755)


def test_files_are_dropped_into_an_account_in_azure_and_jobs_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(follow, "_SILENCE_SECONDS", 0)
    (tmp_path / "a.csv").write_text("Prompt\nx\n")
    assert drop.main(["drop", str(tmp_path / "a.csv"), "--account", "shopdata"]) == 1
    captured = capsys.readouterr()
    assert "Dropped prompts/a.csv" in captured.out
    assert "No job has begun for a.csv" in captured.err
    assert "--account shopdata" in captured.err
    assert jobs.main(["jobs", "--account", "shopdata"]) == 0
    assert "There are no jobs here yet" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["jobs", "results", "drop"])
def test_who_is_not_signed_in_is_told_to_sign_in_and_of_no_role(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bin" / "az").write_text("#!/bin/sh\necho \"Please run 'az login' to set up account.\" >&2\nexit 1\n")
    assert _run(command, tmp_path) == 1
    said = capsys.readouterr().err
    assert said.startswith(
        "You are not signed in to Azure, so the storage account shopdata cannot be used. Run:  az login"
    )
    assert "AzureCliCredential: Please run 'az login'" in said
    assert "role" not in said


@pytest.mark.filterwarnings("ignore:Testing an element's truth value:DeprecationWarning")  # Azurite refuses in XML.
@pytest.mark.parametrize("command", ["jobs", "results", "drop"])
def test_who_is_signed_in_but_refused_is_told_which_roles_it_takes(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _answer(tmp_path / "bin" / "az", "https://vault.azure.net")  # Azurite refuses it as Azure does a missing role.
    assert _run(command, tmp_path) == 1
    said = capsys.readouterr().err
    assert said.startswith("The storage account shopdata refuses the user who is signed in here")
    assert "Storage Blob Data Contributor" in said
    assert "Storage Table Data Reader" in said


def _run(command: str, folder: Path) -> int:
    (folder / "a.csv").write_text("Prompt\nx\n")
    run = {
        "jobs": lambda: jobs.main(["jobs", "--account", "shopdata"]),
        "results": lambda: results.main(["results", "a.csv", "--account", "shopdata"]),
        "drop": lambda: drop.main(["drop", str(folder / "a.csv"), "--account", "shopdata"]),
    }
    return run[command]()


class TestNames:
    """What an account may be called."""

    @pytest.fixture(autouse=True)
    def _real(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.undo()

    def test_a_name_stands_for_azures_public_cloud(self) -> None:
        assert place.service_uris("shopdata")["table"] == "https://shopdata.table.core.windows.net"

    def test_an_address_stands_for_its_own_cloud(self) -> None:
        uris = place.service_uris("https://shopdata.blob.core.usgovcloudapi.net/")
        assert uris["queue"] == "https://shopdata.queue.core.usgovcloudapi.net"

    @pytest.mark.parametrize("name", ["Shop", "a", "http://shopdata.blob.core.windows.net", "shop-data"])
    def test_what_cannot_be_an_account_is_refused(self, name: str) -> None:
        with pytest.raises(ServerError, match="cannot be a storage account"):
            place.service_uris(name)
