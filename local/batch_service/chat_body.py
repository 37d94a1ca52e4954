"""The bodies of chat completions, in the shape that Azure gives them."""

from collections.abc import Sequence
from typing import Any

from local.batch_service import content_filter
from local.batch_service.answers import Answer
from local.batch_service.request_rows import Ask
from local.batch_service.token_count import CHARS_PER_TOKEN

Body = dict[str, Any]


def chat_completion(ask: Ask, answers: Sequence[Answer], model: str, mark: str, created: int) -> Body:
    """Return the body with one choice for each answer; `mark` is 32 hexadecimal digits to make its ids of."""
    spent = sum(answer.tokens for answer in answers)
    return {
        "choices": [_choice(index, answer, ask, mark) for index, answer in enumerate(answers)],
        "created": created,
        "id": f"chatcmpl-{mark[:29]}",
        "model": model,
        "object": "chat.completion",
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": content_filter.PROMPT_PASSED}],
        "system_fingerprint": f"fp_{mark[-10:]}",
        "usage": {
            "completion_tokens": spent,
            "completion_tokens_details": {
                "accepted_prediction_tokens": 0,
                "audio_tokens": 0,
                "reasoning_tokens": sum(answer.reasoning_tokens for answer in answers),
                "rejected_prediction_tokens": 0,
            },
            "prompt_tokens": ask.input_tokens,
            "prompt_tokens_details": {"audio_tokens": 0, "cached_tokens": 0},
            "total_tokens": ask.input_tokens + spent,
        },
    }


def _choice(index: int, answer: Answer, ask: Ask, mark: str) -> Body:
    blocked = answer.finish == "content_filter"
    return {
        "content_filter_results": content_filter.ANSWER_BLOCKED if blocked else content_filter.ANSWER_PASSED,
        "finish_reason": answer.finish,
        "index": index,
        "logprobs": _logprobs(answer.content, ask.top_logprobs) if ask.top_logprobs is not None else None,
        "message": _message(answer, f"call_{mark[:23]}{index}"),
    }


def _message(answer: Answer, call_id: str) -> Body:
    message: Body = {"content": answer.content, "role": "assistant"}
    if answer.refusal is not None:
        message["refusal"] = answer.refusal
    if answer.call is not None:
        function = {"name": answer.call.name, "arguments": answer.call.arguments}
        message["tool_calls"] = [{"id": call_id, "type": "function", "function": function}]
    return message


def _logprobs(content: str | None, top: int) -> Body | None:
    """Return made-up probabilities of the content's tokens, each with as many alternatives as asked."""
    if content is None:
        return None
    pieces = [content[start : start + CHARS_PER_TOKEN] for start in range(0, len(content), CHARS_PER_TOKEN)]
    tokens = [{"token": piece, "logprob": -0.01, "bytes": list(piece.encode())} for piece in pieces]
    return {"content": [{**token, "top_logprobs": [token] * top} for token in tokens], "refusal": None}
