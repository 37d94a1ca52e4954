"""How many input tokens an image costs, by the published formulas of the models.

Source: OpenAI's guide "Images and vision", calculating costs. Older models count tiles of 512 pixels, newer ones
patches of 32 pixels. Where a model is not known, the dearer family of its generation is taken: an estimate is at most.
"""

import math
import re
from dataclasses import dataclass
from typing import Final

_PATCH: Final = 32
_TILE: Final = 512
_SQUARE: Final = 2_048
_SHORT_SIDE: Final = 768


@dataclass(frozen=True, slots=True)
class Tiles:
    """An image costs `base` tokens and, but for detail `low`, `tile` tokens for each tile of 512 pixels."""

    base: int
    tile: int


@dataclass(frozen=True, slots=True)
class Patches:
    """An image costs `multiplier` tokens for each patch of 32 pixels, after scaling down to `budget` patches."""

    multiplier: float
    budget: int = 1_536


_MODELS: Final[tuple[tuple[str, Tiles | Patches], ...]] = (
    (r"gpt-4o-mini", Tiles(2_833, 5_667)),
    (r"gpt-(4\.1|5|5\.\d+)-mini", Patches(1.62)),
    (r"gpt-(4\.1|5|5\.\d+)-nano", Patches(2.46)),
    (r"o4-mini", Patches(1.72)),
    (r"gpt-5\.\d+", Patches(1.2, 2_500)),
    (r"gpt-5", Tiles(70, 140)),
    (r"o[13]", Tiles(75, 150)),
    (r"", Tiles(85, 170)),
)


def image_tokens(model: str, width: int, height: int, detail: str) -> int:
    """Return the input tokens of an image by its size in pixels; `detail` is `low`, `high` or `auto` (as high)."""
    rule = next(rule for pattern, rule in _MODELS if re.match(rf"{pattern}(?![\d.])", model.lower()) or not pattern)
    if isinstance(rule, Patches):
        # Detail `low` has been seen to make no difference to these models.
        return math.ceil(_patches(width, height, rule.budget) * rule.multiplier)
    return rule.base if detail == "low" else rule.base + rule.tile * _tiles(width, height)


def _tiles(width: int, height: int) -> int:
    shrink = min(1.0, _SQUARE / max(width, height))
    shrink *= min(1.0, _SHORT_SIDE / (min(width, height) * shrink))
    return math.ceil(width * shrink / _TILE) * math.ceil(height * shrink / _TILE)


def _patches(width: int, height: int, budget: int) -> int:
    patches = math.ceil(width / _PATCH) * math.ceil(height / _PATCH)
    if patches <= budget:
        return patches
    shrink = math.sqrt(_PATCH * _PATCH * budget / (width * height))
    across, down = width * shrink / _PATCH, height * shrink / _PATCH
    shrink *= min(math.floor(across) / across, math.floor(down) / down) if min(across, down) >= 1 else 1.0
    return min(budget, math.ceil(round(width * shrink / _PATCH, 6)) * math.ceil(round(height * shrink / _PATCH, 6)))
