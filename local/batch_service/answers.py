"""The bodies of answers: chat completions and Responses, in the shape that Azure gives them."""

import hashlib
from dataclasses import dataclass
from typing import Any

from local.batch_service.request_rows import CHARS_PER_TOKEN, Ask

SAFE = {"filtered": False, "severity": "safe"}
ANSWER_FILTER = {"hate": SAFE, "self_harm": SAFE, "sexual": SAFE, "violence": SAFE}
PROMPT_FILTER = {
    "hate": SAFE,
    "jailbreak": {"filtered": False, "detected": False},
    "self_harm": SAFE,
    "sexual": SAFE,
    "violence": SAFE,
}
MODELS = (
    ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
    ("gpt-4o", "gpt-4o-2024-08-06"),
    ("gpt-4.1-mini", "gpt-4.1-mini-2025-04-14"),
    ("gpt-4.1-nano", "gpt-4.1-nano-2025-04-14"),
    ("gpt-4.1", "gpt-4.1-2025-04-14"),
    ("gpt-5.1", "gpt-5.1-2025-11-13"),
    ("gpt-5", "gpt-5-2025-08-07"),
    ("o4-mini", "o4-mini-2025-04-16"),
    ("o3-mini", "o3-mini-2025-01-31"),
    ("o3", "o3-2025-04-16"),
)
REFUSAL = "I'm sorry, I can't assist with that request."


@dataclass(frozen=True)
class Answer:
    """What the model said: a text or a refusal, and how it ended (`stop`, `length` or `content_filter`)."""

    content: str | None
    finish: str = "stop"
    refusal: str | None = None

    @property
    def tokens(self) -> int:
        """The estimate of output tokens."""
        return -(-len(self.content or self.refusal or "") // CHARS_PER_TOKEN)


def model_of(deployment: str) -> str:
    """Return the model and version that a deployment of that name most likely is of."""
    return next((model for prefix, model in MODELS if deployment.startswith(prefix)), "gpt-4o-2024-08-06")


def chat_completion(ask: Ask, answer: Answer, model: str, mark: str, created: int) -> dict[str, Any]:
    """Return the body of a chat completion; `mark` is 32 hexadecimal digits to make its ids of."""
    message: dict[str, Any] = {"content": answer.content, "role": "assistant"}
    if answer.refusal is not None:
        message["refusal"] = answer.refusal
    filtered = {**ANSWER_FILTER, "violence": {"filtered": True, "severity": "medium"}}
    return {
        "choices": [
            {
                "content_filter_results": filtered if answer.finish == "content_filter" else ANSWER_FILTER,
                "finish_reason": answer.finish,
                "index": 0,
                "logprobs": None,
                "message": message,
            }
        ],
        "created": created,
        "id": f"chatcmpl-{mark[:29]}",
        "model": model,
        "object": "chat.completion",
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": PROMPT_FILTER}],
        "system_fingerprint": f"fp_{mark[-10:]}",
        "usage": {
            "completion_tokens": answer.tokens,
            "prompt_tokens": ask.input_tokens,
            "total_tokens": ask.input_tokens + answer.tokens,
        },
    }


def response(ask: Ask, answer: Answer, body: dict[str, Any], mark: str, created: float) -> dict[str, Any]:
    """Return the body of a Responses API answer; its `model` is the deployment's name."""
    reasons = {"length": "max_output_tokens", "content_filter": "content_filter"}
    if answer.refusal is not None:
        part: dict[str, Any] = {"type": "refusal", "refusal": answer.refusal}
    else:
        part = {"type": "output_text", "text": answer.content or "", "annotations": [], "logprobs": []}
    whole = answer.finish == "stop"
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
                "content_filter_results": PROMPT_FILTER,
            }
        ],
        "error": None,
        "incomplete_details": None if whole else {"reason": reasons[answer.finish]},
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": ask.deployment,
        "output": [
            {
                "id": f"msg_{mark}",
                "type": "message",
                "status": "completed" if whole else "incomplete",
                "role": "assistant",
                "content": [part],
            }
        ],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": True,
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": body.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": {
            "input_tokens": ask.input_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": answer.tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": ask.input_tokens + answer.tokens,
        },
        "user": body.get("user"),
        "metadata": body.get("metadata") or {},
    }


def prompt_filtered() -> dict[str, Any]:
    """Return the body of the refusal of a prompt by the content filter."""
    return {
        "error": {
            "message": (
                "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. "
                "Please modify your prompt and retry. To learn more about our content filtering policies please read "
                "our documentation: https://go.microsoft.com/fwlink/?linkid=2198766"
            ),
            "type": None,
            "param": "prompt",
            "code": "content_filter",
            "status": 400,
            "innererror": {
                "code": "ResponsibleAIPolicyViolation",
                "content_filter_result": {**PROMPT_FILTER, "violence": {"filtered": True, "severity": "medium"}},
            },
        }
    }


def mark_of(name: str, content: str | bytes) -> str:
    """Return 32 hexadecimal digits that follow from a name and a content."""
    written = content if isinstance(content, bytes) else content.encode()
    return hashlib.blake2b(name.encode() + b"\0" + written, digest_size=16).hexdigest()


def uuid_of(mark: str) -> str:
    """Write 32 hexadecimal digits as a UUID of version 4."""
    return f"{mark[:8]}-{mark[8:12]}-4{mark[13:16]}-a{mark[17:20]}-{mark[20:]}"
