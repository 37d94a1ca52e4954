"""Warnings about a whole batch: its schema seems to be at fault, or all its rows were refused for the same reason."""

from typing import Final

from shared.answers.tally import Tally
from shared.domain.lifecycle import is_schema_faulty
from shared.domain.model import Batch, RowCode

_REASONING: Final = frozenset({
    "temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias",
})  # fmt: skip
"""Parameters that reasoning models refuse. Source: Microsoft's page on reasoning models."""


def warning_of(batch: Batch, tally: Tally) -> str:
    """Return what the user should know and do about a batch's answers; empty if nothing."""
    invalid = tally.codes[RowCode.INVALID_OUTPUT]
    if is_schema_faulty(invalid, tally.rows):
        return (
            f"{invalid} of the {tally.rows} answers of batch {batch.batch_id} do not fit their schema: the schema or "
            "the prompt must be at fault, so those rows were not tried again."
        )
    refusal = common_refusal(tally)
    return f"Batch {batch.batch_id}: {refusal}" if refusal else ""


def common_refusal(tally: Tally) -> str:
    """Return why the service refused all rows of a batch, and what to do, if a parameter was at fault; else empty."""
    name = tally.refused_parameter
    if not name:
        return ""
    rows = "The only row was" if tally.rows == 1 else f"All {tally.rows} rows were"
    return f"{rows} refused because of the parameter {name}: {_remedy(name)}, then retry the job."


def _remedy(name: str) -> str:
    if name in _REASONING:
        return (
            "reasoning models do not take it; remove it from parameters of _job.json, or from the requests (to "
            "steer such a model, use reasoning_effort)"
        )
    if name == "max_tokens":
        return "use max_completion_tokens in its place, in parameters of _job.json or in the requests"
    return "correct or remove it in parameters of _job.json or in the requests (errors.jsonl has the service's words)"
