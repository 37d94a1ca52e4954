"""What an answer cost, at the batch price of the model that gave it.

Prices come with the package genai-prices, as of its release; nothing is fetched. Its entries of Azure know no batch
price and would silently give the full one, so OpenAI's are used: they are the same amounts.
"""

from functools import lru_cache
from typing import Final

from shared.model import Usage

_PROBE: Final = 1000
_TIER: Final = 100_000
"""Input tokens beyond which some models' prices rise: such answers are priced one by one."""


def price_usd(model: str, usage: Usage) -> float | None:
    """Price one answer in US dollars; None where the model's batch price is not known.

    `model` is the name in the answer, such as `gpt-4o-2024-08-06`.
    """
    rates = _rates(model)
    if rates is None or usage.input_tokens > _TIER:
        return rates and _calculated(model, usage)
    return usage.input_tokens * rates[0] + usage.output_tokens * rates[1]


@lru_cache(256)
def _rates(model: str) -> tuple[float, float] | None:
    """Find a model's prices of one input and one output token, below any tier."""
    read = _calculated(model, Usage(_PROBE, 0))
    written = _calculated(model, Usage(0, _PROBE))
    return None if read is None or written is None else (read / _PROBE, written / _PROBE)


def _calculated(model: str, usage: Usage) -> float | None:
    # Imported when first needed: it is large, and a function that prices nothing should start fast.
    import genai_prices

    tokens = genai_prices.Usage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)
    try:
        price = genai_prices.calc_price(tokens, model, provider_id="openai", price_context={"processing": "batch"})
    except LookupError:
        return None
    variants = price.model.price_variants or ()
    return float(price.total_price) if any(v.when == {"processing": "batch"} for v in variants) else None
