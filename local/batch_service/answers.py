"""What a model says to a request, and the ids that follow from it."""

import hashlib
from dataclasses import dataclass

from local.batch_service import token_count
from local.batch_service.tools import ToolCall

REFUSAL = "I'm sorry, I can't assist with that request."


@dataclass(frozen=True)
class Answer:
    """A text, a refusal or a call, and how it ended (`stop`, `length`, `content_filter` or `tool_calls`)."""

    content: str | None
    finish: str = "stop"
    refusal: str | None = None
    call: ToolCall | None = None
    reasoning_tokens: int = 0
    commentary: str | None = None
    """What newer models say in a message of its own before the answer (Responses only)."""

    @property
    def tokens(self) -> int:
        """The number of output tokens, those of reasoning included."""
        text = self.call.arguments if self.call is not None else self.content or self.refusal or ""
        return self.reasoning_tokens + token_count.of_text(text) + token_count.of_text(self.commentary or "")


def mark_of(name: str, content: str | bytes) -> str:
    """Return 32 hexadecimal digits that follow from a name and a content."""
    written = content if isinstance(content, bytes) else content.encode()
    return hashlib.blake2b(name.encode() + b"\0" + written, digest_size=16).hexdigest()


def uuid_of(mark: str) -> str:
    """Write 32 hexadecimal digits as a UUID of version 4."""
    return f"{mark[:8]}-{mark[8:12]}-4{mark[13:16]}-a{mark[17:20]}-{mark[20:]}"
