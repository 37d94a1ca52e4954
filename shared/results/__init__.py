"""The result files of a job, written side by side as its rows come, in flat memory."""

from typing import Final

CHUNK_SIZE: Final = 1024 * 1024
"""Characters or bytes that are collected before they are written."""
