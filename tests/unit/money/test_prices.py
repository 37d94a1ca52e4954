"""What an answer cost, at the batch price."""

import subprocess
import sys

import genai_prices
import pytest
from genai_prices.data import providers

from shared.domain.model import Usage
from shared.money.prices import price_usd

MILLION = 1_000_000
MODELS = [model.id for provider in providers if provider.id == "openai" for model in provider.models]


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("gpt-4o-2024-08-06", 1.25 + 5),
        ("gpt-4o", 1.25 + 5),
        ("gpt-4o-mini-2024-07-18", 0.075 + 0.3),
        ("gpt-4.1-2025-04-14", 1 + 4),
        ("o4-mini-2025-04-16", 0.55 + 2.2),
    ],
)
def test_answers_cost_half_of_the_model_s_price(model: str, usd: float) -> None:
    assert price_usd(model, [(MILLION, MILLION)]) == pytest.approx(usd)
    assert price_usd(model, [(1000, 400), (0, 600)]) == pytest.approx(usd / 1000)


@pytest.mark.parametrize("model", ["", "my-deployment", "gpt-4o-batch", "gpt-oss-120b", "gpt-9"])
def test_a_model_without_a_known_batch_price_is_not_guessed(model: str) -> None:
    assert price_usd(model, [(10, 10)]) is None
    assert price_usd(model, [(MILLION, 10)]) is None


def test_answers_are_priced_together_as_one_by_one() -> None:
    paid = [(10, 5), (300_000, 9), (0, 0), (100_001, 1)]
    for model in ("gpt-4o", "gpt-5.4"):
        together, single = price_usd(model, paid), [price_usd(model, [tokens]) for tokens in paid]
        assert together == (None if None in single else pytest.approx(sum(price or 0 for price in single)))


def test_nothing_costs_nothing() -> None:
    assert price_usd("gpt-4o", []) == 0


@pytest.mark.parametrize("tokens", [Usage(1, 1), Usage(99_999, 7), Usage(100_000, 50_000), Usage(300_000, 9)])
def test_the_quick_way_gives_every_model_s_full_calculation(tokens: Usage) -> None:
    priced = 0
    for model in MODELS:
        found = price_usd(model, [(tokens.input_tokens, tokens.output_tokens)])
        if found is None:
            continue
        whole = genai_prices.calc_price(
            genai_prices.Usage(input_tokens=tokens.input_tokens, output_tokens=tokens.output_tokens),
            model,
            provider_id="openai",
            price_context={"processing": "batch"},
        )
        assert found == pytest.approx(float(whole.total_price)), model
        priced += 1
    assert priced > 10


def test_prices_are_loaded_only_when_asked_for() -> None:
    code = "import sys, shared.money.prices; sys.exit('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_nothing_is_fetched_or_updated_in_the_background() -> None:
    code = (
        "import socket, threading\n"
        "def refuse(*_a, **_k): raise SystemExit('reached out')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from shared.domain.model import Usage\n"
        "from shared.money.prices import price_usd\n"
        "assert price_usd('gpt-4o', [(1, 1)])\n"
        "assert threading.active_count() == 1\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
