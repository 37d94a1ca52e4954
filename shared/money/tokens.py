"""How many tokens a text has, counted with the model's own encoding.

tiktoken does the counting. The encoding takes a quarter of a second and 55 MB to load, so it is loaded when a job is
first estimated and never at import.
"""

import logging
import re
from collections.abc import Callable
from functools import cache
from typing import Final

from shared.money import o200k_base

log = logging.getLogger("structuredbatch.money")

type TokenCounter = Callable[[str], int]

_OLDER_MODELS: Final = re.compile(r"(gpt-4(?![o.]|\d)|gpt-3|text-|davinci|babbage)")
"""Models before o200k_base (tiktoken, tiktoken/model.py); all that can be deployed now have it."""


def token_counter(model: str) -> TokenCounter | None:
    """Return a function that counts a text's tokens as `model` does; None where its encoding is not known here.

    A model of an unknown name, such as a deployment's own, counts as today's do.
    """
    return None if _OLDER_MODELS.match(model.lower()) else _o200k_counter()


@cache
def _o200k_counter() -> TokenCounter | None:
    try:
        encode = o200k_base.load().encode_ordinary
    except Exception:  # A wrong or missing table, or no package: jobs are estimated by their bytes instead.
        log.warning("tokens are estimated by bytes: the encoding o200k_base could not be loaded", exc_info=True)
        return None
    return lambda text: len(encode(text))
