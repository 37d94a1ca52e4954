"""What two requests have in common that ask the same: a hash of all but the custom id.

The order of the body's own keys does not count: parameters may come from the row one month and from the job the next.
Within them it does, as an answer's fields follow the order of its schema.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

import msgspec

from shared import json_codec

SIZE: Final = 16
"""Bytes of a hash."""


class _Request(msgspec.Struct, gc=False):
    """The parts of a request that count, their values as they are written."""

    url: msgspec.Raw
    body: dict[str, msgspec.Raw]


_decode: Final = msgspec.json.Decoder(_Request).decode


def request_hash(line: bytes, checked: bytes) -> bytes:
    """Hash a request's url and whole body, the model among it, and what its answer is checked with.

    `checked` is the hash of the answer's schema (`SchemaList.digests`), empty for plain text: where two bodies are the
    same and the schemas are not, an answer that is good for one may be none for the other.
    """
    try:
        request = _decode(line)
        return _hash(request.url, request.body, checked)
    except json_codec.UNREADABLE:
        # Half a surrogate pair.
        fields = json_codec.mapping(json_codec.loads(line))
        body = {key: json_codec.dumps(value) for key, value in json_codec.mapping(fields["body"]).items()}
        return _hash(json_codec.dumps(fields["url"]), body, checked)


def _hash(url: bytes | msgspec.Raw, body: Mapping[str, bytes | msgspec.Raw], checked: bytes) -> bytes:
    hashed = blake2b(url, digest_size=SIZE, key=checked)
    for key in sorted(body):
        hashed.update(json_codec.dumps(key))
        hashed.update(body[key])
    return hashed.digest()
