"""Short-lived links to single blobs: signatures that permit reading one blob, and nothing else.

https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas
"""

from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from azure.storage.blob import BlobClient, BlobSasPermissions, BlobServiceClient, generate_blob_sas

from shared.domain.errors import Misconfigured

CLOCK_SKEW: Final = timedelta(minutes=15)
"""How far the account's clock may lag behind ours."""


def sign(client: BlobServiceClient, blob: BlobClient, until: datetime, download_as: str) -> str:
    """Return the query that permits downloading a blob until `until`, saved under the name `download_as`.

    Signs with the account key where the app has it, else with a key that the account makes for the app's identity.
    Raises Misconfigured where the app has neither.
    """
    signed: str = generate_blob_sas(
        blob.account_name or "",
        blob.container_name,
        blob.blob_name,
        permission=BlobSasPermissions(read=True),
        expiry=until,
        content_disposition=f"attachment; filename*=UTF-8''{quote(download_as, safe='')}",
        **_key(client, until),
    )
    return signed


def _key(client: BlobServiceClient, until: datetime) -> dict[str, Any]:
    credential = client.credential
    if account_key := getattr(credential, "account_key", None):
        return {"account_key": account_key}
    if credential is None:
        raise Misconfigured(
            "BatchStorage is a connection string with a shared access signature, which cannot sign links to files: "
            "use one with an account key, or the identity-based form"
        )
    return {"user_delegation_key": client.get_user_delegation_key(until - CLOCK_SKEW - CLOCK_SKEW, until)}
