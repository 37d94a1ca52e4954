"""How large a request may be, and how many tokens it may cost."""

from typing import Final

from shared.domain.errors import UnsendableError
from shared.domain.model import RowCode

BYTES_PER_TOKEN: Final = 4
"""An estimate on the high side: English requests with a schema have 3 to 8 bytes for each token that is billed."""

TEXT_LENGTH: Final = 1_048_576
"""Characters of one chat message: the quota page of Azure OpenAI."""


def check_size(line: bytes, max_bytes: int) -> None:
    """Raise UnsendableError where a request with its line end is larger than a whole batch may be."""
    if len(line) >= max_bytes:
        raise UnsendableError(
            RowCode.ROW_TOO_LARGE, f"The request has {len(line) + 1} bytes; a batch has {max_bytes} at most."
        )


def check_text(text: str) -> None:
    """Raise UnsendableError where a text is longer than a chat message may be."""
    if len(text) > TEXT_LENGTH:
        raise UnsendableError(
            RowCode.ROW_TOO_LARGE, f"A message has {len(text)} characters; {TEXT_LENGTH} are allowed."
        )
