"""The wait that an answer's headers ask for, as each client gives them."""

from collections.abc import Callable
from email.message import Message

import pytest
from openai import DefaultHttpxClient
from requests.structures import CaseInsensitiveDict

from shared.adapters.retry_after import Headers, wait_asked

NOON = "Wed, 21 Oct 2026 12:00:00 GMT"

CASES: list[tuple[dict[str, str], float | None]] = [
    ({"Retry-After": "7"}, 7),
    ({"Retry-After": "1.5"}, 1.5),
    ({"Retry-After-Ms": "1500", "Retry-After": "9"}, 1.5),
    ({"Retry-After-Ms": "soon", "Retry-After": "9"}, 9),
    ({"Retry-After": "Wed, 21 Oct 2026 12:00:30 GMT", "Date": NOON}, 30),
    ({"Retry-After": "Wed, 21 Oct 2026 11:00:00 GMT", "Date": NOON}, 0),
    ({"Retry-After": "Wed, 21 Oct 2026 12:00:30 GMT"}, None),
    ({"Retry-After": "Wed, 21 Oct 2026 12:00:30 GMT", "Date": "noon"}, None),
    ({"Retry-After": "Wed, 21 Oct 2026 12:00:30", "Date": NOON}, None),
    ({"Retry-After": "later", "Date": NOON}, None),
    ({"Retry-After": "-1", "Date": NOON}, None),
    ({"Retry-After": "nan"}, None),
    ({"Retry-After": "inf"}, None),
    ({"Retry-After": ""}, None),
    ({"Date": NOON}, None),
]


def _of_openai(given: dict[str, str]) -> Headers:
    with DefaultHttpxClient() as client:
        return client.build_request("GET", "http://localhost", headers=given).headers


def _of_storage(given: dict[str, str]) -> Headers:
    return CaseInsensitiveDict(given)


def _of_notices(given: dict[str, str]) -> Headers:
    message = Message()
    for name, value in given.items():
        message[name] = value
    return message


@pytest.mark.parametrize("made", [_of_openai, _of_storage, _of_notices])
@pytest.mark.parametrize(("given", "seconds"), CASES)
def test_the_wait_is_read_from_seconds_milliseconds_and_dates(
    made: Callable[[dict[str, str]], Headers], given: dict[str, str], seconds: float | None
) -> None:
    assert wait_asked(made(given)) == seconds
