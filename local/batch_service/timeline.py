"""What a batch's status is at a moment: a pure function of its plan and the time. No clock, no I/O.

`validating → in_progress → finalizing → completed`; `validating → failed`; any of the first three
`→ cancelling → cancelled`; `in_progress → expired`. A caller may see any jump forward, as with the real service.
"""

import math
from dataclasses import dataclass

WINDOW_SECONDS = 86_400
TERMINAL = frozenset({"completed", "failed", "expired", "cancelled"})


@dataclass(frozen=True)
class Plan:
    """When what will happen to a batch. All times in seconds, `…_at` since 1970, the others as durations."""

    created_at: float
    validating: float
    running: float
    finalizing: float
    cancelling: float
    fails: bool = False
    """Validation has found (or will find) a fault."""
    expires_with: float | None = None
    """The share of rows (0 to 1) that is done when the batch expires after 24 hours; None: it doesn't expire."""
    cancel_at: float | None = None
    broken_at: float | None = None
    """When something broke the running batch, as a changed input blob does."""
    waits_for_work: bool = False
    """The rows are answered elsewhere: the batch isn't finalized before `worked_at` is known."""
    worked_at: float | None = None
    ends_in_window: bool = False
    """What isn't done after 24 hours expires, as at OpenAI; Azure goes on."""

    @property
    def validated_at(self) -> float:
        """When validation ends."""
        return self.created_at + self.validating

    @property
    def run_until(self) -> float:
        """When the last row is done."""
        planned = self.validated_at + self.running
        if not self.waits_for_work:
            return planned
        return math.inf if self.worked_at is None else max(planned, self.worked_at)


@dataclass(frozen=True)
class Stage:
    """A batch's status at a moment, the times it reached its states, and the share of rows done by then."""

    status: str
    share: float = 0.0
    in_progress_at: float | None = None
    finalizing_at: float | None = None
    completed_at: float | None = None
    failed_at: float | None = None
    expired_at: float | None = None
    cancelling_at: float | None = None
    cancelled_at: float | None = None

    @property
    def terminal(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in TERMINAL


def stage_at(plan: Plan, now: float) -> Stage:
    """Return the stage that a batch with this plan is in at `now`."""
    if plan.cancel_at is not None and now >= plan.cancel_at:
        return _cancelled(plan, plan.cancel_at, now)
    if plan.broken_at is not None and now >= plan.broken_at:
        return Stage("failed", share_at(plan, plan.broken_at), _begun(plan, plan.broken_at), failed_at=plan.broken_at)
    if now < plan.validated_at:
        return Stage("validating")
    if plan.fails:
        return Stage("failed", failed_at=plan.validated_at)
    return _running(plan, now)


def share_at(plan: Plan, now: float) -> float:
    """Return the share of rows, 0 to 1, that is done at `now`."""
    if plan.fails or now < plan.validated_at:
        return 0.0
    spent = now - plan.validated_at
    share = 1.0 if spent >= plan.running else spent / plan.running
    return share if plan.expires_with is None else min(share, plan.expires_with)


def _begun(plan: Plan, until: float) -> float | None:
    return plan.validated_at if not plan.fails and plan.validated_at <= until else None


def _cancelled(plan: Plan, asked_at: float, now: float) -> Stage:
    ended_at = asked_at + plan.cancelling
    finalizing_at = plan.run_until if plan.run_until <= asked_at and not plan.fails else None
    return Stage(
        status="cancelled" if now >= ended_at else "cancelling",
        share=share_at(plan, asked_at),
        in_progress_at=_begun(plan, asked_at),
        finalizing_at=finalizing_at,
        cancelling_at=asked_at,
        cancelled_at=ended_at if now >= ended_at else None,
    )


def _running(plan: Plan, now: float) -> Stage:
    begun, share = plan.validated_at, share_at(plan, now)
    expiry = plan.created_at + WINDOW_SECONDS
    if plan.ends_in_window and plan.expires_with is None and plan.run_until > expiry and now >= expiry:
        return Stage("expired", share_at(plan, expiry), begun, expired_at=expiry)
    if plan.expires_with is not None:
        if now >= expiry:
            return Stage("expired", share_at(plan, expiry), begun, expired_at=expiry)
        return Stage("in_progress", share, begun)
    if now < plan.run_until:
        return Stage("in_progress", share, begun)
    if now < plan.run_until + plan.finalizing:
        return Stage("finalizing", 1.0, begun, plan.run_until)
    return Stage("completed", 1.0, begun, plan.run_until, plan.run_until + plan.finalizing)
