"""What every implementation of BatchService promises."""

import io
import json
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.errors import AnswerLost, Conflict, NotFound, QuotaExceeded, Refused, Throttled, Unavailable
from shared.domain.model import TERMINAL_STATUSES, Batch, BatchState, RemoteBatch
from tests.contracts.conftest import Rig

METADATA = {"job": "J", "index": "0", "attempt": "1"}
SCHEMA = {
    "type": "object",
    "properties": {"Name": {"type": "string"}},
    "required": ["Name"],
    "additionalProperties": False,
}


def _line(custom_id: str, url: str) -> bytes:
    body: dict[str, Any] = {
        "model": "m",
        "messages": [{"role": "user", "content": "Who built it?"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "strict": True, "schema": SCHEMA}},
    }
    line = {"custom_id": custom_id, "method": "POST", "url": url, "body": body}
    return json.dumps(line).encode() + b"\n"


def _input(rig: Rig) -> bytes:
    return b"".join(_line(custom_id, rig.url) for custom_id in "abc")


def _uploaded(rig: Rig) -> Batch:
    file = rig.service.upload("J-00000-1.jsonl", io.BytesIO(_input(rig)))
    return Batch(
        job_id="J",
        index=0,
        attempt=1,
        state=BatchState.UPLOADED,
        model="m",
        url="/chat/completions",
        requests=3,
        file_id=file.file_id,
    )


def _created(rig: Rig) -> RemoteBatch:
    return rig.service.create(_uploaded(rig), metadata=METADATA)


def _ended(rig: Rig, batch_id: str) -> RemoteBatch:
    for _ in range(100):
        remote = rig.service.batch(batch_id)
        assert remote is not None
        if remote.status in TERMINAL_STATUSES:
            return remote
        rig.advance(30)
    raise AssertionError("never ended")


def test_an_uploaded_file_is_processed_read_back_and_deleted(rig: Rig) -> None:
    file_id = _uploaded(rig).file_id

    file = rig.service.file(file_id)
    assert file is not None
    assert (file.status, file.size) == ("processed", len(_input(rig)))
    assert file.expires_at is not None
    assert b"".join(rig.service.read_file(file_id)) == _input(rig)

    rig.service.delete_file(file_id)
    rig.service.delete_file(file_id)
    assert rig.service.file(file_id) is None
    with pytest.raises(NotFound):
        list(rig.service.read_file(file_id))


class _Unreadable(io.RawIOBase):
    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        raise Conflict("another worker took over this step")


def test_content_that_cannot_be_read_is_no_fault_of_the_service(rig: Rig) -> None:
    with pytest.raises(Conflict):
        rig.service.upload("J.jsonl", io.BufferedReader(_Unreadable()))


def test_a_batch_goes_its_way_and_answers_every_row(rig: Rig) -> None:
    made = _created(rig)
    assert made.status == "validating"
    assert made.metadata == METADATA

    ended = _ended(rig, made.batch_id)

    assert (ended.status, ended.counts) == ("completed", (3, 3, 0))
    assert ended.created_at is not None
    assert ended.created_at.utcoffset() == timedelta()
    lines = b"".join(rig.service.read_file(ended.output_file_id)).split(b"\n")
    assert sorted(json.loads(line)["custom_id"] for line in lines if line) == ["a", "b", "c"]
    # The OpenAI platform has no error file where no row failed.
    assert not ended.error_file_id or b"".join(rig.service.read_file(ended.error_file_id)) == b""


def test_what_the_service_does_not_know_is_none(rig: Rig) -> None:
    assert rig.service.batch("batch_00000000-0000-0000-0000-000000000000") is None
    assert rig.service.file("file-00000000000000000000000000000000") is None
    assert rig.service.page("") == ([], "")


def test_the_list_comes_newest_first_a_hundred_at_a_time(rig: Rig) -> None:
    batch = _uploaded(rig)
    made = [rig.service.create(batch, metadata=METADATA).batch_id for _ in range(103)]

    first, after = rig.service.page("")
    second, end = rig.service.page(after)

    assert [remote.batch_id for remote in [*first, *second]] == made[::-1]
    assert (len(first), after, end) == (100, first[-1].batch_id, "")
    assert {remote.input_file_id for remote in first} == {batch.file_id}


