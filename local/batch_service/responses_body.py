"""The bodies of the Responses API, in the shape that Azure gives them."""

from typing import Any

from local.batch_service import content_filter
from local.batch_service.answers import Answer
from local.batch_service.request_rows import Ask

Body = dict[str, Any]
_REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}


def response(ask: Ask, answer: Answer, body: Body, mark: str, created: float) -> Body:
    """Return the body that answers a request's `body`; its `model` is the deployment's name."""
    whole = answer.finish not in _REASONS
    return {
        "id": f"resp_{mark}",
        "object": "response",
        "created_at": created,
        "status": "completed" if whole else "incomplete",
        "background": False,
        "content_filters": [
            {
                "blocked": answer.finish == "content_filter",
                "source_type": "prompt",
                "content_filter_results": content_filter.PROMPT_PASSED,
            }
        ],
        "error": None,
        "incomplete_details": None if whole else {"reason": _REASONS[answer.finish]},
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": ask.deployment,
        "output": _output(answer, mark, "completed" if whole else "incomplete"),
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": (body.get("reasoning") or {}).get("effort"), "summary": None},
        "service_tier": "default",
        "store": True,
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools") or [],
        "top_p": body.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": {
            "input_tokens": ask.input_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": answer.tokens,
            "output_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
            "total_tokens": ask.input_tokens + answer.tokens,
        },
        "user": body.get("user"),
        "metadata": body.get("metadata") or {},
    }


def _output(answer: Answer, mark: str, status: str) -> list[Body]:
    found: list[Body] = []
    if answer.reasoning_tokens:
        found.append({"id": f"rs_{mark}", "type": "reasoning", "summary": []})
    if answer.commentary is not None:
        found.append(_message(f"msg_c{mark[1:]}", "completed", _text(answer.commentary), "commentary"))
    if answer.call is not None:
        call = {"call_id": f"call_{mark[:24]}", "name": answer.call.name, "arguments": answer.call.arguments}
        return [*found, {"id": f"fc_{mark}", "type": "function_call", "status": status, **call}]
    if answer.refusal is not None:
        part: Body = {"type": "refusal", "refusal": answer.refusal}
    else:
        part = _text(answer.content or "")
    phase = "final_answer" if answer.commentary is not None else None
    return [*found, _message(f"msg_{mark}", status, part, phase)]


def _text(content: str) -> Body:
    return {"type": "output_text", "text": content, "annotations": [], "logprobs": []}


def _message(identifier: str, status: str, part: Body, phase: str | None) -> Body:
    message = {"id": identifier, "type": "message", "status": status, "role": "assistant", "content": [part]}
    return message if phase is None else {**message, "phase": phase}
