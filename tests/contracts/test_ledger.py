"""What every implementation of Ledger promises."""

from dataclasses import replace

import pytest

from shared.domain.errors import Conflict
from shared.domain.ledger import FOLDED, Entry, Ledger, Month, OutputTokens, standing


def test_a_month_nobody_wrote_is_empty(ledger: Ledger) -> None:
    assert ledger.month("2026-11") == (Month("2026-11"), [])
    assert ledger.entry("a") is None
    assert ledger.output_tokens(["k"]) == {}


def test_an_entry_is_read_back_as_it_was_written(ledger: Ledger) -> None:
    entry = Entry("a", {"2026-11": 0.25, "2026-12": 1.5}, 3.75, outputs={"k": OutputTokens(30, 2)})
    saved = ledger.save(entry)
    assert saved == replace(entry, version=saved.version)
    assert ledger.entry("a") == saved
    assert ledger.month("2026-11")[1] == [saved]


def test_an_entry_is_replaced_only_as_it_was_read(ledger: Ledger) -> None:
    first = ledger.save(Entry("a", reserved=1.0))
    second = ledger.save(replace(first, reserved=2.0))
    for stale in (first, Entry("a", reserved=9.0)):
        with pytest.raises(Conflict):
            ledger.save(replace(stale, reserved=9.0))
    assert ledger.entry("a") == second


def test_of_two_jobs_that_looked_at_the_same_month_one_reserves(ledger: Ledger) -> None:
    month, _ = ledger.month("2026-11")
    ledger.reserve(Entry("a", reserved=6.0), month)
    with pytest.raises(Conflict):
        ledger.reserve(Entry("b", reserved=6.0), month)
    again, entries = ledger.month("2026-11")
    assert standing(again, entries).committed == 6.0
    ledger.reserve(Entry("b", reserved=1.0), again)
    assert standing(*ledger.month("2026-11")).committed == 7.0


def test_a_reservation_changes_no_sum_and_may_follow_another(ledger: Ledger) -> None:
    ledger.fold([ledger.save(Entry("z", {"2026-11": 2.0}, ended=True))])
    month, _ = ledger.month("2026-11")
    entry = ledger.reserve(Entry("a", reserved=1.0), month)
    month, _ = ledger.month("2026-11")
    ledger.reserve(replace(entry, reserved=3.0), month)
    assert standing(*ledger.month("2026-11")).committed == 5.0


def test_folding_keeps_every_total_and_removes_the_entries(ledger: Ledger) -> None:
    ended = [
        ledger.save(
            Entry(f"job-{number}", {"2026-10": 1.0, "2026-11": 2.0}, ended=True, outputs={"k": OutputTokens(10, 1)})
        )
        for number in range(3)
    ]
    going_on = ledger.save(Entry("x", {"2026-11": 1.0}, reserved=5.0))
    before = [standing(*ledger.month(name)) for name in ("2026-10", "2026-11")]
    ledger.fold(ended[:2])
    ledger.fold(ended[2:])
    assert [standing(*ledger.month(name)) for name in ("2026-10", "2026-11")] == before
    assert ledger.month("2026-11")[1] == [going_on]
    assert ledger.output_tokens(["k", "other"]) == {"k": OutputTokens(30, 3)}


def test_an_entry_is_folded_once_however_many_try(ledger: Ledger) -> None:
    ended = ledger.save(Entry("a", {"2026-11": 2.0}, ended=True))
    ledger.fold([ended])
    with pytest.raises(Conflict):
        ledger.fold([ended])
    assert standing(*ledger.month("2026-11")).spent == 2.0


def test_folding_makes_those_look_again_who_wanted_to_reserve(ledger: Ledger) -> None:
    ended = ledger.save(Entry("a", {"2026-11": 2.0}, ended=True))
    month, _ = ledger.month("2026-11")
    ledger.fold([ended])
    with pytest.raises(Conflict):
        ledger.reserve(Entry("b", reserved=1.0), month)


def test_an_ended_jobs_output_tokens_are_known_before_it_is_folded(ledger: Ledger) -> None:
    ledger.save(Entry("a", outputs={"k": OutputTokens(10, 1)}))
    assert ledger.output_tokens(["k"]) == {}
    ended = ledger.save(Entry("b", ended=True, outputs={"k": OutputTokens(30, 2)}))
    assert ledger.output_tokens(["k", "l"]) == {"k": OutputTokens(30, 2)}
    ledger.fold([ended])
    assert ledger.output_tokens(["k", "l"]) == {"k": OutputTokens(30, 2)}


def test_of_very_many_ended_jobs_only_a_few_tell_the_output_tokens(ledger: Ledger) -> None:
    for number in range(FOLDED + 5):
        ledger.save(Entry(f"a{number:02d}", ended=True, outputs={"k": OutputTokens(10, 1)}))
    assert ledger.output_tokens(["k"]) == {"k": OutputTokens(10 * FOLDED, FOLDED)}


def test_a_job_is_settled_once_for_ever(ledger: Ledger) -> None:
    entry = ledger.save(Entry("a", reserved=5.0))
    ledger.settle(replace(entry, charged={"2026-11": 2.0}, reserved=0.0, ended=True))
    settled = ledger.entry("a")
    assert settled is not None
    assert settled.ended
    ledger.fold([settled])
    with pytest.raises(Conflict):
        ledger.settle(Entry("a", {"2026-11": 2.0}, ended=True))
    assert ledger.entry("a") is None
    assert standing(*ledger.month("2026-11")).spent == 2.0


def test_a_reservation_that_came_too_late_can_be_dropped(ledger: Ledger) -> None:
    ledger.settle(Entry("a", {"2026-11": 2.0}, ended=True))
    ledger.fold(ledger.month("2026-11")[1])
    late = ledger.save(Entry("a", reserved=9.0))
    ledger.drop(late)
    assert standing(*ledger.month("2026-11")).committed == 2.0
    with pytest.raises(Conflict):
        ledger.drop(late)
