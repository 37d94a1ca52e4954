"""OpenAI's encoding o200k_base, from the table that lies beside this module: nothing is fetched.

tiktoken's own loader takes 0.4 s and 80 MB, as it decodes the table line by line and keeps it beside what it makes of
it. From the packed table it takes 0.25 s, and 55 MB stay.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    import tiktoken

TABLE: Final = Path(__file__).with_name("encodings") / "o200k_base.msgpack"

_SHA256: Final = "21be86ee43e53a592c4dc0621c2eca9af6bc4c29df3c9a2161e452e4ecccab5d"

PATTERN: Final = "|".join((
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}",
    r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
    r"\s*[\r\n]+",
    r"\s+(?!\S)",
    r"\s+",
))  # fmt: skip
"""How a text is cut before its tokens are looked for (tiktoken_ext, openai_public.py)."""


def load() -> "tiktoken.Encoding":
    """Load the encoding; raises OSError or ValueError where its table is missing or damaged."""
    import tiktoken

    table = TABLE.read_bytes()
    if hashlib.sha256(table).hexdigest() != _SHA256:
        raise ValueError(f"{TABLE.name} is damaged")
    tokens = msgspec.msgpack.decode(table, type=list[bytes])
    ranks = {token: rank for rank, token in enumerate(tokens)}
    # Special tokens are left out: what a prompt says is text, whatever it looks like.
    encoding = tiktoken.Encoding("o200k_base", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})
    ranks.clear()  # The encoding has made its own table of them, which takes as much memory again.
    return encoding
