"""StructuredBatch: prompt files in, Azure OpenAI batches, checked results out."""

from typing import Final

VERSION: Final = "1.1.0"
"""The app's version, as CHANGELOG.md counts."""
