"""What reasoning models do otherwise than others: parameters that they refuse, and tokens that they think with.

Source: Microsoft's how-to on reasoning models; the texts are those that users report.
"""

from typing import Any

from local.batch_service import json_text

Body = dict[str, Any]
DEFAULTS = {"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0}
NOT_SUPPORTED = ("logprobs", "top_logprobs", "logit_bias")
TOKENS = {"none": 0, "minimal": 0, "low": 64, "medium": 192, "high": 576, "xhigh": 1152}
USUAL_EFFORT = "medium"


def fault(body: Body, responses: bool) -> tuple[str, str, str | None] | None:
    """Return text, parameter and code of what a reasoning model refuses in a request, or None."""
    for name, default in DEFAULTS.items():
        value = body.get(name)
        if value is None or value == default:
            continue
        if responses:
            return _not_supported(name)
        written = json_text.write(value).decode()
        text = f"Unsupported value: '{name}' does not support {written} with this model."
        return f"{text} Only the default ({default}) value is supported.", name, "unsupported_value"
    for name in NOT_SUPPORTED:
        if body.get(name):
            return _not_supported(name)
    if not responses and body.get("max_tokens") is not None:
        return _not_supported("max_tokens", " Use 'max_completion_tokens' instead.")
    return _roles_fault(body.get("input" if responses else "messages"))


def tokens(body: Body, responses: bool) -> int:
    """Return how many tokens a reasoning model thinks with before it answers a request."""
    given = (body.get("reasoning") or {}).get("effort") if responses else body.get("reasoning_effort")
    return TOKENS.get(str(given or USUAL_EFFORT), TOKENS[USUAL_EFFORT])


def _not_supported(name: str, remedy: str = "") -> tuple[str, str, str]:
    return (
        f"Unsupported parameter: '{name}' is not supported with this model.{remedy}",
        name,
        "unsupported_parameter",
    )


def _roles_fault(messages: Any) -> tuple[str, str, str | None] | None:
    roles = {message.get("role") for message in messages or () if isinstance(message, dict)}
    if {"developer", "system"} <= roles:
        return "A developer message can't be used together with a system message.", "messages", None
    return None
