"""An input file as its target gets it: another model, another url, and else every byte as it was."""

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.json_codec import encode
from shared.requests.readdressed import Readdressing
from shared.settings import Platform, Target

URL = "/chat/completions"
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)


def _target(deployment: str, platform: Platform = Platform.AZURE) -> Target:
    return Target(endpoint="https://west.openai.azure.com", deployment=deployment, platform=platform)


def _line(model: str, **more: Any) -> bytes:
    body = {**more, "model": model, "messages": [{"role": "user", "content": f'{{"model":"{model}"}}'}]}
    return encode({"custom_id": "a", "method": "POST", "url": URL, "body": body}) + b"\n"


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@given(NAMES, NAMES, st.integers(1, 400), st.sampled_from(Platform), st.booleans())
def test_only_the_model_and_the_url_are_changed_wherever_the_file_is_cut(
    model: str, deployment: str, size: int, platform: Platform, nested: bool
) -> None:
    deep = {"metadata": {"model": model, "url": URL}} if nested else {}
    data = _line(model) + _line(model, **deep) + _line(model, temperature=1.0)
    lines = Readdressing(model, URL, _target(deployment, platform))
    sent = b"".join(lines.applied(_pieces(data, size)))

    assert len(sent) == len(data) + 3 * lines.growth
    before, after = ([json.loads(line) for line in text.split(b"\n") if line] for text in (data, sent))
    for request in before:
        request["body"]["model"] = deployment
        request["url"] = f"/v1{URL}" if platform is Platform.OPENAI else URL
    assert after == before


def test_nothing_is_changed_where_the_rows_name_the_deployment_itself() -> None:
    assert not Readdressing("m", URL, _target("m")).is_needed
    assert not Readdressing("m", "/v1/responses", _target("m", Platform.OPENAI)).is_needed
