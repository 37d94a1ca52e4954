"""A job's status in words for people: its state, its rows, what it cost, what went wrong."""

from collections.abc import Mapping
from typing import Any

type Status = Mapping[str, Any]

ENDED = ("completed", "failed", "cancelled")
NOT_SENT = "not_sent"


def rows_done(status: Status) -> tuple[int, int | None]:
    """Return how many rows are done, as far as our side or the service counted them, and how many there are.

    Those that a trial run leaves out count for neither.
    """
    rows, unsent = status["rows"], left_out(status)
    done = int(rows.get("succeeded") or 0) + int(rows.get("failed") or 0) - unsent
    at_service = sum((batch.get("completed") or 0) + (batch.get("failed") or 0) for batch in status.get("batches", ()))
    if rows.get("total") is None:
        return done, None
    total = int(rows["total"]) - unsent
    return max(done, min(max(at_service, int(status.get("answered") or 0)), total)), total


def describe(status: Status) -> str:
    """Return a job's state and message: what is told when it changes."""
    return " · ".join(part for part in (describe_state(status), status.get("message") or "") if part)


def describe_state(status: Status) -> str:
    """Return a job's state in a few words, to stand beside its bar: its own, and its batches' at the service."""
    batches = [f"{batch.get('status') or batch['state']}" for batch in status.get("batches", ())]
    counts = {name: batches.count(name) for name in dict.fromkeys(batches)}
    at_service = ", ".join(name if count == 1 else f"{count} {name}" for name, count in counts.items())
    ended = status["state"] in ENDED
    return f"{status['state']} · batch {at_service}" if at_service and not ended else str(status["state"])


def left_out(status: Status) -> int:
    """Return how many rows a trial run has not sent, 0 for any other job: one that failed has sent none at all."""
    if status["state"] == "failed":
        return 0
    return int((status.get("errors") or {}).get(NOT_SENT, 0))


def failures(status: Status) -> dict[str, int]:
    """Return the failed rows by code, without those that were left out on purpose."""
    return {code: count for code, count in (status.get("errors") or {}).items() if code != NOT_SENT}


def summary(status: Status) -> str:
    """Return what became of a job, in one line."""
    parts = [f"{status['prompt_file']}: {status['state']}", *_rows(status)]
    if status.get("code"):
        parts.append(str(status["code"]))
    # A trial's message says again how many rows were sent.
    if status.get("message") and not left_out(status):
        parts.append(str(status["message"]))
    tokens = (status.get("usage") or {}).get("total_tokens")
    if tokens:
        parts.append(f"{tokens:,} tokens{_cost(status)}")
    return " · ".join(parts)


def targets_of(status: Status) -> str:
    """Return where a job's batches went, empty where all went to one place."""
    names = [batch["target"] for batch in status.get("batches", ()) if batch.get("target")]
    counts = {name: names.count(name) for name in dict.fromkeys(names)}
    return ", ".join(f"{count:,} at {name}" for name, count in counts.items()) if len(counts) > 1 else ""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 row`, `1,200 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def money(usd: float) -> str:
    """Return an amount that is never shown as nothing."""
    return f"${usd:,.4f}" if usd >= 0.0001 else "less than $0.0001"


def one_line(text: str, length: int = 300) -> str:
    """Return a text without line breaks, cut to a length."""
    joined = " ".join(text.split())
    return joined if len(joined) <= length else joined[: length - 1] + "…"


def _rows(status: Status) -> list[str]:
    rows, total, unsent = status["rows"], status["rows"].get("total"), left_out(status)
    if not total:
        return []
    sent = [f"trial run: {total - unsent:,} of {total:,} rows sent"] if unsent else []
    of = f" of {total - unsent:,}" if total - unsent != rows["succeeded"] or not unsent else ""
    reused = f" ({rows['reused']:,} of them reused)" if rows.get("reused") else ""
    failed = ", ".join(f"{count:,} {code}" for code, count in failures(status).items())
    return [*sent, f"{rows['succeeded']:,}{of} rows succeeded{reused}", *([f"failed: {failed}"] if failed else [])]


def _cost(status: Status) -> str:
    cost = status.get("cost") or {}
    return f", {money(cost['usd'])}" if cost.get("usd") else ""
