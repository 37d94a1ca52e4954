"""What an answer cost, at the batch price of the model that gave it.

Prices come with the package genai-prices, as of its release; nothing is fetched. Its entries of Azure know no batch
price and would silently give the full one, so OpenAI's are used: they are the same amounts.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

_PROBE: Final = 1000
_TIER: Final = 100_000
"""Input tokens beyond which some models' prices rise: such answers are priced one by one."""


def price_usd(model: str, paid: Sequence[tuple[float, float]]) -> float | None:
    """Price answers in US dollars; None where the model's batch price is not known.

    `model` is the name in the answers, such as `gpt-4o-2024-08-06`; `paid` has each one's input and output tokens, or
    means of them.
    """
    rates = _rates(model)
    if rates is None:
        return None
    long = sum(_calculated(model, round(tokens[0]), round(tokens[1])) or 0.0 for tokens in paid if tokens[0] > _TIER)
    short = [tokens for tokens in paid if tokens[0] <= _TIER]
    return long + sum([read for read, _ in short]) * rates[0] + sum([written for _, written in short]) * rates[1]


@lru_cache(256)
def _rates(model: str) -> tuple[float, float] | None:
    """Find a model's prices of one input and one output token, below any tier."""
    read = _calculated(model, _PROBE, 0)
    written = _calculated(model, 0, _PROBE)
    return None if read is None or written is None else (read / _PROBE, written / _PROBE)


def _calculated(model: str, input_tokens: int, output_tokens: int) -> float | None:
    # Imported when first needed: it is large, and a function that prices nothing should start fast.
    import genai_prices

    tokens = genai_prices.Usage(input_tokens=input_tokens, output_tokens=output_tokens)
    try:
        price = genai_prices.calc_price(tokens, model, provider_id="openai", price_context={"processing": "batch"})
    except LookupError:
        return None
    variants = price.model.price_variants or ()
    return float(price.total_price) if any(v.when == {"processing": "batch"} for v in variants) else None
