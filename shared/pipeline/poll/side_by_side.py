"""Questions to several resources, asked at the same time, so that a silent resource holds up no other."""

import logging
import queue
import time
from collections.abc import Iterator, Mapping
from typing import Final

from shared.domain.errors import AppError, NoAnswer, Unavailable
from shared.domain.model import RemoteBatch
from shared.domain.ports import App

log = logging.getLogger("structuredbatch.polling")

SILENCE: Final = 50.0
"""Seconds that a resource may be silent before it is left to the next tick, if there are other resources."""

type Answer = RemoteBatch | AppError | None
"""A batch; or the end of a resource's answers: the error that broke them off, or None."""


def side_by_side(
    app: App, questions: Mapping[str, Iterator[RemoteBatch]], *, alone: bool = False
) -> Iterator[tuple[str, Answer]]:
    """Yield the answers of all resources as they arrive, each with its resource's account; see `Answer` for the end.

    `alone`: there is only this one resource. It can hold up no other, so it may take as long as it needs.
    """
    if alone:
        for account, answers in questions.items():
            yield from _to_the_end(account, answers)
        return
    come: queue.SimpleQueue[tuple[str, Answer]] = queue.SimpleQueue()
    for account, answers in questions.items():
        app.in_background(lambda account=account, answers=answers: _put_all(come, account, answers))  # type: ignore[misc]
    heard = dict.fromkeys(questions, time.monotonic())
    while heard:
        try:
            account, answer = come.get(timeout=max(min(heard.values()) + SILENCE - time.monotonic(), 0.001))
        except queue.Empty:
            silent = min(heard, key=lambda account: heard[account])
            del heard[silent]
            yield silent, NoAnswer(f"The batch service at {silent} does not answer; it is asked again")
            continue
        if account not in heard:
            continue  # It answered after all, but too late for this tick.
        heard[account] = time.monotonic()
        if not isinstance(answer, RemoteBatch):
            del heard[account]
        yield account, answer


def _put_all(come: "queue.SimpleQueue[tuple[str, Answer]]", account: str, answers: Iterator[RemoteBatch]) -> None:
    try:
        for answer in _to_the_end(account, answers):
            come.put(answer)
    except Exception as error:  # noqa: BLE001  # A fault of our own; its text might quote what a service says.
        come.put((account, Unavailable(f"The batch service at {account} was not asked ({type(error).__name__})")))


def _to_the_end(account: str, answers: Iterator[RemoteBatch]) -> Iterator[tuple[str, Answer]]:
    try:
        for answer in answers:
            yield account, answer
    except AppError as error:
        yield account, error
    else:
        yield account, None
