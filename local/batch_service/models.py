"""The models that deployments are of: their names in answers, and which of them reason before they answer.

Source: Microsoft's pages on models for batch deployments and on reasoning models.
"""

import re
from dataclasses import dataclass
from typing import Any

NAMES = (
    ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
    ("gpt-4o", "gpt-4o-2024-08-06"),
    ("gpt-4.1-mini", "gpt-4.1-mini-2025-04-14"),
    ("gpt-4.1-nano", "gpt-4.1-nano-2025-04-14"),
    ("gpt-4.1", "gpt-4.1-2025-04-14"),
    ("gpt-5.4-mini", "gpt-5.4-mini-2026-03-17"),
    ("gpt-5.4", "gpt-5.4-2026-03-05"),
    ("gpt-5.1", "gpt-5.1-2025-11-13"),
    ("gpt-5-mini", "gpt-5-mini-2025-08-07"),
    ("gpt-5", "gpt-5-2025-08-07"),
    ("o4-mini", "o4-mini-2025-04-16"),
    ("o3-mini", "o3-mini-2025-01-31"),
    ("o3", "o3-2025-04-16"),
)
"""What a deployment's name begins with, and the model and version that it most likely is of."""
USUAL = "gpt-4o-2024-08-06"
_REASONS = re.compile(r"o\d|gpt-5(?!.*chat)")


@dataclass(frozen=True)
class Model:
    """A model with its version, as answers name it."""

    name: str

    @property
    def reasons(self) -> bool:
        """Whether it spends tokens on reasoning and refuses temperature and its kin."""
        return _REASONS.match(self.name) is not None


def model_of(deployment: str) -> Model:
    """Return the model that a deployment of that name most likely is of."""
    return Model(next((name for prefix, name in NAMES if deployment.startswith(prefix)), USUAL))


def listed(created: int) -> list[dict[str, Any]]:
    """Return the objects of `GET /models`, with the fields of both route families."""
    return [
        {
            "id": name,
            "object": "model",
            "created": created,
            "created_at": created,
            "owned_by": "azure-openai",
            "status": "succeeded",
            "lifecycle_status": "generally-available",
            "capabilities": {
                "fine_tune": False,
                "inference": True,
                "completion": False,
                "chat_completion": True,
                "embeddings": False,
            },
        }
        for _, name in NAMES
    ]
