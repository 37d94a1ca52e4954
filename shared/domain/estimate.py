"""What a job is estimated to use and cost, and why a job may be held."""

from dataclasses import dataclass
from enum import StrEnum


class Basis(StrEnum):
    """What the estimate of output tokens rests on."""

    PILOT = "pilot"
    HISTORY = "history"
    CAP = "cap"


class HeldBy(StrEnum):
    """Why a job is held until it is released: the cap it would pass, or its pilot."""

    INPUT_TOKENS = "input_tokens"
    COST = "cost"
    BUDGET = "budget"
    PILOT = "pilot"


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens and US dollars at the batch price; None where they cannot be known.

    `priced` says whether the prices of all its models are known.
    """

    input_tokens: int
    output_tokens: int | None = None
    usd: float | None = None
    basis: Basis | None = None
    priced: bool = True
