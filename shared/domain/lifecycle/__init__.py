"""What to do next: pure decisions about jobs and batches. The clock is an argument; nothing here reads or writes.

    job     preparing ─▶ (held | waiting) ─▶ running ─▶ collecting ─▶ completed | failed | cancelled
    batch   prepared ─▶ uploaded ─▶ submitted ─▶ ended ─▶ collected   (refused for now: back to wait)

Pollers miss states: every jump forward is legal. Whatever must follow from a state is decided from the state alone, so
that a lost message or a crash strands nothing.

decide           what is due
jobs             a job's state, its end, and when it is given up
batches          what a status of the service changes in a batch
refusal_kinds    what the service's refusals mean
backoff          how long to wait
retries          which rows are asked again
"""

from shared.domain.lifecycle.backoff import LONGEST_MESSAGE, LONGEST_WAIT, cut, next_backoff
from shared.domain.lifecycle.batches import age_warnings, ends_before, observed, put_back
from shared.domain.lifecycle.decide import Due, decide
from shared.domain.lifecycle.jobs import (
    GIVE_UP_GRACE,
    end_of,
    is_held,
    is_out_of_patience,
    is_stopping,
    pilot_is_due,
    progress_at,
    state_of,
    waits_for_pilot,
)
from shared.domain.lifecycle.refusal_kinds import Refusal, refusal_of, token_limit
from shared.domain.lifecycle.retries import INVALID_OUTPUT_RETRIES, is_schema_faulty, may_follow, tries_again

__all__ = [
    "GIVE_UP_GRACE",
    "INVALID_OUTPUT_RETRIES",
    "LONGEST_MESSAGE",
    "LONGEST_WAIT",
    "Due",
    "Refusal",
    "age_warnings",
    "cut",
    "decide",
    "end_of",
    "ends_before",
    "is_held",
    "is_out_of_patience",
    "is_schema_faulty",
    "is_stopping",
    "may_follow",
    "next_backoff",
    "observed",
    "pilot_is_due",
    "progress_at",
    "put_back",
    "refusal_of",
    "state_of",
    "token_limit",
    "tries_again",
    "waits_for_pilot",
]
