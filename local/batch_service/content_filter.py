"""What Azure's content filter says, in answers that pass it and in those that don't."""

from typing import Any

SAFE = {"filtered": False, "severity": "safe"}
ANSWER_PASSED: dict[str, Any] = {"hate": SAFE, "self_harm": SAFE, "sexual": SAFE, "violence": SAFE}
PROMPT_PASSED: dict[str, Any] = {
    "hate": SAFE,
    "jailbreak": {"filtered": False, "detected": False},
    "self_harm": SAFE,
    "sexual": SAFE,
    "violence": SAFE,
}
_MET = {"violence": {"filtered": True, "severity": "medium"}}
ANSWER_BLOCKED = {**ANSWER_PASSED, **_MET}
PROMPT_BLOCKED = {**PROMPT_PASSED, **_MET}


def prompt_refused() -> dict[str, Any]:
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
            "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": PROMPT_BLOCKED},
        }
    }
