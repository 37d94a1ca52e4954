"""Whether a job may be sent, or is held by a cap: a decision as a value, with the words that the operator reads."""

from dataclasses import dataclass
from typing import Final

from shared.domain.estimate import Estimate, HeldBy

UNCAPPED_OUTPUT_TOKENS: Final = 4_096
"""Output tokens that a row without a cap counts with where a pilot must be priced before anything is known."""


@dataclass(frozen=True, slots=True)
class Caps:
    """The caps on a job, in dollars and tokens; None for no cap."""

    input_tokens: int | None = None
    job_usd: float | None = None
    month_usd: float | None = None

    @property
    def limits_cost(self) -> bool:
        """Whether the job's cost must be known before it is sent."""
        return self.job_usd is not None or self.month_usd is not None


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a job is held: which cap, and what the operator should know and may do."""

    by: HeldBy
    message: str


def lower_cap(app: float | None, job: float | None) -> float | None:
    """Combine MAX_JOB_COST_USD with the job's `max_cost_usd`, which can only lower it."""
    return min((cap for cap in (app, job) if cap is not None), default=None)


def hold(
    estimate: Estimate, caps: Caps, *, charged: float = 0.0, committed: float = 0.0, pilot: Estimate | None = None
) -> Hold | None:
    """Decide whether a job is held; None where it may be sent.

    `estimate` is of what is still to be sent, `charged` what the job has cost so far, `committed` what the month has
    cost so far and will cost by the estimates of other jobs, in US dollars. `pilot` is the estimate of a pilot that is
    still to come: where the job's own cost is unknown, it may find out, if it fits itself.
    """
    if caps.input_tokens is not None and estimate.input_tokens > caps.input_tokens:
        return Hold(HeldBy.INPUT_TOKENS, _too_many_tokens(estimate.input_tokens, caps.input_tokens))
    if not caps.limits_cost:
        return None
    if estimate.usd is None:
        if pilot is not None and pilot.usd is not None and _over(pilot.usd, caps, charged, committed) is None:
            return None
        return Hold(HeldBy.BUDGET if caps.job_usd is None else HeldBy.COST, _unknown_cost(estimate, pilot))
    return _over(estimate.usd, caps, charged, committed)


def unsent_follow_up(rows: int, usd: float | None, by: HeldBy, caps: Caps) -> str:
    """Say that failed rows are not tried again, as a follow-up batch of them would pass a cap."""
    which = "MAX_JOB_COST_USD, or max_cost_usd in _job.json" if by is HeldBy.COST else "MONTHLY_BUDGET_USD"
    cap = caps.job_usd if by is HeldBy.COST else caps.month_usd
    cost = "at an unknown cost" if usd is None else f"estimated at {dollars(usd)}"
    who = "1 row was" if rows == 1 else f"{rows:,} rows were"
    return (
        f"{who} not tried again, {cost}: the follow-up batch would have passed the cap of {dollars(cap or 0.0)} "
        f"({which}). They keep the code that they had; retry the job to ask them again."
    )


def _over(usd: float, caps: Caps, charged: float, committed: float) -> Hold | None:
    if not usd:
        return None  # Nothing is spent, however much was before.
    if caps.job_usd is not None and charged + usd > caps.job_usd:
        return Hold(HeldBy.COST, _too_dear(usd, charged, caps.job_usd))
    if caps.month_usd is not None and committed + usd > caps.month_usd:
        return Hold(HeldBy.BUDGET, _beyond_budget(usd, committed, caps.month_usd))
    return None


def _too_many_tokens(estimated: int, cap: int) -> str:
    return (
        f"The job is estimated at {estimated:,} input tokens, more than MAX_JOB_INPUT_TOKENS allows ({cap:,}). "
        "Release it to send it anyway, or cancel it."
    )


def _too_dear(usd: float, charged: float, cap: float) -> str:
    so_far = f", besides {dollars(charged)} spent so far" if charged else ""
    return (
        f"The job is estimated at {dollars(usd)}{so_far}: more than its cap of {dollars(cap)} "
        "(MAX_JOB_COST_USD, or max_cost_usd in _job.json). Release it to send it anyway, or cancel it."
    )


def _beyond_budget(usd: float, committed: float, budget: float) -> str:
    if usd > budget:
        return (
            f"The job is estimated at {dollars(usd)}: more than MONTHLY_BUDGET_USD ({dollars(budget)}) allows for a "
            "whole month. Release it to send it anyway, or cancel it."
        )
    return (
        f"The job is estimated at {dollars(usd)}; this month {dollars(committed)} of MONTHLY_BUDGET_USD "
        f"({dollars(budget)}) are spent or reserved. It goes on by itself when the next month (UTC) begins. Release it "
        "to send it now, or cancel it."
    )


def _unknown_cost(estimate: Estimate, pilot: Estimate | None) -> str:
    missing, ways = [], []
    if estimate.output_tokens is None:
        missing.append("the number of output tokens")
        way = "Set max_completion_tokens under `parameters` in _job.json"
        ways.append(way if pilot else f'{way}, or let a pilot find out ("pilot": 20 in _job.json)')
    if not estimate.priced:
        missing.append("the price of the model")
        ways.append("Name the model behind the deployment in DEPLOYMENT_MODELS")
    are = "is" if len(missing) == 1 else "are"
    of_pilot = "" if pilot is None or pilot.usd is None else f" Its pilot alone may cost {dollars(pilot.usd)}."
    return (
        f"There is a cap on costs, but the job's cost cannot be estimated: {' and '.join(missing)} {are} not known."
        f"{of_pilot} {'. '.join(ways)}, and drop the file again; or release the job to send it anyway, or cancel it."
    )


def dollars(usd: float) -> str:
    """Write an amount for people: in cents from a dollar on, in hundredths of a cent below."""
    if usd >= 1 or usd == 0:
        return f"${usd:,.2f}"
    return f"${usd:.4f}" if usd >= 0.0001 else "less than $0.0001"
