"""What the service's refusal of a batch means for its rows."""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final


class Refusal(StrEnum):
    """What a failed validation means for the batch's rows."""

    QUOTA = "quota"
    DEPLOYMENT = "deployment"
    MONEY = "money"
    PERMISSION = "permission"
    FINAL = "final"


_MISSING: Final = frozenset({"model_not_found", "deploymentnotfound", "deployment_not_found"})
"""Codes for a deployment that does not exist."""

_OUT_OF_MONEY: Final = frozenset({"billing_hard_limit_reached", "insufficient_quota"})
"""Codes of the OpenAI platform for an account that has nothing left to spend."""


def refusal_of(errors: Sequence[tuple[str, str, str]]) -> Refusal:
    """Classify a failed batch's errors (code, message, line): can it be accepted later, and what must happen first?"""
    for code, message, _ in errors:
        text = message.lower()
        if code == "token_limit_exceeded" or "token_limit_exceeded" in text or "enqueued token" in text:
            return Refusal.QUOTA
        if code.lower() in _MISSING:
            return Refusal.DEPLOYMENT
        if code in _OUT_OF_MONEY:
            return Refusal.MONEY
        if code == "invalid_request" and re.search(r"\bsku\b|batch deployment|deployment type", text):
            return Refusal.DEPLOYMENT
        if code == "input_no_permissions":
            return Refusal.PERMISSION
    return Refusal.FINAL


def token_limit(message: str) -> int | None:
    """Read the limit of enqueued tokens from a refusal (`limit of 30K`, `Limit: 30,000`); None if it names none."""
    found = re.search(r"limit(?: of|:) (\d[\d,]*(?:\.\d+)?)\s?([KMB]?)\b", message, re.IGNORECASE | re.ASCII)
    if found is None:
        return None
    number = float(found[1].replace(",", ""))
    return int(number * {"": 1, "K": 1_000, "M": 1_000_000, "B": 1_000_000_000}[found[2].upper()])
