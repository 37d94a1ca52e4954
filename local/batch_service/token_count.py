"""How many tokens requests and answers have, counted with the model's own encoding.

The encoding's table and the count of a request are the app's own (shared/money): its estimates are held to this count.
"""

from functools import lru_cache
from typing import Any

from local.batch_service import json_text
from shared.money.request_tokens import RequestTokens, read_body
from shared.money.tokens import TokenCounter, token_counter

CHARS_PER_TOKEN = 4
"""Where the encoding can't be loaded."""
_COUNTED_LIKE = "gpt-4o"
"""All models that run batches have its encoding."""


@lru_cache(maxsize=512)
def of_text(text: str) -> int:
    """Return how many tokens a text has; schemas and roles, which each row repeats, are counted once."""
    return _counter()(text)


def of_request(body: dict[str, Any]) -> int:
    """Return how many input tokens a request body has, schema and tools included."""
    return _requests().of(read_body(json_text.write(body)))


def cut(text: str, tokens: int) -> str:
    """Return the longest beginning of a text that has so many tokens at most."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if _counter()(text[:middle]) <= tokens:
            low = middle
        else:
            high = middle - 1
    return text[:low]


@lru_cache(maxsize=1)
def _requests() -> RequestTokens:
    return RequestTokens(_counter())


@lru_cache(maxsize=1)
def _counter() -> TokenCounter:
    return token_counter(_COUNTED_LIKE) or (lambda text: -(-len(text) // CHARS_PER_TOKEN))
