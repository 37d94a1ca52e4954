"""Who is signed in to Azure here, for `--account`: say what is missing, a sign-in or a role."""

import logging
import os

from azure.core.exceptions import ClientAuthenticationError

from local.servers.processes import ServerError

_STORAGE = "https://storage.azure.com/.default"


def sign_in(account: str) -> None:
    """Take a token for storage as the Azure CLI's user; raises ServerError where nobody is signed in."""
    from azure.identity import DefaultAzureCredential  # Slow to import, and other commands need none.

    # DefaultAzureCredential would try five other ways before the Azure CLI; who prefers one names it here.
    os.environ.setdefault("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")
    logging.getLogger("azure.identity").setLevel(logging.ERROR)  # Its warnings say what the error says.
    try:
        DefaultAzureCredential().get_token(_STORAGE)
    except ClientAuthenticationError as error:
        raise ServerError(
            f"You are not signed in to Azure, so the storage account {account} cannot be used. Run:  az login\n"
            f"({_reason(error)})"
        ) from error


def not_permitted(account: str) -> str:
    """Return what to do where a signed-in user is refused by a storage account."""
    return (
        f"The storage account {account} refuses the user who is signed in here ('az account show' says who that is). "
        "It takes the role Storage Blob Data Contributor on it, and Storage Table Data Reader for 'jobs' and "
        "'results'; one just granted takes some minutes. If both are there, look at its network rules."
    )


def _reason(error: ClientAuthenticationError) -> str:
    """Return what each way to sign in said, without the frame that azure-identity puts around it."""
    lines = [line.strip() for line in str(error).splitlines() if line.startswith("\t")]
    return "; ".join(lines) or str(error).partition("\n")[0]