def test_the_list_of_one_status_leaves_out_all_others(rig: Rig) -> None:
    batch = _uploaded(rig)
    ended = [rig.service.create(batch, metadata=METADATA).batch_id for _ in range(2)]
    for batch_id in ended:
        _ended(rig, batch_id)
    made = [rig.service.create(batch, metadata=METADATA).batch_id for _ in range(3)]

    def seen(status: str) -> list[str]:
        return [remote.batch_id for remote in rig.service.page("", status=status)[0]]

    assert seen("in_progress") == []
    while not seen("in_progress"):
        rig.advance(10)
    assert seen("in_progress") == made[::-1]
    assert seen("completed") == ended[::-1]


@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
def test_a_lost_answer_says_that_it_is_lost_whether_it_took_effect_or_not(rig: Rig, when: str, made: int) -> None:
    batch = _uploaded(rig)
    rig.lose_answer(when)

    with pytest.raises(AnswerLost):
        rig.service.create(batch, metadata=METADATA)

    page, _ = rig.service.page("")
    assert [remote.input_file_id for remote in page] == [batch.file_id] * made


def test_a_refusal_that_passes_creates_nothing_and_says_how_long(rig: Rig) -> None:
    batch = _uploaded(rig)
    rig.answer("create", 429)
    with pytest.raises(Throttled) as refused:
        rig.service.create(batch, metadata=METADATA)
    assert refused.value.retry_after == 5

    rig.answer("create", 503)
    with pytest.raises(Unavailable):
        rig.service.create(batch, metadata=METADATA)

    assert rig.service.page("") == ([], "")


def test_a_list_that_is_not_to_be_had_is_said_to_be_unavailable(rig: Rig) -> None:
    rig.answer("page", 503)
    with pytest.raises(Unavailable):
        rig.service.page("")


def test_a_download_that_breaks_off_is_never_taken_for_whole(rig: Rig) -> None:
    file_id = _uploaded(rig).file_id
    rig.cut_downloads()

    with pytest.raises(Unavailable):
        list(rig.service.read_file(file_id))


def test_want_of_quota_is_told_at_once_or_at_the_validation(rig: Rig) -> None:
    batch = _uploaded(rig)
    rig.limit(1, "immediate")
    with pytest.raises(QuotaExceeded, match=r"limit of 1|Limit: 1 "):
        rig.service.create(batch, metadata=METADATA)

    rig.limit(1, "late")
    made = rig.service.create(batch, metadata=METADATA)
    ended = _ended(rig, made.batch_id)
    assert ended.status == "failed"
    assert "token_limit_exceeded" in f"{ended.errors[0][0]} {ended.errors[0][1]}"


def test_a_batch_over_an_unknown_file_is_refused(rig: Rig) -> None:
    batch = _uploaded(rig)
    rig.service.delete_file(batch.file_id)
    with pytest.raises(Refused):
        rig.service.create(batch, metadata=METADATA)


def test_a_cancelled_batch_ends_and_cancelling_again_or_too_late_is_fine(rig: Rig) -> None:
    made = _created(rig)
    rig.service.cancel(made.batch_id)
    rig.service.cancel(made.batch_id)

    assert _ended(rig, made.batch_id).status == "cancelled"

    rig.service.cancel(made.batch_id)
    rig.service.cancel("batch_00000000-0000-0000-0000-000000000000")
    done = _created(rig)
    _ended(rig, done.batch_id)
    rig.service.cancel(done.batch_id)
    assert _ended(rig, done.batch_id).status == "completed"


def test_a_batch_may_be_listed_later_than_it_is_known_by_its_id(rig: Rig) -> None:
    rig.delay_listing(120)
    made = _created(rig)

    assert rig.service.page("") == ([], "")
    assert rig.service.batch(made.batch_id) is not None
    rig.advance(130)
    assert [remote.batch_id for remote in rig.service.page("")[0]] == [made.batch_id]
