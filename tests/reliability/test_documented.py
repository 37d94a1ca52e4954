"""docs/reliability.md names tests that exist, and one for every code."""

import re

import pytest

from shared.domain.model import JobCode, RowCode
from testing.paths import PROJECT

PAGE = (PROJECT / "docs" / "reliability.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/\w+(?:/\w+)*\.py)::(\w+)`", PAGE)))


@pytest.mark.parametrize(("file", "test"), NAMED, ids=[test for _, test in NAMED])
def test_a_test_that_is_named_exists(file: str, test: str) -> None:
    assert re.search(rf"^def {test}\(", (PROJECT / file).read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("code", sorted({*JobCode, *RowCode}), ids=str)
def test_every_code_has_a_test_that_names_it(code: str) -> None:
    found = re.search(rf"^\|[^|]*`{code}`[^|]*\| `(tests/acceptance/\w+\.py)::(\w+)` \|$", PAGE, re.MULTILINE)
    assert found is not None, f"no test is named for {code}"
    body = re.search(rf"(?ms)(?:^@[^\n]*\n(?:^[ )\]][^\n]*\n)*)?^def {found[2]}\(.*?(?=^def |^@|\Z)", _source(found[1]))
    assert body is not None
    assert f'"{code}"' in body[0] or f"{code}=" in body[0]


def _source(file: str) -> str:
    return (PROJECT / file).read_text("utf-8")


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:tests|shared)/[\w/]+(?:\.py|/))`", PAGE))))
def test_a_file_that_is_named_exists(path: str) -> None:
    assert (PROJECT / path).exists()
