"""What the emulated model says to a request, in every outcome in which it says something."""

from typing import Any

from local.batch_service import instances, json_text, plausible, reasoning, token_count, tools
from local.batch_service.answers import REFUSAL, Answer
from local.batch_service.models import Model
from local.batch_service.request_rows import Ask

Body = dict[str, Any]
COMMENTARY = "I read the request and answer it in the form that it asks for."


def said(ask: Ask, body: Body, seed: bytes, model: Model, outcome: str, given: str | None) -> Answer:
    """Return the answer to a request, `given` or made up. The same `seed` gives the same answer."""
    thought = reasoning.tokens(body, ask.responses) if model.reasons else 0
    if outcome == "refusal":
        return Answer(None, refusal=REFUSAL, reasoning_tokens=thought)
    call = tools.call(body, ask.responses, seed, ask.prompt, ask.schema is not None) if given is None else None
    if call is not None:
        return Answer(None, call.finish, call=call, reasoning_tokens=thought)
    text = given if given is not None else _text(ask, seed)
    if outcome == "answered":
        return _within(ask.limit, text, thought)
    changed = {
        "answer_filtered": Answer(text[: len(text) // 3], "content_filter", reasoning_tokens=thought),
        "cut": Answer(text[: max(1, len(text) * 2 // 3)], "length", reasoning_tokens=thought),
        "broken_json": Answer(text[: max(1, len(text) - 2)], reasoning_tokens=thought),
        "commentary": Answer(text, reasoning_tokens=thought, commentary=COMMENTARY),
    }
    if outcome == "wrong_schema":
        return Answer(_misshapen(text), reasoning_tokens=thought)
    return changed.get(outcome) or _within(ask.limit, text, thought)


def _within(limit: int | None, text: str, thought: int) -> Answer:
    """Return the answer, cut where it would pass the limit of output tokens, from which reasoning takes first."""
    whole = Answer(text, reasoning_tokens=thought)
    if limit is None or whole.tokens <= limit:
        return whole
    left = max(0, limit - thought)
    return Answer(token_count.cut(text, left), "length", reasoning_tokens=min(thought, limit))


def _text(ask: Ask, seed: bytes) -> str:
    if ask.schema is not None:
        return json_text.write(instances.instance(ask.schema, seed, ask.prompt)).decode()
    sentence = plausible.sentence(seed, ask.prompt)
    return json_text.write({"answer": sentence}).decode() if ask.format == "json_object" else sentence


def _misshapen(text: str) -> str:
    """Return valid JSON that no longer fits the schema: the first field is gone and another one has come."""
    try:
        value = json_text.read(text)
    except ValueError:
        value = None
    fields = dict(list(value.items())[1:]) if isinstance(value, dict) else {}
    return json_text.write({**fields, "unexpected": True}).decode()
