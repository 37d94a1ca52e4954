"""Links to blobs, signed with what the app has: an account key, an identity, or nothing that could sign."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.core.credentials import AccessToken
from azure.storage.blob import BlobServiceClient, UserDelegationKey

from shared.adapters.blob_files import BlobFiles
from shared.domain.errors import Misconfigured
from shared.domain.ports import Container

UNTIL = datetime(2026, 11, 22, 10, 20, tzinfo=UTC)
NAMES = {Container.RESULTS: "results"}


class Identity:
    """A managed identity."""

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken("token", 2**32)


def link(client: BlobServiceClient) -> str:
    return BlobFiles(client, NAMES).link(Container.RESULTS, "a/results.csv", until=UNTIL, download_as="results.csv")


def test_an_identity_signs_with_a_key_that_the_account_makes_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[datetime, datetime]] = []

    def key(self: BlobServiceClient, start: datetime, end: datetime) -> UserDelegationKey:
        asked.append((start, end))
        made: Any = UserDelegationKey()  # type: ignore[no-untyped-call]
        made.signed_oid, made.signed_tid, made.signed_service, made.signed_version = "oid", "tid", "b", "2026-02-06"
        made.signed_start, made.signed_expiry = start.isoformat(), end.isoformat()
        made.value = "a2V5"
        return cast(UserDelegationKey, made)

    monkeypatch.setattr(BlobServiceClient, "get_user_delegation_key", key)

    address = urlsplit(link(BlobServiceClient("https://x.blob.core.windows.net", credential=Identity())))

    query = parse_qs(address.query)
    assert address.path == "/results/a/results.csv"
    assert (query["se"], query["sp"], query["skoid"]) == (["2026-11-22T10:20:00Z"], ["r"], ["oid"])
    assert "sig" in query
    [(start, end)] = asked
    # The account's clock may lag: its key must hold already.
    assert start <= UNTIL - timedelta(minutes=15)
    assert end == UNTIL


def test_a_shared_access_signature_signs_nothing_and_is_never_handed_on() -> None:
    connection = "BlobEndpoint=https://x.blob.core.windows.net;SharedAccessSignature=sv=1&sig=secret"
    with pytest.raises(Misconfigured, match="account key") as refused:
        link(BlobServiceClient.from_connection_string(connection))
    assert "secret" not in str(refused.value)
