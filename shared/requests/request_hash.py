"""What two requests have in common that ask the same: a hash of all but the custom id."""

from hashlib import blake2b
from typing import Final

import msgspec

from shared import json_codec

SIZE: Final = 16
"""Bytes of a hash."""


class _Request(msgspec.Struct, gc=False):
    """The parts of a request that count, as they are written."""

    url: msgspec.Raw
    body: msgspec.Raw


_decode: Final = msgspec.json.Decoder(_Request).decode


def request_hash(line: bytes, checked: bytes) -> bytes:
    """Hash a request's url and whole body, the model among it, and what its answer is checked with.

    `checked` is the hash of the answer's schema (`SchemaList.digests`), empty for plain text: where two bodies are the
    same and the schemas are not, an answer that is good for one may be none for the other.
    """
    try:
        request = _decode(line)
        url, body = memoryview(request.url), memoryview(request.body)
    except json_codec.UNREADABLE:
        # Half a surrogate pair.
        fields = json_codec.mapping(json_codec.loads(line))
        url, body = memoryview(json_codec.dumps(fields["url"])), memoryview(json_codec.dumps(fields["body"]))
    hashed = blake2b(url, digest_size=SIZE, key=checked)
    hashed.update(body)
    return hashed.digest()
